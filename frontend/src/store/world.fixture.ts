/** A small world for tests: three hosts, a few VMs, a move that is under way. */
import type { Actor, Board, Forecast, Host, Migration, StorageRepository, Verdicts, VirtualMachine } from '../api/types'

export const GIB = 1024 ** 3
export const MIB = 1024 ** 2
const NOON = '2026-11-23T12:00:00Z'

const ADA: Actor = {
  username: 'ada',
  name: 'Ada Admin',
  role: 'administrator',
  teams: [],
  may_move: true,
  may_read_history: true,
  may_manage_hosts: true,
  may_vouch_storage: true,
}

export const aHost = (id: number, name: string, more: Partial<Host> = {}): Host => ({
  id,
  uuid: `host-${id}`,
  name,
  pool: 'rack-2',
  hypervisor: 'QEMU',
  version: '7.2',
  state: 'connected',
  state_reason: '',
  cpu_count: 8,
  cpu_load: 0.25,
  memory_total: 64 * GIB,
  memory_free: 40 * GIB,
  as_of: NOON,
  simulated: false,
  storage: ['shared-1'],
  takes_vms: null,
  maintenance: null,
  ...more,
})

export const aVm = (id: number, name: string, more: Partial<VirtualMachine> = {}): VirtualMachine => ({
  id,
  uuid: `vm-${id}`,
  name,
  state: 'running',
  resident_on: 1,
  conflict: false,
  memory: 4 * GIB,
  vcpus: 2,
  cpu_load: 0.1,
  dirty_rate: { value: null, provenance: 'not_available' },
  dirty_rate_at: null,
  team: 'Shop',
  ...{ disks: [], disks_movable: false },
  migration: null,
  may_move: true,
  as_of: NOON,
  ...more,
})

export const aRepository = (id: number, name: string): StorageRepository => ({
  id,
  pool: 'rack-2',
  name,
  kind: 'dir',
  storage: 'unknown',
  shared: true,
  proven: false,
  vouched: false,
  capacity: 100 * GIB,
  available: 60 * GIB,
  hosts: [1, 2],
})

const measured = (value: number) => ({ value, provenance: 'measured' }) as const
const unknown = { value: null, provenance: 'not_available' } as const

/** A move in its second pass that does not get smaller. */
const TWO_PASSES: Migration['passes'] = [
  {
    pass_number: 1,
    started_ms: 0,
    ended_ms: 42_000,
    remaining_at_start: 4 * GIB,
    remaining_at_end: 200 * MIB,
    transfer_rate: 96 * MIB,
    dirty_rate: 54 * MIB,
    provenance: 'measured',
  },
  {
    pass_number: 2,
    started_ms: 42_000,
    ended_ms: null,
    remaining_at_start: 2 * GIB,
    remaining_at_end: null,
    transfer_rate: 96 * MIB,
    dirty_rate: 91 * MIB,
    provenance: 'measured',
  },
]

const PROGRESS: Migration['progress'] = {
  total: { value: 0.62, provenance: 'estimated' },
  memory: { value: 0.62, provenance: 'estimated' },
  pass_number: 2,
  remaining: measured(684 * MIB),
  transferred: measured(5 * GIB),
  dirty_rate: measured(91 * MIB),
  transfer_rate: measured(96 * MIB),
  expected_downtime_ms: { value: 7100, provenance: 'estimated' },
  disk_total: unknown,
  disk_processed: unknown,
  disk_remaining: unknown,
  elapsed_ms: 50_000,
  converging: false,
  throttle: unknown,
}

/** What is seen of a move where the hypervisor tells the time alone. */
export const ONLY_TIME: Partial<Migration> = {
  passes: [],
  passes_told: false,
  progress: {
    ...PROGRESS,
    total: unknown,
    memory: unknown,
    pass_number: null,
    remaining: unknown,
    transferred: unknown,
    dirty_rate: unknown,
    transfer_rate: unknown,
    expected_downtime_ms: unknown,
    converging: null,
  },
}

