import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Board, Event, Frame } from '../api/types'
import { apply, fromSnapshot, type BoardState } from './board'
import { aDiskMove } from './disks.fixture'
import { aMaintenance } from './maintenance.fixture'
import { aBoard, aHost, aMigration, aRepository, aVm } from './world.fixture'

const id = fc.integer({ min: 1, max: 6 })

const anEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ id, load: fc.double({ min: 0, max: 1, noNaN: true }) }).map(
    ({ id, load }): Event => ({ type: 'host_changed', host: aHost(id, `host-${id}`, { cpu_load: load }) }),
  ),
  id.map((host_id): Event => ({ type: 'host_removed', host_id })),
  fc.record({ id, on: id }).map(({ id, on }): Event => ({ type: 'vm_changed', vm: aVm(id, `vm-${id}`, { resident_on: on }) })),
  id.map((vm_id): Event => ({ type: 'vm_removed', vm_id })),
  id.map((id): Event => ({ type: 'storage_repository_changed', storage_repository: aRepository(id, `sr-${id}`) })),
  id.map((storage_repository_id): Event => ({ type: 'storage_repository_removed', storage_repository_id })),
  fc.record({ id, ready: fc.boolean() }).map(
    ({ id, ready }): Event => ({
      type: 'maintenance_changed',
      maintenance: aMaintenance(`CARE000${id}`, { state: ready ? 'ready' : 'moving' }),
    }),
  ),
  fc.record({ id, done: fc.boolean() }).map(
    ({ id, done }): Event => ({
      type: 'migration_changed',
      migration: aMigration(`MOVE000${id}`, { state: done ? 'done' : 'pre_copy', active: !done }),
    }),
  ),
  fc.tuple(id, fc.boolean()).map(
    ([number, done]): Event => ({
      type: 'disk_move_changed',
      disk_move: aDiskMove(`DISK000${number}`, { state: done ? 'done' : 'moving', active: !done }),
    }),
  ),
)

/** The server's own bookkeeping, written apart from the store: rows by id, as a database holds them. */
function serve(board: Board, sequence: number, event: Event): Board {
  const upsert = <T extends { id: number | string }>(rows: T[], row: T) => [...rows.filter(({ id }) => id !== row.id), row]
  switch (event.type) {
    case 'host_changed':
      return { ...board, sequence, hosts: upsert(board.hosts, event.host) }
    case 'host_removed':
      return { ...board, sequence, hosts: board.hosts.filter(({ id }) => id !== event.host_id) }
    case 'vm_changed':
      return { ...board, sequence, vms: upsert(board.vms, event.vm) }
    case 'vm_removed':
      return { ...board, sequence, vms: board.vms.filter(({ id }) => id !== event.vm_id) }
    case 'storage_repository_changed':
      return { ...board, sequence, storage_repositories: upsert(board.storage_repositories, event.storage_repository) }
    case 'storage_repository_removed':
      return { ...board, sequence, storage_repositories: board.storage_repositories.filter(({ id }) => id !== event.storage_repository_id) }
    case 'migration_changed':
      return { ...board, sequence, migrations: upsert(board.migrations, event.migration) }
    case 'maintenance_changed':
      return { ...board, sequence, maintenances: upsert(board.maintenances, event.maintenance) }
    case 'disk_move_changed':
      return { ...board, sequence, disk_moves: upsert(board.disk_moves, event.disk_move) }
  }
}

/** What happened, as boards after each event and the frames in between; numbers may jump, as for other readers' events. */
function history(events: readonly Event[], jumps: readonly number[]) {
  const boards = [aBoard()]
  const frames: Frame[] = []
  for (const [index, event] of events.entries()) {
    const before = boards.at(-1) ?? aBoard()
    const sequence = before.sequence + (jumps[index % jumps.length] ?? 1)
    frames.push({ kind: 'event', sequence, previous: before.sequence, event })
    boards.push(serve(before, sequence, event))
  }
  return { boards, frames }
}

const sorted = (state: BoardState) => ({
  ...state,
  ...Object.fromEntries(
    (['hosts', 'vms', 'storage', 'migrations', 'diskMoves', 'maintenances'] as const).map((rows) => [
      rows,
      [...(state[rows] as ReadonlyMap<number | string, unknown>)].sort(([one], [two]) => (one < two ? -1 : 1)),
    ]),
  ),
})

const events = fc.array(anEvent, { maxLength: 30 })
const jumps = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 })

function laid(state: BoardState, frames: readonly Frame[]): BoardState {
  return frames.reduce((so_far, frame) => {
    const applied = apply(so_far, frame)
    expect(applied.gap).toBe(false)
    return applied.state
  }, state)
}

describe('the board as facts', () => {
  it('a snapshot with the events after it is a fresh snapshot, wherever it was taken', () => {
    fc.assert(
      fc.property(events, jumps, fc.nat(), (happened, steps, cut) => {
        const { boards, frames } = history(happened, steps)
        const at = cut % boards.length
        const state = laid(fromSnapshot(boards[at] ?? aBoard()), frames.slice(at))
        expect(sorted(state)).toEqual(sorted(fromSnapshot(boards.at(-1) ?? aBoard())))
      }),
    )
  })

  it('frames that were seen before change nothing, in whatever order they come again', () => {
    fc.assert(
      fc.property(events, jumps, fc.array(fc.nat(), { maxLength: 20 }), (happened, steps, again) => {
        const { frames } = history(happened, steps)
        const state = laid(fromSnapshot(aBoard()), frames)
        const repeated = again.flatMap((index) => frames[index % Math.max(1, frames.length)] ?? [])
        expect(laid(state, repeated)).toBe(state)
      }),
    )
  })

  it('a lost frame is noticed at the next one, and nothing is laid over the hole', () => {
    fc.assert(
      fc.property(fc.array(anEvent, { minLength: 2, maxLength: 20 }), jumps, fc.nat(), (happened, steps, lost) => {
        const { frames } = history(happened, steps)
        const hole = lost % (frames.length - 1)
        const state = laid(fromSnapshot(aBoard()), frames.slice(0, hole))
        const next = frames[hole + 1]
        if (!next) return
        expect(apply(state, next)).toEqual({ state, gap: true })
      }),
    )
  })

  it('applying leaves the state before untouched', () => {
    const state = fromSnapshot(aBoard())
    const frozen = sorted(state)
    apply(state, { kind: 'event', sequence: 11, previous: 10, event: { type: 'vm_removed', vm_id: 1 } })
    expect(sorted(state)).toEqual(frozen)
  })

  it('a greeting from further on is a gap, one from here is not, and a resync always is', () => {
    const state = fromSnapshot(aBoard())
    expect(apply(state, { kind: 'hello', sequence: 10 }).gap).toBe(false)
    expect(apply(state, { kind: 'hello', sequence: 11 }).gap).toBe(true)
    expect(apply(state, { kind: 'resync', reason: 'rights changed' }).gap).toBe(true)
  })
})
