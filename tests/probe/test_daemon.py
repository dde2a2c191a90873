"""The daemon of a probe: who holds the key is answered, and nothing is done that is not proven."""

import json
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.probe.stand import ENDING, PASSES, Libxl, Stand, frame, log
from xenweb.probe import remedies, wire
from xenweb.probe.configuration import Configuration
from xenweb.probe.daemon import Daemon, read_key
from xenweb.probe.guests import Guest, Xen, XenError, read_list

VM = "7d2a1c1e-0000-4000-8000-000000000001"
KEY = bytes.fromhex("ab" * 32)
HEAD = (
    "Name                ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label\n"
)
ROW = "{name} {number}   160     1     {flags}      {time}  {vm}        {reason}                 -\n"


class Xl:
    """A tool called xl, that prints what a test wants and does to it what it is told."""

    def __init__(self, folder: Path) -> None:
        self.state, self.path = folder / "guests.json", folder / "xl"
        self.calls = folder / "calls"
        self.path.write_text(
            f"#!{sys.executable}\n"
            "import json, sys\n"
            f"state, calls = {str(self.state)!r}, {str(self.calls)!r}\n"
            "guests = json.load(open(state))\n"
            "verb, *rest = sys.argv[1:]\n"
            "open(calls, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
            "if verb == 'list':\n"
            f"    print({HEAD!r}, end='')\n"
            "    for each in guests:\n"
            f"        print({ROW!r}.format(**each), end='')\n"
            "elif verb == 'destroy' and guests[0]['name'] == 'vanishing':\n"
            "    json.dump([], open(state, 'w')); sys.exit('Domain 3:Non-existant domain')\n"
            "elif verb == 'destroy': json.dump([g for g in guests if str(g['number']) != rest[0]], open(state, 'w'))\n"
            "elif verb in ('pause', 'unpause'):\n"
            "    for g in guests: g['flags'] = '--p---' if verb == 'pause' else '-b----'\n"
            "    json.dump(guests, open(state, 'w'))\n"
        )
        self.path.chmod(0o755)
        self.has()

    def has(self, *guests: dict[str, object]) -> None:
        self.state.write_text(json.dumps(guests))

    def now(self) -> list[dict[str, Any]]:
        return json.loads(self.state.read_text())  # type: ignore[no-any-return]

    def changes(self) -> list[str]:
        said = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [each for each in said if not each.startswith("list")]


def guest(flags: str = "-b----", time: str = "1.5", number: int = 3, reason: str = "-") -> dict[str, object]:
    return {"name": "web01", "number": number, "flags": flags, "time": time, "vm": VM, "reason": reason}


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


@pytest.fixture
def xl(tmp_path: Path) -> Xl:
    return Xl(tmp_path)


@pytest.fixture
def daemon(stand: Stand, xl: Xl) -> Iterator[subprocess.Popen[bytes]]:
    restart = stand.folder / "restart"
    restart.write_text(f"#!/bin/sh\necho restarted >> {stand.folder}/restarted\n")
    restart.chmod(0o755)
    stand.configure(xl=str(xl.path), restart=[str(restart)])
    process = started(stand)
    yield process
    process.kill()
    process.wait()


def started(stand: Stand) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-I", str(stand.probe), "daemon"], env=stand.environment(), stderr=subprocess.PIPE
    )
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", stand.port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return process
    raise AssertionError("the daemon does not listen")


def ask(stand: Stand, verb: str, key: bytes = KEY, **more: object) -> dict[str, Any]:
    with socket.create_connection(("127.0.0.1", stand.port), 5) as connection:
        line = wire.called(connection, key)
        line.send({"verb": verb, **more})
        return line.receive()


def until(condition: Any, within: float = 5.0) -> Any:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to be")


def begun(stand: Stand, xl: Xl, steps: list[tuple[str, object]], number: int = 3) -> tuple[Libxl, threading.Thread]:
    xl.has(guest(number=number))
    stand.script(steps)
    libxl = stand.begin(number=number)
    listening = threading.Thread(target=libxl.listen)
    listening.start()
    return libxl, listening


