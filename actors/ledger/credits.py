"""The rules of credits: money of a posted debit that goes back to its debtor, reserved first, then posted or voided.

A reserved credit moves nothing: it is the right to so much of what the debit took, so that all credits and returns
of a debit together never exceed it. Pure.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from actors.ledger.model import (
    NEVER_MADE,
    PENDING,
    POSTED,
    REFUSED,
    VOIDED,
    Account,
    Debit,
    Posting,
    Refusal,
    suspense_id,
    transfer,
)
from actors.vocabulary.money import Money
from actors.vocabulary.reason import CLOSED_DEBTOR_ACCOUNT, NARRATIVE, WRONG_AMOUNT, Reason


class CreditTooLate(Refusal):
    """It was asked for after the last moment at which it might be."""


class NothingToCredit(Refusal):
    """The debit was not posted: no money has left that could come back."""


class TooMuchToCredit(Refusal):
    """More than what is left of the debit after its returns and other credits."""


class CreditAccountClosed(Refusal):
    """The debtor's account takes nothing any more."""


class CreditConflict(Refusal):
    """The credit's id stands for another debit or amount."""


class CreditRefusedBefore(Refusal):
    """The credit was refused, or voided before it came; it stays so."""


class CreditNotPending(Refusal):
    """The credit was posted, voided or never made, so that what is asked can't be done to it."""


class Credit(NamedTuple):
    """One credit: a two-phase transfer from `clearing_id` to `account_id`, of money that debit `debit_id` took.

    `given_to` is the account that has the money once it is posted: the debtor's, or suspense.
    """

    credit_id: str
    debit_id: str
    account_id: str
    clearing_id: str
    amount: int
    currency: str
    state: str
    reason_code: str | None = None
    reason_text: str | None = None
    ending: str | None = None
    given_to: str | None = None

    @property
    def reason(self) -> Reason:
        """Why it was refused or voided; why it is in suspense."""
        return Reason(self.reason_code or NARRATIVE, self.reason_text or "")

    @property
    def suspended(self) -> bool:
        """Whether the money waits on the suspense account."""
        return self.given_to is not None and self.given_to != self.account_id


def reserve(
    credit_id: str,
    amount: Money,
    debit: Debit | None,
    account: Account | None,
    taken: int,
    asked_at: datetime | None = None,
    until: datetime | None = None,
) -> Credit:
    """The right to give `amount` of a posted debit back to its debtor: the pending credit.

    `taken` are the minor units that returns and other credits, pending or posted, have of the debit already; `until`
    is the last moment at which a credit may be asked for. A repeat is judged by `repeat`, not here.

    Raises:
        CreditTooLate: NARR.
        NothingToCredit: NARR, the debit is not posted.
        CreditAccountClosed: AC05.
        TooMuchToCredit: AM09, more than what is left, or in another currency.

    >>> paid = Debit("P-1", "A", "clearing:x:EUR", 500, "EUR", POSTED)
    >>> reserve("R-1", Money(200, "EUR"), paid, Account("A", "EUR"), taken=300).state
    'pending'
    """
    if asked_at is not None and until is not None and asked_at > until:
        text = f"it was asked for on {asked_at:%Y-%m-%d}, which was possible until {until:%Y-%m-%d}"
        raise CreditTooLate(Reason(NARRATIVE, text))
    if debit is None or debit.state != POSTED:
        state = "never made" if debit is None else debit.state.replace("_", " ")
        raise NothingToCredit(Reason(NARRATIVE, f"nothing can be given back: the payment's debit is {state}"))
    if account is None or account.closed:
        raise CreditAccountClosed(Reason(CLOSED_DEBTOR_ACCOUNT, f"account {debit.account_id} is closed"))
    left = Money(debit.amount - taken, debit.currency)
    if amount.currency != debit.currency or amount.amount > left.amount or amount.amount <= 0:
        of = Money(debit.amount, debit.currency)
        text = f"{amount} can't be given back: of the {of} paid, {left} is left to give back"
        raise TooMuchToCredit(Reason(WRONG_AMOUNT, text))
    return Credit(
        credit_id, debit.debit_id, debit.account_id, debit.clearing_id, amount.amount, amount.currency, PENDING
    )


def refused(credit_id: str, debit_id: str, amount: Money, reason: Reason) -> Credit:
    """The credit as it is kept when a fact spoke against it: it stays refused, whatever changes later."""
    return Credit(credit_id, debit_id, "", "", amount.amount, amount.currency, REFUSED, reason.code, reason.text)


def repeat(known: Credit, debit_id: str, amount: Money) -> Credit:
    """The credit as it stands, for a command that asks for it again.

    Raises:
        CreditRefusedBefore: it was refused or voided (also before it came): with the reason of that time.
        CreditConflict: the id stands for another debit or amount.
    """
    if known.state == NEVER_MADE:
        raise CreditRefusedBefore(known.reason)
    if (known.debit_id, known.amount, known.currency) != (debit_id, amount.amount, amount.currency):
        text = f"credit {known.credit_id} stands for {Money(known.amount, known.currency)} of debit {known.debit_id}"
        raise CreditConflict(Reason(NARRATIVE, f"{text}, not for {amount} of {debit_id}"))
    if known.state in (REFUSED, VOIDED):
        raise CreditRefusedBefore(known.reason)
    return known


def post(known: Credit | None, credit_id: str, account: Account | None) -> Credit:
    """The money has come: give it to the debtor, or to suspense if that account is closed. A repeat changes nothing.

    Raises:
        CreditNotPending: it was voided, refused or never made: a person must look, nothing is posted.
    """
    if known is None:
        raise CreditNotPending(Reason(NARRATIVE, f"credit {credit_id} can't be posted: it was never made"))
    if known.state == POSTED:
        return known
    if known.state != PENDING:
        why = f"it was {known.state.replace('_', ' ')} ({known.reason_code} {known.reason_text})"
        raise CreditNotPending(Reason(NARRATIVE, f"credit {credit_id} can't be posted: {why}"))
    if account is None or account.closed:
        text = f"account {known.account_id} is closed; the money that was to go back to it is in suspense"
        return known._replace(
            state=POSTED,
            reason_code=CLOSED_DEBTOR_ACCOUNT,
            reason_text=text,
            given_to=suspense_id(known.currency),
        )
    return known._replace(state=POSTED, given_to=known.account_id)


def postings_of(posted: Credit) -> tuple[Posting, Posting]:
    """The two lines of a posted credit: out of the clearing account, to whom it was given; new ones, as always."""
    amount = Money(posted.amount, posted.currency)
    return transfer(posted.clearing_id, posted.given_to or "", "refund", posted.credit_id, amount)


def void(known: Credit | None, credit_id: str, reason: Reason, ending: str) -> Credit:
    """Give the right up, for `reason`; the first void's reason and ending stay.

    A credit never made becomes a tombstone. One that was refused comes back as it is.

    Raises:
        CreditNotPending: it is posted already.
    """
    if known is None:
        return Credit(credit_id, "", "", "", 0, "", NEVER_MADE, reason.code, reason.text, ending)
    if known.state == POSTED:
        raise CreditNotPending(Reason(NARRATIVE, f"credit {credit_id} can't be voided: it is posted"))
    if known.state == PENDING:
        return known._replace(state=VOIDED, reason_code=reason.code, reason_text=reason.text, ending=ending)
    return known
