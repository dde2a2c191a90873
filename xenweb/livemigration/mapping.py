"""Where disks and network cards go: between what is judged, what a row keeps, what is shown, what the history says."""

from xenweb.core.facts import CardFacts, Maps
from xenweb.core.findings import Fact
from xenweb.core.maps import Needs
from xenweb.core.storage import Placed
from xenweb.livemigration.models import Migration
from xenweb.realtime.wire_places import CardNeedWire, DiskNeedWire, MovedCardWire, MovedDiskWire, NeedsWire, PlaceWire

Stored = dict[str, str | int]


def maps_stored(maps: Maps | None) -> dict[str, list[list[str | int]]] | None:
    """Shape what was asked for as a row keeps it; in one order, so that asking again for the same is the same."""
    if maps is None:
        return None
    return {"disks": sorted([*each] for each in maps.disks), "cards": sorted([*each] for each in maps.cards)}


def disk_stored(each: Placed) -> Stored:
    """Shape a disk that is copied as a row keeps it, with the repository that it goes to."""
    kept: Stored = {"device": each.disk.device, "path": each.disk.path, "capacity": each.disk.capacity or 0}
    if each.repository is not None:
        there = each.repository
        kept |= {"repository": there.identity, "repository_id": there.id, "repository_name": there.name}
    return kept


def card_stored(card: CardFacts, network: str) -> Stored:
    """Shape a network card that changes its network as a row keeps it."""
    return {"device": card.device, "address": card.address, "network": card.network, "new_network": network}


def maps_facts(row: Migration) -> dict[str, Fact]:
    """Say for the history where a move's disks and network cards go; nothing if all stay."""
    disks = tuple(f"{each['device']} to {each['repository_name']}" for each in row.copied_disks)
    cards = tuple(f"{each['device']} to {each['new_network']}" for each in row.cards)
    return {**({"disks": disks} if disks else {}), **({"network_cards": cards} if cards else {})}


def moved_disks(row: Migration) -> list[MovedDiskWire]:
    """Shape the disks that a move copies; rows of an older version do not say where to."""
    return [
        MovedDiskWire(device=each["device"], capacity=each["capacity"], storage=each.get("repository_name"))
        for each in row.copied_disks
    ]


def moved_cards(row: Migration) -> list[MovedCardWire]:
    """Shape the network cards that change their network."""
    return [
        MovedCardWire(
            device=each["device"], address=each["address"], network=each["network"], new_network=each["new_network"]
        )
        for each in row.cards
    ]


def needs_wire(needs: Needs) -> NeedsWire | None:
    """Shape what a move must be told; None if nothing."""
    if not needs:
        return None
    return NeedsWire(
        disks=[
            DiskNeedWire(
                device=each.disk.device,
                capacity=each.disk.capacity,
                storage=each.disk.repository_name or None,
                places=[
                    PlaceWire(storage=place.repository.id, name=place.repository.name, free=place.free)
                    for place in each.places
                ],
                suggested=each.suggested,
            )
            for each in needs.disks
        ],
        cards=[
            CardNeedWire(
                device=each.card.device,
                address=each.card.address,
                network=each.card.network,
                networks=list(each.networks),
                suggested=each.suggested,
            )
            for each in needs.cards
        ],
    )
