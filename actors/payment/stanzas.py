"""What every process here has in common, as data: screening, approval, the bank, stopping, how it ends.

See `workflow` and `refund`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from actors.aml.messages import (
    BeneficiaryBlocked,
    BeneficiaryCleared,
    BeneficiaryHeld,
    CloseReview,
    ReviewClosed,
    ReviewOverdue,
    ScreenBeneficiary,
)
from actors.approval.messages import (
    ApprovalDenied,
    ApprovalGranted,
    ApprovalOverdue,
    ApprovalRequested,
    ApprovalWithdrawn,
    RequestApproval,
    WithdrawApproval,
)
from actors.disbursement.messages import (
    CancellationRefused,
    PaymentCancelled,
    PaymentCompleted,
    PaymentNeedsAttention,
    PaymentRejected,
    PaymentReturned,
)
from actors.execution.messages import (
    AskRail,
    ExecutePayment,
    ExecutionInDoubt,
    ExecutionRejected,
    ExecutionStopped,
    PaymentExecuted,
    PaymentSubmitted,
    StopExecution,
    StopRefused,
)
from actors.ledger.messages import DebitExpiryReached
from actors.payment.definition import Endings, Gate, Step
from actors.vocabulary.order import Creditor, PaymentOrder
from actors.vocabulary.reason import Reason


def seconds(number: float) -> timedelta:
    """`number` seconds."""
    return timedelta(seconds=number)


def minutes(number: float) -> timedelta:
    """`number` minutes."""
    return timedelta(minutes=number)


def screen_beneficiary(order: PaymentOrder) -> ScreenBeneficiary:
    """May this creditor be paid?"""
    creditor = order.creditor
    return ScreenBeneficiary(
        screening_id=order.payment_id,
        name=creditor.name,
        country=creditor.country,
        date_of_birth=creditor.date_of_birth,
    )


def close_review(order: PaymentOrder, reason: Reason, ending: str) -> CloseReview:
    """Nobody needs to decide about this creditor any more."""
    return CloseReview(screening_id=order.payment_id, reason=reason.text)


def ask_people(order: PaymentOrder, why: str) -> RequestApproval:
    """May so much be paid? `why` tells them why they are asked."""
    return RequestApproval(
        approval_id=order.payment_id,
        amount=order.amount,
        debtor_account=order.debtor_account,
        creditor_name=order.creditor.name,
        why=why,
    )


def withdraw_approval(order: PaymentOrder, reason: Reason, ending: str) -> WithdrawApproval:
    """Nobody needs to decide about this payment any more."""
    return WithdrawApproval(approval_id=order.payment_id, reason=reason.text)


def instruct_bank(order: PaymentOrder, debtor_account: str, creditor: Creditor) -> ExecutePayment:
    """Have `debtor_account` pay `creditor`, on the evidence of what was held for it and of the clearance."""
    order_id = order.payment_id
    return ExecutePayment(
        instruction_id=order_id,
        debit_id=order_id,
        screening_id=order_id,
        debtor_account=debtor_account,
        creditor=creditor,
        amount=order.amount,
        end_to_end_id=order.end_to_end_id,
        uetr=order.uetr,
        remittance=order.remittance,
    )


def stop_execution(order: PaymentOrder, reason: Reason, ending: str) -> StopExecution:
    """Let no instruction be recorded from now on."""
    return StopExecution(instruction_id=order.payment_id, reason=reason, ending=ending)


def ask_rail(order: PaymentOrder) -> AskRail:
    """What the bank knows of it."""
    return AskRail(payment_id=order.payment_id)


SCREEN: Final = Step(
    "screen-beneficiary",
    to="aml",
    command=screen_beneficiary,
    done=BeneficiaryCleared,
    refused=BeneficiaryBlocked,
    waits_for_person=BeneficiaryHeld,
    overdue=ReviewOverdue,
    timeout=seconds(30),
    retries=2,
    compensation=close_review,
    undone=ReviewClosed,
    undo_when_done=False,  # a clearance stands; only a case that is still open is closed
)


def approve(name: str, request: Callable[[PaymentOrder], RequestApproval]) -> Step:
    """The step in which people agree to a payment, for what `request` tells them."""
    return Step(
        name,
        to="approval",
        command=request,
        done=ApprovalGranted,
        refused=ApprovalDenied,
        waits_for_person=ApprovalRequested,
        overdue=ApprovalOverdue,
        timeout=seconds(30),
        retries=2,
        compensation=withdraw_approval,
        undone=ApprovalWithdrawn,
        undo_when_done=False,  # what people have agreed to stays agreed; only an open question is withdrawn
    )


def execute(name: str, command: Callable[[PaymentOrder], ExecutePayment], *, needs: tuple[str, ...]) -> Step:
    """The step after which there is no undoing: the bank is told to pay, on the evidence of the steps in `needs`."""
    return Step(
        name,
        to="execution",
        command=command,
        ask=ask_rail,
        done=PaymentExecuted,
        refused=ExecutionRejected,
        under_way=PaymentSubmitted,
        in_doubt=ExecutionInDoubt,
        timeout=minutes(2),
        retries=2,
        pivot=True,
        needs=needs,
    )


STOP: Final = Gate(
    "stop-execution",
    to="execution",
    command=stop_execution,
    closed=ExecutionStopped,
    refused=StopRefused,
    timeout=seconds(10),
    expiry=DebitExpiryReached,
)
ENDINGS: Final = Endings(
    completed=PaymentCompleted,
    rejected=PaymentRejected,
    cancelled=PaymentCancelled,
    returned=PaymentReturned,
    needs_attention=PaymentNeedsAttention,
    cancellation_refused=CancellationRefused,
)
