"""What Execution takes and says: instructions to a rail, the gate before them, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from actors.messaging.message import Command, Outcome, Reply, Result, Task, Tick
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentFacts
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutePayment(Command):
    """Hand the payment to the rail, given the evidence that it may be: a standing debit and a clearance.

    Once the rail has provably rejected an instruction the payment may be instructed again, under the next `attempt`
    and an instruction id of its own; the same or a lower attempt is answered from the record. Answered by
    `PaymentSubmitted` (on the way), then `PaymentExecuted`, `ExecutionRejected` or `ExecutionInDoubt`; by
    `ExecutionStopped` where the gate was closed before.
    """

    answers: ClassVar[tuple[str, ...]] = (
        "PaymentSubmitted",
        "PaymentExecuted",
        "ExecutionRejected",
        "ExecutionInDoubt",
        "ExecutionContradicted",
        "ExecutionStopped",
        "ReturnReceived",
    )
    progress: ClassVar[str | None] = "executing"

    instruction_id: str  # idempotency key, here and at the rail
    debit_id: str  # the standing debit
    screening_id: str  # the recorded clearance
    debtor_account: str
    creditor: Creditor
    amount: Money
    end_to_end_id: str
    uetr: str
    remittance: str = ""
    facts: PaymentFacts | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRail(Command):
    """Ask the rail at once what became of the payment, if it has not said so for good. Nothing is sent again."""

    payment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopExecution(Command):
    """Close the gate: no instruction may be recorded for this payment from now on.

    Answered by `ExecutionStopped`, or by `StopRefused` when an instruction has been recorded already.
    `ending` is what the payment becomes by it: `rejected` or `cancelled`.
    """

    answers: ClassVar[tuple[str, ...]] = ("ExecutionStopped", "StopRefused")

    instruction_id: str
    reason: Reason
    ending: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStopped(Outcome):
    """The gate is closed; no instruction has reached, or will reach, the rail."""

    instruction_id: str
    reason: Reason
    ending: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRefused(Outcome):
    """The payment is already at the bank."""

    instruction_id: str
    ending: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSubmitted(Outcome):
    """The rail has taken the instruction and will answer later."""

    unheard: ClassVar[str] = "progress: a saga that had to ask again hears it, and people"

    instruction_id: str
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentExecuted(Outcome):
    """The rail has paid, or a person settled that it has (`settled_by` says who)."""

    instruction_id: str
    settled_by: str = ""
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRejected(Outcome):
    """Proven: the rail has not paid and will not, or a person settled so (`settled_by` says who)."""

    instruction_id: str
    reason: Reason
    settled_by: str = ""
    facts: PaymentFacts | None = None
    attempt: int = 1  # which one is rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionInDoubt(Outcome):
    """Nobody can say whether the rail has paid. The debit stands; a late proof or a person settles it."""

    instruction_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContradicted(Outcome):
    """The rail said something else after the payment was settled: a person must look, nothing is booked."""

    instruction_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnReceived(Outcome):
    """The rail has sent the money of an executed payment back."""

    return_id: str
    instruction_id: str
    reason: Reason
    facts: PaymentFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleExecution(Command):
    """A person's evidence for a payment in doubt. Answered by `ExecutionSettled` or `SettlementRefused`."""

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    payment_id: str
    executed: bool
    reason: str
    by: str = ""  # who says so, as they say they are called
    job_id: str = ""  # the operators' job that this is an item of


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSettled(Reply):
    """The person's word stands; the payment goes on from it."""

    payment_id: str
    executed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementRefused(Reply):
    """The payment is not in doubt; `error` is the sentence to show."""

    payment_id: str
    error: str


# What a rail can say of an instruction.
ACCEPTED: Final = "accepted"  # it has it and has not decided
EXECUTED: Final = "executed"
REJECTED: Final = "rejected"
UNKNOWN: Final = "unknown"  # it can't say, which proves nothing
NOT_RECEIVED: Final = "not_received"  # proven: it never got it
RETURNED: Final = "returned"  # executed, and the money has come back

BY_ANSWER: Final = "answer"
BY_QUERY: Final = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitInstruction(Task):
    """Give the instruction to the rail, which executes one instruction id once, however often it gets it."""

    instruction_id: str  # idempotency key at the rail
    debtor_account: str
    creditor_name: str
    creditor_account: str
    creditor_country: str | None
    amount: Money
    end_to_end_id: str
    uetr: str
    remittance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryInstruction(Task):
    """Ask the rail what became of the instruction. `payment_id` where the asking message has none."""

    instruction_id: str
    payment_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmAnswer(Task):
    """Tell the rail that its last answer about the instruction is durable, so that it stops repeating it."""

    instruction_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RailAnswered(Result):
    """What the rail said of an instruction, by itself (`answer`) or when asked (`query`).

    With `confirm` the rail repeats it until a `ConfirmAnswer`: nobody would ask for it any more.
    """

    instruction_id: str
    verdict: str
    reason: Reason | None = None
    return_id: str = ""
    source: str = BY_ANSWER
    confirm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDue(Tick):
    """The rail has given no final answer: ask it. It was asked `asked` times since the hand-over, or since doubt."""

    prolonged: ClassVar[bool] = True

    payment_id: str
    instruction_id: str
    due: datetime
    asked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryDue(Tick):
    """After a start: ask the rail for the next instructions at it, those of payments after `after`."""

    after: str
