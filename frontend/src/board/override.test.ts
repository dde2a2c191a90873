import { describe, expect, it } from 'vitest'
import type { Finding, Verdict } from '../api/types'
import { overridableOf, overrideOf } from './override'

const aFinding = (code: string, more: Partial<Finding> = {}): Finding => ({
  code,
  severity: 'blocker',
  sentence: `${code}.`,
  remedy: '',
  facts: {},
  overridable: true,
  ...more,
})
const aVerdict = (findings: Finding[], answer: Verdict['answer'] = 'cannot_go'): Verdict => ({
  host: 3,
  answer,
  findings,
  memory_free_after: 0,
  memory_total: 1,
  facts_age_ms: 0,
  forecast: null,
  needs: null,
})
const codes = (findings: readonly Finding[]) => findings.map(({ code }) => code)

describe('what may be overridden', () => {
  it('is every blocker, once per code, and never a warning', () => {
    const verdict = aVerdict([aFinding('memory_short'), aFinding('memory_short'), aFinding('coming', { severity: 'warning' })])
    expect(codes(overridableOf(verdict, true))).toEqual(['memory_short'])
  })

  it('is nothing without the right, without a blocker, or beside one that cannot be', () => {
    const short = aFinding('memory_short')
    expect(overridableOf(aVerdict([short]), false)).toEqual([])
    expect(overridableOf(aVerdict([short, aFinding('network_missing', { overridable: false })]), true)).toEqual([])
    expect(overridableOf(aVerdict([], 'can_go'), true)).toEqual([])
    expect(overridableOf(null, true)).toEqual([])
  })
})

describe('an override is said', () => {
  const two = [aFinding('memory_short'), aFinding('disk_identity_unproven')]

  it('once every finding is set aside and a reason is given', () => {
    const typed = { codes: ['disk_identity_unproven', 'memory_short'], reason: ' It is fine. ' }
    expect(overrideOf(two, typed)).toEqual({ codes: ['memory_short', 'disk_identity_unproven'], reason: 'It is fine.' })
  })

  it('and not before', () => {
    expect(overrideOf(two, { codes: ['memory_short'], reason: 'It is fine.' })).toBeNull()
    expect(overrideOf(two, { codes: ['memory_short', 'disk_identity_unproven'], reason: '  ' })).toBeNull()
    expect(overrideOf([], { codes: [], reason: 'It is fine.' })).toBeNull()
  })
})
