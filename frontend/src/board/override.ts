/** Going on in spite of a verdict: which findings a person may set aside, and when enough is said. Pure. */
import type { Finding, Override, Verdict } from '../api/types'

export const LONGEST_REASON = 500

/** What the fields hold. */
export interface TypedOverride {
  codes: string[]
  reason: string
}

/** The findings to override, one of each code; empty where that is not offered or would not help. */
export function overridableOf(verdict: Verdict | null, mayOverride: boolean): readonly Finding[] {
  if (!mayOverride || verdict?.answer !== 'cannot_go') return []
  const blockers = verdict.findings.filter(({ severity }) => severity === 'blocker')
  if (!blockers.every(({ overridable }) => overridable)) return []
  return [...new Map(blockers.map((finding) => [finding.code, finding])).values()]
}

/** What to send: null until every finding is set aside and a reason is given. */
export function overrideOf(findings: readonly Finding[], { codes, reason }: TypedOverride): Override | null {
  const said = reason.trim()
  if (findings.length === 0 || said === '' || !findings.every(({ code }) => codes.includes(code))) return null
  return { codes: findings.map(({ code }) => code), reason: said }
}
