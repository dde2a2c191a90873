"""The XML that makes the Xen lab's guests and storage repositories."""

from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from xenweb.lab.connections import repository_xml
from xenweb.lab.xen.contents import GUEST_ARCHIVE, GUEST_KERNEL
from xenweb.lab.xen.guests import GuestSpec

VOLUME_GROUP: Final = "san"
NFS: Final = "/sr/nfs"
OCFS2: Final = "/sr/ocfs2"


def disk_path(guest: GuestSpec) -> str | None:
    """Return where every host sees the guest's disk, or None without one."""
    return {
        "none": None,
        "san": f"/dev/{VOLUME_GROUP}/{guest.name}",
        "nfs": f"{NFS}/{guest.name}.img",
        "ocfs2": f"{OCFS2}/{guest.name}.img",
    }[guest.storage]


def repositories() -> dict[str, str]:
    """Return the name and description of each storage repository a host has: those that are folders.

    The SAN is none: libvirt would activate all its volumes on each host that starts it, in use elsewhere or not.
    """
    identities = {
        "nfs": ("7e2d1f0a-0d6a-4c0e-9b5e-5a0000000001", NFS),
        "ocfs2": ("7e2d1f0a-0d6a-4c0e-9b5e-5a0000000002", OCFS2),
    }
    return {name: repository_xml(name, identity, Path(path)) for name, (identity, path) in identities.items()}


def _disk_xml(guest: GuestSpec) -> str:
    path = disk_path(guest)
    if path is None:
        return ""
    kind, attribute, driver = ("block", "dev", "phy") if guest.storage == "san" else ("file", "file", "qemu")
    return f"""
    <disk type='{kind}' device='disk'>
      <driver name='{driver}' type='raw'/>
      <source {attribute}='{path}'/>
      <target dev='xvda' bus='xen'/>
    </disk>"""


def guest_xml(guest: GuestSpec) -> str:
    """Return the description of one guest."""
    return f"""\
<domain type='xen'>
  <name>{guest.name}</name>
  <uuid>{guest.uuid}</uuid>
  <memory unit='MiB'>{guest.memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='xenpv'>linux</type>
    <kernel>{GUEST_KERNEL}</kernel>
    <initrd>{GUEST_ARCHIVE}</initrd>
    <cmdline>{escape(guest.line)}</cmdline>
  </os>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>preserve</on_crash>
  <devices>{_disk_xml(guest)}
    <console type='pty'><target type='xen' port='0'/></console>
  </devices>
</domain>"""
