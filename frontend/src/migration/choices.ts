/** The choices of the desk between what people type and what the wire carries. Pure. */
import type { Choice, ChoiceOffer } from '../api/types'
import { clock, duration, speed } from '../ui/format'
import { t, told } from '../ui/words.svelte'

const MIB = 1024 * 1024

interface Field {
  readonly unit: string
  readonly min: number
  readonly max: number
}

/** The field that a choice needs; null if it takes no value. Speeds are typed in MiB/s. */
export function fieldOf({ unit, minimum, maximum }: ChoiceOffer): Field | null {
  if (unit === null || minimum === null || maximum === null) return null
  return unit === 'bytes/s'
    ? { unit: 'MiB/s', min: Math.ceil(minimum / MIB), max: Math.floor(maximum / MIB) }
    : { unit, min: minimum, max: maximum }
}

export function wireValue(offer: ChoiceOffer, typed: string | number): number | null {
  if (fieldOf(offer) === null) return null
  return Math.round(Number(typed) * (offer.unit === 'bytes/s' ? MIB : 1))
}

function valueWords({ kind, value }: Choice): string {
  if (value === null) return ''
  return `: ${kind === 'bandwidth' ? speed(value) : duration(value)}`
}

/** Who chose what when, and what came of it. */
export function choiceWords(choice: Choice): string {
  const said = { what: told('choice', choice.kind) + valueWords(choice), who: choice.asked_by, time: clock(choice.asked_at) }
  const outcome = choice.refusal ?? t(choice.applied_at === null ? 'desk.waiting' : 'desk.applied')
  return `${t('desk.chosen', said)} ${outcome}`
}
