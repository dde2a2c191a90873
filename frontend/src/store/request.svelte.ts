/** One request that a person makes in a dialog: whether it is under way, and why it was refused. */
import { Refusal } from '../api/refusal'

export class PersonRequest {
  sending = $state(false)
  refusal = $state.raw<Refusal | null>(null)

  /** Forget the last answer: the dialog opens anew. */
  reset(): void {
    this.refusal = null
  }

  /** Make the request; false when it was refused. */
  async send(request: () => Promise<unknown>): Promise<boolean> {
    this.sending = true
    this.refusal = null
    try {
      await request()
      return true
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.refusal = error
      return false
    } finally {
      this.sending = false
    }
  }
}
