"""The one call of libvirt, for each kind of move: which flags, which parameters, which words for virsh."""

import shlex
from dataclasses import replace

import libvirt
import pytest

from xenweb.core.facts import Kind
from xenweb.core.quantities import MIB, Bytes, Milliseconds
from xenweb.drivers.contract import CopiedDisk, Endpoint, MigrationPlan, MoveOptions
from xenweb.drivers.libvirt_driver import description, levers, moving

SOURCE = Endpoint(1, "host-a", "qemu+tls://host-a/system")
TARGET = Endpoint(2, "host-b", "qemu+tls://host-b/system", "10.0.0.2")
DISK = CopiedDisk("hda", "/srv/local/ledger.img", Bytes(32 * MIB))


def plan(*, kind: Kind = Kind.LIVE, trust: bool = False, disks: tuple[CopiedDisk, ...] = ()) -> MigrationPlan:
    return MigrationPlan("M", "u-1", "ledger", SOURCE, TARGET, MoveOptions(), trust, kind, disks)


def command(wanted: MigrationPlan, *, is_persistent: bool = True) -> str:
    return levers.command(wanted, is_persistent=is_persistent)


@pytest.mark.parametrize("kind", [Kind.LIVE, Kind.PAUSED])
@pytest.mark.parametrize("disks", [(), (DISK,)])
@pytest.mark.parametrize("trust", [False, True])
def test_unsafe_is_passed_exactly_where_somebody_has_vouched(
    kind: Kind, disks: tuple[CopiedDisk, ...], trust: bool
) -> None:
    wanted = plan(kind=kind, trust=trust, disks=disks)
    assert bool(moving.flags_for(wanted, is_persistent=True) & libvirt.VIR_MIGRATE_UNSAFE) is trust
    assert ("--unsafe" in shlex.split(command(wanted))) is trust


def test_only_the_named_disks_are_copied() -> None:
    wanted = plan(disks=(DISK,))
    assert moving.flags_for(wanted, is_persistent=True) & libvirt.VIR_MIGRATE_NON_SHARED_DISK
    assert moving.parameters_for(wanted)[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] == ["hda"]
    words = shlex.split(command(wanted))
    assert words[words.index("--migrate-disks") + 1] == "hda"
    assert "--copy-storage-all" in words
    without = plan()
    assert not moving.flags_for(without, is_persistent=True) & libvirt.VIR_MIGRATE_NON_SHARED_DISK
    assert libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS not in moving.parameters_for(without)


def test_a_paused_vm_is_told_to_stay_paused() -> None:
    assert moving.flags_for(plan(kind=Kind.PAUSED), is_persistent=True) & libvirt.VIR_MIGRATE_PAUSED
    assert "--suspend" in shlex.split(command(plan(kind=Kind.PAUSED)))
    assert not moving.flags_for(plan(), is_persistent=True) & libvirt.VIR_MIGRATE_PAUSED


@pytest.mark.parametrize("is_persistent", [True, False])
def test_the_command_keeps_a_definition_exactly_where_the_call_does(is_persistent: bool) -> None:
    flags = moving.flags_for(plan(), is_persistent=is_persistent)
    words = shlex.split(command(plan(), is_persistent=is_persistent))
    assert bool(flags & libvirt.VIR_MIGRATE_PERSIST_DEST) is is_persistent
    assert ("--persistent" in words) is is_persistent
    assert ("--undefinesource" in words) is is_persistent


def test_the_allowed_pause_is_said_beside_the_command_as_virsh_takes_it_only_while_the_move_runs() -> None:
    wanted = replace(plan(), options=MoveOptions(downtime_limit=Milliseconds(500)))
    call, pause = command(wanted).split("\n")
    assert call == command(plan())
    assert pause.startswith("# The allowed pause")
    assert shlex.split(pause)[-2:] == ["u-1", "500"]


def test_a_halted_vm_moves_as_a_definition_that_leaves_its_source() -> None:
    flags = moving.COLD_FLAGS
    for wanted in (
        libvirt.VIR_MIGRATE_OFFLINE,
        libvirt.VIR_MIGRATE_PEER2PEER,
        libvirt.VIR_MIGRATE_PERSIST_DEST,
        libvirt.VIR_MIGRATE_UNDEFINE_SOURCE,
    ):
        assert flags & wanted
    assert not flags & (libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_UNSAFE)
    words = shlex.split(command(plan(kind=Kind.COLD)))
    assert {"--offline", "--persistent", "--undefinesource", "--p2p"} <= set(words)
    assert "--live" not in words


def test_every_path_that_a_domain_names_counts_as_used() -> None:
    xml = """<domain><devices>
    <disk device='disk'><source file='/srv/a.img'/><backingStore><source file='/srv/base.img'/></backingStore></disk>
    <disk device='cdrom'><source file='/srv/cd.iso'/></disk>
    <disk device='disk'><source dev='/dev/vg/lv'/></disk></devices></domain>"""
    assert description.sources(xml) == {"/srv/a.img", "/srv/base.img", "/srv/cd.iso", "/dev/vg/lv"}
