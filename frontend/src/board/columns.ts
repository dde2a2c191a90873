/** What the board shows, worked out from the facts: pools of columns of cards and ghosts. Pure. */
import type { DiskMove, Host, Migration, VirtualMachine } from '../api/types'
import type { BoardState } from '../store/board'
import { diskMovesOf } from './diskMoves'

export interface Filter {
  readonly find: string
  /** A team's name; empty for any, NO_TEAM for VMs without one. */
  readonly team: string
  readonly halted: boolean
}

/** Milliseconds: what a host said earlier than that is not taken for what is. The server judges a target by the same age. */
export const STALE_AFTER_MS = 30_000

export const NO_TEAM = '\0'

/** A VM on its card, with its active move if there is one. */
export interface Placed {
  readonly vm: VirtualMachine
  readonly migration: Migration | null
  /** The moves of its disks, the newest first. */
  readonly diskMoves: readonly DiskMove[]
}

export interface Column {
  readonly host: Host
  readonly placed: readonly Placed[]
  readonly arriving: readonly Migration[]
  /** How many VMs are on the host, before the filter. */
  readonly count: number
}

interface PoolColumns {
  readonly pool: string
  readonly columns: readonly Column[]
}

export interface BoardView {
  readonly pools: readonly PoolColumns[]
  /** VMs that no known host holds. */
  readonly adrift: readonly Placed[]
}

const ORDER: Record<VirtualMachine['state'], number> = { running: 0, paused: 0, crashed: 0, unknown: 0, halted: 1, suspended: 1 }

const byName = <T extends { readonly name: string }>(one: T, two: T): number =>
  one.name.localeCompare(two.name, undefined, { numeric: true })

function inOrder(one: Placed, two: Placed): number {
  return ORDER[one.vm.state] - ORDER[two.vm.state] || byName(one.vm, two.vm)
}

function isWanted(vm: VirtualMachine, host: Host | undefined, filter: Filter): boolean {
  if (!filter.halted && vm.state === 'halted') return false
  if (filter.team === NO_TEAM ? vm.team !== null : filter.team !== '' && vm.team !== filter.team) return false
  const find = filter.find.trim().toLowerCase()
  if (find === '') return true
  return [vm.name, vm.uuid, vm.team ?? '', host?.name ?? ''].some((text) => text.toLowerCase().includes(find))
}

function group<T>(things: Iterable<T>, key: (thing: T) => number | null): Map<number | null, T[]> {
  const groups = new Map<number | null, T[]>()
  for (const thing of things) {
    const found = groups.get(key(thing))
    if (found) found.push(thing)
    else groups.set(key(thing), [thing])
  }
  return groups
}

function activeByVm(board: BoardState): Map<number, Migration> {
  const active = [...board.migrations.values()].filter((migration) => migration.active)
  return new Map(active.map((migration) => [migration.vm, migration]))
}

/** The hosts in the order of the screen. */
export const hostsInOrder = (board: BoardState): Host[] =>
  [...board.hosts.values()].sort((one, two) => one.pool.localeCompare(two.pool) || byName(one, two))

/** Every host but one, those that it shares a pool with first and those of another hypervisor last. */
export function othersFor(hosts: readonly Host[], source: Host | undefined): Host[] {
  const distance = (host: Host): number => Number(host.pool !== source?.pool) + Number(host.hypervisor !== source?.hypervisor)
  return hosts.filter((host) => host !== source).sort((one, two) => distance(one) - distance(two))
}

export function boardView(board: BoardState, filter: Filter): BoardView {
  const moving = activeByVm(board)
  const vms = group(board.vms.values(), (vm) => (board.hosts.has(vm.resident_on ?? -1) ? vm.resident_on : null))
  const coming = group(moving.values(), (migration) => migration.target)
  const placed = (host: Host | undefined): Placed[] =>
    (vms.get(host?.id ?? null) ?? [])
      .filter((vm) => isWanted(vm, host, filter))
      .map((vm) => ({ vm, migration: moving.get(vm.id) ?? null, diskMoves: diskMovesOf(vm.id, board.diskMoves.values()) }))
      .sort(inOrder)
  const column = (host: Host): Column => ({
    host,
    placed: placed(host),
    arriving: (coming.get(host.id) ?? []).filter((migration) => board.vms.get(migration.vm)?.resident_on !== host.id),
    count: vms.get(host.id)?.length ?? 0,
  })
  const pools = Map.groupBy(hostsInOrder(board), (host) => host.pool)
  return {
    pools: [...pools].map(([pool, hosts]) => ({ pool, columns: hosts.map(column) })),
    adrift: placed(undefined),
  }
}

/** The teams that the visible VMs belong to, in alphabetical order. */
export const teamsOf = (board: BoardState): string[] =>
  [...new Set([...board.vms.values()].flatMap((vm) => (vm.team === null ? [] : [vm.team])))].sort()

/** The pools that hold hosts or storage, in alphabetical order. */
export const poolsOf = (board: BoardState): string[] =>
  [...new Set([...board.hosts.values(), ...board.storage.values()].map(({ pool }) => pool))].sort()
