/** What every room says about a migration in the same words. */
import type { Migration } from '../api/types'
import { speed } from '../ui/format'
import { t, told } from '../ui/words.svelte'
import { stateOf } from './stages'

export const stateWords = (state: string): string => told('state', state)

/** The stage, and while it copies the pass. */
export function stageWords(migration: Migration): string {
  const stage = stateWords(migration.state)
  const pass = migration.progress.pass_number
  return stateOf(migration) === 'pre_copy' && pass !== null ? t('move.stage_pass', { stage, pass }) : stage
}

/** Whether it gets smaller from pass to pass, said with both speeds; empty where there is nothing to say. */
export function convergenceWords(migration: Migration): string {
  const { converging, dirty_rate: change, transfer_rate: copy } = migration.progress
  if (stateOf(migration) !== 'pre_copy' || converging === null) return ''
  if (change.value === null || copy.value === null) return t(converging ? 'converging.yes' : 'converging.no')
  const speeds = { change: speed(change.value), copy: speed(copy.value) }
  return t(converging ? 'converging.yes_speeds' : 'converging.no_speeds', speeds)
}

/** How it ended, or that nobody knows yet; empty while it is under way. */
export function outcomeWords(migration: Migration): string {
  const { source_name: source, target_name: target } = migration
  switch (stateOf(migration)) {
    case 'done':
      return t('outcome.done', { target })
    case 'cancelled':
      return t('outcome.cancelled', { source })
    case 'failed':
      return migration.failure_sentence ?? t('outcome.failed')
    case 'uncertain':
      return t('outcome.uncertain')
    default:
      return ''
  }
}
