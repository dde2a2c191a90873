"""The shapes of a host's maintenance and of its plan. Only those who see every VM get them."""

from datetime import datetime
from typing import Literal

from xenweb.realtime.wire import Answer, FindingWire, OwnWordsWire, Wire


class PlanTargetWire(Wire):
    """One host that a VM could be sent to, with every reason; what the plan promised of it before is taken off."""

    host: int
    host_name: str
    answer: Answer
    findings: list[FindingWire]


class PlannedMoveWire(Wire):
    """Where one VM goes and ``why`` there; ``warnings`` are what a person should know of that move."""

    vm: int
    vm_name: str
    vm_state: str
    memory: int
    target: int
    target_name: str
    why: FindingWire
    warnings: list[FindingWire]
    targets: list[PlanTargetWire]


class StayingWire(Wire):
    """A VM that stays on the host, with every reason; ``left`` says that it could go and is left by choice."""

    vm: int
    vm_name: str
    vm_state: str
    memory: int
    left: bool
    findings: list[FindingWire]
    targets: list[PlanTargetWire]


class PlanHostWire(Wire):
    """What the plan makes of one host's memory; None where the host does not say what it has free."""

    host: int
    host_name: str
    memory_total: int
    memory_free: int | None
    memory_free_after: int | None
    coming: int


class MaintenancePlanWire(Wire):
    """What would become of every VM of a host; nothing is stored by asking. The moves stand in their order.

    ``held_by`` says who keeps VMs away: the hypervisor, or we alone. ``disabled`` that another hand has
    disabled the host already. ``arriving`` are the names of VMs that are on their way to it now.
    """

    host: int
    host_name: str
    held_by: Literal["hypervisor", "xenweb"]
    disabled: bool
    arriving: list[str]
    moves: list[PlannedMoveWire]
    stays: list[StayingWire]
    hosts: list[PlanHostWire]


class MaintenanceStayWire(Wire):
    """A VM that was left on the host when its maintenance began, and why."""

    vm: int
    vm_name: str
    left: bool
    findings: list[FindingWire]


class MaintenanceMoveWire(Wire):
    """One move of a maintenance; ``code``, ``sentence`` and ``remedy`` say why it failed or was refused."""

    id: int
    vm: int
    vm_name: str
    source: int
    source_name: str
    target: int
    target_name: str
    back: bool
    why: str
    stage: Literal["to_ask", "refused", "waiting", "moving", "uncertain", "done", "failed", "cancelled"]
    migration: str | None
    code: str | None
    sentence: str | None
    remedy: str | None


class MaintenanceWire(Wire):
    """A host's maintenance. ``ready_at`` is when the host itself was asked and ran nothing.

    ``moves`` hold the newest try of each VM and direction. ``endable`` is what the state allows; who may is personal.
    ``own_words`` are the raw code and parameters of the pool that refused.
    """

    id: str
    host: int
    host_name: str
    state: Literal["asked", "closing", "moving", "ready", "opening", "uncertain", "ended", "failed"]
    active: bool
    reason: str
    requested_by: str
    requested_at: datetime
    held_by: Literal["hypervisor", "xenweb"] | None
    was_disabled: bool
    closed_at: datetime | None
    ready_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None
    moves: list[MaintenanceMoveWire]
    stays: list[MaintenanceStayWire]
    code: str | None
    sentence: str | None
    remedy: str | None
    own_words: OwnWordsWire | None
    endable: bool


class ReturnPlanWire(Wire):
    """Which VMs of an ended maintenance could go back to its host, and which cannot, with every reason."""

    host: int
    host_name: str
    moves: list[PlannedMoveWire]
    stays: list[StayingWire]
