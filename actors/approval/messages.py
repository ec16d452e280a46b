"""What Approval takes and says: payments that people must agree to, their words, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from actors.messaging.message import Command, Outcome, Reply, Tick
from actors.vocabulary.money import Money
from actors.vocabulary.order import PaymentFacts
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestApproval(Command):
    """Ask people whether the payment may go on; `why` tells them why they are asked.

    Answered by `ApprovalRequested` first, then by `ApprovalGranted` once `approvals` different people have agreed, or
    by `ApprovalDenied` when one has not. After `review_within` it is `ApprovalOverdue` and stays open; with `lapses`
    it is denied. Time alone never approves.
    """

    answers: ClassVar[tuple[str, ...]] = ("ApprovalRequested", "ApprovalGranted", "ApprovalDenied", "ApprovalOverdue")

    approval_id: str  # idempotency key: one id is asked once
    amount: Money
    debtor_account: str
    creditor_name: str
    why: str
    approvals: int | None = None  # how many different people; None: the configured number
    review_within: timedelta | None = None  # None: the configured time
    lapses: bool = False
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(Outcome):
    """People must decide; `review_seconds` is the time they have before it is overdue."""

    unheard: ClassVar[str] = "people decide; the saga stops its clock, the tracker shows it"
    progress: ClassVar[str | None] = "held"

    approval_id: str
    reason: Reason
    review_seconds: int
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGranted(Outcome):
    """As many different people as it takes have agreed; `by` are their names as they gave them."""

    approval_id: str
    by: tuple[str, ...] = ()
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDenied(Outcome):
    """A person has said no, or the time to decide is up where that means no."""

    approval_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOverdue(Outcome):
    """Too few have decided in time; the case stays open, nothing is approved or denied."""

    approval_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawApproval(Command):
    """The payment was stopped: nobody need decide any more. Answered by `ApprovalWithdrawn`."""

    answers: ClassVar[tuple[str, ...]] = ("ApprovalWithdrawn",)

    approval_id: str
    reason: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalWithdrawn(Outcome):
    """Nobody is asked (any more), and asking later under the same id is refused."""

    unheard: ClassVar[str] = "nothing waits for it but a saga that undoes its steps"

    approval_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideApproval(Command):
    """A person's word. Answered by `ApprovalTaken` or `ApprovalRefused`."""

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    approval_id: str
    by: str  # who says so, as they say they are called
    approve: bool
    reason: str
    payment_id: str = ""  # whose timeline the decision stands in


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTaken(Reply):
    """The word counts, now or before; `status` is open, granted or denied, `missing` how many must still agree.

    `decided` tells who had decided the same, and when, where it was decided before this word came.
    """

    approval_id: str
    payment_id: str
    status: str
    missing: int
    decided: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRefused(Reply):
    """The word can't be taken; `error` is the sentence to show."""

    approval_id: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDue(Tick):
    """The time to decide is up."""

    approval_id: str
