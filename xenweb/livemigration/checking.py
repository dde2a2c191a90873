"""Judge a move once more, right before the call: the right, our facts, what the hosts say."""

from dataclasses import dataclass, replace

from django.utils import timezone

from xenweb.accounts.policy import Action, decide
from xenweb.accounts.selectors import actor_for
from xenweb.core.facts import Kind, kind_for
from xenweb.core.placement import Finding, Severity
from xenweb.core.storage import copied_disks
from xenweb.drivers.contract import DriverError, HypervisorDriver, MigrationPlan
from xenweb.inventory.selectors import hosts_facts, vm_facts
from xenweb.livemigration.models import Migration
from xenweb.livemigration.selectors import judged, promises
from xenweb.livemigration.transitions import Failure


@dataclass(frozen=True, slots=True)
class Checked:
    """What the last look before the call says: why not, if not, and the same call for a person."""

    refusal: Failure | None
    command: str = ""


def checked(row: Migration, driver: HypervisorDriver, plan: MigrationPlan) -> Checked:
    """Judge a move right before its call."""
    actor = actor_for(row.requested_by_id)
    if actor is None or not decide(actor, Action.MOVE_VM, row.vm.team_id).allowed:
        sentence = f"{row.requested_by_name} may no longer move this VM."
        return Checked(Failure("right_revoked", sentence, "Ask a team lead."))
    try:
        said = driver.preflight(plan)
    except DriverError as error:
        return Checked(Failure(error.code, error.sentence, error.remedy))
    blockers = _blockers(row, said.findings)
    refusal = Failure(blockers[0].code, blockers[0].sentence, blockers[0].remedy) if blockers else None
    return Checked(refusal, said.command)


def _blockers(row: Migration, said: tuple[Finding, ...]) -> tuple[Finding, ...]:
    # Its own mark on the VM and its own promise do not stand in a move's way.
    vm = replace(vm_facts(row.vm), moving_as=None)
    if vm.resident_on != row.source_id:
        return (
            Finding(
                "vm_left_source",
                Severity.BLOCKER,
                f"{row.vm_name} no longer runs on {row.source_name}.",
                "Look at the board again: somebody moved or stopped it meanwhile.",
            ),
        )
    if kind_for(vm.state) is not Kind(row.kind):
        return (
            Finding(
                "vm_state_changed",
                Severity.BLOCKER,
                f"{row.vm_name} is {vm.state} by now, and this was asked for as a {row.kind} move.",
                "Ask for the move again: it will be another kind of move.",
            ),
        )
    hosts = hosts_facts(timezone.now(), promises(without=row.pk))
    if [disk.path for disk in copied_disks(vm, hosts[row.target_id])] != [each["path"] for each in row.copied_disks]:
        changed = f"Which disks of {row.vm_name} must be copied to {row.target_name} has changed."
        return (Finding("disks_changed", Severity.BLOCKER, changed, "Look at the verdict again, then move again."),)
    return judged(vm, hosts, row.target_id, said).blockers
