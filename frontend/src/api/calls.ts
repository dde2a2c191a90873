/** Every request the front end makes, by what it is for. */
import { bodyOf, client, done } from './client'
import type { AuditQuery, CertificatesBody, HostBody, Maps, MigrationQuery, MoveOptions, Override } from './types'

/** What was chosen in the confirmation; null where nothing is to be overridden, or nothing to be placed. */
export interface AskedMove {
  readonly options: MoveOptions
  readonly override: Override | null
  readonly maps: Maps | null
}

export const fetchBoard = () => bodyOf(client.GET('/api/v1/board'))

export const fetchVerdicts = (vm: number, signal?: AbortSignal) =>
  bodyOf(client.GET('/api/v1/vms/{vm}/verdicts', { params: { path: { vm: String(vm) } }, signal: signal ?? null }))

/** Judge one host for a VM whose disks and network cards go where they are chosen to go; nothing is changed. */
export const judgeMaps = (vm: number, target: number, maps: Maps, signal: AbortSignal) =>
  bodyOf(client.POST('/api/v1/vms/{vm}/verdicts', { params: { path: { vm: String(vm) } }, body: { target, maps }, signal }))

export const fetchMigration = (migration: string) =>
  bodyOf(client.GET('/api/v1/migrations/{migration}', { params: { path: { migration } } }))

export const fetchMigrations = (query: MigrationQuery) =>
  bodyOf(client.GET('/api/v1/migrations', { params: { query } }))

export const fetchHistory = (query: AuditQuery) => bodyOf(client.GET('/api/v1/audit', { params: { query } }))

/** Ask for a move. The same key answers the same migration, however often it is sent. */
export const requestMove = (vm: number, target: number, asked: AskedMove, key: string) =>
  bodyOf(
    client.POST('/api/v1/migrations', {
      params: { header: { 'Idempotency-Key': key } },
      body: {
        vm,
        target,
        options: asked.options,
        ...(asked.override ? { override: asked.override } : {}),
        ...(asked.maps ? { maps: asked.maps } : {}),
      },
    }),
  )

/** Choose one of a move's offers; the migration says what came of it. */
export const chooseFor = (migration: string, kind: string, value: number | null) =>
  bodyOf(client.POST('/api/v1/migrations/{migration}/choices', { params: { path: { migration } }, body: { kind, value } }))

export const fetchLeftoverDisks = (cursor: string | null) =>
  bodyOf(client.GET('/api/v1/leftover-disks', { params: { query: cursor === null ? {} : { cursor } } }))

/** Ask for a disk that a move has left behind to be deleted; the disk says what came of it. */
export const removeLeftoverDisk = (disk: number) =>
  bodyOf(client.POST('/api/v1/leftover-disks/{disk}/remove', { params: { path: { disk: String(disk) } } }))

/** End a move whose hosts will never prove where the VM runs; the reason is kept in the history. */
export const closeMove = (migration: string, reason: string) =>
  bodyOf(client.POST('/api/v1/migrations/{migration}/close', { params: { path: { migration } }, body: { reason } }))

/** Have a halted VM's disks be what they were before a move; the reason is kept in the history. */
export const rollBackGuard = (migration: string, reason: string) =>
  bodyOf(client.POST('/api/v1/migrations/{migration}/guard/roll-back', { params: { path: { migration } }, body: { reason } }))

export const removeGuard = (migration: string) =>
  bodyOf(client.POST('/api/v1/migrations/{migration}/guard/remove', { params: { path: { migration } } }))

/** A VM's disks, and where each can go while it runs. */
export const fetchVmDisks = (vm: number) => bodyOf(client.GET('/api/v1/vms/{vm}/disks', { params: { path: { vm: String(vm) } } }))

export const moveDisk = (vm: number, device: string, storage: number) =>
  bodyOf(client.POST('/api/v1/vms/{vm}/disks/{device}/moves', { params: { path: { vm: String(vm), device } }, body: { storage } }))

export const cancelDiskMove = (move: string) =>
  bodyOf(client.POST('/api/v1/disk-moves/{move}/cancel', { params: { path: { move } } }))

export const cancelMove = (migration: string) =>
  bodyOf(client.POST('/api/v1/migrations/{migration}/cancel', { params: { path: { migration } } }))

/** Put a host on the board; its facts come by the feed once it was looked at. */
export const addHost = (body: HostBody) => bodyOf(client.POST('/api/v1/hosts', { body }))

/** Ask which certificates are met at an address, so that a person can confirm them; nothing secret is said there. */
export const lookAtCertificates = (body: CertificatesBody) => bodyOf(client.POST('/api/v1/hosts/certificates', { body }))

export const removeHost = (host: number) =>
  done(client.DELETE('/api/v1/hosts/{host}', { params: { path: { host: String(host) } } }))

/** What kinds of storage cost against block storage on a SAN; all of it at once. */
export const fetchStorageCosts = () => bodyOf(client.GET('/api/v1/storage-costs'))

/** Say that a repository is the same storage on all its hosts. */
export const vouchForStorage = (repository: number) =>
  bodyOf(client.POST('/api/v1/storage-repositories/{repository}/vouch', { params: { path: { repository: String(repository) } } }))

export const withdrawVouch = (repository: number) =>
  bodyOf(client.DELETE('/api/v1/storage-repositories/{repository}/vouch', { params: { path: { repository: String(repository) } } }))

/** A VM and where it is to go; none for leaving it where it is. */
export interface PlanChoice {
  readonly vm: number
  readonly target: number | null
}

/** Plan how a host would be emptied; nothing is stored, and nothing happens. */
export const planMaintenance = (host: number, choices: PlanChoice[]) =>
  bodyOf(client.POST('/api/v1/hosts/{host}/maintenance-plan', { params: { path: { host: String(host) } }, body: { choices } }))

export const beginMaintenance = (host: number, moves: { vm: number; target: number }[], reason: string) =>
  bodyOf(client.POST('/api/v1/hosts/{host}/maintenance', { params: { path: { host: String(host) } }, body: { moves, reason } }))

export const fetchMaintenance = (maintenance: string) =>
  bodyOf(client.GET('/api/v1/maintenances/{maintenance}', { params: { path: { maintenance } } }))

/** Send more VMs away, or once more those whose move did not come about. */
export const sendAway = (maintenance: string, moves: { vm: number; target: number }[]) =>
  bodyOf(client.POST('/api/v1/maintenances/{maintenance}/moves', { params: { path: { maintenance } }, body: { moves } }))

export const endMaintenance = (maintenance: string) =>
  bodyOf(client.POST('/api/v1/maintenances/{maintenance}/end', { params: { path: { maintenance } } }))

export const planReturn = (maintenance: string) =>
  bodyOf(client.GET('/api/v1/maintenances/{maintenance}/return-plan', { params: { path: { maintenance } } }))

export const bringBack = (maintenance: string, vms: number[]) =>
  bodyOf(client.POST('/api/v1/maintenances/{maintenance}/return', { params: { path: { maintenance } }, body: { vms } }))
