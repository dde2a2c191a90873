import { describe, expect, it } from 'vitest'
import en from '../ui/words/en.json'
import pt from '../ui/words/pt-BR.json'
import { ACTIONS, ANYTHING, auditQuery, isAnything } from './filters'

describe('looking through the history', () => {
  it('only what is filled in travels', () => {
    expect(auditQuery(ANYTHING, null)).toEqual({})
    expect(auditQuery({ ...ANYTHING, q: 'mail', outcome: 'refused' }, '40')).toEqual({ q: 'mail', outcome: 'refused', cursor: '40' })
  })

  it('a day travels as its first and its last moment', () => {
    const { since, until } = auditQuery({ ...ANYTHING, since: '2026-11-23', until: '2026-11-23' }, null)
    expect(Date.parse(until ?? '') - Date.parse(since ?? '')).toBe(24 * 60 * 60 * 1000 - 1)
  })

  it('a day that is no day is left out', () => {
    expect(auditQuery({ ...ANYTHING, since: '2026-13-99' }, null)).toEqual({})
  })

  it('has words for everything it filters by, in every language', () => {
    const silent = [en, pt].flatMap((words) => ACTIONS.filter((action) => !(`action_of.${action}` in words)))
    expect(silent).toEqual([])
  })

  it('knows when nothing is looked for', () => {
    expect(isAnything(ANYTHING)).toBe(true)
    expect(isAnything({ ...ANYTHING, actor: 'ada' })).toBe(false)
  })
})
