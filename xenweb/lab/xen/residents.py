"""Reads the table of ``xl list``: what the hypervisor itself says of the guests on a host."""

from dataclasses import dataclass
from typing import Final

COLUMNS: Final = 6
CONTROL: Final = 0


@dataclass(frozen=True, slots=True)
class Resident:
    """A guest as the hypervisor knows it: ``memory`` in MiB, ``flags`` as xl writes them, ``cpu_seconds`` used.

    The flags are running, blocked, paused, shut down, crashed, dying: ``-b----``; six dashes mean ready to run.
    """

    name: str
    number: int
    memory: int
    vcpus: int
    flags: str
    cpu_seconds: float

    @property
    def is_stopped(self) -> bool:
        """Whether it cannot run on as it is: paused, shut down, crashed or dying."""
        return any(flag in self.flags for flag in "pscd")


def residents(table: str) -> dict[str, Resident]:
    """Return the guests of one table by name, without the control domain; a line of another form is an error."""
    found = {}
    for line in table.splitlines()[1:]:
        name, *words = line.rsplit(maxsplit=COLUMNS - 1)
        number, memory, vcpus, flags, seconds = words
        if int(number) != CONTROL:
            found[name] = Resident(name, int(number), int(memory), int(vcpus), flags, float(seconds))
    return found
