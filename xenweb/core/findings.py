"""One reason of a verdict, whoever found it: its weight, its sentence, what helps."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs."""

    BLOCKER = "blocker"
    WARNING = "warning"
    NOTE = "note"


Fact = str | int | float | bool | tuple[str, ...] | None

CPU_FEATURES_LACKING = "vm_incompatible_with_this_host"
"""The VM was started with features of its CPU that the target's does not have; a guest that uses none may live on."""

FOUND_BY_HOSTS = frozenset({"disk_identity_unproven", CPU_FEATURES_LACKING})
"""What only the hosts find, and cannot prove, although a person may know it."""

OVERRIDABLE = FOUND_BY_HOSTS | {"memory_short", "memory_unknown"}
"""Codes that a person with the right may override. Hypervisors let themselves be overbooked:
that we do not is our own rule. Of all others no wish changes anything: the hypervisor
itself would refuse, or the VM would be lost."""


@dataclass(frozen=True, slots=True)
class OwnWords:
    """What a pool itself said: its code, and its parameters with names where it wrote references."""

    code: str
    params: tuple[str, ...] = ()


def own_words(facts: Mapping[str, Fact]) -> OwnWords | None:
    """Read a pool's own words from the facts of a finding or of an error; None where it said none."""
    code, params = facts.get("xapi_code"), facts.get("xapi_params")
    if not isinstance(code, str) or not code:
        return None
    return OwnWords(code, params if isinstance(params, tuple) else ())


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason: a stable code, its weight, a sentence, what helps, and the facts."""

    code: str
    severity: Severity
    sentence: str
    remedy: str
    facts: tuple[tuple[str, Fact], ...] = ()

    @property
    def is_overridable(self) -> bool:
        """Say whether a person with the right may go on in spite of it."""
        return self.severity is Severity.BLOCKER and self.code in OVERRIDABLE


def blocker(code: str, sentence: str, remedy: str, **facts: Fact) -> Finding:
    """Build what forbids the move."""
    return Finding(code, Severity.BLOCKER, sentence, remedy, tuple(facts.items()))


def warning(code: str, sentence: str, remedy: str, **facts: Fact) -> Finding:
    """Build what a person should know before the move."""
    return Finding(code, Severity.WARNING, sentence, remedy, tuple(facts.items()))


def note(code: str, sentence: str, remedy: str, **facts: Fact) -> Finding:
    """Build what is worth saying, and changes nothing."""
    return Finding(code, Severity.NOTE, sentence, remedy, tuple(facts.items()))


def network_missing(network: str, host: str) -> Finding:
    """Say that a host lacks a network of the VM."""
    return blocker(
        "network_missing",
        f"{host} has no network {network}.",
        f"Create {network} there, or choose another host.",
        network=network,
    )
