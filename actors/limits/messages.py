"""What Limits takes and says: payments counted against what an account may pay out, and given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Outcome
from actors.vocabulary.money import Money
from actors.vocabulary.order import PaymentFacts
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLimits(Command):
    """Count `amount` against the account's limits of today (UTC), if it is within them.

    Answered by `WithinLimits` or `LimitExceeded`.
    """

    answers: ClassVar[tuple[str, ...]] = ("WithinLimits", "LimitExceeded")
    undone_by: ClassVar[str] = "ReleaseLimit"
    progress: ClassVar[str | None] = "screening"

    check_id: str  # idempotency key: one id counts once
    account_id: str
    amount: Money
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinLimits(Outcome):
    """The amount is counted; where no limit is configured any amount is within."""

    unheard: ClassVar[str] = "only sagas ask for it, as a step"

    check_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitExceeded(Outcome):
    """The payment is too large (AM02), or the account's payments of the day would be (AM14). Nothing is counted."""

    unheard: ClassVar[str] = "only sagas ask for it, as a step"

    check_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLimit(Command):
    """The payment is not made: what it counted is given back to its day. Answered by `LimitReleased`."""

    answers: ClassVar[tuple[str, ...]] = ("LimitReleased",)

    check_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReleased(Outcome):
    """Nothing is counted under the id (any more), and a later check under it is refused."""

    unheard: ClassVar[str] = "only sagas ask for it, when a step is undone"

    check_id: str
    facts: PaymentFacts | None = None
