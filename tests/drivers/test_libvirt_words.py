"""What libvirt says, in our words: descriptions that may be hostile, errors that must be told apart."""

from fractions import Fraction

import libvirt
import pytest

from xenweb.core.quantities import MIB, BytesPerSecond, Milliseconds
from xenweb.drivers.contract import (
    DriverError,
    Endpoint,
    HostUnreachableError,
    MigrationPlan,
    MoveBrokenError,
    MoveCancelledError,
    MoveOptions,
    MoveRefusedError,
    VmMissingError,
)
from xenweb.drivers.libvirt_driver import description, moving
from xenweb.drivers.libvirt_driver.errors import translated

DOMAIN = """
<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
<cpu mode='custom'><model>qemu64</model></cpu>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/>
<source file='/srv/a.img'/><target dev='vda'/></disk>
<disk type='file' device='cdrom'><source file='/srv/cd.iso'/><target dev='hdc'/><readonly/></disk>
<interface type='network'><source network='lan'/></interface>
<interface type='bridge'><source bridge='br0'/></interface>
<hostdev mode='subsystem' type='pci'><source>
<address domain='0x0000' bus='0x03' slot='0x00' function='0x1'/></source></hostdev>
<hostdev mode='subsystem' type='usb'><source><vendor id='0x1d6b'/><product id='0x0002'/></source></hostdev>
<hostdev mode='subsystem' type='mdev'><source><address uuid='ab'/></source></hostdev>
<hostdev mode='subsystem' type='usb'><source><address bus='1' device='4'/></source></hostdev>
<hostdev mode='subsystem' type='scsi'/></devices></domain>
"""


def test_a_domain_is_read() -> None:
    said = description.domain(DOMAIN)
    assert said.memory == 64 * MIB
    assert [(disk.device, disk.path, disk.cache) for disk in said.disks] == [("vda", "/srv/a.img", "none")]
    assert said.networks == ("lan", "br0")
    assert (said.machine, said.architecture) == ("pc-i440fx-7.2", "x86_64")
    assert said.host_devices == (
        "PCI device 0000:03:00.1",
        "USB device 1d6b:0002",
        "mdev device ab",
        "USB device 1:4",
        "a scsi device",
    )
    assert "qemu64" in said.cpu


@pytest.mark.parametrize(
    ("xml", "vcpus"),
    [
        ("<vcpu placement='static'>4</vcpu>", 4),
        ("<vcpu current='2'>8</vcpu>", 2),
        ("", 1),
        ("<vcpu>0</vcpu>", 1),
        ("<vcpu>many</vcpu>", 1),
    ],
)
def test_a_domain_has_the_cpus_that_are_switched_on_and_never_none(xml: str, vcpus: int) -> None:
    assert description.domain(f"<domain>{xml}</domain>").vcpus == vcpus


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<domain>",
        "not xml",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><domain>&a;</domain>",
        "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><domain/>",
        "<domain>" + "x" * (5 * 1024 * 1024) + "</domain>",
    ],
)
def test_hostile_descriptions_are_refused_as_unreadable(xml: str) -> None:
    with pytest.raises(DriverError, match="description"):
        description.domain(xml)


@pytest.mark.parametrize("memory", ["", "<memory/>", "<memory>-1</memory>", "<memory unit='parsec'>x</memory>"])
def test_odd_sizes_are_no_size(memory: str) -> None:
    assert description.domain(f"<domain>{memory}</domain>").memory == 0


def test_pools_are_the_same_by_their_source_or_else_by_their_uuid() -> None:
    nfs = "<pool type='netfs'><name>{}</name><uuid>{}</uuid><source><host name='nas'/><dir path='/x'/></source></pool>"
    assert description.pool(nfs.format("a", "1")).identity == description.pool(nfs.format("b", "2")).identity
    folder = "<pool type='dir'><name>a</name><uuid>{}</uuid><target><path>/srv</path></target></pool>"
    assert description.pool(folder.format("1")).identity != description.pool(folder.format("2")).identity
    assert description.pool(folder.format("1")).path == "/srv"


