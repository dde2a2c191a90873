import { describe, expect, it } from 'vitest'
import { fromSnapshot } from '../store/board'
import { aBoard, aHost, aMigration, aVm } from '../store/world.fixture'
import { boardView, NO_TEAM, othersFor, teamsOf, type Filter } from './columns'

const ALL: Filter = { find: '', team: '', halted: true }
const view = (board = aBoard(), filter: Partial<Filter> = {}) => boardView(fromSnapshot(board), { ...ALL, ...filter })
const columns = (...all: Parameters<typeof view>) => view(...all).pools.flatMap((pool) => pool.columns)
const names = (...all: Parameters<typeof view>) =>
  columns(...all).flatMap((column) => column.placed.map(({ vm }) => vm.name))

describe('the hosts to choose from', () => {
  it('are those of the same pool first, and those of another hypervisor last', () => {
    const source = aHost(1, 'here', { hypervisor: 'xapi' })
    const foreign = aHost(2, 'foreign', { pool: 'a', hypervisor: 'qemu' })
    const beyond = aHost(3, 'beyond', { pool: 'b', hypervisor: 'xapi' })
    const beside = aHost(4, 'beside', { hypervisor: 'xapi' })
    expect(othersFor([foreign, beyond, source, beside], source).map(({ name }) => name)).toEqual(['beside', 'beyond', 'foreign'])
    expect(othersFor([source], undefined)).toEqual([source])
  })
})

describe('the columns of the board', () => {
  it('there is one for each host, empty ones too, by pool and name', () => {
    const hosts = [aHost(3, 'host-10'), aHost(2, 'host-9'), aHost(1, 'z', { pool: 'a-pool' })]
    const { pools } = view(aBoard({ hosts, vms: [] }))
    expect(pools.map(({ pool }) => pool)).toEqual(['a-pool', 'rack-2'])
    expect(pools[1]?.columns.map(({ host }) => host.name)).toEqual(['host-9', 'host-10'])
  })

  it('a halted VM stands below the running ones', () => {
    const vms = [aVm(1, 'a', { state: 'halted' }), aVm(2, 'b')]
    expect(names(aBoard({ vms }))).toEqual(['b', 'a'])
  })

  it('a moving VM stays where it is and shows a ghost where it goes', () => {
    const [here, there] = columns(aBoard({ migrations: [aMigration('MOVE0001')] }))
    expect(here?.placed.find(({ vm }) => vm.id === 1)?.migration?.id).toBe('MOVE0001')
    expect(there?.arriving.map(({ id }) => id)).toEqual(['MOVE0001'])
  })

  it('the ghost is gone once the hosts say that the VM is there', () => {
    const vms = [aVm(1, 'shop-db', { resident_on: 2 })]
    expect(columns(aBoard({ vms, migrations: [aMigration('MOVE0001', { state: 'verifying' })] }))[1]?.arriving).toEqual([])
  })

  it('an ended move leaves no ghost', () => {
    const ended = aMigration('MOVE0001', { state: 'failed', active: false })
    expect(columns(aBoard({ migrations: [ended] }))[1]?.arriving).toEqual([])
  })

  it('a VM on no known host is not lost', () => {
    const vms = [aVm(1, 'a', { resident_on: null }), aVm(2, 'b', { resident_on: 99 })]
    expect(view(aBoard({ vms })).adrift.map(({ vm }) => vm.name)).toEqual(['a', 'b'])
  })

  it.each<[Partial<Filter>, string[]]>([
    [{ find: 'WEB' }, ['web-1']],
    [{ find: 'host-b' }, ['web-1']],
    [{ find: 'shop' }, ['shop-db', 'web-1']],
    [{ team: 'Shop' }, ['shop-db', 'web-1']],
    [{ team: NO_TEAM }, ['old-wiki']],
    [{ halted: false }, ['shop-db', 'web-1']],
    [{ find: 'nothing at all' }, []],
  ])('looking for %o shows %j', (filter, expected) => {
    expect(names(aBoard(), filter)).toEqual(expected)
  })

  it('counts what is on a host whatever is looked for', () => {
    expect(columns(aBoard(), { find: 'nothing at all' })[0]?.count).toBe(2)
  })

  it('names each team once', () => {
    expect(teamsOf(fromSnapshot(aBoard()))).toEqual(['Shop'])
  })
})
