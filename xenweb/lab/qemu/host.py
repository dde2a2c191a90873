"""The first process of one lab host, run as ``python -m xenweb.lab.qemu.host FOLDER NAME``.

It is pid 1 of the host's namespaces: when it ends, the kernel ends libvirt's daemons and every guest, which is what
a power cut is. It starts virtlockd, which holds the guests' leases, and libvirtd, buries dead QEMUs at once (libvirt
waits for that: without it each move takes a second longer), and lets the host see its own memory and work in /proc
instead of the machine's. Orders come as lines on standard input, one answer each.
"""

import contextlib
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from xenweb.lab.qemu.descriptions import small_emulator
from xenweb.lab.qemu.layout import HostFolder, HostSpec, LabLayout, host_spec
from xenweb.lab.qemu.memory import meminfo, promised_memory
from xenweb.lab.qemu.namespaces import ORDINARY_USER
from xenweb.lab.qemu.processor import LoadMeter
from xenweb.lab.qemu.requirements import QEMU
from xenweb.lab.qemu.starts import stuck_start

LIBVIRTD: Final = "libvirtd"
VIRTLOCKD: Final = "virtlockd"
# GLib before 2.76 has an allocator of its own, and its lock is the one on which a start hangs most often (starts.py).
SETTINGS: Final = {"LANG": "C.UTF-8", "G_SLICE": "always-malloc"}
LOCKS_PATIENCE: Final = 5.0
PROC: Final = Path("/proc")
LOOK_EVERY: Final = 0.5