def test_it_says_which_xen_it_is_made_for(stand: Stand, daemon: object) -> None:
    assert ask(stand, "hello")["answer"] == {
        "version": 1, "xen": "4.17", "made_for": "4.17", "relays": True, "moves": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "told", "is_used"),
    [
        ("libvirtd", "LIBXL_SAVE_HELPER={probe}", True),
        ("virtxend", "LIBXL_SAVE_HELPER={probe}", True),
        ("libvirtd", "PATH=/bin", False),
        ("libvirtd", "LIBXL_SAVE_HELPER=/usr/lib/xen-4.17/bin/libxl-save-helper", False),
        ("libvirtd", "LIBXL_SAVE_HELPER=/nowhere/xenweb-probe", False),
        ("bash", "LIBXL_SAVE_HELPER={probe}", False),
    ],
)
def test_passes_are_promised_only_where_the_daemon_that_runs_starts_relays(
    stand: Stand, name: str, told: str, is_used: bool
) -> None:
    process = stand.folder / "proc" / "17"
    process.mkdir(parents=True)
    (process / "comm").write_text(f"{name}\n")
    (process / "environ").write_bytes(f"A=b\0{told.format(probe=stand.probe)}\0".encode())
    found = Configuration(processes=stand.folder / "proc").daemon_in_use()
    assert found == (process if is_used else None)


def test_the_daemon_that_starts_relays_is_searched_for_only_when_it_is_not_what_it_was(stand: Stand) -> None:
    def a_process(number: int, told: str) -> Path:
        process = stand.folder / "proc" / str(number)
        process.mkdir(parents=True, exist_ok=True)
        (process / "comm").write_text("libvirtd\n")
        (process / "environ").write_bytes(f"{told}\0".encode())
        return process

    configuration = Configuration(processes=stand.folder / "proc")
    first, second = (a_process(number, f"LIBXL_SAVE_HELPER={stand.probe}") for number in (17, 18))
    assert configuration.daemon_in_use(second) == second
    a_process(18, "PATH=/bin")
    assert configuration.daemon_in_use(second) == first
    a_process(17, "PATH=/bin")
    assert configuration.daemon_in_use(second) is None


def test_who_does_not_hold_the_key_learns_nothing(stand: Stand, daemon: subprocess.Popen[bytes]) -> None:
    with pytest.raises((wire.WireError, OSError)):
        ask(stand, "hello", key=b"\xcd" * 32)


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 4096, b"\xff" * 100])
def test_noise_ends_one_connection_and_nothing_else(stand: Stand, daemon: object, noise: bytes) -> None:
    with socket.create_connection(("127.0.0.1", stand.port), 5) as connection:
        connection.sendall(noise)
    assert ask(stand, "hello")["answer"]["version"] == 1


def test_odd_questions_are_answered_with_an_error(stand: Stand, daemon: object) -> None:
    for verb, more in (("format", {}), ("where", {}), ("cancel", {"vm": 7}), ("resume", {"vm": None})):
        assert ask(stand, verb, **more)["error"] in {"unknown", "refused"}  # type: ignore[arg-type]


def test_a_key_that_others_may_read_is_no_key(stand: Stand) -> None:
    stand.key.chmod(0o644)
    configuration = Configuration(key_file=stand.key)
    with pytest.raises(PermissionError, match="read by others"):
        read_key(configuration)
    stand.key.chmod(0o600)
    stand.key.write_text("ab")
    with pytest.raises(PermissionError, match="too short"):
        read_key(configuration)


def test_the_key_is_in_no_argument_and_no_log(stand: Stand, daemon: subprocess.Popen[bytes]) -> None:
    ask(stand, "hello")
    said = Path(f"/proc/{daemon.pid}/cmdline").read_bytes()
    daemon.kill()
    assert daemon.stderr is not None
    assert b"abababab" not in said + daemon.stderr.read()


def test_only_its_owner_may_tell_it_of_moves(stand: Stand, daemon: object) -> None:
    assert stat.S_IMODE(stand.run.stat().st_mode) == 0o700


