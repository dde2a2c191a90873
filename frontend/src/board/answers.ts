/** How an answer looks and reads. */
import type { Answer, Verdict } from '../api/types'
import type { Accent } from '../tokens/accents'
import type { Key } from '../ui/words.svelte'
import { t } from '../ui/words.svelte'

export const ANSWER_ACCENT = { can_go: 'go', can_go_but: 'care', cannot_go: 'no' } as const satisfies Record<Answer, Accent>

export const SIGN_OF = { go: 'check', care: 'care', no: 'cross' } as const

const ANSWER_WORDS = {
  can_go: 'verdict.can_go',
  can_go_but: 'verdict.can_go_but',
  cannot_go: 'verdict.cannot_go',
} as const satisfies Record<Answer, Key>

export const answerWords = (answer: Answer): string => t(ANSWER_WORDS[answer])

/** A verdict, and when this browser heard it. */
export type HeardVerdict = Verdict & { readonly heardAt: number }

/** A verdict as one sentence for the live region. */
export function spokenVerdict(host: string, verdict: Verdict): string {
  const reasons = verdict.findings.map((finding) => `${finding.sentence} ${finding.remedy}`.trim())
  return [`${host}: ${answerWords(verdict.answer)}.`, ...reasons].join(' ')
}
