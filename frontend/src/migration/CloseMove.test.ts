import { cleanup, fireEvent, render, screen } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { aMigration } from '../store/world.fixture'
import CloseMove from './CloseMove.svelte'

const close = vi.hoisted(() => vi.fn(() => Promise.resolve({})))
vi.mock('../api/calls', () => ({ closeMove: close }))

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true
  }
})
afterEach(() => {
  cleanup()
  close.mockClear()
})

describe('closing a move as unknown', () => {
  it('is offered only where the server says so', () => {
    render(CloseMove, { migration: aMigration('MOVE0001', { state: 'uncertain' }) })
    expect(screen.queryByTestId('close-move')).toBeNull()
  })

  it('says what it means, wants a reason, and sends it', async () => {
    render(CloseMove, { migration: aMigration('MOVE0001', { state: 'uncertain', closable: true }) })
    await fireEvent.click(screen.getByTestId('close-move'))
    expect(screen.getByRole('dialog').textContent).toContain('do not prove where')
    const confirm = screen.getByTestId<HTMLButtonElement>('close-confirm')
    expect(confirm.disabled).toBe(true)
    await fireEvent.input(screen.getByTestId('close-reason'), { target: { value: 'The host burnt.' } })
    expect(confirm.disabled).toBe(false)
    await fireEvent.click(confirm)
    expect(close).toHaveBeenCalledWith('MOVE0001', 'The host burnt.')
  })
})
