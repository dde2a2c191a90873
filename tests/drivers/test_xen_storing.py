"""Storage of a Xen host as its probe knows it, and the volumes that a move activates."""

from dataclasses import replace
from typing import Any

import pytest

from tests.drivers.test_xen_moves import PLAN, XEN1, XEN2, Rig
from tests.drivers.test_xen_moves import rig as moves_rig
from tests.drivers.xen_probes import FakeProbes
from tests.scripted import snapshot_host, snapshot_vm
from xenweb.core.facts import StorageKind
from xenweb.core.quantities import GIB, MIB, Bytes
from xenweb.drivers.contract import (
    CopyAction,
    DiskSnapshot,
    HostSnapshot,
    MovedVolume,
    MoveRefusedError,
    RepositorySnapshot,
)
from xenweb.drivers.libvirt_driver.checks import xen_volumes
from xenweb.drivers.libvirt_driver.checks.asked import Asked
from xenweb.drivers.libvirt_driver.description import domain
from xenweb.drivers.libvirt_driver.xen.probing import PathSeen
from xenweb.drivers.libvirt_driver.xen.storing import laid_over, volume_named
from xenweb.drivers.libvirt_driver.xen.volumes import VmVolumes

rig = moves_rig
WEB = "/dev/sr1/web01"
GROUP = {
    "uuid": "VG-1",
    "name": "sr1",
    "size": 4 * GIB,
    "free": 1 * GIB,
    "kind": "san_block",
    "targets": ["iqn.2026-11.lab:sr1"],
}
NFS = {"path": "/sr/nfs", "kind": "nfs", "identity": "10.77.0.3:/", "size": 9 * GIB, "free": 3 * GIB}
OCFS2 = {"path": "/sr/ocfs2", "kind": "ocfs2", "identity": "0c5f", "size": 9 * GIB, "free": 3 * GIB}
ROOT = {"path": "/", "kind": "local_file", "identity": "", "size": None, "free": None}
STORAGE = {
    "known": True,
    "groups": [GROUP],
    "mounts": [NFS, OCFS2, ROOT],
    "volumes": [{"group": "sr1", "name": "web01", "size": 64 * MIB, "layout": "linear"}],
}
GUEST = (
    "<domain type='xen'><name>web01</name><devices><disk type='block' device='disk'><source dev='/dev/sr1/web01'/>"
    "<target dev='xvda'/></disk></devices></domain>"
)


def pool(kind: str, path: str, identity: str = "some:1") -> RepositorySnapshot:
    return RepositorySnapshot(identity, "pool", kind, path, Bytes(GIB), Bytes(GIB))


def host(*pools: RepositorySnapshot, disk: str = WEB) -> HostSnapshot:
    vm = replace(snapshot_vm("u-1"), disks=(DiskSnapshot("xvda", disk, "raw", None, "default", False, None),))
    return replace(snapshot_host("xen1", (vm,)), repositories=pools)


def seen(told: dict[str, Any]) -> Any:
    found = VmVolumes(lambda: FakeProbes(told={"xen1": {"storage": told}})).storage(XEN1)
    assert found is not None
    return found


def volume(**more: object) -> dict[str, object]:
    plain = {"identity": "LVM-1", "size": 64 * MIB, "active": False, "open": 0, "hindrance": "", "stands": "missing"}
    return {**plain, **more}


@pytest.mark.parametrize(
    ("said", "identity", "kind"),
    [
        (pool("logical", "/dev/sr1"), "lvm:VG-1", StorageKind.SAN_BLOCK),
        (pool("dir", "/sr/ocfs2"), "ocfs2:0c5f:", StorageKind.OCFS2),
        (pool("dir", "/sr/ocfs2/images"), "ocfs2:0c5f:/images", StorageKind.OCFS2),
        (pool("dir", "/sr/nfs/vms"), "netfs:10.77.0.3:/vms", StorageKind.NFS),
        (pool("netfs", "/sr/nfs", "netfs:10.77.0.3:/"), "netfs:10.77.0.3:/", StorageKind.NFS),
        (pool("dir", "/srv/images", "dir:7"), "dir:7", StorageKind.LOCAL_FILE),
    ],
)
def test_a_pool_is_named_by_what_it_lies_on(said: RepositorySnapshot, identity: str, kind: StorageKind) -> None:
    first = laid_over(host(said), seen(STORAGE)).repositories[0]
    assert (first.identity, first.storage) == (identity, kind)


def test_storage_without_a_pool_is_on_the_board_and_holds_the_vms_disks() -> None:
    told = laid_over(host(), seen(STORAGE))
    assert {each.identity for each in told.repositories} == {"lvm:VG-1", "netfs:10.77.0.3:/", "ocfs2:0c5f:"}
    [disk] = told.vms[0].disks
    assert (disk.repository, disk.capacity) == ("lvm:VG-1", 64 * MIB)


def test_a_volume_is_found_by_the_path_of_the_device_mapper_too() -> None:
    [disk] = laid_over(host(disk="/dev/mapper/sr1-web01"), seen(STORAGE)).vms[0].disks
    assert (disk.repository, disk.capacity) == ("lvm:VG-1", 64 * MIB)
    assert volume_named("/dev/mapper/my--sr-web--01") == ("my-sr", "web-01")


