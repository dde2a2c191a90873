"""What breaks while VMs move: processes of ours, Redis, daemons of hosts, cables, and people's minds."""

import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tests.bounce.chronicle import Chronicle
from tests.stage_processes import send
from xenweb.lab.errors import LabError
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import rest
from xenweb.lab.stage import Stage, StageError

HOSTS = ("host-a", "host-b", "host-c")


class Faults(threading.Thread):
    """Break something at random, mend it, and go on; keeps count of what it did, and tells when."""

    def __init__(self, stage: Stage, lab: Lab, dice: random.Random, pause: tuple[float, float]) -> None:
        super().__init__(name="faults", daemon=True)
        self.stage, self.lab, self.dice, self.pause = stage, lab, dice, pause
        self.done: dict[str, int] = {}
        self.broken: list[str] = []
        self.chronicle = Chronicle()
        self._over = threading.Event()
        self._choices: tuple[tuple[str, Callable[[], None]], ...] = (
            ("worker killed", lambda: self._signal("work", signal.SIGKILL)),
            ("worker ended", lambda: self._signal("work", signal.SIGTERM)),
            ("watcher killed", lambda: self._signal("watch", signal.SIGKILL)),
            ("reconciler killed", lambda: self._signal("reconcile", signal.SIGKILL)),
            ("worker stopped for 8 s", self._freeze_workers),
            ("redis killed", lambda: self._signal("--appendonly", signal.SIGKILL)),
            ("host's daemon killed", self._daemon),
            ("cable pulled for 2 s", self._cable),
            ("move given up", self._give_up),
            ("move given up", self._give_up),
        )

    def run(self) -> None:
        """Break things until told to stop."""
        while not self._over.wait(self.dice.uniform(*self.pause)):
            name, fault = self.dice.choice(self._choices)
            try:
                fault()
            except (StageError, OSError):
                continue  # the web process does not answer just now: nothing was done
            except LabError as error:
                self.broken.append(f"{name}: {error}")
            self.done[name] = self.done.get(name, 0) + 1

    def stop(self) -> None:
        """Break nothing more; whatever was broken is whole again afterwards."""
        self._over.set()
        self.join()
        for host in HOSTS:
            self.lab.link(host, "up")
            self.lab.daemon(host, "start")

    def _signal(self, word: str, number: int) -> None:
        if not send(self.stage, word, number):
            raise ProcessLookupError(word)  # nobody was hit: this was no fault
        self.chronicle.tell(f"{signal.Signals(number).name} to {word}")

    def _freeze_workers(self) -> None:
        self._signal("work", signal.SIGSTOP)
        time.sleep(8)  # longer than a lease
        self._signal("work", signal.SIGCONT)

    def _daemon(self) -> None:
        host = self.dice.choice(HOSTS)
        self.lab.daemon(host, "kill")
        self.chronicle.tell(f"daemon of {host} killed")
        time.sleep(self.dice.uniform(0, 2))
        self.lab.daemon(host, "start")
        self.chronicle.tell(f"daemon of {host} answers again")

    def _cable(self) -> None:
        host = self.dice.choice(HOSTS)
        self.lab.link(host, "down")
        self.chronicle.tell(f"cable of {host} pulled")
        time.sleep(2)
        self.lab.link(host, "up")
        self.chronicle.tell(f"cable of {host} plugged in")

    def _give_up(self) -> None:
        moves = rest(self.stage, "GET", "/migrations?active=true")["items"]
        if moves:
            move = self.dice.choice(moves)
            with suppress(StageError):
                rest(self.stage, "POST", f"/migrations/{move['id']}/cancel", {})
                self.chronicle.tell(f"{move['id']} of {move['vm_name']} given up")
