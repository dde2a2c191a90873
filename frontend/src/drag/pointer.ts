/** From pointer events to drag inputs. Touch scrolls and uses the Move… button instead. */
import type { DragInput } from './machine'

export interface PointerOptions {
  readonly vm: number
  readonly source: number | null
  readonly mayLift: boolean
  readonly hostAt: (x: number, y: number) => number | null
  readonly send: (input: DragInput) => void
}

const EDGE = 64
const CONTROLS = 'button, a, input, select, textarea, label'

/** Scroll the page while the pointer rests near its upper or lower edge. Returns how to stop. */
function scrollAtEdges(where: () => number): () => void {
  let frame = requestAnimationFrame(function look() {
    const y = where()
    const into = y < EDGE ? y - EDGE : Math.max(0, y - (innerHeight - EDGE))
    if (into !== 0) scrollBy(0, into / 5)
    frame = requestAnimationFrame(look)
  })
  return () => cancelAnimationFrame(frame)
}

/** Attach to a card; an attachment factory for `{@attach}`. */
export function pointerLift(options: () => PointerOptions) {
  return (card: HTMLElement): (() => void) => {
    let letGo: (() => void) | null = null

    function follow(pointerId: number): () => void {
      const gesture = new AbortController()
      const { signal } = gesture
      let y = innerHeight / 2
      const mine = (event: PointerEvent) => event.pointerId === pointerId
      const end = (input: DragInput) => {
        letGo?.()
        options().send(input)
      }
      const move = (event: PointerEvent) => {
        if (!mine(event)) return
        y = event.clientY
        const { hostAt, send } = options()
        const point = { x: event.clientX, y: event.clientY }
        send({ kind: 'travel', point, over: hostAt(point.x, point.y) })
      }
      window.addEventListener('pointermove', move, { signal })
      window.addEventListener('pointerup', (event) => mine(event) && end({ kind: 'release' }), { signal })
      window.addEventListener('pointercancel', (event) => mine(event) && end({ kind: 'put_back' }), { signal })
      window.addEventListener('blur', () => end({ kind: 'put_back' }), { signal })
      const still = scrollAtEdges(() => y)
      return () => {
        still()
        gesture.abort()
        letGo = null
      }
    }

    function press(event: PointerEvent): void {
      const { vm, source, mayLift, send } = options()
      const onControl = event.target instanceof Element && event.target.closest(CONTROLS)
      if (!mayLift || event.button !== 0 || event.pointerType === 'touch' || onControl || letGo) return
      send({ kind: 'press', vm, source, point: { x: event.clientX, y: event.clientY } })
      letGo = follow(event.pointerId)
    }

    card.addEventListener('pointerdown', press)
    return () => {
      card.removeEventListener('pointerdown', press)
      letGo?.()
    }
  }
}
