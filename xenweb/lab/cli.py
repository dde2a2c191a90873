"""The words of the ``lab`` command, shared by manage.py and ``python -m xenweb.lab``.

There are two kinds of lab. A word about a host needs no kind: the host's name tells it.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

from xenweb.lab.errors import LabError
from xenweb.lab.qemu.lab import HostStatus
from xenweb.lab.qemu.lab import Lab as QemuLab
from xenweb.lab.qemu.layout import HOSTS as QEMU_HOSTS
from xenweb.lab.xen.lab import Lab as XenLab
from xenweb.lab.xen.lab import MachineStatus
from xenweb.lab.xen.layout import HOSTS as XEN_HOSTS
from xenweb.lab.xen.layout import MACHINES

Say = Callable[[str], None]

QEMU_NAMES: Final = tuple(host.name for host in QEMU_HOSTS)
XEN_NAMES: Final = tuple(host.name for host in XEN_HOSTS)
MACHINE_NAMES: Final = tuple(machine.name for machine in MACHINES)
WIDTHS: Final = {"name": 8, "power": 6, "daemon": 8, "link": 7, "rate": 8}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Teach a parser the words of the command."""
    folder = argparse.ArgumentParser(add_help=False)
    places = "XENWEB_LAB, else /tmp/xw-<uid>; for xen XENWEB_XEN_LAB, else /tmp/xw-xen-<uid>"
    folder.add_argument("--folder", type=Path, help=f"folder of the lab (default: {places})")
    kind = argparse.ArgumentParser(add_help=False, parents=[folder])
    kind.add_argument("kind", nargs="?", choices=("qemu", "xen"), default="qemu", help="which lab (default: qemu)")
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    up = words.add_parser("up", parents=[kind], help="start the hosts and their guests")
    up.add_argument("--rate", default="off", help="limit every QEMU host's link from the start, such as 400mbit")
    words.add_parser("down", parents=[kind], help="end everything the lab started")
    status = words.add_parser("status", parents=[kind], help="show hosts and guests")
    status.add_argument("--json", action="store_true", help="for machines")
    for word, names, wishes, explanation in (
        ("rate", QEMU_NAMES, None, "limit a host's link, such as 40mbit, or off"),
        ("link", QEMU_NAMES + MACHINE_NAMES, ("down", "silent", "up"), "pull a host's data cable or plug it in"),
        ("daemon", QEMU_NAMES + XEN_NAMES, ("kill", "start"), "kill a host's libvirt daemon or start it"),
        ("power", QEMU_NAMES + MACHINE_NAMES, ("off", "on"), "cut a host's power or switch it on"),
        ("processor", QEMU_NAMES, ("full", "small"), "take features from a host's CPU, or give them back"),
    ):
        order = words.add_parser(word, parents=[folder], help=explanation)
        order.add_argument("host", choices=names)
        order.add_argument("wish", choices=wishes, metavar="WISH" if wishes is None else None)
    uri = words.add_parser("uri", parents=[folder], help="print a host's libvirt URI")
    uri.add_argument("host", choices=QEMU_NAMES + XEN_NAMES)
    command = words.add_parser("run", parents=[folder], help="run a shell command on a machine of the Xen lab")
    command.add_argument("host", choices=MACHINE_NAMES)
    command.add_argument("command")


def run(options: argparse.Namespace, say: Say) -> None:
    """Do what the words say; raise LabError with a sentence when it cannot be done."""
    is_xen = options.kind == "xen" if "kind" in options else options.host in MACHINE_NAMES
    lab: QemuLab | XenLab = XenLab(options.folder) if is_xen else QemuLab(options.folder)
    match options.word:
        case "up":
            _up(lab, options.rate, say)
        case "down":
            say("The lab is down." if lab.down() else "No lab was running.")
        case "status":
            status = lab.status()
            say(json.dumps([asdict(host) for host in status], indent=2) if options.json else table(status))
        case "uri":
            say(lab.uri(options.host))
        case "run" if isinstance(lab, XenLab):
            say(lab.run(options.host, options.command).rstrip("\n"))
        case "rate" | "link" | "daemon" | "power" | "processor" as word:
            getattr(lab, word)(options.host, options.wish)


def _up(lab: QemuLab | XenLab, rate: str, say: Say) -> None:
    if isinstance(lab, QemuLab):
        lab.up(say, rate)
    elif rate != "off":
        msg = "The Xen lab's links cannot be limited: leave --rate out."
        raise LabError(msg)
    else:
        lab.up(say)
    for host in lab.hosts:
        say(f"  {host.name}  {host.uri}")


def table(hosts: Sequence[HostStatus] | Sequence[MachineStatus]) -> str:
    """Return the status for people."""
    shown = [field.name for field in fields(hosts[0]) if field.name in WIDTHS]
    head = ["host" if name == "name" else name for name in shown]
    rows = [(head, "guests (halted in brackets)")]
    for host in hosts:
        guests = " ".join([*host.running, *(f"[{name}]" for name in host.halted)])
        rows.append(([getattr(host, name) for name in shown], guests))
    widths = [WIDTHS[name] for name in shown]
    return "\n".join(
        " ".join([*(f"{word:<{width}}" for word, width in zip(words, widths, strict=True)), guests]).rstrip()
        for words, guests in rows
    )