def test_a_move_is_told_while_it_runs_and_afterwards(stand: Stand, xl: Xl, daemon: object) -> None:
    _, listening = begun(stand, xl, [*PASSES, ("sleep", 0.5), *ENDING])
    [now] = until(lambda: [each for each in ask(stand, "moves", vm=VM)["answer"] if len(each["passes"]) == 3])
    assert now["alive"]
    assert now["now"] >= now["passes"][2]["began"]
    listening.join()
    [past] = until(lambda: [each for each in ask(stand, "moves", vm=VM)["answer"] if not each["alive"]])
    assert past["value"] == 0
    assert ask(stand, "moves", vm="another")["answer"] == []


def test_a_daemon_that_is_killed_and_comes_back_knows_the_move_that_runs(
    stand: Stand, xl: Xl, daemon: subprocess.Popen[bytes]
) -> None:
    libxl, listening = begun(stand, xl, [*PASSES, ("sleep", 1.5), *ENDING])
    until(lambda: ask(stand, "moves", vm=VM)["answer"])
    daemon.kill()
    daemon.wait()
    again = started(stand)
    try:
        assert until(lambda: ask(stand, "moves", vm=VM)["answer"])[0]["passes"][0]["total"] == 40960
        listening.join()
        assert libxl.process.returncode == 0
    finally:
        again.kill()
        again.wait()


def test_a_move_is_given_up_and_its_guest_never_asked_to_suspend(stand: Stand, xl: Xl, daemon: object) -> None:
    libxl, listening = begun(stand, xl, [*PASSES, ("sleep", 5), *ENDING])
    until(lambda: ask(stand, "moves", vm=VM)["answer"])
    assert ask(stand, "cancel", vm=VM) == {"answer": None}
    listening.join()
    assert not libxl.suspend_seen


def test_a_move_that_suspends_its_guest_is_not_given_up_and_why_is_said(stand: Stand, xl: Xl, daemon: object) -> None:
    libxl, listening = begun(stand, xl, [*PASSES, ENDING[0], ("sleep", 1), *ENDING[1:]])
    until(lambda: [each for each in ask(stand, "moves", vm=VM)["answer"] if each["suspend_asked"]])
    said = ask(stand, "cancel", vm=VM)
    assert said == {"error": "refused", "sentence": "refused: the guest has been asked to suspend"}
    listening.join()
    assert libxl.process.returncode == 0


def test_nothing_is_given_up_where_nothing_moves(stand: Stand, xl: Xl, daemon: object) -> None:
    xl.has(guest())
    assert ask(stand, "cancel", vm=VM)["error"] == "refused"


def test_where_a_vm_is_xen_says(stand: Stand, xl: Xl, daemon: object) -> None:
    xl.has(guest("---ss-", reason="2"))
    [said] = ask(stand, "where", vm=VM)["answer"]
    assert (said["number"], said["shutdown"], said["reason"], said["running"]) == (3, True, 2, False)
    assert ask(stand, "where", vm="another")["answer"] == []


def test_a_half_built_copy_that_never_ran_is_destroyed(stand: Stand, xl: Xl, daemon: object) -> None:
    xl.has(guest("--p---", "0.0"))
    assert ask(stand, "remove_half_built", vm=VM) == {"answer": None}
    assert xl.now() == []
    assert ask(stand, "remove_half_built", vm=VM) == {"answer": None}


def test_a_copy_that_libxl_takes_away_at_the_same_moment_is_gone_and_no_error(
    stand: Stand, xl: Xl, daemon: object
) -> None:
    xl.has(guest("--p---", "0.0") | {"name": "vanishing"})
    assert ask(stand, "remove_half_built", vm=VM) == {"answer": None}
    assert xl.now() == []


@pytest.mark.parametrize(
    ("flags", "time"), [("-b----", "0.0"), ("r-----", "9.1"), ("--p---", "0.1"), ("--ps--", "0.0")]
)
def test_a_copy_that_ran_is_never_destroyed(stand: Stand, xl: Xl, daemon: object, flags: str, time: str) -> None:
    xl.has(guest(flags, time))
    assert ask(stand, "remove_half_built", vm=VM)["error"] == "refused"
    assert xl.changes() == []


