/** The stages of a move in order, and which of them are known to be behind us. Pure. */
import type { Migration, State } from '../api/types'
import { stateOf } from '../store/stages'

type Standing = 'behind' | 'now' | 'ahead' | 'ended'

export interface Stage {
  readonly state: State
  readonly standing: Standing
}

const WAY = ['requested', 'queued', 'checking', 'preparing', 'copying_storage', 'pre_copy', 'stop_and_copy', 'verifying'] as const
type OnTheWay = (typeof WAY)[number]

/** What a kind of move never meets: most copy no disks, and a definition alone has no memory. */
function leavesOut(migration: Migration): readonly OnTheWay[] {
  if (migration.kind === 'cold') return ['copying_storage', 'pre_copy', 'stop_and_copy']
  return migration.copied_bytes > 0 ? [] : ['copying_storage']
}

const ENDS = ['done', 'failed', 'cancelled'] as const

/**
 * How many stages are proven to be behind a move that left the way.
 *
 * The record says when it was asked, when the hypervisor was called and which passes ran; nothing more is claimed.
 */
function proven(migration: Migration, way: readonly OnTheWay[]): number {
  if (stateOf(migration) === 'done') return way.length
  if (migration.passes.length > 0) return way.indexOf('pre_copy') + 1
  return migration.started_at === null ? 1 : way.indexOf('preparing') + 1
}

export function stagesOf(migration: Migration): readonly Stage[] {
  const state = stateOf(migration)
  const absent = leavesOut(migration)
  const all = WAY.filter((stage) => stage === state || !absent.includes(stage))
  const here = (all as readonly State[]).indexOf(state)
  const behind = here >= 0 ? here : proven(migration, all)
  const way = all.map((stage, index): Stage => {
    const standing = index === here ? 'now' : index < behind ? 'behind' : 'ahead'
    return { state: stage, standing }
  })
  const end: State = here >= 0 ? 'done' : state
  const isEnd = (ENDS as readonly State[]).includes(state)
  return [...way, { state: end, standing: here >= 0 ? 'ahead' : isEnd ? 'ended' : 'now' }]
}
