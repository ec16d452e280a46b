"""Approval: asks people about a payment, takes each one's word once, and says what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from actors.approval import model
from actors.approval.messages import (
    ApprovalDenied,
    ApprovalDue,
    ApprovalGranted,
    ApprovalOverdue,
    ApprovalRefused,
    ApprovalRequested,
    ApprovalTaken,
    ApprovalWithdrawn,
    DecideApproval,
    RequestApproval,
    WithdrawApproval,
)
from actors.approval.model import Approval
from actors.approval.store import MIGRATIONS, ApprovalStore, Asked
from actors.messaging.codec import decode, encode, micros
from actors.messaging.envelope import CHOREOGRAPHED
from actors.messaging.message import Outcome
from actors.runtime.service import CellContext, Service, Turn
from actors.vocabulary.operators import OperatorRules
from actors.vocabulary.order import PaymentFacts
from actors.vocabulary.reason import NARRATIVE, Reason


class ApprovalDesk(Service):
    """One question for each approval id, answered by people alone."""

    name = "approval"
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Make the store, and read who may approve, how many it takes and in what time."""
        settings, operators = context.settings.approval, context.settings.operators
        self._store = ApprovalStore(context.session)
        self._rules = OperatorRules(settings.approvers or operators.names)
        self._needed = settings.approvals
        self._time = timedelta(seconds=settings.review_seconds)

    def request(self, command: RequestApproval, turn: Turn) -> None:
        """Ask, once; the same id again gets what stands."""
        time = self._time if command.review_within is None else command.review_within
        approval = Approval(
            approval_id=command.approval_id,
            payment_id=turn.envelope.payment_id,
            amount=command.amount,
            debtor_account=command.debtor_account,
            creditor_name=command.creditor_name,
            why=command.why,
            needed=command.approvals or self._needed,
            lapses=command.lapses,
            opened_at=turn.now,
            due_at=turn.now + time,
        )
        facts = None if command.facts is None else encode(command)
        if not self._store.ask(Asked(approval, False, False, turn.reply_to, turn.envelope.workflow, facts)):
            self._answer_again(command, turn)
            return
        turn.timer(_timer(command.approval_id), time, ApprovalDue(approval_id=command.approval_id))
        turn.answer(_requested(approval, command.facts))

    def decide(self, command: DecideApproval, turn: Turn) -> None:
        """Take a person's word; the last one that it takes ends the question."""
        approval_id, by, reason = command.approval_id, command.by, command.reason
        asked = self._store.asked(approval_id)
        if asked is None:
            error = f"Nobody is asked to approve {approval_id}; see `approvals list`."
            turn.answer(ApprovalRefused(approval_id=approval_id, error=error))
            return
        before, rule = asked.approval, model.agree if command.approve else model.disagree
        try:
            after = rule(before, by, reason, turn.now, self._rules)
        except model.WordRefused as refusal:
            turn.answer(ApprovalRefused(approval_id=approval_id, error=str(refusal)))
            return
        if after is not before:
            self._store.take_word(approval_id, micros(turn.now), by.strip(), command.approve, reason.strip())
            if after.status != model.OPEN:
                self._end(asked, after, turn)
        known = model.decided(before) if before.status != model.OPEN else ""
        taken = ApprovalTaken(
            approval_id=approval_id, payment_id=after.payment_id, status=after.status, missing=after.missing,
            decided=known,
        )  # fmt: skip
        turn.answer(taken)

    def withdraw(self, command: WithdrawApproval, turn: Turn) -> None:
        """The payment was stopped: nobody is asked any more, and a request that comes late is refused."""
        approval_id = command.approval_id
        self._store.close(approval_id, turn.envelope.payment_id, micros(turn.now))
        asked = self._store.asked(approval_id)
        assert asked is not None, "what was just written is not there"
        if asked.approval.status == model.OPEN:
            self._store.end(model.withdraw(asked.approval, command.reason, turn.now))
            turn.cancel_timer(_timer(approval_id))
        turn.answer(ApprovalWithdrawn(approval_id=approval_id, facts=command.facts))

    def due(self, tick: ApprovalDue, turn: Turn) -> None:
        """Too few have decided in time: that is a no if it was so asked, else it is said once, and stays open."""
        asked = self._store.asked(tick.approval_id)
        if asked is None or asked.overdue or not model.is_overdue(asked.approval, turn.now):
            return
        after = model.time_is_up(asked.approval, turn.now)
        if after.status != model.OPEN:
            self._end(asked, after, turn)
            return
        self._store.mark_overdue(tick.approval_id)
        reason = Reason(NARRATIVE, model.overdue_reason(after))
        self._tell(asked, ApprovalOverdue(approval_id=tick.approval_id, reason=reason, facts=_facts(asked)), turn)

    def _end(self, asked: Asked, after: Approval, turn: Turn) -> None:
        self._store.end(after)
        turn.cancel_timer(_timer(after.approval_id))
        self._tell(asked, _ended(after, _facts(asked)), turn)

    def _answer_again(self, command: RequestApproval, turn: Turn) -> None:
        """What stands under this id; nothing that could pay once the payment was stopped, or for another payment."""
        asked = self._store.asked(command.approval_id)
        assert asked is not None
        approval, approval_id, facts = asked.approval, command.approval_id, command.facts
        if asked.closed:
            turn.answer(ApprovalWithdrawn(approval_id=approval_id, facts=facts))
        elif not approval.is_for(command.amount, command.debtor_account, command.creditor_name):
            reason = Reason(NARRATIVE, f"approval {approval_id} stands for another payment")
            turn.answer(ApprovalDenied(approval_id=approval_id, reason=reason, facts=facts))
        elif not turn.reply_to:
            return  # an event read again (a replay): what came of it was published the first time
        elif approval.status == model.OPEN:
            turn.answer(_requested(approval, facts))
        else:
            turn.answer(_ended(approval, facts))

    def _tell(self, asked: Asked, outcome: Outcome, turn: Turn) -> None:
        """Say late what became of it, to whom it was promised."""
        payment_id = asked.approval.payment_id
        if asked.reply_to:
            turn.send(asked.reply_to, outcome, payment_id=payment_id)
        else:
            turn.publish(outcome, payment_id=payment_id, flow=CHOREOGRAPHED, workflow=asked.workflow)

    handlers: ClassVar[Any] = {
        RequestApproval: request,
        DecideApproval: decide,
        WithdrawApproval: withdraw,
        ApprovalDue: due,
    }


def _timer(approval_id: str) -> str:
    return f"approval/{approval_id}"


def _requested(approval: Approval, facts: PaymentFacts | None) -> ApprovalRequested:
    return ApprovalRequested(
        approval_id=approval.approval_id,
        reason=Reason(NARRATIVE, model.question(approval)),
        review_seconds=max(1, round((approval.due_at - approval.opened_at).total_seconds())),
        facts=facts,
    )


def _ended(approval: Approval, facts: PaymentFacts | None) -> Outcome:
    """The outcome that a decided approval stands for."""
    if approval.status == model.GRANTED:
        return ApprovalGranted(approval_id=approval.approval_id, by=approval.agreed, facts=facts)
    return ApprovalDenied(approval_id=approval.approval_id, reason=model.denial(approval), facts=facts)


def _facts(asked: Asked) -> PaymentFacts | None:
    """The facts that were stored with it, inside the command that brought them."""
    if asked.facts is None:
        return None
    command = decode(asked.facts)
    assert isinstance(command, RequestApproval)
    return command.facts
