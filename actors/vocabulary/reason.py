"""Why a payment ended: ISO 20022 external reason codes, each with words. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reason:
    """An ISO 20022 external status reason code, and the reason in words for a person."""

    code: str
    text: str


# Codes from the ISO 20022 external code sets (ExternalStatusReason1Code and ExternalReturnReason1Code).
INVALID_DEBTOR_ACCOUNT: Final = "AC02"
CLOSED_DEBTOR_ACCOUNT: Final = "AC05"
CLOSED_CREDITOR_ACCOUNT: Final = "AC04"
NOT_ALLOWED_CURRENCY: Final = "AM03"
INSUFFICIENT_FUNDS: Final = "AM04"
REGULATORY_REASON: Final = "RR04"
TIMEOUT_AT_CREDITOR_AGENT: Final = "AB05"
TIMEOUT_AT_INSTRUCTED_AGENT: Final = "AB06"
REQUESTED_BY_CUSTOMER: Final = "CUST"
NARRATIVE: Final = "NARR"
