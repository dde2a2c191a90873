/** What is looked for in the history, between the form and the wire. Pure. */
import type { AuditQuery } from '../api/types'

/** As the form holds it; `since` and `until` are local days, YYYY-MM-DD. */
export interface Looking {
  readonly q: string
  readonly actor: string
  readonly action: string
  readonly outcome: string
  readonly subject: string
  readonly since: string
  readonly until: string
}

export const ANYTHING: Looking = { q: '', actor: '', action: '', outcome: '', subject: '', since: '', until: '' }

export const ACTIONS = [
  'migration_request',
  'migration_start',
  'migration_outcome',
  'migration_cancel',
  'migration_choice',
  'migration_close',
  'migration_repair',
  'vm_outside_change',
  'leftover_disk_remove',
  'volume_release',
  'guard_change',
  'guard_roll_back',
  'guard_remove',
  'sign_in',
  'sign_out',
  'host_add',
  'host_remove',
  'maintenance_begin',
  'maintenance_moves',
  'maintenance_end',
  'maintenance_return',
  'maintenance_outcome',
  'host_close',
  'host_empty',
  'storage_vouch',
  'user_add',
  'user_disable',
  'user_enable',
  'password_set',
  'team_add',
  'team_give',
  'role_give',
  'role_take',
  'token_issue',
  'token_revoke',
  'pool_add',
  'probe_set',
  'probe_unset',
  'probe_mend',
] as const

export const OUTCOMES = ['allowed', 'refused', 'done', 'failed', 'cancelled', 'uncertain', 'observed'] as const

/** A local day's first or last moment; undefined for a day that cannot be read. */
function edgeOf(day: string, time: string): string | undefined {
  const moment = new Date(`${day}T${time}`)
  return Number.isNaN(moment.getTime()) ? undefined : moment.toISOString()
}

/** Only what is filled in travels. */
export function auditQuery(looking: Looking, cursor: string | null): AuditQuery {
  const edges = { since: edgeOf(looking.since, '00:00:00.000'), until: edgeOf(looking.until, '23:59:59.999') }
  const texts = { q: looking.q, actor: looking.actor, action: looking.action, outcome: looking.outcome, subject: looking.subject }
  const filled = Object.entries({ ...texts, ...edges, cursor }).filter(([, value]) => value)
  return Object.fromEntries(filled) as AuditQuery
}

export const isAnything = (looking: Looking): boolean => Object.values(looking).every((value) => value === '')
