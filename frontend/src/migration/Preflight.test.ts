import { cleanup, render, screen } from '@testing-library/svelte'
import { afterEach, describe, expect, it } from 'vitest'
import type { Migration } from '../api/types'
import { aMigration } from '../store/world.fixture'
import Preflight from './Preflight.svelte'

const SHORT = {
  code: 'memory_short',
  severity: 'blocker',
  sentence: 'host-b has 1 GiB free.',
  remedy: 'Free some memory.',
  facts: {},
  overridable: true,
} as const
const FOUND: Partial<Migration> = {
  started_at: '2026-11-23T12:00:02.400Z',
  preflight: { taken_at: '2026-11-23T12:00:02Z', findings: [SHORT] },
}

const text = () => document.body.textContent?.replaceAll(/\s+/g, ' ') ?? ''

afterEach(cleanup)

describe('what was checked before the call', () => {
  it('is shown with how long before the call it was asked', () => {
    render(Preflight, { migration: aMigration('MOVE0001', FOUND) })
    expect(text()).toContain('Both hosts were asked once more, 400 ms before the call.')
    expect(text()).toContain('Cannot: host-b has 1 GiB free. Free some memory.')
  })

  it('says who overrode it, and why', () => {
    const override = { codes: ['memory_short'], reason: 'Mostly unused.', by: 'ada' }
    render(Preflight, { migration: aMigration('MOVE0001', { ...FOUND, override }) })
    expect(screen.getByTestId('override-said').textContent).toContain('Overridden by ada')
    expect(screen.getByTestId('override-said').textContent).toContain('Mostly unused.')
    expect(text()).toContain('host-b has 1 GiB free. Overridden.')
  })

  it('says that no call was made where the move ended there', () => {
    render(Preflight, { migration: aMigration('MOVE0001', { ...FOUND, started_at: null, active: false, state: 'failed' }) })
    expect(text()).toContain('No call was made.')
  })

  it('invents nothing before it was made, or where it never was', () => {
    const { unmount } = render(Preflight, { migration: aMigration('MOVE0001', { state: 'queued' }) })
    expect(text()).toContain('asked once more right before the call')
    unmount()
    render(Preflight, { migration: aMigration('MOVE0001', { state: 'cancelled', active: false }) })
    expect(text()).toContain('ended before its check')
  })

  it('keeps the raw codes closed beside it, the own words of a pool among them', () => {
    const facts = { xapi_code: 'OPERATION_BLOCKED', xapi_params: ['web-1', 'it is being measured'] }
    const findings = [SHORT, { ...SHORT, code: 'operation_blocked', facts }]
    render(Preflight, { migration: aMigration('MOVE0001', { ...FOUND, preflight: { taken_at: '2026-11-23T12:00:02Z', findings } }) })
    const raw = screen.getByTestId<HTMLDetailsElement>('raw-codes')
    expect(raw.open).toBe(false)
    expect(screen.getByText('What the pool itself said')).toBeTruthy()
    expect([...raw.querySelectorAll('code')].map((each) => each.textContent)).toEqual([
      'memory_short',
      'OPERATION_BLOCKED',
      'web-1',
      'it is being measured',
      'operation_blocked',
    ])
  })
})
