/** The options of a move between what people type and what the wire carries. Pure. */
import type { MoveOptions, OfferedOption } from '../api/types'

/** What the fields hold: text for numbers, a boolean for a yes or no. */
export type Typed = Partial<Record<OfferedOption['name'], string | boolean>>

const MIB = 1024 * 1024

/** How many of the wire's units one typed unit is: speeds are typed in MiB/s. */
const scaleOf = (option: OfferedOption): number => (option.unit === 'bytes/s' ? MIB : 1)

export const unitOf = (option: OfferedOption): string => (option.unit === 'bytes/s' ? 'MiB/s' : (option.unit ?? ''))

export function bounds(option: OfferedOption): { min: number | undefined; max: number | undefined } {
  const scale = scaleOf(option)
  return {
    min: option.minimum === null ? undefined : Math.ceil(option.minimum / scale),
    max: option.maximum === null ? undefined : Math.floor(option.maximum / scale),
  }
}

function amount(option: OfferedOption, typed: string | boolean | undefined): number | null {
  const number = typeof typed === 'string' && typed.trim() !== '' ? Number(typed) : Number.NaN
  return Number.isFinite(number) ? Math.round(number * scaleOf(option)) : null
}

export function wireOptions(offered: readonly OfferedOption[], typed: Typed): MoveOptions {
  const options: { -readonly [K in keyof MoveOptions]: MoveOptions[K] } = { auto_converge: false, post_copy: false }
  for (const option of offered) {
    if (option.name === 'guard') options.guard = typed.guard === true ? true : null
    else if (option.name === 'auto_converge' || option.name === 'post_copy') options[option.name] = typed[option.name] === true
    else options[option.name] = amount(option, typed[option.name])
  }
  return options
}

export const PRESETS = ['balanced', 'gentle', 'deadline'] as const
export type Preset = (typeof PRESETS)[number]

const FILLS: Record<Preset, Typed> = {
  balanced: {},
  gentle: { bandwidth_limit: '32' },
  deadline: { auto_converge: true, deadline_s: '600' },
}

/** What a preset types into the fields; only what this hypervisor offers. */
export function presetOf(preset: Preset, offered: readonly OfferedOption[]): Typed {
  const names = new Set<string>(offered.map((option) => option.name))
  return Object.fromEntries(Object.entries(FILLS[preset]).filter(([name]) => names.has(name)))
}
