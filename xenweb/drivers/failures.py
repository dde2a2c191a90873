"""How a driver says that it could not: one tree, each with a code, a sentence, a remedy and facts."""

from typing import ClassVar

from xenweb.core.findings import Fact, OwnWords, own_words
from xenweb.core.migration import Unclear


class DriverError(Exception):
    """Root of all that a driver can fail with: a code, a sentence, a remedy, facts."""

    code: ClassVar[str] = "driver_error"
    remedy: ClassVar[str] = "Look at the host's own log."

    def __init__(self, sentence: str, **facts: Fact) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = facts

    @property
    def own_words(self) -> OwnWords | None:
        """Answer what the hypervisor's pool itself said, if it did."""
        return own_words(self.facts)


class HostUnreachableError(DriverError):
    """The host did not answer, or the connection to it was lost."""

    code = "host_unreachable"
    remedy = "Bring the host's daemon and its network back, then look again."


class DriverUnavailableError(DriverError):
    """The driver's own library is not installed on this machine."""

    code = "driver_unavailable"
    remedy = "Install the library that the sentence names."


class AddressRefusedError(DriverError):
    """A host address is not of the allow-listed form."""

    code = "address_refused"
    remedy = "Give the address in one of the forms that the sentence names."


class VmMissingError(DriverError):
    """The host does not know the VM."""

    code = "vm_missing"
    remedy = "The VM was moved or removed by someone else; look at the board again."


class DiskMissingError(DriverError):
    """The host has no such disk."""

    code = "disk_missing"
    remedy = "Nothing to do: there is nothing left to remove."


class MoveRefusedError(DriverError):
    """The hypervisor refused the move before it copied anything."""

    code = "move_refused"
    remedy = "Mend what the sentence names, then move again."


class DiskExistsError(MoveRefusedError):
    """The target already has a disk where a copy would go; nothing was touched."""

    code = "disk_exists"
    remedy = "If an earlier move left it behind, delete it on the storage page; else rename it."


class MoveCancelledError(DriverError):
    """The hypervisor gave the move up because it was asked to."""

    code = "move_cancelled"
    remedy = "Nothing to do."


class MoveBrokenError(DriverError):
    """The move ended with an error on the way; only asking both hosts tells where the VM is."""

    code = "move_broken"
    remedy = "See where the VM runs, and mend the cause before trying again."


class MoveLostError(MoveBrokenError):
    """Nobody tells any more how the move ended, or whether it did: it may go on, and the VM may yet arrive."""

    code = "move_lost"
    remedy = "Nothing to do at first: the VM is looked for until it arrives, or until the hypervisor tells an end."

    def __init__(self, unclear: Unclear, sentence: str, **facts: Fact) -> None:
        super().__init__(sentence, **facts)
        self.unclear = unclear


class NotSupportedError(DriverError):
    """The hypervisor cannot do what was asked, although the driver can."""

    code = "not_supported"
    remedy = "Choose another way; the capabilities say which there are."
