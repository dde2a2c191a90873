import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { DiskMove, VmDisk } from '../api/types'
import { aBoard, aVm, GIB, MIB } from '../store/world.fixture'
import { aDiskMove } from '../store/disks.fixture'
import { card, json, onStage, show } from './board.fixture'
import { diskMovesOf, diskSubline } from './diskMoves'
import MoveDisk from './MoveDisk.svelte'

onStage()

const ROOT: VmDisk = {
  device: 'xvda',
  capacity: 32 * MIB,
  storage: 'local',
  places: [
    { storage: 7, name: 'shared', free: 60 * GIB },
    { storage: 8, name: 'other', free: null },
  ],
  findings: [],
}
const DATA: VmDisk = { device: 'xvdb', capacity: null, storage: null, places: [], findings: [] }
const HALTED = { code: 'vm_not_running', severity: 'blocker', sentence: 'It is halted.', remedy: 'Start it.', facts: {}, overridable: false } as const

const sent: Request[] = []
let disks = [ROOT, DATA]

beforeEach(() => {
  sent.length = 0
  disks = [ROOT, DATA]
  vi.stubGlobal('fetch', (request: Request) => {
    sent.push(request.clone())
    if (request.method === 'GET') return Promise.resolve(json({ items: disks, next: null }))
    return Promise.resolve(json(aDiskMove('DISK0001', { state: 'asked', share: { value: null, provenance: 'not_available' } }), 202))
  })
})
afterEach(cleanup)

const open = (moves: DiskMove[] = []) => render(MoveDisk, { vm: aVm(1, 'shop-db', { disks_movable: true }), moves, close: vi.fn() })

describe('the move of a single disk', () => {
  it('is offered on the card of a VM whose disks can move, and on no other', () => {
    show(aBoard({ vms: [aVm(1, 'shop-db', { disks_movable: true }), aVm(2, 'web-1')] }))
    expect(within(card('shop-db')).getByRole('button', { name: 'Move a disk of shop-db…' })).toBeTruthy()
    expect(within(card('web-1')).queryByTestId('disk-button')).toBeNull()
  })

  it('asks where to, with what is free there, and sends what was chosen', async () => {
    open()
    const to = await screen.findByLabelText<HTMLSelectElement>('To storage')
    expect(to.value).toBe('7')
    expect(screen.getByText('xvda, 32 MiB, now on local')).toBeTruthy()
    await fireEvent.change(to, { target: { value: '8' } })
    await fireEvent.click(screen.getByTestId('disk-submit'))
    const said = await screen.findByTestId('disk-move')
    expect(said.textContent).toContain('Moving xvda from local to shared begins')
    expect(new URL(sent.at(-1)?.url ?? '').pathname).toBe('/api/v1/vms/1/disks/xvda/moves')
    expect(await sent.at(-1)?.json()).toEqual({ storage: 8 })
  })

  it('says that there is no place, or why it cannot be moved, and sends nothing', async () => {
    disks = [{ ...ROOT, findings: [HALTED] }, DATA]
    open()
    await screen.findByText('It is halted. Start it.')
    expect(screen.getByTestId<HTMLButtonElement>('disk-submit').disabled).toBe(true)
    await fireEvent.change(screen.getByLabelText('Disk'), { target: { value: 'xvdb' } })
    await screen.findByText('Its host reaches no other storage.')
    expect(screen.getByTestId<HTMLButtonElement>('disk-submit').disabled).toBe(true)
  })

  it('shows how far it is, and can be given up', async () => {
    open([aDiskMove('DISK0001')])
    expect(screen.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('42')
    await fireEvent.click(screen.getByTestId('cancel-disk-move'))
    await waitFor(() => expect(sent.at(-1)?.url).toContain('/api/v1/disk-moves/DISK0001/cancel'))
  })

  it('is told on the card while it goes on', () => {
    show(aBoard({ vms: [aVm(1, 'shop-db', { disks_movable: true, migration: 'DISK0001' })], disk_moves: [aDiskMove('DISK0001')] }))
    expect(card('shop-db').textContent).toContain('Moving xvda from local to shared, 42 %')
    expect(within(card('shop-db')).getByTestId('disk-button')).toBeTruthy()
    expect(within(card('shop-db')).queryByTestId('move-button')).toBeNull()
  })
})

describe('the words of a disk move', () => {
  it('tell each end as it is proven', () => {
    const words = (more: Partial<DiskMove>) => diskSubline(aDiskMove('D', more))
    expect(words({ state: 'done' })).toBe('Done: xvda is on shared, its own record says so')
    expect(words({ state: 'failed' })).toBe('xvda stayed on local')
    expect(words({ state: 'cancelled' })).toBe('Cancelled: xvda is still on local')
    expect(words({ state: 'uncertain' })).toContain('nobody proves yet')
    expect(words({ share: { value: null, provenance: 'not_available' } })).toBe('Moving xvda from local to shared')
  })

  it('are of one VM, the newest first', () => {
    const moves = [aDiskMove('A'), aDiskMove('B', { requested_at: '2026-11-24T00:00:00Z' }), aDiskMove('C', { vm: 2 })]
    expect(diskMovesOf(1, moves).map(({ id }) => id)).toEqual(['B', 'A'])
  })
})
