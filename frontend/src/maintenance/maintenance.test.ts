import { fireEvent, render, screen, waitFor, within } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Finding, MaintenancePlan, PlannedMove, PlanTarget, Staying } from '../api/types'
import { fromSnapshot } from '../store/board'
import { aMaintenance, aMaintenanceMove } from '../store/maintenance.fixture'
import { aBoard, aHost, aMigration, aVm } from '../store/world.fixture'
import { count, isOpen, stepsOf, stillHere } from './course'
import CourseView from './CourseView.svelte'
import { choosing, movesOf, rowsOf, runningThatStay } from './plan'
import PlanView from './PlanView.svelte'

const GIB = 1024 ** 3
const finding = (code: string, sentence: string, severity: Finding['severity'] = 'note', remedy = ''): Finding => ({
  code,
  severity,
  sentence,
  remedy,
  facts: {},
  overridable: false,
})
const target = (host: number, answer: PlanTarget['answer']): PlanTarget => ({ host, host_name: `host-${'abc'.charAt(host - 1)}`, answer, findings: [] })
const goes = (vm: number, host: number, more: Partial<PlannedMove> = {}): PlannedMove => ({
  vm,
  vm_name: `vm-${vm}`,
  vm_state: 'running',
  memory: GIB,
  target: host,
  target_name: `host-${'abc'.charAt(host - 1)}`,
  why: finding('most_memory_left', 'It has the largest share of its memory left.'),
  warnings: [],
  targets: [target(2, 'can_go'), target(3, 'can_go_but')],
  ...more,
})
const stays = (vm: number, more: Partial<Staying> = {}): Staying => ({
  vm,
  vm_name: `vm-${vm}`,
  vm_state: 'running',
  memory: GIB,
  left: false,
  findings: [finding('operation_blocked', 'Somebody forbade that vm-3 is moved.', 'blocker', 'Ask whoever did.')],
  targets: [target(2, 'cannot_go'), target(3, 'cannot_go')],
  ...more,
})
const aPlan = (more: Partial<MaintenancePlan> = {}): MaintenancePlan => ({
  host: 1,
  host_name: 'host-a',
  held_by: 'hypervisor',
  disabled: false,
  arriving: [],
  moves: [goes(1, 2), goes(2, 3)],
  stays: [stays(3), stays(4, { left: true, vm_state: 'halted', findings: [finding('halted_stays', 'vm-4 is halted.')] })],
  hosts: [{ host: 2, host_name: 'host-b', memory_total: 8 * GIB, memory_free: 6 * GIB, memory_free_after: 5 * GIB, coming: 1 }],
  ...more,
})

const requests: Request[] = []
let answer: (request: Request) => unknown = () => aPlan()

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true
  }
  requests.length = 0
  answer = () => aPlan()
  vi.stubGlobal('fetch', (request: Request) => {
    requests.push(request.clone())
    return Promise.resolve(new Response(JSON.stringify(answer(request)), { headers: { 'content-type': 'application/json' } }))
  })
})
afterEach(() => vi.unstubAllGlobals())

const body = (index: number): Promise<unknown> => requests[index]?.json() ?? Promise.resolve(null)
const row = (name: string): HTMLElement => {
  const found = screen.getAllByTestId('plan-row').find((element) => element.dataset.vmName === name)
  if (!found) throw new Error(`no row of ${name}`)
  return found
}

describe('a plan', () => {
  it('has three fates, and says what stays running', () => {
    const rows = rowsOf(aPlan())
    expect([rows.goes, rows.cannot, rows.left].map((some) => some.map(({ name }) => name))).toEqual([['vm-1', 'vm-2'], ['vm-3'], ['vm-4']])
    expect(runningThatStay(rows)).toBe(1)
    expect(movesOf(aPlan())).toEqual([{ vm: 1, target: 2 }, { vm: 2, target: 3 }])
  })

  it('takes the newest choice for a VM', () => {
    expect(choosing([{ vm: 1, target: 2 }, { vm: 2, target: 3 }], 1, null)).toEqual([{ vm: 2, target: 3 }, { vm: 1, target: null }])
  })
})

describe('the page of a plan', () => {
  const show = () => {
    const begun = vi.fn()
    render(PlanView, { host: aHost(1, 'host-a'), begun })
    return begun
  }

  it('shows why each VM goes or cannot, before anything is asked for', async () => {
    show()
    await screen.findByTestId('plan-cannot')
    expect(within(screen.getByTestId('plan-cannot')).getByText(/Somebody forbade/).textContent).toContain('Ask whoever did.')
    expect(within(row('vm-3')).queryByTestId('plan-target')).toBeNull()
    expect(row('vm-1').textContent).toContain('the largest share of its memory left')
    expect(screen.getByTestId('plan-host').textContent).toContain('2 → 3 of 8 GiB')
    expect(screen.getByText(/the host will not be empty/)).toBeTruthy()
    expect(requests.map(({ url }) => new URL(url).pathname)).toEqual(['/api/v1/hosts/1/maintenance-plan'])
  })

  it('plans anew with what a person chooses', async () => {
    show()
    await screen.findByTestId('plan-goes')
    await fireEvent.change(within(row('vm-1')).getByTestId('plan-target'), { target: { value: '3' } })
    await waitFor(() => expect(requests).toHaveLength(2))
    expect(await body(1)).toEqual({ choices: [{ vm: 1, target: 3 }] })
    await waitFor(() => expect(screen.getByTestId('plan-page').getAttribute('aria-busy')).toBe('false'))
    await fireEvent.change(within(row('vm-2')).getByTestId('plan-target'), { target: { value: '' } })
    await waitFor(() => expect(requests).toHaveLength(3))
    expect(await body(2)).toEqual({ choices: [{ vm: 1, target: 3 }, { vm: 2, target: null }] })
  })

  it('begins with the moves that are shown, in their order', async () => {
    const begun = show()
    await screen.findByTestId('plan-goes')
    answer = () => aMaintenance('CARE0001')
    await fireEvent.input(screen.getByTestId('plan-reason'), { target: { value: 'A new disk.' } })
    await fireEvent.click(screen.getByTestId('plan-begin'))
    await waitFor(() => expect(begun).toHaveBeenCalledOnce())
    expect(await body(1)).toEqual({ moves: [{ vm: 1, target: 2 }, { vm: 2, target: 3 }], reason: 'A new disk.' })
  })
})

