"""A move and its passes. Sizes are bytes, speeds bytes per second, lengths milliseconds."""

import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models

from xenweb.core.disk_move import AT_WORK as DISK_AT_WORK
from xenweb.core.disk_move import DiskMoveState
from xenweb.core.facts import Kind
from xenweb.core.guard import AT_WORK, GuardState
from xenweb.core.migration import ACTIVE, State

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that a person reads as another one."""


CLOSED_AS_UNKNOWN = "closed_as_unknown"
"""Why a move has failed of which nobody knows where its VM is."""


def new_id() -> str:
    """Draw an id that a person can read out: 8 characters, shown as 7F3K-2QXZ."""
    return "".join(secrets.choice(ALPHABET) for _ in range(8))


class MigrationQuerySet(models.QuerySet["Migration"]):
    """Queries for moves."""

    def with_all(self) -> "MigrationQuerySet":
        """Load each move with all that its wire shape and its plan need."""
        loaded = self.prefetch_related("passes", "choices", "leftover_disks__host", "held_volumes__host")
        return loaded.select_related("vm__team", "source__pool", "target__pool", "guard__host")


class Migration(models.Model):
    """One move of one VM. The database allows one active move per VM.

    ``lease_*`` and ``fence`` say which process drives it: whoever takes the lease
    raises the fence, and every side effect first proves that its fence is current.
    ``call_intended_at`` is stored before the hypervisor is called. ``repairs`` are
    those that the hosts' last answers allow, separated by spaces. ``copied_disks``
    are those that were found to need copying when the move was asked for, each as
    its device, path and capacity, and the repository that it goes to where that can be chosen; ``copied_bytes`` is
    their sum. ``cards`` are the network cards that change their network, each as its device, address, network and
    new network. ``asked_maps`` is what was asked for of both; None: whatever is suggested. ``volumes`` are the
    logical volumes that were found to be needed at the target right before the call,
    each with its path and whether it was active there. ``override_codes``
    are the findings that the requester overrode, and ``preflight`` is what was found
    right before the call: a PreflightWire. ``failure_own_words`` are what the pool itself said: an OwnWordsWire.
    """

    objects: ClassVar[models.Manager["Migration"]] = MigrationQuerySet.as_manager()

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    vm = models.ForeignKey("inventory.VirtualMachine", on_delete=models.PROTECT, related_name="migrations")
    vm_name = models.CharField(max_length=255)
    vm_uuid = models.CharField(max_length=36)
    vm_memory = models.BigIntegerField(default=0)
    source = models.ForeignKey("inventory.Host", on_delete=models.PROTECT, related_name="+")
    source_name = models.CharField(max_length=255)
    target = models.ForeignKey("inventory.Host", on_delete=models.PROTECT, related_name="+")
    target_name = models.CharField(max_length=255)
    hypervisor = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=10, default=Kind.LIVE)
    copied_disks = models.JSONField(default=list)
    copied_bytes = models.BigIntegerField(default=0)
    cards = models.JSONField(default=list)
    asked_maps = models.JSONField(null=True)
    volumes = models.JSONField(default=list)
    state = models.CharField(max_length=20, default=State.REQUESTED)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_by_name = models.CharField(max_length=150)
    idempotency_key = models.CharField(max_length=200, blank=True)
    requested_at = models.DateTimeField()
    queue_place = models.PositiveIntegerField(null=True)
    expected_start = models.DateTimeField(null=True)
    waits_because = models.CharField(max_length=600, blank=True)
    deadline = models.DateTimeField(null=True)
    call_intended_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    as_of = models.DateTimeField(null=True)
    bandwidth_limit = models.BigIntegerField(null=True)
    downtime_limit = models.PositiveIntegerField(null=True)
    auto_converge = models.BooleanField(default=False)
    post_copy = models.BooleanField(default=False)
    guard_wanted = models.BooleanField(null=True)
    guard_memory = models.BooleanField(default=False)
    trust_shared_storage = models.BooleanField(default=False)
    override_codes = models.JSONField(default=list)
    override_reason = models.CharField(max_length=500, blank=True)
    preflight = models.JSONField(null=True)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    cancel_requested_at = models.DateTimeField(null=True)
    cancel_requested_by = models.CharField(max_length=150, blank=True)
    total_share = models.FloatField(default=0.0)
    pass_number = models.PositiveIntegerField(null=True)
    remaining = models.BigIntegerField(null=True)
    transferred = models.BigIntegerField(null=True)
    dirty_rate = models.FloatField(null=True)
    transfer_rate = models.FloatField(null=True)
    expected_downtime = models.PositiveBigIntegerField(null=True)
    elapsed = models.PositiveBigIntegerField(null=True)
    converging = models.BooleanField(null=True)
    throttle = models.PositiveSmallIntegerField(null=True)
    disk_total = models.BigIntegerField(null=True)
    disk_processed = models.BigIntegerField(null=True)
    disk_remaining = models.BigIntegerField(null=True)
    forecast = models.JSONField(null=True)
    forecast_now = models.JSONField(null=True)
    downtime = models.PositiveBigIntegerField(null=True)
    memory_hand_over = models.PositiveBigIntegerField(null=True)
    total = models.PositiveBigIntegerField(null=True)
    total_is_measured = models.BooleanField(default=False)
    command = models.TextField(blank=True)
    repairs = models.CharField(max_length=200, blank=True)
    failure_code = models.CharField(max_length=60, blank=True)
    failure_sentence = models.TextField(blank=True)
    failure_remedy = models.TextField(blank=True)
    failure_own_words = models.JSONField(null=True)

    class Meta:
        ordering: ClassVar = ["-requested_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["vm"],
                condition=models.Q(state__in=sorted(ACTIVE)),
                name="one_active_migration_per_vm",
            ),
            models.UniqueConstraint(
                fields=["requested_by", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="one_migration_per_idempotency_key",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "lease_until"])]

    def __str__(self) -> str:
        return f"{self.vm_name}: {self.source_name} to {self.target_name}"


class DiskMove(models.Model):
    """One disk of a running VM on its way to other storage of its pool. Its life is a table in ``core.disk_move``.

    ``path`` is where it was. ``call_intended_at`` is stored before the hypervisor is called. ``share`` is how much
    is copied, 0..1. The VM carries the id of the move as its ``moving_as``: so it does not move meanwhile.
    ``own_words`` are what the pool itself said: an OwnWordsWire.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    vm = models.ForeignKey("inventory.VirtualMachine", on_delete=models.PROTECT, related_name="disk_moves")
    vm_name = models.CharField(max_length=255)
    vm_uuid = models.CharField(max_length=36)
    host = models.ForeignKey("inventory.Host", on_delete=models.PROTECT, related_name="+")
    device = models.CharField(max_length=40)
    path = models.CharField(max_length=1000)
    capacity = models.BigIntegerField()
    source_name = models.CharField(max_length=255)
    target = models.ForeignKey("inventory.StorageRepository", on_delete=models.PROTECT, related_name="+")
    target_name = models.CharField(max_length=255)
    state = models.CharField(max_length=20, default=DiskMoveState.ASKED)
    share = models.FloatField(null=True)
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    cancel_requested_at = models.DateTimeField(null=True)
    cancel_requested_by = models.CharField(max_length=150, blank=True)
    call_intended_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    sentence = models.TextField(blank=True)
    own_words = models.JSONField(null=True)

    class Meta:
        ordering: ClassVar = ["-requested_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["vm"],
                condition=models.Q(state__in=sorted(DISK_AT_WORK)),
                name="one_active_disk_move_per_vm",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"{self.device} of {self.vm_name}: {self.source_name} to {self.target_name}"


class MigrationChoice(models.Model):
    """What a person chose for a move under way. ``value`` is bytes per second or milliseconds, by ``kind``.

    Asked first, applied by whoever drives the move; ``refusal`` says why it was not.
    """

    migration = models.ForeignKey(Migration, on_delete=models.CASCADE, related_name="choices")
    kind = models.CharField(max_length=30)
    value = models.BigIntegerField(null=True)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    refusal = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["asked_at", "pk"]

    def __str__(self) -> str:
        return f"{self.kind} for {self.migration_id}"


class LeftoverDisk(models.Model):
    """A disk that a move has left on a host: the whole old copy, or (``partial``) part of a new one.

    It stays until somebody asks for its removal; ``refusal`` says why that was not done.
    """

    migration = models.ForeignKey(Migration, on_delete=models.CASCADE, related_name="leftover_disks")
    host = models.ForeignKey("inventory.Host", on_delete=models.PROTECT, related_name="+")
    path = models.CharField(max_length=1000)
    size = models.BigIntegerField()
    partial = models.BooleanField(default=False)
    since = models.DateTimeField()
    asked_by = models.CharField(max_length=150, blank=True)
    asked_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)
    refusal = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["since", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["host", "path"],
                condition=models.Q(removed_at=None),
                name="one_leftover_disk_per_place",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.path} on {self.host_id}"


