import { describe, expect, it } from 'vitest'
import { Refusal } from '../api/refusal'
import { Pages } from './pages.svelte'

describe('a list in pages', () => {
  it('adds the next page to what is there, until there is none', async () => {
    const pages = new Pages<number>()
    await pages.ask((cursor) => Promise.resolve(cursor === null ? { items: [1, 2], next: 'b' } : { items: [3], next: null }))
    await pages.more()
    expect(pages.items).toEqual([1, 2, 3])
    expect(pages.next).toBeNull()
    await pages.more()
    expect(pages.items).toEqual([1, 2, 3])
  })

  it('drops the answer to a question that was replaced meanwhile', async () => {
    const pages = new Pages<string>()
    let answerSlowly: (page: { items: string[]; next: null }) => void = () => undefined
    const slow = pages.ask(() => new Promise((resolve) => (answerSlowly = resolve)))
    await pages.ask(() => Promise.resolve({ items: ['new'], next: null }))
    answerSlowly({ items: ['old'], next: null })
    await slow
    expect(pages.items).toEqual(['new'])
    expect(pages.fetching).toBe(false)
  })

  it('keeps what the server said instead', async () => {
    const pages = new Pages<string>()
    await pages.ask(() => Promise.reject(new Refusal(null)))
    expect(pages.refusal).toBeInstanceOf(Refusal)
    expect(pages.answered).toBe(true)
  })
})
