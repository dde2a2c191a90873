import { afterEach, describe, expect, it } from 'vitest'
import { hearClock, serverTime } from './clock'

const noon = Date.parse('2026-11-23T12:00:00Z')
const dated = (date: string) => new Response(null, { headers: { date } })

describe("the server's clock", () => {
  afterEach(() => hearClock(dated(new Date(0).toUTCString()), 0))

  it("is read from an answer, however wrong the browser's is", () => {
    hearClock(dated('Mon, 23 Nov 2026 12:00:00 GMT'), noon - 3_600_000)
    expect(serverTime(noon - 3_600_000)).toBe(noon)
    expect(serverTime(noon - 3_590_000)).toBe(noon + 10_000)
  })

  it('is not changed by an answer without a date', () => {
    hearClock(new Response(null), noon)
    expect(serverTime(noon)).toBe(noon)
  })
})
