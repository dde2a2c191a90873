/** What happens while a card is lifted: the reducer's state, and the verdicts asked for once per lift. */
import { fetchVerdicts, judgeMaps, requestMove, type AskedMove } from '../api/calls'
import { Refusal } from '../api/refusal'
import type { Maps, Migration, Needs, Verdicts } from '../api/types'
import type { HeardVerdict } from './answers'
import { IDLE, reduce, type DragInput, type DragState } from '../drag/machine'

function freshKey(): string {
  // Not randomUUID: browsers keep that from pages without TLS.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const liftedVm = (state: DragState): number | null =>
  state.at === 'dragging' || state.at === 'confirming' ? state.vm : null

export class Lift {
  state = $state.raw<DragState>(IDLE)
  verdicts = $state.raw<Verdicts | null>(null)
  /** When they were heard, by this browser's clock. */
  #heardAt = 0
  /** Why there are no verdicts, or why the move was refused. */
  refusal = $state.raw<Refusal | null>(null)
  sending = $state(false)
  /** Whether an answer to what was chosen last is still awaited. */
  judging = $state(false)

  /** What was said of the places that were chosen last for one host. */
  #chosen = $state.raw<HeardVerdict | null>(null)
  #judged: AbortController | null = null

  #asked: AbortController | null = null
  #key = ''

  /** The VM that is off its place, if one is. */
  readonly vm = $derived(liftedVm(this.state))
  readonly isLifted = $derived(this.state.at === 'dragging')

  send(input: DragInput): void {
    const before = liftedVm(this.state)
    this.state = reduce(this.state, input)
    const after = liftedVm(this.state)
    if (after === before) return
    this.#forget()
    if (after !== null) void this.#ask(after)
  }

  verdictOf(host: number): HeardVerdict | null {
    return this.#chosen?.host === host ? this.#chosen : this.#liftedOf(host)
  }

  /** What must be chosen for one host; null where nothing must, or where nothing that is chosen would help. */
  needsOf(host: number): Needs | null {
    const lifted = this.#liftedOf(host)
    return lifted === null || lifted.answer === 'cannot_go' ? null : lifted.needs
  }

  /** Ask what becomes of the verdict with the places that were chosen; null forgets them. */
  async judge(host: number, maps: Maps | null): Promise<void> {
    this.#judged?.abort()
    this.#judged = null
    this.#chosen = null
    this.judging = false
    const vm = this.vm
    if (maps === null || vm === null) return
    const judged = new AbortController()
    this.#judged = judged
    this.judging = true
    try {
      const verdict = await judgeMaps(vm, host, maps, judged.signal)
      if (this.#judged === judged) this.#chosen = { ...verdict, heardAt: Date.now() }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (this.#judged === judged) this.refusal = error
    } finally {
      if (this.#judged === judged) this.judging = false
    }
  }

  #liftedOf(host: number): HeardVerdict | null {
    const found = this.verdicts?.verdicts.find((verdict) => verdict.host === host)
    return found ? { ...found, heardAt: this.#heardAt } : null
  }

  /** Ask for the move that is being confirmed; null when it was refused. */
  async confirm(asked: AskedMove): Promise<Migration | null> {
    if (this.state.at !== 'confirming' || this.state.target === null || this.sending) return null
    this.sending = true
    this.refusal = null
    try {
      const migration = await requestMove(this.state.vm, this.state.target, asked, this.#key)
      this.send({ kind: 'put_back' })
      return migration
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.refusal = error
      // A refusal is an answer too: asking again is a new request. Silence may have been heard.
      if (error.problem) this.#key = freshKey()
      return null
    } finally {
      this.sending = false
    }
  }

  #forget(): void {
    this.#asked?.abort()
    this.#asked = null
    this.verdicts = null
    void this.judge(0, null)
    this.refusal = null
    this.#key = freshKey()
  }

  async #ask(vm: number): Promise<void> {
    const asked = new AbortController()
    this.#asked = asked
    try {
      const verdicts = await fetchVerdicts(vm, asked.signal)
      if (this.#asked !== asked) return
      this.#heardAt = Date.now()
      this.verdicts = verdicts
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (this.#asked === asked) this.refusal = error
    }
  }
}
