"""What the machines' root file system holds besides Debian's packages: our programs and the configuration."""

from pathlib import Path
from typing import Final

from xenweb.lab.xen.layout import HOSTS, MACHINES

OURS: Final = Path(__file__).parent / "image"
RECORDS: Final = Path(__file__).parent / "records.py"
GUEST_KERNEL: Final = "/lab/guest/vmlinux"
GUEST_ARCHIVE: Final = "/lab/guest/initrd"
# Debian's libvirt also loads its QEMU driver, and that one fails the whole daemon without its user.
QEMU_USER: Final = ("libvirt-qemu", 64055)

LIBVIRTD: Final = """\
host_uuid = "00000000-0000-0000-0000-000000000000"
listen_tls = 0
listen_tcp = 1
listen_addr = "0.0.0.0"
auth_tcp = "none"
auth_unix_rw = "none"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
max_clients = 500
"""
# In the place of a rule of Debian's, which has a program wait for a new NFS mount at each new block device: on an
# emulated CPU whoever makes a logical volume waited a second or two for that.
NO_READ_AHEAD: Final = "# left empty\n"
SSHD: Final = "UsePAM no\nPrintMotd no\nPrintLastLog no\nUseDNS no\n"


def host_names() -> str:
    """Return /etc/hosts: hosts find each other by name on the lab's own network."""
    return "".join(["127.0.0.1 localhost\n", *(f"{machine.address} {machine.name}\n" for machine in MACHINES)])


def cluster() -> str:
    """Return OCFS2's cluster.conf, which wants tabs and its members' host names."""
    members = "".join(
        f"node:\n\tip_port = 7777\n\tip_address = {host.address}\n\tnumber = {number}\n"
        f"\tname = {host.name}\n\tcluster = lab\n\n"
        for number, host in enumerate(HOSTS)
    )
    return f"cluster:\n\tname = lab\n\theartbeat_mode = local\n\tnode_count = {len(HOSTS)}\n\n{members}"


def files() -> dict[str, str]:
    """Return the text of every configuration file by its path."""
    return {
        "etc/hosts": host_names(),
        "etc/hostname": "lab\n",
        "etc/resolv.conf": "",
        "etc/apt/sources.list": "",
        "etc/libvirt/libvirtd.conf": LIBVIRTD,
        "etc/libvirt/libxl.conf": "autoballoon = 0\n",
        "etc/ocfs2/cluster.conf": cluster(),
        "etc/ssh/sshd_config.d/lab.conf": SSHD,
        "etc/udev/rules.d/99-nfs.rules": NO_READ_AHEAD,
    }


def lay(root: Path) -> None:
    """Write our programs and the configuration into the file system at ``root``."""
    for path, text in files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).unlink(missing_ok=True)
        (root / path).write_text(text)
    user, number = QEMU_USER
    with (root / "etc/passwd").open("a") as people, (root / "etc/group").open("a") as groups:
        people.write(f"{user}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n")
        groups.write(f"{user}:x:{number}:\n")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()  # each machine of each lab makes its own
    (root / "lab" / "guest").mkdir(parents=True)
    for program in (OURS / "init", OURS / "daemon", OURS / "clock.py", RECORDS):
        (root / "lab" / program.name).write_bytes(program.read_bytes())
        (root / "lab" / program.name).chmod(0o755)
