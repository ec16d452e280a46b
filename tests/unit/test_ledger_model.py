"""The ledger's rules, as plain values: no actor, no store, no clock."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.ledger import model
from actors.ledger.model import Account, Debit, Return, Terms
from actors.vocabulary.money import LARGEST_AMOUNT_MINOR, Money
from actors.vocabulary.reason import Reason

EUR_5 = Money(500, "EUR")
CLEARING = "clearing:simulated:EUR"
SANCTIONED = Reason("RR04", "on a watchlist")
PENDING = Debit("P-1", "ACC-1", CLEARING, 500, "EUR", "pending")
POSTED = PENDING._replace(state="posted")


def debit(account: Account | None, amount: Money = EUR_5, account_id: str = "ACC-1") -> Debit:
    """One debit of 5.00 EUR."""
    return model.debit(account, "P-1", account_id, amount, CLEARING)


def test_the_examples_in_the_docstrings_hold() -> None:
    """What the model's pages show is what it does."""
    assert doctest.testmod(model).failed == 0


def test_a_debit_holds_what_is_available_to_the_last_cent() -> None:
    """Available is posted less pending plus overdraft, and all of it may be spent."""
    assert debit(Account("ACC-1", "EUR", posted=700, pending=300, overdraft=100)) == PENDING


def test_a_debit_of_one_cent_too_much_is_refused_with_am04_and_both_amounts() -> None:
    """The person who reads the refusal learns what is missing."""
    with pytest.raises(model.InsufficientFunds) as refusal:
        debit(Account("ACC-1", "EUR", posted=700, pending=301, overdraft=100))
    assert refusal.value.reason == Reason("AM04", "account ACC-1 has 4.99 EUR available, the payment takes 5.00 EUR")


@pytest.mark.parametrize(
    ("account", "amount", "code", "words"),
    [
        (None, EUR_5, "AC02", "there is no account ACC-1"),
        (Account("ACC-1", "EUR", posted=900, closed=1), EUR_5, "AC05", "account ACC-1 is closed"),
        (
            Account("ACC-1", "USD", posted=900),
            EUR_5,
            "AM03",
            "account ACC-1 is in USD, the payment in EUR",
        ),
    ],
)
def test_facts_against_a_debit_carry_their_iso_code_and_words(
    account: Account | None, amount: Money, code: str, words: str
) -> None:
    """A code for machines, a sentence for people."""
    with pytest.raises(model.Refusal) as refusal:
        debit(account, amount)
    assert refusal.value.reason == Reason(code, words)


@pytest.mark.parametrize("amount", [0, -5])
def test_a_debit_of_nothing_or_less_is_refused(amount: int) -> None:
    """A negative debit would be a deposit that nobody made."""
    with pytest.raises(model.InsufficientFunds):
        debit(Account("ACC-1", "EUR", posted=700), Money(amount, "EUR"))


@pytest.mark.parametrize("name", ["clearing:simulated:EUR", "funding:EUR", "suspense:EUR"])
def test_the_ledgers_own_accounts_cant_be_debited(name: str) -> None:
    """Money under way, or not yet anybody's, is no debtor's."""
    with pytest.raises(model.UnknownAccount):
        debit(Account(name, "EUR", posted=900), account_id=name)


def test_a_repeated_debit_is_the_same_debit() -> None:
    """A command that arrives twice holds once."""
    assert model.repeat_debit(PENDING, "ACC-1", EUR_5) is PENDING
    assert model.repeat_debit(POSTED, "ACC-1", EUR_5) is POSTED


@pytest.mark.parametrize(
    ("account_id", "amount"),
    [("ACC-2", EUR_5), ("ACC-1", Money(501, "EUR")), ("ACC-1", Money(500, "USD"))],
)
def test_one_debit_id_cant_stand_for_two_contents(account_id: str, amount: Money) -> None:
    """The id is the idempotency key: other content is a conflict, never a second debit."""
    with pytest.raises(model.DebitConflict):
        model.repeat_debit(PENDING, account_id, amount)


def test_a_refused_debit_stays_refused_with_its_first_reason() -> None:
    """A repeat gets the first answer, though money may have come since."""
    refused = model.refused("P-1", "ACC-1", EUR_5, CLEARING, Reason("AM04", "too little"))
    with pytest.raises(model.DebitRefusedBefore) as refusal:
        model.repeat_debit(refused, "ACC-1", EUR_5)
    assert refusal.value.reason == Reason("AM04", "too little")


