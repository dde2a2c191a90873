/** What a guard's state looks like, and how far what it does is. Pure. */
import type { Guard } from '../api/types'
import type { Accent } from '../tokens/accents'

const GUARD_ACCENT = {
  asked: 'move',
  taking: 'care',
  copying: 'move',
  clearing: 'care',
  flagged: 'no',
  kept: 'go',
  rolling_back: 'care',
  removing: 'quiet',
  removed: 'quiet',
  failed: 'no',
} as const satisfies Record<Guard['state'], Accent>

export const guardAccent = (guard: Guard): Accent => GUARD_ACCENT[guard.state]

/** How far the copying is, 0..1; null where nothing is copied, or nobody says how much there is. */
export function guardShare(guard: Guard): number | null {
  const copies = guard.state === 'copying' || guard.state === 'rolling_back'
  return copies && guard.total > 0 ? Math.min(1, guard.done / guard.total) : null
}
