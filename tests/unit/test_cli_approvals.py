"""The commands about approvals: what waits is listed, a person's word goes to where the payment lives."""

from __future__ import annotations

import pytest

from actors.approval.messages import ApprovalRefused, ApprovalTaken, DecideApproval
from tests.fakes.stores import open_store
from tests.unit.test_cli_commands import PAYMENT, Desk, desk

__all__ = ["desk"]


def asked(desk: Desk) -> Desk:
    """The desk, with one payment that waits for two people, one of whom has agreed."""
    session = open_store(desk.data)
    columns = "approval_id, payment_id, amount, currency, debtor_account, creditor_name, why, needed, lapses"
    values = "?, ?, ?, 'EUR', 'ACC-1', 'E', 'large', 2, 0, 0, 0"
    session.write(
        f"INSERT INTO approvals ({columns}, opened_at, due_at) VALUES ({values})",
        (PAYMENT, PAYMENT, 2_000_000),
    )
    session.write("INSERT INTO approval_words VALUES (?, 1, 'Ada', 1, 'fine')", (PAYMENT,))
    session.commit()
    session.close()
    return desk


def test_what_waits_for_approval_is_shown_with_who_has_agreed(desk: Desk) -> None:
    """All that a decision needs."""
    (shown,) = asked(desk).json("approvals", "list")["approvals"]
    assert (shown["approval_id"], shown["amount"], shown["missing"]) == (PAYMENT, "20000.00", 1)
    desk.run("approvals", "list")
    assert "20000.00  EUR  ACC-1   E         large          Ada           1" in desk.out


@pytest.mark.parametrize(("word", "approve", "status"), [("approve", True, "granted"), ("deny", False, "denied")])
def test_a_persons_word_goes_to_where_the_payment_lives(desk: Desk, word: str, approve: bool, status: str) -> None:
    """With the name that was given, and the reason."""
    taken = ApprovalTaken(approval_id=PAYMENT, payment_id=PAYMENT, status=status, missing=0)
    asked(desk).client.answers[DecideApproval] = taken
    line = ("approvals", word, PAYMENT, "--by", "Bob", "--reason", "checked")
    document = desk.json(*line)
    assert (document["by"], document["approve"], document["status"]) == ("Bob", approve, status)
    assert desk.client.asked[0][:2] == ("approval", 5)
    assert desk.asked == DecideApproval(
        approval_id=PAYMENT, by="Bob", approve=approve, reason="checked", payment_id=PAYMENT
    )
    assert desk.run(*line) == 0
    assert desk.out == f"{PAYMENT}: {status}; payment {PAYMENT}\n"


def test_a_word_on_what_was_decided_before_says_who_decided_and_when(desk: Desk) -> None:
    """A second click is harmless, and is not taken for the first."""
    known = f"{PAYMENT} was granted at 2030-01-01 00:00:00 UTC, by Ada, Bob"
    taken = ApprovalTaken(approval_id=PAYMENT, payment_id=PAYMENT, status="granted", missing=0, decided=known)
    asked(desk).client.answers[DecideApproval] = taken
    line = ("approvals", "approve", PAYMENT, "--by", "Bob", "--reason", "checked")
    assert desk.json(*line)["decided_before"] == known
    assert desk.run(*line) == 0
    assert desk.out == f"{known}; this word changes nothing\n"


def test_a_word_that_does_not_end_it_says_how_many_must_follow(desk: Desk) -> None:
    """And one that is refused says why, exit 1."""
    line = ("approvals", "approve", PAYMENT, "--by", "Ada", "--reason", "checked")
    taken = ApprovalTaken(approval_id=PAYMENT, payment_id=PAYMENT, status="open", missing=1)
    desk.client.answers[DecideApproval] = taken
    asked(desk).run(*line)
    assert desk.out == f"{PAYMENT}: Ada agrees; one more person has to\n"
    desk.client.answers[DecideApproval] = ApprovalRefused(approval_id=PAYMENT, error="Ada has agreed already")
    assert desk.run(*line) == 1
    assert desk.err == "paysaga: Ada has agreed already\n"
