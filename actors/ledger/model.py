"""The rules of the ledger: double entry, and debits that are pending, then posted or voided once. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from actors.vocabulary.money import DECIMALS, LARGEST_AMOUNT_MINOR, Money, decimal_text
from actors.vocabulary.reason import (
    CLOSED_DEBTOR_ACCOUNT,
    INSUFFICIENT_FUNDS,
    INVALID_DEBTOR_ACCOUNT,
    NARRATIVE,
    NOT_ALLOWED_CURRENCY,
    Reason,
)

PENDING: Final = "pending"  # held, neither spent nor given back
POSTED: Final = "posted"  # final: the money has left
VOIDED: Final = "voided"  # final: the money was given back
REFUSED: Final = "refused"  # final: a fact spoke against it, nothing was ever held
NEVER_MADE: Final = "never_made"  # a tombstone: voided before it came, refused when it comes

LARGEST_BALANCE_MINOR: Final = 1_000 * LARGEST_AMOUNT_MINOR  # the sums of a store stay within 64 bits
INTERNAL_PREFIXES: Final = ("clearing:", "funding:", "suspense:")
_ACCOUNT_ID: Final = re.compile(r"[A-Za-z0-9._:/-]{1,34}").fullmatch


class Refusal(Exception):
    """A rule says no, for `reason`. Nothing was changed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class UnknownAccount(Refusal):
    """There is no such account, or it is the ledger's own."""


class AccountIsClosed(Refusal):
    """The account takes nothing any more."""


class CurrencyMismatch(Refusal):
    """The amount is not in the account's currency."""


class InsufficientFunds(Refusal):
    """More than what is available."""


class BadAccount(Refusal):
    """The account can't be opened like this, or is open with other terms."""


class DebitConflict(Refusal):
    """The debit's id holds another amount or account already."""


class DebitRefusedBefore(Refusal):
    """The debit was refused, or voided before it came; it stays so."""


class DebitNotPending(Refusal):
    """The debit was posted, voided or never made, so that what is asked can't be done to it."""


class DepositConflict(Refusal):
    """The deposit's id stands for another deposit."""


class ReturnConflict(Refusal):
    """The return can't be booked: nothing was posted, or it was returned already."""


class PostingIsMissing(Exception):
    """What was executed has not been posted: no refusal, but a failure that passes when that is made good."""


class AccountNotEmpty(Refusal):
    """Money or a pending debit remains."""


# Rows as the store keeps them: tuples, since every payment takes some six of them.
class Account(NamedTuple):
    """An account of one currency; all amounts in whole minor units of it."""

    account_id: str
    currency: str
    posted: int = 0
    pending: int = 0
    overdraft: int = 0
    closed: int = 0

    @property
    def available(self) -> int:
        """What a debit may take."""
        return self.posted - self.pending + self.overdraft


class Terms(NamedTuple):
    """What an account was opened with; amounts in whole minor units."""

    currency: str
    overdraft: int = 0
    owner: str = ""
    email: str | None = None
    deposit: int = 0


class Debit(NamedTuple):
    """One debit: a two-phase transfer from `account_id` to `clearing_id`."""

    debit_id: str
    account_id: str
    clearing_id: str
    amount: int
    currency: str
    state: str
    reason_code: str | None = None
    reason_text: str | None = None
    ending: str | None = None  # what the payment became by the void

    @property
    def reason(self) -> Reason:
        """Why it was refused or voided."""
        return Reason(self.reason_code or NARRATIVE, self.reason_text or "")


class Posting(NamedTuple):
    """One immutable line of an account: `amount` (negative: out), by `kind`, for the transfer `reference`."""

    account_id: str
    kind: str
    reference: str
    amount: int
    currency: str


class Return(NamedTuple):
    """Money that the bank sent back for a posted debit, and the account it was booked to."""

    return_id: str
    debit_id: str
    reason_code: str
    reason_text: str
    account_id: str = ""
    suspended: int = 0

    @property
    def reason(self) -> Reason:
        """Why it came back; why it could not be given to the debtor, where it is suspended."""
        return Reason(self.reason_code, self.reason_text)


def clearing_id(rail: str, currency: str) -> str:
    """The account that holds what is under way at the rail."""
    return f"clearing:{rail}:{currency}"


def funding_id(currency: str) -> str:
    """The account that deposits come from."""
    return f"funding:{currency}"


def suspense_id(currency: str) -> str:
    """The account for money that can't be given to whom it belongs."""
    return f"suspense:{currency}"


