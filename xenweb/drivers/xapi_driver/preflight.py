"""Ask a pool, host by host, what only it can say of a move; and look ourselves, for it tells one reason at a time."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from xenweb.core.facts import Kind
from xenweb.core.placement import CPU_FEATURES_LACKING, Finding, blocker, warning
from xenweb.drivers.contract import DriverError, Endpoint, MigrationPlan, Preflight
from xenweb.drivers.xapi_driver import checks
from xenweb.drivers.xapi_driver.addresses import parts
from xenweb.drivers.xapi_driver.checks import Asked
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.inventory import host_of, refuse_dead
from xenweb.drivers.xapi_driver.maps import End, disk_map, disk_uuid, migration_network, network_map, repository_for
from xenweb.drivers.xapi_driver.pools import Pools
from xenweb.drivers.xapi_driver.records import Record
from xenweb.drivers.xapi_driver.translating import in_our_words
from xenweb.drivers.xapi_driver.words import Names, said

SAME_AS = {
    "vm_requires_sr": "disk_not_there",
    "vm_requires_vdi": "disk_not_there",
    "vm_requires_net": "network_missing",
    "vm_requires_network": "network_missing",
    "host_cannot_attach_network": "network_missing",
    "other_operation_in_progress": "vm_busy",
    "vm_bad_power_state": "vm_state_changed",
    "vm_has_pci_attached": "host_device",
    "vm_has_vgpu": "host_device",
    "vm_has_vusbs": "host_device",
    "sr_full": "storage_full",
    "too_many_storage_migrates": "host_copies_enough",
    "host_not_live": "host_unreachable",
}
"""XAPI's reasons that we tell by the names which all drivers share."""

NO_SUCH_CHECK = frozenset(
    {"MESSAGE_METHOD_UNKNOWN", "MESSAGE_REMOVED", "MESSAGE_PARAMETER_COUNT_MISMATCH", "NOT_IMPLEMENTED"}
)
Look = Callable[[], Iterator[Finding]]


def preflight_of(plan: MigrationPlan, pools: Pools) -> Preflight:
    """Make every check that can be made, and write the same call for a person."""
    asked, findings = _reached(plan, pools)
    for subject, look in _looks(asked):
        findings += guarded(subject, look)
    if not any(each.code == "vm_state_changed" for each in findings):
        findings += guarded("what the pool says", partial(_asked_of_the_pool, asked, {each.code for each in findings}))
    return Preflight(tuple(findings), command(asked))


def _reached(plan: MigrationPlan, pools: Pools) -> tuple[Asked, list[Finding]]:
    findings: list[Finding] = []
    source = _end(pools, plan.source, "source_unreachable", findings)
    target = _end(pools, plan.target, "host_unreachable", findings)
    vm = None
    if source is not None:
        try:
            vm = source.pool.record("VM", source.pool.by_uuid("VM", plan.vm_uuid))
        except RefusedError:
            findings.append(
                blocker(
                    "vm_missing",
                    f"{plan.source.name} does not know {plan.vm_name}.",
                    "The VM was moved or removed by someone else; look at the board again.",
                )
            )
        except DriverError as error:
            findings.append(blocker("vm_undescribed", error.sentence, error.remedy, host=plan.source.name))
    return Asked(plan, source, target, vm), findings


def _end(pools: Pools, endpoint: Endpoint, code: str, findings: list[Finding]) -> End | None:
    """Reach one host; one that does not answer is a finding like any other."""
    try:
        with in_our_words(endpoint):
            pool = pools.reach(endpoint)
            tables = pool.view.look()
            host = host_of(tables, endpoint)
            refuse_dead(tables, host, endpoint.name)
            return End(pool, tables, host)
    except DriverError as error:
        findings.append(blocker(code, error.sentence, error.remedy, host=endpoint.name))
        return None


def _looks(asked: Asked) -> Iterator[tuple[str, Look]]:
    """List the checks that there is enough to make."""
    plan, vm, source, target = asked.plan, asked.vm, asked.source, asked.target
    if target is not None:
        yield "the target", partial(checks.target_host, plan, target)
    if target is not None and source is not None:
        yield "the versions", partial(checks.versions, plan, source, target)
        if source.pool is not target.pool:
            yield "the VM's identity", partial(checks.identity, plan, target)
    if vm is None or source is None:
        return
    yield "the VM's state", partial(checks.state, plan, vm)
    yield "the VM's place", partial(checks.place, plan, vm, source)
    yield "other work on the VM", partial(checks.work, plan, vm)
    if asked.operation == checks.SENDS:
        yield "the copies under way", partial(checks.copies, plan, vm, source)
    yield "what is forbidden", partial(checks.blocked, plan, vm, asked.operation)
    yield "the host's devices", partial(checks.hardware, plan, vm)
    yield "the guest tools", partial(checks.guest, plan, vm, source)
    if target is None:
        return
    yield "the CPU", partial(checks.processor, plan, vm, target)
    yield "the memory at this moment", partial(checks.memory_now, plan, vm, target)
    yield "the networks", partial(checks.networks, plan, vm, source, target)
    yield "the disks", partial(checks.disks, plan, vm, source, target)
    yield "the memory that is kept", partial(checks.image, asked)


