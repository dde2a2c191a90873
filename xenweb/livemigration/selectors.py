"""Read moves and verdicts, as one person may see them."""

from collections.abc import Iterable
from itertools import chain

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from xenweb.accounts.policy import Action, Actor, decide, visible_teams
from xenweb.core.facts import HostFacts, Hypervisor, Kind, Maps, VmFacts, kind_for
from xenweb.core.maps import Needs, needs_of
from xenweb.core.migration import ACTIVE, State
from xenweb.core.placement import Finding, Verdict, judge
from xenweb.core.quantities import Bytes
from xenweb.core.storage import copied_bytes
from xenweb.drivers.contract import Capability, MoveOptions
from xenweb.drivers.registry import driver_for
from xenweb.inventory.models import VirtualMachine
from xenweb.inventory.selectors import (
    LARGEST_ID,
    NO_COSTS,
    NO_PROMISE,
    Promise,
    capabilities_of,
    host_row,
    hosts_facts,
    obstacles_of,
    vm_facts,
    vm_row,
)
from xenweb.livemigration.errors import LeftoverDiskNotFoundError, MigrationNotFoundError
from xenweb.livemigration.foretelling import Past, Subject, foretell, past_for, published_error, rule_of
from xenweb.livemigration.guard_costs import guard_cost
from xenweb.livemigration.mapping import needs_wire
from xenweb.livemigration.models import CLOSED_AS_UNKNOWN, LeftoverDisk, Migration
from xenweb.livemigration.options import offered
from xenweb.livemigration.remembering import remembered
from xenweb.livemigration.storage_costs import costs_by_kind
from xenweb.livemigration.wiring import leftover_disk_wire, migration_wire
from xenweb.realtime.wire import (
    ForecastWire,
    LeftoverDiskWire,
    MigrationWire,
    VerdictsWire,
    VerdictWire,
    finding_wire,
)

KEPT_ON_BOARD = 24
"""So many ended moves stay in the snapshot of the board."""


def _visible(actor: Actor) -> QuerySet[Migration]:
    rows = Migration.objects.with_all()
    teams = visible_teams(actor)
    return rows if teams is None else rows.filter(vm__team_id__in=teams)


def _personal(actor: Actor, row: Migration) -> MigrationWire:
    wire = migration_wire(row)
    if not decide(actor, Action.MOVE_VM, row.vm.team_id).allowed:
        wire = wire.model_copy(update={"cancellable": False, "offers": []})
    if not decide(actor, Action.CLOSE_MOVE, row.vm.team_id).allowed:
        wire = wire.model_copy(update={"closable": False})
    if not decide(actor, Action.REMOVE_DISK, row.vm.team_id).allowed:
        disks = [disk.model_copy(update={"removable": False}) for disk in wire.leftover_disks]
        wire = wire.model_copy(update={"leftover_disks": disks})
        if wire.guard is not None:
            guard = wire.guard.model_copy(update={"can_roll_back": False, "removable": False})
            wire = wire.model_copy(update={"guard": guard})
    return wire


def migration_row_for(actor: Actor, migration_id: str) -> Migration:
    """Answer one visible move's row; raise MigrationNotFoundError."""
    row = _visible(actor).filter(pk=migration_id.replace("-", "").upper()).first()
    if row is None:
        raise MigrationNotFoundError
    return row


def migration_for(actor: Actor, migration_id: str) -> MigrationWire:
    """Answer one move; raise MigrationNotFoundError for foreign and unknown alike."""
    return _personal(actor, migration_row_for(actor, migration_id))


def _leftover_disks(actor: Actor) -> QuerySet[LeftoverDisk]:
    rows = LeftoverDisk.objects.select_related("host", "migration__vm__team")
    # Of a move that was closed nobody knew which copy is left over: where the VM is now, it is its own.
    closed = Q(migration__failure_code=CLOSED_AS_UNKNOWN, removed_at=None)
    rows = rows.exclude(closed, host=F("migration__vm__resident_on"))
    teams = visible_teams(actor)
    return rows if teams is None else rows.filter(migration__vm__team_id__in=teams)


def leftover_disk_row_for(actor: Actor, key: str) -> LeftoverDisk:
    """Answer one visible disk that a move has left; raise LeftoverDiskNotFoundError."""
    is_id = key.isascii() and key.isdigit() and int(key) <= LARGEST_ID
    row = _leftover_disks(actor).filter(pk=int(key)).first() if is_id else None
    if row is None:
        raise LeftoverDiskNotFoundError
    return row


