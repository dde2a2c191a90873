"""The machines of one lab behind their power switches and cables, and what is remembered of them."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from xenweb.lab.errors import LabError
from xenweb.lab.ports import free_port
from xenweb.lab.xen import machines, monitor, shell
from xenweb.lab.xen.image import Image
from xenweb.lab.xen.layout import HOSTS, MACHINES, LabLayout, MachineSpec
from xenweb.lab.xen.machines import CABLE, Ports, make_overlay
from xenweb.lab.xen.storage import UNIT_GIB

BOOT_PATIENCE: Final = 240.0
GIB: Final = 1024**3

Run = Callable[[str, str], str]


class Cabinet:
    """The machines of the lab in ``layout``; each method is one action or one look."""

    def __init__(self, layout: LabLayout) -> None:
        self.layout = layout

    def lay(self, image: Image, host_memory: int) -> None:
        """Make the disks, ports and key of a new lab, all of its machines being off; its hosts have so many MiB."""
        layout = self.layout
        shell.make_key(layout)
        ports = Ports(
            network=free_port(),
            shell={machine.name: free_port() for machine in MACHINES},
            libvirt={host.name: free_port() for host in HOSTS},
            probe={host.name: free_port() for host in HOSTS},
        )
        described = {"image": str(image.folder), "host_memory": host_memory, "ports": asdict(ports)}
        layout.description.write_text(json.dumps(described))
        with layout.block_unit.open("wb") as unit:
            unit.truncate(UNIT_GIB * GIB)
        make_overlay(layout.file_unit, image.cluster, "raw")
        for machine in MACHINES:
            layout.machine(machine.name).path.mkdir(mode=0o700)
            make_overlay(layout.machine(machine.name).disk, image.root, "raw")

    @property
    def ports(self) -> Ports:
        """The ports that lead into the lab; raise LabError when it has never been up."""
        return Ports(**self._description()["ports"])

    def _description(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self.layout.description.read_text())
        except (OSError, ValueError) as error:
            msg = f"There is no Xen lab in {self.layout.folder}: start it with `lab up xen`."
            raise LabError(msg) from error
        return known

    def power(self, machine: MachineSpec, wish: str) -> bool:
        """Switch a machine ``on`` and wait until it is ready, or ``off``; return whether it ran before."""
        was_on = machines.is_on(self.layout, machine)
        match wish:
            case "off":
                machines.switch_off(self.layout, machine)
                shell.hang_up(self.layout, machine.name)
            case "on":
                if not was_on:
                    self._switch_on(machine)
                machines.wait_until_ready(self.layout, machine, BOOT_PATIENCE)
            case _:
                msg = f"Power is on or off, not {wish!r}."
                raise LabError(msg)
        return was_on

    def _switch_on(self, machine: MachineSpec) -> None:
        described = self._description()
        image = Image(Path(str(described["image"])))
        if machine.is_host:
            machine = replace(machine, memory=described["host_memory"])
        key = shell.public_key(self.layout)
        shell.hang_up(self.layout, machine.name)  # what a machine that ended by itself left behind
        self._remember_link(machine, "up")
        machines.switch_on(self.layout, machine, machines.command(self.layout, machine, image, self.ports, key))

    def link(self, machine: MachineSpec, wish: str, run: Run) -> None:
        """Take a machine from the network by its own interface (``down``) or its cable (``silent``), or back."""
        door = self.layout.machine(machine.name).monitor
        if not machines.is_on(self.layout, machine):
            msg = f"{machine.name} has no power."
            raise LabError(msg)
        match wish:
            case "down":
                run(machine.name, "ip link set eth1 down")
            case "silent":
                monitor.order(door, "set_link", name=CABLE, up=False)
            case "up":
                monitor.order(door, "set_link", name=CABLE, up=True)
                run(machine.name, "ip link set eth1 up")
            case _:
                msg = f"A link is up, down or silent, not {wish!r}."
                raise LabError(msg)
        self._remember_link(machine, wish)

    def links(self) -> dict[str, str]:
        """Return whose link was given another condition than ``up``, and which, by the machine's name."""
        try:
            known: dict[str, str] = json.loads(self.layout.links.read_text())
        except (OSError, ValueError):
            return {}
        return known

    def _remember_link(self, machine: MachineSpec, wish: str) -> None:
        self.layout.links.write_text(json.dumps(self.links() | {machine.name: wish}))
