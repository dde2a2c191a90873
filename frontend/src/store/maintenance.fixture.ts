import type { Maintenance, MaintenanceMove } from '../api/types'

const NOON = '2026-11-23T12:00:00Z'

export const aMaintenanceMove = (id: number, more: Partial<MaintenanceMove> = {}): MaintenanceMove => ({
  id,
  vm: id,
  vm_name: `vm-${id}`,
  source: 1,
  source_name: 'host-a',
  target: 2,
  target_name: 'host-b',
  back: false,
  why: 'host-b is the only host that can take it.',
  stage: 'waiting',
  migration: null,
  code: null,
  sentence: null,
  remedy: null,
  ...more,
})

export const aMaintenance = (id: string, more: Partial<Maintenance> = {}): Maintenance => ({
  id,
  host: 1,
  host_name: 'host-a',
  state: 'moving',
  active: true,
  reason: 'A new disk.',
  requested_by: 'ada',
  requested_at: NOON,
  held_by: 'hypervisor',
  was_disabled: false,
  closed_at: NOON,
  ready_at: null,
  ended_by: null,
  ended_at: null,
  moves: [],
  stays: [],
  code: null,
  sentence: null,
  remedy: null,
  own_words: null,
  endable: true,
  ...more,
})
