import { cleanup, render, screen, waitFor } from '@testing-library/svelte'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { StorageCost } from '../api/types'
import StorageCosts from './StorageCosts.svelte'

const measured = (value: number) => ({ value, provenance: 'measured' }) as const
const unknown = { value: null, provenance: 'not_available' } as const

const aCost = (more: Partial<StorageCost> = {}): StorageCost => ({
  storage: 'nfs',
  cost: 'write',
  ratio: measured(1.34),
  low: 0.9,
  high: 2,
  middle_ms: measured(16.2),
  samples: 6,
  origin: 'lab',
  measured_on: '2026-11-27',
  ...more,
})

function show(...items: StorageCost[]): void {
  vi.stubGlobal('fetch', () =>
    Promise.resolve(new Response(JSON.stringify({ items, next: null }), { headers: { 'content-type': 'application/json' } })),
  )
  render(StorageCosts)
}
const cell = async (kind: string, cost: string) => {
  await waitFor(() => screen.getAllByTestId('cost-row'))
  const row = screen.getAllByTestId('cost-row').find((each) => each.dataset['storage'] === kind)
  return row?.querySelector(`[data-cost=${cost}]`)?.textContent.replace(/\s+/g, ' ').trim()
}

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

describe('what kinds of storage cost', () => {
  it('is a ratio to block storage that says it was measured, with its spread and its samples', async () => {
    show(aCost())
    expect(await cell('nfs', 'write')).toBe('1.3 × measured 0.9 × to 2 ×; 16 ms, 6 samples, Xen lab')
  })

  it('says where and when it was measured, each source once', async () => {
    show(aCost(), aCost({ cost: 'read' }), aCost({ cost: 'hand_over', origin: 'own_moves', measured_on: '2026-11-20' }))
    await cell('nfs', 'write')
    const said = screen.getByTestId('cost-sources').textContent
    expect(said.match(/Measured on the Xen lab, Nov 27, 2026/g)).toHaveLength(1)
    expect(said).toContain("measured on this installation's own moves, Nov 20, 2026")
  })

  it('is said to be not available where nobody measured it', async () => {
    show(aCost(), aCost({ storage: 'ocfs2', ratio: unknown, middle_ms: unknown, low: null, high: null, samples: 0, origin: null, measured_on: null }))
    expect(await cell('ocfs2', 'write')).toBe('not available')
    expect(await cell('nfs', 'read')).toBe('')
  })

  it('tells a refusal and shows no figure', async () => {
    vi.stubGlobal('fetch', () =>
      Promise.resolve(
        new Response(JSON.stringify({ title: 'No', detail: 'Not now.', remedy: '', code: 'x', status: 503 }), {
          status: 503,
          headers: { 'content-type': 'application/problem+json' },
        }),
      ),
    )
    render(StorageCosts)
    await waitFor(() => expect(screen.getByTestId('refusal')).toBeTruthy())
    expect(screen.queryByTestId('cost-row')).toBeNull()
  })
})
