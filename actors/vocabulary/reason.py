"""Why a payment ended: ISO 20022 external reason codes, each with words. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reason:
    """An ISO 20022 external status reason code, and the reason in words for a person."""

    code: str
    text: str


# Codes of the ISO 20022 external code sets (ExternalStatusReason1Code, ExternalReturnReason1Code), with ISO's names.
INVALID_DEBTOR_ACCOUNT: Final = "AC02"  # InvalidDebtorAccountNumber
CLOSED_CREDITOR_ACCOUNT: Final = "AC04"  # ClosedAccountNumber
CLOSED_DEBTOR_ACCOUNT: Final = "AC05"  # ClosedDebtorAccountNumber
NOT_ALLOWED_AMOUNT: Final = "AM02"  # NotAllowedAmount: greater than the allowed maximum
NOT_ALLOWED_CURRENCY: Final = "AM03"  # NotAllowedCurrency
INSUFFICIENT_FUNDS: Final = "AM04"  # InsufficientFunds
WRONG_AMOUNT: Final = "AM09"  # WrongAmount
AMOUNT_EXCEEDS_AGREED_LIMIT: Final = "AM14"  # AmountExceedsAgreedLimit
ORDER_CANCELLED: Final = "DS02"  # OrderCancelled: by an authorised person
WAITING_TIME_EXPIRED: Final = "DS24"  # WaitingTimeExpired: the order was not complete in time
REGULATORY_REASON: Final = "RR04"  # RegulatoryReason
TIMEOUT_AT_CREDITOR_AGENT: Final = "AB05"  # TimeoutCreditorAgent
TIMEOUT_AT_INSTRUCTED_AGENT: Final = "AB06"  # TimeoutInstructedAgent
REQUESTED_BY_CUSTOMER: Final = "CUST"  # RequestedByCustomer
NARRATIVE: Final = "NARR"  # Narrative: no code of the sets fits, the text says it