def test_a_voided_debit_is_no_evidence_any_more() -> None:
    """The late repeat of a debit that was given back must not look like money held."""
    voided = model.void(PENDING, "P-1", SANCTIONED, "rejected")
    with pytest.raises(model.DebitRefusedBefore) as refusal:
        model.repeat_debit(voided, "ACC-1", EUR_5)
    assert refusal.value.reason == SANCTIONED


def test_a_tombstone_refuses_the_late_debit_with_the_voids_reason() -> None:
    """A step that timed out is undone as if it had been done; done late, it must not count."""
    tombstone = model.void(None, "P-1", SANCTIONED, "cancelled")
    assert tombstone.state == "never_made"
    with pytest.raises(model.DebitRefusedBefore) as refusal:
        model.repeat_debit(tombstone, "ACC-1", EUR_5)
    assert refusal.value.reason == SANCTIONED


def test_posting_moves_the_amount_from_the_debtor_to_clearing() -> None:
    """Double entry: what one account loses another gets."""
    posted = model.post(PENDING, "P-1")
    assert [(p.account_id, p.amount) for p in model.postings_of(posted)] == [("ACC-1", -500), (CLEARING, 500)]


def test_posting_twice_gives_the_posted_debit_itself() -> None:
    """The caller sees by identity that there is nothing left to do."""
    assert model.post(POSTED, "P-1") is POSTED


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (None, "debit P-1 can't be posted: it was never made"),
        (
            model.void(None, "P-1", SANCTIONED, "rejected"),
            "debit P-1 can't be posted: it was never made (RR04 on a watchlist)",
        ),
        (
            model.void(PENDING, "P-1", SANCTIONED, "rejected"),
            "debit P-1 can't be posted: it was voided (RR04 on a watchlist)",
        ),
        (
            model.refused("P-1", "ACC-1", EUR_5, CLEARING, Reason("AM04", "too little")),
            "debit P-1 can't be posted: it was refused (AM04 too little)",
        ),
    ],
)
def test_only_a_pending_debit_can_be_posted(known: Debit | None, words: str) -> None:
    """The bank paid though nothing is held: a person must look, with the history in one sentence."""
    with pytest.raises(model.DebitNotPending) as refusal:
        model.post(known, "P-1")
    assert refusal.value.reason.text == words


def test_a_posted_debit_cant_be_voided() -> None:
    """The money has left; only a return brings it back."""
    with pytest.raises(model.DebitNotPending):
        model.void(POSTED, "P-1", SANCTIONED, "rejected")


def test_the_first_void_gives_the_reason_and_the_ending() -> None:
    """A cancellation that comes after a block doesn't turn a rejected payment into a cancelled one."""
    voided = model.void(PENDING, "P-1", SANCTIONED, "rejected")
    again = model.void(voided, "P-1", Reason("CUST", "changed my mind"), "cancelled")
    assert again is voided


def test_a_return_goes_to_the_debtor() -> None:
    """New postings; those of the payment stay."""
    asked = Return("R-1", "P-1", "AC04", "closed")
    booked = model.book_return(asked, POSTED, None, Account("ACC-1", "EUR"))
    assert (booked.account_id, booked.suspended, booked.reason) == ("ACC-1", 0, Reason("AC04", "closed"))
    assert [(p.account_id, p.amount) for p in model.return_postings(POSTED, booked)] == [
        (CLEARING, -500),
        ("ACC-1", 500),
    ]


def test_a_return_to_a_closed_account_goes_into_suspense_and_says_so() -> None:
    """The money is here and must not vanish; whose it is now, a person decides."""
    booked = model.book_return(Return("R-1", "P-1", "AC04", "closed"), POSTED, None, Account("ACC-1", "EUR", closed=1))
    assert (booked.account_id, booked.suspended, booked.reason.code) == ("suspense:EUR", 1, "AC05")
    assert booked.reason.text == "account ACC-1 is closed; the money returned for AC04 is in suspense"


def test_a_repeated_return_is_the_first_one() -> None:
    """Banks repeat themselves; money comes back once."""
    first = Return("R-1", "P-1", "AC04", "closed", "ACC-1")
    assert model.book_return(Return("R-1", "P-1", "AC04", "closed"), POSTED, first, Account("ACC-1", "EUR")) is first