def is_internal(account_id: str) -> bool:
    """Whether the account is the ledger's own, which nobody opens, debits or closes.

    >>> is_internal("funding:EUR"), is_internal("ACC-1")
    (True, False)
    """
    return account_id.startswith(INTERNAL_PREFIXES)


def transfer(source: str, destination: str, kind: str, reference: str, amount: Money) -> tuple[Posting, Posting]:
    """Double entry: the two postings that move `amount`; they sum to zero.

    >>> [posting.amount for posting in transfer("A", "B", "deposit", "D-1", Money(5, "EUR"))]
    [-5, 5]
    """
    minor, currency = amount.amount, amount.currency
    return (
        Posting(source, kind, reference, -minor, currency),
        Posting(destination, kind, reference, minor, currency),
    )


def debit(account: Account | None, debit_id: str, account_id: str, amount: Money, clearing: str) -> Debit:
    """Hold `amount` so that no other payment can spend it: the pending debit.

    Only the available balance falls by it; the posted balance moves in `post`. A repeat is judged by
    `repeat_debit`, not here.

    Raises:
        UnknownAccount: AC02.
        AccountIsClosed: AC05.
        CurrencyMismatch: AM03, `amount` is not in the account's currency.
        InsufficientFunds: AM04, `amount` exceeds what is available.

    Source: two-phase transfers, docs/design/0003-ledger.md.

    >>> debit(Account("A", "EUR", posted=500), "D-1", "A", Money(200, "EUR"), "clearing:x:EUR").state
    'pending'
    """
    minor, currency = amount.amount, amount.currency
    if account is None or account_id.startswith(INTERNAL_PREFIXES):
        raise UnknownAccount(Reason(INVALID_DEBTOR_ACCOUNT, f"there is no account {account_id}"))
    _, held_in, posted, pending, overdraft, closed = account
    if closed:
        raise AccountIsClosed(Reason(CLOSED_DEBTOR_ACCOUNT, f"account {account_id} is closed"))
    if held_in != currency:
        raise CurrencyMismatch(
            Reason(NOT_ALLOWED_CURRENCY, f"account {account_id} is in {held_in}, the payment in {currency}")
        )
    if minor <= 0:
        raise InsufficientFunds(Reason(NARRATIVE, "a debit must be of more than zero"))
    if posted - pending + overdraft < minor:
        available = Money(account.available, currency)
        raise InsufficientFunds(
            Reason(
                INSUFFICIENT_FUNDS,
                f"account {account_id} has {available} available, the payment takes {amount}",
            )
        )
    return Debit(debit_id, account_id, clearing, minor, currency, PENDING)


def refused(debit_id: str, account_id: str, amount: Money, clearing: str, reason: Reason) -> Debit:
    """The debit as it is kept when a fact spoke against it: under this attempt it stays refused, whatever changes."""
    minor, currency = amount.amount, amount.currency
    return Debit(debit_id, account_id, clearing, minor, currency, REFUSED, reason.code, reason.text)


def repeat_debit(known: Debit, account_id: str, amount: Money) -> Debit:
    """The debit as it stands, for a command that asks for it again.

    Raises:
        DebitRefusedBefore: it was refused or voided (also before it came): with the reason of that time.
        DebitConflict: the id stands for another account or amount.
    """
    if known.state == NEVER_MADE:
        raise DebitRefusedBefore(known.reason)
    if not repeats(known, account_id, amount):
        raise DebitConflict(
            Reason(
                NARRATIVE,
                f"debit {known.debit_id} stands for {Money(known.amount, known.currency)}"
                f" from {known.account_id}, not for {amount} from {account_id}",
            )
        )
    if known.state in (REFUSED, VOIDED):
        raise DebitRefusedBefore(known.reason)
    return known


def may_be_tried_anew(known: Debit, account_id: str, amount: Money) -> bool:
    """Whether a fact spoke against this very debit, so that a later attempt asks again whether it still does.

    What was voided, before or after it came, stays refused whatever the attempt.
    """
    return known.state == REFUSED and repeats(known, account_id, amount)


def repeats(known: Debit, account_id: str, amount: Money) -> bool:
    """Whether the known debit stands for this account and amount."""
    return (known.account_id, known.amount, known.currency) == (account_id, amount.amount, amount.currency)


