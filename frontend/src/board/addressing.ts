/** The form that adds a host: what its fields hold, what is sent, and which field a refusal speaks of. Pure. */
import type { HostBody, Problem } from '../api/types'

/** How the address is given. */
export type Way = 'parts' | 'uri'

export const HYPERVISORS = { qemu: 'QEMU/KVM', xen: 'Xen' } as const
export const TRANSPORTS = ['ssh', 'tls', 'unix'] as const

export interface TypedHost {
  way: Way
  pool: string
  hypervisor: keyof typeof HYPERVISORS
  transport: (typeof TRANSPORTS)[number]
  address: string
  user: string
  port: number | null
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
  uri: '',
  migration_address: '',
  credential: '',
})

const PARTS: readonly Field[] = ['hypervisor', 'transport', 'address', 'user', 'port']
const ALWAYS: readonly Field[] = ['pool', 'migration_address', 'credential']

/** The fields that count: what was typed before another choice hid its field is not sent. */
export function fieldsOf({ way, transport }: TypedHost): readonly Field[] {
  if (way === 'uri') return [...ALWAYS, 'uri']
  const hidden: Record<TypedHost['transport'], readonly Field[]> = { ssh: [], tls: ['user'], unix: ['address', 'user', 'port'] }
  return [...ALWAYS, ...PARTS.filter((field) => !hidden[transport].includes(field))]
}

export function hostBody(typed: TypedHost): HostBody {
  const shown = fieldsOf(typed)
  const text = (field: Exclude<Field, 'port'>) => (shown.includes(field) ? typed[field].trim() : '')
  return {
    pool: text('pool'),
    uri: text('uri'),
    hypervisor: text('hypervisor'),
    transport: text('transport'),
    address: text('address'),
    user: text('user'),
    port: shown.includes('port') ? typed.port : null,
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
