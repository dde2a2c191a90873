import { cleanup, fireEvent, render, screen } from '@testing-library/svelte'
import { afterEach, describe, expect, it, vi } from 'vitest'
import Command from './Command.svelte'

const COMMAND = 'virsh migrate --live shop-db qemu+ssh://host-b/system'
const withClipboard = (clipboard: unknown) => vi.stubGlobal('navigator', { clipboard })

async function copy() {
  render(Command, { command: COMMAND })
  await fireEvent.click(screen.getByRole('button', { name: 'Copy' }))
}

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

describe('the same by hand', () => {
  it('is copied with one click', async () => {
    const writeText = vi.fn(() => Promise.resolve())
    withClipboard({ writeText })
    await copy()
    expect(writeText).toHaveBeenCalledWith(COMMAND)
    expect(await screen.findByRole('button', { name: 'Copied' })).toBeTruthy()
  })

  it.each([
    ['has none for pages without TLS', undefined],
    ['refuses it', { writeText: () => Promise.reject(new Error('denied')) }],
  ])('is marked, with the key that copies it, where the browser %s', async (_why, clipboard) => {
    withClipboard(clipboard)
    await copy()
    expect(await screen.findByRole('button', { name: 'Selected: press Ctrl+C or ⌘C' })).toBeTruthy()
    expect(String(getSelection())).toBe(COMMAND)
  })
})
