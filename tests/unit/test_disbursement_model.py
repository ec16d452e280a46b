"""The form of orders and the endings of payments, as plain values."""

from __future__ import annotations

import doctest
from collections.abc import Sequence
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.disbursement import model
from actors.disbursement.messages import SubmitPayment
from actors.vocabulary.money import LARGEST_AMOUNT_MINOR, Money
from actors.vocabulary.reason import Reason

GOOD = SubmitPayment(
    idempotency_key="K-1",
    debtor_account="ACC-1",
    creditor_name="Example Ltd",
    creditor_account="TEST-1",
    amount=Money(1250, "EUR"),
    creditor_country="DE",
    creditor_email="pay@example.org",
    creditor_date_of_birth="1970-12-31",
    end_to_end_id="INV-1",
    remittance="invoice 1",
    flow="choreographed",
    batch_id="B-1",
)
ENDINGS = ("completed", "rejected", "cancelled", "returned", "needs_attention")


def test_the_examples_in_the_docstrings_hold() -> None:
    """What the model's pages show is what it does."""
    assert doctest.testmod(model).failed == 0


def test_a_good_order_has_no_errors() -> None:
    """All optional fields given, or none."""
    assert model.form_errors(GOOD) == []
    bare = SubmitPayment(
        idempotency_key="K-1",
        debtor_account="ACC-1",
        creditor_name="X",
        creditor_account="1",
        amount=Money(1, "JPY"),
    )
    assert model.form_errors(bare) == []


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("idempotency_key", "", "idempotency_key is empty"),
        ("idempotency_key", "  ", "idempotency_key is empty"),
        ("idempotency_key", " K", "idempotency_key begins or ends with a space"),
        ("idempotency_key", "k" * 141, "idempotency_key has 141 characters, at most 140"),
        ("idempotency_key", "K\x00", "a character that can't be shown (U+0000)"),
        ("debtor_account", "", "debtor_account is empty"),
        ("debtor_account", "A" * 35, "is no account id: it has 1 to 34"),
        ("debtor_account", "ACC 1", "is no account id"),
        ("debtor_account", "ACC-1\n", "is no account id"),
        ("creditor_account", "", "creditor_account is empty"),
        ("creditor_account", "KÖ-1", "is no account id"),
        ("creditor_account", "DE88370400440532013000", "is no valid IBAN: check its digits"),
        ("creditor_account", "XX12345678901234567", "is no valid IBAN"),
        ("creditor_name", "", "creditor_name is empty"),
        ("creditor_name", "n" * 141, "creditor_name has 141 characters"),
        ("creditor_name", "Example\r\nBcc: all", "can't be shown (U+000D)"),
        ("creditor_name", "Example\x85", "can't be shown (U+0085)"),
        ("creditor_name", "Example\u202eLtd", "can't be shown (U+202E)"),
        ("creditor_name", "Example\ud800", "can't be shown (U+D800)"),
        ("creditor_name", "Example\n", "can't be shown (U+000A)"),
        ("creditor_name", "Example\u3000", "begins or ends with a space"),
        ("creditor_name", "---", "has neither letter nor digit"),
        ("creditor_country", "GERMANY", "is not an ISO 3166 code"),
        ("creditor_country", "de", "is not an ISO 3166 code"),
        ("creditor_country", "ZZ", "is not an ISO 3166 code"),
        ("creditor_email", "nobody", "is not an address"),
        ("creditor_email", "a@b", "is not an address"),
        ("creditor_email", "a b@example.org", "is not an address"),
        ("creditor_email", "a@example.org\nBcc: x@example.org", "is not an address"),
        ("creditor_email", "a@@example.org", "is not an address"),
        ("creditor_email", "x" * 64 + "@" + "y" * 63 + "." + "z" * 200 + ".org", "is not an address"),
        ("creditor_date_of_birth", "31.12.1970", "is not a date such as 1970-12-31"),
        ("creditor_date_of_birth", "1970-02-30", "is not a date"),
        ("creditor_date_of_birth", "19701231", "is not a date"),
        ("end_to_end_id", "e" * 36, "end_to_end_id has 36 characters, at most 35"),
        ("end_to_end_id", "", "end_to_end_id is empty"),
        ("remittance", "r" * 141, "remittance has 141 characters"),
        ("remittance", "a\tb", "can't be shown (U+0009)"),
        ("flow", "random", "is neither orchestrated nor choreographed"),
        ("batch_id", "", "batch_id is empty"),
        ("amount", Money(0, "EUR"), "amount must be more than zero"),
        ("amount", Money(-5, "EUR"), "amount must be more than zero"),
        ("amount", Money(LARGEST_AMOUNT_MINOR + 1, "EUR"), "amount is above the limit"),
        ("amount", Money(5, "ABC"), "is not an active ISO 4217 code"),
    ],
)
def test_a_form_error_is_one_sentence_about_its_field(field: str, value: object, words: str) -> None:
    """Whoever sent the order learns which field, and what to write instead."""
    (error,) = model.form_errors(replace(GOOD, **{field: value}))
    assert words in error


