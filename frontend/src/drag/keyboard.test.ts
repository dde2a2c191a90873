import { describe, expect, it } from 'vitest'
import { keyInput, type KeyPress } from './keyboard'
import { IDLE, reduce, type DragState } from './machine'

const LIFTED = reduce(IDLE, { kind: 'lift', vm: 7, source: 1 })
const PLACES = [{ id: 2, name: 'host-b' }]

function pressed(key: string, state: DragState, more: Partial<KeyPress> = {}) {
  const press = { key, ctrlKey: false, metaKey: false, altKey: false, ...more }
  return keyInput(press, { state, vm: 7, source: 1, places: PLACES, now: 1 })
}

describe('keys on a card', () => {
  it.each([
    [' ', IDLE, 'lift'],
    ['ArrowRight', LIFTED, 'step'],
    ['ArrowUp', LIFTED, 'step'],
    ['h', LIFTED, 'type'],
    ['-', LIFTED, 'type'],
    ['Enter', LIFTED, 'drop'],
    ['Escape', LIFTED, 'put_back'],
    ['Tab', LIFTED, 'put_back'],
  ])('%j means %s', (key, state, kind) => {
    expect(pressed(key, state)?.kind).toBe(kind)
  })

  it.each([
    ['Enter', IDLE],
    ['h', IDLE],
    ['ArrowDown', IDLE],
    [' ', LIFTED],
    ['Shift', LIFTED],
    [' ', { at: 'confirming', vm: 7, target: 2, by: 'keyboard' } as const],
  ])('%j means nothing in %o', (key, state) => {
    expect(pressed(key, state)).toBeNull()
  })

  it('leaves the shortcuts of the browser alone', () => {
    expect(pressed('r', LIFTED, { ctrlKey: true })).toBeNull()
    expect(pressed(' ', IDLE, { metaKey: true })).toBeNull()
  })
})
