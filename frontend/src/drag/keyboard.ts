/** From keys to drag inputs: Space lifts, arrows and letters choose, Enter drops, Esc puts back. */
import type { DragInput, DragState, Place } from './machine'

export interface KeyPress {
  readonly key: string
  readonly ctrlKey: boolean
  readonly metaKey: boolean
  readonly altKey: boolean
}

export interface KeyContext {
  readonly state: DragState
  readonly vm: number
  readonly source: number | null
  readonly places: readonly Place[]
  readonly now: number
}

const STEPS: Record<string, 1 | -1> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }

/** What a key on a card means now; null when it is not ours. */
export function keyInput(press: KeyPress, context: KeyContext): DragInput | null {
  if (press.ctrlKey || press.metaKey || press.altKey) return null
  if (context.state.at === 'idle') {
    return press.key === ' ' ? { kind: 'lift', vm: context.vm, source: context.source } : null
  }
  if (context.state.at !== 'dragging') return null
  if (press.key === 'Escape' || press.key === 'Tab') return { kind: 'put_back' }
  if (press.key === 'Enter') return { kind: 'drop' }
  const step = STEPS[press.key]
  if (step) return { kind: 'step', by: step, places: context.places }
  if (press.key.length !== 1 || press.key === ' ') return null
  return { kind: 'type', text: press.key, now: context.now, places: context.places }
}
