"""Judge a move once more, right before the call: the right, our facts, what the hosts say.

Every check is made whatever the others find, and all that is found is kept with the move.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.utils import timezone

from xenweb.accounts.policy import Action, Actor, decide
from xenweb.accounts.selectors import actor_for
from xenweb.core.facts import HostFacts, Kind, VmFacts, kind_for
from xenweb.core.findings import own_words
from xenweb.core.migration import State
from xenweb.core.placement import Finding, Severity, blocker, note
from xenweb.core.storage import copied_disks
from xenweb.drivers.contract import DriverError, HypervisorDriver, MigrationPlan, MovedVolume, Preflight
from xenweb.inventory.selectors import hosts_facts, vm_facts
from xenweb.livemigration.models import Migration
from xenweb.livemigration.plan import maps_of
from xenweb.livemigration.selectors import judged, promises
from xenweb.livemigration.transitions import Failure
from xenweb.realtime.wire import PreflightWire, finding_wire

FIRST_TOLD = frozenset({"vm_left_source", "vm_state_changed", "disks_changed", "override_revoked"})
"""Of several reasons why a move ends here, these explain the others."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the last look before the call says: why not, if not, all that was found, the same call for a person."""

    refusal: Failure | None
    preflight: PreflightWire | None = None
    command: str = ""
    volumes: tuple[MovedVolume, ...] = ()


def checked(row: Migration, driver: HypervisorDriver, plan: MigrationPlan) -> Checked:
    """Judge a move right before its call. Its age counts from before the first question."""
    actor = actor_for(row.requested_by_id)
    if actor is None or not decide(actor, Action.MOVE_VM, row.vm.team_id).allowed:
        sentence = f"{row.requested_by_name} may no longer move this VM."
        return Checked(Failure("right_revoked", sentence, "Ask a team lead."))
    taken_at = timezone.now()
    said = _said(driver, plan)
    vm, hosts = _facts(row)
    found = [*_not_as_asked(row, vm, hosts[row.target_id]), *_of_the_record(row, actor), *said.findings]
    verdict = judged(vm, hosts, row.target_id, found, maps_of(row))
    preflight = PreflightWire(taken_at=taken_at, findings=[finding_wire(each) for each in verdict.findings])
    standing = verdict.blockers_beside(row.override_codes)
    if not standing:
        return Checked(None, preflight, said.command, said.volumes)
    reason = next((each for each in standing if each.code in FIRST_TOLD), standing[0])
    return Checked(
        Failure(reason.code, reason.sentence, reason.remedy, own_words=own_words(dict(reason.facts))),
        preflight,
        said.command,
    )


def _said(driver: HypervisorDriver, plan: MigrationPlan) -> Preflight:
    try:
        return driver.preflight(plan)
    except DriverError as error:
        facts = tuple(error.facts.items())  # by pairs: an error may have a fact called code
        return Preflight((Finding(error.code, Severity.BLOCKER, error.sentence, error.remedy, facts),))


def _facts(row: Migration) -> tuple[VmFacts, dict[int, HostFacts]]:
    # Its own mark on the VM and its own promise do not stand in a move's way.
    vm = replace(vm_facts(row.vm), moving_as=None, resident_on=row.source_id)
    return vm, hosts_facts(timezone.now(), promises(without=row.pk))


def _not_as_asked(row: Migration, vm: VmFacts, target: HostFacts) -> Iterator[Finding]:
    """Compare the VM with what it was when the move was asked for."""
    if row.vm.resident_on_id != row.source_id:
        yield blocker(
            "vm_left_source",
            f"{row.vm_name} no longer runs on {row.source_name}.",
            "Look at the board again: somebody moved or stopped it meanwhile.",
        )
    if kind_for(vm.state) is not Kind(row.kind):
        yield blocker(
            "vm_state_changed",
            f"{row.vm_name} is {vm.state} by now, and this was asked for as a {row.kind} move.",
            "Ask for the move again: it will be another kind of move.",
        )
    if [disk.path for disk in copied_disks(vm, target, maps_of(row))] != [each["path"] for each in row.copied_disks]:
        yield blocker(
            "disks_changed",
            f"Which disks of {row.vm_name} must be copied to {row.target_name} has changed.",
            "Look at the verdict again, then move again.",
        )


def _of_the_record(row: Migration, actor: Actor) -> Iterator[Finding]:
    """Look at what the rows know beside the hosts: whether the override still holds, and whether the way ever did."""
    if row.override_codes and not decide(actor, Action.OVERRIDE_FINDING, row.vm.team_id).allowed:
        yield blocker(
            "override_revoked",
            f"{row.requested_by_name} may no longer override what forbids this move.",
            "Ask an administrator.",
        )
    ways = Migration.objects.filter(state=State.DONE, source=row.source_id, target=row.target_id)
    last = ways.order_by("-ended_at").values_list("ended_at", flat=True).first()
    if last is not None:
        yield note(
            "connection_proven_before",
            f"{row.source_name} reached {row.target_name} when a VM last moved that way, "
            f"on {last:%Y-%m-%d at %H:%M} UTC.",
            "Nothing to do, unless the network or the hosts' keys have changed since.",
            at=last.isoformat(),
        )
