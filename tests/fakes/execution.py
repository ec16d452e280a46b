"""One payment on its way through Execution: the commands and facts that its tests share."""

from __future__ import annotations

from datetime import UTC, datetime

from actors.execution.messages import ExecutePayment, StopExecution
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentFacts, PaymentOrder
from actors.vocabulary.reason import Reason

PAYMENT = "P1-00"
CLOSED = Reason("AC04", "the creditor's account is closed")
ORDER = PaymentOrder(
    payment_id=PAYMENT,
    idempotency_key="key-1",
    debtor_account="ACC-1",
    creditor=Creditor(name="Ada", account="DE75"),
    amount=Money(1250, "EUR"),
    end_to_end_id="E2E-1",
    uetr="00000000-0000-4000-8000-000000000001",
    remittance="invoice 7",
    flow="choreographed",
    workflow="debit-first",
    workflow_version=1,
    batch_id=None,
    created_at=datetime(2030, 1, 1, tzinfo=UTC),
)
FACTS = PaymentFacts(order=ORDER, debit_id=PAYMENT, screening_id=PAYMENT)
PAY = ExecutePayment(
    instruction_id=PAYMENT,
    debit_id=PAYMENT,
    screening_id=PAYMENT,
    debtor_account=ORDER.debtor_account,
    creditor=ORDER.creditor,
    amount=ORDER.amount,
    end_to_end_id=ORDER.end_to_end_id,
    uetr=ORDER.uetr,
    remittance=ORDER.remittance,
)
CANCEL = StopExecution(instruction_id=PAYMENT, reason=Reason("CUST", "changed my mind"), ending="cancelled")
EXPIRE = StopExecution(instruction_id=PAYMENT, reason=Reason("AB06", "too late"), ending="rejected")
