/** What a pool itself said: its code and its parameters. */
interface OwnWords {
  readonly code: string
  readonly params: readonly string[]
}

/** A code as our API has it, and what the pool itself said where it said something. */
export interface Raw {
  readonly code: string
  readonly words: OwnWords | null
}

interface Told {
  readonly code: string
  readonly facts: Readonly<Record<string, unknown>>
}

/** Reads the pool's own words from the facts of a finding. */
export const rawOf = ({ code, facts }: Told): Raw => {
  const { xapi_code: own, xapi_params: params } = facts
  if (typeof own !== 'string') return { code, words: null }
  return { code, words: { code: own, params: Array.isArray(params) ? params.map(String) : [] } }
}
