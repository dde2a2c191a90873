/** What a card says about its VM. */
import type { Host, VirtualMachine } from '../api/types'
import { stageWords } from '../store/sentences'
import { percent } from '../ui/format'
import { t, told } from '../ui/words.svelte'
import type { Placed } from './columns'
import { diskSubline } from './diskMoves'

export const stateWords = (vm: VirtualMachine): string => told('vm_state', vm.state)

/** What runs the VMs of a host; many versions name their hypervisor themselves, those behind XAPI their product. */
export function kindWords({ hypervisor, version }: Host): string {
  const named = hypervisor === 'xapi' || version.toLowerCase().startsWith(hypervisor.toLowerCase())
  return named ? version : `${hypervisor} ${version}`.trim()
}

export function subline({ vm, migration, diskMoves }: Placed): string {
  const disk = diskMoves.find((move) => move.active)
  if (disk && !migration) return diskSubline(disk)
  if (migration) return t('vm.moving', { target: migration.target_name, stage: stageWords(migration) })
  const load = vm.cpu_load === null || vm.state !== 'running' ? null : t('vm.load', { load: percent(vm.cpu_load) })
  return [stateWords(vm), load, vm.team].filter((part) => part !== null && part !== '').join(' · ')
}
