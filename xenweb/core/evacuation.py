"""Where the VMs of a host go that is to be emptied: each with its reason, none promised memory that another was.

Pure: facts in, a plan out. The largest VM chooses first, for it has the fewest places; every VM that got one
takes its memory and its disks from what the next ones find free.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from xenweb.core.facts import HostFacts, Kind, VmFacts, kind_for
from xenweb.core.placement import Answer, Finding, Severity, Verdict, blocker, judge, memory_needed, note
from xenweb.core.quantities import Bytes
from xenweb.core.storage import copied_bytes


@dataclass(frozen=True, slots=True)
class Leaver:
    """A VM and the host that has it.

    ``obstacles`` are what its hypervisor has noted against moving it, wherever to; ``known`` what else was
    found, by target.
    """

    vm: VmFacts
    source: HostFacts
    obstacles: tuple[Finding, ...] = ()
    known: Mapping[int, tuple[Finding, ...]] | None = None

    def judged(self, host: HostFacts) -> Verdict:
        """Judge a host for it."""
        return judge(self.vm, host, self.source, (*self.obstacles, *(self.known or {}).get(host.id, ())))


@dataclass(frozen=True, slots=True)
class Placing:
    """Where one VM goes, and why there. ``verdicts`` are those of all hosts that it could have gone to."""

    vm: VmFacts
    target: int
    why: Finding
    verdicts: tuple[Verdict, ...]

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """List what a person should know of this move."""
        chosen = next(each for each in self.verdicts if each.host == self.target)
        return tuple(each for each in chosen.findings if each.severity is Severity.WARNING)


@dataclass(frozen=True, slots=True)
class Staying:
    """A VM that stays where it is, with every reason. ``is_left`` says that somebody or our own rule left it."""

    vm: VmFacts
    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]
    is_left: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of every VM of a host; the moves in the order in which they are asked for."""

    moves: tuple[Placing, ...]
    stays: tuple[Staying, ...]


class _Targets:
    """The hosts that may take VMs, and what this plan has promised of them already."""

    def __init__(self, hosts: Iterable[HostFacts]) -> None:
        self._hosts = {host.id: host for host in hosts}

    def judged(self, leaver: Leaver) -> tuple[Verdict, ...]:
        here = leaver.source
        return tuple(
            leaver.judged(each) for each in self._hosts.values() if each.pool == here.pool and each.id != here.id
        )

    def host(self, host: int) -> HostFacts:
        return self._hosts[host]

    def promise(self, vm: VmFacts, host: int) -> None:
        """Take from a host what a VM will need there."""
        facts = self._hosts[host]
        self._hosts[host] = replace(
            facts,
            memory_promised=Bytes(facts.memory_promised + memory_needed(vm)),
            disk_promised=Bytes(facts.disk_promised + copied_bytes(vm, facts)),
        )


def planned(
    leavers: Sequence[Leaver], hosts: Iterable[HostFacts], wishes: Mapping[int, int | None] | None = None
) -> Plan:
    """Plan where each VM goes, to another host of its pool.

    ``wishes`` are a person's, by VM: a host, or None for leaving it where it is.
    """
    wished = wishes or {}
    targets = _Targets(hosts)
    moves: list[Placing] = []
    stays: list[Staying] = []
    # What a person chose comes first: our own choices make do with what that leaves.
    in_turn = sorted(leavers, key=lambda each: (wished.get(each.vm.id) is None, -each.vm.memory, each.vm.name))
    for leaver in in_turn:
        verdicts = targets.judged(leaver)
        found = _placed(leaver, verdicts, targets, wished)
        if isinstance(found, Placing):
            targets.promise(leaver.vm, found.target)
            moves.append(found)
        else:
            stays.append(found)
    return Plan(tuple(sorted(moves, key=_turn)), tuple(sorted(stays, key=lambda each: each.vm.name)))


def _turn(move: Placing) -> tuple[bool, int, str]:
    """Let what runs go before what is halted, and the smallest first: what goes wrong, goes wrong on a small VM."""
    return kind_for(move.vm.state) is Kind.COLD, move.vm.memory, move.vm.name


def _placed(
    leaver: Leaver, verdicts: tuple[Verdict, ...], targets: _Targets, wished: Mapping[int, int | None]
) -> Placing | Staying:
    vm, source = leaver.vm, leaver.source
    wish = wished.get(vm.id)
    if wish is not None:
        return _as_wished(vm, wish, verdicts)
    if kind_for(vm.state) is Kind.COLD:
        halted = note(
            "halted_stays",
            f"{vm.name} is {vm.state}: nothing of it runs on {source.name}, so it stays unless you choose a host.",
            "Choose a host if its definition should move along.",
        )
        return Staying(vm, (halted,), verdicts, is_left=True)
    able = [each for each in verdicts if not each.blockers]
    if not able:
        return Staying(vm, reasons(vm, verdicts, source), verdicts)
    if vm.id in wished:
        left = note("left_behind", f"{vm.name} is left on {source.name}, as you chose.", "Choose a host to move it.")
        return Staying(vm, (left,), verdicts, is_left=True)
    best = min(able, key=lambda each: _rank(each, copied_bytes(vm, targets.host(each.host))))
    return Placing(vm, best.host, _why(vm, best, able, targets), verdicts)


def _as_wished(vm: VmFacts, wish: int, verdicts: tuple[Verdict, ...]) -> Placing | Staying:
    chosen = next((each for each in verdicts if each.host == wish), None)
    if chosen is None:
        elsewhere = blocker(
            "pool_differs", f"The host chosen for {vm.name} is not one that it can go to.", "Choose one of the list."
        )
        return Staying(vm, (elsewhere,), verdicts)
    if chosen.blockers:
        return Staying(vm, chosen.blockers, verdicts)
    return Placing(vm, wish, note("chosen", "You chose it.", ""), verdicts)


def _rank(verdict: Verdict, copied: Bytes) -> tuple[int, bool, float, int]:
    """Put hosts in order: the fewest bytes of disk to copy, no warning, the most memory left of all it has."""
    return copied, verdict.answer is not Answer.CAN_GO, -_share(verdict), verdict.host


def _share(verdict: Verdict) -> float:
    return (verdict.memory_free_after or 0) / verdict.memory_total if verdict.memory_total else 0.0


def _why(vm: VmFacts, best: Verdict, able: Sequence[Verdict], targets: _Targets) -> Finding:
    host = targets.host(best.host)
    if len(able) == 1:
        return note("only_host", f"{host.name} is the only host that can take it.", "")
    widest = max(able, key=_share)
    if _share(best) == _share(widest):
        return note("most_memory_left", f"{host.name} keeps the largest share of its memory free with it.", "")
    if copied_bytes(vm, targets.host(widest.host)) > copied_bytes(vm, host):
        return note("least_copied", f"Less disk has to be copied to {host.name} than elsewhere.", "")
    return note("least_warned", f"Nothing speaks against {host.name}, as it does elsewhere.", "")


def reasons(vm: VmFacts, verdicts: Iterable[Verdict], source: HostFacts) -> tuple[Finding, ...]:
    """Gather why no host can take a VM; what all of them say in the same words is said once."""
    found = {(each.code, each.sentence): each for verdict in verdicts for each in verdict.blockers}
    if not found:
        alone = blocker(
            "no_other_host",
            f"{source.name} is the only host of its pool: there is nowhere for {vm.name} to go.",
            "Add a host to the pool, or shut the VM down yourself before the host goes.",
        )
        return (alone,)
    return tuple(found.values())
