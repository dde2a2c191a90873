"""How the machines of the Xen lab are started."""

from pathlib import Path

import pytest

from xenweb.lab.errors import LabError, LabUnavailableError
from xenweb.lab.folders import check_path
from xenweb.lab.xen.archive import in_order
from xenweb.lab.xen.contents import cluster, host_names
from xenweb.lab.xen.descriptions import disk_path, guest_xml, repositories
from xenweb.lab.xen.guests import GUESTS, GuestSpec, host_memory
from xenweb.lab.xen.image import Image, cache_folder, digest
from xenweb.lab.xen.layout import HOSTS, LONGEST_SOCKET, MACHINES, LabLayout, default_folder, host_spec, machine_spec
from xenweb.lab.xen.machines import Ports, boot_words, command, kernel_line
from xenweb.lab.xen.shell import ssh_words

IMAGE = Image(Path("/image"))
LAYOUT = LabLayout(Path("/lab"))
PORTS = Ports(
    network=7801,
    shell={"xen-1": 1, "xen-2": 2, "store": 3},
    libvirt={"xen-1": 4, "xen-2": 5},
    probe={"xen-1": 6, "xen-2": 7},
)


def test_the_kernel_line_names_the_role_and_who_may_give_commands() -> None:
    words = kernel_line(machine_spec("xen-2"), "AAAAkey").split()
    assert {"labrole=xen-2", "labnumber=2", "labnetwork=10.77.0", "labkey=AAAAkey", "console=hvc0"} <= set(words)
    assert {"console=ttyS0", "clocksource=hpet"} <= set(kernel_line(machine_spec("store"), "k").split())


def test_a_host_boots_xen_with_linux_as_its_module_and_the_store_boots_linux() -> None:
    kernel, _, modules = boot_words(machine_spec("xen-1"), IMAGE, "key")[1:4]
    assert kernel == "/image/xen"
    linux, archive = modules.split(",")
    assert linux.startswith("/image/vmlinuz console=hvc0 ")
    assert archive == "/image/boot.img"
    assert boot_words(machine_spec("store"), IMAGE, "key")[1] == "/image/vmlinuz"


def test_a_comma_in_the_line_does_not_end_the_module() -> None:
    modules = boot_words(machine_spec("xen-1"), IMAGE, "a,b")[3]
    assert "labkey=a,,b" in modules


def test_only_a_host_opens_doors_to_libvirt_and_its_probe_and_only_to_this_machine() -> None:
    for machine in MACHINES:
        words = " ".join(command(LAYOUT, machine, IMAGE, PORTS, "key"))
        forwards = [word for word in words.replace(" ", ",").split(",") if word.startswith("hostfwd=")]
        assert all(forward.startswith("hostfwd=tcp:127.0.0.1:") for forward in forwards)
        assert len(forwards) == (3 if machine.is_host else 1)
        assert "restrict=on" in words


def test_a_host_has_room_for_all_guests_and_never_less_than_the_least() -> None:
    assert host_memory(GUESTS) == machine_spec("xen-1").memory
    large = [GuestSpec(f"large-{number}", "xen-1", memory=448) for number in range(5)]
    assert host_memory(large) == 1000 + 5 * 448


def test_large_frames_are_on_the_labs_own_network_alone_and_never_in_merged_buffers() -> None:
    for machine in MACHINES:
        outside, own = [word for word in command(LAYOUT, machine, IMAGE, PORTS, "key") if "virtio-net-pci" in word]
        assert "mtu" not in outside
        assert "host_mtu=9000" in own
        assert "mrg_rxbuf=off" in own


def test_the_shared_disks_are_in_the_store_alone() -> None:
    has_them = [
        machine.name for machine in MACHINES if "/lab/san.img" in " ".join(command(LAYOUT, machine, IMAGE, PORTS, ""))
    ]
    assert has_them == ["store"]


def test_no_two_machines_share_a_card_an_address_or_an_identity() -> None:
    assert len({machine.card(place) for machine in MACHINES for place in (0, 1)}) == 2 * len(MACHINES)
    assert len({machine.address for machine in MACHINES}) == len(MACHINES)
    assert len({machine.uuid for machine in MACHINES}) == len(MACHINES)


