"""What a probe tells of its host's storage: which is a SAN's, which is served, which is the host's own."""

from pathlib import Path

from tests.probe.lvm import PlayedHost
from xenweb.core.facts import StorageKind
from xenweb.probe.storage import Storage, block_kind

ISCSI = {
    "path": "/dev/sdb",
    "tran": "iscsi",
    "children": [{"path": "/dev/mapper/sr1-web01", "tran": None}],
}
LOCAL = {"path": "/dev/vda", "tran": "virtio", "children": [{"path": "/dev/vda2", "tran": None, "uuid": "u-2"}]}
MOUNTS = """\
22 1 254:1 / / rw - ext4 /dev/vda1 rw
30 22 0:45 / /sr/nfs rw - nfs4 10.77.0.3:/ rw,vers=4.2
31 22 8:32 / /sr/with\\040space rw - ocfs2 /dev/sdc rw
32 22 0:46 / /proc rw - proc proc rw
"""


def storage(host: PlayedHost, tmp_path: Path, *, busy: bool = False) -> Storage:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    return Storage(host, lambda: busy, system=tmp_path / "sys", mounts=mounts)


def session(tmp_path: Path, disk: str, target: str) -> None:
    device = tmp_path / "sys/devices/platform/host2/session1/target2:0:0/2:0:0:1/block" / disk
    device.mkdir(parents=True)
    (tmp_path / "sys/block").mkdir(exist_ok=True)
    (tmp_path / "sys/block" / disk).symlink_to(device)
    named = tmp_path / "sys/class/iscsi_session/session1"
    named.mkdir(parents=True)
    (named / "targetname").write_text(f"{target}\n")


def test_a_group_on_an_iscsi_disk_is_block_storage_of_a_san_and_names_its_target(tmp_path: Path) -> None:
    host = PlayedHost(tmp_path)
    host.blocks = [ISCSI, LOCAL]
    session(tmp_path, "sdb", "iqn.2026-11.lab:sr1")
    [group] = storage(host, tmp_path).look()["groups"]
    assert (group["uuid"], group["kind"], group["targets"]) == ("VG-sr1", "san_block", ["iqn.2026-11.lab:sr1"])


def test_a_group_on_a_partition_of_an_own_disk_is_local(tmp_path: Path) -> None:
    host = PlayedHost(tmp_path)
    host.blocks, host.physical = [LOCAL], [{"pv_name": "/dev/vda2", "vg_uuid": "VG-sr1"}]
    [group] = storage(host, tmp_path).look()["groups"]
    assert (group["kind"], group["targets"]) == ("local_block", [])


def test_a_multipath_device_is_what_all_its_ways_are() -> None:
    assert block_kind([frozenset({"fc"}), frozenset({"iscsi", "fc"})]) == "san_block"
    assert block_kind([frozenset({"fc"}), frozenset({"sata"})]) == "unknown"
    assert block_kind([frozenset()]) == "unknown"
    assert block_kind([]) == "unknown"


def test_mounts_tell_nfs_by_its_server_and_ocfs2_by_the_name_of_the_file_system(tmp_path: Path) -> None:
    host = PlayedHost(tmp_path)
    host.blocks = [{"path": "/dev/sdc", "tran": "iscsi", "fstype": "ocfs2", "uuid": "0c5f-2"}]
    host.replies["stat"] = "4096 1000 250\n"
    found = {each["path"]: each for each in storage(host, tmp_path).look()["mounts"]}
    assert found["/sr/nfs"]["kind"] == "nfs"
    assert found["/sr/nfs"]["identity"] == "10.77.0.3:/"
    assert (found["/sr/nfs"]["size"], found["/sr/nfs"]["free"]) == (4096000, 1024000)
    assert (found["/sr/with space"]["kind"], found["/sr/with space"]["identity"]) == ("ocfs2", "0c5f-2")
    assert found["/"]["kind"] == "local_file"
    assert "/proc" not in found


def test_a_server_that_is_silent_costs_the_size_and_no_more(tmp_path: Path) -> None:
    host = PlayedHost(tmp_path)
    host.failing["stat"] = "it did not answer within 2 s"
    found = {each["path"]: each for each in storage(host, tmp_path).look()["mounts"]}
    assert (found["/sr/nfs"]["size"], found["/sr/nfs"]["free"]) == (None, None)


def test_nobody_waits_for_a_look_and_none_is_begun_during_a_hand_over(tmp_path: Path) -> None:
    host = PlayedHost(tmp_path)
    busy = storage(host, tmp_path, busy=True)
    assert busy.told() == {"known": False}
    assert host.calls == []


def test_every_kind_that_a_probe_tells_is_a_word_of_the_core() -> None:
    told = {"san_block", "local_block", "unknown", "nfs", "ocfs2", "local_file"}
    assert told == {each.value for each in StorageKind}
