"""Rows into wire shapes, each figure with where it comes from."""

from xenweb.core.facts import Kind
from xenweb.core.guard import GuardState
from xenweb.core.migration import ACTIVE, CALLED, CANCELLABLE, CLOSABLE, Repair, State
from xenweb.core.precopy.storage import memory_share_in
from xenweb.core.quantities import Bytes
from xenweb.livemigration.mapping import moved_cards, moved_disks
from xenweb.livemigration.models import (
    CLOSED_AS_UNKNOWN,
    Guard,
    HeldVolume,
    LeftoverDisk,
    Migration,
    MigrationChoice,
    MigrationPass,
)
from xenweb.livemigration.offers import can_be_given_up, offers_for, tells_passes
from xenweb.realtime.wire import (
    ChoiceWire,
    Figure,
    ForecastWire,
    GuardWire,
    HeldVolumeWire,
    LeftoverDiskWire,
    MigrationWire,
    OverrideWire,
    OwnWordsWire,
    PassWire,
    PreflightWire,
    ProgressWire,
    Provenance,
)


def _figure(value: float | None, provenance: Provenance = "measured") -> Figure:
    return Figure(value=value, provenance="not_available" if value is None else provenance)


def pass_wire(row: MigrationPass) -> PassWire:
    """Shape one pass."""
    return PassWire(
        pass_number=row.pass_number,
        started_ms=row.started,
        ended_ms=row.ended,
        remaining_at_start=row.remaining_at_start,
        remaining_at_end=row.remaining_at_end,
        transfer_rate=row.transfer_rate,
        dirty_rate=row.dirty_rate,
        provenance="not_available" if row.remaining_at_start is None else "measured",
    )


def choice_wire(row: MigrationChoice) -> ChoiceWire:
    """Shape one choice."""
    return ChoiceWire(
        kind=row.kind,
        value=row.value,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        applied_at=row.applied_at,
        refusal=row.refusal or None,
    )


def leftover_disk_wire(row: LeftoverDisk) -> LeftoverDiskWire:
    """Shape a disk that was left behind; expects its host and its migration to be loaded with it."""
    return LeftoverDiskWire(
        id=row.pk,
        migration=row.migration_id,
        vm_name=row.migration.vm_name,
        host=row.host_id,
        host_name=row.host.name,
        path=row.path,
        size=row.size,
        partial=row.partial,
        since=row.since,
        asked_by=row.asked_by or None,
        removing=row.asked_at is not None and row.removed_at is None,
        removed_at=row.removed_at,
        refusal=row.refusal or None,
        removable=row.asked_at is None and row.removed_at is None,
    )


def _is_its_own(row: Migration, disk: LeftoverDisk) -> bool:
    """Say whether a disk lies where its VM is now, which a move that was closed could not know: then it is not left."""
    is_listed_twice = row.failure_code == CLOSED_AS_UNKNOWN and disk.removed_at is None
    return is_listed_twice and disk.host_id == row.vm.resident_on_id


def _held_volume_wire(row: HeldVolume) -> HeldVolumeWire:
    return HeldVolumeWire(
        host=row.host_id,
        host_name=row.host.name,
        path=row.path,
        since=row.since,
        refusal=row.refusal or None,
    )


def guard_wire(row: Guard, *, is_moving: bool) -> GuardWire:
    """Shape a guard; expects its host to be loaded with it."""
    is_free = row.state == GuardState.KEPT and not is_moving
    return GuardWire(
        id=row.pk,
        host=row.host_id,
        host_name=row.host.name,
        state=GuardState(row.state).value,
        automatic=row.automatic,
        with_memory=row.with_memory,
        reason=row.reason,
        paths=row.paths,
        done=row.done,
        total=row.total,
        expected_pause_ms=_figure(row.expected_pause, "estimated"),
        pause_ms=_figure(row.pause),
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        roll_back_by=row.roll_back_by or None,
        roll_back_reason=row.roll_back_reason or None,
        rolled_back_at=row.rolled_back_at,
        memory_back_at=row.memory_back_at,
        sentence=row.sentence or None,
        can_roll_back=is_free,
        removable=is_free,
    )


def _guard(row: Migration) -> GuardWire | None:
    guard: Guard | None = getattr(row, "guard", None)
    return None if guard is None else guard_wire(guard, is_moving=row.state in ACTIVE)


def _share(row: Migration, share: float | None) -> Figure:
    """Shape how much is done; a source that tells neither passes nor a share lets nobody say, before the end."""
    if row.state == State.DONE:
        return Figure(value=1.0, provenance="measured")
    if was_called(row) and not row.copied_bytes and not row.total_share and not tells_passes(row):
        return Figure(value=None, provenance="not_available")
    return Figure(value=share, provenance="estimated")