@pytest.mark.parametrize(
    ("said", "moment"),
    [("1795595228.581036580", Fraction("1795595228.581036580")), ("12", Fraction(12)), ("", None), ("-1", None)],
)
def test_the_last_change_of_a_volume_is_read_to_the_nanosecond(said: str, moment: Fraction | None) -> None:
    xml = f"<volume><target><timestamps><mtime>{said}</mtime></timestamps></target></volume>"
    assert description.last_change(xml) == moment


def libvirt_error(code: int, said: str) -> libvirt.libvirtError:
    error = libvirt.libvirtError(said)
    error.err = (code, 0, said, 2, None, None, None, -1, -1)
    return error


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (libvirt.VIR_ERR_OPERATION_ABORTED, "job 'migration out' canceled by client", MoveCancelledError),
        (libvirt.VIR_ERR_NO_DOMAIN, "Domain not found", VmMissingError),
        (libvirt.VIR_ERR_SYSTEM_ERROR, "End of file while reading data: Input/output error", HostUnreachableError),
        (libvirt.VIR_ERR_INTERNAL_ERROR, "client socket is closed", HostUnreachableError),
        (libvirt.VIR_ERR_RPC, "connection closed due to keepalive timeout", HostUnreachableError),
        (libvirt.VIR_ERR_MIGRATE_UNSAFE, "Unsafe migration: Migration without shared storage", MoveRefusedError),
        (libvirt.VIR_ERR_OPERATION_FAILED, "Unable to write to socket: Broken pipe", MoveBrokenError),
        (libvirt.VIR_ERR_INTERNAL_ERROR, "qemu unexpectedly closed the monitor", MoveBrokenError),
    ],
)
def test_errors_are_told_apart(code: int, said: str, kind: type[DriverError]) -> None:
    found = translated(libvirt_error(code, said), "host-a")
    assert type(found) is kind
    assert found.sentence.endswith(".")


def plan(**changes: object) -> MigrationPlan:
    source, target = Endpoint(1, "a", "qemu://a/system"), Endpoint(2, "b", "qemu://b/system", "192.0.2.2")
    return MigrationPlan("m", "u", "vm", source, target, MoveOptions(**changes))  # type: ignore[arg-type]


def test_a_move_is_always_peer_to_peer_and_live() -> None:
    flags = moving.flags_for(plan(), is_persistent=True)
    assert flags & libvirt.VIR_MIGRATE_PEER2PEER
    assert flags & libvirt.VIR_MIGRATE_LIVE
    assert flags & libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    assert not flags & libvirt.VIR_MIGRATE_UNSAFE
    assert not moving.flags_for(plan(), is_persistent=False) & libvirt.VIR_MIGRATE_PERSIST_DEST
    assert moving.flags_for(plan(auto_converge=True), is_persistent=True) & libvirt.VIR_MIGRATE_AUTO_CONVERGE


def test_bandwidth_is_told_in_whole_mebibytes_and_never_as_none() -> None:
    key = libvirt.VIR_MIGRATE_PARAM_BANDWIDTH
    assert key not in moving.parameters_for(plan())
    assert moving.parameters_for(plan(bandwidth_limit=BytesPerSecond(1.0)))[key] == 1
    assert moving.parameters_for(plan(bandwidth_limit=BytesPerSecond(2.5 * MIB)))[key] == 3
    assert moving.parameters_for(plan())[libvirt.VIR_MIGRATE_PARAM_URI] == "tcp://192.0.2.2"


def test_figures_that_libvirt_does_not_say_are_not_invented() -> None:
    assert moving.completed_stats({}) == moving.completed_stats({"type": 0})
    assert moving.completed_stats({}).downtime is None
    assert moving.completed_stats({"downtime": 34}).downtime == Milliseconds(34)
