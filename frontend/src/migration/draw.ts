/** The chart itself. In a module of its own, so that uPlot is fetched only when a chart is looked at. */
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { duration, size } from '../ui/format'
import type { Series } from './series'

const HEIGHT = 250

const seconds = (mark: number): string => (mark < 120 ? `${mark} s` : duration(mark * 1000))

/** Canvas wants plain colours: let the browser work out what a token is here and now. */
function inkOf(element: HTMLElement, token: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${token})`
  element.append(probe)
  const colour = getComputedStyle(probe).color
  probe.remove()
  return colour
}

const dataOf = ({ at, left }: Series): uPlot.AlignedData => [[...at], [...left]]

/** Dotted lines with a name where each pass begins; the names stop where they would overlap. */
function passMarks(series: () => Series, label: (pass: number) => string, ink: string, line: string) {
  return (plot: uPlot) => {
    const { ctx, bbox } = plot
    const scale = devicePixelRatio
    ctx.save()
    ctx.strokeStyle = line
    ctx.fillStyle = ink
    ctx.font = `${11 * scale}px "Inter Variable", system-ui`
    ctx.textAlign = 'left'
    ctx.textBaseline = 'alphabetic'
    ctx.setLineDash([2 * scale, 3 * scale])
    let free = 0
    for (const { pass, at } of series().starts) {
      const x = plot.valToPos(at, 'x', true)
      ctx.beginPath()
      ctx.moveTo(x, bbox.top - 12 * scale)
      ctx.lineTo(x, bbox.top + bbox.height)
      ctx.stroke()
      const text = label(pass)
      if (x < free) continue
      ctx.fillText(text, x + 4 * scale, bbox.top - 4 * scale)
      free = x + ctx.measureText(text).width + 12 * scale
    }
    ctx.restore()
  }
}

/** A dot where a move that is under way stands now. */
function nowMark(series: () => Series, ink: string) {
  return (plot: uPlot) => {
    const { at, left, isOpen } = series()
    const [last, bytes] = [at.at(-1), left.at(-1)]
    if (!isOpen || last === undefined || bytes === null || bytes === undefined) return
    plot.ctx.beginPath()
    plot.ctx.fillStyle = ink
    plot.ctx.arc(plot.valToPos(last, 'x', true), plot.valToPos(bytes, 'y', true), 4.5 * devicePixelRatio, 0, 2 * Math.PI)
    plot.ctx.fill()
  }
}

export interface Chart {
  show(series: Series): void
  destroy(): void
}

export function drawChart(place: HTMLElement, first: Series, passLabel: (pass: number) => string): Chart {
  let series = first
  const ink = inkOf(place, '--ink-3')
  const line = inkOf(place, '--line')
  const move = inkOf(place, '--move')
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: '11px "Inter Variable", system-ui' }
  const plot = new uPlot(
    {
      width: Math.max(place.clientWidth, 240),
      height: HEIGHT,
      padding: [20, 12, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: (_plot, _low, high) => [0, Math.max(high, 1) * 1.04] } },
      axes: [
        { ...axis, grid: { show: false }, size: 30, values: (_plot, marks) => marks.map(seconds) },
        { ...axis, size: 74, incrs: Array.from({ length: 45 }, (_none, power) => 2 ** power), values: (_plot, marks) => marks.map(size) },
      ],
      series: [{}, { stroke: move, width: 2, points: { show: false } }],
      hooks: { draw: [passMarks(() => series, passLabel, ink, inkOf(place, '--line-strong')), nowMark(() => series, move)] },
    },
    dataOf(series),
    place,
  )
  const width = new ResizeObserver(() => plot.setSize({ width: Math.max(place.clientWidth, 240), height: HEIGHT }))
  width.observe(place)
  return {
    show(next) {
      series = next
      plot.setData(dataOf(next))
    },
    destroy() {
      width.disconnect()
      plot.destroy()
    },
  }
}