class HeldVolume(models.Model):
    """A logical volume that a move has left active on a host where its VM is not.

    It is let go by itself, once that is proven; ``refusal`` says why it was not yet.
    """

    migration = models.ForeignKey(Migration, on_delete=models.CASCADE, related_name="held_volumes")
    host = models.ForeignKey("inventory.Host", on_delete=models.PROTECT, related_name="+")
    path = models.CharField(max_length=1000)
    since = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    refusal = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["since", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["host", "path"],
                condition=models.Q(released_at=None),
                name="one_held_volume_per_place",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.path} on {self.host_id}"


class Guard(models.Model):
    """The disks of a VM, and with ``with_memory`` its memory, as they were at one moment before its move.

    Its life is a table in ``core.guard``; ``memory_back_at`` is when a roll-back let the VM go on from that moment.
    ``paths`` are its disks, on ``host``. ``expected_pause`` was estimated, ``pause`` measured, in ms. The
    database allows one guard of a pool at work: its volume groups' books are changed by one host at a time.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    migration = models.OneToOneField(Migration, on_delete=models.CASCADE, related_name="guard")
    pool = models.ForeignKey("inventory.Pool", on_delete=models.PROTECT, related_name="+")
    host = models.ForeignKey("inventory.Host", on_delete=models.PROTECT, related_name="+")
    paths = models.JSONField(default=list)
    state = models.CharField(max_length=20, default=GuardState.ASKED)
    automatic = models.BooleanField(default=False)
    with_memory = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    total = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0)
    expected_pause = models.PositiveBigIntegerField(null=True)
    pause = models.PositiveBigIntegerField(null=True)
    asked_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    roll_back_by = models.CharField(max_length=150, blank=True)
    roll_back_at = models.DateTimeField(null=True)
    roll_back_reason = models.TextField(blank=True)
    rolled_back_at = models.DateTimeField(null=True)
    memory_back_at = models.DateTimeField(null=True)
    sentence = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["asked_at", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["pool"],
                condition=models.Q(state__in=sorted(AT_WORK)),
                name="one_guard_at_work_per_pool",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"guard of {self.migration_id}"


class MigrationPass(models.Model):
    """One pre-copy pass; ``started`` and ``ended`` count from the hypervisor call."""

    migration = models.ForeignKey(Migration, on_delete=models.CASCADE, related_name="passes")
    pass_number = models.PositiveIntegerField()
    started = models.PositiveBigIntegerField()
    ended = models.PositiveBigIntegerField(null=True)
    remaining_at_start = models.BigIntegerField(null=True)
    remaining_at_end = models.BigIntegerField(null=True)
    transfer_rate = models.FloatField(null=True)
    dirty_rate = models.FloatField(null=True)

    class Meta:
        ordering: ClassVar = ["pass_number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["migration", "pass_number"], name="one_row_per_pass"),
        ]

    def __str__(self) -> str:
        return f"pass {self.pass_number} of {self.migration_id}"
