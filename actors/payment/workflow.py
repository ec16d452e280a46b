"""The payment process as data: orders of the same steps. With `stanzas` and `refund` all that knows other services.

To change the order, move a line; to change a step, change its stanza. The engine knows nothing of either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from actors.approval.messages import RequestApproval
from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.disbursement.messages import CancellationRequested, PaymentRequested
from actors.execution.messages import ExecutePayment, ExecutionContradicted, ReturnReceived
from actors.ledger.messages import (
    AccountDebited,
    BookReturn,
    DebitAccount,
    DebitPosted,
    DebitRefused,
    DebitVoided,
    PostDebit,
    PostingRefused,
    ReturnBooked,
    ReturnSuspended,
    VoidDebit,
    VoidRefused,
)
from actors.limits.messages import CheckLimits, LimitExceeded, LimitReleased, ReleaseLimit, WithinLimits
from actors.messaging.envelope import ORCHESTRATED
from actors.messaging.message import Message
from actors.payment.definition import (
    Choice,
    NextWindow,
    Part,
    Return,
    Step,
    StopAndUndo,
    Together,
    TryLater,
    WaitUntil,
    Window,
    Workflow,
)
from actors.payment.facts import amount_over
from actors.payment.messages import CancelSaga, StartSaga
from actors.payment.refund import REFUND
from actors.payment.stanzas import (
    ENDINGS,
    SCREEN,
    STOP,
    approve,
    ask_people,
    execute,
    instruct_bank,
    minutes,
    seconds,
)
from actors.payment.windows import target_closing_day
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason

# -- what is sent: one function a command; a payment's own id names its debit, its screening, its instruction


def debit_account(order: PaymentOrder) -> DebitAccount:
    """Hold the money."""
    return DebitAccount(debit_id=order.payment_id, account_id=order.debtor_account, amount=order.amount)


def debit_again(order: PaymentOrder, attempt: int) -> DebitAccount:
    """Try to hold the money once more, after a refusal."""
    return replace(debit_account(order), attempt=attempt)


def void_debit(order: PaymentOrder, reason: Reason, ending: str) -> VoidDebit:
    """Give the held money back, or see to it that it is never held."""
    return VoidDebit(debit_id=order.payment_id, reason=reason, ending=ending)


def execute_payment(order: PaymentOrder) -> ExecutePayment:
    """The debtor pays the creditor."""
    return instruct_bank(order, order.debtor_account, order.creditor)


def execute_again(order: PaymentOrder, attempt: int) -> ExecutePayment:
    """Instruct the bank once more, after it has provably rejected the instruction before."""
    return replace(execute_payment(order), attempt=attempt)


def check_limits(order: PaymentOrder) -> CheckLimits:
    """Is it within what the account may pay out?"""
    return CheckLimits(check_id=order.payment_id, account_id=order.debtor_account, amount=order.amount)


def release_limit(order: PaymentOrder, reason: Reason, ending: str) -> ReleaseLimit:
    """Count it no longer."""
    return ReleaseLimit(check_id=order.payment_id)


def request_approval(order: PaymentOrder) -> RequestApproval:
    """May so much be paid?"""
    return ask_people(order, "a payment over the limit")


def execution_date(order: PaymentOrder) -> datetime | None:
    """The day on which the debtor wants it paid, from its first moment (UTC) on."""
    return None if order.execution_date is None else datetime.fromisoformat(order.execution_date).replace(tzinfo=UTC)


def post_debit(order: PaymentOrder) -> PostDebit:
    """The held money has left."""
    return PostDebit(debit_id=order.payment_id)


def book_return(order: PaymentOrder, return_id: str, reason: Reason) -> BookReturn:
    """The money that left has come back."""
    return BookReturn(return_id=return_id, debit_id=order.payment_id, reason=reason)


# When the banks of the euro's settlement system T2 take customers' payments. Source: the European Central Bank.
BANKING_HOURS: Final = Window("02:30", "17:00", zone="Europe/Berlin", closed=target_closing_day)

# -- the steps: each a stanza, the same in every order

DEBIT: Final = Step(
    "debit-account",
    to="ledger",
    command=debit_account,
    done=AccountDebited,
    refused=DebitRefused,
    timeout=seconds(5),
    retries=2,
    compensation=void_debit,
    undone=DebitVoided,
    undo_refused=VoidRefused,
)
EXECUTE: Final = execute("execute-payment", execute_payment, needs=("debit-account", "screen-beneficiary"))
POST: Final = Step(
    "post-debit",
    to="ledger",
    command=post_debit,
    done=DebitPosted,
    refused=PostingRefused,
    timeout=seconds(5),
    needs=("execute-payment",),
)

LIMITS: Final = Step(
    "check-limits",
    to="limits",
    command=check_limits,
    done=WithinLimits,
    refused=LimitExceeded,
    timeout=seconds(5),
    retries=2,
    compensation=release_limit,
    undone=LimitReleased,
)
APPROVE: Final = approve("approve-payment", request_approval)

# -- what may come in between, at any step

RETURN: Final = Return(
    "book-return",
    received=ReturnReceived,
    to="ledger",
    command=book_return,
    booked=ReturnBooked,
    suspended=ReturnSuspended,
    timeout=seconds(5),
)


def payment(name: str, *, version: int, steps: tuple[Part, ...]) -> Workflow:
    """A workflow of these steps, in this order, with everything else that a payment needs."""
    return Workflow(name, version, steps, STOP, RETURN, ExecutionContradicted, ENDINGS)


# -- the workflows: the order of the lines is the order of the steps

DEBIT_FIRST: Final = payment(
    "debit-first",
    version=1,
    steps=(
        DEBIT,
        SCREEN,
        EXECUTE,
        POST,
    ),
)
SCREEN_FIRST: Final = payment(
    "screen-first",
    version=1,
    steps=(
        SCREEN,
        DEBIT,
        EXECUTE,
        POST,
    ),
)

# What the language has to offer, on one payment: checks at the same time, people who agree to large ones, the day on
# which the debtor wants it paid, and a further try where the reason of a refusal gives hope. Orchestrated only.
GUARDED: Final = payment(
    "guarded",
    version=1,
    steps=(
        replace(DEBIT, again=debit_again, on_reason={"AM04": TryLater(minutes(10), tries=3, backoff=2)}),
        Together("checks", (SCREEN, LIMITS)),
        Choice(
            "large-payment",
            on=amount_over(EUR="10000", USD="10000", GBP="10000", others=True),
            cases={True: (APPROVE,), False: ()},
        ),
        WaitUntil("execution-date", execution_date),
        replace(
            EXECUTE,
            again=execute_again,
            on_reason={
                "AM04": TryLater(minutes(10), tries=3, backoff=2),  # InsufficientFunds: later there may be some
                "AC04": StopAndUndo(),  # ClosedAccountNumber
                "TM01": NextWindow(BANKING_HOURS, tries=2),  # InvalidCutOffTime
            },
        ),
        POST,
    ),
)

# A payment keeps the workflow it started with: a changed order of steps is a new version beside the old one.
WORKFLOWS: Final[Mapping[tuple[str, int], Workflow]] = {
    (workflow.name, workflow.version): workflow for workflow in (DEBIT_FIRST, SCREEN_FIRST, GUARDED, REFUND)
}

# Everything that any service may tell a saga.
VOCABULARY: Final[tuple[type[Message], ...]] = tuple(
    dict.fromkeys(message for each in WORKFLOWS.values() for route in each.routes() for message in route.roles)
)

# What starts a saga, and what stops one: events, in either order of steps.
REACTIONS: Final[Reactions] = {
    ANY_ORDER: (
        On(PaymentRequested, StartSaga, lambda event: StartSaga(order=event.order), flows=(ORCHESTRATED,)),
        On(
            CancellationRequested,
            CancelSaga,
            lambda event: CancelSaga(payment_id=event.facts.order.payment_id, reason=event.reason),
            flows=(ORCHESTRATED,),
        ),
    ),
}
