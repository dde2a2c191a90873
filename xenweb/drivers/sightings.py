"""What a driver answers of one VM at one host, and of a move that brought it there."""

from dataclasses import dataclass

from xenweb.core.migration import Copy
from xenweb.core.quantities import Bytes, Milliseconds


@dataclass(frozen=True, slots=True)
class PassMark:
    """The start of one pass, ``at`` seconds on the caller's monotonic clock.

    ``left`` is what it began with, where the hypervisor counts that by itself.
    """

    pass_number: int
    at: float
    left: Bytes | None = None


@dataclass(frozen=True, slots=True)
class CompletedStats:
    """What the hypervisor measured of a finished move. None means not available.

    ``downtime`` is how long the VM stood still; ``memory_hand_over`` is the part of it until the memory was
    whole on the target. ``marks`` are the starts of passes, where they are known only now.
    """

    total: Milliseconds | None = None
    downtime: Milliseconds | None = None
    transferred: Bytes | None = None
    passes: int | None = None
    memory_hand_over: Milliseconds | None = None
    marks: tuple[PassMark, ...] = ()


@dataclass(frozen=True, slots=True)
class VmSighting:
    """What one host says of one VM when asked directly, by UUID.

    ``completed`` is what this host still knows of the move that brought the VM here. ``misread`` says that the
    VM runs although the host's daemon believes that it is paused, and that this can be put right. ``record`` is the
    one record that all hosts of a pool share of the VM, where there is such a thing; by its word the VM is
    ``elsewhere``, on the host of that name, and ``halted``. ``proven`` says that the
    hypervisor itself was asked, and not only a daemon that may be wrong about it.
    """

    copy: Copy
    busy: bool = False
    cpu_time: int | None = None
    completed: CompletedStats = CompletedStats()
    misread: bool = False
    record: str = ""
    elsewhere: str = ""
    halted: bool = False
    proven: bool = True
