import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from xenweb.lab.ports import free_port
from xenweb.lab.stage import XAPI_POOLS, Kind, Stage, StageError
from xenweb.lab.xen.layout import default_folder

ROOT = Path(__file__).resolve().parents[4]
PREFERRED_PORT = 8000
FOLDERS: dict[Kind, tuple[Path, Path]] = {
    "qemu": (ROOT / "build" / "demo", Path(f"/tmp/xw-{os.getuid()}")),
    "xen": (ROOT / "build" / "demo-xen", default_folder()),
}


class Command(BaseCommand):
    """Run the main job on the embedded lab until Ctrl-C."""

    help = "Start the lab and the board, and print the address and how to sign in."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take which lab, the folders, the port, and why the hypervisors must be simulated."""
        parser.add_argument("--kind", choices=sorted(FOLDERS), default="qemu", help="which lab (default: qemu)")
        parser.add_argument("--data", type=Path, help="folder of the installation (default: below build)")
        parser.add_argument("--lab", type=Path, help="folder of the lab (default: a short one below /tmp)")
        parser.add_argument("--port", type=int, default=0)
        parser.add_argument("--simulated", default="", metavar="WHY", help="run on the simulated driver, because WHY")

    def handle(self, *_args: object, **options: Any) -> None:
        """Bring the stage up, say how to get in, and wait for a signal."""
        began = time.monotonic()
        over = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: over.set())
        data, lab = FOLDERS[options["kind"]]
        stage = Stage(
            data=(options["data"] or data).absolute(),
            lab=(options["lab"] or lab).absolute(),
            kind=options["kind"],
            port=options["port"] or free_port_near(PREFERRED_PORT),
            say=self.stdout.write,
            simulated_because=options["simulated"],
            with_xapi=True,
        )
        try:
            if stage.simulated_because:
                self.stdout.write(f"The hosts are simulated: {stage.simulated_because}")
            stage.start()
            pools = " and ".join(XAPI_POOLS.values())
            self.stdout.write(f"The pools {pools} are simulated: no XenServer or XCP-ng is touched.")
            self._say_how_to_get_in(stage, time.monotonic() - began)
            over.wait()
            self.stdout.write("Ending what was started …")
        except StageError as error:
            raise CommandError(str(error)) from error
        finally:
            stage.stop()

    def _say_how_to_get_in(self, stage: Stage, seconds: float) -> None:
        self.stdout.write(f"\nThe board is ready after {seconds:.1f} s:  {stage.address}/\n")
        for person in stage.sign_ins:
            self.stdout.write(f"  {person['role']:<14} {person['username']:<10} {person['password']}")
        self.stdout.write("\nCtrl-C ends everything that this command started.")


def free_port_near(port: int) -> int:
    """Answer ``port`` if nobody listens there, else any free one."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
    return port
