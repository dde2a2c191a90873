/** Lifting a card and putting it down, as one pure reducer for hand, keyboard and button alike. */

export interface Point {
  readonly x: number
  readonly y: number
}

type By = 'pointer' | 'keyboard' | 'button'

export type DragState =
  | { readonly at: 'idle' }
  | { readonly at: 'pressed'; readonly vm: number; readonly source: number | null; readonly from: Point }
  | {
      readonly at: 'dragging'
      readonly vm: number
      readonly source: number | null
      readonly by: 'pointer' | 'keyboard'
      readonly over: number | null
      readonly point: Point
      readonly typed: string
      readonly typedAt: number
    }
  | { readonly at: 'confirming'; readonly vm: number; readonly target: number | null; readonly by: By }

/** A host as type-ahead knows it, in the order of the screen. */
export interface Place {
  readonly id: number
  readonly name: string
}

export type DragInput =
  | { readonly kind: 'press'; readonly vm: number; readonly source: number | null; readonly point: Point }
  | { readonly kind: 'travel'; readonly point: Point; readonly over: number | null }
  | { readonly kind: 'release' }
  | { readonly kind: 'lift'; readonly vm: number; readonly source: number | null }
  | { readonly kind: 'step'; readonly by: 1 | -1; readonly places: readonly Place[] }
  | { readonly kind: 'type'; readonly text: string; readonly now: number; readonly places: readonly Place[] }
  | { readonly kind: 'drop' }
  | { readonly kind: 'ask'; readonly vm: number }
  | { readonly kind: 'choose'; readonly target: number }
  | { readonly kind: 'put_back' }

export const IDLE: DragState = { at: 'idle' }

/** How far a pressed pointer travels before it lifts, in CSS pixels. */
export const LIFT_DISTANCE = 5

/** How long type-ahead waits for the next letter, in milliseconds. */
export const TYPE_AHEAD_MS = 1200

type Dragging = Extract<DragState, { at: 'dragging' }>

function travelled(from: Point, to: Point): number {
  return Math.hypot(to.x - from.x, to.y - from.y)
}

function lifted(vm: number, source: number | null, by: Dragging['by'], point: Point): Dragging {
  return { at: 'dragging', vm, source, by, over: null, point, typed: '', typedAt: 0 }
}

function dropped(state: Dragging): DragState {
  if (state.over === null || state.over === state.source) return state.by === 'pointer' ? IDLE : state
  return { at: 'confirming', vm: state.vm, target: state.over, by: state.by }
}

function stepped(state: Dragging, by: 1 | -1, places: readonly Place[]): DragState {
  const others = places.filter((place) => place.id !== state.source)
  if (others.length === 0) return state
  const here = others.findIndex((place) => place.id === state.over)
  const next = here < 0 ? (by > 0 ? 0 : others.length - 1) : (here + by + others.length) % others.length
  return { ...state, over: others[next]?.id ?? null, typed: '' }
}

function typed(state: Dragging, text: string, now: number, places: readonly Place[]): DragState {
  const others = places.filter((place) => place.id !== state.source)
  const going = now - state.typedAt <= TYPE_AHEAD_MS ? state.typed : ''
  for (const wanted of [going + text, text]) {
    const found = others.find((place) => place.name.toLowerCase().startsWith(wanted.toLowerCase()))
    if (found) return { ...state, over: found.id, typed: wanted, typedAt: now }
  }
  return { ...state, typed: going + text, typedAt: now }
}

function whileDragging(state: Dragging, input: DragInput): DragState {
  switch (input.kind) {
    case 'travel':
      return { ...state, point: input.point, over: input.over }
    case 'release':
      return state.by === 'pointer' ? dropped(state) : state
    case 'step':
      return stepped(state, input.by, input.places)
    case 'type':
      return typed(state, input.text, input.now, input.places)
    case 'drop':
      return dropped(state)
    case 'put_back':
      return IDLE
    default:
      return state
  }
}

/** The next state; an input that means nothing in a state changes nothing. */
export function reduce(state: DragState, input: DragInput): DragState {
  switch (state.at) {
    case 'idle':
      if (input.kind === 'press') return { at: 'pressed', vm: input.vm, source: input.source, from: input.point }
      if (input.kind === 'lift') return lifted(input.vm, input.source, 'keyboard', { x: 0, y: 0 })
      if (input.kind === 'ask') return { at: 'confirming', vm: input.vm, target: null, by: 'button' }
      return state
    case 'pressed':
      if (input.kind === 'release' || input.kind === 'put_back') return IDLE
      if (input.kind !== 'travel' || travelled(state.from, input.point) < LIFT_DISTANCE) return state
      return { ...lifted(state.vm, state.source, 'pointer', input.point), over: input.over }
    case 'dragging':
      return whileDragging(state, input)
    case 'confirming':
      if (input.kind === 'choose') return { ...state, target: input.target }
      return input.kind === 'put_back' ? IDLE : state
  }
}
