/** A list that comes in cursor pages, with what went wrong, for any endpoint. */
import { Refusal } from '../api/refusal'

interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

type Fetch<T> = (cursor: string | null) => Promise<Page<T>>

export class Pages<T> {
  items = $state.raw<readonly T[]>([])
  next = $state<string | null>(null)
  refusal = $state.raw<Refusal | null>(null)
  fetching = $state(false)
  /** Whether the first page has been answered. */
  answered = $state(false)

  #fetch: Fetch<T> | null = null
  #asked = 0

  /** Begin anew with another question; an answer to an older one is dropped. */
  async ask(fetch: Fetch<T>): Promise<void> {
    this.#fetch = fetch
    await this.#take(null)
  }

  async more(): Promise<void> {
    if (this.next !== null && !this.fetching) await this.#take(this.next)
  }

  async #take(cursor: string | null): Promise<void> {
    const fetch = this.#fetch
    if (!fetch) return
    const asked = (this.#asked += 1)
    this.fetching = true
    try {
      const page = await fetch(cursor)
      if (asked !== this.#asked) return
      this.items = cursor === null ? page.items : [...this.items, ...page.items]
      this.next = page.next
      this.refusal = null
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (asked === this.#asked) this.refusal = error
    } finally {
      if (asked === this.#asked) {
        this.fetching = false
        this.answered = true
      }
    }
  }
}