def test_an_own_volume_group_is_on_the_board_only_if_a_vm_lies_in_it() -> None:
    told = {**STORAGE, "groups": [{**GROUP, "kind": "local_block"}], "mounts": []}
    assert [each.storage for each in laid_over(host(), seen(told)).repositories] == [StorageKind.LOCAL_BLOCK]
    assert laid_over(host(disk="/srv/x.img"), seen(told)).repositories == ()


def test_a_pool_and_its_mount_are_one_repository() -> None:
    told = laid_over(host(pool("netfs", "/sr/nfs", "netfs:10.77.0.3:/")), seen(STORAGE))
    assert [each.name for each in told.repositories if each.storage is StorageKind.NFS] == ["pool"]


def test_the_last_word_of_a_probe_that_falls_silent_stays() -> None:
    probes = FakeProbes(told={"xen1": {"storage": STORAGE}})
    volumes = VmVolumes(lambda: probes)
    first = volumes.storage(XEN1)
    probes.told = {}
    assert volumes.storage(XEN1) is first
    assert VmVolumes(lambda: probes).storage(XEN1) is None


def test_the_volumes_are_activated_on_the_target_after_the_permit_and_before_the_call(rig: Rig) -> None:
    order: list[str] = []
    rig.guest.move = lambda uri, parameters, flags: order.append("call")
    original = rig.probes.tell

    def tell(endpoint: Any, verb: str, within: float = 0, **more: object) -> object:
        order.append(verb)
        return original(endpoint, verb, within, **more)

    rig.probes.tell = tell  # type: ignore[method-assign]
    rig.driver.migrate(replace(PLAN, volumes=(WEB,)), lambda: order.append("permit"))
    assert order == ["permit", "activate", "permit", "call"]
    assert rig.probes.asked == [("xen2", "activate", {"vm": PLAN.vm_uuid, "paths": [WEB]})]


def test_a_volume_that_cannot_be_activated_ends_the_move_before_the_call(rig: Rig) -> None:
    called: list[str] = []
    rig.guest.move = lambda uri, parameters, flags: called.append(uri)
    rig.probes.refuses = "sr1/web01 has a snapshot."
    with pytest.raises(MoveRefusedError, match="has a snapshot"):
        rig.driver.migrate(replace(PLAN, volumes=(WEB,)))
    assert called == []


def test_a_volume_is_let_go_by_the_probe_which_is_told_whose_it_is(rig: Rig) -> None:
    rig.driver.repair(XEN1, PLAN.vm_uuid, CopyAction.RELEASE_VOLUME, WEB)
    assert rig.probes.asked == [("xen1", "deactivate", {"vm": PLAN.vm_uuid, "paths": [WEB]})]


def question(here: dict[str, object] | None, there: dict[str, object] | None) -> Asked:
    told = {
        name: {"volumes": {} if each is None else {WEB: each}, "storage": STORAGE}
        for name, each in (("xen1", here), ("xen2", there))
    }
    return Asked(PLAN, described=domain(GUEST), probes=FakeProbes(told=told))  # type: ignore[arg-type]


def test_a_volume_that_both_hosts_know_by_one_name_moves_with_the_vm() -> None:
    active = volume(active=True, open=1, stands="block")
    assert xen_volumes.moved(question(active, volume())) == (MovedVolume(WEB, was_active=False),)
    assert xen_volumes.moved(question(active, active)) == (MovedVolume(WEB, was_active=True),)
    assert xen_volumes.moved(question(active, volume(identity="LVM-2"))) == ()
    assert xen_volumes.moved(question(active, None)) == ()
    assert xen_volumes.moved(question(active, volume(hindrance="a snapshot"))) == ()


def test_an_inactive_volume_counts_as_what_it_will_be() -> None:
    told = xen_volumes.as_if_active(question(volume(), volume()), {WEB: PathSeen("missing", None, "")})
    assert told == {WEB: PathSeen("block", Bytes(64 * MIB), "LVM-1")}


@pytest.mark.parametrize(
    ("there", "code"),
    [
        (volume(), "volume_activated"),
        (volume(hindrance="sr1/web01 has a snapshot."), "volume_not_movable"),
        (volume(stands="file"), "disk_not_a_device"),
    ],
)
def test_what_the_target_has_of_a_volume_is_said(there: dict[str, object], code: str) -> None:
    assert [each.code for each in xen_volumes.volumes(question(volume(), there))] == [code]


class Pools:
    """A host with one libvirt pool over an iSCSI session."""

    def __init__(self, target: str) -> None:
        self.target = target

    def listAllStoragePools(self, _flags: int) -> list["Pools"]:  # noqa: N802 - libvirt's name
        return [self]

    def name(self) -> str:
        return "lun"

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        source = f"<source><host name='10.77.0.3'/><device path='{self.target}'/></source>"
        return f"<pool type='iscsi'><name>lun</name>{source}<target><path>/dev/disk/by-path</path></target></pool>"


def test_a_pool_that_would_log_a_host_out_under_a_vms_volume_is_told_of() -> None:
    asked = replace(question(volume(), volume()), source=Pools("iqn.2026-11.lab:sr1"), target=Pools("iqn.other"))
    [found] = xen_volumes.sessions(asked)
    assert found.code == "pool_owns_session"
    assert dict(found.facts)["host"] == XEN1.name != XEN2.name
