"""What operations take and answer, beside the wire shapes that events share."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from xenweb.core.facts import Maps
from xenweb.core.migration import State
from xenweb.realtime.maintenance_wire import MaintenanceWire
from xenweb.realtime.wire import (
    AuditRecordWire,
    CertificateWire,
    HostWire,
    LeftoverDiskWire,
    MigrationWire,
    PassWire,
    StorageCostWire,
    StorageRepositoryWire,
    VmWire,
    Wire,
)
from xenweb.realtime.wire_places import VmDiskWire
from xenweb.web.errors import Problem

LARGEST_ID = 2**63 - 1
MOST_MOVES = 500
"""So many VMs at most are sent away in one request: what is more does not fit into a body that we take."""

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,60}$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
MigrationId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{4}-?[0-9A-Za-z]{4}$")]
Place = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        msg = "This moment cannot be told in UTC."
        raise ValueError(msg) from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


def problems(*statuses: int) -> dict[int, type[Problem]]:
    """Declare the problem answers of an operation, 401 and 403 always among them."""
    return dict.fromkeys(sorted({401, 403, 422, *statuses}), Problem)


class Strict(Schema):
    """Base of everything taken: what is not named here is refused."""

    model_config = ConfigDict(extra="forbid")


class Paging(Strict):
    """Where to go on, and how far."""

    cursor: Place | None = None
    limit: int = Field(default=50, ge=1, le=200)


class MigrationQuery(Strict):
    """Which migrations to list; ``state`` may be given several times."""

    vm: Key | None = None
    state: list[State] = Field(default_factory=list, max_length=20)
    active: bool | None = None
    cursor: MigrationId | None = None
    limit: int = Field(default=50, ge=1, le=200)


class AuditQuery(Paging):
    """Which records to list. ``subject`` is an id or a name; ``q`` looks everywhere."""

    q: Text = ""
    actor: Text = ""
    action: Text = ""
    outcome: Text = ""
    subject: Text = ""
    since: Moment | None = None
    until: Moment | None = None


class OptionsBody(Strict):
    """What was chosen in the confirmation. ``bandwidth_limit`` is bytes per second.

    ``guard`` null leaves it to what is measured of the VM; ``guard_memory`` needs ``guard`` true.
    """

    bandwidth_limit: StrictInt | None = Field(default=None, ge=1, le=LARGEST_ID)
    downtime_limit_ms: StrictInt | None = Field(default=None, ge=1, le=86_400_000)
    auto_converge: StrictBool = False
    post_copy: StrictBool = False
    guard: StrictBool | None = None
    guard_memory: StrictBool = False
    deadline_s: StrictInt | None = Field(default=None, ge=1, le=LARGEST_ID)


class RollBackBody(Strict):
    """Why a VM is to be what it was before its move: what was written since then is lost."""

    reason: Text


class ChoiceBody(Strict):
    """A choice for a move under way: bytes per second for ``bandwidth``, milliseconds for ``downtime``."""

    kind: Text
    value: StrictInt | None = Field(default=None, ge=1, le=LARGEST_ID)


class OverrideBody(Strict):
    """The codes of overridable findings to go on in spite of, and why; administrators only."""

    codes: list[Code] = Field(min_length=1, max_length=20)
    reason: Reason


class CloseBody(Strict):
    """Why a move is closed although nobody knows where its VM runs; administrators only."""

    reason: Reason


class DiskMapBody(Strict):
    """The storage repository, by its id, that a disk goes to."""

    device: Text
    storage: StrictInt = Field(ge=1, le=LARGEST_ID)


class CardMapBody(Strict):
    """The network of the target's pool, by its name, that a network card goes to."""

    device: Text
    network: Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")]


Mapped = TypeVar("Mapped", DiskMapBody, CardMapBody)


def _each_once(each: list[Mapped]) -> list[Mapped]:
    if len({one.device for one in each}) < len(each):
        msg = "A device is named twice."
        raise ValueError(msg)
    return each


class MapsBody(Strict):
    """Where disks and network cards go that cannot stay where they are: each that the verdict's ``needs`` name."""

    disks: Annotated[list[DiskMapBody], AfterValidator(_each_once)] = Field(default_factory=list, max_length=256)
    cards: Annotated[list[CardMapBody], AfterValidator(_each_once)] = Field(default_factory=list, max_length=256)


class MigrationBody(Strict):
    """A VM and where it is to go, each by id or by UUID.

    Without ``maps`` its disks and network cards go where the verdict suggests; with them they must be complete.
    """

    vm: StrictInt | Key
    target: StrictInt | Key
    options: OptionsBody = Field(default_factory=OptionsBody)
    override: OverrideBody | None = None
    maps: MapsBody | None = None


