/** The options of a move between what people type and what the wire carries. Pure. */
import type { GuardCost, MoveOptions, OfferedOption } from '../api/types'

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

/** Whether a guard is made first: left to what is measured of the VM, of its disks, with its memory, or in no case. */
export const GUARD_WISHES = ['measured', 'disks', 'memory', 'none'] as const
export type GuardWish = (typeof GUARD_WISHES)[number]

const WISHED = { measured: null, disks: true, memory: true, none: false } as const satisfies Record<GuardWish, boolean | null>

export const guardWish = (typed: Typed): GuardWish => GUARD_WISHES.find((each) => each === typed.guard) ?? 'measured'

/** The pause that a wish costs; null where it costs none, or is not made for sure. */
export function guardCost(wish: GuardWish, cost: GuardCost | null): GuardCost['pause_ms'] | null {
  if (wish === 'disks') return cost?.pause_ms ?? null
  return wish === 'memory' ? (cost?.pause_with_memory_ms ?? null) : null
}

export function wireOptions(offered: readonly OfferedOption[], typed: Typed): MoveOptions {
  const options: { -readonly [K in keyof MoveOptions]: MoveOptions[K] } = {
    auto_converge: false,
    post_copy: false,
    guard_memory: false,
  }
  for (const option of offered) {
    if (option.name === 'guard') {
      options.guard = WISHED[guardWish(typed)]
      options.guard_memory = guardWish(typed) === 'memory'
    } else if (option.name === 'auto_converge' || option.name === 'post_copy') options[option.name] = typed[option.name] === true
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

/** What a preset types into the fields; only what this hypervisor offers. A guard is no matter of speed: it stays. */
export function presetOf(preset: Preset, offered: readonly OfferedOption[], typed: Typed = {}): Typed {
  const names = new Set<string>(offered.map((option) => option.name))
  const filled = Object.fromEntries(Object.entries(FILLS[preset]).filter(([name]) => names.has(name)))
  return typed.guard === undefined ? filled : { ...filled, guard: typed.guard }
}
