import { cleanup, fireEvent, render, screen } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Guard as Shape } from '../api/types'
import { aMigration } from '../store/world.fixture'
import { aGuard } from './guard.fixture'
import Guard from './Guard.svelte'
import { guardShare, guardWords, isAtWork } from './guards'

const rollBack = vi.hoisted(() => vi.fn(() => Promise.resolve({})))
const remove = vi.hoisted(() => vi.fn(() => Promise.resolve({})))
vi.mock('../api/calls', () => ({ rollBackGuard: rollBack, removeGuard: remove }))

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true
  }
})
afterEach(() => {
  cleanup()
  rollBack.mockClear()
  remove.mockClear()
})

const show = (more: Partial<Shape>) => render(Guard, { migration: aMigration('MOVE0001', { state: 'done' }), guard: aGuard(more) })

describe('the guard of a move', () => {
  it('tells how far its copying is, in bytes as well', () => {
    show({ state: 'copying', done: 32 * 1024 ** 2, total: 64 * 1024 ** 2 })
    expect(screen.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('50')
    expect(screen.getByTestId('guard').textContent).toContain('of 64')
  })

  it('claims no share where nothing is copied', () => {
    expect(guardShare(aGuard({ state: 'kept', done: 1, total: 2 }))).toBeNull()
    expect(guardShare(aGuard({ state: 'copying', done: 0, total: 0 }))).toBeNull()
    expect(guardShare(aGuard({ state: 'rolling_back', done: 1, total: 4 }))).toBe(0.25)
  })

  it('tells in one line what people wait for', () => {
    const copying = aGuard({ state: 'copying', done: 32 * 1024 ** 2, total: 64 * 1024 ** 2 })
    expect(guardWords(copying)).toBe('Guard: Copying off, 32 MiB of 64 MiB')
    expect(guardWords(aGuard({ state: 'taking' }))).toBe('Guard: Taking the snapshots')
    expect([copying, aGuard({ state: 'kept' })].map(isAtWork)).toEqual([true, false])
  })

  it('says what a roll-back does to memory, by what was kept', async () => {
    show({ can_roll_back: true, with_memory: true })
    await fireEvent.click(screen.getByTestId('guard-roll-back'))
    expect(screen.getByRole('dialog').textContent).toContain('with the memory of that moment')
    cleanup()
    show({ can_roll_back: true })
    await fireEvent.click(screen.getByTestId('guard-roll-back'))
    expect(screen.getByRole('dialog').textContent).toContain('stays halted')
  })

  it('offers the way back only where the server says so', () => {
    show({ can_roll_back: false, removable: false })
    expect(screen.queryByTestId('guard-roll-back')).toBeNull()
    expect(screen.queryByTestId('guard-remove')).toBeNull()
  })

  it('says what is lost, wants a reason, and sends it', async () => {
    show({ can_roll_back: true })
    await fireEvent.click(screen.getByTestId('guard-roll-back'))
    expect(screen.getByRole('dialog').textContent).toContain('is lost')
    const confirm = screen.getByTestId<HTMLButtonElement>('guard-confirm')
    expect(confirm.disabled).toBe(true)
    await fireEvent.input(screen.getByTestId('guard-reason'), { target: { value: 'The upgrade broke it.' } })
    await fireEvent.click(confirm)
    expect(rollBack).toHaveBeenCalledWith('MOVE0001', 'The upgrade broke it.')
  })

  it('removes without a reason', async () => {
    show({ removable: true })
    await fireEvent.click(screen.getByTestId('guard-remove'))
    await fireEvent.click(screen.getByTestId('guard-confirm'))
    expect(remove).toHaveBeenCalledWith('MOVE0001')
  })

  it('says why it is flagged', () => {
    show({ state: 'flagged', sentence: 'lvremove failed.' })
    expect(screen.getByTestId('guard').textContent).toContain('lvremove failed.')
  })
})
