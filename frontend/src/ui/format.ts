/** Numbers as people read them. Sizes are bytes, lengths of time milliseconds. */
import { locale } from './words.svelte'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

function scaled(bytes: number): { amount: number; unit: (typeof UNITS)[number]; divisor: number } {
  const step = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  const divisor = 1024 ** step
  return { amount: bytes / divisor, unit: UNITS[step] ?? 'B', divisor }
}

function plain(amount: number): string {
  const digits = amount >= 100 || Number.isInteger(amount) ? 0 : amount >= 10 ? 1 : 2
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(amount)
}

export function size(bytes: number): string {
  const { amount, unit } = scaled(Math.max(0, bytes))
  return `${plain(amount)} ${unit}`
}

export const speed = (bytesPerSecond: number): string => `${size(bytesPerSecond)}/s`

/** Two sizes of the same thing in one unit, that of the whole: `45` and `64 GiB`. */
export function sizeOf(part: number, whole: number): { part: string; whole: string } {
  const { unit, divisor } = scaled(Math.max(1, whole))
  return { part: plain(part / divisor), whole: `${plain(whole / divisor)} ${unit}` }
}

/** How many times as much: `1.3 ×`. */
export const ratio = (value: number): string =>
  `${new Intl.NumberFormat(locale(), { maximumSignificantDigits: 2 }).format(value)} ×`

/** 0.34 as `34 %`. */
export const percent = (share: number): string => `${Math.round(share * 100)} %`

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 10) return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: 1 }).format(seconds)} s`
  if (seconds < 120) return `${Math.floor(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export const clock = (moment: Date | string): string =>
  new Intl.DateTimeFormat(locale(), { timeStyle: 'medium', hourCycle: 'h23' }).format(new Date(moment))

const dateAndTime = (moment: Date | string): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' }).format(new Date(moment))

/** A day, as `27 Nov 2026`; the wire's dates have no time, so no time zone may move them. */
export const date = (day: string): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(day))

/** The clock alone for today, the date with it for other days. */
export function when(moment: Date | string, now: Date): string {
  const then = new Date(moment)
  return then.toDateString() === now.toDateString() ? clock(then) : dateAndTime(then)
}

/** The same moment in UTC, for the title of a time. */
export const inUtc = (moment: Date | string): string => `${new Date(moment).toISOString().slice(0, 19).replace('T', ' ')} UTC`
