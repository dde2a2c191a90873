"""The snapshot of the board, and who looks at it."""

from django.conf import settings
from ninja import Router

from xenweb.inventory.selectors import hosts_for, is_simulated, storage_repositories_for, vms_for
from xenweb.livemigration.disk_moves import board_disk_moves_for
from xenweb.livemigration.selectors import board_migrations_for
from xenweb.maintenance.selectors import board_maintenances_for
from xenweb.realtime.selectors import head
from xenweb.realtime.snapshot import BoardWire
from xenweb.realtime.wire import ActorWire
from xenweb.web.api.authentication import ActorRequest
from xenweb.web.api.shapes import problems
from xenweb.web.profile import actor_wire

router = Router(tags=["board"])


@router.get("/board", response={200: BoardWire, **problems()}, operation_id="board_read")
def board_read(request: ActorRequest) -> BoardWire:
    """Answer everything on the board, with the sequence from which events go on.

    The sequence is read first: what changes while the rows are read comes again
    as an event, and laying an event over newer rows changes nothing.
    """
    actor = request.auth
    return BoardWire(
        sequence=head(),
        actor=actor_wire(actor),
        simulated=settings.XENWEB_SIMULATED or is_simulated(),
        hosts=hosts_for(actor),
        vms=vms_for(actor),
        storage_repositories=storage_repositories_for(actor),
        migrations=board_migrations_for(actor),
        maintenances=board_maintenances_for(actor),
        disk_moves=board_disk_moves_for(actor),
    )


@router.get("/me", response={200: ActorWire, **problems()}, operation_id="me_read")
def me_read(request: ActorRequest) -> ActorWire:
    """Answer who is signed in and what they may do."""
    return actor_wire(request.auth)
