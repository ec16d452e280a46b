"""The payment process as data: two orders of the same steps. With `stanzas` and `refund` all that knows other services.

To change the order, move a line; to change a step, change its stanza. The engine knows nothing of either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.disbursement.messages import (
    CancellationRequested,
    PaymentRequested,
)
from actors.execution.messages import (
    ExecutePayment,
    ExecutionContradicted,
    ExecutionInDoubt,
    ExecutionRejected,
    PaymentExecuted,
    PaymentSubmitted,
    ReturnReceived,
)
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
from actors.messaging.envelope import ORCHESTRATED
from actors.messaging.message import Message
from actors.payment.definition import Part, Return, Step, Workflow
from actors.payment.messages import CancelSaga, StartSaga
from actors.payment.refund import REFUND
from actors.payment.stanzas import ENDINGS, SCREEN, STOP, ask_rail, minutes, seconds
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason

# -- what is sent: one function a command; a payment's own id names its debit, its screening, its instruction


def debit_account(order: PaymentOrder) -> DebitAccount:
    """Hold the money."""
    return DebitAccount(debit_id=order.payment_id, account_id=order.debtor_account, amount=order.amount)


def void_debit(order: PaymentOrder, reason: Reason, ending: str) -> VoidDebit:
    """Give the held money back, or see to it that it is never held."""
    return VoidDebit(debit_id=order.payment_id, reason=reason, ending=ending)


def execute_payment(order: PaymentOrder) -> ExecutePayment:
    """Pay, on the evidence of the debit and the clearance that went before."""
    payment_id = order.payment_id
    return ExecutePayment(
        instruction_id=payment_id,
        debit_id=payment_id,
        screening_id=payment_id,
        debtor_account=order.debtor_account,
        creditor=order.creditor,
        amount=order.amount,
        end_to_end_id=order.end_to_end_id,
        uetr=order.uetr,
        remittance=order.remittance,
    )


def post_debit(order: PaymentOrder) -> PostDebit:
    """The held money has left."""
    return PostDebit(debit_id=order.payment_id)


def book_return(order: PaymentOrder, return_id: str, reason: Reason) -> BookReturn:
    """The money that left has come back."""
    return BookReturn(return_id=return_id, debit_id=order.payment_id, reason=reason)


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
EXECUTE: Final = Step(
    "execute-payment",
    to="execution",
    command=execute_payment,
    done=PaymentExecuted,
    refused=ExecutionRejected,
    under_way=PaymentSubmitted,
    in_doubt=ExecutionInDoubt,
    timeout=minutes(2),
    retries=2,
    pivot=True,
    needs=("debit-account", "screen-beneficiary"),
    ask=ask_rail,
)
POST: Final = Step(
    "post-debit",
    to="ledger",
    command=post_debit,
    done=DebitPosted,
    refused=PostingRefused,
    timeout=seconds(5),
    needs=("execute-payment",),
)

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

# A payment keeps the workflow it started with: a changed order of steps is a new version beside the old one.
WORKFLOWS: Final[Mapping[tuple[str, int], Workflow]] = {
    (workflow.name, workflow.version): workflow for workflow in (DEBIT_FIRST, SCREEN_FIRST, REFUND)
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
