/** What the shell hands over before the first request. */
import type { Actor } from './types'

export interface Boot {
  readonly actor: Actor
  readonly simulated: boolean
  readonly version: string
}

export function readBoot(page: Document): Boot {
  const text = page.getElementById('boot')?.textContent
  if (!text) throw new Error('The shell came without its boot data.')
  return JSON.parse(text) as Boot
}
