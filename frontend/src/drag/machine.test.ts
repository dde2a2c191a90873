import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IDLE, LIFT_DISTANCE, reduce, TYPE_AHEAD_MS, type DragInput, type DragState, type Place } from './machine'

const PLACES: Place[] = [
  { id: 1, name: 'host-a' },
  { id: 2, name: 'host-b' },
  { id: 3, name: 'xen-1' },
]
const HERE = { x: 10, y: 10 }
const AWAY = { x: 10 + LIFT_DISTANCE, y: 10 }

const press: DragInput = { kind: 'press', vm: 7, source: 1, point: HERE }
const lift: DragInput = { kind: 'lift', vm: 7, source: 1 }
const travel = (over: number | null, point = AWAY): DragInput => ({ kind: 'travel', point, over })
const step = (by: 1 | -1): DragInput => ({ kind: 'step', by, places: PLACES })
const type = (text: string, now = 5000): DragInput => ({ kind: 'type', text, now, places: PLACES })
const release: DragInput = { kind: 'release' }
const drop: DragInput = { kind: 'drop' }
const putBack: DragInput = { kind: 'put_back' }
const ask: DragInput = { kind: 'ask', vm: 7 }

const after = (...inputs: DragInput[]): DragState => inputs.reduce(reduce, IDLE)

describe('lifting a card', () => {
  const rows: [sentence: string, inputs: DragInput[], expected: Partial<DragState> & { over?: number | null }][] = [
    ['a press alone lifts nothing', [press], { at: 'pressed', vm: 7 }],
    ['a press and a release is a click', [press, release], { at: 'idle' }],
    ['a hand that trembles lifts nothing', [press, travel(2, { x: 12, y: 12 })], { at: 'pressed' }],
    ['a hand that travels lifts', [press, travel(2)], { at: 'dragging', by: 'pointer', over: 2 }],
    ['a release over a host asks for confirmation', [press, travel(2), release], { at: 'confirming', target: 2, by: 'pointer' }],
    ['a release over nothing puts back', [press, travel(null), release], { at: 'idle' }],
    ['a release over the own host puts back', [press, travel(1), release], { at: 'idle' }],
    ['Escape in mid air puts back', [press, travel(2), putBack], { at: 'idle' }],
    ['Space lifts and chooses nothing yet', [lift], { at: 'dragging', by: 'keyboard', over: null }],
    ['an arrow chooses the first other host', [lift, step(1)], { at: 'dragging', over: 2 }],
    ['an arrow back chooses the last host', [lift, step(-1)], { at: 'dragging', over: 3 }],
    ['arrows go round and leave the own host out', [lift, step(1), step(1), step(1)], { at: 'dragging', over: 2 }],
    ['a letter chooses by name', [lift, type('x')], { at: 'dragging', over: 3 }],
    ['letters add up to a name', [lift, ...'host-b'.split('').map((letter) => type(letter))], { at: 'dragging', over: 2 }],
    ['capital letters are letters too', [lift, type('X')], { at: 'dragging', over: 3 }],
    ['after a pause a name begins anew', [lift, type('h'), type('x', 5001 + TYPE_AHEAD_MS)], { at: 'dragging', over: 3 }],
    ['a letter that begins no name leaves the choice', [lift, type('x'), type('?')], { at: 'dragging', over: 3 }],
    ['Enter without a choice keeps the card lifted', [lift, drop], { at: 'dragging', over: null }],
    ['Enter on a choice asks for confirmation', [lift, step(1), drop], { at: 'confirming', target: 2, by: 'keyboard' }],
    ['a released pointer means nothing to the keyboard', [lift, step(1), release], { at: 'dragging', over: 2 }],
    ['the button asks without a host', [ask], { at: 'confirming', target: null, by: 'button' }],
    ['a host is chosen in the dialog', [ask, { kind: 'choose', target: 3 }], { at: 'confirming', target: 3 }],
    ['a confirmation is put back', [lift, step(1), drop, putBack], { at: 'idle' }],
    ['a confirmation is not lifted again', [lift, step(1), drop, lift], { at: 'confirming' }],
  ]
  it.each(rows)('%s', (_sentence, inputs, expected) => {
    expect(after(...inputs)).toMatchObject(expected)
  })

  it('is never over its own host by keyboard, and always comes back', () => {
    const anyInput = fc.oneof(
      fc.constantFrom(press, lift, release, drop, ask, step(1), step(-1)),
      fc.string({ minLength: 1, maxLength: 1 }).map((text) => type(text)),
      fc.option(fc.constantFrom(1, 2, 3)).map((over) => travel(over)),
    )
    fc.assert(
      fc.property(fc.array(anyInput, { maxLength: 30 }), (inputs) => {
        const state = after(...inputs)
        if (state.at === 'confirming') expect(state.target).not.toBe(1)
        expect(reduce(state, putBack)).toEqual(IDLE)
      }),
    )
  })
})
