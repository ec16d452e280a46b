"""The refund as data: the money of a completed payment goes back, in the order in which it moves.

The services are those of the payment, and know nothing of it. What is screened is the party the money comes from:
the payment's creditor, against today's lists.
"""

from __future__ import annotations

from typing import Final

from actors.approval.messages import RequestApproval
from actors.execution.messages import ExecutePayment, ExecutionContradicted, ReturnReceived
from actors.ledger.messages import (
    CreditPosted,
    CreditRefused,
    CreditReserved,
    CreditVoided,
    CreditVoidRefused,
    CreditWithheld,
    PostCredit,
    ReserveCredit,
    VoidCredit,
)
from actors.payment.definition import Choice, Step, Workflow
from actors.payment.facts import amount_over
from actors.payment.stanzas import ENDINGS, SCREEN, STOP, approve, ask_people, execute, instruct_bank, seconds
from actors.vocabulary.order import PaymentOrder, RefundOf, turned_round
from actors.vocabulary.reason import Reason
from actors.vocabulary.refunds import APPROVAL_OVER


class NoRefund(ValueError):
    """An order that gives nothing back: a defect of whoever started it with this workflow."""


def reserve_credit(order: PaymentOrder) -> ReserveCredit:
    """Set aside what is to be given back, if it was paid, is asked for in time, and so much of it is left."""
    refund = _refund_of(order)
    return ReserveCredit(
        credit_id=order.payment_id,
        debit_id=refund.payment_id,
        amount=order.amount,
        asked_at=order.created_at,
        until=refund.until,
    )


def void_credit(order: PaymentOrder, reason: Reason, ending: str) -> VoidCredit:
    """Give up what was set aside, or see to it that it never is."""
    return VoidCredit(credit_id=order.payment_id, reason=reason, ending=ending)


def request_approval(order: PaymentOrder) -> RequestApproval:
    """May so much be given back?"""
    return ask_people(order, f"{order.remittance} over the limit")


def execute_refund(order: PaymentOrder) -> ExecutePayment:
    """The creditor's account pays the debtor's."""
    return instruct_bank(order, *turned_round(order))


def post_credit(order: PaymentOrder) -> PostCredit:
    """The money has come: the debtor gets it."""
    return PostCredit(credit_id=order.payment_id)


def _refund_of(order: PaymentOrder) -> RefundOf:
    if order.refund is None:
        raise NoRefund(f"order {order.payment_id} runs the refund workflow and gives nothing back")
    return order.refund


RESERVE: Final = Step(
    "reserve-credit",
    to="ledger",
    command=reserve_credit,
    done=CreditReserved,
    refused=CreditRefused,
    timeout=seconds(5),
    retries=2,
    compensation=void_credit,
    undone=CreditVoided,
    undo_refused=CreditVoidRefused,
)
APPROVE: Final = approve("approve-refund", request_approval)
EXECUTE: Final = execute("execute-refund", execute_refund, needs=("reserve-credit", "screen-beneficiary"))
POST: Final = Step(
    "post-credit",
    to="ledger",
    command=post_credit,
    done=CreditPosted,
    refused=CreditWithheld,
    timeout=seconds(5),
    needs=("execute-refund",),
)

REFUND: Final = Workflow(
    "refund",
    version=1,
    steps=(
        RESERVE,
        Choice(
            "large-refund",
            on=amount_over(others=True, **APPROVAL_OVER),
            cases={True: (APPROVE,), False: ()},
        ),
        SCREEN,
        EXECUTE,
        POST,
    ),
    gate=STOP,
    returns=ReturnReceived,
    alarm=ExecutionContradicted,
    endings=ENDINGS,
)
