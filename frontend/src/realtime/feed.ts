/** The board's socket: it comes back by itself, and each time asks for what it has not seen. */
import ReconnectingWebSocket from 'partysocket/ws'
import type { Frame } from '../api/types'

const SIGNED_OUT = 4401
const NOT_ALLOWED = 4403

export type Ending = 'signed_out' | 'not_allowed'

export interface FeedListener {
  opened(): void
  frame(frame: Frame): void
  closed(): void
  /** The server will not have us back; the feed has stopped trying. */
  ended(why: Ending): void
}

function address(since: number): string {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
  return `${scheme}//${location.host}/ws/board?since=${since}`
}

/** Milliseconds: a restart of the server must not bring all browsers back at the same moment. */
const SOONEST = 400
const SPREAD = 1000

export interface Feed {
  close(): void
  /** Give up a connection that may be dead without having closed, and open another. */
  reconnect(): void
}

/** Open the feed; `since` is asked anew at each connection. */
export function openFeed(since: () => number, listener: FeedListener): Feed {
  const socket = new ReconnectingWebSocket(() => address(since()), [], {
    minReconnectionDelay: SOONEST + Math.random() * SPREAD,
    maxReconnectionDelay: 5000,
    reconnectionDelayGrowFactor: 1.6,
    connectionTimeout: 6000,
  })
  socket.addEventListener('open', () => listener.opened())
  socket.addEventListener('message', ({ data }) => listener.frame(JSON.parse(String(data)) as Frame))
  socket.addEventListener('close', ({ code }) => {
    listener.closed()
    if (code !== SIGNED_OUT && code !== NOT_ALLOWED) return
    socket.close()
    listener.ended(code === SIGNED_OUT ? 'signed_out' : 'not_allowed')
  })
  return { close: () => socket.close(), reconnect: () => socket.reconnect() }
}
