"""How inventory refuses."""

from typing import ClassVar

from xenweb.core.refusal import RefusalError, RefusalKind


class InventoryError(RefusalError):
    """Root of this package's refusals."""

    code: ClassVar[str] = "inventory_refused"


class VmNotFoundError(InventoryError):
    """There is no such VM, or none that this person may see: the answer is the same."""

    code = "vm_not_found"
    kind = RefusalKind.NOT_FOUND
    remedy = "Look at the board for the VMs that you may see."

    def __init__(self) -> None:
        super().__init__("There is no such VM.")


class HostNotFoundError(InventoryError):
    """There is no such host."""

    code = "host_not_found"
    kind = RefusalKind.NOT_FOUND
    remedy = "Look at the board for the hosts that there are."

    def __init__(self) -> None:
        super().__init__("There is no such host.")


class HostForbiddenError(InventoryError):
    """The person may not add or remove hosts."""

    code = "host_forbidden"
    kind = RefusalKind.FORBIDDEN
    remedy = "Ask an administrator."


class HostAddressRefusedError(InventoryError):
    """The address is not one of the forms that we take."""

    code = "address_refused"
    remedy = "Give hypervisor, transport and address, or a libvirt URI of the form the sentence names."


class HostExistsError(InventoryError):
    """The host is already on the board."""

    code = "host_exists"
    kind = RefusalKind.CONFLICT
    remedy = "Use the host that is there."


class HostBusyError(InventoryError):
    """The host takes part in a move."""

    code = "host_busy"
    kind = RefusalKind.CONFLICT
    remedy = "Wait for its moves to end, or cancel them."


class RepositoryNotFoundError(InventoryError):
    """There is no such storage repository."""

    code = "storage_repository_not_found"
    kind = RefusalKind.NOT_FOUND
    remedy = "Look at the storage page for the storage that there is."

    def __init__(self) -> None:
        super().__init__("There is no such storage repository.")


class VouchForbiddenError(InventoryError):
    """The person may not vouch for storage."""

    code = "vouch_forbidden"
    kind = RefusalKind.FORBIDDEN
    remedy = "Ask an administrator."


class PoolRefusedError(InventoryError):
    """A name is taken, unknown, or not one that we take."""

    code = "pool_refused"
    remedy = "Correct the name that the sentence says."


class AmbiguousNameError(InventoryError):
    """A name fits none, or several."""

    code = "ambiguous_name"
    remedy = "Give the id or UUID instead of the name."


class ProbeRefusedError(InventoryError):
    """A probe cannot be noted so, or does not do what was asked of it."""

    code = "probe_refused"
    remedy = "Mend what the sentence says; manage.py probe status tells which probes answer."
