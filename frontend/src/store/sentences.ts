/** What every room says about a migration in the same words. */
import type { Forecast, ForecastError, Migration, VirtualMachine } from '../api/types'
import { clock, duration, percent, size, speed } from '../ui/format'
import { t, told } from '../ui/words.svelte'
import { stateOf } from './stages'

const DONE = { live: 'outcome.done', paused: 'outcome.done_paused', cold: 'outcome.done_cold' } as const

export const stateWords = (state: string): string => told('state', state)

/** What moves of a VM that does not run. */
export const coldWords = (migration: Migration): string =>
  t(migration.moved_disks.length > 0 ? 'cold.means_disks' : 'cold.means', { vm: migration.vm_name })

/** The stage, and while it copies the pass. */
export function stageWords(migration: Migration): string {
  const stage = stateWords(migration.state)
  const pass = migration.progress.pass_number
  const { queue_place: place, expected_start: start } = migration
  if (stateOf(migration) === 'queued' && place !== null)
    return start === null ? t('move.place', { stage, place }) : t('move.place_start', { stage, place, time: clock(start) })
  if (migration.held_up) return t('move.held_up', { target: migration.target_name })
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

/** How much of its disks is across; empty before anything is known. */
export function diskWords({ progress }: Migration): string {
  const { disk_total: whole, disk_processed: done } = progress
  if (whole.value === null || done.value === null) return t('figure.not_yet')
  return t('rail.disk', { done: size(done.value), whole: size(whole.value) })
}

/** How it moves, where that is not live; empty otherwise. */
export const kindWords = ({ kind }: Migration): string => (kind === 'live' ? '' : told('kind', kind))

/** How it ended, or that nobody knows yet; empty while it is under way. */
export function outcomeWords(migration: Migration): string {
  const { source_name: source, target_name: target } = migration
  switch (stateOf(migration)) {
    case 'done':
      return t(DONE[migration.kind], { target })
    case 'cancelled':
      return t(migration.kind === 'live' ? 'outcome.cancelled' : 'outcome.cancelled_rest', { source })
    case 'failed':
      return migration.failure_sentence ?? t('outcome.failed')
    case 'uncertain':
      // What is wrong meanwhile is known only here: nothing else alarms while a move is being checked.
      return migration.failure_sentence ?? t('outcome.uncertain')
    default:
      return ''
  }
}

export const span = ({ low_ms: low, high_ms: high }: { low_ms: number; high_ms: number }): string =>
  `${duration(low)} – ${duration(high)}`

/** How long it will take and how long the VM will stand still, always as an interval. */
export function forecastWords({ total, downtime, ending }: Forecast): string {
  if (total === null || downtime === null) return t(ending === 'may_not' ? 'forecast.may_never' : 'forecast.will_not')
  const words = t('forecast.interval', { total: span(total), pause: span(downtime) })
  return ending === 'may_not' ? `${words} ${t('forecast.may_not')}` : words
}

/** What a forecast rests on. */
export const basisWords = ({ basis }: Forecast): string => told('forecast_basis', basis)

/** How far the forecasts of finished moves were off; empty as long as there is none. */
export function errorWords({ moves, p90, hit_share: hits }: ForecastError): string {
  if (p90 === null || hits === null) return ''
  return t('forecast.error', { share: percent(p90), hits: percent(hits), moves })
}

/** How far the forecast of a finished move was off; empty where nothing can be compared. */
export function missWords({ forecast, total_ms: came }: Migration): string {
  if (forecast === null || came.value === null || came.provenance !== 'measured') return ''
  const said = forecast.total
  if (said === null) return t('forecast.came_all_the_same')
  const isHit = said.low_ms <= came.value && came.value <= said.high_ms
  const share = percent(Math.abs(said.likely_ms - came.value) / came.value)
  return t(isHit ? 'forecast.hit' : 'forecast.miss', { likely: duration(said.likely_ms), share })
}

/** How fast a VM changes its memory, when that was measured, or that it was not. */
export function changeWords({ dirty_rate: rate, dirty_rate_at: at }: VirtualMachine): string {
  if (rate.value === null || at === null) return t('vm.changes_unknown')
  // A sample that finds nothing is no proof that nothing changes.
  if (rate.value === 0) return t('vm.changes_none', { time: clock(at) })
  return t('vm.changes', { rate: speed(rate.value), time: clock(at) })
}
