"""The Execution service: keeps the gate before the rail, and owns the doubt after it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Final

from actors.execution import model
from actors.execution.messages import (
    EXECUTED,
    REJECTED,
    RETURNED,
    AskRail,
    ConfirmAnswer,
    ExecutePayment,
    ExecutionContradicted,
    ExecutionInDoubt,
    ExecutionRejected,
    ExecutionSettled,
    ExecutionStopped,
    PaymentExecuted,
    PaymentSubmitted,
    QueryDue,
    QueryInstruction,
    RailAnswered,
    RecoveryDue,
    ReturnReceived,
    SettleExecution,
    SettlementRefused,
    StopExecution,
    StopRefused,
    SubmitInstruction,
)
from actors.execution.model import Say
from actors.execution.store import MIGRATIONS, Earlier, Entry, ExecutionStore
from actors.messaging.codec import moment
from actors.messaging.message import Message, Outcome
from actors.runtime.service import CellContext, Handler, Service, Started, Turn
from actors.vocabulary.operators import SETTLE, OperatorRules
from actors.vocabulary.order import PaymentFacts
from actors.vocabulary.reason import NARRATIVE, Reason

log = logging.getLogger(__name__)

RAIL: Final = "rail"  # the outbox
RECOVERY_BATCH: Final = 500
RECOVERY_PAUSE: Final = timedelta(milliseconds=5)
NO_WORDS: Final = Reason(NARRATIVE, "the bank gave no reason")


class Execution(Service):
    """Hands payments to a rail, at most one instruction each, and learns what became of them."""

    name = "execution"
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Make the store and read the pace of queries."""
        settings = context.settings.execution
        self.store = ExecutionStore(context.session)
        self.rules = OperatorRules(context.settings.operators.names, context.settings.operators.four_eyes)
        self.pace = model.Pace(
            timedelta(seconds=settings.query_after_seconds),
            timedelta(seconds=settings.query_every_seconds),
            timedelta(seconds=settings.doubt_after_seconds),
        )

    def execute(self, command: ExecutePayment, turn: Turn) -> None:
        """Record the instruction and hand it over, if the gate is open."""
        model.require_evidence(command.debit_id, command.screening_id)
        envelope = turn.envelope
        if not self.store.record(envelope, command, turn.reply_to, turn.now):
            self._answer_repeat(command, turn)
            return
        self._instruct(command, turn)

    def _instruct(self, command: ExecutePayment, turn: Turn) -> None:
        task = instruction(command)
        turn.hand_over(RAIL, task)
        first = model.Chase(False, self.pace.first, 0)
        self._query_later(turn, turn.envelope.payment_id, task.instruction_id, first)

    def stop(self, command: StopExecution, turn: Turn) -> None:
        """Close the gate, if nothing has passed it."""
        if self.store.stop(turn.envelope, command, turn.reply_to, turn.now):
            reason, ending = command.reason, command.ending
            turn.answer(_stopped(command.instruction_id, reason, ending, command.facts))
            return
        entry = self._entry(turn.envelope.payment_id)
        if entry.state == model.STOPPED:
            if turn.reply_to:  # else it was published, and whoever reacts has done so, or will
                turn.answer(_stopped(entry.instruction_id, entry.reason, entry.ending or command.ending, command.facts))
        else:
            stop = StopRefused(instruction_id=entry.instruction_id, ending=command.ending, facts=command.facts)
            turn.answer(stop)

    def hear_rail(self, answer: RailAnswered, turn: Turn) -> None:
        """Apply what the rail said; what it said before, or says of something unknown, changes nothing."""
        if answer.confirm:
            turn.hand_over(RAIL, ConfirmAnswer(instruction_id=answer.instruction_id))
        entry = self.store.load(turn.envelope.payment_id)
        if entry is None or entry.instruction_id != answer.instruction_id:
            if entry is None or entry.attempt == 1 or not self._hear_of_earlier(entry, answer, turn):
                log.warning("the rail says %s of an unknown instruction %s", answer.verdict, answer.instruction_id)
            return
        decision = model.on_answer(entry.state, answer.verdict)
        if decision is None:
            return
        if Say.CONTRADICTED in decision.says:
            if not model.outdated(answer.verdict, entry.settled_by):
                self._contradict(entry, answer, turn)
            return
        if answer.verdict == RETURNED and not self._new_return(entry, answer, turn):
            return
        if decision.state == REJECTED:
            self.store.settle(entry.payment_id, REJECTED, answer.reason or NO_WORDS, "", turn.now)
        elif decision.state != entry.state:
            self.store.move(entry.payment_id, decision.state, turn.now)
        if decision.state not in model.OPEN:
            turn.cancel_timer(f"query/{entry.instruction_id}")
        if decision.resend:
            turn.hand_over(RAIL, instruction(entry.recorded_command()))
        for say in decision.says:
            self._announce(say, entry, answer, turn)

    def query(self, tick: QueryDue, turn: Turn) -> None:
        """Ask the rail again; begin to doubt when patience ends."""
        entry = self.store.load(tick.payment_id)
        if entry is None or entry.state not in model.OPEN or entry.instruction_id != tick.instruction_id:
            return
        recorded_at = moment(entry.recorded_at)
        chase = model.chase(
            entry.state,
            recorded_at=recorded_at,
            due=tick.due,
            asked=tick.asked,
            now=turn.now,
            pace=self.pace,
        )
        turn.hand_over(RAIL, QueryInstruction(instruction_id=entry.instruction_id, payment_id=entry.payment_id))
        self._query_later(turn, entry.payment_id, entry.instruction_id, chase)
        if chase.doubt:
            reason = model.doubt_reason(self.pace)
            self.store.settle(entry.payment_id, model.in_doubt(entry.state), reason, "", turn.now)
            doubt = ExecutionInDoubt(instruction_id=entry.instruction_id, reason=reason, facts=self.store.facts(entry))
            turn.answer(doubt, entry.reply_to, workflow=entry.workflow)

    def ask_rail(self, command: AskRail, turn: Turn) -> None:
        """A person does not want to wait for the next query's time."""
        entry = self.store.load(command.payment_id)
        if entry is not None and entry.state in model.OPEN:
            task = QueryInstruction(instruction_id=entry.instruction_id, payment_id=entry.payment_id)
            turn.hand_over(RAIL, task)

    def settle(self, command: SettleExecution, turn: Turn) -> None:
        """Take a person's evidence for a payment in doubt."""
        payment_id = command.payment_id
        error = self.rules.why_not_directly(SETTLE, command.by, turn.envelope.sender)
        if error:
            turn.answer(SettlementRefused(payment_id=payment_id, error=error))
            return
        entry = self.store.load(payment_id)
        state, settled_by = (entry.state, entry.settled_by) if entry else (None, "")
        try:
            settled = model.settle(payment_id, state, settled_by, command.executed)
        except model.NotInDoubt as refusal:
            turn.answer(SettlementRefused(payment_id=payment_id, error=str(refusal)))
            return
        turn.answer(ExecutionSettled(payment_id=payment_id, executed=command.executed))
        if entry is None or settled == entry.state:
            return
        reason, person = Reason(NARRATIVE, command.reason), command.by or turn.envelope.sender
        self.store.settle(payment_id, settled, reason, person, turn.now)
        turn.cancel_timer(f"query/{entry.instruction_id}")
        after = entry._replace(state=settled, reason_code=reason.code, reason_text=reason.text, settled_by=person)
        turn.answer(_ended(after, self.store.facts(entry)), entry.reply_to, workflow=entry.workflow)

    def recover(self, tick: Started | RecoveryDue, turn: Turn) -> None:
        """After a start, ask for what the rail may have answered to nobody, a bounded number at a time.

        Instructions that have not left are in the outbox, whose worker asks before it sends them again.
        """
        after = tick.after if isinstance(tick, RecoveryDue) else ""
        rows = self.store.at_rail(after, RECOVERY_BATCH)
        for payment_id, instruction_id in rows:
            turn.hand_over(RAIL, QueryInstruction(instruction_id=instruction_id, payment_id=payment_id))
        if len(rows) == RECOVERY_BATCH:
            turn.timer("recovery", RECOVERY_PAUSE, RecoveryDue(after=rows[-1][0]))

    def _answer_repeat(self, command: ExecutePayment, turn: Turn) -> None:
        """The stored answer, if there is one yet; after a rejection a later attempt is recorded and handed over.

        Raises:
            InstructionConflict: the recorded instruction has other content.
        """
        entry = self._entry(turn.envelope.payment_id)
        if entry.state == model.STOPPED:
            if turn.reply_to:  # else it was published: the ledger has voided the debit, or refuses one that comes later
                turn.answer(_stopped(entry.instruction_id, entry.reason, entry.ending or "", command.facts))
            return
        if command.attempt != entry.attempt:
            self._other_attempt(entry, command, turn)
            return
        if instruction(entry.recorded_command()) != instruction(command):
            raise model.InstructionConflict(
                f"payment {entry.payment_id} already has an instruction, {entry.instruction_id}, of other content"
            )
        # An event that is read again (a replay) gets no answer: it was published, and the payment may have gone on.
        if entry.state != model.RECORDED and turn.reply_to:
            turn.answer(_ended(entry, command.facts))

    def _other_attempt(self, entry: Entry, command: ExecutePayment, turn: Turn) -> None:
        """Instruct again after a proven rejection; else say what stands, of that attempt or of the latest."""
        payment_id = entry.payment_id
        if not model.may_be_instructed_again(entry.state, entry.attempt, command.attempt):
            earlier = self.store.earlier_attempt(payment_id, command.attempt)
            if earlier is not None:
                turn.answer(_rejected(earlier, command.facts))
            elif entry.state != model.RECORDED:
                turn.answer(_ended(entry, command.facts))
        elif entry.contradicted:  # what was taken for a proof was none: nobody can say whether it was paid
            reason = model.CONTRADICTED_BEFORE
            self.store.settle(payment_id, model.IN_DOUBT, reason, "", turn.now)
            self._query_later(turn, payment_id, entry.instruction_id, model.Chase(False, self.pace.first, 0))
            turn.answer(ExecutionInDoubt(instruction_id=entry.instruction_id, reason=reason, facts=command.facts))
        else:
            self.store.record_next(turn.envelope, command, turn.reply_to, turn.now)
            self._instruct(command, turn)

    def _hear_of_earlier(self, entry: Entry, answer: RailAnswered, turn: Turn) -> bool:
        """What the rail says of an instruction that another one followed: a person must see what contradicts it."""
        earlier = self.store.earlier(answer.instruction_id)
        if earlier is None or earlier.payment_id != entry.payment_id:
            return False
        decision = model.on_answer(REJECTED, answer.verdict)
        if decision is None or Say.CONTRADICTED not in decision.says:
            return True
        if answer.verdict == RETURNED:
            if not self._new_return(entry, answer, turn):
                return True
        elif earlier.contradicted:
            return True
        self.store.contradict_earlier(earlier.instruction_id)
        self._show_contradiction(entry, answer.verdict, earlier.instruction_id, turn)
        return True

    def _tell_if_twice(self, entry: Entry, turn: Turn) -> None:
        """Say it again where it counts: the payment is executed, and so perhaps was an earlier instruction of it."""
        twice = self.store.contradicted_earlier(entry.payment_id)
        if twice:
            self._show_contradiction(entry, EXECUTED, twice, turn)

    def _show_contradiction(self, entry: Entry, verdict: str, instruction_id: str, turn: Turn) -> None:
        reason = model.earlier_contradiction(verdict, instruction_id, entry.instruction_id)
        event = ExecutionContradicted(instruction_id=instruction_id, reason=reason, facts=self.store.facts(entry))
        turn.answer(event, entry.reply_to, workflow=entry.workflow)

    def _contradict(self, entry: Entry, answer: RailAnswered, turn: Turn) -> None:
        """Show it to a person, once for a verdict and once for each return."""
        if answer.verdict == RETURNED:
            if not self._new_return(entry, answer, turn):
                return
        elif entry.contradicted:
            return
        else:
            self.store.contradict(entry.payment_id)
        reason = model.contradiction(entry.state, answer.verdict, entry.settled_by)
        event = ExecutionContradicted(instruction_id=entry.instruction_id, reason=reason, facts=self.store.facts(entry))
        turn.answer(event, entry.reply_to, workflow=entry.workflow)

    def _new_return(self, entry: Entry, answer: RailAnswered, turn: Turn) -> bool:
        return self.store.add_return(entry.payment_id, answer, answer.reason or NO_WORDS, turn.now)

    def _announce(self, say: Say, entry: Entry, answer: RailAnswered, turn: Turn) -> None:
        """Say it to whoever awaits the outcome. Nobody reacts to a submission, so it carries no facts."""
        instruction_id = entry.instruction_id
        outcome: Outcome
        facts = None if say is Say.SUBMITTED else self.store.facts(entry)
        reason = answer.reason or NO_WORDS
        if say is Say.EXECUTED:
            outcome = PaymentExecuted(instruction_id=instruction_id, facts=facts)
        elif say is Say.SUBMITTED:
            outcome = PaymentSubmitted(instruction_id=instruction_id)
        elif say is Say.REJECTED:
            attempt = entry.attempt
            outcome = ExecutionRejected(instruction_id=instruction_id, reason=reason, facts=facts, attempt=attempt)
        else:
            outcome = ReturnReceived(
                return_id=answer.return_id, instruction_id=instruction_id, reason=reason, facts=facts
            )
        turn.answer(outcome, entry.reply_to, workflow=entry.workflow)
        if say is Say.EXECUTED and entry.attempt > 1:
            self._tell_if_twice(entry, turn)

    def _query_later(self, turn: Turn, payment_id: str, instruction_id: str, chase: model.Chase) -> None:
        due = turn.now + chase.pause
        tick = QueryDue(payment_id=payment_id, instruction_id=instruction_id, due=due, asked=chase.asked)
        turn.timer(f"query/{instruction_id}", chase.pause, tick)

    def _entry(self, payment_id: str) -> Entry:
        entry = self.store.load(payment_id)
        assert entry is not None, "an insert met a row that is not there"
        return entry

    handlers: ClassVar[Mapping[type[Message], Handler]] = {
        ExecutePayment: execute,
        StopExecution: stop,
        RailAnswered: hear_rail,
        QueryDue: query,
        AskRail: ask_rail,
        SettleExecution: settle,
        Started: recover,
        RecoveryDue: recover,
    }


