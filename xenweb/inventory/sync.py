"""Lay what a host says over the rows, and tell the board what changed.

One transaction per look that brings news, in which no hypervisor is waited for. A look that is
older than what a row already knows changes nothing.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from xenweb.core.facts import HostState, StorageKind
from xenweb.drivers.contract import HostSnapshot, RepositorySnapshot
from xenweb.inventory import wiring
from xenweb.inventory.comparing import Compared, HostReading, compare
from xenweb.inventory.models import Host, Network, StorageAttachment, StorageRepository
from xenweb.inventory.unreached import unreached_remove
from xenweb.inventory.vm_rows import Said, vms_apply, vms_confirm
from xenweb.realtime.events import HostChanged, StorageRepositoryChanged
from xenweb.realtime.publish import News, publish, publish_all, writing

MOST_TOGETHER = 250
"""So many VMs are written in one turn at most: moves wait for theirs meanwhile."""

SAY_AGAIN_AFTER = timedelta(seconds=5)
"""A host with nothing new is told this often: a board that hears of no host for longer knows that it hears nothing."""


def reading_apply(host_id: int, reading: HostReading) -> None:
    """Lay one look at a host over the rows and publish what changed.

    Most looks bring nothing new. That is found out before the turn to publish is taken: whoever has it holds up all
    others. Those that do bring news wait for their turn together, and are written in one.
    """
    host = _host(host_id)
    if host is None or _is_outrun(host, reading):
        return
    found = compare(host, reading)
    is_surrounding = _surroundings_are_news(host, reading.snapshot)
    if not (found.is_news or is_surrounding or _host_is_news(host, reading)):
        Host.objects.filter(pk=host.pk).update(as_of=reading.taken_at)
    else:
        _TOGETHER.write(Look(host_id, reading, found, is_surrounding))
    vms_confirm(host.pk, found.same, reading.taken_at)


@dataclass(eq=False, slots=True)
class Look:
    """A reading that brings news, what was found in it, and what became of it."""

    host: int
    reading: HostReading
    found: Compared
    has_surroundings: bool
    is_written: bool = False
    error: Exception | None = None

    @property
    def size(self) -> int:
        """Say how many VMs are to be written."""
        return len(self.found.differing) + len(self.found.unknown) + len(self.found.left)


class Together:
    """Lets looks that wait for the turn to publish be written by whoever of them gets it."""

    def __init__(self) -> None:
        self._turn, self._queue = threading.Lock(), threading.Lock()
        self._waiting: list[Look] = []

    def write(self, look: Look) -> None:
        """Write a look, and others that wait meanwhile; what fails, fails for all that were written together."""
        with self._queue:
            self._waiting.append(look)
        with self._turn:
            if look.is_written:
                if look.error is not None:
                    raise look.error
                return
            batch = self._batch(look)
            try:
                with writing():
                    _write(batch)
            except Exception as error:
                for each in batch:
                    each.error = error
                raise
            finally:
                for each in batch:
                    each.is_written = True

    def _batch(self, look: Look) -> list[Look]:
        with self._queue:
            self._waiting.remove(look)
            batch, size = [look], look.size
            for each in list(self._waiting):
                if size + each.size <= MOST_TOGETHER:
                    size += each.size
                    batch.append(each)
                    self._waiting.remove(each)
            return batch


_TOGETHER = Together()


def _is_outrun(host: Host, reading: HostReading) -> bool:
    return host.as_of is not None and reading.taken_at < host.as_of


def _write(looks: Sequence[Look]) -> None:
    hosts = {host.pk: host for host in _hosts().filter(pk__in=[look.host for look in looks])}
    looks = [look for look in looks if look.host in hosts and not _is_outrun(hosts[look.host], look.reading)]
    news, said = list[News](), list[Said]()
    for look in looks:
        host = hosts[look.host]
        news += _host_apply(host, look.reading)
        if look.has_surroundings:
            _surroundings_apply(host, look.reading.snapshot)
            host = hosts[look.host] = _hosts().get(pk=host.pk)
        said.append(Said(host, look.reading, look.found))
    publish_all(news)
    vms_apply(said)


@writing()
def host_unreachable(host_id: int, reason: str) -> None:
    """Note that a host does not answer; what it last said stays, with its age."""
    host = _host(host_id)
    if host is None or (host.state == HostState.UNREACHABLE and host.state_reason == reason):
        return
    host.state = HostState.UNREACHABLE
    host.state_reason = reason[:500]
    host.cpu_load = None
    host.save()
    publish(HostChanged(host=wiring.host_wire(host)), public=True)


def _hosts() -> QuerySet[Host]:
    rows = Host.objects.filter(removed=False).select_related("pool")
    return rows.prefetch_related("attachments__repository")


def _host(host_id: int) -> Host | None:
    return _hosts().filter(pk=host_id).first()


def _host_values(reading: HostReading) -> dict[str, str | int | float | list[str] | None]:
    said = reading.snapshot
    return {
        "uuid": said.uuid,
        "name": said.name,
        "hypervisor": said.hypervisor,
        "version": said.version,
        "architecture": said.architecture,
        "cpu_model": said.cpu_model,
        "cpu_count": said.cpu_count,
        "memory_total": said.memory_total,
        "memory_free": _memory_free(said),
        "cpu_load": None if reading.cpu_load is None else round(reading.cpu_load, 2),
        "capabilities": None if said.capabilities is None else sorted(each.value for each in said.capabilities),
        "state": HostState.CONNECTED,
        "state_reason": "",
        "takes_vms": said.enabled,
    }


def _is_old(as_of: datetime | None, now: datetime) -> bool:
    every = SAY_AGAIN_AFTER.total_seconds()
    return as_of is None or int(as_of.timestamp() / every) != int(now.timestamp() / every)


def _host_is_news(host: Host, reading: HostReading) -> bool:
    if _is_old(host.as_of, reading.taken_at):
        return True
    return any(getattr(host, name) != value for name, value in _host_values(reading).items())


def _surroundings_are_news(host: Host, said: HostSnapshot) -> bool:
    """Say whether a host's repositories or networks are otherwise than their rows."""
    known = {each.repository.identity: each.repository for each in host.attachments.all()}
    if known.keys() != {each.identity for each in said.repositories}:
        return True
    if any(_repository_is_news(known[each.identity], each) for each in said.repositories):
        return True
    networks, bridges = dict(host.networks.values_list("name", "bridge")), dict(said.bridges)
    return networks != {name: bridges.get(name, networks.get(name)) for name in said.networks}


