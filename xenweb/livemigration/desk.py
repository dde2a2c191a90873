"""Carry out what was chosen for a move under way, and mend what a move has left standing."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from django.utils import timezone

from xenweb.audit.selectors import AuditFilters, audit_page_for
from xenweb.core.migration import BY_ITSELF, Copy, Proof, Repair, repairs_for
from xenweb.drivers.contract import CopyAction, DriverError, Endpoint, HypervisorDriver, Lever, MigrationPlan
from xenweb.livemigration.models import Migration, MigrationChoice
from xenweb.livemigration.recording import move_record
from xenweb.livemigration.transitions import Lease, LeaseLostError, lease_renew, migration_row, tell

log = logging.getLogger(__name__)

NO_LONGER = "The hosts no longer say what this would mend."
TOO_OLD = "The hosts took too long to say again what this would mend, and it may have changed meanwhile."

Allowed = Callable[[Proof], tuple[Repair, ...]]
"""Answers the repairs that a proof allows."""

PROOF_HOLDS_FOR = 4.0
"""Seconds that the hosts may take for the proof right before an act: the first answer is so old when the last comes."""


class Desk:
    """The choices for one move, under the lease of whoever drives it."""

    def __init__(self, lease: Lease, driver: HypervisorDriver, plan: MigrationPlan, ask: Callable[[], Proof]) -> None:
        self.lease, self.driver, self.plan, self._ask = lease, driver, plan, ask

    def _pending(self) -> list[MigrationChoice]:
        return list(MigrationChoice.objects.filter(migration_id=self.plan.migration, applied_at=None, refusal=""))

    def pull_levers(self) -> None:
        """Change the running move as it was chosen."""
        for choice in self._pending():
            if choice.kind not in set(Lever):
                continue
            lease_renew(self.lease)
            try:
                self.driver.change(self.plan, Lever(choice.kind), choice.value)
            except DriverError as error:
                self._close(choice, error.sentence)
            else:
                self._remember(choice)
                self._close(choice, "")

    def is_repair_asked(self) -> bool:
        """Say whether somebody chose a repair that was not tried yet."""
        return any(choice.kind in set(Repair) for choice in self._pending())

    def as_told(self, proof: Proof) -> Proof:
        """Read the choices into the answers: the hosts say of a copy that it is paused, not who paused it, or why.

        A source that was paused to finish stands still because of the move; of two
        running copies the one that was paused is set aside.
        """
        choices = MigrationChoice.objects.filter(migration_id=self.plan.migration, applied_at__isnull=False)
        done = set(choices.values_list("kind", flat=True)) if Copy.PAUSED in {proof.source, proof.target} else set()
        if proof.source is Copy.PAUSED and Repair.PAUSE_SOURCE in done:
            proof = replace(proof, source=Copy.SET_ASIDE)
        elif proof.source is Copy.PAUSED and Lever.PAUSE in done:
            proof = replace(proof, source=Copy.INCOMING)
        if proof.target is Copy.PAUSED and Repair.PAUSE_TARGET in done:
            proof = replace(proof, target=Copy.SET_ASIDE)
        return proof

    def own_repairs(self, proof: Proof, *, cancelling: bool) -> frozenset[Repair]:
        """Answer the repairs that a proof allows and nobody need be asked for."""
        return BY_ITSELF.intersection(repairs_for(proof, cancelling=cancelling))

    def mend(self, proof: Proof, *, cancelling: bool, stalled: bool = False) -> bool:
        """Do the repairs that were chosen, or that go without asking, if the proof still allows them."""
        may = partial(repairs_for, cancelling=cancelling, stalled=stalled)
        allowed, mended = may(proof), False
        for choice in self._pending():
            if choice.kind not in set(Repair):
                continue
            if choice.kind in allowed:
                mended |= self._repair(Repair(choice.kind), choice.asked_by, choice, may)
            else:
                self._close(choice, NO_LONGER)
        for repair in BY_ITSELF & set(allowed):
            mended |= self._repair(repair, "xenweb", None, may)
        return mended

    def _repair(self, repair: Repair, by: str, choice: MigrationChoice | None, may: Allowed) -> bool:
        # What goes by itself is tried again and again: the history tells when that begins and what changes.
        before = self._failed_before(repair, by) if choice is None else None
        if before is None:
            self._record(repair, by, "allowed", "")
        refusal = self._refusal_of(repair, may)
        if refusal:
            log.warning("move %s: %s was not done: %s", self.plan.migration, repair, refusal)
        if refusal and refusal != before:
            self._record(repair, by, "failed", refusal)
        elif not refusal and before is not None:
            self._record(repair, by, "done", "")
        if choice is not None:
            self._close(choice, refusal)
        return not refusal

    def _failed_before(self, repair: Repair, by: str) -> str | None:
        """Answer why the newest try of this move's repairs failed, if it was this repair and did."""
        filters = AuditFilters(actor=by, action="migration_repair", subject=self.plan.migration)
        newest, _ = audit_page_for(filters, limit=1)
        is_this = bool(newest) and newest[0].outcome == "failed" and newest[0].facts.get("repair") == repair
        return newest[0].reason if is_this else None

    def _refusal_of(self, repair: Repair, may: Allowed) -> str:
        """Do one repair; answer why it was not done, or nothing."""
        # Whatever was written since the last answers took time: the proof is made anew, right before the act.
        lease_renew(self.lease)
        began = time.monotonic()
        if repair not in may(self.as_told(self._ask())):
            return NO_LONGER
        if time.monotonic() - began > PROOF_HOLDS_FOR:
            return TOO_OLD
        # The hosts may have taken longer to answer than the lease lasts: it is proven to be ours last of all.
        lease_renew(self.lease)
        try:
            for endpoint, action in self._steps(repair):
                self.driver.repair(endpoint, self.plan.vm_uuid, action)
        except DriverError as error:
            return error.sentence
        return ""

    def _steps(self, repair: Repair) -> tuple[tuple[Endpoint, CopyAction], ...]:
        source, target = self.plan.source, self.plan.target
        # The target first: what cannot become whole any more never runs, whatever the source then does. And a target
        # that the link's end never reached waits for more, and would do so for ever.
        stop_receiving = (target, CopyAction.BREAK_OFF)
        removed = (stop_receiving, (target, CopyAction.REMOVE))
        return {
            Repair.RESUME_SOURCE: ((source, CopyAction.RESUME),),
            Repair.REMOVE_SOURCE_COPY: ((source, CopyAction.REMOVE),),
            Repair.REMOVE_TARGET_COPY: removed,
            Repair.REMOVE_HALF_BUILT: removed,
            Repair.PAUSE_SOURCE: ((source, CopyAction.PAUSE),),
            Repair.PAUSE_TARGET: ((target, CopyAction.PAUSE),),
            Repair.REMOVE_PAUSED_SOURCE: ((source, CopyAction.REMOVE_PAUSED),),
            Repair.REMOVE_PAUSED_TARGET: ((target, CopyAction.REMOVE_PAUSED),),
            Repair.CORRECT_SOURCE: ((source, CopyAction.CORRECT),),
            Repair.BREAK_OFF: (stop_receiving, (source, CopyAction.BREAK_OFF)),
        }[repair]

    def offer(self, proof: Proof, *, cancelling: bool) -> None:
        """Store which repairs the hosts' answers allow, so that people can choose them."""
        allowed = " ".join(repairs_for(proof, cancelling=cancelling))
        changed = Migration.objects.filter(pk=self.lease.migration, fence=self.lease.fence).exclude(repairs=allowed)
        if changed.update(repairs=allowed):
            tell(migration_row(self.lease.migration))

    def _close(self, choice: MigrationChoice, refusal: str) -> None:
        choice.refusal = refusal
        choice.applied_at = None if refusal else timezone.now()
        choice.save(update_fields=["refusal", "applied_at"])
        tell(migration_row(self.plan.migration))

    def _remember(self, choice: MigrationChoice) -> None:
        """Keep a changed limit with the move: it is what holds from now on."""
        column = {Lever.BANDWIDTH.value: "bandwidth_limit", Lever.DOWNTIME.value: "downtime_limit"}.get(choice.kind)
        rows = Migration.objects.filter(pk=self.lease.migration, fence=self.lease.fence)
        if column is not None and not rows.update(**{column: choice.value}):
            raise LeaseLostError(self.lease.migration)

    def _record(self, repair: Repair, by: str, outcome: str, reason: str) -> None:
        row = migration_row(self.plan.migration)
        move_record(
            row,
            actor=by,
            action="migration_repair",
            outcome=outcome,
            reason=reason,
            facts={"repair": repair.value},
        )
