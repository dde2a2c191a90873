import { describe, expect, it } from 'vitest'
import { basisWords, changeWords, errorWords, forecastWords } from './sentences'
import { aForecast, aVm, MIB } from './world.fixture'

describe('what is said of a forecast', () => {
  it('is an interval for the time and the pause, called estimated', () => {
    expect(forecastWords(aForecast())).toBe('Takes 4 s – 8 s, with a pause of 100 ms – 400 ms (estimated).')
  })

  it('says that the move may not end, or will not', () => {
    expect(forecastWords(aForecast({ ending: 'may_not' }))).toContain('It may not end by itself.')
    expect(forecastWords(aForecast({ ending: 'will_not', total: null, downtime: null }))).toContain('Will not end by itself')
    expect(forecastWords(aForecast({ ending: 'may_not', total: null, downtime: null }))).toContain('May never end by itself')
  })

  it.each(['past_moves', 'measured', 'passes', 'assumed'] as const)('says what it rests on: %s', (basis) => {
    expect(basisWords(aForecast({ basis }))).toMatch(/\.$/)
  })

  it('comes with how far all earlier ones were off, the bad ones too', () => {
    expect(errorWords({ moves: 60, median: 0.02, p90: 0.084, hit_share: 0.95 })).toMatch(/60 .* 8 % .* 95 %/)
    expect(errorWords({ moves: 0, median: null, p90: null, hit_share: null })).toBe('')
  })
})

describe('what is said of the change rate of a VM', () => {
  it('is a least value with its moment', () => {
    const vm = aVm(1, 'db', { dirty_rate: { value: 4 * MIB, provenance: 'measured' }, dirty_rate_at: '2026-11-23T12:00:00Z' })
    expect(changeWords(vm)).toMatch(/^Changes at least 4 MiB\/s of its memory \(measured at \d\d:00:00\)\.$/)
  })

  it('claims no rate where the sample found nothing', () => {
    const vm = aVm(1, 'db', { dirty_rate: { value: 0, provenance: 'measured' }, dirty_rate_at: '2026-11-23T12:00:00Z' })
    expect(changeWords(vm)).toMatch(/^In a sample of its memory nothing changed \(measured at/)
  })

  it('is not available where nothing was measured', () => {
    expect(changeWords(aVm(1, 'db'))).toContain('not available')
  })
})