def leftover_disks_for(actor: Actor) -> list[LeftoverDiskWire]:
    """List the disks that moves have left on hosts and that are still there."""
    return [_personal_disk(actor, row) for row in _leftover_disks(actor).filter(removed_at=None)]


def _personal_disk(actor: Actor, row: LeftoverDisk) -> LeftoverDiskWire:
    wire = leftover_disk_wire(row)
    may = decide(actor, Action.REMOVE_DISK, row.migration.vm.team_id).allowed
    return wire if may else wire.model_copy(update={"removable": False})


def migrations_for(
    actor: Actor,
    *,
    vm: str | None = None,
    states: tuple[State, ...] | None = None,
    active: bool | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[MigrationWire], str | None]:
    """List moves, newest first, and the cursor of the next page (None at the end)."""
    rows = _visible(actor)
    if vm is not None:
        rows = rows.filter(vm=vm_row(actor, vm))
    if states is not None:
        rows = rows.filter(state__in=states)
    if active is not None:
        rows = rows.filter(state__in=ACTIVE) if active else rows.exclude(state__in=ACTIVE)
    if cursor is not None:
        after = migration_row_for(actor, cursor)
        earlier = Q(requested_at=after.requested_at, pk__lt=after.pk)
        rows = rows.filter(Q(requested_at__lt=after.requested_at) | earlier)
    page = list(rows[: limit + 1])
    following = page[limit - 1].pk if len(page) > limit else None
    return [_personal(actor, row) for row in page[:limit]], following


def board_migrations_for(actor: Actor) -> list[MigrationWire]:
    """List the active moves and the newest ended ones."""
    rows = _visible(actor)
    active = rows.filter(state__in=ACTIVE)
    ended = rows.exclude(state__in=ACTIVE)[:KEPT_ON_BOARD]
    return [_personal(actor, row) for row in chain(active, ended)]


def unfinished() -> list[Migration]:
    """List the moves that have not ended, oldest first."""
    return list(Migration.objects.filter(state__in=ACTIVE).select_related("vm").order_by("requested_at"))


def takes_part(host: int) -> bool:
    """Say whether a move that has not ended leads from a host or to it, whether it has begun or waits."""
    return Migration.objects.filter(Q(source_id=host) | Q(target_id=host), state__in=ACTIVE).exists()


def migration_asked_as(user_id: int, idempotency_key: str) -> str | None:
    """Answer the id of the move that a person asked for under a key; None if there is none."""
    rows = Migration.objects.filter(requested_by_id=user_id, idempotency_key=idempotency_key)
    return rows.values_list("pk", flat=True).first()


def arriving_on(host: int) -> list[str]:
    """Name the VMs that are being moved to a host, or wait to be."""
    rows = Migration.objects.filter(target_id=host, state__in=ACTIVE).order_by("requested_at")
    return list(rows.values_list("vm_name", flat=True))


def promises(*, without: str = "") -> dict[int, Promise]:
    """Say what moves under way will still take from each host, by host id.

    ``without`` leaves one move out: its own promise does not stand in its way.
    """
    rows = Migration.objects.filter(state__in=ACTIVE).exclude(pk=without)
    found: dict[int, Promise] = {}
    for source, target, kind, memory, disk in rows.values_list(
        "source_id", "target_id", "kind", "vm_memory", "copied_bytes"
    ):
        found[source] = found.get(source, NO_PROMISE).with_leaving()
        # A halted VM takes no memory of its new host until somebody starts it.
        found[target] = found.get(target, NO_PROMISE).with_coming(0 if kind == Kind.COLD else memory, disk)
    return found


def facts_for_move(vm: VirtualMachine) -> tuple[VmFacts, dict[int, HostFacts]]:
    """Gather all facts that placing ``vm`` needs: its own and every host's."""
    facts = vm_facts(vm)
    # Only of VMs on Xen is said what their storage costs.
    costs = costs_by_kind() if facts.hypervisor == Hypervisor.XEN else NO_COSTS
    return facts, hosts_facts(timezone.now(), promises(), settings.XENWEB_MOVES[0], costs)


def source_of(vm: VmFacts, hosts: dict[int, HostFacts]) -> HostFacts | None:
    """Find the host that a VM is on among gathered facts."""
    return hosts.get(vm.resident_on) if vm.resident_on is not None else None


