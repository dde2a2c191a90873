import { describe, expect, it } from 'vitest'
import { someVerdicts } from '../store/world.fixture'
import { bounds, guardCost, presetOf, unitOf, wireOptions } from './options'

const { options: offered } = someVerdicts(1, 1)
const [limit] = offered

describe('the options of a move', () => {
  it('a speed is typed in MiB/s and travels in bytes', () => {
    expect(wireOptions(offered, { bandwidth_limit: '64' })).toEqual({ bandwidth_limit: 64 * 1024 ** 2, auto_converge: false, post_copy: false, guard_memory: false })
    expect(limit && [unitOf(limit), bounds(limit)]).toEqual(['MiB/s', { min: 1, max: 1000 }])
  })

  it('what is left empty, or is no number, travels as nothing', () => {
    expect(wireOptions(offered, { bandwidth_limit: ' ' }).bandwidth_limit).toBeNull()
    expect(wireOptions(offered, { bandwidth_limit: 'fast' }).bandwidth_limit).toBeNull()
  })

  it('a guard is left to what was measured of the VM unless somebody says otherwise', () => {
    const guards = [{ name: 'guard', label: '', help: '', unit: null, minimum: null, maximum: null }] as const
    const sent = (guard?: string) => {
      const { guard: wished, guard_memory: memory } = wireOptions(guards, guard === undefined ? {} : { guard })
      return [wished, memory]
    }
    expect(sent()).toEqual([null, false])
    expect(sent('measured')).toEqual([null, false])
    expect(sent('disks')).toEqual([true, false])
    expect(sent('memory')).toEqual([true, true])
    expect(sent('none')).toEqual([false, false])
  })

  it('a guard costs a pause only where one is made for sure', () => {
    const cost = {
      pause_ms: { value: 6100, provenance: 'estimated' },
      pause_with_memory_ms: { value: null, provenance: 'not_available' },
    } as const
    expect(guardCost('disks', cost)?.value).toBe(6100)
    expect(guardCost('memory', cost)?.provenance).toBe('not_available')
    expect(guardCost('measured', cost)).toBeNull()
    expect(guardCost('none', cost)).toBeNull()
    expect(guardCost('disks', null)).toBeNull()
  })

  it('what the driver does not offer does not travel', () => {
    expect(wireOptions([], { auto_converge: true, downtime_limit_ms: '300' })).toEqual({ auto_converge: false, post_copy: false, guard_memory: false })
  })
})

describe('the presets', () => {
  it('type only what this hypervisor offers', () => {
    expect(presetOf('gentle', offered)).toEqual({ bandwidth_limit: '32' })
    expect(presetOf('deadline', offered)).toEqual({ auto_converge: true })
    expect(presetOf('balanced', offered)).toEqual({})
    expect(presetOf('gentle', offered, { guard: 'disks' })).toEqual({ bandwidth_limit: '32', guard: 'disks' })
  })
})
