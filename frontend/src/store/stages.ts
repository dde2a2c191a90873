/** What each state of a migration looks like: the one record that says so. */
import type { Migration, State } from '../api/types'
import type { Accent } from '../tokens/accents'

export const STATE_ACCENT = {
  requested: 'move',
  queued: 'move',
  checking: 'move',
  preparing: 'move',
  copying_storage: 'move',
  pre_copy: 'move',
  stop_and_copy: 'move',
  post_copy: 'care',
  cancelling: 'care',
  verifying: 'move',
  uncertain: 'care',
  done: 'go',
  failed: 'no',
  cancelled: 'quiet',
} as const satisfies Record<State, Accent>

export const STATES = Object.keys(STATE_ACCENT) as State[]

export const stateOf = (migration: Migration): State => migration.state as State

/** Whether both hosts say that they run the VM: the one doubt that harms its disks with every second. */
export const runsTwice = (migration: Migration): boolean =>
  stateOf(migration) === 'uncertain' && migration.failure_code === 'vm_runs_twice'

export const accentOf = (migration: Migration): Accent =>
  runsTwice(migration) ? 'no' : (STATE_ACCENT[stateOf(migration)] ?? 'quiet')

/** An id as people read it aloud: 7F3K-2QXZ. */
export const spoken = (id: string): string => (id.length === 8 ? `${id.slice(0, 4)}-${id.slice(4)}` : id)
