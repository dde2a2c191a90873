"""Hosts, VMs with their verdicts, and storage."""

from django.http import HttpResponse
from ninja import Query, Router, Status

from xenweb.inventory.selectors import host_for, hosts_for, storage_repositories_for, vm_for, vms_for
from xenweb.inventory.services import HostAddress, certificates_look, host_add, host_remove, repository_vouch
from xenweb.livemigration.selectors import takes_part, verdict_for, verdicts_for
from xenweb.livemigration.storage_costs import storage_costs_for
from xenweb.realtime.wire import HostWire, StorageRepositoryWire, VerdictsWire, VerdictWire, VmWire
from xenweb.web.api.authentication import ActorRequest
from xenweb.web.api.keys import key_of
from xenweb.web.api.shapes import (
    CertificatesBody,
    CertificatesSeen,
    HostBody,
    HostPage,
    Paging,
    StorageCostPage,
    StorageRepositoryPage,
    VerdictBody,
    VmPage,
    maps_in,
    page_of,
    problems,
)
from xenweb.web.requests import request_id_of

router = Router(tags=["inventory"])


@router.get("/hosts", response={200: HostPage, **problems()}, operation_id="hosts_list")
def hosts_list(request: ActorRequest, query: Query[Paging]) -> HostPage:
    """List the hosts."""
    items, following = page_of(hosts_for(request.auth), query)
    return HostPage(items=items, next=following)


@router.post("/hosts", response={201: HostWire, **problems(400, 409, 413, 415)}, operation_id="host_add")
def host_post(request: ActorRequest, response: HttpResponse, body: HostBody) -> Status[HostWire]:
    """Put a host on the board; only administrators may."""
    where = HostAddress(
        body.uri, body.hypervisor, body.transport, body.address, body.user, body.port, tuple(body.fingerprints)
    )
    wire = host_add(
        request.auth,
        pool=body.pool,
        where=where,
        migration_address=body.migration_address,
        credential=body.credential,
        request_id=request_id_of(request),
    )
    response.headers["Location"] = f"/api/v1/hosts/{wire.id}"
    return Status(201, wire)


@router.post(
    "/hosts/certificates",
    response={200: CertificatesSeen, **problems(400, 413, 415)},
    operation_id="certificates_look",
)
def certificates_post(request: ActorRequest, body: CertificatesBody) -> CertificatesSeen:
    """Show which certificates are met at an address; only administrators may. Nothing secret is said there."""
    seen = certificates_look(
        request.auth, pool=body.pool, address=body.address, port=body.port, request_id=request_id_of(request)
    )
    return CertificatesSeen(items=seen)


@router.get("/hosts/{host}", response={200: HostWire, **problems(404)}, operation_id="host_read")
def host_read(request: ActorRequest, host: str) -> HostWire:
    """Answer one host, by id or by UUID."""
    return host_for(request.auth, key_of(host))


@router.delete("/hosts/{host}", response={204: None, **problems(404, 409)}, operation_id="host_remove")
def host_delete(request: ActorRequest, host: str) -> Status[None]:
    """Take a host off the board; only administrators may."""
    host_remove(request.auth, key_of(host), takes_part=takes_part, request_id=request_id_of(request))
    return Status(204, None)


@router.get("/vms", response={200: VmPage, **problems()}, operation_id="vms_list")
def vms_list(request: ActorRequest, query: Query[Paging]) -> VmPage:
    """List the VMs that the actor may see."""
    items, following = page_of(vms_for(request.auth), query)
    return VmPage(items=items, next=following)


@router.get("/vms/{vm}", response={200: VmWire, **problems(404)}, operation_id="vm_read")
def vm_read(request: ActorRequest, vm: str) -> VmWire:
    """Answer one VM, by id or by UUID."""
    return vm_for(request.auth, key_of(vm))


@router.get("/vms/{vm}/verdicts", response={200: VerdictsWire, **problems(404)}, operation_id="verdicts_read")
def verdicts_read(request: ActorRequest, vm: str) -> VerdictsWire:
    """Judge every host as a target for one VM."""
    return verdicts_for(request.auth, key_of(vm))


@router.post(
    "/vms/{vm}/verdicts",
    response={200: VerdictWire, **problems(400, 404, 413, 415)},
    operation_id="verdict_for_maps",
)
def verdict_post(request: ActorRequest, vm: str, body: VerdictBody) -> VerdictWire:
    """Judge one host for one VM whose disks and network cards go where the maps say; nothing is changed."""
    return verdict_for(request.auth, key_of(vm), key_of(body.target), maps_in(body.maps))


@router.get(
    "/storage-repositories",
    response={200: StorageRepositoryPage, **problems()},
    operation_id="storage_repositories_list",
)
def storage_repositories_list(request: ActorRequest, query: Query[Paging]) -> StorageRepositoryPage:
    """List the storage repositories and which hosts reach them."""
    items, following = page_of(storage_repositories_for(request.auth), query)
    return StorageRepositoryPage(items=items, next=following)


@router.get("/storage-costs", response={200: StorageCostPage, **problems()}, operation_id="storage_costs_list")
def storage_costs_list(request: ActorRequest) -> StorageCostPage:
    """Say what kinds of storage cost against block storage on a SAN, and where that was measured."""
    return StorageCostPage(items=storage_costs_for(request.auth), next=None)


@router.post(
    "/storage-repositories/{repository}/vouch",
    response={200: StorageRepositoryWire, **problems(404, 415)},
    operation_id="storage_repository_vouch",
)
def vouch_post(request: ActorRequest, repository: str) -> StorageRepositoryWire:
    """Vouch that a repository is the same storage on all its hosts; only administrators may."""
    return repository_vouch(request.auth, key_of(repository), is_shared=True, request_id=request_id_of(request))


@router.delete(
    "/storage-repositories/{repository}/vouch",
    response={200: StorageRepositoryWire, **problems(404)},
    operation_id="storage_repository_vouch_withdraw",
)
def vouch_delete(request: ActorRequest, repository: str) -> StorageRepositoryWire:
    """Take the word for a repository back; only administrators may."""
    return repository_vouch(request.auth, key_of(repository), is_shared=False, request_id=request_id_of(request))
