"""How fast a guest changes is measured only while nothing moves it, and Xen's log of it is off again, always."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.probe.test_guards import VM, until
from xenweb.probe import dirtying, relay, waiting
from xenweb.probe.dirtying import GATE, WANTED, Dirtying
from xenweb.probe.guests import Guest, Xen, XenError
from xenweb.probe.remedies import RemedyRefusedError

NUMBER = 3


@dataclass
class PlayedLog:
    """Xen's log, as it would be told; ``on_off`` is what happens in the moment in which it is switched off."""

    told: list[str] = field(default_factory=list)
    taken: bool = False
    stays_on: bool = False
    fault: XenError | None = None
    counted: int = 2**32 - 512
    on_enable: Callable[[], None] = lambda: None
    on_off: Callable[[], None] = lambda: None

    def enable(self, _number: int) -> None:
        if self.taken:
            raise RemedyRefusedError("Somebody else has the log of this guest's dirty pages on.")
        self.told.append("on")
        self.on_enable()

    def dirty(self, _number: int) -> int:
        if self.fault is not None:
            raise self.fault
        self.told.append("look")
        before, self.counted = self.counted, (self.counted + 1024) % 2**32
        return before

    def off(self, _number: int) -> None:
        self.told.append("off")
        if self.stays_on:
            raise XenError("Xen does not end the log of dirty pages: EBUSY.")
        self.on_off()


class PlayedXen(Xen):
    def __init__(self) -> None:
        super().__init__("xl", use_binding=False)
        self.guest = Guest(NUMBER, VM, True, False, False, False, False, None, 1, 7, hvm=False)

    def guests(self) -> list[Guest]:
        return [self.guest]


class Rig:
    def __init__(self, folder: Path) -> None:
        self.run, self.processes = folder / "run", folder / "proc"
        self.processes.mkdir()
        self.log, self.xen = PlayedLog(), PlayedXen()
        self.dirtying = self.again()

    def again(self, *, is_known: bool = True) -> Dirtying:
        return Dirtying(self.xen, self.run, lambda: self.log, is_known=is_known, processes=self.processes)

    def helper(
        self, pid: int = 77, number: int = NUMBER, program: str = "/usr/lib/xen-4.17/bin/libxl-save-helper"
    ) -> Path:
        """A process of this host that moves, or saves, a guest."""
        place = self.processes / str(pid)
        place.mkdir(exist_ok=True)
        words = [program, "--save-domain", "20", "21", str(number), "0", "1"]
        (place / "cmdline").write_bytes("\0".join(words).encode() + b"\0")
        return place / "cmdline"


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(dirtying, "PERIOD", 0.1)
    monkeypatch.setattr(dirtying, "LOOK_EVERY", 0.02)
    return Rig(tmp_path)


def test_the_log_is_switched_on_and_off_and_what_xen_had_counted_before_is_not_counted(rig: Rig) -> None:
    said = rig.dirtying.measure(VM)
    assert rig.log.told == ["on", "look", "look", "off"]
    assert (said["pages"], said["page"]) == (1024, 4096)
    assert 0.1 <= said["seconds"] < 1
    assert list((rig.run / "dirtying").iterdir()) == []


def test_what_somebody_else_has_on_is_not_touched(rig: Rig) -> None:
    rig.log.taken = True
    with pytest.raises(RemedyRefusedError, match="Somebody else"):
        rig.dirtying.measure(VM)
    assert rig.log.told == []
    rig.log.taken = False
    assert rig.dirtying.measure(VM)


def test_a_look_that_fails_leaves_the_log_off(rig: Rig) -> None:
    rig.log.fault = XenError("Xen does not say.")
    with pytest.raises(XenError):
        rig.dirtying.measure(VM)
    assert rig.log.told == ["on", "off"]


@pytest.mark.parametrize(
    "change",
    [{"paused": True, "running": False}, {"shutdown": True}, {"dying": True}, {"hvm": True}, {"hvm": None}],
    ids=str,
)
def test_only_a_paravirtual_guest_that_runs_is_measured(rig: Rig, change: dict[str, bool | None]) -> None:
    rig.xen.guest = Guest(**{**rig.xen.guest.as_json(), **change})  # type: ignore[arg-type]
    with pytest.raises(RemedyRefusedError):
        rig.dirtying.measure(VM)
    assert rig.log.told == []


def test_another_xen_is_not_measured(rig: Rig) -> None:
    with pytest.raises(RemedyRefusedError, match="not known of this version"):
        rig.again(is_known=False).measure(VM)


@pytest.mark.parametrize(("number", "is_measured"), [(NUMBER, False), (4, True)])
def test_a_guest_that_somebody_moves_by_hand_is_not_measured(rig: Rig, number: int, is_measured: bool) -> None:
    rig.helper(number=number)
    if is_measured:
        assert rig.dirtying.measure(VM)
        return
    with pytest.raises(RemedyRefusedError, match="being moved"):
        rig.dirtying.measure(VM)
    assert rig.log.told == []


