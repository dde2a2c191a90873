"""Write down what looks at a running move show: the pass rows and the figures of now."""

from dataclasses import dataclass

from django.utils import timezone

from xenweb.core.precopy.passes import Track, expected_downtime, is_converging
from xenweb.core.precopy.storage import DiskTrack, share_of
from xenweb.core.quantities import Bytes, Milliseconds
from xenweb.livemigration.models import Migration, MigrationPass
from xenweb.livemigration.transitions import Figure, Lease, LeaseLostError
from xenweb.realtime.wire import ForecastWire


@dataclass(frozen=True, slots=True)
class Said:
    """What the hypervisor says of a move that no track shows: its own estimate of the pause, and its throttle."""

    downtime: Milliseconds | None = None
    throttle: int | None = None


@dataclass(frozen=True, slots=True)
class DisksSeen:
    """What was seen of the disks of a move, and what memory it has to copy besides."""

    track: DiskTrack
    copied: Bytes
    memory: Bytes


def _figures_of(disks: DisksSeen, track: Track) -> dict[str, Figure]:
    look = disks.track.last
    values: dict[str, Figure] = {"total_share": share_of(look, track.total, disks.copied, disks.memory)}
    if look is not None:
        values |= {"disk_total": look.total, "disk_processed": look.processed, "disk_remaining": look.remaining}
        if track.last is None:
            # Before memory is copied, the speed and the time are those of the disks.
            values |= {"elapsed": max(0, look.at), "transfer_rate": disks.track.rate}
    return values


def track_store(
    lease: Lease,
    track: Track,
    said: Said,
    forecast: ForecastWire | None,
    disks: DisksSeen | None,
) -> None:
    """Store a track's passes and figures in the caller's transaction, which tells them.

    Raises LeaseLostError if the move is driven by another.
    """
    last = track.last
    values: dict[str, Figure] = {
        "total_share": track.total,
        "pass_number": track.passes[-1].pass_number if track.passes else None,
        "remaining": last.remaining if last else None,
        "transferred": last.processed if last else None,
        "dirty_rate": last.dirty_rate if last else None,
        "transfer_rate": track.transfer_rate,
        "expected_downtime": expected_downtime(track, said.downtime),
        "elapsed": max(0, last.at) if last else None,
        "converging": is_converging(track),
        "as_of": timezone.now(),
    }
    if said.throttle is not None:
        # What it was last stays with the move: what a slowed VM changed says nothing of what it changes else.
        values["throttle"] = said.throttle
    if disks is not None:
        values |= _figures_of(disks, track)
    if forecast is not None:
        values["forecast_now"] = forecast.model_dump()
    if not Migration.objects.filter(pk=lease.migration, fence=lease.fence).update(**values):
        raise LeaseLostError(lease.migration)
    passes_store(lease.migration, track)


def passes_store(migration_id: str, track: Track) -> None:
    """Store the pass rows that a track has and the database has not, or has otherwise."""
    known = {row.pass_number: row for row in MigrationPass.objects.filter(migration_id=migration_id)}
    for each in track.passes:
        row = known.get(each.pass_number) or MigrationPass(migration_id=migration_id, pass_number=each.pass_number)
        values = {
            "started": each.started,
            "ended": each.ended,
            "remaining_at_start": each.remaining_at_start,
            "remaining_at_end": each.remaining_at_end,
            "transfer_rate": each.transfer_rate,
            "dirty_rate": each.dirty_rate,
        }
        if row.pk is None or any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            row.save()