def test_a_copy_that_is_still_being_received_is_not_destroyed(stand: Stand, xl: Xl, daemon: object) -> None:
    xl.has(guest("--p---", "0.0"))
    stand.script([*PASSES[:2], ("sleep", 1), *ENDING[-1:]])
    libxl = stand.begin("--restore-domain")
    listening = threading.Thread(target=libxl.listen)
    listening.start()
    until(lambda: ask(stand, "moves")["answer"])
    assert "still being received" in ask(stand, "remove_half_built", vm=VM)["sentence"]
    assert "under way" in ask(stand, "restart_daemon")["sentence"]
    listening.join()
    assert xl.changes() == []


def received(stand: Stand, xl: Xl, steps: list[tuple[str, object]]) -> tuple[Libxl, threading.Thread]:
    xl.has(guest("--p---", "0.0"))
    stand.script(steps)
    libxl = stand.begin("--restore-domain")
    listening = threading.Thread(target=libxl.listen)
    listening.start()
    until(lambda: ask(stand, "moves", vm=VM)["answer"])
    return libxl, listening


def test_a_copy_of_which_nothing_more_comes_is_received_no_longer(stand: Stand, xl: Xl, daemon: object) -> None:
    libxl, listening = received(stand, xl, [("write", log(1, "starting restore")), ("sleep", 15)])
    assert ask(stand, "break_off", vm=VM) == {"answer": None}
    listening.join(5)
    assert libxl.process.returncode == -signal.SIGKILL
    assert xl.changes() == []
    assert ask(stand, "remove_half_built", vm=VM) == {"answer": None}


def test_a_copy_that_is_whole_is_left_to_libvirt(stand: Stand, xl: Xl, daemon: object) -> None:
    libxl, listening = received(stand, xl, [("write", frame(9, b"\0" * 16)), ("sleep", 1), ENDING[-1]])
    until(lambda: ask(stand, "moves", vm=VM)["answer"][0]["results"])
    assert "memory is whole" in ask(stand, "break_off", vm=VM)["sentence"]
    listening.join()
    assert libxl.process.returncode == 0


def test_a_copy_that_may_have_run_is_left_alone(stand: Stand, xl: Xl, daemon: object) -> None:
    libxl, listening = received(stand, xl, [("write", log(1, "starting restore")), ("sleep", 1), ENDING[-1]])
    xl.has(guest("--p---", "0.1"))
    assert "never ran" in ask(stand, "break_off", vm=VM)["sentence"]
    listening.join()
    assert libxl.process.returncode == 0


def test_sending_that_stands_still_is_ended_only_while_the_guest_is_suspended(
    stand: Stand, xl: Xl, daemon: object
) -> None:
    libxl, listening = begun(stand, xl, [*PASSES, ENDING[0], ("sleep", 15), *ENDING[1:]])
    until(lambda: [each for each in ask(stand, "moves", vm=VM)["answer"] if each["suspend_asked"]])
    assert "not suspended" in ask(stand, "break_off", vm=VM)["sentence"]
    xl.has(guest("---ss-", reason="2"))
    assert ask(stand, "break_off", vm=VM) == {"answer": None}
    listening.join(5)
    assert not listening.is_alive()
    assert libxl.suspend_seen
    assert ask(stand, "break_off", vm=VM) == {"answer": None}


def test_libvirts_daemon_is_restarted_where_nothing_moves(stand: Stand, xl: Xl, daemon: object) -> None:
    assert ask(stand, "restart_daemon") == {"answer": None}
    assert (stand.folder / "restarted").read_text() == "restarted\n"


def test_a_held_guest_goes_on_by_itself_if_nobody_lets_it_go(stand: Stand, xl: Xl, daemon: object) -> None:
    xl.has(guest())
    assert ask(stand, "hold", vm=VM) == {"answer": None}
    assert xl.changes() == ["pause 3"]
    until(lambda: xl.changes() == ["pause 3", "unpause 3"], remedies.HELD_AT_MOST + 2)


