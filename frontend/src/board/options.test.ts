import { describe, expect, it } from 'vitest'
import { someVerdicts } from '../store/world.fixture'
import { bounds, presetOf, unitOf, wireOptions } from './options'

const { options: offered } = someVerdicts(1, 1)
const [limit] = offered

describe('the options of a move', () => {
  it('a speed is typed in MiB/s and travels in bytes', () => {
    expect(wireOptions(offered, { bandwidth_limit: '64' })).toEqual({ bandwidth_limit: 64 * 1024 ** 2, auto_converge: false, post_copy: false })
    expect(limit && [unitOf(limit), bounds(limit)]).toEqual(['MiB/s', { min: 1, max: 1000 }])
  })

  it('what is left empty, or is no number, travels as nothing', () => {
    expect(wireOptions(offered, { bandwidth_limit: ' ' }).bandwidth_limit).toBeNull()
    expect(wireOptions(offered, { bandwidth_limit: 'fast' }).bandwidth_limit).toBeNull()
  })

  it('a guard that is not ticked is left to what was measured of the VM', () => {
    const guards = [{ name: 'guard', label: '', help: '', unit: null, minimum: null, maximum: null }] as const
    expect(wireOptions(guards, { guard: true }).guard).toBe(true)
    expect(wireOptions(guards, { guard: false }).guard).toBeNull()
    expect(wireOptions(guards, {}).guard).toBeNull()
  })

  it('what the driver does not offer does not travel', () => {
    expect(wireOptions([], { auto_converge: true, downtime_limit_ms: '300' })).toEqual({ auto_converge: false, post_copy: false })
  })
})

describe('the presets', () => {
  it('type only what this hypervisor offers', () => {
    expect(presetOf('gentle', offered)).toEqual({ bandwidth_limit: '32' })
    expect(presetOf('deadline', offered)).toEqual({ auto_converge: true })
    expect(presetOf('balanced', offered)).toEqual({})
  })
})
