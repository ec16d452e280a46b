"""The rules of approval: whose word counts, how many it takes, and what time does alone; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from actors.vocabulary.money import Money
from actors.vocabulary.operators import OperatorRules, same_person
from actors.vocabulary.reason import ORDER_CANCELLED, WAITING_TIME_EXPIRED, Reason

OPEN, GRANTED, DENIED, WITHDRAWN = "open", "granted", "denied", "withdrawn"


class WordRefused(Exception):
    """A person's word that can't be taken; the message is the sentence to show."""


class NobodyNamed(WordRefused):
    """Who decides must be said: names are all that tells two people apart."""


class NoReason(WordRefused):
    """A decision without a reason can't be accounted for later."""


class NotAnApprover(WordRefused):
    """The person is none of those who may approve."""


class AgreedBefore(WordRefused):
    """The same person's second yes doesn't count."""


class DecidedBefore(WordRefused):
    """The approval was granted or denied, and is never decided anew."""


class NobodyAsks(WordRefused):
    """The payment was stopped, so there is nothing left to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What people are asked, and what they have said; `agreed` are the names of those who said yes.

    `needed` is how many different people must. With `lapses` the time until `due_at` ends it, denied. `reason` is why
    it was denied or withdrawn.
    """

    approval_id: str
    payment_id: str
    amount: Money
    debtor_account: str
    creditor_name: str
    why: str
    needed: int
    lapses: bool
    opened_at: datetime
    due_at: datetime
    status: str = OPEN
    agreed: tuple[str, ...] = ()
    reason: str = ""
    decided_at: datetime | None = None

    @property
    def missing(self) -> int:
        """How many more people must agree."""
        return max(0, self.needed - len(self.agreed)) if self.status == OPEN else 0

    def is_for(self, amount: Money, debtor_account: str, creditor_name: str) -> bool:
        """Whether this is what is asked for."""
        return (self.amount, self.debtor_account, self.creditor_name) == (amount, debtor_account, creditor_name)


def agree(approval: Approval, by: str, reason: str, now: datetime, rules: OperatorRules) -> Approval:
    """The approval after `by` has said yes at `now`: granted with the last yes that it takes.

    Who had a part in granting it may say so again, which changes nothing.

    Raises:
        WordRefused: the word can't be taken, see its kinds.
    """
    _must_be_taken(by, reason, rules)
    if approval.status == GRANTED and _same_person(by, approval.agreed):
        return approval
    _must_be_open(approval)
    if first := _same_person(by, approval.agreed):
        left = approval.missing
        others = "one other person has" if left == 1 else f"{left} other people have"
        raise AgreedBefore(f"{first} has agreed already and counts once; {others} to agree to {approval.approval_id}.")
    agreed = (*approval.agreed, by.strip())
    if len(agreed) < approval.needed:
        return replace(approval, agreed=agreed)
    return replace(approval, agreed=agreed, status=GRANTED, decided_at=now)


def disagree(approval: Approval, by: str, reason: str, now: datetime, rules: OperatorRules) -> Approval:
    """The approval after `by` has said no at `now`, which ends it; also whoever had said yes may.

    Raises:
        WordRefused: the word can't be taken, see its kinds.
    """
    _must_be_taken(by, reason, rules)
    if approval.status == DENIED:
        return approval
    _must_be_open(approval)
    return replace(approval, status=DENIED, reason=f"{by.strip()} said no: {reason.strip()}", decided_at=now)


def withdraw(approval: Approval, reason: str, now: datetime) -> Approval:
    """The approval after its payment was stopped; one that isn't open stays as it is."""
    if approval.status != OPEN:
        return approval
    return replace(approval, status=WITHDRAWN, reason=reason, decided_at=now)


def time_is_up(approval: Approval, now: datetime) -> Approval:
    """The approval at `now`: denied if its time is up and that means no, else as it is."""
    if not is_overdue(approval, now) or not approval.lapses:
        return approval
    return replace(approval, status=DENIED, reason=_too_few(approval), decided_at=now)


def is_overdue(approval: Approval, now: datetime) -> bool:
    """Whether too few have decided in time; time alone never approves."""
    return approval.status == OPEN and now >= approval.due_at


def overdue_reason(approval: Approval) -> str:
    """What the person reads who must see to it now."""
    return f"{_too_few(approval)}; they were asked because {approval.why}"


def denial(approval: Approval) -> Reason:
    """Why a denied approval was denied: DS24 where the time was up, DS02 where a person said no."""
    code = WAITING_TIME_EXPIRED if approval.lapses and approval.reason == _too_few(approval) else ORDER_CANCELLED
    return Reason(code, f"not approved: {approval.reason}")


def decided(approval: Approval) -> str:
    """Who has decided, how and when."""
    assert approval.decided_at is not None, "nobody has decided yet"
    how = f"by {', '.join(approval.agreed)}" if approval.status == GRANTED else f"since {approval.reason}"
    return f"{approval.approval_id} was {approval.status} at {approval.decided_at:%Y-%m-%d %H:%M:%S} UTC, {how}"


def question(approval: Approval) -> str:
    """What is asked, in words, for the payment's timeline."""
    people = "one person" if approval.needed == 1 else f"{approval.needed} different people"
    return f"waits for the approval of {people}: {approval.why}"


def _must_be_taken(by: str, reason: str, rules: OperatorRules) -> None:
    if not by.strip():
        raise NobodyNamed("Say who you are with --by.")
    if not reason.strip():
        raise NoReason("Give the reason for the decision.")
    if error := rules.why_not(by.strip()):
        raise NotAnApprover(error)


def _must_be_open(approval: Approval) -> None:
    if approval.status == WITHDRAWN:
        raise NobodyAsks(f"{approval.approval_id} needs no approval any more: its payment was stopped.")
    if approval.status != OPEN:
        raise DecidedBefore(f"{decided(approval)}; that was decided already and can't be decided anew.")


def _same_person(by: str, names: tuple[str, ...]) -> str:
    """The name under which this person is among `names`, however it is written; or ""."""
    return next((name for name in names if same_person(name, by)), "")


def _too_few(approval: Approval) -> str:
    return f"{len(approval.agreed)} of {approval.needed} had agreed when the time was up"
