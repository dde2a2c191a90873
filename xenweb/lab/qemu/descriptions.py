"""The XML and the configuration files that make a lab's hosts and guests."""

import os
import shlex
import uuid
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from xenweb.lab.connections import repository_xml
from xenweb.lab.qemu.acceleration import Acceleration
from xenweb.lab.qemu.guests import GuestSpec
from xenweb.lab.qemu.layout import HOSTS, HostSpec, LabLayout
from xenweb.lab.qemu.namespaces import ORDINARY_ID
from xenweb.lab.qemu.requirements import QEMU

SMALL_LACKS: Final = ("cx16", "lahf-lm")
SHARED_UUID: Final = "6d1c1f0a-0d6a-4c0e-9b5e-5a5a5a5a5a5a"


def daemon_configuration(layout: LabLayout, host: HostSpec) -> str:
    """Return libvirtd.conf of one host. Keepalive is short, so that a dead host is noticed in seconds."""
    log = layout.host(host.name).daemon_log
    return f"""\
host_uuid = "{host.uuid}"
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_rw_perms = "0700"
log_filters = "3:util 2:qemu_migration 3:event"
log_outputs = "3:file:{log}"
keepalive_interval = 2
keepalive_count = 3
max_clients = 500
"""


def qemu_configuration(host: HostSpec) -> str:
    """Return qemu.conf of one host. Consoles go straight to files: the lab has no virtlogd."""
    return f"""\
stdio_handler = "file"
security_driver = "none"
lock_manager = "lockd"
migration_port_min = {host.first_migration_port}
migration_port_max = {host.first_migration_port + 49}
keepalive_interval = 2
keepalive_count = 3
"""


def lock_configuration(layout: LabLayout) -> str:
    """Return qemu-lockd.conf: the one folder of leases. virtlockd knows no other, not even one a guest names."""
    return f'file_lockspace_dir = "{layout.leases}"\n'


def lease_file(layout: LabLayout, guest: GuestSpec) -> Path:
    """Return the file that virtlockd locks for a guest; it must be there before the guest starts."""
    return layout.leases / guest.name


def _lease_xml(layout: LabLayout, guest: GuestSpec) -> str:
    """Return what keeps a second copy of a guest from running, be it without a disk.

    libvirt itself relies on it: when the target's daemon dies in the hand-over, it lets the source go on without
    knowing whether the target's copy already runs.
    """
    file = lease_file(layout, guest)
    return f"""
    <lease>
      <lockspace>{file.parent.name}</lockspace>
      <key>{file.name}</key>
      <target path={quoteattr(str(file.parent.parent))}/>
    </lease>"""


def small_emulator(layout: LabLayout) -> str:
    """Return a QEMU whose CPUs lack features: the machine's own, told so at each start.

    It no longer lies where it was installed, so it is told where its parts are.
    """
    without = " ".join(f"-global x86_64-cpu.{feature}=off" for feature in SMALL_LACKS)
    parts = "-L /usr/share/qemu -L /usr/share/seabios -L /usr/lib/ipxe/qemu"
    return f"""\
#!/bin/sh
export QEMU_MODULE_DIR=/usr/lib/x86_64-linux-gnu/qemu
exec {shlex.quote(str(layout.emulator))} {parts} "$@" {without}
"""


def host_names() -> str:
    """Return what every host sees as /etc/hosts, so that hosts find each other by name on the data network."""
    lines = ["127.0.0.1 localhost", *(f"{host.address} {host.name}" for host in HOSTS)]
    return "\n".join(lines) + "\n"


def people() -> str:
    """Return what every host sees as /etc/passwd: libvirtd starts for nobody whose name it cannot find."""
    return f"root:x:0:0:root:/root:/bin/sh\nlab:x:{ORDINARY_ID}:{ORDINARY_ID}:lab:/:/bin/sh\n"


def groups() -> str:
    """Return what every host sees as /etc/group."""
    return f"root:x:0:\nlab:x:{ORDINARY_ID}:\n"


def repositories(layout: LabLayout, host: HostSpec) -> dict[str, str]:
    """Return the name and description of each storage repository a host has."""
    own = str(uuid.uuid5(uuid.UUID(host.uuid), "local"))
    return {
        "shared": repository_xml("shared", SHARED_UUID, layout.shared),
        "local": repository_xml("local", own, layout.local),
    }


def disk_path(layout: LabLayout, guest: GuestSpec) -> Path | None:
    """Return where the guest's host sees its disk, or None without one."""
    if guest.disk == "none":
        return None
    folder = layout.shared if guest.disk == "shared" else layout.local
    return folder / f"{guest.name}.img"


def disk_file(layout: LabLayout, guest: GuestSpec, host: str) -> Path | None:
    """Return where we, outside the lab, see the guest's disk while it is on ``host``."""
    path = disk_path(layout, guest)
    if path is None or guest.disk == "shared":
        return path
    return layout.host(host).disks / path.name


def allows_direct_io(folder: Path) -> bool:
    """Return whether files in ``folder`` can bypass the page cache, which libvirt wants to see for shared disks."""
    trial = folder / ".direct"
    try:
        os.close(os.open(trial, os.O_CREAT | os.O_RDWR | os.O_DIRECT, 0o600))
    except OSError:
        return False
    finally:
        trial.unlink(missing_ok=True)
    return True


def _disk_xml(layout: LabLayout, guest: GuestSpec) -> str:
    path = disk_path(layout, guest)
    if path is None:
        return ""
    cache = "none" if allows_direct_io(layout.folder) else "writethrough"
    return f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='{cache}'/>
      <source file={quoteattr(str(path))}/>
      <target dev='hda' bus='ide'/>
    </disk>"""


def guest_xml(layout: LabLayout, guest: GuestSpec, acceleration: Acceleration) -> str:
    """Return the description of one guest.

    The CPU is a named model without checks: with TCG the host's own model would ask for features it cannot give.
    """
    kind = "kvm" if acceleration == "kvm" else "qemu"
    arguments = guest.arguments(flush=acceleration == "tcg")
    return f"""\
<domain type='{kind}'>
  <name>{guest.name}</name>
  <uuid>{guest.uuid}</uuid>
  <description>{escape(guest.role)}</description>
  <memory unit='MiB'>{guest.memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{escape(str(layout.program))}</kernel>
    <cmdline>{arguments}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact' check='none'><model fallback='allow'>qemu64</model></cpu>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>preserve</on_crash>
  <devices>
    <emulator>/usr/bin/{QEMU}</emulator>{_disk_xml(layout, guest)}{_lease_xml(layout, guest)}
    <controller type='usb' model='none'/>
    <serial type='file'>
      <source path={quoteattr(str(layout.console(guest.name)))} append='on'/>
      <target port='0'/>
    </serial>
    <memballoon model='none'/>
  </devices>
</domain>"""
