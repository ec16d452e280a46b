"""The rules of the gate and of doubt: what the rail, time and a person make of an instruction. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from actors.execution.messages import ACCEPTED, EXECUTED, NOT_RECEIVED, REJECTED, RETURNED, UNKNOWN
from actors.vocabulary.reason import NARRATIVE, TIMEOUT_AT_CREDITOR_AGENT, Reason

# The states of the gate. EXECUTED and REJECTED are states as well as verdicts.
STOPPED: Final = "stopped"  # closed: nothing was or will be instructed
RECORDED: Final = "recorded"  # handed over; the rail has said nothing that shows it was reached
SUBMITTED: Final = "submitted"  # the rail was reached
IN_DOUBT: Final = "in_doubt"  # the rail was reached, and nobody can say what became of it
IN_DOUBT_UNSENT: Final = "in_doubt_unsent"  # in doubt, and the instruction may still be on its way there

DOUBTFUL: Final = (IN_DOUBT, IN_DOUBT_UNSENT)
OPEN: Final = (RECORDED, SUBMITTED, *DOUBTFUL)

LONGEST_PAUSE: Final = timedelta(hours=1)


class MissingEvidence(Exception):
    """An instruction without a standing debit or a recorded clearance: a defect of whoever asks."""


class InstructionConflict(Exception):
    """The payment already has an instruction of other content: a defect of whoever asks, never an outcome."""


def instruction_of(payment_id: str, attempt: int) -> str:
    """The id of a payment's instruction, here and at the rail, at its first or a later attempt.

    >>> instruction_of("P1-00", 1), instruction_of("P1-00", 2)
    ('P1-00', 'P1-00.2')
    """
    return payment_id if attempt == 1 else f"{payment_id}.{attempt}"


class NotInDoubt(Exception):
    """A person's evidence can't be taken; the text is the sentence to show."""


class Say(Enum):
    """What is to be announced."""

    SUBMITTED = "PaymentSubmitted"
    EXECUTED = "PaymentExecuted"
    REJECTED = "ExecutionRejected"
    CONTRADICTED = "ExecutionContradicted"
    RETURNED = "ReturnReceived"


class Decision(NamedTuple):
    """The state from now on, what to announce in this order, and whether to send the instruction again."""

    state: str
    says: tuple[Say, ...] = ()
    resend: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How patiently the rail is asked, and when patience ends."""

    query_after: timedelta
    query_every: timedelta
    doubt_after: timedelta

    @property
    def first(self) -> timedelta:
        """The time to the first query: always one before there may be doubt."""
        return min(self.query_after, self.doubt_after / 2)


class Chase(NamedTuple):
    """What a passed time means: whether doubt begins, and the next query's pause and count."""

    doubt: bool
    pause: timedelta
    asked: int


# What a verdict makes of a state. A pair that is not here changes nothing and says nothing.
RULES: Final[dict[tuple[str, str], Decision]] = {
    (RECORDED, ACCEPTED): Decision(SUBMITTED, (Say.SUBMITTED,)),
    # "Unknown" proves nothing about the payment, but it shows that the instruction has left.
    (RECORDED, UNKNOWN): Decision(SUBMITTED),
    (IN_DOUBT_UNSENT, ACCEPTED): Decision(IN_DOUBT),
    (IN_DOUBT_UNSENT, UNKNOWN): Decision(IN_DOUBT),
    # Proven not received: the same instruction goes out again, under the same id.
    (RECORDED, NOT_RECEIVED): Decision(RECORDED, resend=True),
    (SUBMITTED, NOT_RECEIVED): Decision(RECORDED, resend=True),
    (IN_DOUBT, NOT_RECEIVED): Decision(IN_DOUBT_UNSENT, resend=True),
    (IN_DOUBT_UNSENT, NOT_RECEIVED): Decision(IN_DOUBT_UNSENT, resend=True),
    # A final answer settles every open state, however late; a return proves the execution.
    **{(state, EXECUTED): Decision(EXECUTED, (Say.EXECUTED,)) for state in OPEN},
    **{(state, REJECTED): Decision(REJECTED, (Say.REJECTED,)) for state in OPEN},
    **{(state, RETURNED): Decision(EXECUTED, (Say.EXECUTED, Say.RETURNED)) for state in OPEN},
    (EXECUTED, RETURNED): Decision(EXECUTED, (Say.RETURNED,)),
    # What contradicts a final state changes nothing and is shown to a person.
    (EXECUTED, REJECTED): Decision(EXECUTED, (Say.CONTRADICTED,)),
    (EXECUTED, NOT_RECEIVED): Decision(EXECUTED, (Say.CONTRADICTED,)),
    (REJECTED, EXECUTED): Decision(REJECTED, (Say.CONTRADICTED,)),
    (REJECTED, RETURNED): Decision(REJECTED, (Say.CONTRADICTED,)),
    (STOPPED, EXECUTED): Decision(STOPPED, (Say.CONTRADICTED,)),
    (STOPPED, RETURNED): Decision(STOPPED, (Say.CONTRADICTED,)),
}


def require_evidence(debit_id: str, screening_id: str) -> None:
    """No instruction without a standing debit and a recorded clearance.

    Raises:
        MissingEvidence: one of them is missing.
    """
    if not debit_id:
        raise MissingEvidence("no instruction without a standing debit: debit_id is empty")
    if not screening_id:
        raise MissingEvidence("no instruction without a recorded clearance: screening_id is empty")


