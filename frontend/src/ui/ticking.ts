/** The time of day for what is shown with its age: whoever reads it is shown anew each second. */
import { createSubscriber } from 'svelte/reactivity'

const EVERY_MS = 1000

const subscribe = createSubscriber((update) => {
  const beat = setInterval(update, EVERY_MS)
  return () => clearInterval(beat)
})

export function ticking(): number {
  subscribe()
  return Date.now()
}
