/** What a guard's state looks like, and how far what it does is. Pure, but for its words. */
import type { Guard } from '../api/types'
import type { Accent } from '../tokens/accents'
import { size } from '../ui/format'
import { t, told } from '../ui/words.svelte'

const GUARD_ACCENT = {
  asked: 'move',
  taking: 'care',
  copying: 'move',
  clearing: 'care',
  flagged: 'no',
  kept: 'go',
  rolling_back: 'care',
  restoring: 'care',
  removing: 'quiet',
  removed: 'quiet',
  failed: 'no',
} as const satisfies Record<Guard['state'], Accent>

export const guardAccent = (guard: Guard): Accent => GUARD_ACCENT[guard.state]

/** Which sentence says what a state means: memory that is kept is said. */
export function guardMeaning({ state, with_memory: memory }: Guard): string {
  return memory && (state === 'kept' || state === 'taking') ? `${state}_with_memory` : state
}

const AT_WORK: ReadonlySet<Guard['state']> = new Set(['asked', 'taking', 'copying', 'clearing', 'rolling_back', 'restoring'])

/** Whether something is being done about a guard that people wait for. */
export const isAtWork = (guard: Guard): boolean => AT_WORK.has(guard.state)

/** How far the copying is, 0..1; null where nothing is copied, or nobody says how much there is. */
export function guardShare(guard: Guard): number | null {
  const copies = guard.state === 'copying' || guard.state === 'rolling_back'
  return copies && guard.total > 0 ? Math.min(1, guard.done / guard.total) : null
}

/** What is being done about a guard, in one line. */
export function guardWords(guard: Guard): string {
  const far = guardShare(guard) === null ? '' : `, ${t('guard.copied', { done: size(guard.done), total: size(guard.total) })}`
  return `${t('guard.title')}: ${told('guard_state', guard.state)}${far}`
}
