import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openFeed } from './feed'

/** A socket that a test opens; it never closes by itself, as one whose other end is gone. */
class HalfOpen extends EventTarget {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSING = 2
  static readonly CLOSED = 3
  static made: HalfOpen[] = []
  readyState: number = HalfOpen.CONNECTING
  binaryType = 'blob'
  constructor(readonly url: string) {
    super()
    HalfOpen.made.push(this)
  }
  open(): void {
    this.readyState = HalfOpen.OPEN
    this.dispatchEvent(new Event('open'))
  }
  close(): void {
    this.readyState = HalfOpen.CLOSING
  }
}

const heard: string[] = []
let since = 10

const open = () =>
  openFeed(() => since, {
    opened: () => heard.push('opened'),
    frame: ({ kind }) => heard.push(kind),
    closed: () => heard.push('closed'),
    ended: (why) => heard.push(why),
  })

describe('the feed', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    vi.stubGlobal('WebSocket', HalfOpen)
    HalfOpen.made = []
    heard.length = 0
    since = 10
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('lets go of a socket that never says that it is closed, and asks another for what came since', async () => {
    const feed = open()
    await vi.advanceTimersByTimeAsync(2000)
    HalfOpen.made[0]?.open()
    since = 14
    feed.reconnect()
    await vi.advanceTimersByTimeAsync(2000)
    HalfOpen.made[1]?.open()
    expect(heard).toEqual(['opened', 'closed', 'opened'])
    expect(HalfOpen.made.map(({ url }) => new URL(url).searchParams.get('since'))).toEqual(['10', '14'])
    feed.close()
  })

  it('hears nothing more from the socket that it let go of', async () => {
    const feed = open()
    await vi.advanceTimersByTimeAsync(2000)
    HalfOpen.made[0]?.open()
    feed.reconnect()
    const late = JSON.stringify({ kind: 'hello', sequence: 10 })
    HalfOpen.made[0]?.dispatchEvent(new MessageEvent('message', { data: late }))
    expect(heard).toEqual(['opened', 'closed'])
    feed.close()
  })
})
