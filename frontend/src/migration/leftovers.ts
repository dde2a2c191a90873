/** The disks that moves have left behind, with what the feed knows newer. Pure. */
import type { LeftoverDisk, Migration } from '../api/types'

/** Those that are still there, oldest first. */
export function stillThere(fetched: readonly LeftoverDisk[], live: Iterable<Migration>): readonly LeftoverDisk[] {
  const known = new Map(fetched.map((disk) => [disk.id, disk]))
  for (const { leftover_disks: disks } of live) for (const disk of disks) known.set(disk.id, disk)
  return [...known.values()]
    .filter((disk) => disk.removed_at === null)
    .sort((one, two) => one.since.localeCompare(two.since) || one.id - two.id)
}
