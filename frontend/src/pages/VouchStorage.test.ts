import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { aRepository } from '../store/world.fixture'
import VouchStorage from './VouchStorage.svelte'

const sent: Request[] = []
let answer: () => Response

const show = (more: Partial<ReturnType<typeof aRepository>> = {}) =>
  render(VouchStorage, { repository: { ...aRepository(7, 'iso'), ...more }, hosts: ['host-a', 'host-b'] })
const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true
  }
  sent.length = 0
  answer = () => json(aRepository(7, 'iso'))
  vi.stubGlobal('fetch', (request: Request) => {
    sent.push(request)
    return Promise.resolve(answer())
  })
})
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

describe("an administrator's word for storage", () => {
  it('is asked for with the hosts that it is about, and then sent', async () => {
    show()
    await fireEvent.click(screen.getByRole('button', { name: 'Vouch for iso…' }))
    expect(screen.getByTestId('vouch-dialog').textContent).toContain('host-a, host-b')
    expect(sent).toHaveLength(0)
    await fireEvent.click(screen.getByTestId('vouch-confirm'))
    await waitFor(() => expect(screen.queryByTestId('vouch-dialog')).toBeNull())
    const [request] = sent
    expect([request?.method, new URL(request?.url ?? '').pathname]).toEqual(['POST', '/api/v1/storage-repositories/7/vouch'])
  })

  it('can be taken back, even where one host is left', async () => {
    show({ vouched: true, hosts: [1] })
    await fireEvent.click(screen.getByRole('button', { name: 'Take back the word for iso…' }))
    await fireEvent.click(screen.getByTestId('vouch-confirm'))
    await waitFor(() => expect(sent[0]?.method).toBe('DELETE'))
  })

  it('is not asked for where one host alone has the storage', () => {
    show({ hosts: [1] })
    expect(screen.queryByTestId('vouch')).toBeNull()
  })

  it('is not asked for where the storage itself proves that it is shared', () => {
    show({ proven: true })
    expect(screen.queryByTestId('vouch')).toBeNull()
    cleanup()
    show({ proven: true, vouched: true })
    expect(screen.getByTestId('vouch')).toBeTruthy()
  })

  it('says why it was refused', async () => {
    const problem = { type: '', title: 'Forbidden', status: 403, detail: 'Only administrators may.', code: 'vouch_forbidden', remedy: '' }
    answer = () => json(problem, 403)
    show()
    await fireEvent.click(screen.getByTestId('vouch'))
    await fireEvent.click(screen.getByTestId('vouch-confirm'))
    expect((await screen.findByTestId('refusal')).textContent).toContain('Only administrators may.')
  })
})
