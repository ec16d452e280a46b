"""What AML takes and says: screenings, cases held for a person, watchlists swapped in while running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Outcome, Reply, Result, Task, Tick
from actors.vocabulary.order import PaymentFacts
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenBeneficiary(Command):
    """Compare the beneficiary with the watchlists in force.

    Answered by `BeneficiaryCleared` or `BeneficiaryBlocked`; or by `BeneficiaryHeld` first, and one of the
    two when a person has decided.
    """

    answers: ClassVar[tuple[str, ...]] = (
        "BeneficiaryCleared",
        "BeneficiaryBlocked",
        "BeneficiaryHeld",
        "ReviewOverdue",
    )
    progress: ClassVar[str | None] = "screening"

    screening_id: str  # idempotency key: one id is screened once
    name: str
    country: str | None = None
    date_of_birth: str | None = None
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeneficiaryCleared(Outcome):
    """No list speaks against the beneficiary, or a person decided so. The recorded clearance."""

    screening_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeneficiaryBlocked(Outcome):
    """The beneficiary may not be paid (RR04)."""

    screening_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeneficiaryHeld(Outcome):
    """A person must decide; `review_seconds` is the time they have before it is overdue."""

    unheard: ClassVar[str] = "a person decides; the saga stops its clock, the tracker shows it"
    progress: ClassVar[str | None] = "held"

    screening_id: str
    case_id: str
    reason: Reason
    review_seconds: int
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOverdue(Outcome):
    """Nobody has decided in time; the case stays open, nothing is cleared or paid."""

    screening_id: str
    case_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReview(Command):
    """The payment was stopped: close its open case, if any. Answered by `ReviewClosed`."""

    answers: ClassVar[tuple[str, ...]] = ("ReviewClosed",)

    screening_id: str
    reason: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewClosed(Outcome):
    """There is no open case for the screening (any more), and a later screening under its id is refused."""

    unheard: ClassVar[str] = "nothing waits for it but a saga that undoes its steps"

    screening_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideReview(Command):
    """A person's decision, `clear` or `block`. Answered by `ReviewDecided` or `ReviewRefused`."""

    from_clients: ClassVar[bool] = True

    case_id: str
    decision: str
    reason: str
    payment_id: str = ""  # the case's payment, so that the decision stands in its timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDecided(Reply):
    """The decision stands, now or before."""

    case_id: str
    payment_id: str
    decision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRefused(Reply):
    """The decision can't be taken; `error` is the sentence to show."""

    case_id: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadWatchlist(Command):
    """Put the list in `path` (already copied into the data directory) in force under `name`.

    Sent to every cell. Answered by `WatchlistLoaded` or `WatchlistRefused` once it is in force.
    """

    from_clients: ClassVar[bool] = True

    name: str
    path: str
    source: str
    format: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchlistLoaded(Reply):
    """The list is in force from now on."""

    name: str
    version: str
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchlistRefused(Reply):
    """The list can't be used, the previous one stays in force; `error` is the sentence to show."""

    name: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInForce:
    """A watchlist as it is recorded; its entries are read again from `path` after a restart."""

    name: str
    source: str
    version: str
    entries: int
    path: str
    format: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareWatchlist(Task):
    """Read the list, and build the index of all lists `in_force` with it in the place of its namesake."""

    name: str
    path: str
    source: str
    format: str | None
    in_force: tuple[ListInForce, ...]
    requester: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchlistPrepared(Result):
    """The index waits under `token`, in the memory of this process alone; `lists` are those in it."""

    token: str
    task: PrepareWatchlist
    lists: tuple[ListInForce, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchlistUnusable(Result):
    """The list can't be used; `error` is the sentence to show."""

    name: str
    error: str
    requester: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDue(Tick):
    """The time for a person's decision is up."""

    case_id: str