export const aMigration = (id: string, more: Partial<Migration> = {}): Migration => ({
  id,
  vm: 1,
  vm_name: 'shop-db',
  vm_uuid: 'vm-1',
  source: 1,
  source_name: 'host-a',
  target: 2,
  target_name: 'host-b',
  kind: 'live',
  copied_bytes: 0,
  ...{ moved_disks: [], moved_cards: [] },
  state: 'pre_copy',
  active: true,
  requested_by: 'ada',
  requested_at: NOON,
  queue_place: null,
  expected_start: null,
  waits_because: null,
  started_at: '2026-11-23T12:00:02Z',
  ended_at: null,
  options: { auto_converge: false, bandwidth_limit: null, downtime_limit_ms: null },
  progress: PROGRESS,
  passes: TWO_PASSES,
  passes_told: true,
  downtime_ms: unknown,
  memory_hand_over_ms: unknown,
  total_ms: unknown,
  failure_code: null,
  failure_sentence: null,
  failure_remedy: null,
  failure_own_words: null,
  preflight: null,
  override: null,
  cancel_requested: false,
  cancellable: true,
  closable: false,
  held_up: false,
  deadline: null,
  offers: [],
  choices: [],
  leftover_disks: [],
  held_volumes: [],
  guard: null,
  forecast: null,
  forecast_now: null,
  command: '',
  hypervisor: 'QEMU',
  as_of: NOON,
  ...more,
})

export const aForecast = (more: Partial<Forecast> = {}): Forecast => ({
  ending: 'will',
  basis: 'past_moves',
  total: { low_ms: 4000, likely_ms: 5000, high_ms: 8000 },
  downtime: { low_ms: 100, likely_ms: 150, high_ms: 400 },
  passes: 2,
  sent: 64 * MIB,
  parts: { start_ms: 300, first_pass_ms: 4000, later_passes_ms: 400, pause_ms: 150, finish_ms: 150, disks_ms: 0 },
  ...more,
})

export const aBoard = (more: Partial<Board> = {}): Board => ({
  sequence: 10,
  actor: ADA,
  simulated: false,
  hosts: [aHost(1, 'host-a'), aHost(2, 'host-b'), aHost(3, 'host-c')],
  vms: [aVm(1, 'shop-db'), aVm(2, 'web-1', { resident_on: 2 }), aVm(3, 'old-wiki', { state: 'halted', team: null })],
  storage_repositories: [aRepository(1, 'shared-1')],
  migrations: [],
  maintenances: [],
  disk_moves: [],
  ...more,
})

/** host-b can, host-c cannot and says twice why. */
export const someVerdicts = (vm: number, source: number): Verdicts => ({
  vm,
  source,
  verdicts: [
    { host: 2, answer: 'can_go', findings: [], memory_free_after: 36 * GIB, memory_total: 64 * GIB, facts_age_ms: 900, forecast: null, needs: null },
    {
      host: 3,
      answer: 'cannot_go',
      findings: [
        { code: 'storage', severity: 'blocker', sentence: 'Disk vda is local to host-a.', remedy: 'Copy it first.', facts: {}, overridable: false },
        { code: 'memory', severity: 'blocker', sentence: 'host-c has 1 GiB free.', remedy: 'Free some memory.', facts: {}, overridable: false },
      ],
      memory_free_after: null,
      memory_total: 64 * GIB,
      facts_age_ms: 900,
      ...{ forecast: null, needs: null },
    },
  ],
  options: [
    { name: 'bandwidth_limit', label: '', help: '', unit: 'bytes/s', minimum: MIB, maximum: 1000 * MIB },
    { name: 'auto_converge', label: '', help: '', unit: null, minimum: null, maximum: null },
  ],
  guard: null,
  forecast_error: { moves: 0, median: null, p90: null, hit_share: null },
  may_override: false,
})