def post(known: Debit | None, debit_id: str) -> Debit:
    """Make a pending debit final. A debit that is posted already comes back as it is.

    Raises:
        DebitNotPending: it was voided, refused or never made: a person must look, nothing is posted.
    """
    if known is None:
        raise DebitNotPending(Reason(NARRATIVE, f"debit {debit_id} can't be posted: it was never made"))
    _, account_id, clearing, amount, currency, state, *_ = known
    if state == PENDING:
        return Debit(debit_id, account_id, clearing, amount, currency, POSTED)
    if state == POSTED:
        return known
    why = f"it was {state.replace('_', ' ')} ({known.reason_code} {known.reason_text})"
    raise DebitNotPending(Reason(NARRATIVE, f"debit {debit_id} can't be posted: {why}"))


def postings_of(posted: Debit) -> tuple[Posting, Posting]:
    """The two lines of a posted debit: out of the debtor's account, into the clearing account."""
    debit_id, account_id, clearing, amount, currency, *_ = posted
    return (
        Posting(account_id, "payment", debit_id, -amount, currency),
        Posting(clearing, "payment", debit_id, amount, currency),
    )


def void(known: Debit | None, debit_id: str, reason: Reason, ending: str) -> Debit:
    """Give a pending debit's money back, for `reason`; the first void's reason and ending stay.

    A debit never made becomes a tombstone. One that was refused holds nothing and comes back as it is.

    Raises:
        DebitNotPending: it is posted already: the money has left.
    """
    if known is None:
        return Debit(debit_id, "", "", 0, "", NEVER_MADE, reason.code, reason.text, ending)
    if known.state == POSTED:
        raise DebitNotPending(Reason(NARRATIVE, f"debit {debit_id} can't be voided: it is posted, the money has left"))
    if known.state == PENDING:
        return known._replace(state=VOIDED, reason_code=reason.code, reason_text=reason.text, ending=ending)
    return known


def book_return(
    asked: Return, known: Debit | None, earlier: Return | None, account: Account | None, credited: int = 0
) -> Return:
    """Where money that the bank sent back goes: to the debtor, or into suspense if that account is closed.

    `earlier` is what was booked under the return's id, or for its debit; `account` is the debtor's; `credited` are
    the minor units that refunds have of the debit, set aside or given back. A repeat comes back as it is.

    Raises:
        ReturnConflict: nothing was posted that could come back, or it came back under another id, or by refunds.
    """
    return_id, debit_id = asked.return_id, asked.debit_id
    if earlier is not None:
        if earlier.return_id == return_id and earlier.debit_id == debit_id:
            return earlier
        raise ReturnConflict(
            Reason(
                NARRATIVE,
                f"return {return_id} of debit {debit_id} is not booked: debit {earlier.debit_id} was returned"
                f" under {earlier.return_id} already",
            )
        )
    if known is None or known.state != POSTED:
        state = "never made" if known is None else known.state.replace("_", " ")
        raise ReturnConflict(
            Reason(NARRATIVE, f"return {return_id} is not booked: debit {debit_id} is {state}, not posted")
        )
    if credited:
        # The bank sends back all of the payment, though part of it is on its way back, or was sent back, already.
        given = Money(credited, known.currency)
        text = f"return {return_id} is not booked: {given} of debit {debit_id} is given back by refunds already"
        raise ReturnConflict(Reason(NARRATIVE, text))
    if account is None or account.closed:
        text = f"account {known.account_id} is closed; the money returned for {asked.reason_code} is in suspense"
        suspense = suspense_id(known.currency)
        return Return(return_id, debit_id, CLOSED_DEBTOR_ACCOUNT, text, suspense, suspended=1)
    return asked._replace(account_id=known.account_id)


def must_not_overtake(known: Debit | None, return_id: str) -> None:
    """See that the return of a payment that the bank has executed meets a debit that was posted or never will be.

    Raises:
        PostingIsMissing: the debit is pending. The posting is a dead letter or has not been delivered: the return is
            to be tried again after it.
    """
    if known is not None and known.state == PENDING:
        raise PostingIsMissing(f"return {return_id} came before debit {known.debit_id} was posted: post that first")


def return_postings(known: Debit, booked: Return) -> tuple[Posting, Posting]:
    """New postings from clearing to where the money goes; the payment's own postings stay."""
    amount = Money(known.amount, known.currency)
    return transfer(known.clearing_id, booked.account_id, "return", booked.return_id, amount)