def _surroundings_apply(host: Host, said: HostSnapshot) -> None:
    reached = {each.repository.identity for each in host.attachments.all()}
    _repositories_apply(host, said.repositories)
    _networks_apply(host, said.networks, dict(said.bridges))
    if reached != {each.identity for each in said.repositories}:
        unreached_remove(host.pool_id)


def _host_apply(host: Host, reading: HostReading) -> Iterator[News]:
    before = wiring.host_wire(host)
    for name, value in _host_values(reading).items():
        setattr(host, name, value)
    host.as_of = reading.taken_at
    host.save()
    after = wiring.host_wire(host)
    if after.model_copy(update={"as_of": before.as_of}) != before or _is_old(before.as_of, reading.taken_at):
        yield News(HostChanged(host=after), public=True)


def _memory_free(said: HostSnapshot) -> int | None:
    """Say what may still be promised: hypervisors let themselves be overbooked, we do not."""
    if said.memory_free is None:
        return None
    claimed = sum(vm.memory for vm in said.vms if vm.active and not vm.incoming)
    return max(0, min(said.memory_free, said.memory_total - claimed))


def _repositories_apply(host: Host, said: Iterable[RepositorySnapshot]) -> None:
    known = {attachment.repository.identity: attachment for attachment in host.attachments.all()}
    for snapshot in said:
        if snapshot.identity in known:
            row, is_new = known[snapshot.identity].repository, False
        else:
            row, is_new = StorageRepository.objects.get_or_create(
                pool=host.pool,
                identity=snapshot.identity,
                defaults={"name": snapshot.name, "kind": snapshot.kind, "storage": snapshot.storage},
            )
        is_news = _repository_is_news(row, snapshot)
        if is_news or is_new:
            row.name, row.kind, row.storage = snapshot.name, snapshot.kind, _storage(row, snapshot)
            row.capacity, row.available = snapshot.capacity, snapshot.available
            row.save()
        attachment = known.pop(snapshot.identity, None)
        if attachment is None:
            StorageAttachment.objects.create(host=host, repository=row, path=snapshot.path)
        if attachment is None or is_news or is_new:
            _publish_repository(row.pk)
    for attachment in known.values():
        attachment.delete()
        _publish_repository(attachment.repository_id)


def _storage(row: StorageRepository, said: RepositorySnapshot) -> str:
    # A host without a probe does not know: what another has told stays.
    return row.storage if said.storage is StorageKind.UNKNOWN else said.storage.value


def _repository_is_news(row: StorageRepository, said: RepositorySnapshot) -> bool:
    # Free space drifts all the time; a step of 1 % is news, a sector is not.
    drift = abs((row.available or 0) - (said.available or 0))
    is_sized_anew = drift * 100 > (said.capacity or 1) or row.capacity != said.capacity
    return is_sized_anew or (row.name, row.kind, row.storage) != (said.name, said.kind, _storage(row, said))


def _publish_repository(repository_id: int) -> None:
    rows = StorageRepository.objects.select_related("pool").prefetch_related("attachments__host")
    publish(
        StorageRepositoryChanged(storage_repository=wiring.repository_wire(rows.get(pk=repository_id))),
        public=True,
    )


def _networks_apply(host: Host, names: Iterable[str], bridges: Mapping[str, str]) -> None:
    wanted, known = set(names), {network.name: network for network in host.networks.all()}
    for name in wanted - set(known):
        known[name] = Network.objects.get_or_create(pool=host.pool, name=name)[0]
        known[name].hosts.add(host)
    for name, network in known.items():
        if name not in wanted:
            network.hosts.remove(host)
        elif network.bridge != bridges.get(name, network.bridge):
            network.bridge = bridges[name]
            network.save()


__all__ = ["HostReading", "host_unreachable", "reading_apply"]
