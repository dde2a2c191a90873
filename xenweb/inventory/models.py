"""Rows that mirror the hypervisors. Nothing here is a wish; sizes are bytes."""

from typing import ClassVar

from django.db import models

from xenweb.core.facts import HostState, PowerState, StorageKind


class Pool(models.Model):
    """A set of hosts that one kind of driver speaks with."""

    name = models.CharField(max_length=100, unique=True)
    driver = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


class Host(models.Model):
    """A host. ``removed`` keeps the row for the history once it left the board.

    ``memory_free`` is the smaller of what the host says and of what its VMs may
    still claim: hypervisors let themselves be overbooked, we do not.
    ``capabilities`` are what it could when it was last looked at; None is all that its driver can.
    ``probe`` is HOST:PORT of its own probe, ``probe_key`` the sealed key that both hold.
    ``maintenance`` is the id of the one that has not ended: while it stands, nothing is moved there. ``takes_vms``
    is the hypervisor's own word; None where it knows no such thing.
    """

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="hosts")
    name = models.CharField(max_length=255)
    uuid = models.CharField(max_length=36, blank=True, db_index=True)
    uri = models.CharField(max_length=2600)
    migration_address = models.CharField(max_length=255, blank=True)
    credential = models.TextField(blank=True)
    probe = models.CharField(max_length=300, blank=True)
    probe_key = models.TextField(blank=True)
    enabled = models.BooleanField(default=True)
    removed = models.BooleanField(default=False)
    state = models.CharField(max_length=20, default=HostState.UNREACHABLE)
    state_reason = models.CharField(max_length=500, blank=True)
    hypervisor = models.CharField(max_length=20, blank=True)
    version = models.CharField(max_length=100, blank=True)
    architecture = models.CharField(max_length=40, blank=True)
    cpu_model = models.CharField(max_length=200, blank=True)
    cpu_count = models.PositiveIntegerField(default=0)
    cpu_load = models.FloatField(null=True)
    memory_total = models.BigIntegerField(default=0)
    memory_free = models.BigIntegerField(null=True)
    capabilities = models.JSONField(null=True)
    as_of = models.DateTimeField(null=True)
    maintenance = models.CharField(max_length=16, blank=True)
    takes_vms = models.BooleanField(null=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["uri"], condition=models.Q(removed=False), name="one_host_per_uri"),
        ]

    def __str__(self) -> str:
        return self.name


class StorageRepository(models.Model):
    """A place for disks; ``identity`` is equal on two hosts exactly if it is the same place.

    ``vouched_shared`` is an administrator's word that it is shared, for kinds of
    storage where the hypervisor cannot see it. ``storage`` is what it is, ``kind``
    what its hypervisor calls it.
    """

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="storage_repositories")
    identity = models.CharField(max_length=400)
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=40)
    capacity = models.BigIntegerField(null=True)
    available = models.BigIntegerField(null=True)
    vouched_shared = models.BooleanField(default=False)
    storage = models.CharField(max_length=20, default=StorageKind.UNKNOWN)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pool", "identity"], name="one_repository_per_identity"),
        ]

    def __str__(self) -> str:
        return self.name


class StorageAttachment(models.Model):
    """One host reaches one storage repository, at this path."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="attachments")
    repository = models.ForeignKey(StorageRepository, on_delete=models.CASCADE, related_name="attachments")
    path = models.CharField(max_length=1000)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "repository"], name="one_attachment_per_host"),
        ]

    def __str__(self) -> str:
        return f"{self.repository_id} on {self.host_id}"


class Network(models.Model):
    """A network by its name within a pool, and the hosts that have it."""

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="networks")
    name = models.CharField(max_length=255)
    bridge = models.CharField(max_length=255, blank=True)
    hosts: "models.ManyToManyField[Host, models.Model]" = models.ManyToManyField(Host, related_name="networks")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pool", "name"], name="one_network_per_name"),
        ]

    def __str__(self) -> str:
        return self.name


class VirtualMachine(models.Model):
    """A VM, keyed by its UUID wherever it runs. ``resident_on`` is a fact.

    ``moving_as`` is the id of the active migration: while it stands, only the
    proof of that migration may change ``resident_on``. ``dirty_rate`` is bytes of
    memory that change in a second, measured from samples at ``dirty_rate_at``. ``obstacles`` are the
    findings that its hypervisor has noted against moving it, wherever to. ``cards`` are its network
    cards, each as its device, address, network and bridge, where the hypervisor tells them.
    """

    uuid = models.CharField(max_length=36, unique=True)
    name = models.CharField(max_length=255)
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="vms")
    hypervisor = models.CharField(max_length=20)
    resident_on = models.ForeignKey(Host, on_delete=models.SET_NULL, null=True, related_name="vms")
    state = models.CharField(max_length=20, default=PowerState.UNKNOWN)
    conflict = models.BooleanField(default=False)
    gone = models.BooleanField(default=False)
    memory = models.BigIntegerField(default=0)
    vcpus = models.PositiveIntegerField(default=0)
    cpu_load = models.FloatField(null=True)
    dirty_rate = models.FloatField(null=True)
    dirty_rate_at = models.DateTimeField(null=True)
    networks = models.JSONField(default=list)
    obstacles = models.JSONField(default=list)
    cards = models.JSONField(default=list)
    team = models.ForeignKey("accounts.Team", on_delete=models.SET_NULL, null=True, related_name="+")
    moving_as = models.CharField(max_length=16, blank=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class VirtualDisk(models.Model):
    """One disk of a VM, and the repository it lies in where that is known."""

    vm = models.ForeignKey(VirtualMachine, on_delete=models.CASCADE, related_name="disks")
    device = models.CharField(max_length=40)
    path = models.CharField(max_length=1000, blank=True)
    format = models.CharField(max_length=40, blank=True)
    capacity = models.BigIntegerField(null=True)
    cache = models.CharField(max_length=40, blank=True)
    read_only = models.BooleanField(default=False)
    repository = models.ForeignKey(StorageRepository, on_delete=models.SET_NULL, null=True, related_name="disks")

    class Meta:
        ordering: ClassVar = ["device"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["vm", "device"], name="one_disk_per_device"),
        ]

    def __str__(self) -> str:
        return f"{self.device} of {self.vm_id}"


class VmSighting(models.Model):
    """What one host last said of one VM; where it runs is judged from all of them."""

    vm = models.ForeignKey(VirtualMachine, on_delete=models.CASCADE, related_name="sightings")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="sightings")
    state = models.CharField(max_length=20)
    active = models.BooleanField()
    incoming = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["vm", "host"], name="one_sighting_per_host"),
        ]

    def __str__(self) -> str:
        return f"{self.vm_id} on {self.host_id}: {self.state}"