def instruction(command: ExecutePayment) -> SubmitInstruction:
    """What the rail gets: the payment without what concerns only us."""
    creditor = command.creditor
    attempt = command.attempt
    return SubmitInstruction(
        instruction_id=command.instruction_id
        if attempt == 1
        else model.instruction_of(command.instruction_id, attempt),
        debtor_account=command.debtor_account,
        creditor_name=creditor.name,
        creditor_account=creditor.account,
        creditor_country=creditor.country,
        amount=command.amount,
        end_to_end_id=command.end_to_end_id,
        uetr=command.uetr,
        remittance=command.remittance,
    )


def _stopped(instruction_id: str, reason: Reason, ending: str, facts: PaymentFacts | None) -> ExecutionStopped:
    return ExecutionStopped(instruction_id=instruction_id, reason=reason, ending=ending, facts=facts)


def _rejected(one: Entry | Earlier, facts: PaymentFacts | None) -> ExecutionRejected:
    return ExecutionRejected(
        instruction_id=one.instruction_id,
        reason=one.reason,
        settled_by=one.settled_by,
        facts=facts,
        attempt=one.attempt,
    )


def _ended(entry: Entry, facts: PaymentFacts | None) -> Outcome:
    """The outcome that an instruction's stored state stands for."""
    instruction_id, settled_by = entry.instruction_id, entry.settled_by
    if entry.state == EXECUTED:
        return PaymentExecuted(instruction_id=instruction_id, settled_by=settled_by, facts=facts)
    if entry.state == REJECTED:
        return _rejected(entry, facts)
    if entry.state in model.DOUBTFUL:
        return ExecutionInDoubt(instruction_id=instruction_id, reason=entry.reason, facts=facts)
    return PaymentSubmitted(instruction_id=instruction_id, facts=facts)
