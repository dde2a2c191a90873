"""Moves: asked for, listed, followed, given up."""

from typing import Annotated

from django.http import HttpResponse
from ninja import Header, Query, Router, Status

from xenweb.core.quantities import BytesPerSecond, Milliseconds
from xenweb.drivers.contract import MoveOptions
from xenweb.livemigration.choices import choice_request
from xenweb.livemigration.closing import migration_close
from xenweb.livemigration.guard_asking import guard_remove, guard_roll_back
from xenweb.livemigration.leftovers import leftover_disk_remove
from xenweb.livemigration.overriding import NO_OVERRIDE, Override
from xenweb.livemigration.selectors import leftover_disks_for, migration_for, migrations_for
from xenweb.livemigration.services import migration_cancel, migration_request
from xenweb.realtime.wire import LeftoverDiskWire, MigrationWire
from xenweb.web.api.authentication import ActorRequest
from xenweb.web.api.keys import key_of, migration_key_of
from xenweb.web.api.shapes import (
    ChoiceBody,
    CloseBody,
    LeftoverDiskPage,
    MigrationBody,
    MigrationPage,
    MigrationQuery,
    OptionsBody,
    OverrideBody,
    Paging,
    PassPage,
    RollBackBody,
    maps_in,
    page_of,
    problems,
)
from xenweb.web.requests import request_id_of

router = Router(tags=["migrations"])

IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", max_length=200, pattern=r"^[\x21-\x7e]*$")]


def _options(body: OptionsBody) -> MoveOptions:
    return MoveOptions(
        bandwidth_limit=None if body.bandwidth_limit is None else BytesPerSecond(body.bandwidth_limit),
        downtime_limit=None if body.downtime_limit_ms is None else Milliseconds(body.downtime_limit_ms),
        auto_converge=body.auto_converge,
        post_copy=body.post_copy,
        guard=body.guard,
        guard_memory=body.guard_memory,
    )


def _override(body: OverrideBody | None) -> Override:
    # A code given twice says no more than once.
    return NO_OVERRIDE if body is None else Override(tuple(dict.fromkeys(body.codes)), body.reason)


@router.get("/migrations", response={200: MigrationPage, **problems(404)}, operation_id="migrations_list")
def migrations_list(request: ActorRequest, query: Query[MigrationQuery]) -> MigrationPage:
    """List the migrations that the actor may see, newest first."""
    items, following = migrations_for(
        request.auth,
        vm=None if query.vm is None else key_of(query.vm),
        states=tuple(query.state) or None,
        active=query.active,
        cursor=query.cursor,
        limit=query.limit,
    )
    return MigrationPage(items=items, next=following)


@router.post(
    "/migrations",
    response={202: MigrationWire, **problems(400, 404, 409, 413, 415)},
    operation_id="migration_request",
)
def migration_post(
    request: ActorRequest, response: HttpResponse, body: MigrationBody, idempotency_key: IdempotencyKey = ""
) -> Status[MigrationWire]:
    """Judge a move again and begin it. The same Idempotency-Key answers the same migration."""
    wire = migration_request(
        request.auth,
        vm=key_of(body.vm),
        target=key_of(body.target),
        options=_options(body.options),
        deadline_s=body.options.deadline_s,
        override=_override(body.override),
        maps=None if body.maps is None else maps_in(body.maps),
        idempotency_key=idempotency_key,
        request_id=request_id_of(request),
    )
    response.headers["Location"] = f"/api/v1/migrations/{wire.id}"
    return Status(202, wire)


@router.get("/migrations/{migration}", response={200: MigrationWire, **problems(404)}, operation_id="migration_read")
def migration_read(request: ActorRequest, migration: str) -> MigrationWire:
    """Answer one migration."""
    return migration_for(request.auth, migration_key_of(migration))


@router.get("/migrations/{migration}/passes", response={200: PassPage, **problems(404)}, operation_id="passes_list")
def passes_list(request: ActorRequest, migration: str) -> PassPage:
    """List the passes of one migration, in order."""
    return PassPage(items=migration_for(request.auth, migration_key_of(migration)).passes, next=None)


@router.post(
    "/migrations/{migration}/cancel",
    response={202: MigrationWire, **problems(404, 409, 415)},
    operation_id="migration_cancel",
)
def cancel_post(request: ActorRequest, migration: str) -> Status[MigrationWire]:
    """Ask for one migration to be given up."""
    wire = migration_cancel(request.auth, migration_key_of(migration), request_id=request_id_of(request))
    return Status(202, wire)


@router.post(
    "/migrations/{migration}/close",
    response={200: MigrationWire, **problems(400, 404, 409, 413, 415)},
    operation_id="migration_close",
)
def close_post(request: ActorRequest, migration: str, body: CloseBody) -> MigrationWire:
    """End a migration whose hosts will never prove where the VM runs, and say why."""
    return migration_close(request.auth, migration_key_of(migration), body.reason, request_id=request_id_of(request))


@router.post(
    "/migrations/{migration}/guard/roll-back",
    response={202: MigrationWire, **problems(400, 404, 409, 413, 415)},
    operation_id="guard_roll_back",
)
def roll_back_post(request: ActorRequest, migration: str, body: RollBackBody) -> Status[MigrationWire]:
    """Have the disks of a halted VM be what they were before this migration."""
    key = migration_key_of(migration)
    return Status(202, guard_roll_back(request.auth, key, body.reason, request_id=request_id_of(request)))


@router.post(
    "/migrations/{migration}/guard/remove",
    response={202: MigrationWire, **problems(404, 409, 415)},
    operation_id="guard_remove",
)
def guard_remove_post(request: ActorRequest, migration: str) -> Status[MigrationWire]:
    """Have the guard of one migration removed before its time."""
    return Status(202, guard_remove(request.auth, migration_key_of(migration), request_id=request_id_of(request)))


@router.get("/leftover-disks", response={200: LeftoverDiskPage, **problems()}, operation_id="leftover_disks_list")
def leftover_disks_list(request: ActorRequest, query: Query[Paging]) -> LeftoverDiskPage:
    """List the disks that moves have left on hosts and that are still there."""
    items, following = page_of(leftover_disks_for(request.auth), query)
    return LeftoverDiskPage(items=items, next=following)


@router.post(
    "/leftover-disks/{disk}/remove",
    response={202: LeftoverDiskWire, **problems(404, 409, 415)},
    operation_id="leftover_disk_remove",
)
def leftover_disk_post(request: ActorRequest, disk: str) -> Status[LeftoverDiskWire]:
    """Ask for a disk that a move has left behind to be deleted, once it is proven that nobody uses it."""
    wire = leftover_disk_remove(request.auth, key_of(disk), request_id=request_id_of(request))
    return Status(202, wire)


@router.post(
    "/migrations/{migration}/choices",
    response={202: MigrationWire, **problems(400, 404, 409, 413, 415)},
    operation_id="choice_request",
)
def choice_post(request: ActorRequest, migration: str, body: ChoiceBody) -> Status[MigrationWire]:
    """Choose one of the migration's offers; the migration says what came of it."""
    key = migration_key_of(migration)
    wire = choice_request(request.auth, key, body.kind, body.value, request_id=request_id_of(request))
    return Status(202, wire)
