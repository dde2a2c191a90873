"""What every shape on the wire is made of: the base, a figure with where it comes from, one reason of a verdict."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from xenweb.core.findings import Fact, Finding, OwnWords

Provenance = Literal["measured", "estimated", "not_available"]


class Wire(BaseModel):
    """Base of every wire shape: immutable, and silent about unknown fields."""

    model_config = ConfigDict(frozen=True)


class Figure(Wire):
    """One number together with where it comes from."""

    value: float | None
    provenance: Provenance


class OwnWordsWire(Wire):
    """What a pool itself said: its code, and its parameters with names where it wrote references."""

    code: str
    params: list[str]


def own_words_stored(words: OwnWords | None) -> dict[str, object] | None:
    """Answer what a row keeps of a pool's own words: an OwnWordsWire."""
    return None if words is None else OwnWordsWire(code=words.code, params=list(words.params)).model_dump()


class FindingWire(Wire):
    """One reason of a verdict: what was found, how bad, and what helps.

    ``overridable`` says that a person with the right may go on in spite of it.
    """

    code: str
    severity: Literal["blocker", "warning", "note"]
    sentence: str
    remedy: str
    facts: dict[str, Fact]
    overridable: bool


def finding_wire(finding: Finding) -> FindingWire:
    """Shape one finding."""
    return FindingWire(
        code=finding.code,
        severity=finding.severity.value,
        sentence=finding.sentence,
        remedy=finding.remedy,
        facts=dict(finding.facts),
        overridable=finding.is_overridable,
    )