def _progress(row: Migration) -> ProgressWire:
    memory = memory_share_in(row.total_share, Bytes(row.copied_bytes), Bytes(row.vm_memory))
    return ProgressWire(
        total=_share(row, row.total_share),
        memory=_share(row, memory),
        pass_number=row.pass_number,
        remaining=_figure(row.remaining),
        transferred=_figure(row.transferred),
        dirty_rate=_figure(row.dirty_rate),
        transfer_rate=_figure(row.transfer_rate),
        expected_downtime_ms=_figure(row.expected_downtime, "estimated"),
        disk_total=_figure(row.disk_total),
        disk_processed=_figure(row.disk_processed),
        disk_remaining=_figure(row.disk_remaining),
        elapsed_ms=row.elapsed,
        converging=row.converging,
        throttle=_figure(row.throttle),
    )


def _is_cancellable(row: Migration) -> bool:
    return row.state in CANCELLABLE and row.cancel_requested_at is None and can_be_given_up(row)


def _is_held_up(row: Migration) -> bool:
    return row.state == State.CANCELLING and Repair.REMOVE_TARGET_COPY in row.repairs.split()


def _options(row: Migration) -> dict[str, int | bool | None]:
    return {
        "bandwidth_limit": row.bandwidth_limit,
        "downtime_limit_ms": row.downtime_limit,
        "auto_converge": row.auto_converge,
        "post_copy": row.post_copy,
        "guard": row.guard_wanted,
        "guard_memory": row.guard_memory,
    }


def migration_wire(row: Migration) -> MigrationWire:
    """Shape a migration; expects its passes to be loaded with it.

    ``cancellable`` and ``closable`` say what the state allows; who may is personal.
    """
    return MigrationWire(
        id=row.pk,
        vm=row.vm_id,
        vm_name=row.vm_name,
        vm_uuid=row.vm_uuid,
        source=row.source_id,
        source_name=row.source_name,
        target=row.target_id,
        target_name=row.target_name,
        kind=Kind(row.kind).value,
        copied_bytes=row.copied_bytes,
        moved_disks=moved_disks(row),
        moved_cards=moved_cards(row),
        state=row.state,
        active=row.state in ACTIVE,
        requested_by=row.requested_by_name,
        requested_at=row.requested_at,
        queue_place=row.queue_place if row.state == State.QUEUED else None,
        expected_start=row.expected_start if row.state == State.QUEUED else None,
        waits_because=row.waits_because or None if row.state == State.QUEUED else None,
        started_at=row.call_intended_at,
        ended_at=row.ended_at,
        options=_options(row),
        progress=_progress(row),
        passes=[pass_wire(each) for each in row.passes.all()],
        passes_told=tells_passes(row),
        downtime_ms=_figure(row.downtime),
        memory_hand_over_ms=_figure(row.memory_hand_over),
        total_ms=_figure(row.total, "measured" if row.total_is_measured else "estimated"),
        failure_code=row.failure_code or None,
        failure_sentence=row.failure_sentence or None,
        failure_remedy=row.failure_remedy or None,
        failure_own_words=row.failure_own_words and OwnWordsWire.model_validate(row.failure_own_words),
        preflight=row.preflight and PreflightWire.model_validate(row.preflight),
        override=_override(row),
        cancel_requested=row.cancel_requested_at is not None,
        cancellable=_is_cancellable(row),
        closable=row.state in CLOSABLE,
        held_up=_is_held_up(row),
        deadline=row.deadline,
        offers=offers_for(row),
        choices=[choice_wire(each) for each in row.choices.all()],
        leftover_disks=[leftover_disk_wire(each) for each in row.leftover_disks.all() if not _is_its_own(row, each)],
        held_volumes=[_held_volume_wire(each) for each in row.held_volumes.all() if each.released_at is None],
        guard=_guard(row),
        forecast=row.forecast and ForecastWire.model_validate(row.forecast),
        forecast_now=row.forecast_now and ForecastWire.model_validate(row.forecast_now),
        command=row.command,
        hypervisor=row.hypervisor,
        as_of=row.as_of,
    )


def _override(row: Migration) -> OverrideWire | None:
    if not row.override_codes:
        return None
    return OverrideWire(codes=row.override_codes, reason=row.override_reason, by=row.requested_by_name)


def was_called(row: Migration) -> bool:
    """Say whether the hypervisor may have been called for this move."""
    return row.call_intended_at is not None or row.state in CALLED
