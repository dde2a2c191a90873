"""Puts the product's probe on the lab's hosts, and gives the driver's endpoints for them.

The real helper can be put behind one that takes the link away at the worst of moments.
"""

import time
from dataclasses import dataclass, field, replace

from xenweb.core.migration import Copy, Proof, conclude
from xenweb.drivers.contract import Endpoint, MigrationPlan, MoveOptions, VmSighting
from xenweb.drivers.libvirt_driver.driver import LibvirtDriver
from xenweb.lab.xen import heartbeat, probes
from xenweb.lab.xen.lab import Lab
from xenweb.lab.xen.layout import HOSTS
from xenweb.lab.xen.residents import residents

HOLDER, HOLDING_PROGRAM = "/lab/holder", "/lab/holding"
HOLD, HELD = "/run/hold-last-pass", "/run/held"
CLUSTER_PORT = 7777
CONSOLE_END = "tail -n 5 /var/log/xen/guest-{0}.log 2>/dev/null || true"
MARK = "-- then --\n"
LOOK = f"xl list; echo '{MARK.strip()}'; {CONSOLE_END}; sleep 1.5; echo '{MARK.strip()}'; {CONSOLE_END}"
SETTLES_WITHIN = 90.0
"""Seconds in which a guest must be seen to run once, and to beat."""

BEATS = 5
"""More beats than that must come between two looks at a console."""

KEY = "5a" * 32
PROBE_PID = f"pgrep -f '{probes.DAEMON}'"
HELPER_PID = "pgrep -f '^/usr/lib/xen-4.17/bin/libxl-save-helper --save-domain'"

# The shell starts in no time, and Python takes an emulated CPU a second, at both ends of every move.
GATE = f"""#!/bin/sh
[ "$1" = --save-domain ] && [ -e {HOLD} ] && exec {HOLDING_PROGRAM} "$@"
exec /usr/lib/xen-4.17/bin/libxl-save-helper "$@"
"""
# Hands on to the real helper what libxl says, and keeps the answer to its request to suspend the guest until it is told
# to go on: between the guest's suspension and its last pass is what nobody can time from outside.
HOLDING = """#!/usr/bin/python3
import os, select, signal, subprocess, sys, time
real = "/usr/lib/xen-4.17/bin/libxl-save-helper"
child = subprocess.Popen([real, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
os.close(int(sys.argv[2]))
signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
out, said, asked = child.stdout.fileno(), b"", False
poll = select.poll(); poll.register(out, select.POLLIN); poll.register(0, select.POLLIN)
while True:
    ready = {fd for fd, _ in poll.poll()}
    if out in ready:
        data = os.read(out, 65536)
        if not data: break
        said = (said + data)[-4:]
        asked = asked or said == b"\\x02\\x00\\x03\\x00"
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 4096)
        if not data: poll.unregister(0); child.stdin.close(); continue
        if asked:
            asked = False
            os.rename("/run/hold-last-pass", "/run/held")
            until = time.monotonic() + 60
            while os.path.exists("/run/held") and time.monotonic() < until: time.sleep(0.05)
        child.stdin.write(data); child.stdin.flush()
sys.exit(child.wait() & 255)
"""


