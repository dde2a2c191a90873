/** The saw-tooth of a move: memory left to copy over time, from its passes. Pure. */
import type { Migration } from '../api/types'

/** Times in seconds since the hypervisor call, sizes in bytes; null breaks the line. */
export interface Series {
  readonly at: readonly number[]
  readonly left: readonly (number | null)[]
  /** Whether the last point is where the move stands now. */
  readonly isOpen: boolean
  /** When each pass began, in seconds. */
  readonly starts: readonly { readonly pass: number; readonly at: number }[]
}

export function seriesOf(migration: Migration): Series {
  const at: number[] = []
  const left: (number | null)[] = []
  const put = (ms: number, bytes: number | null) => {
    // uPlot wants times that never run backwards.
    at.push(Math.max(ms / 1000, at.at(-1) ?? 0))
    left.push(bytes)
  }
  for (const pass of migration.passes) {
    put(pass.started_ms, pass.remaining_at_start)
    if (pass.ended_ms !== null) put(pass.ended_ms, pass.remaining_at_end)
  }
  const { elapsed_ms, remaining } = migration.progress
  const copying = migration.active && migration.passes.at(-1)?.ended_ms === null
  const isOpen = copying && elapsed_ms !== null && remaining.value !== null
  if (isOpen) put(elapsed_ms, remaining.value)
  const starts = migration.passes.map((pass) => ({ pass: pass.pass_number, at: pass.started_ms / 1000 }))
  return { at, left, isOpen, starts }
}
