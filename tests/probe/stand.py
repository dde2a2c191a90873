"""A stand for the probe: a helper that does what a script says, and a caller that answers as libxl does.

No Xen is needed: the helper writes the frames of Xen 4.17, the version is what a folder says.
"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from xenweb.probe.packing import packed

ANSWERED = frozenset({3, 4, 5, 6, 7, 8, 10})


def text(said: str) -> bytes:
    raw = said.encode() + b"\0"
    return struct.pack("=I", len(raw)) + raw


def frame(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("=HH", 2 + len(body), kind) + body


def log(level: int, said: str) -> bytes:
    return frame(1, struct.pack("=II", level, 0) + text("libxl-save-helper") + text(said))


def progress(what: str, done: int, total: int) -> bytes:
    return frame(2, text("xc") + text(what) + struct.pack("=QQ", done, total))


SUSPEND, COMPLETE = frame(3), frame(10, struct.pack("=ii", 0, 0))

HELPER = """#!{python}
# A save helper: follows the script in the file beside it, a list of [verb, argument].
import json, os, signal, sys, time
script = json.load(open({script!r}))
given = {{"broken": False}}
def broken(*_): given["broken"] = True
if sys.argv[1] == "--save-domain":
    signal.signal(signal.SIGTERM, broken)
def write(data):
    while data:
        data = data[os.write(1, data):]
def answer():
    data = b""
    while len(data) < 4:
        part = os.read(0, 4 - len(data))
        if not part: os._exit(254)
        data += part
    return int.from_bytes(data, sys.byteorder, signed=True)
def finish(value):
    import struct
    write(struct.pack("=HHii", 10, 10, value, 0)); answer(); os._exit(0)
log = open({log!r}, "a", buffering=1)
log.write(json.dumps({{"pid": os.getpid(), "argv": sys.argv[1:]}}) + "\\n")
for verb, argument in script:
    if given["broken"] and verb != "late": finish(-1)
    if verb == "write": write(bytes.fromhex(argument))
    elif verb == "slowly":
        for byte in bytes.fromhex(argument): write(bytes([byte])); time.sleep(0.002)
    elif verb == "ask":
        write(bytes.fromhex(argument)); got = answer(); log.write(json.dumps({{"answer": got}}) + "\\n")
        if argument == "02000300" and not got: finish(-1)
    elif verb == "sleep":
        until = time.monotonic() + argument
        while time.monotonic() < until and not given["broken"]: time.sleep(0.005)
    elif verb == "flood":
        piece = bytes.fromhex(argument[0])
        for _ in range(argument[1]): write(piece)
    elif verb == "exit": os._exit(argument)
    elif verb == "kill": os.kill(os.getpid(), argument)
    elif verb == "stream": os.write(int(sys.argv[2]), bytes.fromhex(argument))
