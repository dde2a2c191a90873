/** The board as facts: a snapshot, and how one frame changes it. Pure. */
import type { Actor, Board, DiskMove, Event, Frame, Host, Maintenance, Migration, StorageRepository, VirtualMachine } from '../api/types'

export interface BoardState {
  readonly sequence: number
  readonly actor: Actor
  readonly simulated: boolean
  readonly hosts: ReadonlyMap<number, Host>
  readonly vms: ReadonlyMap<number, VirtualMachine>
  readonly storage: ReadonlyMap<number, StorageRepository>
  readonly migrations: ReadonlyMap<string, Migration>
  readonly maintenances: ReadonlyMap<string, Maintenance>
  readonly diskMoves: ReadonlyMap<string, DiskMove>
}

/** `gap` says that something was missed: only a fresh snapshot tells the truth again. */
export interface Applied {
  readonly state: BoardState
  readonly gap: boolean
}

const byId = <K, T extends { readonly id: K }>(things: readonly T[]): ReadonlyMap<K, T> =>
  new Map(things.map((thing) => [thing.id, thing]))

const withOne = <K, T extends { readonly id: K }>(things: ReadonlyMap<K, T>, thing: T): ReadonlyMap<K, T> =>
  new Map(things).set(thing.id, thing)

function withoutOne<K, T>(things: ReadonlyMap<K, T>, key: K): ReadonlyMap<K, T> {
  if (!things.has(key)) return things
  const left = new Map(things)
  left.delete(key)
  return left
}

export function fromSnapshot(board: Board): BoardState {
  return {
    sequence: board.sequence,
    actor: board.actor,
    simulated: board.simulated,
    hosts: byId(board.hosts),
    vms: byId(board.vms),
    storage: byId(board.storage_repositories),
    migrations: byId(board.migrations),
    maintenances: byId(board.maintenances),
    diskMoves: byId(board.disk_moves),
  }
}

export const withMigration = (state: BoardState, migration: Migration): BoardState => ({
  ...state,
  migrations: withOne(state.migrations, migration),
})

function lay(state: BoardState, event: Event): BoardState {
  switch (event.type) {
    case 'host_changed':
      return { ...state, hosts: withOne(state.hosts, event.host) }
    case 'host_removed':
      return { ...state, hosts: withoutOne(state.hosts, event.host_id) }
    case 'vm_changed':
      return { ...state, vms: withOne(state.vms, event.vm) }
    case 'vm_removed':
      return { ...state, vms: withoutOne(state.vms, event.vm_id) }
    case 'storage_repository_changed':
      return { ...state, storage: withOne(state.storage, event.storage_repository) }
    case 'storage_repository_removed':
      return { ...state, storage: withoutOne(state.storage, event.storage_repository_id) }
    case 'migration_changed':
      return withMigration(state, event.migration)
    case 'maintenance_changed':
      return { ...state, maintenances: withOne(state.maintenances, event.maintenance) }
    case 'disk_move_changed':
      return { ...state, diskMoves: withOne(state.diskMoves, event.disk_move) }
    default:
      // A newer server may speak of things this page does not show yet.
      return state
  }
}

/** Lay one frame over the state. What was seen before changes nothing; a gap changes nothing either. */
export function apply(state: BoardState, frame: Frame): Applied {
  switch (frame.kind) {
    case 'hello':
      return { state, gap: frame.sequence > state.sequence }
    case 'resync':
      return { state, gap: true }
    case 'event':
      if (frame.sequence <= state.sequence) return { state, gap: false }
      if (frame.previous > state.sequence) return { state, gap: true }
      return { state: { ...lay(state, frame.event), sequence: frame.sequence }, gap: false }
    default:
      return { state, gap: false }
  }
}