@pytest.mark.parametrize("flags", ["--p---", "---s--", "----d-"])
def test_a_guest_that_does_not_run_is_not_held(stand: Stand, xl: Xl, daemon: object, flags: str) -> None:
    xl.has(guest(flags, reason="2"))
    assert ask(stand, "hold", vm=VM)["error"] == "refused"
    assert xl.changes() == []


def suspended(xl: Xl) -> Xen:
    xl.has(guest("---s--", reason="2"))
    return Xen(str(xl.path), use_binding=False)


def test_a_suspended_guest_is_let_go_on(xl: Xl) -> None:
    let_go: list[int] = []

    def library(number: int) -> None:
        let_go.append(number)
        xl.has(guest())

    remedies.resume(suspended(xl), VM, library)
    assert let_go == [3]


def test_a_guest_that_xen_still_calls_suspended_was_not_let_go(xl: Xl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remedies, "GOES_ON_WITHIN", 0.1)
    with pytest.raises(remedies.RemedyRefusedError, match="still says"):
        remedies.resume(suspended(xl), VM, lambda number: None)


@pytest.mark.parametrize(
    "guests",
    [[], [guest()], [guest("--p---")], [guest("---s--", reason="0")], [guest("---s--", reason="2"), guest(number=4)]],
)
def test_nothing_else_is_let_go_on(xl: Xl, guests: list[dict[str, object]]) -> None:
    xl.has(*guests)
    with pytest.raises(remedies.RemedyRefusedError):
        remedies.resume(Xen(str(xl.path), use_binding=False), VM, lambda number: pytest.fail("let go"))


class Store:
    """The library that speaks with xenstored, as far as it is used."""

    def __init__(self, *, takes_calls: bool = True, takes_note: bool = True) -> None:
        self.told: list[int] = []
        self.xs_open = lambda flags: 1 if takes_calls else None
        self.xs_close = lambda handle: None
        self.xs_resume_domain = lambda handle, number: self.told.append(number) is None and takes_note


def test_xenstored_is_told_that_a_guest_goes_on_for_else_its_next_move_fails() -> None:
    store = Store()
    remedies.tell_store(store, 3)
    assert store.told == [3]
    for deaf in (Store(takes_calls=False), Store(takes_note=False)):
        with pytest.raises(XenError, match="next move would fail"):
            remedies.tell_store(deaf, 3)


def test_without_xens_libraries_it_says_so() -> None:
    with pytest.raises(XenError, match="libraries"):
        remedies.let_go_by_library("0.0")(3)


@pytest.mark.parametrize("text", ["", "nothing", HEAD + "web01 three\n"])
def test_a_list_of_another_form_is_no_list(text: str) -> None:
    with pytest.raises(XenError):
        read_list(text)


def test_xens_own_guest_is_the_host_and_names_may_have_blanks() -> None:
    rows = [
        {**guest(number=0), "name": "Domain-0"},
        {**guest(number=12, time="301.7"), "name": "a vm with blanks"},
    ]
    [only] = read_list(HEAD + "".join(ROW.format(**each) for each in rows))
    assert only == Guest(12, VM, True, False, False, False, False, None, 1, 301_700_000_000)


def test_reports_that_are_no_reports_change_nothing(stand: Stand, daemon: object) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        for noise in (b"", b"{}", b"[1]", b"null", b'{"pid": "x", "began": 1}', b"\xff" * 100):
            one.sendto(noise, str(stand.run / "reports.sock"))
    assert ask(stand, "moves")["answer"] == []


def test_what_is_kept_is_bounded(stand: Stand, xl: Xl) -> None:
    daemon = Daemon(Configuration(key_file=stand.key, xl=str(xl.path), run=stand.run))
    for number in range(1000):
        daemon.moves.heard({"pid": number, "began": 1.0, "ended": 2.0, "mode": "save", "number": 1})
    assert len(daemon.moves.all()) == 256