def open_account(known: tuple[Account, Terms] | None, account_id: str, terms: Terms) -> Account:
    """The account as it is opened, still empty; one that is open with the same terms comes back as it is.

    Raises:
        BadAccount: an id, currency or amount that can't be; or the id is taken with other terms.
    """
    if known is None:
        _check_new(account_id, terms)
        return Account(account_id, terms.currency, overdraft=terms.overdraft)
    account, have = known
    if account.closed:
        raise BadAccount(
            Reason(NARRATIVE, f"account {account_id} is closed and can't be opened again; take another id")
        )
    for what, old, new in zip(Terms._fields, _shown(have), _shown(terms), strict=True):
        if old != new:
            raise BadAccount(Reason(NARRATIVE, f"account {account_id} is open already, with {what} {old}, not {new}"))
    return account


def _shown(terms: Terms) -> tuple[str, ...]:
    currency, overdraft, owner, email, deposit = terms
    if currency not in DECIMALS:
        return (repr(currency[:12]), str(overdraft), repr(owner), repr(email or ""), str(deposit))
    amounts = decimal_text(overdraft, currency), decimal_text(deposit, currency)
    return (currency, amounts[0], repr(owner), repr(email or ""), amounts[1])


def _check_new(name: str, terms: Terms) -> None:
    error = ""
    if is_internal(name):
        error = "this name belongs to the ledger itself; take another"
    elif not _ACCOUNT_ID(name):
        raise BadAccount(
            Reason(
                NARRATIVE,
                f"account {name[:40]!r}: an id has 1 to 34 letters, digits and . _ : / - characters",
            )
        )
    elif terms.currency not in DECIMALS:
        error = f"{terms.currency[:12]!r} is not an active ISO 4217 currency such as EUR"
    elif not (0 <= terms.overdraft <= LARGEST_AMOUNT_MINOR and 0 <= terms.deposit <= LARGEST_AMOUNT_MINOR):
        limit = Money(LARGEST_AMOUNT_MINOR, terms.currency)
        error = f"overdraft and deposit must be between zero and {limit}"
    if error:
        raise BadAccount(Reason(NARRATIVE, f"account {name}: {error}"))


def deposit(account: Account | None, deposit_id: str, account_id: str, amount: Money) -> tuple[Posting, Posting]:
    """Money from outside, by way of the funding account.

    Raises:
        UnknownAccount, AccountIsClosed, CurrencyMismatch: as for a debit.
        BadAccount: nothing, less than nothing, or more than an account may hold.
    """
    if account is None or is_internal(account_id):
        raise UnknownAccount(Reason(INVALID_DEBTOR_ACCOUNT, f"there is no account {account_id}; open it first"))
    if account.closed:
        raise AccountIsClosed(Reason(CLOSED_DEBTOR_ACCOUNT, f"account {account_id} is closed"))
    if account.currency != amount.currency:
        raise CurrencyMismatch(
            Reason(
                NOT_ALLOWED_CURRENCY,
                f"account {account_id} is in {account.currency}, the deposit in {amount.currency}",
            )
        )
    if amount.amount <= 0:
        raise BadAccount(Reason(NARRATIVE, "a deposit must be of more than zero"))
    if amount.amount > LARGEST_AMOUNT_MINOR or account.posted + amount.amount > LARGEST_BALANCE_MINOR:
        raise BadAccount(Reason(NARRATIVE, f"account {account_id} can't hold so much"))
    return transfer(funding_id(amount.currency), account_id, "deposit", deposit_id, amount)


def repeat_deposit(known: Posting, account_id: str, amount: Money) -> None:
    """Check that a known deposit is the one asked for again.

    Raises:
        DepositConflict: its id stands for another account or amount.
    """
    if (known.account_id, known.amount, known.currency) != (account_id, amount.amount, amount.currency):
        raise DepositConflict(
            Reason(
                NARRATIVE,
                f"deposit {known.reference} stands for {Money(known.amount, known.currency)}"
                f" to {known.account_id}; take another id",
            )
        )


def close(account: Account | None, account_id: str) -> Account:
    """The account, closed; a closed one comes back as it is.

    Raises:
        UnknownAccount: there is none.
        AccountNotEmpty: money or a pending debit remains; the sentence says how much.
    """
    if account is None or is_internal(account_id):
        raise UnknownAccount(Reason(INVALID_DEBTOR_ACCOUNT, f"there is no account {account_id}"))
    if account.pending:
        held = Money(account.pending, account.currency)
        raise AccountNotEmpty(
            Reason(NARRATIVE, f"account {account_id} can't be closed: {held} is held for pending payments")
        )
    if account.posted:
        money = Money(abs(account.posted), account.currency)
        what = "is still on it" if account.posted > 0 else "is still owed by it"
        raise AccountNotEmpty(Reason(NARRATIVE, f"account {account_id} can't be closed: {money} {what}"))
    return account._replace(closed=1)