@pytest.mark.parametrize(
    "name",
    [
        "見本 花子",
        "見本　花子",
        "محمد مثال",
        "علی\u200cرضا نمونه",  # noqa: RUF001  # Persian is written so
        "Σωκράτης Παράδειγμα",
        "O'Sample-Ünal, Jr.",
        "उदाहरण",
        "Zoe\u0301 Exemple",
        "3 Examples & Sons",
        "(Sample) Ltd",
        "x" * 140,
    ],
)
def test_names_in_any_script_are_welcome(name: str) -> None:
    """People are called what they are called."""
    assert model.form_errors(replace(GOOD, creditor_name=name)) == []


@pytest.mark.parametrize(
    "account",
    [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "gb33bukb20201555555555",
        "TEST-REJECT-AC04",
        "AB12",
        "7",
    ],
)
def test_ibans_and_free_ids_are_taken(account: str) -> None:
    """Only what looks like an IBAN must be one."""
    assert model.form_errors(replace(GOOD, creditor_account=account)) == []


def test_all_that_is_wrong_is_told_at_once() -> None:
    """A person corrects a line once, not field by field."""
    bad = replace(GOOD, debtor_account="", creditor_country="XY", amount=Money(0, "EUR"))
    assert model.form_error(bad) == (
        "debtor_account is empty; amount must be more than zero;"
        " creditor_country 'XY' is not an ISO 3166 code of two letters such as DE"
    )


@given(
    st.text(max_size=200), st.sampled_from([field.name for field in fields(SubmitPayment) if field.name != "amount"])
)
def test_any_text_in_any_field_is_taken_or_told(text: str, field: str) -> None:
    """Nothing that a client sends ends in another error, and what is taken can be encoded."""
    order = replace(GOOD, **{field: text})
    if not model.form_errors(order):
        model.digest(order)


@pytest.mark.parametrize("field", [field.name for field in fields(SubmitPayment)])
def test_the_digest_covers_every_field_but_key_and_batch(field: str) -> None:
    """Same key and same content is the same payment; the file it came in is not content."""
    other: object = Money(1251, "EUR") if field == "amount" else "other"
    same = model.digest(replace(GOOD, **{field: other})) == model.digest(GOOD)
    assert same == (field in ("idempotency_key", "batch_id", "wait_for"))


def test_the_digest_tells_a_field_from_its_neighbour() -> None:
    """Fields don't run into each other."""
    first = replace(GOOD, end_to_end_id="a", remittance="bc")
    assert model.digest(first) != model.digest(replace(GOOD, end_to_end_id="ab", remittance="c"))


@pytest.mark.parametrize(
    ("current", "wanted", "reopens", "becomes"),
    [
        ("started", "completed", False, "completed"),
        ("started", "cancelled", False, "cancelled"),
        ("started", "needs_attention", False, "needs_attention"),
        ("completed", "completed", False, None),
        ("completed", "returned", False, "returned"),
        ("completed", "rejected", False, "needs_attention"),
        ("completed", "needs_attention", False, None),
        ("completed", "needs_attention", True, "needs_attention"),
        ("rejected", "cancelled", False, None),
        ("cancelled", "rejected", False, None),
        ("rejected", "completed", False, "needs_attention"),
        ("returned", "completed", False, None),
        ("returned", "returned", False, None),
        ("needs_attention", "completed", False, "completed"),
        ("needs_attention", "rejected", False, "rejected"),
        ("contradicted", "rejected", False, None),
        ("contradicted", "completed", False, None),
        ("contradicted", "needs_attention", True, "needs_attention"),
    ],
)
def test_what_a_payment_becomes(current: str, wanted: str, reopens: bool, becomes: str | None) -> None:
    """Ended stays ended, but for a return and for what contradicts it."""
    assert model.ending(current, wanted, reopens=reopens) == becomes


news = st.lists(st.tuples(st.sampled_from(ENDINGS), st.booleans()), max_size=12)


@given(news)
def test_an_ended_payment_changes_only_by_return_or_into_attention(heard: Sequence[tuple[str, bool]]) -> None:
    """No sequence of late news turns a completed payment into a rejected one behind a person's back."""
    status = "started"
    for wanted, reopens in heard:
        became = model.ending(status, wanted, reopens=reopens) or status
        if status in ("completed", "rejected", "cancelled", "returned") and became != status:
            assert became == "needs_attention" or (status, became) == ("completed", "returned")
        status = became


def test_a_contradiction_is_told_in_words() -> None:
    """The person who must look sees both sides."""
    reason = model.reason_of("rejected", "completed", "needs_attention", None)
    assert reason == Reason("NARR", "the payment was rejected, and then heard to be completed")
