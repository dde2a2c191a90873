/** The living board: one snapshot, then the feed over it, and the truth about the link. */
import { Refusal } from '../api/refusal'
import type { Board, Frame, Migration } from '../api/types'
import type { Ending, FeedListener } from '../realtime/feed'
import { apply, fromSnapshot, withMigration, type BoardState } from './board'

export type Link = 'joining' | 'live' | 'away' | 'not_allowed'

export interface LiveSources {
  fetchBoard(): Promise<Board>
  openFeed(since: () => number, listener: FeedListener): () => void
  signedOut(): void
  now(): Date
}

const RETRY_MS = [500, 1000, 2000, 4000, 8000]

export class Live {
  board = $state.raw<BoardState | null>(null)
  link = $state<Link>('joining')
  /** When the board was last known to be true. */
  asOf = $state.raw<Date | null>(null)
  /** Why there is no first snapshot yet. */
  refusal = $state.raw<Refusal | null>(null)

  #sources: LiveSources
  #closeFeed: (() => void) | null = null
  #fetching = false
  #held: Frame[] = []
  #stopped = false
  #wait: ReturnType<typeof setTimeout> | undefined

  constructor(sources: LiveSources) {
    this.#sources = sources
  }

  async start(): Promise<void> {
    await this.#refetch()
    if (this.#stopped) return
    this.#closeFeed = this.#sources.openFeed(() => this.board?.sequence ?? 0, {
      opened: () => this.#becomeLive(),
      frame: (frame) => this.receive(frame),
      closed: () => this.#becomeAway(),
      ended: (why) => this.#end(why),
    })
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#wait)
    this.#closeFeed?.()
  }

  /** Take one frame of the feed; a gap sends for a fresh snapshot. */
  receive(frame: Frame): void {
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

  #becomeLive(): void {
    this.link = 'live'
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
