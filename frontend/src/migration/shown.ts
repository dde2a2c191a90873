/** Which moves the dock shows: the active ones, and for a while the ended ones. Pure. */
import type { Migration } from '../api/types'

/** How long an outcome stays in the dock, in milliseconds. */
export const OUTCOME_STAYS_MS = 90_000

function isFresh(migration: Migration, now: number): boolean {
  return migration.ended_at !== null && now - Date.parse(migration.ended_at) < OUTCOME_STAYS_MS
}

/** A fetched list with what the feed knows better or newer, newest first. */
export function freshened(fetched: readonly Migration[], live: Iterable<Migration>): readonly Migration[] {
  const known = new Map(fetched.map((migration) => [migration.id, migration]))
  for (const migration of live) {
    if (migration.active || known.has(migration.id)) known.set(migration.id, migration)
  }
  return [...known.values()].sort((one, two) => two.requested_at.localeCompare(one.requested_at))
}

/** How many outcomes the dock shows at most; all of them are in the list of migrations. */
const OUTCOMES = 3

/** Active moves first, oldest first; then fresh outcomes, newest first. */
export function shownInDock(
  migrations: Iterable<Migration>,
  dismissed: ReadonlySet<string>,
  now: number,
): readonly Migration[] {
  const all = [...migrations]
  const active = all
    .filter((migration) => migration.active)
    .sort((one, two) => one.requested_at.localeCompare(two.requested_at))
  const ended = all
    .filter((migration) => !migration.active && !dismissed.has(migration.id) && isFresh(migration, now))
    .sort((one, two) => (two.ended_at ?? '').localeCompare(one.ended_at ?? ''))
  return [...active, ...ended.slice(0, OUTCOMES)]
}
