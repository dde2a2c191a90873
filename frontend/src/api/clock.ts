/** The server's time of day: ages of what it says are told by its clock, for a browser's may be wrong by hours. */

/** Milliseconds by which the server is ahead of this browser. */
let ahead = 0

/** Learn the time from an answer; one without a date teaches nothing. */
export function hearClock(response: Response, now: number = Date.now()): void {
  const said = Date.parse(response.headers.get('date') ?? '')
  if (Number.isFinite(said)) ahead = said - now
}

/** The server's time, in milliseconds, at a moment of this browser. */
export const serverTime = (here: number): number => here + ahead
