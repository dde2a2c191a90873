"""The one call of a move on Xen, and what the probes say of it.

Always peer to peer: libxl has nothing that would clear up after a client that died. Other flags and parameters
than these are refused by its driver; without LIVE the guest would stand still from the beginning.
"""

import ipaddress
import shlex
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import libvirt

from xenweb.core.quantities import Bytes, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import CompletedStats, MigrationPlan, PassMark, Phase, Progress
from xenweb.drivers.libvirt_driver.xen.probing import SeenMove, SeenPass

BASE_FLAGS: Final = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER


def flags_for(*, is_persistent: bool) -> int:
    """Build the flags of the call."""
    kept = libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    return int(BASE_FLAGS | kept if is_persistent else BASE_FLAGS)


def parameters_for(plan: MigrationPlan) -> dict[str, object]:
    """Build the parameters of the call: where the memory goes, if that is not where the target's name leads."""
    address = plan.target.migration_address
    return {libvirt.VIR_MIGRATE_PARAM_URI: f"tcp://{address}"} if address else {}


def address_for_source(plan: MigrationPlan) -> str:
    """Answer the target's address as the source must be told it.

    A name that only means this machine is of no use to another: then the migration address takes its place.
    """
    parts = urlsplit(plan.target.uri)
    address = plan.target.migration_address
    if not address or not _is_this_machine(parts.hostname or ""):
        return plan.target.uri
    login = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{login}{address}{parts.path}"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def command(plan: MigrationPlan, *, is_persistent: bool) -> str:
    """Write what ``virsh`` would be told for the same call."""
    words = ["virsh", "-c", plan.source.uri, "migrate", "--p2p", "--live"]
    if is_persistent:
        words += ["--persistent", "--undefinesource"]
    words += [plan.vm_uuid, address_for_source(plan)]
    if plan.target.migration_address:
        words += ["--migrateuri", f"tcp://{plan.target.migration_address}"]
    return shlex.join(words)


def newest(moves: Sequence[SeenMove], *, saves: bool, since: float = float("-inf")) -> SeenMove | None:
    """Answer the newest of a VM's helpers of one kind that began after a moment."""
    found = [each for each in moves if each.saves is saves and each.began >= since]
    return found[-1] if found else None


def marks_of(passes: Sequence[SeenPass]) -> tuple[PassMark, ...]:
    """Answer when each pass began, and with how much."""
    return tuple(PassMark(number, each.began, each.total) for number, each in enumerate(passes, 1))


def progress_of(stats: dict[str, int], seen: SeenMove | None, *, is_awaited: bool = False) -> Progress:
    """Say how far a move is: libxl tells the time alone, a probe the passes, once it sees the helper."""
    if not stats.get("type"):
        return Progress(Phase.NONE, passes=marks_of(seen.passes) if seen is not None else ())
    elapsed = Milliseconds(stats.get("time_elapsed", 0))
    if seen is None:
        return Progress(Phase.STARTING if is_awaited else Phase.COPYING, elapsed=elapsed)
    phase = Phase.SWITCHING if seen.suspend_asked is not None else Phase.COPYING
    if not seen.passes:
        return Progress(Phase.STARTING, elapsed=elapsed)
    last = seen.passes[-1]
    return Progress(
        phase=phase,
        elapsed=elapsed,
        pass_number=len(seen.passes),
        remaining=Bytes(max(0, last.total - last.done)),
        processed=Bytes(sum(each.done for each in seen.passes)),
        total=seen.passes[0].total,
        dirty_rate=_dirty_rate(seen.passes),
        passes=marks_of(seen.passes),
    )


def _dirty_rate(passes: Sequence[SeenPass]) -> BytesPerSecond | None:
    """Say how fast memory changes: what a pass began with was changed during the one before."""
    if len(passes) < 2:  # noqa: PLR2004 - it takes two
        return None
    before, last = passes[-2:]
    took = last.began - before.began
    return BytesPerSecond(last.total / took) if took > 0 else None


def completed_of(source: SeenMove | None, target: SeenMove | None, total: Milliseconds | None) -> CompletedStats:
    """Say what the two probes measured of a move that arrived; each moment is ours, give or take half a question.

    From the request to suspend until the memory was whole is one figure; until the guest was let go on, with its
    devices attached anew, is the other, and much the longer one.
    """
    if source is None:
        return CompletedStats(total=total)
    return CompletedStats(
        total=total,
        downtime=_between(source.suspend_asked, None if target is None else target.ran),
        transferred=Bytes(sum(each.done for each in source.passes)),
        passes=len(source.passes),
        memory_hand_over=_between(source.suspend_asked, None if target is None else target.results),
        marks=marks_of(source.passes),
    )


def _between(began: float | None, ended: float | None) -> Milliseconds | None:
    if began is None or ended is None or ended < began:
        return None
    return Milliseconds(round((ended - began) * 1000))
