/** The living board: one snapshot, then the feed over it, and the truth about the link. */
import { Refusal } from '../api/refusal'
import type { Board, Frame, Migration } from '../api/types'
import type { Ending, Feed, FeedListener } from '../realtime/feed'
import { apply, fromSnapshot, withMigration, type BoardState } from './board'

export type Link = 'joining' | 'live' | 'away' | 'not_allowed'

export interface LiveSources {
  fetchBoard(): Promise<Board>
  openFeed(since: () => number, listener: FeedListener): Feed
  signedOut(): void
  now(): Date
}

/** Milliseconds: of a host that answers something is told every 5 s or so, so a longer silence is no calm. */
const SILENT_AFTER_MS = 15_000
const LISTEN_EVERY_MS = 1000

const RETRY_MS = [500, 1000, 2000, 4000, 8000]

export class Live {
  board = $state.raw<BoardState | null>(null)
  link = $state<Link>('joining')
  /** When the board was last known to be true. */
  asOf = $state.raw<Date | null>(null)
  /** Why there is no first snapshot yet. */
  refusal = $state.raw<Refusal | null>(null)

  #sources: LiveSources
  #feed: Feed | null = null
  #listening: ReturnType<typeof setInterval> | undefined
  #heardAt: Date
  /** Whether the feed was open and told nothing: then only news proves that it lives. */
  #isDeaf = false
  #fetching = false
  #held: Frame[] = []
  #stopped = false
  #wait: ReturnType<typeof setTimeout> | undefined

  constructor(sources: LiveSources) {
    this.#sources = sources
    this.#heardAt = sources.now()
  }

  async start(): Promise<void> {
    await this.#refetch()
    if (this.#stopped) return
    this.#feed = this.#sources.openFeed(() => this.board?.sequence ?? 0, {
      opened: () => this.#opened(),
      frame: (frame) => this.receive(frame),
      closed: () => this.#becomeAway(),
      ended: (why) => this.#end(why),
    })
    this.#listening = setInterval(() => this.#listen(), LISTEN_EVERY_MS)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#wait)
    clearInterval(this.#listening)
    this.#feed?.close()
  }

  /** Take one frame of the feed; a gap sends for a fresh snapshot. */
  receive(frame: Frame): void {
    this.#heardAt = this.#sources.now()
    if (this.#isDeaf && frame.kind !== 'hello') {
      this.#isDeaf = false
      this.link = 'live'
    }
    if (this.#fetching || !this.board) {
      this.#held.push(frame)
      return
    }
    const { state, gap } = apply(this.board, frame)
    this.board = state
    if (gap) void this.#refetch()
  }

  /** Show at once what an answer of REST already says about a migration. */
  note(migration: Migration): void {
    if (!this.board || this.board.migrations.has(migration.id)) return
    this.board = withMigration(this.board, migration)
  }

  #opened(): void {
    this.#heardAt = this.#sources.now()
    if (!this.#isDeaf) this.link = 'live'
  }

  /** Look whether silence still means that nothing happens; a half-open connection never says that it is gone. */
  #listen(): void {
    const now = this.#sources.now()
    const isExpected = [...(this.board?.hosts.values() ?? [])].some((host) => host.state === 'connected')
    // A link that closed is being opened anew already.
    const isOpen = this.link === 'live' || this.#isDeaf
    if (this.link === 'not_allowed' || !isOpen || !isExpected || now.getTime() - this.#heardAt.getTime() < SILENT_AFTER_MS) return
    if (!this.#isDeaf) this.asOf = this.#heardAt
    this.#isDeaf = true
    this.#heardAt = now
    this.link = 'away'
    this.#feed?.reconnect()
  }

  #becomeAway(): void {
    if (this.link === 'live') this.asOf = this.#sources.now()
    if (this.link !== 'not_allowed') this.link = 'away'
  }

  #end(why: Ending): void {
    if (why === 'signed_out') this.#sources.signedOut()
    else this.link = 'not_allowed'
  }

  async #refetch(): Promise<void> {
    if (this.#fetching) return
    this.#fetching = true
    const board = await this.#insist()
    this.#fetching = false
    if (!board) return
    this.board = fromSnapshot(board)
    this.asOf = this.#sources.now()
    const held = this.#held
    this.#held = []
    // What asked for this snapshot is answered by it: only frames of the feed go on top.
    for (const frame of held) if (frame.kind === 'event') this.receive(frame)
  }

  /** Fetch until there is an answer; null when signed out or stopped. */
  async #insist(): Promise<Board | null> {
    for (let attempt = 0; !this.#stopped; attempt += 1) {
      try {
        const board = await this.#sources.fetchBoard()
        this.refusal = null
        return board
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        if (error.isSignedOut) {
          this.#sources.signedOut()
          return null
        }
        this.refusal = error
        const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]
        await new Promise((resolve) => (this.#wait = setTimeout(resolve, wait)))
      }
    }
    return null
  }
}
