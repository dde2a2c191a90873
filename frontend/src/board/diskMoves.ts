/** How the move of a single disk looks and reads. Pure. */
import type { DiskMove } from '../api/types'
import type { Accent } from '../tokens/accents'
import { percent } from '../ui/format'
import { t, type Key } from '../ui/words.svelte'

export const DISK_ACCENT = {
  asked: 'quiet',
  moving: 'move',
  uncertain: 'care',
  done: 'go',
  failed: 'no',
  cancelled: 'quiet',
} as const satisfies Record<DiskMove['state'], Accent>

const WORDS = {
  asked: 'disk_move.asked',
  moving: 'disk_move.moving',
  uncertain: 'disk_move.uncertain',
  done: 'disk_move.done',
  failed: 'disk_move.failed',
  cancelled: 'disk_move.cancelled',
} as const satisfies Record<DiskMove['state'], Key>

/** The move in one sentence. */
export const diskMoveWords = (move: DiskMove): string =>
  t(WORDS[move.state], { device: move.device, source: move.source_storage, target: move.target_storage })

/** What a card says while a disk of its VM moves. */
export function diskSubline(move: DiskMove): string {
  const share = move.state === 'moving' ? move.share.value : null
  return share === null ? diskMoveWords(move) : `${diskMoveWords(move)}, ${percent(share)}`
}

/** The moves of one VM's disks, the newest first. */
export const diskMovesOf = (vm: number, moves: Iterable<DiskMove>): readonly DiskMove[] =>
  [...moves].filter((move) => move.vm === vm).sort((one, two) => two.requested_at.localeCompare(one.requested_at))