"""


@dataclass
class Libxl:
    """What libxl has of one helper: its process, all that it said, and what it was answered."""

    process: subprocess.Popen[bytes]
    said: bytearray = field(default_factory=bytearray)
    answers: int = 0
    slowness: float = 0.0
    reads: int = 0
    suspend_seen: bool = False

    def listen(self, within: float = 20.0) -> int:
        """Answer what asks for an answer, until the helper ends; answer its exit status."""
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        until, at = time.monotonic() + within, 0
        while time.monotonic() < until:
            if not select.select([self.process.stdout], [], [], 0.2)[0]:
                continue
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return self.process.wait(10)
            self.said += data
            self.reads += 1
            time.sleep(self.slowness)
            at = self._answer(at)
        self.process.kill()
        raise AssertionError("the helper did not end in time")

    def _answer(self, at: int) -> int:
        while len(self.said) - at >= 4:
            length, kind = struct.unpack_from("=HH", self.said, at)
            if len(self.said) - at < 2 + length:
                break
            at += 2 + length
            if kind in ANSWERED:
                self.suspend_seen |= kind == 3
                self.answers += 1
                assert self.process.stdin is not None
                os.write(self.process.stdin.fileno(), struct.pack("=i", 1))
        return at


class Stand:
    """One host's worth of files, in a folder."""

    def __init__(self, folder: Path, version: str = "4.17", *, waits: bool = False) -> None:
        self.folder, self.waits = folder, waits
        self.waiting: subprocess.Popen[bytes] | None = None
        self.probe = folder / "xenweb-probe"
        self.probe.write_bytes(packed())
        self.probe.chmod(0o755)
        self.run = folder / "run"
        self.run.mkdir(mode=0o700)
        self.key = folder / "key"
        self.key.write_text("ab" * 32)
        self.key.chmod(0o600)
        self.version(version)
        self.log = folder / "helper.log"
        self.helper = folder / "libxl-save-helper"
        self.port = _free_port()
        self.config = folder / "config.json"
        self.configure()
        self.script([])

    def version(self, version: str) -> None:
        place = self.folder / "version"
        place.mkdir(exist_ok=True)
        major, minor = version.split(".")
        (place / "major").write_text(f"{major}\n")
        (place / "minor").write_text(f"{minor}\n")

    def configure(self, **more: object) -> None:
        said = {
            "run": str(self.run),
            "key_file": str(self.key),
            "address": "127.0.0.1",
            "port": self.port,
            "helper": str(self.helper),
            "version_folder": str(self.folder / "version"),
            "daemons": [],
            **more,
        }
        self.config.write_text(json.dumps(said))

    def script(self, steps: list[tuple[str, object]]) -> None:
        """Say what the helper does when it is run."""
        script = self.folder / "script.json"
        script.write_text(json.dumps([(verb, arg.hex() if isinstance(arg, bytes) else arg) for verb, arg in steps]))
        self.helper.write_text(HELPER.format(python=sys.executable, script=str(script), log=str(self.log)))
        self.helper.chmod(0o755)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "XENWEB_PROBE_CONFIG": str(self.config),
            "XENWEB_PROBE_RUN": str(self.run),
        }

    def wait_for_helpers(self) -> subprocess.Popen[bytes]:
        """Start the process that waits for helpers; return when it offers a place, or has ended instead."""
        words = [sys.executable, "-I", str(self.probe), "waiting"]
        self.waiting = subprocess.Popen(words, stdin=subprocess.PIPE, env=self.environment())
        until = time.monotonic() + 5
        while not (self.run / "spare" / "ready").exists() and self.waiting.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        return self.waiting

    def end(self) -> None:
        """Close what the process that waits for helpers lives by."""
        if self.waiting is not None:
            self.waiting.communicate(timeout=5)

    def begin(
        self,
        mode: str = "--save-domain",
        *,
        stream: int = 1,
        number: int = 3,
        words: list[str] | None = None,
        alone: bool = False,
    ) -> Libxl:
        """Start what LIBXL_SAVE_HELPER names, with the words of libxl; ``alone`` starts the helper itself."""
        if self.waits and self.waiting is None:
            self.wait_for_helpers()
        program = [str(self.helper)] if alone else [str(self.probe)]
        given = words or [mode, str(stream), "-1", str(number), "1", "140", "0"]
        process = subprocess.Popen(
            [*program, *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment(),
            pass_fds=(stream,) if stream > 2 else (),
        )
        return Libxl(process)

    def reports(self) -> "Reports":
        return Reports(self.run / "reports.sock")

    def noted(self) -> list[dict[str, object]]:
        """Answer what the helper wrote down."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


class Reports:
    """Takes what relays tell, in the daemon's place."""

    def __init__(self, place: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(place))
        self.heard: list[dict[str, object]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            self.heard.append(json.loads(data))

    def wait(self, condition: object, within: float = 5.0) -> dict[str, object]:
        until = time.monotonic() + within
        while time.monotonic() < until:
            for each in reversed(self.heard):
                if condition(each):  # type: ignore[operator]
                    return each
            time.sleep(0.01)
        raise AssertionError(f"not heard; last: {self.heard[-1:]}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


PASSES = [
    ("write", log(1, "starting save")),
    ("write", progress("Start of stream", 0, 0)),
    *[("write", progress("Frames iteration 0", done, 40960)) for done in range(0, 40961, 1024)],
    ("sleep", 0.02),
    *[("write", progress("Frames iteration 1", done, 3000)) for done in (0, 1024, 2048, 3000)],
    ("write", progress("Frames iteration 2", 0, 40)),
    ("write", progress("Frames iteration 2", 40, 40)),
]
ENDING = [
    ("ask", SUSPEND),
    ("write", progress("Domain now suspended", 0, 0)),
    ("write", progress("Frames iteration 2", 0, 12)),
    ("write", progress("Frames iteration 2", 12, 12)),
    ("write", progress("End of stream", 0, 0)),
    ("write", log(1, "complete r=0")),
    ("ask", COMPLETE),
]
ALARM = signal.SIGKILL