class DiskMoveBody(Strict):
    """The storage repository, by its id, that a disk is to go to while its VM runs."""

    storage: StrictInt = Field(ge=1, le=LARGEST_ID)


class VerdictBody(Strict):
    """A host to judge, by id or by UUID, and where disks and network cards would go."""

    target: StrictInt | Key
    maps: MapsBody = Field(default_factory=MapsBody)


def maps_in(body: MapsBody) -> Maps:
    """Read where disks and network cards go."""
    disks = tuple((each.device, each.storage) for each in body.disks)
    return Maps(disks, tuple((each.device, each.network) for each in body.cards))


class PlanChoiceBody(Strict):
    """A person's choice for one VM, each by id or by UUID: a host, or none for leaving it where it is."""

    vm: StrictInt | Key
    target: StrictInt | Key | None = None


class PlanBody(Strict):
    """What a person chose; for all other VMs a host is looked for."""

    choices: list[PlanChoiceBody] = Field(default_factory=list, max_length=MOST_MOVES)


class PlannedMoveBody(Strict):
    """A VM and where it is to go, each by id or by UUID."""

    vm: StrictInt | Key
    target: StrictInt | Key


class MaintenanceBody(Strict):
    """Which VMs are sent away when the host is taken out of service, and to where; all others stay."""

    moves: list[PlannedMoveBody] = Field(default_factory=list, max_length=MOST_MOVES)
    reason: Text = ""


class MaintenanceMovesBody(Strict):
    """VMs to be sent away as well, or once more."""

    moves: list[PlannedMoveBody] = Field(min_length=1, max_length=MOST_MOVES)


class ReturnBody(Strict):
    """VMs to be brought back, by id or by UUID."""

    vms: list[StrictInt | Key] = Field(min_length=1, max_length=MOST_MOVES)


class MaintenanceQuery(Strict):
    """Where to go on, and how far."""

    cursor: MigrationId | None = None
    limit: int = Field(default=50, ge=1, le=200)


class CertificatesBody(Strict):
    """Where to look for certificates: an address, and the pool that its host would join."""

    pool: Text
    address: Text
    port: StrictInt | None = Field(default=None, ge=1, le=65535)


class CertificatesSeen(Wire):
    """What was met there."""

    items: list[CertificateWire]


class HostBody(Strict):
    """A host, by its URI or by the parts of one. The credential is never read back.

    ``fingerprints`` are of the certificates that are trusted for a XAPI host and for whoever leads its pool.
    """

    pool: Text
    uri: Annotated[str, StringConstraints(max_length=2600, pattern=r"^[^\x00]*$")] = ""
    hypervisor: Text = ""
    transport: Text = ""
    address: Text = ""
    user: Text = ""
    port: StrictInt | None = Field(default=None, ge=1, le=65535)
    fingerprints: list[Text] = Field(default_factory=list, max_length=64)
    migration_address: Text = ""
    credential: Annotated[str, StringConstraints(max_length=16_384)] = Field(
        default="", json_schema_extra={"writeOnly": True}
    )


class HostPage(Wire):
    """Some hosts."""

    items: list[HostWire]
    next: str | None


class VmPage(Wire):
    """Some VMs."""

    items: list[VmWire]
    next: str | None


class StorageRepositoryPage(Wire):
    """Some storage repositories."""

    items: list[StorageRepositoryWire]
    next: str | None


class StorageCostPage(Wire):
    """What kinds of storage cost; it comes all at once."""

    items: list[StorageCostWire]
    next: str | None


class LeftoverDiskPage(Wire):
    """Some disks that moves have left behind."""

    items: list[LeftoverDiskWire]
    next: str | None


class VmDiskPage(Wire):
    """The disks of one VM; they come all at once."""

    items: list[VmDiskWire]
    next: str | None


class MigrationPage(Wire):
    """Some migrations, newest first."""

    items: list[MigrationWire]
    next: str | None


class MaintenancePage(Wire):
    """Some maintenances, newest first."""

    items: list[MaintenanceWire]
    next: str | None


class PassPage(Wire):
    """The passes of one migration; they come all at once."""

    items: list[PassWire]
    next: str | None


class AuditPage(Wire):
    """Some records, newest first."""

    items: list[AuditRecordWire]
    next: str | None


Item = TypeVar("Item", HostWire, VmWire, StorageRepositoryWire, LeftoverDiskWire)


def page_of(items: Sequence[Item], paging: Paging) -> tuple[list[Item], str | None]:
    """Cut one page out of a whole list, by id."""
    after = int(paging.cursor) if paging.cursor else 0
    rest = sorted((item for item in items if item.id > after), key=lambda item: item.id)
    page = rest[: paging.limit]
    return page, str(page[-1].id) if len(rest) > len(page) else None