def on_answer(state: str, verdict: str) -> Decision | None:
    """What the rail's word makes of an instruction; None where it changes nothing.

    >>> on_answer(SUBMITTED, UNKNOWN) is None
    True
    >>> on_answer(IN_DOUBT, EXECUTED).state
    'executed'
    """
    return RULES.get((state, verdict))


def outdated(verdict: str, settled_by: str) -> bool:
    """Whether the rail's word on a settled instruction is older than what settled it, and contradicts nothing.

    Only a question brings out `not_received`, and no new one is put after the rail's own final answer: heard after
    it, it is taken as said before (a dead letter that was retried). One that waited in the outbox may still be asked
    later: a rail that then denies what it executed is not shown. A person's word it does contradict.
    """
    return verdict == NOT_RECEIVED and not settled_by


def chase(state: str, *, recorded_at: datetime, due: datetime, asked: int, now: datetime, pace: Pace) -> Chase:
    """What it means that an open instruction has no final answer at `now`, after `asked` queries.

    Doubt begins once, `doubt_after` the hand-over, never before the rail was asked. A query that comes late
    because the system was down asks again first: the rail may have answered meanwhile. In doubt the pauses
    double, up to an hour.
    """
    if state in DOUBTFUL:
        return Chase(False, _slow(pace, asked), asked + 1)
    late = now - due > pace.query_every
    left = recorded_at + pace.doubt_after - now
    if left <= timedelta() and asked and not late:
        return Chase(True, _slow(pace, 0), 1)
    return Chase(False, min(pace.query_every, left) if left > timedelta() else pace.query_every, asked + 1)


def _slow(pace: Pace, asked: int) -> timedelta:
    doublings: int = 2 ** min(asked + 1, 20)
    return max(pace.query_every, min(LONGEST_PAUSE, pace.query_every * doublings))


def in_doubt(state: str) -> str:
    """The doubtful state that follows an open one."""
    return IN_DOUBT_UNSENT if state == RECORDED else IN_DOUBT


def doubt_reason(pace: Pace) -> Reason:
    """Why the payment needs attention."""
    waited = f"{pace.doubt_after.total_seconds():g} seconds"
    return Reason(TIMEOUT_AT_CREDITOR_AGENT, f"the bank has given no final answer within {waited}; it may have paid")


def may_be_instructed_again(state: str, recorded: int, attempt: int) -> bool:
    """Whether a payment may get another instruction: never while nobody knows what became of the last one.

    >>> may_be_instructed_again(REJECTED, 1, 2), may_be_instructed_again(SUBMITTED, 1, 2)
    (True, False)
    """
    return state == REJECTED and attempt > recorded


CONTRADICTED_BEFORE: Final = Reason(
    NARRATIVE, "the bank executed it after it had rejected it, or says so: it may have been paid and is not tried again"
)


def earlier_contradiction(verdict: str, instruction_id: str, latest: str) -> Reason:
    """What a person reads when the rail contradicts its rejection of an instruction that another one followed.

    >>> earlier_contradiction(EXECUTED, "P1-00", "P1-00.2").text
    'the bank now says executed of P1-00, which it had rejected, and P1-00.2 followed: it may be paid twice'
    """
    said = verdict.replace("_", " ")
    text = f"the bank now says {said} of {instruction_id}, which it had rejected, and {latest} followed"
    return Reason(NARRATIVE, f"{text}: it may be paid twice")


def settle(payment_id: str, state: str | None, settled_by: str, executed: bool) -> str:
    """The state by a person's evidence; the state itself where the same evidence was given before.

    Raises:
        NotInDoubt: there is nothing to settle, or it was settled otherwise.

    >>> settle("P1", IN_DOUBT, "", executed=True)
    'executed'
    """
    wanted = EXECUTED if executed else REJECTED
    if settled_by and state == wanted:
        return wanted
    if state == IN_DOUBT or (state == IN_DOUBT_UNSENT and executed):
        return wanted
    raise NotInDoubt(_why_not(payment_id, state, settled_by))


def _why_not(payment_id: str, state: str | None, settled_by: str) -> str:
    if settled_by:
        return f"payment {payment_id} was already settled as {_WORDS[state or STOPPED]} by {settled_by}"
    if state is None:
        return f"payment {payment_id} has not been handed to the bank; there is nothing to settle"
    if state in (RECORDED, SUBMITTED):
        return f"payment {payment_id} is at the bank and not in doubt yet; wait for the bank's answer"
    if state == IN_DOUBT_UNSENT:
        return (
            f"payment {payment_id} may still be on its way to the bank, which would then execute it;"
            " settle it as not executed once the bank has been reached"
        )
    return f"payment {payment_id} is not in doubt: it was {_WORDS[state]}"


_WORDS: Final = {
    EXECUTED: "executed",
    REJECTED: "not executed",
    STOPPED: "stopped before it reached the bank",
}


def contradiction(state: str, verdict: str, settled_by: str) -> Reason:
    """What a person reads when the rail contradicts a final state.

    >>> contradiction(REJECTED, EXECUTED, "client/1").text
    'the bank now says executed, after client/1 had settled the payment as not executed; nothing was booked'
    """
    before = f"{settled_by} had settled the payment as" if settled_by else "the payment was"
    said = verdict.replace("_", " ")
    return Reason(NARRATIVE, f"the bank now says {said}, after {before} {_WORDS[state]}; nothing was booked")
