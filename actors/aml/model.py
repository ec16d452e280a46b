"""The rules of screening: what a verdict means for a payment, and what a person may decide; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from actors.aml.index import BLOCKED, CLEARED, HELD, Screening

SANCTIONS = "RR04"  # ISO 20022 external status reason: regulatory reason

OPEN, CLOSED = "open", "closed"
DECISIONS = {"clear": CLEARED, "block": BLOCKED}  # what a person says, and what the case is then


class ReviewRefused(Exception):
    """A decision that can't be taken; the message is the sentence to show."""


class CaseAlreadyDecided(ReviewRefused):
    """Another decision stands; a decided case is never decided anew."""


class CaseClosed(ReviewRefused):
    """The payment was stopped, so there is nothing left to decide."""


class UnknownDecision(ReviewRefused):
    """Only `clear` and `block` are decisions."""


class ReasonMissing(ReviewRefused):
    """A decision without a reason can't be accounted for later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCase:
    """A held payment that a person must decide on; `status` is open, cleared, blocked or closed.

    `hits` is why it was held, in words. `due_at` is when the review is overdue, which decides nothing.
    """

    case_id: str
    payment_id: str
    screening_id: str
    name: str
    hits: str
    opened_at: datetime
    due_at: datetime
    status: str = OPEN
    reason: str | None = None
    decided_at: datetime | None = None


def open_case(
    *,
    case_id: str,
    payment_id: str,
    screening_id: str,
    name: str,
    screening: Screening,
    now: datetime,
    review_time: timedelta,
) -> ReviewCase:
    """The case for a `screening` that was held at `now`, to be decided within `review_time`.

    Raises:
        ValueError: the screening was not held.
    """
    if screening.verdict != HELD:
        raise ValueError(f"A screening that is {screening.verdict} opens no case.")
    return ReviewCase(
        case_id=case_id,
        payment_id=payment_id,
        screening_id=screening_id,
        name=name,
        hits=in_words(screening),
        opened_at=now,
        due_at=now + review_time,
    )


def decide(case: ReviewCase, decision: str, reason: str, now: datetime) -> ReviewCase:
    """The case after a person's `decision` (`clear` or `block`) for `reason` at `now`.

    Saying the same again changes nothing, neither the first reason nor its time.

    Raises:
        UnknownDecision: the decision is neither `clear` nor `block`.
        ReasonMissing: the reason is blank.
        CaseAlreadyDecided: the other decision stands.
        CaseClosed: the payment was stopped.
    """
    status = DECISIONS.get(decision)
    if status is None:
        raise UnknownDecision(f"{decision!r} is no decision; say clear or block.")
    if case.status == status:
        return case
    if case.status == CLOSED:
        raise CaseClosed(f"Case {case.case_id} was closed because its payment was stopped.")
    if case.status != OPEN:
        raise CaseAlreadyDecided(f"Case {case.case_id} is {case.status} already and can't be decided anew.")
    if not reason.strip():
        raise ReasonMissing("Give the reason for the decision.")
    return replace(case, status=status, reason=reason.strip(), decided_at=now)


def close(case: ReviewCase, reason: str, now: datetime) -> ReviewCase:
    """The case after its payment was stopped; a case that isn't open stays as it is."""
    if case.status != OPEN:
        return case
    return replace(case, status=CLOSED, reason=reason, decided_at=now)


def is_overdue(case: ReviewCase, now: datetime) -> bool:
    """Whether nobody has decided in time; time alone neither clears nor blocks."""
    return case.status == OPEN and now >= case.due_at


def in_words(screening: Screening) -> str:
    """Why a screening ended as it did, for the payment's timeline and the person who decides."""
    others = len(screening.hits) - 1
    return screening.reason + (f" (and {others} more)" if others > 0 else "")
