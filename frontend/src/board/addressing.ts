/** The form that adds a host: what its fields hold, what is sent, and which field a refusal speaks of. Pure. */
import type { HostBody, Problem } from '../api/types'

/** How the address is given. */
export type Way = 'parts' | 'uri'

export const HYPERVISORS = { qemu: 'QEMU/KVM', xen: 'Xen', xapi: 'XenServer, XCP-ng' } as const
export const TRANSPORTS = ['ssh', 'tls', 'unix'] as const

export interface TypedHost {
  way: Way
  pool: string
  hypervisor: keyof typeof HYPERVISORS
  transport: (typeof TRANSPORTS)[number]
  address: string
  user: string
  port: number | null
  /** Of the certificates that the person has confirmed. */
  fingerprints: string[]
  uri: string
  migration_address: string
  credential: string
}

type Field = Exclude<keyof TypedHost, 'way'>

export const emptyHost = (pool: string): TypedHost => ({
  way: 'parts',
  pool,
  hypervisor: 'qemu',
  transport: 'ssh',
  address: '',
  user: '',
  port: null,
  fingerprints: [],
  uri: '',
  migration_address: '',
  credential: '',
})

const PARTS: readonly Field[] = ['hypervisor', 'transport', 'address', 'user', 'port']
/** XenServer and XCP-ng are reached in one way alone, and known by their certificates. */
const OF_XAPI: readonly Field[] = ['hypervisor', 'address', 'user', 'port', 'fingerprints']
const ALWAYS: readonly Field[] = ['pool', 'migration_address', 'credential']

/** The fields that count: what was typed before another choice hid its field is not sent. */
export function fieldsOf({ way, hypervisor, transport }: TypedHost): readonly Field[] {
  if (way === 'uri') return [...ALWAYS, 'uri']
  if (hypervisor === 'xapi') return [...ALWAYS, ...OF_XAPI]
  const hidden: Record<TypedHost['transport'], readonly Field[]> = { ssh: [], tls: ['user'], unix: ['address', 'user', 'port'] }
  return [...ALWAYS, ...PARTS.filter((field) => !hidden[transport].includes(field))]
}

export function hostBody(typed: TypedHost): HostBody {
  const shown = fieldsOf(typed)
  const text = (field: Exclude<Field, 'port' | 'fingerprints'>) => (shown.includes(field) ? typed[field].trim() : '')
  return {
    pool: text('pool'),
    uri: text('uri'),
    hypervisor: text('hypervisor'),
    transport: shown.includes('fingerprints') ? 'tls' : text('transport'),
    address: text('address'),
    user: text('user'),
    port: shown.includes('port') ? typed.port : null,
    fingerprints: shown.includes('fingerprints') ? typed.fingerprints : [],
    migration_address: text('migration_address'),
    // Spaces may belong to it.
    credential: typed.credential,
  }
}

export type Faults = Partial<Record<Field, string>>

/** What a refusal says, by the field it stands beside; a fault of a field that is not shown belongs to the whole. */
export function faultsOf(problem: Problem | null, typed: TypedHost): Faults {
  const shown = fieldsOf(typed)
  const faults: Faults = {}
  for (const { field, sentence } of problem?.errors ?? []) {
    const named = field.split('.').at(-1) as Field
    // A URI is taken apart by the server, which then speaks of its parts.
    const at = typed.way === 'uri' && PARTS.includes(named) ? 'uri' : named
    if (shown.includes(at)) faults[at] = faults[at] ? `${faults[at]} ${sentence}` : sentence
  }
  return faults
}

/** A fingerprint as people compare it: in fours. */
export const grouped = (sha256: string): string => (sha256.match(/.{1,4}/g) ?? []).join(' ')
