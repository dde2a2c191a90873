"""The words of the ``lab`` command, shared by manage.py and ``python -m xenweb.lab.qemu``."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from xenweb.lab.qemu.lab import HostStatus, Lab
from xenweb.lab.qemu.layout import HOSTS

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Teach a parser the words of the command."""
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--folder", type=Path, help="folder of the lab (default: XENWEB_LAB, else /tmp/xw-<uid>)")
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    up = words.add_parser("up", parents=[place], help="start three hosts and their guests")
    up.add_argument("--rate", default="off", help="limit every host's link from the start, such as 400mbit")
    words.add_parser("down", parents=[place], help="end everything the lab started")
    status = words.add_parser("status", parents=[place], help="show hosts and guests")
    status.add_argument("--json", action="store_true", help="for machines")
    names = [host.name for host in HOSTS]
    for word, wishes, explanation in (
        ("rate", None, "limit a host's link, such as 40mbit, or off"),
        ("link", ("down", "up"), "pull a host's data cable or plug it in"),
        ("daemon", ("kill", "start"), "kill a host's libvirt daemon or start it"),
        ("power", ("off", "on"), "cut a host's power or switch it on"),
        ("processor", ("full", "small"), "take features from a host's CPU, or give them back"),
    ):
        order = words.add_parser(word, parents=[place], help=explanation)
        order.add_argument("host", choices=names)
        order.add_argument("wish", choices=wishes, metavar="WISH" if wishes is None else None)
    words.add_parser("uri", parents=[place], help="print a host's libvirt URI").add_argument("host", choices=names)


def run(options: argparse.Namespace, say: Say) -> None:
    """Do what the words say; raise LabError with a sentence when it cannot be done."""
    lab = Lab(options.folder)
    match options.word:
        case "up":
            lab.up(say, options.rate)
            for host in lab.hosts:
                say(f"  {host.name}  {host.uri}")
        case "down":
            say("The lab is down." if lab.down() else "No lab was running.")
        case "status":
            status = lab.status()
            say(json.dumps([asdict(host) for host in status], indent=2) if options.json else table(status))
        case "uri":
            say(lab.uri(options.host))
        case "rate" | "link" | "daemon" | "power" | "processor" as word:
            getattr(lab, word)(options.host, options.wish)


def table(hosts: tuple[HostStatus, ...]) -> str:
    """Return the status for people."""
    lines = [f"{'host':<8} {'power':<6} {'daemon':<8} {'link':<5} {'rate':<8} guests (halted in brackets)"]
    for host in hosts:
        guests = " ".join([*host.running, *(f"[{name}]" for name in host.halted)])
        lines.append(f"{host.name:<8} {host.power:<6} {host.daemon:<8} {host.link:<5} {host.rate:<8} {guests}".rstrip())
    return "\n".join(lines)
