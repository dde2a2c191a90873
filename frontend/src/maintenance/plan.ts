/** A plan as its page shows it, and what is sent when it is begun. Pure. */
import type { PlanChoice } from '../api/calls'
import type { Finding, MaintenancePlan, PlanTarget } from '../api/types'

/** One VM of the plan, wherever it goes. */
export interface PlanRow {
  readonly vm: number
  readonly name: string
  readonly state: string
  readonly memory: number
  /** Where it goes; null where it stays. */
  readonly target: number | null
  readonly targetName: string
  /** Why it goes there, or stays. */
  readonly findings: readonly Finding[]
  readonly targets: readonly PlanTarget[]
}

export interface PlanRows {
  readonly goes: readonly PlanRow[]
  readonly cannot: readonly PlanRow[]
  readonly left: readonly PlanRow[]
}

type Planned = Pick<MaintenancePlan, 'moves' | 'stays'>

export function rowsOf(plan: Planned): PlanRows {
  const stays = plan.stays.map((each) => ({
    row: { ...named(each), target: null, targetName: '', findings: each.findings },
    left: each.left,
  }))
  return {
    goes: plan.moves.map((each) => ({
      ...named(each),
      target: each.target,
      targetName: each.target_name,
      findings: [each.why, ...each.warnings],
    })),
    cannot: stays.filter(({ left }) => !left).map(({ row }) => row),
    left: stays.filter(({ left }) => left).map(({ row }) => row),
  }
}

const named = (each: { vm: number; vm_name: string; vm_state: string; memory: number; targets: PlanTarget[] }) => ({
  vm: each.vm,
  name: each.vm_name,
  state: each.vm_state,
  memory: each.memory,
  targets: each.targets,
})

/** The moves of a plan, as they are asked for: in its order. */
export const movesOf = (plan: Planned): { vm: number; target: number }[] =>
  plan.moves.map(({ vm, target }) => ({ vm, target }))

/** A person's choices with one more; the newest for a VM counts. */
export const choosing = (choices: readonly PlanChoice[], vm: number, target: number | null): PlanChoice[] => [
  ...choices.filter((choice) => choice.vm !== vm),
  { vm, target },
]

/** The hosts that a VM may be sent to, and the one where it is sent, whatever is said of that. */
export const offered = ({ targets, target }: PlanRow): readonly PlanTarget[] =>
  targets.filter((each) => each.answer !== 'cannot_go' || each.host === target)

const RUNS: readonly string[] = ['running', 'paused', 'crashed', 'unknown']

/** How many VMs stay that run: as long as they do, the host is not empty. */
export const runningThatStay = ({ cannot, left }: PlanRows): number =>
  [...cannot, ...left].filter(({ state }) => RUNS.includes(state)).length
