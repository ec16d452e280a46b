"""What the shell shows of the ledger, and what `verify` finds when a book is wrong."""

from __future__ import annotations

import pytest

from actors.ledger import queries
from actors.ledger.actor import Ledger
from actors.ledger.messages import DebitAccount, OpenAccount, PostDebit, VoidDebit
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from tests.fakes.turn import ServiceBench


@pytest.fixture
def ledger() -> ServiceBench:
    """One posted, one pending debit and one tombstone."""
    bench = ServiceBench(Ledger)
    bench.tell(OpenAccount(account_id="ACC-1", currency="EUR", deposit=1_000, owner="Example Ltd"))
    bench.tell(OpenAccount(account_id="YEN-1", currency="JPY", overdraft=500))
    for debit_id in ("P1-00", "P2-00"):
        bench.tell(DebitAccount(debit_id=debit_id, account_id="ACC-1", amount=Money(250, "EUR")))
    bench.tell(PostDebit(debit_id="P1-00"))
    bench.tell(VoidDebit(debit_id="P3-00", reason=Reason("CUST", "changed my mind"), ending="cancelled"))
    return bench


def test_accounts_show_their_balances_as_people_write_them(ledger: ServiceBench) -> None:
    """Decimal strings with the currency's own decimals."""
    euro, yen = queries.accounts(ledger.session, internal=False)
    assert (euro["posted"], euro["pending"], euro["available"]) == ("7.50", "2.50", "5.00")
    assert (yen["posted"], yen["overdraft"], yen["available"]) == ("0", "500", "500")
    assert [account["account_id"] for account in queries.accounts(ledger.session)] == [
        "ACC-1",
        "YEN-1",
        "clearing:simulated:EUR",
        "funding:EUR",
    ]


def test_an_account_shows_its_newest_postings(ledger: ServiceBench) -> None:
    """As many as are asked for."""
    shown = queries.account(ledger.session, "ACC-1", limit=1)
    assert shown is not None
    (line,) = shown["postings"]
    assert (line["kind"], line["reference"], line["amount"]) == ("deposit", "opening:ACC-1", "10.00")
    assert queries.account(ledger.session, "ACC-9") is None


def test_a_debit_shows_what_became_of_it(ledger: ServiceBench) -> None:
    """Also a tombstone, which has no amount."""
    pending, tombstone = queries.debit(ledger.session, "P2-00"), queries.debit(ledger.session, "P3-00")
    assert pending is not None
    assert tombstone is not None
    assert (pending["state"], pending["amount"], pending["reason"]) == ("pending", "2.50", None)
    assert (tombstone["state"], tombstone["amount"], tombstone["ending"]) == ("never_made", None, "cancelled")
    assert queries.debit(ledger.session, "P9-00") is None
    assert queries.debit_states(ledger.session)["P1-00"] == ("posted", "")


def test_clearing_is_what_the_rail_should_have(ledger: ServiceBench) -> None:
    """To be compared with the rail's own journal."""
    assert queries.clearing_balances(ledger.session) == {"clearing:simulated:EUR": 250}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE accounts SET posted = posted + 1 WHERE account_id = 'ACC-1'", "account ACC-1 has posted 751"),
        ("UPDATE accounts SET pending = 0 WHERE account_id = 'ACC-1'", "account ACC-1 has pending 0"),
        ("UPDATE accounts SET overdraft = -900 WHERE account_id = 'ACC-1'", "less than nothing available"),
        ("UPDATE debits SET state = 'voided' WHERE debit_id = 'P1-00'", "debit P1-00 is voided and has 2 postings"),
        (
            "INSERT INTO postings VALUES ('ACC-1', 0, 'X', 'payment', 5, 'EUR')",
            "all postings in EUR sum to 0.05, not to zero",
        ),
    ],
)
def test_a_wrong_book_is_named(ledger: ServiceBench, damage: str, words: str) -> None:
    """Each rule is checked against the lines themselves, not against what the ledger believes."""
    assert queries.violations(ledger.session) == []
    ledger.session.write(damage)
    assert any(words in sentence for sentence in queries.violations(ledger.session))
