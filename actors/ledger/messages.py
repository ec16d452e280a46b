"""What the Ledger takes and says: accounts, and debits that are pending, then posted or voided once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from actors.messaging.message import Command, Event, Outcome, Reply, Tick
from actors.vocabulary.money import Money
from actors.vocabulary.order import PaymentFacts
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccount(Command):
    """Open an account; the same again changes nothing. Answered by `AccountOpened` or `AccountRefused`."""

    from_clients: ClassVar[bool] = True

    account_id: str  # idempotency key
    currency: str
    overdraft: int = 0  # whole minor units
    owner: str = ""
    email: str | None = None
    deposit: int = 0  # whole minor units, booked once, with the opening


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOpened(Event):
    """The account exists (reply, and published: others keep their own copy of the contact)."""

    account_id: str
    currency: str
    owner: str = ""
    email: str | None = None
    already: bool = False  # it was open before, with the same terms


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositMoney(Command):
    """Book money from the funding account. Answered by `MoneyDeposited` or `AccountRefused`."""

    from_clients: ClassVar[bool] = True

    deposit_id: str  # idempotency key
    account_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyDeposited(Reply):
    """The deposit is booked, now or before."""

    deposit_id: str
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAccount(Command):
    """Close an account that has neither money nor pending debits.

    Answered by `AccountClosed` or `AccountRefused`.
    """

    from_clients: ClassVar[bool] = True

    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClosed(Event):
    """The account takes no debit any more."""

    unheard: ClassVar[str] = "debits of a closed account are refused by the ledger itself"

    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRefused(Reply):
    """The account command can't be done; `error` is the sentence to show."""

    account_id: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitAccount(Command):
    """Hold `amount` on the debtor's account until it is posted or voided.

    A debit that was refused is tried anew under the next `attempt`; under the same or a lower one it is answered from
    the record. Answered by `AccountDebited` or `DebitRefused`.
    """

    answers: ClassVar[tuple[str, ...]] = ("AccountDebited", "DebitRefused")
    undone_by: ClassVar[str] = "VoidDebit"
    progress: ClassVar[str | None] = "debiting"

    debit_id: str  # idempotency key: one id debits once
    account_id: str
    amount: Money
    expires_after: timedelta | None = None  # None: the configured time
    facts: PaymentFacts | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PostDebit(Command):
    """The money has left: make the pending debit final. Answered by `DebitPosted` or `PostingRefused`."""

    answers: ClassVar[tuple[str, ...]] = ("DebitPosted", "PostingRefused")

    debit_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidDebit(Command):
    """Give the held money back, for `reason`; a debit never made leaves a tombstone that refuses it later.

    `ending` is what the payment becomes by it: `rejected` or `cancelled`. Answered by `DebitVoided` or
    `VoidRefused`.
    """

    answers: ClassVar[tuple[str, ...]] = ("DebitVoided", "VoidRefused")
    progress: ClassVar[str | None] = "compensating"

    debit_id: str
    reason: Reason
    ending: str = "rejected"
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookReturn(Command):
    """Book money that the bank sent back, once per `return_id`.

    Answered by `ReturnBooked`, or by `ReturnSuspended` where the debtor can't be given it.
    Where nothing can be booked (the debit is not posted, or was returned under another id) the answer is
    `PostingRefused`: a person must look.
    """

    answers: ClassVar[tuple[str, ...]] = ("ReturnBooked", "ReturnSuspended", "PostingRefused")

    return_id: str  # idempotency key
    debit_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDebited(Outcome):
    """`amount` is held on the debtor's account."""

    debit_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitRefused(Outcome):
    """A fact speaks against the debit (AC02, AC05, AM03, AM04, or it was voided before); nothing is held."""

    debit_id: str
    reason: Reason
    facts: PaymentFacts | None = None
    attempt: int = 1  # which one is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitPosted(Outcome):
    """The debit is final: two postings, once."""

    debit_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRefused(Outcome):
    """A posting can't be made: of a debit (voided, or never made), or of a return. A person must look.

    Never a void.
    """

    debit_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitVoided(Outcome):
    """Nothing is held (any more), for `reason`; with `never_made` nothing ever was."""

    debit_id: str
    reason: Reason
    ending: str = "rejected"
    never_made: bool = False
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidRefused(Outcome):
    """The debit is already posted and can't be voided: a person must look."""

    debit_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitExpiryReached(Outcome):
    """The hold's time is up. It is not released: whoever drives the payment asks the gate at Execution."""

    debit_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitExpiryDue(Tick):
    """The ledger's own timer: a hold's time is up, as `reply_to` ("": everybody) is to hear."""

    debit_id: str
    reply_to: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnBooked(Outcome):
    """The returned money is on the debtor's account again, by new postings."""

    return_id: str
    debit_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnSuspended(Outcome):
    """The returned money is on the suspense account (`reason` says why): a person must look."""

    return_id: str
    debit_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveCredit(Command):
    """Set aside `amount` of what the posted debit took, to be given back to its debtor; no money moves yet.

    Answered by `CreditReserved` or `CreditRefused`.
    """

    answers: ClassVar[tuple[str, ...]] = ("CreditReserved", "CreditRefused")
    undone_by: ClassVar[str] = "VoidCredit"

    credit_id: str  # idempotency key: one id reserves once
    debit_id: str
    amount: Money
    asked_at: datetime | None = None
    until: datetime | None = None  # the last moment at which it may be asked for; None: any
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCredit(Command):
    """The money has come: give it to the debtor. Answered by `CreditPosted` or `CreditWithheld`."""

    answers: ClassVar[tuple[str, ...]] = ("CreditPosted", "CreditWithheld")

    credit_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidCredit(Command):
    """Nothing will be given back, for `reason`; a credit never made leaves a tombstone that refuses it later.

    `ending` is what becomes of the refund by it: `rejected` or `cancelled`. Answered by `CreditVoided` or
    `CreditVoidRefused`.
    """

    answers: ClassVar[tuple[str, ...]] = ("CreditVoided", "CreditVoidRefused")
    progress: ClassVar[str | None] = "compensating"

    credit_id: str
    reason: Reason
    ending: str = "rejected"
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditReserved(Outcome):
    """So much of the debit is set aside for this credit."""

    credit_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditRefused(Outcome):
    """A fact speaks against the credit: not paid, too late, more than is left (AM09), account closed (AC05)."""

    credit_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPosted(Outcome):
    """The debtor has the money: two new postings, once."""

    credit_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditWithheld(Outcome):
    """The money has come, and the debtor can't be given it: a person must look.

    With `suspended` it is on the suspense account; otherwise nothing was posted (the credit was voided, or never made).
    """

    credit_id: str
    reason: Reason
    suspended: bool = False
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditVoided(Outcome):
    """Nothing is set aside (any more), for `reason`; with `never_made` nothing ever was."""

    credit_id: str
    reason: Reason
    ending: str = "rejected"
    never_made: bool = False
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditVoidRefused(Outcome):
    """The credit is already posted and can't be voided: a person must look."""

    credit_id: str
    reason: Reason
    facts: PaymentFacts | None = None
