"""Who is told of a payment's end, and in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.notification.mail import BadAddress, compose
from actors.notification.messages import SendMail
from actors.notification.model import CREDITOR, DEBTOR, PARTIES, letter, message_id, one_line
from actors.vocabulary.order import RefundOf
from actors.vocabulary.reason import Reason
from tests.fakes.orders import an_order

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BROKE = Reason("AM04", "the account has not enough money")


def task(**changes: Any) -> SendMail:
    """A mail to the creditor of a completed payment."""
    values: dict[str, Any] = {
        "message_id": "<P1.completed.creditor@paysaga.example>",
        "ending": "completed",
        "party": CREDITOR,
        "address": "erika@example.org",
        "debtor_name": "Muster AG",
        "order": an_order(),
    }
    return SendMail(**(values | changes))


def read(mail_task: SendMail) -> EmailMessage:
    """The mail as its receiver reads it."""
    parsed = message_from_bytes(compose(mail_task, "payments@paysaga.example", NOW).as_bytes(), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


@pytest.mark.parametrize("ending", sorted(PARTIES))
def test_every_letter_says_amount_payee_and_references(ending: str) -> None:
    """Whoever gets it must find the payment in their own books."""
    for party in PARTIES[ending]:
        written = letter(ending, party, an_order(), BROKE, "Muster AG")
        assert "12.50 EUR" in written.subject
        for part in ("12.50 EUR", "Erika Mustermann", "E2E-1", an_order().uetr, "P000001-00", "Invoice 4711"):
            assert part in written.text
        assert "{" not in written.text


@pytest.mark.parametrize("ending", ["rejected", "cancelled", "returned"])
def test_the_payer_reads_the_reason_in_words_and_as_a_code(ending: str) -> None:
    """The words are for the person, the code for their bank."""
    written = letter(ending, DEBTOR, an_order(), BROKE, "Muster AG")
    assert "the account has not enough money (AM04)" in written.text


def test_the_payee_is_not_told_that_the_payer_has_no_money() -> None:
    """That is the payer's own affair, and so is the account's number."""
    written = letter("rejected", CREDITOR, an_order(), BROKE, "Muster AG")
    assert "enough money" not in written.text
    assert "ACC-1" not in written.text


def test_nobody_reads_what_a_watchlist_says() -> None:
    """A listed person must not be warned by our mail."""
    reason = Reason("RR04", "'Viktor Blackwood' on list x scores 97.0")
    for party in PARTIES["rejected"]:
        written = letter("rejected", party, an_order(), reason, "Muster AG")
        assert "Blackwood" not in written.text


def test_the_payee_is_not_told_of_a_payment_that_nobody_has_decided_on() -> None:
    """It may still be rejected, or have been executed already."""
    assert PARTIES["needs_attention"] == (DEBTOR,)


def test_braces_in_names_and_remittance_are_only_text() -> None:
    """Texts are filled in once; what a user wrote is never read as a template."""
    order = an_order(creditor={"name": "{reason} {0}"}, remittance="{amount}")
    written = letter("completed", DEBTOR, order, None, "{payer}")
    assert "{reason} {0}" in written.subject
    assert "{amount}" in written.text


def test_the_message_id_tells_payment_ending_and_party_apart_and_nothing_else() -> None:
    """A repeat has the same one, so that the receiver's mail program shows it once."""
    ids = {message_id("P1-00", ending, party, "a@b.example") for ending in PARTIES for party in PARTIES[ending]}
    assert len(ids) == 9
    assert message_id("P1-00", "completed", DEBTOR, "a@b.example") in ids


def test_names_beyond_ascii_arrive_as_they_were_written() -> None:
    """People are called Müller and 王."""
    order = an_order(creditor={"name": "Jürgen Müller 王"}, remittance="für März")
    mail = read(task(order=order, debtor_name="Żółć S.A.", ending="returned", reason=BROKE))
    assert mail["To"].addresses[0].display_name == "Jürgen Müller 王"
    assert "Żółć S.A." in mail["Subject"]
    assert "für März" in mail.get_content()
    assert mail["Message-ID"] == "<P1.completed.creditor@paysaga.example>"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_text_of_a_user_can_add_a_header(name: str, debtor: str, remittance: str) -> None:
    """Line breaks, control characters and lone surrogates included."""
    injected = f"{name}\r\nBcc: victim@example.org\n\n{name}"
    order = an_order(creditor={"name": injected}, remittance=f"{remittance}\r\n.\r\nMAIL FROM:<x>")
    mail = read(task(order=order, debtor_name=f"{debtor}\nX-Evil: 1"))
    expected = {
        "content-type", "mime-version", "content-transfer-encoding", "from", "to", "subject", "date", "message-id",
        "auto-submitted",
    }  # fmt: skip
    assert {header.lower() for header in mail} == expected
    assert [address.addr_spec for address in mail["To"].addresses] == ["erika@example.org"]


@given(st.text())
def test_one_line_holds_nothing_that_breaks_a_line(text: str) -> None:
    """What is left can stand in a header and in a list of references."""
    assert len(one_line(text).splitlines()) <= 1
    one_line(text).encode()


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@", "@b", "a b@c.example", "a@b.example\r\nBcc: c@d.example", "a@b@c", "ü@example.org"]
)
def test_text_that_is_no_address_is_refused(address: str) -> None:
    """The payment's timeline then says that the mail failed, and why."""
    with pytest.raises(BadAddress, match="no mail address"):
        compose(task(address=address), "payments@paysaga.example", NOW)


@pytest.mark.parametrize("party", [DEBTOR, CREDITOR])
def test_a_refund_is_called_a_refund_and_its_money_comes_from_the_creditor(party: str) -> None:
    """Nobody should think that he has paid, or was paid, a second time."""
    order = an_order()
    of = RefundOf(
        payment_id="P0-00", amount=order.amount, created_at=order.created_at, until=order.created_at, reason=BROKE
    )
    for ending in ("completed", "rejected", "cancelled"):
        written = letter(ending, party, replace(order, refund=of), BROKE, "Muster AG")
        assert written.subject.startswith("Refund of ")
        assert "From:           " + order.creditor.name in written.text
        assert (order.debtor_account in written.text) == (party == DEBTOR)
