import { cleanup, render, screen } from '@testing-library/svelte'
import { afterEach, describe, expect, it } from 'vitest'
import HeldVolumes from './HeldVolumes.svelte'

const volume = (host: string, refusal: string | null) => ({
  host: host.length,
  host_name: host,
  path: '/dev/sr1/web01',
  since: '2026-11-27T12:00:00Z',
  refusal,
})

afterEach(cleanup)

describe('volumes that a move has left active', () => {
  it('are listed with their host, and with why they are still active', () => {
    render(HeldVolumes, { volumes: [volume('xen-1', 'xen-2 does not say what it has of web01.'), volume('xen-twelve', null)] })
    const [first, second] = screen.getAllByRole('listitem')
    expect(first?.textContent).toContain('/dev/sr1/web01')
    expect(first?.textContent).toContain('xen-2 does not say')
    expect(second?.textContent).toContain('on xen-twelve')
    expect(second?.textContent).toContain('not come yet')
  })
})
