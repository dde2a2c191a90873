"""Rows and plans into wire shapes."""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from xenweb.core.evacuation import Placing, Plan, Staying
from xenweb.core.facts import HostFacts
from xenweb.core.maintenance import ACTIVE, ENDABLE, MaintenanceState, Stage, stage_of
from xenweb.core.migration import State
from xenweb.core.placement import Verdict, memory_needed
from xenweb.maintenance.models import Maintenance, MaintenanceMove
from xenweb.realtime.maintenance_wire import (
    MaintenanceMoveWire,
    MaintenanceStayWire,
    MaintenanceWire,
    PlanHostWire,
    PlannedMoveWire,
    PlanTargetWire,
    StayingWire,
)
from xenweb.realtime.wire import finding_wire


def newest(rows: Iterable[MaintenanceMove]) -> list[MaintenanceMove]:
    """Answer the newest try of each VM and direction; expects the rows in their order."""
    return list({(row.vm_id, row.back): row for row in rows}.values())


def stage(row: MaintenanceMove) -> Stage:
    """Say how far a move is; expects its migration to be loaded with it."""
    move = None if row.migration is None else State(row.migration.state)
    return stage_of(move, is_refused=bool(row.refusal_code))


def _move_wire(row: MaintenanceMove) -> MaintenanceMoveWire:
    said = (row.refusal_code, row.refusal_sentence, row.refusal_remedy)
    if row.migration is not None:
        said = (row.migration.failure_code, row.migration.failure_sentence, row.migration.failure_remedy)
    code, sentence, remedy = (each or None for each in said)
    return MaintenanceMoveWire(
        id=row.pk,
        vm=row.vm_id,
        vm_name=row.vm_name,
        source=row.source_id,
        source_name=row.source_name,
        target=row.target_id,
        target_name=row.target_name,
        back=row.back,
        why=row.why,
        stage=stage(row).value,
        migration=row.migration_id,
        code=code,
        sentence=sentence,
        remedy=remedy,
    )


def maintenance_wire(row: Maintenance) -> MaintenanceWire:
    """Shape a maintenance; expects its moves and their migrations to be loaded with it."""
    held = {None: None, True: "hypervisor", False: "xenweb"}
    return MaintenanceWire.model_validate(
        {
            "id": row.pk,
            "host": row.host_id,
            "host_name": row.host_name,
            "state": MaintenanceState(row.state).value,
            "active": row.state in ACTIVE,
            "reason": row.reason,
            "requested_by": row.requested_by_name,
            "requested_at": row.requested_at,
            "held_by": held[row.held_by_hypervisor],
            "was_disabled": row.was_disabled,
            "closed_at": row.closed_at,
            "ready_at": row.ready_at,
            "ended_by": row.ended_by_name or None,
            "ended_at": row.ended_at,
            "moves": [_move_wire(each) for each in newest(row.moves.all())],
            "stays": [MaintenanceStayWire.model_validate(each) for each in row.stays],
            "code": row.failure_code or None,
            "sentence": row.failure_sentence or None,
            "remedy": row.failure_remedy or None,
            "own_words": row.failure_own_words,
            "endable": row.state in ENDABLE,
        }
    )


def digest(wire: MaintenanceWire) -> str:
    """Answer what changes whenever the shape does."""
    return sha256(wire.model_dump_json().encode()).hexdigest()


def _targets(verdicts: Iterable[Verdict], hosts: Mapping[int, HostFacts]) -> list[PlanTargetWire]:
    return [
        PlanTargetWire(
            host=each.host,
            host_name=hosts[each.host].name,
            answer=each.answer.value,
            findings=[finding_wire(finding) for finding in each.findings],
        )
        for each in verdicts
    ]


def planned_move_wire(move: Placing, hosts: Mapping[int, HostFacts]) -> PlannedMoveWire:
    """Shape a planned move."""
    return PlannedMoveWire(
        vm=move.vm.id,
        vm_name=move.vm.name,
        vm_state=move.vm.state.value,
        memory=move.vm.memory,
        target=move.target,
        target_name=hosts[move.target].name,
        why=finding_wire(move.why),
        warnings=[finding_wire(each) for each in move.warnings],
        targets=_targets(move.verdicts, hosts),
    )


def staying_wire(stay: Staying, hosts: Mapping[int, HostFacts]) -> StayingWire:
    """Shape a VM that stays."""
    return StayingWire(
        vm=stay.vm.id,
        vm_name=stay.vm.name,
        vm_state=stay.vm.state.value,
        memory=stay.vm.memory,
        left=stay.is_left,
        findings=[finding_wire(each) for each in stay.findings],
        targets=_targets(stay.verdicts, hosts),
    )


def plan_hosts_wire(plan: Plan, hosts: Iterable[HostFacts]) -> list[PlanHostWire]:
    """Say what a plan makes of the memory of each host that it may send VMs to."""
    shapes = []
    for host in hosts:
        coming = [move.vm for move in plan.moves if move.target == host.id]
        free = None if host.memory_free is None else host.memory_free - host.memory_promised
        shapes.append(
            PlanHostWire(
                host=host.id,
                host_name=host.name,
                memory_total=host.memory_total,
                memory_free=free,
                memory_free_after=None if free is None else free - sum(memory_needed(vm) for vm in coming),
                coming=len(coming),
            )
        )
    return shapes
