import { describe, expect, it } from 'vitest'
import type { ChoiceOffer } from '../api/types'
import { choiceWords, fieldOf, wireValue } from './choices'

const MIB = 1024 * 1024
const offer = (more: Partial<ChoiceOffer>): ChoiceOffer => ({
  kind: 'bandwidth',
  label: '',
  cost: '',
  unit: 'bytes/s',
  minimum: MIB,
  maximum: 1000 * MIB,
  ...more,
})
const choice = { kind: 'bandwidth', value: 64 * MIB, asked_by: 'ada', asked_at: '2026-11-23T12:00:00Z' }

describe('the choices of the desk', () => {
  it('takes speeds in MiB/s', () => {
    expect(fieldOf(offer({}))).toEqual({ unit: 'MiB/s', min: 1, max: 1000 })
    expect(wireValue(offer({}), '64')).toBe(64 * MIB)
  })

  it('takes a pause in milliseconds', () => {
    expect(wireValue(offer({ kind: 'downtime', unit: 'ms', minimum: 1, maximum: 60_000 }), 500)).toBe(500)
  })

  it('asks for no value where there is none', () => {
    const pause = offer({ kind: 'pause', unit: null, minimum: null, maximum: null })
    expect(fieldOf(pause)).toBeNull()
    expect(wireValue(pause, '')).toBeNull()
  })

  it('says what came of a choice', () => {
    expect(choiceWords({ ...choice, applied_at: null, refusal: null })).toContain('Waiting.')
    expect(choiceWords({ ...choice, applied_at: choice.asked_at, refusal: null })).toContain('Done.')
    expect(choiceWords({ ...choice, applied_at: null, refusal: 'Not while it runs.' })).toContain('Not while it runs.')
    expect(choiceWords({ ...choice, applied_at: null, refusal: null })).toContain('64 MiB/s')
  })
})