def test_an_unknown_machine_is_answered_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="its machines are xen-1, xen-2, store"):
        machine_spec("xen-9")
    with pytest.raises(LabError, match="runs no libvirt"):
        host_spec("store")


def test_every_machine_finds_the_others_by_name() -> None:
    assert {"10.77.0.1 xen-1", "10.77.0.2 xen-2", "10.77.0.3 store"} <= set(host_names().splitlines())
    assert cluster().count("node:") == len(HOSTS) == 2
    assert "\tip_address = 10.77.0.2\n\tnumber = 1\n\tname = xen-2\n" in cluster()


def test_there_is_a_guest_for_each_kind_of_storage_and_a_busy_one_without() -> None:
    assert {guest.storage for guest in GUESTS} == {"none", "san", "nfs", "ocfs2"}
    assert any(guest.rate > 1 and guest.storage == "none" for guest in GUESTS)
    assert any(guest.rate == 0 and guest.storage == "none" for guest in GUESTS)
    assert {guest.host for guest in GUESTS} == {host.name for host in HOSTS}


@pytest.mark.parametrize(
    ("storage", "path", "words"),
    [
        ("san", "/dev/san/vm", ("type='block'", "name='phy'", "dev='/dev/san/vm'")),
        ("nfs", "/sr/nfs/vm.img", ("type='file'", "name='qemu'", "file='/sr/nfs/vm.img'")),
        ("ocfs2", "/sr/ocfs2/vm.img", ("type='file'", "name='qemu'", "file='/sr/ocfs2/vm.img'")),
    ],
)
def test_a_disk_is_described_as_its_storage_wants_it(storage: str, path: str, words: tuple[str, ...]) -> None:
    guest = GuestSpec("vm", "xen-1", storage=storage)
    assert disk_path(guest) == path
    assert all(word in guest_xml(guest) for word in words)
    assert "disk=/dev/xvda" in guest_xml(guest)


def test_a_guest_without_a_disk_has_none() -> None:
    guest = GuestSpec("vm", "xen-1", rate=8, span=24)
    assert "<disk" not in guest_xml(guest)
    assert "rate=8 span=24 disk=none" in guest_xml(guest)


def test_libvirt_gets_no_pool_that_would_activate_the_volumes_of_the_san() -> None:
    assert set(repositories()) == {"nfs", "ocfs2"}
    assert all("type='dir'" in xml for xml in repositories().values())


def test_the_folder_and_the_cache_come_from_the_environment() -> None:
    assert default_folder({"XENWEB_XEN_LAB": "/srv/x"}) == Path("/srv/x")
    assert cache_folder({"XENWEB_CACHE": "/srv/c"}) == Path("/srv/c")
    with pytest.raises(LabUnavailableError, match="too long"):
        check_path(Path("/") / ("long-" * 20), LONGEST_SOCKET)


def test_an_image_is_known_by_what_it_is_made_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = digest()
    assert before == digest()
    for source in Path("xenweb/lab/xen/image").iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr("xenweb.lab.xen.contents.OURS", tmp_path)
    assert digest() == before
    (tmp_path / "init").write_text("#!/bin/sh\n")
    assert digest() != before


def test_ssh_trusts_only_what_this_lab_has_learned() -> None:
    words = ssh_words(LAYOUT, "xen-1", 22)
    assert "UserKnownHostsFile=/lab/known_hosts" in words
    assert words[:3] == ("ssh", "-F", "none")


def test_a_module_is_loaded_after_what_it_needs() -> None:
    text = "k/ext4.ko: k/crc16.ko k/jbd2.ko\nk/crc16.ko:\nk/jbd2.ko:\nk/xen-blkfront.ko:\n"
    assert in_order(text, ["ext4"]) == ["k/jbd2.ko", "k/crc16.ko", "k/ext4.ko"]
    assert in_order(text, ["xen_blkfront", "built_in"]) == ["k/xen-blkfront.ko"]