describe('the course of a maintenance', () => {
  const moves = [
    aMaintenanceMove(1, { stage: 'done', migration: 'MOVE0001' }),
    aMaintenanceMove(2, { stage: 'waiting', migration: 'MOVE0002' }),
    aMaintenanceMove(3, { stage: 'refused', code: 'not_placeable', sentence: 'host-b is full.', remedy: 'Choose another.' }),
  ]

  it('takes from the feed what is newer of its moves', () => {
    const steps = stepsOf(aMaintenance('CARE0001', { moves }), false, new Map([['MOVE0002', aMigration('MOVE0002')]]))
    expect(steps.map(({ stage }) => stage)).toEqual(['done', 'moving', 'refused'])
    expect([count(steps, 'done'), steps.filter(isOpen).length]).toEqual([1, 1])
  })

  it('knows which VMs still run on the host and are not on their way', () => {
    const vms = [aVm(2, 'vm-2'), aVm(5, 'vm-5'), aVm(6, 'vm-6', { state: 'halted' }), aVm(7, 'vm-7', { resident_on: 2 })]
    const maintenance = aMaintenance('CARE0001', { moves })
    expect(stillHere(maintenance, vms, stepsOf(maintenance, false, new Map())).map(({ name }) => name)).toEqual(['vm-5'])
  })

  it('says how many have gone, and why one did not', () => {
    render(CourseView, { maintenance: aMaintenance('CARE0001', { moves }), board: fromSnapshot(aBoard()) })
    expect(screen.getByTestId('maintenance-progress').textContent).toContain('1 of 3 moved, 1 not')
    expect(screen.getByText(/host-b is full/).textContent).toContain('Choose another.')
  })

  it('says that the host is empty with the moment at which it was asked itself', () => {
    const ready = aMaintenance('CARE0001', { state: 'ready', ready_at: '2026-11-23T12:03:00Z' })
    render(CourseView, { maintenance: ready, board: fromSnapshot(aBoard({ vms: [] })) })
    expect(screen.getByRole('status').textContent).toContain('host-a is empty')
    expect(screen.getByTestId('maintenance-end').textContent).toBe('End the maintenance')
  })

  it('warns when another hand has opened the host', () => {
    const board = fromSnapshot(aBoard({ hosts: [aHost(1, 'host-a', { takes_vms: true })] }))
    render(CourseView, { maintenance: aMaintenance('CARE0001'), board })
    expect(screen.getByText(/was enabled in its pool by another hand/)).toBeTruthy()
  })

  it('asks before it is undone, and tells what that gives up', async () => {
    answer = () => aMaintenance('CARE0001', { state: 'opening' })
    render(CourseView, { maintenance: aMaintenance('CARE0001', { moves }), board: fromSnapshot(aBoard()) })
    await fireEvent.click(screen.getByTestId('maintenance-end'))
    const dialog = screen.getByTestId('maintenance-end-dialog')
    expect(dialog.textContent).toContain('1 move that has not ended is given up')
    await fireEvent.click(within(dialog).getByTestId('maintenance-end-confirm'))
    await waitFor(() => expect(screen.queryByTestId('maintenance-end-dialog')).toBeNull())
    expect(requests.map(({ url }) => new URL(url).pathname)).toEqual(['/api/v1/maintenances/CARE0001/end'])
  })

  it('offers the way home once it has ended, one VM at a time', async () => {
    answer = ({ method }) =>
      method === 'GET'
        ? { host: 1, host_name: 'host-a', moves: [goes(1, 1), goes(2, 1)], stays: [] }
        : aMaintenance('CARE0001', { state: 'ended', active: false })
    const ended = aMaintenance('CARE0001', { state: 'ended', active: false, endable: false, moves })
    render(CourseView, { maintenance: ended, board: fromSnapshot(aBoard()) })
    const panel = await screen.findByTestId('bring-back')
    await fireEvent.click(within(panel).getByLabelText('vm-2'))
    await fireEvent.click(within(panel).getByTestId('bring-back-submit'))
    await waitFor(() => expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1))
    expect(await requests.find(({ method }) => method === 'POST')?.json()).toEqual({ vms: [1] })
  })
})
