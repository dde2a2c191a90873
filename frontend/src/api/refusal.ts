/** What the server said instead of doing it. */
import type { Problem } from './types'

export class Refusal extends Error {
  /** `problem` is null where nobody answered. */
  constructor(readonly problem: Problem | null) {
    super(problem?.detail ?? 'unanswered')
  }

  get isSignedOut(): boolean {
    return this.problem?.status === 401
  }

  get isNotFound(): boolean {
    return this.problem?.status === 404
  }

  get isForbidden(): boolean {
    return this.problem?.status === 403
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'detail' in body && 'code' in body
}

/** Read a refusal out of an answer that a proxy may have written instead of us. */
export function refusalFrom(response: Response, body: unknown): Refusal {
  if (isProblem(body)) return new Refusal(body)
  const detail = `HTTP ${response.status} ${response.statusText}`.trim()
  return new Refusal({ type: 'about:blank', title: detail, status: response.status, detail, code: 'unreadable', remedy: '' })
}
