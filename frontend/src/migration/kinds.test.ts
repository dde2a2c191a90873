import { cleanup, fireEvent, render, screen } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LeftoverDisk, Migration } from '../api/types'
import { outcomeWords } from '../store/sentences'
import { aMigration } from '../store/world.fixture'
import { stillThere } from './leftovers'
import LeftoverDisks from './LeftoverDisks.svelte'
import MigrationCard from './MigrationCard.svelte'
import { stagesOf } from './rail'

const MIB = 1024 ** 2
const measured = (value: number) => ({ value, provenance: 'measured' }) as const
const stages = (...all: Parameters<typeof aMigration>) => stagesOf(aMigration(...all)).map(({ state }) => state)

const copying = {
  state: 'copying_storage',
  copied_bytes: 32 * MIB,
  passes: [],
  progress: {
    ...aMigration('X').progress,
    memory: { value: 0, provenance: 'estimated' },
    disk_total: measured(32 * MIB),
    disk_processed: measured(24 * MIB),
    disk_remaining: measured(8 * MIB),
  },
} satisfies Partial<Migration>

const aDisk = (id: number, more: Partial<LeftoverDisk> = {}): LeftoverDisk => ({
  id,
  migration: 'MOVE0001',
  vm_name: 'ledger',
  host: 2,
  host_name: 'host-b',
  path: '/srv/local/ledger.img',
  size: 32 * MIB,
  partial: false,
  since: '2026-11-23T12:00:00Z',
  asked_by: null,
  removing: false,
  removed_at: null,
  refusal: null,
  removable: true,
  ...more,
})

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true
  }
})
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

describe('a move that copies disks', () => {
  it('has a stage for them, which other moves have not', () => {
    expect(stages('MOVE0001', copying)).toContain('copying_storage')
    expect(stages('MOVE0001')).not.toContain('copying_storage')
  })

  it('shows disk and memory apart', () => {
    render(MigrationCard, { migration: aMigration('MOVE0001', copying), dismiss: vi.fn() })
    const [disk, memory] = screen.getAllByRole('progressbar')
    expect(disk?.getAttribute('aria-valuenow')).toBe('75')
    expect(disk?.getAttribute('aria-valuetext')).toBe('24 MiB of 32 MiB')
    expect(memory?.getAttribute('aria-valuenow')).toBe('0')
    expect(screen.getByText('Disk left to copy').nextElementSibling?.textContent).toContain('8 MiB')
  })
})

describe('a VM that does not run', () => {
  it('meets no stage of memory when it is halted', () => {
    expect(stages('MOVE0001', { kind: 'cold', state: 'verifying', passes: [] })).toEqual([
      'requested', 'queued', 'checking', 'preparing', 'verifying', 'done',
    ])
  })

  it('is never said to run', () => {
    const over = { state: 'done', active: false } as const
    expect(outcomeWords(aMigration('MOVE0001', { ...over, kind: 'cold' }))).toContain('still halted')
    expect(outcomeWords(aMigration('MOVE0001', { ...over, kind: 'paused' }))).toContain('still paused')
    expect(outcomeWords(aMigration('MOVE0001', { ...over, state: 'cancelled', kind: 'cold' }))).not.toContain('runs')
  })

  it('says on its card that nothing is copied but its definition', () => {
    render(MigrationCard, { migration: aMigration('MOVE0001', { kind: 'cold', passes: [] }), dismiss: vi.fn() })
    expect(screen.getByTestId('migration-card').textContent).toContain('nothing is copied but its definition')
    expect(screen.queryByText('Change rate')).toBeNull()
  })
})

describe('the disks left behind', () => {
  it('are those that were fetched, with what the feed knows newer', () => {
    const gone = aDisk(1, { removed_at: '2026-11-23T13:00:00Z' })
    const live = [aMigration('MOVE0001', { leftover_disks: [gone, aDisk(3)] })]
    expect(stillThere([aDisk(1), aDisk(2)], live).map(({ id }) => id)).toEqual([2, 3])
  })

  it('are deleted only after a question that names path, host and proof', async () => {
    const answer = new Response(JSON.stringify(aDisk(7, { removing: true })), { status: 202, headers: { 'content-type': 'application/json' } })
    const sent = vi.fn<(request: Request) => Promise<Response>>(() => Promise.resolve(answer))
    vi.stubGlobal('fetch', sent)
    render(LeftoverDisks, { disks: [aDisk(7)] })
    await fireEvent.click(screen.getByTestId('remove-leftover'))
    expect(screen.getByRole('dialog').textContent).toContain('/srv/local/ledger.img on host-b (32 MiB)')
    expect(sent).not.toHaveBeenCalled()
    await fireEvent.click(screen.getByTestId('remove-confirm'))
    expect(new URL(sent.mock.calls[0]?.[0].url ?? '').pathname).toBe('/api/v1/leftover-disks/7/remove')
  })

  it('offer nothing while one is deleted, and say why one was not', () => {
    const disks = [aDisk(1, { removing: true, removable: false }), aDisk(2, { refusal: 'wiki uses it.', removable: false })]
    render(LeftoverDisks, { disks })
    expect(screen.queryByTestId('remove-leftover')).toBeNull()
    expect(screen.getByText(/Deleting/)).toBeTruthy()
    expect(screen.getByText(/wiki uses it/)).toBeTruthy()
  })
})