def _asked_of_the_pool(asked: Asked, known: set[str]) -> Iterator[Finding]:
    """Make XAPI's own checks; what we have said already is not said twice."""
    plan, vm, source, target = asked.plan, asked.vm, asked.source, asked.target
    if vm is None or source is None or target is None or plan.kind is Kind.PAUSED:
        return
    names = Names(source.tables) if asked.is_one_pool else Names({**source.tables, **target.tables})
    for ask in _questions(asked, vm, source, target):
        try:
            ask()
        except RefusedError as error:
            saying = said(error, names)
            code = SAME_AS.get(saying.finding_code, saying.finding_code)
            if error.code in NO_SUCH_CHECK:
                yield warning(
                    "check_failed",
                    f"The pool's version does not make one of its own checks ({error.code}).",
                    "Look at what it would have checked yourself before you rely on the move.",
                )
            elif code not in known and not (code == CPU_FEATURES_LACKING and "cpu_vendor_differs" in known):
                known.add(code)
                yield blocker(code, saying.sentence, saying.remedy, **saying.facts)
        except DriverError as error:
            if not known & {"disk_not_there", "network_missing"}:
                yield blocker(error.code, error.sentence, error.remedy)


def _questions(asked: Asked, vm: Record, source: End, target: End) -> Iterator[Callable[[], object]]:
    plan = asked.plan
    if plan.kind is Kind.LIVE:
        yield partial(source.pool.call, "VM.assert_operation_valid", vm.ref, asked.operation)
    if asked.operation == "pool_migrate":
        if plan.kind is Kind.LIVE:
            yield partial(source.pool.call, "VM.assert_can_boot_here", vm.ref, target.host.ref)
        return
    yield partial(_may_be_sent, plan, vm, source, target)


def _may_be_sent(plan: MigrationPlan, vm: Record, source: End, target: End) -> None:
    """Ask as for the move itself. What the target answers holds a session: it is passed on, and kept nowhere."""
    disks, nics = disk_map(plan, vm, source, target), network_map(plan, vm, source, target)
    network = migration_network(target, plan.target.migration_address)
    told = target.pool.call("host.migrate_receive", target.host.ref, network, {})
    source.pool.call("VM.assert_can_migrate", vm.ref, told, True, disks, nics, {})


def guarded(subject: str, look: Look) -> Iterator[Finding]:
    """Yield what a check finds; whatever goes wrong in it becomes a finding that names the check."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except Exception as error:  # noqa: BLE001 - a check must not hide the others, whatever it trips over
        words = error.sentence if isinstance(error, DriverError) else f"{type(error).__name__}."
        if isinstance(error, RefusedError):
            words = said(error, Names({})).sentence
        found.append(
            warning(
                "check_failed",
                f"The check of {subject} could not be made: {words}",
                "Look at this yourself before you rely on the move.",
                check=subject,
            )
        )
    yield from found


def command(asked: Asked) -> str:
    """Write what ``xe`` would be told for the same call; the password is in a file that its caller names."""
    plan, source, target = asked.plan, asked.source, asked.target
    if source is None or target is None:
        return ""
    at = parts(plan.source.uri)
    words = ["xe", "-s", at.host, "-p", str(at.port), "-u", at.user, "-pwf", "PASSWORD-FILE"]
    host = target.host.text_or("uuid")
    if asked.operation == "pool_migrate" and plan.kind is Kind.COLD:
        return shlex.join([*words, "vm-param-set", f"uuid={plan.vm_uuid}", f"affinity={host}"])
    words += ["vm-migrate", f"uuid={plan.vm_uuid}", f"host-uuid={host}", "live=true"]
    for disk in plan.copied_disks:
        sr = repository_for(target.tables, target.host.ref, disk)
        if sr is not None:
            words.append(f"vdi:{disk_uuid(disk.path)}={sr.text_or('uuid')}")
    if not asked.is_one_pool:
        there = parts(plan.target.uri)
        words += _cards_words(asked, source, target)
        words += [f"remote-master={there.host}", f"remote-username={there.user}", "remote-password=PASSWORD"]
    return shlex.join(words)


def _cards_words(asked: Asked, source: End, target: End) -> list[str]:
    """Write where each network card goes; nothing if that is not known, and then the move is refused as well."""
    if asked.vm is None:
        return []
    with suppress(DriverError):
        cards = network_map(asked.plan, asked.vm, source, target)
        vifs, networks = source.tables["VIF"], target.tables["network"]
        return [f"vif:{vifs[vif].text_or('uuid')}={networks[to].text_or('uuid')}" for vif, to in cards.items()]
    return []