@dataclass
class Probed:
    """The lab with probes on both hosts, and the driver over them."""

    lab: Lab
    driver: LibvirtDriver = field(default_factory=LibvirtDriver)

    def equip(self) -> "Probed":
        """Put the probe on both hosts and have their libvirt use it."""
        put_holder(self.lab)
        self.lab.probe_all({host.name: KEY for host in HOSTS}, helper=HOLDER)
        wait_until("both probes answer", lambda: all(self.answers(host.name) for host in HOSTS))
        return self

    def is_equipped(self) -> bool:
        """Say whether the probes that equip puts there are there, and answer."""
        return all(self.answers(host.name) for host in HOSTS)

    def hold_last_pass(self, name: str) -> None:
        """Have the next move from a host wait between the guest's suspension and its last pass."""
        self.lab.run(name, f"rm -f {HELD}; touch {HOLD}")

    def wait_for_hold(self, name: str, patience: int = 110) -> None:
        """Wait until a move waits there; the waiting is done there, and takes next to nothing of the host's time."""
        self.lab.run(name, f"timeout {patience} sh -c 'until test -e {HELD}; do sleep 0.5; done'")

    def let_last_pass_go(self, name: str) -> None:
        """Let the move that waits go on."""
        self.lab.run(name, f"rm -f {HELD}")

    def break_link(self, name: str) -> None:
        """Take a host's link away and break what is open over it.

        A link that comes back in time heals a move: TCP sends again. What the cluster's file system talks over stays
        open, as it does when a real cable is pulled: it has no way to send again, and would hang for ever.
        """
        self.lab.link(name, "down")
        ours = f"( {' or '.join(f'dst {host.address}' for host in HOSTS)} )"
        others = f"dport != :{CLUSTER_PORT} and sport != :{CLUSTER_PORT}"
        self.lab.run(name, f"ss -K '{ours} and {others}'")

    def answers(self, name: str) -> bool:
        return self.driver._xen.probes.answers(self.endpoint(name))

    def endpoint(self, name: str) -> Endpoint:
        spec = next(host for host in HOSTS if host.name == name)
        probe = next(host.probe for host in self.lab.hosts if host.name == name)
        return Endpoint(spec.number, name, self.lab.uri(name), spec.address, probe=probe, probe_key=KEY)

    def plan(self, guest: str, *, probed: bool = True) -> MigrationPlan:
        """Plan a move of a guest from where it is to the other host."""
        [source] = self.lab.where(guest)
        target = next(host.name for host in HOSTS if host.name != source)
        ends = [self.endpoint(name) for name in (source, target)]
        if not probed:
            ends = [replace(each, probe="", probe_key="") for each in ends]
        return MigrationPlan("LAB", self.lab.guest(guest).uuid, guest, ends[0], ends[1], MoveOptions())

    def locate(self, endpoint: Endpoint, plan: MigrationPlan) -> VmSighting:
        return self.driver.locate(endpoint, plan.vm_uuid)

    def proof(self, plan: MigrationPlan) -> Proof:
        source, target = self.locate(plan.source, plan), self.locate(plan.target, plan)
        return Proof(source.copy, target.copy, source.busy, plan.kind, source.misread)

    def settled(self, plan: MigrationPlan, patience: float = 40.0) -> Proof:
        """Ask until both hosts answer and nothing is worked on; answer what they say then, or last."""
        until = time.monotonic() + patience
        while True:
            proof = self.proof(plan)
            is_settled = not proof.busy and Copy.NO_ANSWER not in {proof.source, proof.target}
            if is_settled or time.monotonic() > until:
                print(f"{plan.vm_name}: {proof.source} {proof.target} busy={proof.busy}: {conclude(proof)}")
                return proof
            time.sleep(0.5)

    def kill_helper(self, name: str) -> None:
        """Kill the real helper that sends a guest from a host."""
        self.lab.run(name, f"kill -9 $({HELPER_PID})")

    def is_sending(self, name: str) -> bool:
        """Say whether a helper on a host still sends a guest."""
        return bool(self.lab.run(name, f"{HELPER_PID} || true").strip())

    def runs_once_on(self, guest: str, host: str) -> None:
        """Hold a guest to the oracle: one running copy by xl on both hosts, and its heart goes on beating there."""
        until = time.monotonic() + SETTLES_WITHIN
        while wrong := self._why_not_once_on(guest, host):
            assert time.monotonic() < until, wrong

    def _why_not_once_on(self, guest: str, host: str) -> str:
        """Look at both hosts for a moment, with one command each: more would take the time from the guest itself."""
        said = self.lab.on_each(LOOK.format(guest))
        seen = {name: text.split(MARK) for name, text in said.items()}
        copies = {name: residents(listed).get(guest) for name, (listed, _, _) in seen.items()}
        own = copies.pop(host, None)
        if own is None or own.is_stopped or any(copies.values()):
            return f"{guest} is on {host} as {own}, and elsewhere as {copies}"
        beats = {name: (_newest(before), _newest(after)) for name, (_, before, after) in seen.items()}
        before, after = beats.pop(host)
        assert all(first == last for first, last in beats.values()), f"{guest} beats twice: {beats}"
        return "" if after > before + BEATS else f"{guest} does not beat on {host}: {before}, then {after}"

    def newest_beat(self, guest: str, host: str) -> int:
        """Answer the number of the newest beat on a host's console of a guest; 0 where it never beat."""
        return _newest(self._console_end(guest, host))

    def newest_record(self, guest: str, host: str) -> int:
        """Answer the newest record that a guest says on a host's console is safe; 0 where it never said so.

        To read the disk itself takes an emulated CPU two seconds, in which its guests stand still.
        """
        return max((beat.disk for beat in heartbeat.beats(self._console_end(guest, host))), default=0)

    def _console_end(self, guest: str, host: str) -> str:
        return self.lab.run(host, CONSOLE_END.format(guest))


def put_holder(lab: Lab) -> None:
    """Put on both hosts what a probe may be told to run in the place of Xen's helper."""
    for host in HOSTS:
        lab.put(host.name, HOLDING_PROGRAM, HOLDING.encode(), 0o755)
        lab.put(host.name, HOLDER, GATE.encode(), 0o755)


def _newest(console: str) -> int:
    """Answer the number of the newest beat in what a console says; 0 where it never beat."""
    return max((beat.number for beat in heartbeat.beats(console)), default=0)


def wait_until(what: str, condition, patience: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(0.5)
