import { cleanup, render, screen } from '@testing-library/svelte'
import { afterEach, describe, expect, it } from 'vitest'
import { aForecast, aMigration } from '../store/world.fixture'
import ForecastPanel from './ForecastPanel.svelte'

const show = (...all: Parameters<typeof aMigration>) => render(ForecastPanel, { migration: aMigration(...all) })
/** The cells of a row, from its name on. */
const row = (what: string) =>
  [...screen.getByTestId('forecast-panel').querySelectorAll(`[data-what=${what}] > *`)]
    .map((cell) => cell.textContent.replace(/\s+/g, ' ').trim())
    .join(' | ')
const measured = (value: number) => ({ value, provenance: 'measured' }) as const

afterEach(cleanup)

describe('the forecast of a move', () => {
  it('stands beside how it looks now while the move runs', () => {
    show('MOVE0001', { forecast: aForecast(), forecast_now: aForecast({ total: { low_ms: 5000, likely_ms: 5200, high_ms: 5500 } }) })
    expect(row('total')).toBe('Total time | 4 s – 8 s | 5 s – 5.5 s')
    expect(row('downtime')).toBe('Pause | 100 ms – 400 ms | 100 ms – 400 ms')
    expect(screen.queryByTestId('forecast-miss')).toBeNull()
  })

  it('stands beside what was measured, and says that it held', () => {
    show('MOVE0001', { state: 'done', active: false, forecast: aForecast(), total_ms: measured(5500), downtime_ms: measured(90) })
    expect(row('total')).toBe('Total time | 4 s – 8 s | 5.5 s')
    expect(screen.getByTestId('forecast-miss').textContent).toBe('The forecast held: 5 s was thought most likely, off by 9 %.')
  })

  it('says as plainly that it missed', () => {
    show('MOVE0001', { state: 'done', active: false, forecast: aForecast(), total_ms: measured(10_000), downtime_ms: measured(90) })
    expect(screen.getByTestId('forecast-miss').textContent).toContain('The forecast missed: 5 s was thought most likely, off by 50 %.')
  })

  it('says that a move ended which was not to end', () => {
    const never = aForecast({ ending: 'will_not', total: null, downtime: null })
    show('MOVE0001', { state: 'done', active: false, forecast: never, total_ms: measured(10_000), downtime_ms: measured(90) })
    expect(row('total')).toBe('Total time | no end by itself | 10 s')
    expect(screen.getByTestId('forecast-miss').textContent).toContain('it said that the move would not, or might not, end by itself')
  })

  it('compares nothing with a total that nobody measured', () => {
    const total = { value: 5500, provenance: 'estimated' } as const
    show('MOVE0001', { state: 'done', active: false, forecast: aForecast(), total_ms: total })
    expect(screen.queryByTestId('forecast-miss')).toBeNull()
    expect(row('total')).toContain('5.5 s estimated')
    expect(row('downtime')).toContain('not available')
  })

  it('invents none before there is one', () => {
    show('MOVE0001', { state: 'queued' })
    expect(screen.queryByTestId('forecast-panel')).toBeNull()
    expect(screen.getByText(/right before the hypervisor is called/)).toBeTruthy()
  })
})
