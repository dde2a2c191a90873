"""The root of every refusal: a code, a sentence, a remedy and the facts behind it.

Each package draws its own tree from here; one file of the web edge translates
the kinds into answers of HTTP.
"""

from enum import StrEnum
from typing import ClassVar

from xenweb.core.placement import Fact, Finding


class RefusalKind(StrEnum):
    """What sort of refusal this is, in words that no protocol owns."""

    INVALID = "invalid"
    SIGNED_OUT = "signed_out"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNPLACEABLE = "unplaceable"
    UNAVAILABLE = "unavailable"


class RefusalError(Exception):
    """Something was asked for and is not done; nothing has changed."""

    code: ClassVar[str] = "refused"
    kind: ClassVar[RefusalKind] = RefusalKind.INVALID
    remedy: str = "Change what the sentence names, then ask again."

    def __init__(self, sentence: str, *, findings: tuple[Finding, ...] = (), **facts: Fact) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.findings = findings
        self.facts = facts
