import { cleanup, fireEvent, render, screen } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { aMigration, ONLY_TIME } from '../store/world.fixture'
import MigrationCard from './MigrationCard.svelte'

const show = (...all: Parameters<typeof aMigration>) => {
  const dismiss = vi.fn()
  render(MigrationCard, { migration: aMigration(...all), dismiss })
  return dismiss
}
const text = () => screen.getByTestId('migration-card').textContent.replace(/\s+/g, ' ')
/** What stands beside a figure's name. */
const figure = (name: string) =>
  screen.getByText(name).nextElementSibling?.textContent.replace(/\s+/g, ' ').trim()

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true
  }
})
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

describe('the card of a move', () => {
  it('says of each figure where it comes from', () => {
    show('MOVE0001')
    expect(figure('Left to copy')).toBe('684 MiB measured')
    expect(figure('Expected pause')).toBe('7.1 s estimated')
    expect(text()).toContain('Not converging: it changes 91 MiB/s, the link copies 96 MiB/s')
    expect(screen.getAllByTestId('pass-bar')).toHaveLength(2)
  })

  it('says why a move waits', () => {
    show('MOVE0001', { state: 'queued', queue_place: 2, waits_because: 'host-b copies the disks of 3 VMs.' })
    expect(screen.getByTestId('waits-because').textContent).toBe('host-b copies the disks of 3 VMs.')
  })

  it('says what is not available where the hypervisor tells the time alone', () => {
    show('MOVE0001', ONLY_TIME)
    expect(figure('Pass')).toBe('not available')
    expect(figure('Left to copy')).toBe('not available')
    expect(figure('Elapsed')).toBe('50 s')
    cleanup()
    show('MOVE0002', { ...ONLY_TIME, state: 'done', active: false })
    expect(figure('Passes')).toBe('not available')
  })

  it('says how much the hypervisor slows the VM down, and nothing where it does not', () => {
    show('MOVE0001')
    expect(text()).not.toContain('VM slowed down by')
    cleanup()
    show('MOVE0002', { progress: { ...aMigration('X').progress, throttle: { value: 30, provenance: 'measured' } } })
    expect(figure('VM slowed down by')).toBe('30 % measured')
  })

  it('invents nothing where the hypervisor says nothing', () => {
    const none = { value: null, provenance: 'not_available' } as const
    const progress = { ...aMigration('X').progress, total: none, remaining: none, converging: null }
    show('MOVE0001', { progress, passes: [] })
    expect(figure('Left to copy')).toBe('not available')
    expect(screen.getByRole('progressbar').hasAttribute('aria-valuenow')).toBe(false)
    expect(screen.queryAllByTestId('pass-bar')).toHaveLength(0)
  })

  it('says how it ended and how long the VM was paused, and can be put away', async () => {
    const dismiss = show('MOVE0001', { state: 'done', active: false, downtime_ms: { value: 34, provenance: 'measured' } })
    expect(text()).toContain('Done: it runs on host-b, both hosts say so')
    expect(figure('Pause')).toBe('34 ms measured')
    expect(screen.queryByTestId('cancel-move')).toBeNull()
    await fireEvent.click(screen.getByText('Put away'))
    expect(dismiss).toHaveBeenCalledOnce()
  })

  it('says that a move is being checked while nobody knows where the VM runs', () => {
    show('MOVE0001', { state: 'uncertain' })
    expect(text()).toContain('Being checked')
    expect(text()).not.toContain('Done')
  })

  it('alarms, with what to do, when both hosts run the VM', () => {
    const twice = {
      failure_code: 'vm_runs_twice',
      failure_sentence: 'Both hosts say that they run the VM.',
      failure_remedy: 'Stop the other copy by hand at once.',
    }
    show('MOVE0001', { state: 'uncertain', ...twice })
    expect(screen.getByTestId('outcome').dataset.accent).toBe('no')
    expect(text()).toContain('Both hosts say that they run the VM. Stop the other copy by hand at once.')
    expect(text()).not.toContain('both hosts are asked')
  })

  it('alarms no more once the doubt is over', () => {
    show('MOVE0001', { state: 'done', active: false, failure_code: 'vm_runs_twice' })
    expect(screen.getByTestId('outcome').dataset.accent).toBe('go')
  })

  it('says whom a cancelled move waits for when its target hangs', () => {
    show('MOVE0001', { state: 'cancelling', cancellable: false, held_up: true })
    expect(text()).toContain('Cancelling, waiting for host-b: it neither receives nor lets go')
  })

  it('asks before it cancels', async () => {
    const answer = new Response(JSON.stringify(aMigration('MOVE0001')), { status: 202, headers: { 'content-type': 'application/json' } })
    const sent = vi.fn<(request: Request) => Promise<Response>>(() => Promise.resolve(answer))
    vi.stubGlobal('fetch', sent)
    show('MOVE0001')
    await fireEvent.click(screen.getByTestId('cancel-move'))
    expect(sent).not.toHaveBeenCalled()
    await fireEvent.click(screen.getByTestId('cancel-confirm'))
    expect(new URL(sent.mock.calls[0]?.[0].url ?? '').pathname).toBe('/api/v1/migrations/MOVE0001/cancel')
  })

  it('offers no cancel where it makes no sense any more', () => {
    show('MOVE0001', { state: 'stop_and_copy', cancellable: false })
    expect(screen.queryByTestId('cancel-move')).toBeNull()
  })
})
