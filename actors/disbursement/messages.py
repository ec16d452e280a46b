"""What Disbursement takes and says: orders in, the start and the end of every payment out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Event, Reply
from actors.vocabulary.money import Money
from actors.vocabulary.order import PaymentFacts, PaymentOrder
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitPayment(Command):
    """Accept one order, sent to the slot of its key. Answered by `PaymentAccepted` or `OrderRefused`.

    With `wait_for` (names of message types) the sender also hears, in an `Awaited`, when the first of them is
    logged for the payment: a second reply to the same message, and no second round trip.
    """

    from_clients: ClassVar[bool] = True
    starts_work: ClassVar[bool] = True

    idempotency_key: str  # one key is one payment, in the whole system
    debtor_account: str
    creditor_name: str
    creditor_account: str
    amount: Money
    creditor_country: str | None = None
    creditor_email: str | None = None
    creditor_date_of_birth: str | None = None
    end_to_end_id: str | None = None
    remittance: str = ""
    flow: str | None = None  # None: the configured default
    batch_id: str | None = None
    wait_for: tuple[str, ...] = ()
    execution_date: str | None = None  # the day (UTC) before which it is not paid; None: at once
    workflow: str | None = None  # `name` or `name@version`; None: the configured one


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPayment(Command):
    """Give a completed payment's money back to its debtor: an order of its own, sent to the payment's slot.

    Answered, from the slot of the key, by `PaymentAccepted` (with the refund's own id) or `OrderRefused`.
    """

    from_clients: ClassVar[bool] = True
    starts_work: ClassVar[bool] = True

    idempotency_key: str  # one key is one refund, in the whole system
    refund_of: str  # the payment whose money goes back; not this message's own: the refund has another id
    amount: Money | None = None  # None: what the payment was of
    reason: str
    flow: str | None = None  # None: the configured default, whatever the payment's own was
    wait_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRefund(Command):
    """Disbursement to itself, from the payment's slot to the key's: claim the key, then have the refund started.

    `client` is who asked, by the message `message_id`, and gets the answer. It is no payment's message: under a
    known key the order is dropped.
    """

    logged: ClassVar[bool] = False  # so the answer names the client's own message as its cause

    order: PaymentOrder
    digest: str  # hexadecimal
    client: str
    message_id: str
    wait_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAccepted(Reply):
    """The order is durable; with `duplicate` it was so before, under the same key and content."""

    payment_id: str
    idempotency_key: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused(Reply):
    """The order can't be taken: a form error, or `conflict`: the key belongs to an order of other content."""

    idempotency_key: str
    error: str
    conflict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPayment(Command):
    """Disbursement to itself, from the key's slot to the debtor's: start what was accepted."""

    logged: ClassVar[bool] = False  # the event that comes of it says the same

    order: PaymentOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterBatch(Command):
    """Remember a submitted file under `batch_id` (idempotency key). Answered by `BatchRegistered`."""

    from_clients: ClassVar[bool] = True

    batch_id: str
    file_name: str
    orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRegistered(Reply):
    """The batch is known."""

    batch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentInitiated(Event):
    """A choreographed payment starts: whoever is first reacts."""

    progress: ClassVar[str | None] = "received"

    facts: PaymentFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequested(Event):
    """An orchestrated payment starts: Payment starts its saga."""

    progress: ClassVar[str | None] = "received"

    order: PaymentOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCompleted(Event):
    """Executed at the bank and posted in the ledger. The end, unless the money is returned."""

    progress: ClassVar[str | None] = "completed"

    order: PaymentOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRejected(Event):
    """Not executed, and the debit voided or never made. The end."""

    progress: ClassVar[str | None] = "rejected"

    order: PaymentOrder
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCancelled(Event):
    """Stopped by a person before the bank had it, and the debit voided or never made. The end."""

    progress: ClassVar[str | None] = "cancelled"

    order: PaymentOrder
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReturned(Event):
    """The bank sent the money of a completed payment back, and the ledger has booked it."""

    progress: ClassVar[str | None] = "returned"

    order: PaymentOrder
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentNeedsAttention(Event):
    """A person must decide; nothing moves by itself but what the person or a late proof allows."""

    progress: ClassVar[str | None] = "needs_attention"

    order: PaymentOrder
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPayment(Command):
    """A person wants the payment stopped. Answered by `CancellationTaken` or `CancellationRefused`.

    `CancellationTaken` says only that the wish is recorded; `PaymentCancelled` or `CancellationRefused`
    follows as an event of the payment.
    """

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    payment_id: str
    reason: str
    by: str = ""  # who wants it, as they say they are called
    job_id: str = ""  # the operators' job that this is an item of


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationTaken(Reply):
    """The wish to cancel is recorded and under way."""

    payment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationRequested(Event):
    """A person wants the payment stopped; the gate at Execution decides."""

    facts: PaymentFacts
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationRefused(Event):
    """The payment goes on: it is already at the bank, or has ended. `error` is the sentence to show."""

    payment_id: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPayment(Command):
    """Disbursement's own, made of what the other services say: the payment becomes `status`, if it may.

    `status` is a final one or `needs_attention`; `reopens` says that even an ended payment needs attention.
    What comes of it is published, once per change.
    """

    order: PaymentOrder
    status: str
    reason: Reason | None = None
    reopens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseCancellation(Command):
    """Disbursement's own: tell that the gate was closed too late; `CancellationRefused` is published."""

    payment_id: str
    error: str
