/** The move of a single disk, for tests. */
import type { DiskMove } from '../api/types'
import { MIB } from './world.fixture'

export const aDiskMove = (id: string, more: Partial<DiskMove> = {}): DiskMove => ({
  id,
  vm: 1,
  vm_name: 'shop-db',
  device: 'xvda',
  capacity: 32 * MIB,
  source_storage: 'local',
  target_storage: 'shared',
  state: 'moving',
  active: true,
  share: { value: 0.42, provenance: 'measured' },
  requested_by: 'ada',
  requested_at: '2026-11-23T12:00:00Z',
  ended_at: null,
  cancel_requested: false,
  cancellable: true,
  sentence: null,
  own_words: null,
  ...more,
})
