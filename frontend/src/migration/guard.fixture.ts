/** A guard for tests. */
import type { Guard } from '../api/types'

export const aGuard = (more: Partial<Guard> = {}): Guard => ({
  id: 'GUARD001',
  host: 1,
  host_name: 'host-a',
  state: 'kept',
  automatic: false,
  with_memory: false,
  reason: 'It was asked for.',
  paths: ['/dev/sr1/web01'],
  done: 0,
  total: 0,
  expected_pause_ms: { value: null, provenance: 'not_available' },
  pause_ms: { value: 4200, provenance: 'measured' },
  asked_at: '2026-11-27T12:00:00Z',
  expires_at: null,
  roll_back_by: null,
  roll_back_reason: null,
  rolled_back_at: null,
  memory_back_at: null,
  sentence: null,
  can_roll_back: false,
  removable: false,
  ...more,
})
