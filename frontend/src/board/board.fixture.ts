/** A board on the page, with a server below it whose every answer a test decides. */
import { cleanup, render, screen } from '@testing-library/svelte'
import { afterEach, beforeEach, vi } from 'vitest'
import type { Board as Snapshot, Verdict, Verdicts } from '../api/types'
import { fromSnapshot } from '../store/board'
import { aBoard, aMigration, someVerdicts } from '../store/world.fixture'
import Board from './Board.svelte'

export const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })

export const requests: Request[] = []
export const answers: { verdicts: Verdicts; judged: Verdict | null; refuse: (() => Response) | null } = {
  verdicts: someVerdicts(1, 1),
  judged: null,
  refuse: null,
}

function server(request: Request): Response {
  requests.push(request.clone())
  if (request.method === 'GET') return json(answers.verdicts)
  if (request.url.endsWith('/verdicts')) return json(answers.judged)
  return answers.refuse?.() ?? json(aMigration('MOVE0001', { state: 'requested' }), 202)
}

export function show(snapshot: Snapshot = aBoard()) {
  const asked = vi.fn()
  render(Board, { board: fromSnapshot(snapshot), filter: { find: '', team: '', halted: true }, asked })
  return { asked }
}

export const card = (name: string): HTMLElement => {
  const found = screen.getAllByTestId('vm-card').find((element) => element.dataset.vmName === name)
  if (!found) throw new Error(`no card of ${name}`)
  return found
}
export const column = (name: string): HTMLElement => {
  const found = screen.getAllByTestId('host-column').find((element) => element.dataset.hostName === name)
  if (!found) throw new Error(`no column of ${name}`)
  return found
}
export const posts = (): Request[] => requests.filter(({ method }) => method === 'POST')

/** Begin each test of a file with an empty page and a server that agrees. */
export function onStage(): void {
  beforeEach(() => {
    // jsdom knows the element but not the verb.
    HTMLDialogElement.prototype.showModal = function () {
      this.open = true
    }
    Element.prototype.scrollIntoView = () => undefined
    // Five seconds after what the fixtures say was said.
    vi.setSystemTime(new Date('2026-11-23T12:00:05Z'))
    requests.length = 0
    answers.refuse = null
    answers.judged = null
    answers.verdicts = someVerdicts(1, 1)
    vi.stubGlobal('fetch', (request: Request) => Promise.resolve(server(request)))
  })
  afterEach(() => {
    cleanup()
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })
}
