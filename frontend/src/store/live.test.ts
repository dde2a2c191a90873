import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Refusal } from '../api/refusal'
import type { Board, Frame } from '../api/types'
import type { FeedListener } from '../realtime/feed'
import { Live } from './live.svelte'
import { aBoard, aHost, aVm } from './world.fixture'

const renamed = (sequence: number, previous: number, name: string): Frame => ({
  kind: 'event',
  sequence,
  previous,
  event: { type: 'vm_changed', vm: aVm(1, name) },
})

function stage(boards: (() => Promise<Board>)[]) {
  const fetchBoard = vi.fn(() => (boards.length > 1 ? boards.shift() : boards[0])?.() ?? Promise.reject(new Refusal(null)))
  const signedOut = vi.fn()
  const feed: { listener?: FeedListener; since?: () => number; closed: boolean } = { closed: false }
  const reconnect = vi.fn()
  const live = new Live({
    fetchBoard,
    signedOut,
    now: () => new Date(),
    openFeed: (since, listener) => {
      Object.assign(feed, { since, listener })
      return { reconnect, close: () => (feed.closed = true) }
    },
  })
  return { live, fetchBoard, signedOut, feed, reconnect }
}

const answers = (board: Board) => () => Promise.resolve(board)
const nameOfFirst = (live: Live) => live.board?.vms.get(1)?.name

describe('the living board', () => {
  beforeEach(() => void vi.useFakeTimers({ now: new Date('2026-11-23T12:04:11Z') }))
  afterEach(() => void vi.useRealTimers())

  it('asks the feed for what came after its newest frame, each time anew', async () => {
    const { live, feed } = stage([answers(aBoard())])
    await live.start()
    expect(feed.since?.()).toBe(10)
    live.receive(renamed(14, 10, 'later'))
    expect(feed.since?.()).toBe(14)
    expect(nameOfFirst(live)).toBe('later')
  })

  it('fetches again after a gap, and lays on top what came meanwhile', async () => {
    const { live, fetchBoard } = stage([answers(aBoard()), answers(aBoard({ sequence: 20 }))])
    await live.start()
    live.receive(renamed(20, 15, 'missed'))
    live.receive(renamed(21, 20, 'newest'))
    expect(nameOfFirst(live)).toBe('shop-db')
    await vi.waitFor(() => expect(nameOfFirst(live)).toBe('newest'))
    expect(fetchBoard).toHaveBeenCalledTimes(2)
    expect(live.board?.sequence).toBe(21)
  })

  it('does not ask twice when a greeting and a resync both ask for a fresh snapshot', async () => {
    const { live, fetchBoard } = stage([answers(aBoard()), answers(aBoard({ sequence: 30 }))])
    await live.start()
    live.receive({ kind: 'hello', sequence: 30 })
    live.receive({ kind: 'resync', reason: 'too far back' })
    await vi.waitFor(() => expect(live.board?.sequence).toBe(30))
    expect(fetchBoard).toHaveBeenCalledTimes(2)
  })

  it('says since when the link is away, and that it is back', async () => {
    const { live, feed } = stage([answers(aBoard())])
    await live.start()
    feed.listener?.opened()
    expect(live.link).toBe('live')
    feed.listener?.closed()
    expect(live.link).toBe('away')
    expect(live.asOf?.toISOString()).toBe('2026-11-23T12:04:11.000Z')
    feed.listener?.opened()
    expect(live.link).toBe('live')
  })

  it('does not believe a feed that is open and says nothing while a host answers', async () => {
    const { live, feed, reconnect } = stage([answers(aBoard())])
    await live.start()
    feed.listener?.opened()
    await vi.advanceTimersByTimeAsync(10_000)
    live.receive(renamed(11, 10, 'heard'))
    await vi.advanceTimersByTimeAsync(14_000)
    expect(live.link).toBe('live')
    await vi.advanceTimersByTimeAsync(1000)
    expect(live.link).toBe('away')
    expect(live.asOf?.toISOString()).toBe('2026-11-23T12:04:21.000Z')
    expect(reconnect).toHaveBeenCalledOnce()
  })

  it('believes it again once it tells something, not when it merely opens', async () => {
    const { live, feed, reconnect } = stage([answers(aBoard())])
    await live.start()
    feed.listener?.opened()
    await vi.advanceTimersByTimeAsync(15_000)
    feed.listener?.closed()
    feed.listener?.opened()
    live.receive({ kind: 'hello', sequence: 10 })
    expect(live.link).toBe('away')
    expect(live.asOf?.toISOString()).toBe('2026-11-23T12:04:11.000Z')
    await vi.advanceTimersByTimeAsync(15_000)
    expect(reconnect).toHaveBeenCalledTimes(2)
    live.receive(renamed(11, 10, 'heard'))
    expect(live.link).toBe('live')
  })

  it('leaves a link that closed to whoever opens it anew', async () => {
    const { live, feed, reconnect } = stage([answers(aBoard())])
    await live.start()
    feed.listener?.opened()
    feed.listener?.closed()
    await vi.advanceTimersByTimeAsync(60_000)
    feed.listener?.opened()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(live.link).toBe('live')
    expect(reconnect).not.toHaveBeenCalled()
  })

  it('takes silence for calm where no host answers', async () => {
    const { live, feed, reconnect } = stage([answers(aBoard({ hosts: [aHost(1, 'host-a', { state: 'unreachable' })] }))])
    await live.start()
    feed.listener?.opened()
    await vi.advanceTimersByTimeAsync(600_000)
    expect(live.link).toBe('live')
    expect(reconnect).not.toHaveBeenCalled()
  })

  it('keeps asking for the first snapshot, and says why there is none', async () => {
    const { live } = stage([() => Promise.reject(new Refusal(null)), answers(aBoard())])
    const started = live.start()
    await vi.waitFor(() => expect(live.refusal).not.toBeNull())
    await vi.advanceTimersByTimeAsync(1000)
    await started
    expect(live.refusal).toBeNull()
    expect(live.board?.sequence).toBe(10)
  })

  it('goes to sign in when the server does not know us any more', async () => {
    const { live, feed, signedOut } = stage([answers(aBoard())])
    await live.start()
    feed.listener?.ended('signed_out')
    expect(signedOut).toHaveBeenCalledOnce()
    feed.listener?.ended('not_allowed')
    feed.listener?.closed()
    expect(live.link).toBe('not_allowed')
  })

  it('closes the feed when stopped', async () => {
    const { live, feed } = stage([answers(aBoard())])
    await live.start()
    live.stop()
    expect(feed.closed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })
})
