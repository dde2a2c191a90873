"""Three hosts with VMs, whose hypervisor can be told that a host takes no VMs, and may lie about it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from django.utils import timezone

from tests.board import Board
from tests.scripted import ScriptedDriver
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, State
from xenweb.drivers.contract import DriverError, Endpoint, HostSnapshot, VmSnapshot
from xenweb.inventory.models import Host, VirtualMachine
from xenweb.inventory.selectors import endpoint_of
from xenweb.inventory.sync import HostReading, reading_apply
from xenweb.livemigration.drive import drive
from xenweb.livemigration.models import Migration
from xenweb.maintenance.care import maintenance_settle
from xenweb.maintenance.models import Maintenance, MaintenanceMove
from xenweb.maintenance.services import maintenance_begin
from xenweb.realtime.maintenance_wire import MaintenanceWire

SMALL, LARGE = "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"


@dataclass
class SwitchingDriver(ScriptedDriver):
    """A scripted driver that can take hosts out of service; ``told`` is what it was told, in its order."""

    disabled: set[str] = field(default_factory=set)
    told: list[tuple[str, bool]] = field(default_factory=list)
    switch_error: DriverError | None = None
    heeds: bool = True
    on_switch: Callable[[], None] = lambda: None
    obstacles: dict[str, VmSnapshot] = field(default_factory=dict)

    def inventory(self, endpoint: Endpoint) -> HostSnapshot:
        """Describe a host, with what its hypervisor says of its service."""
        return replace(super().inventory(endpoint), enabled=endpoint.name not in self.disabled)

    def host_enable(self, endpoint: Endpoint, *, is_enabled: bool) -> None:
        """Do as told, as far as the script lets it."""
        self.on_switch()
        self.told.append((endpoint.name, is_enabled))
        if self.switch_error is not None:
            raise self.switch_error
        if self.heeds:
            (self.disabled.discard if is_enabled else self.disabled.add)(endpoint.name)


class Hosts:
    """host-a has three VMs; host-b and host-c have room for them."""

    def __init__(self, board: Board) -> None:
        self.board = board
        assert isinstance(board.driver, SwitchingDriver)
        self.driver: SwitchingDriver = board.driver
        self.admin = board.admin
        self.home = board.source
        Host.objects.create(pool=self.home.pool, name="host-c", uri="scripted:host-c")
        for uuid in (SMALL, LARGE):
            self.driver.copies[("host-a", uuid)] = Copy.RUNNING
        self.driver.let_go.set()
        self.driver.on_call = self.driver.moves_to_target
        self.look()
        self.vms = list(VirtualMachine.objects.order_by("pk"))

    def look(self) -> None:
        """Let every host be looked at once."""
        for host in Host.objects.all():
            if host.name not in self.driver.silent_hosts:
                snapshot = self.driver.inventory(endpoint_of(host))
                reading_apply(host.pk, HostReading(snapshot, timezone.now()))

    def host(self, name: str) -> Host:
        """Read a host's row."""
        return Host.objects.get(name=name)

    def begin(self, *vms: VirtualMachine, target: str = "host-b") -> MaintenanceWire:
        """Begin the maintenance of host-a: these VMs go, or if none is named all."""
        moves = {str(vm.pk): str(self.host(target).pk) for vm in vms or self.vms}
        return maintenance_begin(self.admin, str(self.home.pk), moves=moves, reason="A new disk.")

    def settle(self, wire: MaintenanceWire, times: int = 1, owner: str = "tests") -> Maintenance:
        """Let the maintenance go on by some steps."""
        for _ in range(times):
            maintenance_settle(wire.id, owner)
        return self.row(wire)

    def row(self, wire: MaintenanceWire) -> Maintenance:
        """Read the maintenance as it is now."""
        return Maintenance.objects.with_all().get(pk=wire.id)

    def moves(self, wire: MaintenanceWire) -> list[MaintenanceMove]:
        """Read its moves, in the order in which they were stored."""
        return list(MaintenanceMove.objects.filter(maintenance_id=wire.id).select_related("migration"))

    def drive(self) -> None:
        """Drive every move that waits to its end, and look at the hosts."""
        for migration in Migration.objects.filter(state=State.QUEUED).order_by("requested_at"):
            drive(migration.pk, "tests")
        self.look()

    def history(self, *actions: str) -> list[tuple[str, str, str]]:
        """Answer who did what and what came of it, in its order."""
        rows = AuditRecord.objects.filter(action__in=actions).order_by("sequence")
        return list(rows.values_list("actor", "action", "outcome"))
