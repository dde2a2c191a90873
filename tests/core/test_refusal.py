"""A refusal carries its sentence, its findings and its facts, and has a code and a remedy of its own."""

from xenweb.core.placement import Finding, Severity
from xenweb.core.refusal import RefusalError, RefusalKind


def test_a_refusal_says_what_it_was_given() -> None:
    finding = Finding("full", Severity.BLOCKER, "It is full.", "Empty it.")
    refusal = RefusalError("It does not fit.", findings=(finding,), host="host-a")
    assert (str(refusal), refusal.sentence) == ("It does not fit.", "It does not fit.")
    assert (refusal.findings, refusal.facts) == ((finding,), {"host": "host-a"})


def test_a_plain_refusal_has_a_code_a_kind_and_a_remedy() -> None:
    refusal = RefusalError("No.")
    assert (refusal.code, refusal.kind, refusal.findings, refusal.facts) == ("refused", RefusalKind.INVALID, (), {})
    assert refusal.remedy