def test_a_debit_comes_back_only_once_whatever_the_returns_are_called() -> None:
    """Two ids for one return would give the debtor the money twice."""
    first = Return("R-1", "P-1", "AC04", "closed", "ACC-1")
    with pytest.raises(model.ReturnConflict, match="returned under R-1 already"):
        model.book_return(Return("R-2", "P-1", "AC04", ""), POSTED, first, Account("ACC-1", "EUR"))


@pytest.mark.parametrize("known", [None, PENDING, model.void(PENDING, "P-1", SANCTIONED, "rejected")])
def test_what_was_never_posted_cant_come_back(known: Debit | None) -> None:
    """Nothing left our books, so nothing is booked: a person must look."""
    with pytest.raises(model.ReturnConflict, match="not posted"):
        model.book_return(Return("R-1", "P-1", "AC04", ""), known, None, Account("ACC-1", "EUR"))


@pytest.mark.parametrize(
    ("account_id", "terms", "words"),
    [
        ("", Terms("EUR"), "an id has 1 to 34 letters"),
        ("x" * 35, Terms("EUR"), "an id has 1 to 34 letters"),
        ("KÖLN", Terms("EUR"), "an id has 1 to 34 letters"),
        ("A\n", Terms("EUR"), "an id has 1 to 34 letters"),
        ("funding:EUR", Terms("EUR"), "belongs to the ledger itself"),
        ("ACC-1", Terms("XXX"), "not an active ISO 4217 currency"),
        ("ACC-1", Terms("EUR", overdraft=-1), "must be between zero and"),
        ("ACC-1", Terms("EUR", deposit=LARGEST_AMOUNT_MINOR + 1), "must be between zero and"),
    ],
)
def test_an_account_that_cant_be_is_refused_in_words(account_id: str, terms: Terms, words: str) -> None:
    """The sentence says what to write instead."""
    with pytest.raises(model.BadAccount, match=words):
        model.open_account(None, account_id, terms)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Terms("USD"), "with currency EUR, not USD"),
        (Terms("EUR", overdraft=100), "with overdraft 0.00, not 1.00"),
        (Terms("EUR", owner="Example Ltd"), "with owner '', not 'Example Ltd'"),
        (Terms("EUR", deposit=5), "with deposit 0.00, not 0.05"),
    ],
)
def test_opening_an_account_again_with_other_terms_is_refused(other: Terms, words: str) -> None:
    """Loading a corrected file must not change accounts silently."""
    known = (Account("ACC-1", "EUR"), Terms("EUR"))
    with pytest.raises(model.BadAccount, match=words):
        model.open_account(known, "ACC-1", other)


def test_a_closed_account_cant_be_opened_again() -> None:
    """Its id stands for the account that it was."""
    known = (Account("ACC-1", "EUR", closed=1), Terms("EUR"))
    with pytest.raises(model.BadAccount, match="closed"):
        model.open_account(known, "ACC-1", Terms("EUR"))


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (Account("ACC-1", "EUR", posted=5), "0.05 EUR is still on it"),
        (Account("ACC-1", "EUR", posted=-5, overdraft=9), "0.05 EUR is still owed by it"),
        (Account("ACC-1", "EUR", posted=5, pending=5), "0.05 EUR is held for pending payments"),
    ],
)
def test_an_account_with_money_or_a_hold_stays_open(account: Account, words: str) -> None:
    """Closing must not lose money, nor strand a payment under way."""
    with pytest.raises(model.AccountNotEmpty, match=words):
        model.close(account, "ACC-1")


def test_a_deposit_that_no_account_could_hold_is_refused() -> None:
    """Sums stay within 64 bits, by a rule rather than by luck."""
    rich = Account("ACC-1", "EUR", posted=model.LARGEST_BALANCE_MINOR)
    with pytest.raises(model.BadAccount, match="can't hold so much"):
        model.deposit(rich, "D-1", "ACC-1", Money(1, "EUR"))


@given(
    posted=st.integers(0, 10**6),
    pending=st.integers(0, 10**6),
    overdraft=st.integers(0, 10**6),
    amount=st.integers(1, 10**6),
)
def test_a_debit_is_taken_exactly_when_it_leaves_no_less_than_nothing(
    posted: int, pending: int, overdraft: int, amount: int
) -> None:
    """The one rule that keeps accounts from going below zero."""
    account = Account("ACC-1", "EUR", posted=posted, pending=pending, overdraft=overdraft)
    try:
        debit(account, Money(amount, "EUR"))
        taken = True
    except model.InsufficientFunds:
        taken = False
    assert taken == (account.available - amount >= 0)
