"""One comparison: the pools started, users of every role let in, everything asked."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.comparing import EXPLAINED, Comparison, roles_tried
from tests.conformance.plain import Plain
from tests.conformance.published import Published, facts_compared
from tests.xapi import process
from xenweb.lab.xapi.model import PATH

ADDRESSES = "127.21"


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, and what differs."""

    counts: Counter[str]
    facts: Counter[str]
    differences: list[str]

    def lines(self) -> Iterator[str]:
        """Write it for a person."""
        yield "compared over the wire: " + ", ".join(f"{number} {what}" for what, number in sorted(self.counts.items()))
        yield "compared line by line: " + ", ".join(f"{number} {what}" for what, number in sorted(self.facts.items()))
        for what, why in EXPLAINED.items():
            yield f"not compared: {what} ({why})"
        yield f"{len(self.differences)} differences"
        yield from self.differences


def compared(folder: Path, classes: Mapping[str, Published]) -> Report:
    """Run the pools and compare them."""
    users = {role: ["lab-only", role] for role in roles_tried()}
    prefix = f"{ADDRESSES}.{os.getpid() % 250}"
    with process.pools_running(folder, prefix, users) as pools:
        wire = Plain(pools.address("host-c"), pools.port, frozenset({pools.about["hosts"]["host-c"]["sha256"]}))
        sessions = {
            role: str(wire.call("session.login_with_password", (role, "lab-only", "1.0", "x"))) for role in users
        }
        admin = sessions["pool-admin"]
        hosts = wire.call("host.get_by_name_label", (admin, "host-b"))
        vms = wire.call("VM.get_by_name_label", (admin, "dns-1"))
        assert isinstance(hosts, list)
        assert isinstance(vms, list)
        wire.call("Async.VM.pool_migrate", (admin, vms[0], hosts[0], {}))
        while not wire.call("message.get_all", (admin,)):
            pass  # a move leaves a message and a task: records of both are compared too
        comparison = Comparison(classes, wire, sessions)
        over_the_wire = list(dict.fromkeys(comparison.differences()))
    counts, of_facts = facts_compared(PATH.read_text().splitlines(), classes)
    return Report(comparison.counts, counts, over_the_wire + of_facts)
