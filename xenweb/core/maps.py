"""Where disks and network cards go that cannot stay where they are: what must be said, what is suggested, what wrong.

Only where places can be chosen (``Ability.CHOSEN_PLACES``): on all other hypervisors a disk goes to the same
path, a card to the network of the same name, and nothing is asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from xenweb.core.facts import Ability, CardFacts, DiskFacts, HostFacts, Maps, RepositoryFacts, VmFacts
from xenweb.core.findings import Finding, blocker, network_missing, note, warning
from xenweb.core.quantities import Bytes
from xenweb.core.storage import Way, free_for_copies, placed, places_for_disks, suggested_disks

ASKED_LATER = "It is asked for before the move begins."


@dataclass(frozen=True, slots=True)
class Place:
    """One repository that a disk can go to, and what is free there; None if nobody says."""

    repository: RepositoryFacts
    free: Bytes | None


@dataclass(frozen=True, slots=True)
class DiskNeed:
    """One disk that needs a place, the places that there are, and the one that is suggested."""

    disk: DiskFacts
    places: tuple[Place, ...]
    suggested: int | None


@dataclass(frozen=True, slots=True)
class CardNeed:
    """One network card that needs a network, the networks that there are, and the one that is suggested."""

    card: CardFacts
    networks: tuple[str, ...]
    suggested: str | None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a move to one host must be told."""

    disks: tuple[DiskNeed, ...] = ()
    cards: tuple[CardNeed, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.disks or self.cards)


NO_NEEDS = Needs()


def is_mapped(host: HostFacts, source: HostFacts | None) -> bool:
    """Say whether places can be chosen on the way from one host to another."""
    return source is not None and Ability.CHOSEN_PLACES in host.abilities & source.abilities


def _crosses(host: HostFacts, source: HostFacts | None) -> bool:
    return source is not None and is_mapped(host, source) and source.pool != host.pool


def needs_of(vm: VmFacts, host: HostFacts, source: HostFacts | None) -> Needs:
    """Say what must be chosen for a move: nothing where all disks are reached and the pool stays the same."""
    if not is_mapped(host, source) or vm.resident_on == host.id:
        return NO_NEEDS
    suggested = dict(suggested_disks(vm, host))
    places = tuple(Place(each, free_for_copies(each, host)) for each in places_for_disks(host))
    homeless = [each.disk for each in placed(vm, host, Maps()) if each.way is not Way.SHARED]
    cards = vm.cards if _crosses(host, source) else ()
    return Needs(
        tuple(DiskNeed(disk, places, suggested.get(disk.device)) for disk in homeless),
        tuple(CardNeed(card, host.networks, _network_for(card, host)) for card in cards),
    )


def _network_for(card: CardFacts, host: HostFacts) -> str | None:
    """Suggest the network of the same name, else the only one on a bridge of the same name."""
    if card.network in host.networks:
        return card.network
    alike = [network for network, bridge in host.bridges if bridge and bridge == card.bridge]
    return alike[0] if len(alike) == 1 and alike[0] in host.networks else None


def suggested(needs: Needs) -> Maps:
    """Answer the maps that take every suggestion; what has none is left out."""
    return Maps(
        tuple((each.disk.device, each.suggested) for each in needs.disks if each.suggested is not None),
        tuple((each.card.device, each.suggested) for each in needs.cards if each.suggested is not None),
    )


def crossing_findings(vm: VmFacts, host: HostFacts, source: HostFacts) -> Iterator[Finding]:
    """Say that a move leads into another pool, or that it cannot."""
    if not _crosses(host, source):
        yield blocker("pool_differs", f"{host.name} belongs to another pool.", "Choose a host of the same pool.")
        return
    yield note(
        "pool_crossed",
        f"{host.name} belongs to another pool: {vm.name} leaves its own, and its disks and networks with it.",
        "Where they go is chosen before the move begins.",
    )


def disks_findings(vm: VmFacts, host: HostFacts, maps: Maps | None) -> Iterator[Finding]:
    """Say of each disk whether it has a place. Without ``maps`` it is still to be chosen."""
    chosen = {} if maps is None else dict(maps.disks)
    disks = placed(vm, host, maps)
    for each in disks:
        if each.way is Way.UNREACHED:
            yield _homeless(each.disk, host, chosen, is_asked_later=maps is None)
    staying = {each.disk.device for each in disks if each.way is Way.SHARED}
    known = {each.disk.device for each in disks}
    for device in chosen:
        if device in staying or device not in known:
            why = f"stays where it is, which {host.name} reaches" if device in staying else f"is none of {vm.name}"
            yield _superfluous(f"Disk {device} {why}.", device)


def _homeless(disk: DiskFacts, host: HostFacts, chosen: dict[str, int], *, is_asked_later: bool) -> Finding:
    where = disk.repository_name or disk.path
    places = places_for_disks(host)
    if not places:
        return blocker(
            "storage_not_reached",
            f"Disk {disk.device} is on {where}, and {host.name} has no storage that takes it.",
            "Attach storage to the host, or choose another host.",
            device=disk.device,
            storage=where,
        )
    if disk.device in chosen:
        return blocker(
            "storage_unsuitable",
            f"What was chosen for disk {disk.device} is no storage that {host.name} can put it on.",
            f"Choose one of: {', '.join(each.name for each in places)}.",
            device=disk.device,
        )
    sentence = f"Disk {disk.device} is on {where}, which {host.name} does not reach, and no storage is chosen for it."
    if is_asked_later:
        return warning("disk_unmapped", sentence, ASKED_LATER, device=disk.device)
    return blocker("disk_unmapped", sentence, "Choose the storage that it goes to.", device=disk.device)


def cards_findings(vm: VmFacts, host: HostFacts, source: HostFacts, maps: Maps | None) -> Iterator[Finding]:
    """Say of each network card whether it has a network. Without ``maps`` it is still to be chosen."""
    is_crossing = _crosses(host, source)
    chosen = {} if maps is None else dict(maps.cards)
    for card in vm.cards if is_crossing else ():
        network = _network_for(card, host) if maps is None else chosen.get(card.device)
        if network is None:
            yield _unconnected(card, host, is_asked_later=maps is None)
        elif network not in host.networks:
            yield network_missing(network, host.name)
    known = {card.device for card in vm.cards}
    for device in chosen:
        if not is_crossing or device not in known:
            why = "keeps its network: the pool stays the same" if device in known else f"is none of {vm.name}"
            yield _superfluous(f"Network card {device} {why}.", device)


def _unconnected(card: CardFacts, host: HostFacts, *, is_asked_later: bool) -> Finding:
    sentence = f"{host.name} has no network {card.network}, and no other is chosen for network card {card.device}."
    if is_asked_later and host.networks:
        return warning("network_unmapped", sentence, ASKED_LATER, device=card.device, network=card.network)
    remedy = "Choose the network that it goes to." if host.networks else "Choose a host that has networks."
    return blocker("network_unmapped", sentence, remedy, device=card.device, network=card.network)


def _superfluous(sentence: str, device: str) -> Finding:
    return blocker("map_superfluous", sentence, "Leave it out of the map.", device=device)


def arriving(vm: VmFacts, host: HostFacts, source: HostFacts | None, maps: Maps) -> tuple[tuple[CardFacts, str], ...]:
    """List the network cards that change their network on the way, each with its new one."""
    chosen = dict(maps.cards) if _crosses(host, source) else {}
    return tuple((card, chosen[card.device]) for card in vm.cards if card.device in chosen)
