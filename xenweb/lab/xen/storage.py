"""Lays out the storage the Xen hosts share: a volume group on the SAN, and the guests' disks on all three kinds.

The rule for the SAN: one host at a time changes what the group holds, and a volume is active only where its guest
runs, or is about to.
"""

from collections.abc import Callable, Iterable
from typing import Final

from xenweb.lab.xen.descriptions import VOLUME_GROUP, disk_path
from xenweb.lab.xen.guests import DISK_MIB, GuestSpec
from xenweb.lab.xen.layout import NETWORK, MachineSpec

UNIT: Final = f"/dev/disk/by-path/ip-{NETWORK}.3:3260-iscsi-iqn.2026-01.lab.xenweb:san-lun-1"
UNIT_GIB: Final = 1

Run = Callable[[str, str], str]
"""Runs a command on a machine: machine, command, what it printed."""


def fill(run: Run, host: MachineSpec, guests: Iterable[GuestSpec]) -> None:
    """Make the volume group and every guest's disk, from one host, where they are not there yet."""
    group = VOLUME_GROUP
    # Without this a host that starts would activate all of the group by itself: its guests run on the other one.
    make = f"pvcreate -q {UNIT} && vgcreate -q --setautoactivation n {group} {UNIT}"
    lines = [f"vgs {group} >/dev/null 2>&1 || {{ {make}; }} || exit 1"]
    for guest in guests:
        path = disk_path(guest)
        if guest.storage == "san":
            volume = f"{group}/{guest.name}"
            make = f"lvcreate -q -an -Zn -Wn -L {DISK_MIB}M -n {guest.name} {group}"
            lines.append(f"lvs {volume} >/dev/null 2>&1 || {make} || exit 1")
        elif path:
            # Written, not only made long: a file with holes is slower on one kind of storage than on the other.
            make = f"dd if=/dev/zero of={path}.part bs=1M count={DISK_MIB} conv=fsync && mv {path}.part {path}"
            lines.append(f"[ -f {path} ] || {{ {make}; }} || exit 1")
    run(host.name, "\n".join(f"{line}" for line in lines) + "\n")


def activate(run: Run, guest: GuestSpec, host: str) -> None:
    """Make a guest's volume usable on a host; disks that are files are so at all times."""
    if guest.storage == "san":
        # Without the second command a volume that is not there would be made as a plain file by whoever writes to it.
        run(host, f"lvchange -ay {VOLUME_GROUP}/{guest.name} && udevadm settle && test -b {disk_path(guest)}")


def deactivate(run: Run, guest: GuestSpec, host: str) -> None:
    """Take a guest's volume from a host it no longer runs on."""
    if guest.storage == "san":
        run(host, f"lvchange -an {VOLUME_GROUP}/{guest.name}")


def is_active(run: Run, guest: GuestSpec, host: str) -> bool:
    """Return whether a guest's volume is active on a host."""
    said = run(host, f"lvs --noheadings -o lv_active {VOLUME_GROUP}/{guest.name}")
    return said.strip() == "active"
