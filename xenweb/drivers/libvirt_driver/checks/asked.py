"""What a check may ask, and how one that fails is told without hiding the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Flag, auto

import libvirt

from xenweb.core.placement import Finding, warning
from xenweb.drivers.contract import DriverError, MigrationPlan
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.description import DomainDescription
from xenweb.drivers.libvirt_driver.errors import sentence_of
from xenweb.drivers.libvirt_driver.xen.probing import Probes

NO_DOMAIN = description.domain("<domain/>")


class Need(Flag):
    """What a check cannot do without."""

    SOURCE = auto()
    TARGET = auto()
    VM = auto()


@dataclass(frozen=True, slots=True)
class Asked:
    """Both hosts and the VM, as far as they answer; None (and no description) where one does not.

    A check that needs one of them is not made without it: see ``has``.
    """

    plan: MigrationPlan
    source: libvirt.virConnect = None
    target: libvirt.virConnect = None
    domain: libvirt.virDomain = None
    described: DomainDescription = NO_DOMAIN
    probes: Probes = field(default_factory=Probes)

    @property
    def has(self) -> Need:
        """Say what there is to ask."""
        found = Need(0)
        if self.source is not None:
            found |= Need.SOURCE
        if self.target is not None:
            found |= Need.TARGET
        if self.domain is not None:
            found |= Need.VM
        return found


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what it looks at in the words of a sentence, what it needs, and how it looks."""

    subject: str
    needs: Need
    look: Callable[[Asked], Iterator[Finding]]


def guarded(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what a check finds; whatever goes wrong in it becomes a finding that names the check."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except Exception as error:  # noqa: BLE001 - a check must not hide the others, whatever it trips over
        found.append(
            warning(
                "check_failed",
                f"The check of {subject} could not be made: {_words(error)}",
                "Look at this yourself before you rely on the move.",
                check=subject,
            )
        )
    yield from found


def _words(error: Exception) -> str:
    if isinstance(error, libvirt.libvirtError):
        return sentence_of(error)
    if isinstance(error, DriverError):
        return error.sentence
    return f"{type(error).__name__}."