def test_a_move_that_begins_meanwhile_keeps_the_log_and_it_is_seen_to_when_that_has_ended(rig: Rig) -> None:
    rig.log.on_enable = lambda: setattr(rig, "cmdline", rig.helper())
    with pytest.raises(RemedyRefusedError, match="has begun meanwhile"):
        rig.dirtying.measure(VM)
    time.sleep(0.1)
    assert "off" not in rig.log.told
    with pytest.raises(RemedyRefusedError, match="being moved"):
        rig.dirtying.measure(VM)
    (rig.processes / "77" / "cmdline").unlink()
    until(lambda: {} if rig.log.told[-1] == "off" else None)


def test_a_helper_that_may_have_lost_the_log_in_that_very_moment_is_told_to_give_up(rig: Rig) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"]) as helper:
        rig.log.on_off = lambda: rig.helper(helper.pid)  # type: ignore[assignment, return-value]
        rig.dirtying.measure(VM)
        assert helper.wait(5) == -signal.SIGTERM


def test_a_daemon_that_is_started_anew_switches_off_what_was_left_on(rig: Rig) -> None:
    (rig.run / "dirtying").mkdir(parents=True)
    (rig.run / "dirtying" / str(NUMBER)).touch()
    cmdline = rig.helper()
    rig.again().recover()
    time.sleep(0.1)
    assert rig.log.told == []
    cmdline.unlink()
    until(lambda: {} if rig.log.told == ["off"] else None)
    until(lambda: None if any((rig.run / "dirtying").iterdir()) else {})


def test_a_log_that_xen_does_not_switch_off_stays_noted_until_it_is(rig: Rig) -> None:
    rig.log.stays_on = True
    rig.dirtying.measure(VM)
    noted = rig.run / "dirtying" / str(NUMBER)
    assert noted.exists()
    with pytest.raises(RemedyRefusedError, match="log of an earlier look"):
        rig.dirtying.measure(VM)
    rig.log.stays_on = False
    rig.again().recover()
    until(lambda: None if noted.exists() else {})
    assert rig.log.told[-1] == "off"
    assert rig.dirtying.measure(VM)


def test_a_guest_that_is_gone_leaves_no_note(rig: Rig) -> None:
    rig.log.stays_on = True
    rig.log.on_enable = lambda: setattr(
        rig.xen, "guest", Guest(NUMBER + 1, VM, True, False, False, False, False, None, 1, 7)
    )
    rig.dirtying.measure(VM)
    assert list((rig.run / "dirtying").iterdir()) == []


def test_a_move_that_came_by_the_relay_keeps_every_measurement_out_until_its_helper_ends(rig: Rig) -> None:
    assert rig.dirtying.measure(VM)
    words = f"import sys; sys.path[:0] = {sys.path!r}; from pathlib import Path; from xenweb.probe import relay; "
    words += f"relay.shut_gate(Path({str(rig.run / GATE)!r})); import os; "
    words += "os.execv('/bin/sh', ['sh', '-c', 'echo on; read line'])"
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as moving:
        assert moving.stdout is not None
        assert moving.stdout.readline() == b"on\n"
        with pytest.raises(RemedyRefusedError, match="A move is under way on this host"):
            rig.dirtying.measure(VM)
        moving.communicate(b"end\n", 5)
    assert rig.dirtying.measure(VM)


def test_a_move_waits_for_a_measurement_and_never_for_long(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "GATE_SHUT_AT_MOST", 0.2)
    rig.run.mkdir()
    held = os.open(rig.run / GATE, os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    began = time.monotonic()
    relay.shut_gate(rig.run / GATE)
    assert 0.2 <= time.monotonic() - began < 2
    os.close(held)
    relay.shut_gate(rig.run / "there is no gate")


def test_a_move_that_waits_at_the_gate_ends_the_measurement_at_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dirtying, "PERIOD", 30.0)
    refused: list[RemedyRefusedError] = []

    def measure() -> None:
        with pytest.raises(RemedyRefusedError, match="has begun meanwhile") as caught:
            rig.dirtying.measure(VM)
        refused.append(caught.value)

    measuring = threading.Thread(target=measure)
    measuring.start()
    until(lambda: {} if "on" in rig.log.told else None)
    gate = relay.shut_gate(rig.run / GATE)
    assert gate is not None, "the move did not get the gate in its time"
    measuring.join(5)
    assert refused
    assert rig.log.told[-1] == "off"
    assert not (rig.run / WANTED).exists()
    os.close(gate)


def test_a_move_waits_for_less_long_than_the_place_that_it_took_is_kept() -> None:
    assert relay.GATE_SHUT_AT_MOST < waiting.CALLED_WITHIN