class Host:
    """One running host; all its methods are called from the one thread of pid 1."""

    def __init__(self, layout: LabLayout, spec: HostSpec) -> None:
        self.layout = layout
        self.spec = spec
        self.folder: HostFolder = layout.host(spec.name)
        self.daemon: int | None = None
        self.keeper: int | None = None
        self.meter = LoadMeter(PROC)
        self.is_small = False

    def obey(self, order: str) -> str:
        """Carry out one order and return ``ok``, or what went wrong."""
        try:
            match order.split():
                case ["attach"]:
                    self.attach()
                case ["rate", rate]:
                    limit_rate("eth0", rate)
                case ["processor", "small" | "full" as size]:
                    self.processor(size)
                case ["daemon", "kill"]:
                    self.daemon_kill()
                case ["daemon", "start"]:
                    self.daemon_start()
                case ["daemon", "status"]:
                    return "ok running" if self.daemon else "ok stopped"
                case _:
                    return f"unknown order: {order}"
        except (OSError, subprocess.CalledProcessError) as error:
            return f"{order}: {error}"
        return "ok"

    def attach(self) -> None:
        """Make the namespaces look like a host, and start libvirt; the hub has just plugged in eth0."""
        socket.sethostname(self.spec.name)
        self.folder.meminfo.touch(0o600)
        self.folder.stat.touch(0o600)
        self.show_itself()
        for real, seen in (
            (self.folder.disks, self.layout.local),
            (self.folder.meminfo, PROC / "meminfo"),
            (self.folder.stat, PROC / "stat"),
            (self.layout.names, Path("/etc/hosts")),
            (self.layout.people, Path("/etc/passwd")),
            (self.layout.groups, Path("/etc/group")),
        ):
            call("mount", "--bind", str(real), str(seen))
        call("ip", "link", "set", "lo", "up")
        call("ip", "address", "add", f"{self.spec.address}/24", "dev", "eth0")
        call("ip", "link", "set", "eth0", "up")
        self.keep_locks()
        self.daemon_start()

    def processor(self, size: str) -> None:
        """Take features from the CPUs that this host's QEMU gives (``small``), or give them back (``full``).

        libvirt sees that the program has changed, and looks at it anew.
        """
        if (size == "small") == self.is_small:
            return
        seen = shutil.which(QEMU) or f"/usr/bin/{QEMU}"
        if size == "full":
            call("umount", seen)
        else:
            self.folder.emulator.write_text(small_emulator(self.layout))
            self.folder.emulator.chmod(0o755)
            self.layout.emulator.touch()
            if not self.layout.emulator.is_mount():
                call("mount", "--bind", seen, str(self.layout.emulator))
            call("mount", "--bind", str(self.folder.emulator), seen)
        self.is_small = size == "small"

    def keep_locks(self) -> None:
        """Start virtlockd and wait until it answers: it holds the guests' leases, whatever becomes of libvirtd.

        A libvirtd that does not find one would start its own.
        """
        self.keeper = self._start(VIRTLOCKD, "--pid-file", str(self.folder.run / "virtlockd.pid"))
        deadline = time.monotonic() + LOCKS_PATIENCE
        while not answers(self.folder.lock_socket):
            if time.monotonic() > deadline:
                msg = "virtlockd does not answer"
                raise TimeoutError(msg)
            time.sleep(0.002)

    def daemon_start(self) -> None:
        """Start libvirtd unless it runs."""
        if self.daemon:
            return
        pid_file = self.folder.run / "libvirtd.pid"
        self.daemon = self._start(LIBVIRTD, "--config", str(self.folder.daemon_config), "--pid-file", str(pid_file))

    def _start(self, program: str, *arguments: str) -> int:
        """Start one of libvirt's daemons as an ordinary user who has all his folders here; return its pid."""
        folder = self.folder
        places = {
            "HOME": folder.path,
            "XDG_RUNTIME_DIR": folder.run,
            "XDG_CONFIG_HOME": folder.config,
            "XDG_CACHE_HOME": folder.cache,
            "XDG_DATA_HOME": folder.data,
        }
        command = (*ORDINARY_USER, program, *arguments)
        nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        to_log = (os.POSIX_SPAWN_DUP2, 2, 1)
        return os.posix_spawnp(
            command[0],
            command,
            SETTINGS | {"PATH": os.environ["PATH"]} | {name: str(path) for name, path in places.items()},
            file_actions=[nothing, to_log],
            setsid=True,
            setsigmask=[],
        )

    def daemon_kill(self) -> None:
        """Kill libvirtd the hard way and wait for its end; the guests live on."""
        if not self.daemon:
            return
        os.kill(self.daemon, signal.SIGKILL)
        os.waitpid(self.daemon, 0)
        self.daemon = None

    def bury_the_dead(self) -> None:
        """Reap every ended process: our daemon, and the QEMUs libvirt left to us."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                name = {self.daemon: LIBVIRTD, self.keeper: VIRTLOCKD}.get(pid)
                if pid == self.daemon:
                    self.daemon = None
                if name:
                    print(f"{name} ended with status {status}", file=sys.stderr, flush=True)

    def end_stuck_start(self) -> None:
        """End a start that would hang for ever, with every later one behind it: libvirt then says that it failed."""
        stuck = stuck_start(PROC, self.daemon) if self.daemon else None
        if stuck:
            print(f"a start hung in process {stuck} of {LIBVIRTD}, and was ended", file=sys.stderr, flush=True)
            with contextlib.suppress(ProcessLookupError):
                os.kill(stuck, signal.SIGKILL)

    def show_itself(self) -> None:
        """Rewrite what the host sees as /proc/meminfo and /proc/stat: its own memory and its own work."""
        rewrite(self.folder.meminfo, meminfo(self.spec.memory, promised_memory(PROC)))
        rewrite(self.folder.stat, self.meter.stat())


def answers(door: Path) -> bool:
    """Return whether somebody listens on a socket."""
    with socket.socket(socket.AF_UNIX) as visitor:
        return visitor.connect_ex(str(door)) == 0


def rewrite(path: Path, text: str) -> None:
    """Replace a bind-mounted file's text by one of the same length: in place, to keep its inode, in one write."""
    handle = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(handle, text.encode(), 0)
    finally:
        os.close(handle)


def call(*command: str) -> None:
    """Run one system command; raise CalledProcessError when it fails."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def limit_rate(device: str, rate: str) -> None:
    """Limit what leaves through ``device`` to ``rate`` in tc's words (``40mbit``), or take the limit ``off``."""
    if rate == "off":
        subprocess.run(("tc", "qdisc", "del", "dev", device, "root"), check=False, capture_output=True)
        return
    call("tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", rate, "burst", "64kb", "latency", "50ms")


def serve(host: Host) -> None:
    """Obey the hub until it goes away."""
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    with selectors.DefaultSelector() as ready:
        ready.register(reading, selectors.EVENT_READ)
        ready.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select(LOOK_EVERY):
                if key.fd == reading:
                    os.read(reading, 4096)
                    continue
                order = sys.stdin.readline()
                if not order:
                    return
                print(host.obey(order.strip()), flush=True)
            host.bury_the_dead()
            host.end_stuck_start()
            host.show_itself()


def main(folder: str, name: str) -> None:
    """Be the first process of the host ``name`` of the lab in ``folder``."""
    serve(Host(LabLayout(Path(folder)), host_spec(name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
