/** How far a maintenance is: what the server said of it, with what the feed says of its moves. Pure. */
import type { Maintenance, MaintenanceMove, Migration, VirtualMachine } from '../api/types'
import type { Accent } from '../tokens/accents'

type Stage = MaintenanceMove['stage']

export const STAGE_ACCENT = {
  to_ask: 'quiet',
  refused: 'no',
  waiting: 'move',
  moving: 'move',
  uncertain: 'care',
  done: 'go',
  failed: 'no',
  cancelled: 'quiet',
} as const satisfies Record<Stage, Accent>

export const MAINTENANCE_ACCENT = {
  asked: 'move',
  closing: 'move',
  moving: 'move',
  ready: 'go',
  opening: 'move',
  uncertain: 'care',
  ended: 'quiet',
  failed: 'no',
} as const satisfies Record<Maintenance['state'], Accent>

const WAITS: readonly string[] = ['requested', 'queued']
const ENDS: readonly string[] = ['uncertain', 'done', 'failed', 'cancelled']
const OPEN: readonly Stage[] = ['to_ask', 'waiting', 'moving', 'uncertain']

/** One move with what the feed knows newer of it. */
export interface Step {
  readonly move: MaintenanceMove
  readonly stage: Stage
  readonly migration: Migration | null
  readonly sentence: string | null
  readonly remedy: string | null
}

function stageOf(state: string): Stage {
  if (WAITS.includes(state)) return 'waiting'
  return ENDS.includes(state) ? (state as Stage) : 'moving'
}

function stepOf(move: MaintenanceMove, migrations: ReadonlyMap<string, Migration>): Step {
  const migration = move.migration === null ? undefined : migrations.get(move.migration)
  return {
    move,
    migration: migration ?? null,
    stage: migration ? stageOf(migration.state) : move.stage,
    sentence: migration?.failure_sentence ?? move.sentence,
    remedy: migration?.failure_remedy ?? move.remedy,
  }
}

export const stepsOf = (maintenance: Maintenance, back: boolean, migrations: ReadonlyMap<string, Migration>): Step[] =>
  maintenance.moves.filter((move) => move.back === back).map((move) => stepOf(move, migrations))

export const isOpen = ({ stage }: Step): boolean => OPEN.includes(stage)

export const count = (steps: readonly Step[], ...stages: Stage[]): number =>
  steps.filter(({ stage }) => stages.includes(stage)).length

/** The VMs that still run on the host and that nobody is sending away, by name. */
export function stillHere(
  maintenance: Maintenance,
  vms: Iterable<VirtualMachine>,
  steps: readonly Step[],
): readonly VirtualMachine[] {
  const going = new Set(steps.filter(isOpen).map(({ move }) => move.vm))
  const runs = ({ state }: VirtualMachine) => state !== 'halted' && state !== 'suspended'
  return [...vms]
    .filter((vm) => vm.resident_on === maintenance.host && runs(vm) && !going.has(vm.id))
    .sort((one, two) => one.name.localeCompare(two.name, undefined, { numeric: true }))
}

/** Why a VM is still on the host: because its move did not come about, or because it was left when all began. */
export function whyHere(
  maintenance: Maintenance,
  steps: readonly Step[],
  vm: number,
): readonly { readonly sentence: string; readonly remedy: string | null }[] {
  const tried = steps.find(({ move }) => move.vm === vm)
  if (tried?.sentence) return [{ sentence: tried.sentence, remedy: tried.remedy }]
  return maintenance.stays.find((stay) => stay.vm === vm)?.findings ?? []
}
