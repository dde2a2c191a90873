/** Where disks and network cards go, between what is needed, what people choose and what the wire carries. Pure. */
import type { CardNeed, DiskNeed, Maps, Needs } from '../api/types'

/** What was chosen by hand; everything else stands at its suggestion. */
export type Chosen = Readonly<Record<string, string>>

export const diskKey = (disk: DiskNeed): string => `disk ${disk.device}`
export const cardKey = (card: CardNeed): string => `card ${card.device}`

/** The storage of a disk as its field holds it; empty while it is open. */
export const placeOf = (disk: DiskNeed, chosen: Chosen): string => chosen[diskKey(disk)] ?? String(disk.suggested ?? '')

/** The network of a card as its field holds it; empty while it is open. */
export const networkOf = (card: CardNeed, chosen: Chosen): string => chosen[cardKey(card)] ?? card.suggested ?? ''

/** The maps as they stand; null while something is open. */
export function mapsOf(needs: Needs, chosen: Chosen): Maps | null {
  const disks = needs.disks.map((disk) => ({ device: disk.device, storage: Number(placeOf(disk, chosen)) }))
  const cards = needs.cards.map((card) => ({ device: card.device, network: networkOf(card, chosen) }))
  const isOpen = disks.some(({ storage }) => storage === 0) || cards.some(({ network }) => network === '')
  return isOpen ? null : { disks, cards }
}