def judged(
    vm: VmFacts, hosts: dict[int, HostFacts], target: int, extra: Iterable[Finding] = (), maps: Maps | None = None
) -> Verdict:
    """Judge one target from gathered facts; without ``maps`` it is still to be chosen where disks and cards go."""
    return judge(vm, hosts[target], source_of(vm, hosts), extra, maps)


def _verdict_wire(verdict: Verdict, forecast: ForecastWire | None, needs: Needs) -> VerdictWire:
    return VerdictWire(
        host=verdict.host,
        answer=verdict.answer.value,
        findings=[finding_wire(finding) for finding in verdict.findings],
        memory_free_after=verdict.memory_free_after,
        memory_total=verdict.memory_total,
        facts_age_ms=None if verdict.facts_age is None else round(verdict.facts_age * 1000),
        forecast=forecast,
        needs=needs_wire(needs),
    )


def capabilities_for(vm: VirtualMachine) -> frozenset[Capability]:
    """Say what can be done about a move of a VM: its source is who works on it."""
    return driver_for(vm.pool.driver).capabilities if vm.resident_on is None else capabilities_of(vm.resident_on)


def verdicts_for(actor: Actor, vm_key: str) -> VerdictsWire:
    """Judge every host for one VM at once; raise VmNotFoundError."""
    vm = vm_row(actor, vm_key)
    facts, hosts = facts_for_move(vm)
    known = remembered(vm.pk, timezone.now())
    obstacles = obstacles_of(vm)
    verdicts = [
        judged(facts, hosts, host, () if host == vm.resident_on_id else (*obstacles, *known.get(host, ())))
        for host in hosts
    ]
    past = past_for(vm.pk, facts.resident_on or 0)

    def shaped(verdict: Verdict) -> VerdictWire:
        host = hosts[verdict.host]
        foretold = _foretold(vm, facts, verdict, copied_bytes(facts, host), past)
        return _verdict_wire(verdict, foretold, needs_of(facts, host, source_of(facts, hosts)))

    options = offered(capabilities_for(vm), kind_for(facts.state) or Kind.LIVE)
    disks = [each for each in facts.disks if not each.read_only]
    if not disks:
        # There is nothing to guard: a driver would refuse it.
        options = [each for each in options if each.name != "guard"]
    host = facts.resident_on
    is_offered = any(each.name == "guard" for each in options)
    return VerdictsWire(
        vm=vm.pk,
        source=facts.resident_on,
        verdicts=[shaped(verdict) for verdict in verdicts],
        options=options,
        guard=guard_cost(host, len(disks), facts.memory) if is_offered and host is not None else None,
        forecast_error=published_error(),
        may_override=decide(actor, Action.OVERRIDE_FINDING, vm.team_id).allowed,
    )


def verdict_for(actor: Actor, vm_key: str, host_key: str, maps: Maps) -> VerdictWire:
    """Judge one host for one VM whose disks and network cards go where ``maps`` say, and nowhere else.

    Raises VmNotFoundError or HostNotFoundError.
    """
    vm, host = vm_row(actor, vm_key), host_row(host_key)
    facts, hosts = facts_for_move(vm)
    verdict = judged(facts, hosts, host.pk, remembered(vm.pk, timezone.now()).get(host.pk, ()), maps)
    past = past_for(vm.pk, facts.resident_on or 0)
    foretold = _foretold(vm, facts, verdict, copied_bytes(facts, hosts[host.pk], maps), past)
    return _verdict_wire(verdict, foretold, needs_of(facts, hosts[host.pk], source_of(facts, hosts)))


def _foretold(vm: VirtualMachine, facts: VmFacts, verdict: Verdict, disk: Bytes, past: Past) -> ForecastWire | None:
    """Forecast the move to a host that can take the VM, with the hypervisor's own defaults."""
    if verdict.blockers or facts.resident_on is None or kind_for(facts.state) is Kind.COLD:
        return None
    rule = rule_of(facts.hypervisor, vm.resident_on.version if vm.resident_on else "")
    ends = (facts.resident_on, verdict.host)
    subject = Subject(rule, vm.pk, facts.memory, *ends, vm.dirty_rate, vm.dirty_rate_at, disk)
    return foretell(subject, MoveOptions(), past, timezone.now())
