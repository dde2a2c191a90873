"""A host's maintenance, and the moves that belong to it."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from xenweb.core.maintenance import ACTIVE, MaintenanceState
from xenweb.livemigration.models import new_id


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    """Queries for maintenances."""

    def with_all(self) -> "MaintenanceQuerySet":
        """Load each with all that its wire shape needs."""
        return self.select_related("host__pool").prefetch_related("moves__migration")


class Maintenance(models.Model):
    """A host out of service. Its life is a table in ``core.maintenance``; a host has one that has not ended.

    ``closing_intended_at`` and ``opening_intended_at`` are stored before the hypervisor is told, ``closed_at`` and
    ``ready_at`` when its own inventory said so. ``held_by_hypervisor`` is None until that is known; ``was_disabled``
    says that another hand had disabled the host before. ``stays`` are the VMs that were left, with the findings why.
    ``lease_*`` and ``fence`` say which process cares for it, as for a move. ``told`` is the digest of what was
    published last; ``settled`` says that nothing of it can change by itself any more. ``failure_own_words`` are what
    the pool itself said: an OwnWordsWire.
    """

    objects: ClassVar[models.Manager["Maintenance"]] = MaintenanceQuerySet.as_manager()

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    host = models.ForeignKey("inventory.Host", on_delete=models.PROTECT, related_name="+")
    host_name = models.CharField(max_length=255)
    state = models.CharField(max_length=20, default=MaintenanceState.ASKED)
    reason = models.CharField(max_length=500, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    stays = models.JSONField(default=list)
    held_by_hypervisor = models.BooleanField(null=True)
    was_disabled = models.BooleanField(default=False)
    closing_intended_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    opening_intended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    ended_by_name = models.CharField(max_length=150, blank=True)
    ended_at = models.DateTimeField(null=True)
    failure_code = models.CharField(max_length=60, blank=True)
    failure_sentence = models.TextField(blank=True)
    failure_remedy = models.TextField(blank=True)
    failure_own_words = models.JSONField(null=True)
    tried_at = models.DateTimeField(null=True)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    told = models.CharField(max_length=64, blank=True)
    settled = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["-requested_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["host"],
                condition=models.Q(state__in=sorted(ACTIVE)),
                name="one_active_maintenance_per_host",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["settled"])]

    def __str__(self) -> str:
        return f"maintenance of {self.host_name}"


class MaintenanceMove(models.Model):
    """A move of a maintenance, away from its host or (``back``) home; stored before it is asked for.

    The newest of a VM and direction counts: an older one was tried before it. ``migration`` is the ordinary move
    that it was asked for as; ``refusal_*`` say why it was not.
    """

    maintenance = models.ForeignKey(Maintenance, on_delete=models.CASCADE, related_name="moves")
    vm = models.ForeignKey("inventory.VirtualMachine", on_delete=models.PROTECT, related_name="+")
    vm_name = models.CharField(max_length=255)
    source = models.ForeignKey("inventory.Host", on_delete=models.PROTECT, related_name="+")
    source_name = models.CharField(max_length=255)
    target = models.ForeignKey("inventory.Host", on_delete=models.PROTECT, related_name="+")
    target_name = models.CharField(max_length=255)
    back = models.BooleanField(default=False)
    why = models.TextField(blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    migration = models.ForeignKey("livemigration.Migration", on_delete=models.PROTECT, null=True, related_name="+")
    refusal_code = models.CharField(max_length=60, blank=True)
    refusal_sentence = models.TextField(blank=True)
    refusal_remedy = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.vm_name}: {self.source_name} to {self.target_name}"
