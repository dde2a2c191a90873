"""Go on in spite of a finding: a right, a reason, and only what can be overridden at all."""

from dataclasses import dataclass

from xenweb.accounts.policy import Action, Actor, decide
from xenweb.core.placement import Finding, Verdict
from xenweb.livemigration.errors import NotPlaceableError, OverrideForbiddenError, OverrideRefusedError

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Override:
    """The codes of the findings that a person overrides, and why."""

    codes: tuple[str, ...] = ()
    reason: str = ""

    def __bool__(self) -> bool:
        return bool(self.codes)


NO_OVERRIDE = Override()


def override_right_check(actor: Actor, team: int | None, override: Override) -> None:
    """Raise OverrideForbiddenError if the actor may not override, OverrideRefusedError without a reason."""
    if not override:
        return
    right = decide(actor, Action.OVERRIDE_FINDING, team)
    if not right.allowed:
        raise OverrideForbiddenError(right.reason)
    if not 0 < len(override.reason.strip()) <= LONGEST_REASON:
        msg = f"An override needs a reason of at most {LONGEST_REASON} characters."
        raise OverrideRefusedError(msg)


def verdict_check(verdict: Verdict, override: Override) -> None:
    """Raise OverrideRefusedError for a code that cannot be overridden, NotPlaceableError for what still forbids."""
    for code in override.codes:
        if not any(finding.code == code and finding.is_overridable for finding in verdict.findings):
            raise _refused(code, verdict.findings)
    standing = verdict.blockers_beside(override.codes)
    if standing:
        raise NotPlaceableError(standing[0].sentence, findings=verdict.findings)


def _refused(code: str, findings: tuple[Finding, ...]) -> OverrideRefusedError:
    found = next((finding for finding in findings if finding.code == code), None)
    if found is None:
        return OverrideRefusedError(
            f"Nothing of the kind {code} was found, so there is nothing to override.", code=code
        )
    return OverrideRefusedError(f"This cannot be overridden: {found.sentence}", findings=findings, code=code)
