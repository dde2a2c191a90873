"""The probes of Xen hosts: where each listens, the key it holds, and what an administrator has it mend."""

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from xenweb.accounts.administering import administering
from xenweb.accounts.policy import Action, Actor
from xenweb.audit.services import record
from xenweb.core.migration import Copy
from xenweb.drivers.contract import Capability, CopyAction, DriverError, Endpoint
from xenweb.drivers.registry import driver_for
from xenweb.inventory.credentials import CredentialLostError, seal
from xenweb.inventory.errors import AmbiguousNameError, ProbeRefusedError
from xenweb.inventory.models import Host
from xenweb.inventory.selectors import endpoint_of, endpoints_of_pool
from xenweb.realtime.publish import writing

_PLACE = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):([0-9]{1,5})")
_NOTHING_TO_LOSE: Final = frozenset({Copy.ABSENT, Copy.INACTIVE, Copy.NEVER_RAN})
MENDS: Final = {"remove": CopyAction.REMOVE, "resume": CopyAction.RESUME, "correct": CopyAction.CORRECT}


@dataclass(frozen=True, slots=True)
class ProbeState:
    """One host, where its probe listens, and whether it answers; ``says`` why not."""

    host: str
    place: str
    answers: bool
    says: str


def probe_set(by: Actor, host: str, place: str, key: str = "") -> str:
    """Note that a host's probe listens at HOST:PORT; answer the key that it must hold, a new one unless it has one.

    Earlier keys end. Raises AccountsForbiddenError, AmbiguousNameError or ProbeRefusedError; each is recorded.
    """
    with administering(by, Action.MANAGE_HOSTS, "probe_set", "host", host, place=place):
        row = _host_for_probe(host, place)
        key = key or secrets.token_hex(32)
        row.probe, row.probe_key = place, seal(key)
        row.save(update_fields=["probe", "probe_key"])
    return key


def probe_prepare(by: Actor, host: str, place: str) -> str:
    """Answer a new key for a host's probe that is about to be installed; the one that is noted holds until then.

    Raises AccountsForbiddenError, AmbiguousNameError or ProbeRefusedError; each is recorded.
    """
    with administering(by, Action.MANAGE_HOSTS, "probe_install", "host", host, place=place):
        _host_for_probe(host, place)
    return secrets.token_hex(32)


def _host_for_probe(host: str, place: str) -> Host:
    row = _host(host)
    found = _PLACE.fullmatch(place)
    if found is None or not 0 < int(found[2]) < 65536:  # noqa: PLR2004 - the ports there are
        msg = f"{place} is not HOST:PORT."
        raise ProbeRefusedError(msg)
    if not row.uri.startswith("xen"):
        msg = f"{row.name} is no Xen host: it needs no probe."
        raise ProbeRefusedError(msg)
    return row


def probe_unset(by: Actor, host: str) -> None:
    """Forget a host's probe. Raises AccountsForbiddenError or AmbiguousNameError."""
    with administering(by, Action.MANAGE_HOSTS, "probe_unset", "host", host):
        row = _host(host)
        row.probe = row.probe_key = ""
        row.save(update_fields=["probe", "probe_key"])


def probe_states() -> list[ProbeState]:
    """Ask every Xen host's probe whether it answers."""
    found = []
    for row in Host.objects.filter(removed=False, uri__startswith="xen").select_related("pool"):
        if not row.probe:
            found.append(ProbeState(row.name, "", answers=False, says="none is installed"))
            continue
        try:
            able = driver_for(row.pool.driver).inventory(endpoint_of(row)).capabilities or frozenset()
        except DriverError as error:
            found.append(ProbeState(row.name, row.probe, answers=False, says=error.sentence))
            continue
        is_there = Capability.PASSES in able
        says = "" if is_there else "it does not answer, or is not made for this Xen"
        found.append(ProbeState(row.name, row.probe, answers=is_there, says=says))
    return found


def probe_mend(by: Actor, host: str, vm_uuid: str, what: str) -> None:
    """Have a host mend its copy of a VM that no move is watched for any more; recorded with its outcome.

    Raises AccountsForbiddenError, AmbiguousNameError or ProbeRefusedError.
    """
    with administering(by, Action.MANAGE_HOSTS, "probe_mend", "host", host, vm=vm_uuid, what=what):
        row = _host(host)
        action = MENDS.get(what)
        if action is None:
            msg = f"{what} is none of {', '.join(MENDS)}."
            raise ProbeRefusedError(msg)
    try:
        if action is CopyAction.RESUME:
            _prove_alone(row, vm_uuid)
        if action is CopyAction.REMOVE:
            _prove_removable(row, vm_uuid)
        driver_for(row.pool.driver).repair(endpoint_of(row), vm_uuid, action)
    except (DriverError, ProbeRefusedError) as error:
        _record(by, row, vm_uuid, what, "failed", error.sentence)
        raise ProbeRefusedError(error.sentence) from error
    _record(by, row, vm_uuid, what, "done", "")


def _prove_alone(row: Host, vm_uuid: str) -> None:
    """Raise ProbeRefusedError unless every other host of the pool proves that it has no copy that could run."""
    driver = driver_for(row.pool.driver)
    for other in _others(row):
        said = driver.locate(other, vm_uuid)
        if not said.proven or said.copy not in {Copy.ABSENT, Copy.INACTIVE}:
            told = said.copy if said.proven else f"{said.copy}, by libvirt's word alone"
            msg = f"{other.name} does not prove that it has no copy of this VM ({told}): nothing is let go on."
            raise ProbeRefusedError(msg)


def _prove_removable(row: Host, vm_uuid: str) -> None:
    """Raise ProbeRefusedError unless the copy never ran, or Xen says that the VM runs on another host of the pool.

    A copy that stands still because of a cut link may be all that there is of the VM.
    """
    driver = driver_for(row.pool.driver)
    own = driver.locate(endpoint_of(row), vm_uuid)
    if own.proven and own.copy in _NOTHING_TO_LOSE:
        return
    for other in _others(row):
        with suppress(DriverError):
            said = driver.locate(other, vm_uuid)
            if said.proven and said.copy is Copy.RUNNING:
                return
    msg = f"No other host proves that this VM runs there: the copy on {row.name} may be the only one, and is kept."
    raise ProbeRefusedError(msg)


def _others(row: Host) -> list[Endpoint]:
    """Answer every other host of a host's pool, enabled or not: a copy runs wherever Xen runs."""
    try:
        return [each for each in endpoints_of_pool(row.pool_id) if each.host != row.pk]
    except CredentialLostError as error:
        raise ProbeRefusedError(error.sentence) from error


def _record(by: Actor, row: Host, vm_uuid: str, what: str, outcome: str, reason: str) -> None:
    with writing():
        record(
            actor=by.username,
            action="probe_mend",
            outcome=outcome,
            subject_kind="host",
            subject_id=str(row.pk),
            subject_name=row.name,
            reason=reason,
            facts={"vm": vm_uuid, "what": what},
        )


def _host(called: str) -> Host:
    rows = Host.objects.filter(removed=False).select_related("pool")
    found = [row for row in rows if called in {str(row.pk), row.name, row.uuid}]
    if len(found) != 1:
        msg = f"One host {called} is needed, there are {len(found)}."
        raise AmbiguousNameError(msg)
    return found[0]
