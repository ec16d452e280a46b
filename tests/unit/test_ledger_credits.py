"""Credits: money of a posted debit that goes back to its debtor, reserved, then posted or voided."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.ledger import credits, queries
from actors.ledger.actor import Ledger
from actors.ledger.credits import Credit
from actors.ledger.messages import (
    BookReturn,
    CloseAccount,
    CreditPosted,
    CreditRefused,
    CreditReserved,
    CreditVoided,
    CreditVoidRefused,
    CreditWithheld,
    DebitAccount,
    OpenAccount,
    PostCredit,
    PostDebit,
    PostingRefused,
    ReserveCredit,
    ReturnBooked,
    VoidCredit,
)
from actors.ledger.model import Account, Debit
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from tests.fakes.turn import ServiceBench

CLEARING = "clearing:simulated:EUR"
PAID = Debit("P-1", "ACC-1", CLEARING, 500, "EUR", "posted")
OPEN = Account("ACC-1", "EUR")
NO = Reason("RR04", "on a watchlist")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def eur(amount: int) -> Money:
    """So many cents."""
    return Money(amount, "EUR")


def reserve(credit_id: str, amount: int, debit_id: str = "P1-00") -> ReserveCredit:
    """The command."""
    return ReserveCredit(credit_id=credit_id, debit_id=debit_id, amount=eur(amount))


@pytest.fixture
def ledger() -> ServiceBench:
    """A ledger whose ACC-1 had 5.00 EUR and has paid them."""
    bench = ServiceBench(Ledger)
    bench.tell(OpenAccount(account_id="ACC-1", currency="EUR", deposit=500))
    bench.tell(DebitAccount(debit_id="P1-00", account_id="ACC-1", amount=eur(500)))
    bench.tell(PostDebit(debit_id="P1-00"))
    return bench


def posted(bench: ServiceBench, account_id: str) -> int:
    """The account's balance."""
    row = bench.session.one("SELECT posted FROM accounts WHERE account_id = ?", (account_id,))
    return 0 if row is None else int(row[0])


# -- the rules


@pytest.mark.parametrize("debit", [None, PAID._replace(state="pending"), PAID._replace(state="voided")])
def test_what_was_not_paid_is_not_refunded(debit: Debit | None) -> None:
    """Money that has not left can't come back; the refusal says what became of the debit."""
    with pytest.raises(credits.NothingToCredit, match=r"debit is (never made|pending|voided)"):
        credits.reserve("R-1", eur(100), debit, OPEN, taken=0)


@pytest.mark.parametrize("amount", [eur(201), eur(0), eur(-1), Money(100, "USD")])
def test_no_more_than_what_is_left_is_reserved(amount: Money) -> None:
    """The sentence says how much of the payment is left."""
    with pytest.raises(credits.TooMuchToCredit, match=r"2\.00 EUR is left") as refusal:
        credits.reserve("R-1", amount, PAID, OPEN, taken=300)
    assert refusal.value.reason.code == "AM09"


def test_a_closed_account_gets_no_refund() -> None:
    """Better refused than paid into suspense."""
    with pytest.raises(credits.CreditAccountClosed) as refusal:
        credits.reserve("R-1", eur(100), PAID, OPEN._replace(closed=1), taken=0)
    assert refusal.value.reason.code == "AC05"


def test_a_refund_asked_for_too_late_is_refused_whenever_it_comes() -> None:
    """What counts is the moment of asking: a slow system makes nobody late, a quick one nobody early."""
    until = NOW + timedelta(days=180)
    credits.reserve("R-1", eur(100), PAID, OPEN, 0, until, until)
    with pytest.raises(credits.CreditTooLate, match="possible until 2030-06-30"):
        credits.reserve("R-1", eur(100), PAID, OPEN, 0, until + timedelta(seconds=1), until)


def test_a_credit_voided_before_it_came_is_refused_when_it_comes() -> None:
    """A tombstone: nothing is set aside for a refund that has ended."""
    tombstone = credits.void(None, "R-1", NO, "rejected")
    with pytest.raises(credits.CreditRefusedBefore) as refusal:
        credits.repeat(tombstone, "P-1", eur(100))
    assert refusal.value.reason == NO


def test_a_credit_id_stands_for_one_amount_of_one_debit() -> None:
    """A second content under the id is a defect of whoever asks."""
    known = credits.reserve("R-1", eur(100), PAID, OPEN, taken=0)
    assert credits.repeat(known, "P-1", eur(100)) is known
    with pytest.raises(credits.CreditConflict):
        credits.repeat(known, "P-1", eur(101))


def test_a_posted_credit_is_not_voided_and_a_voided_one_not_posted() -> None:
    """At most one of the two, whatever comes."""
    pending = credits.reserve("R-1", eur(100), PAID, OPEN, taken=0)
    given, voided = credits.post(pending, "R-1", OPEN), credits.void(pending, "R-1", NO, "rejected")
    assert credits.post(given, "R-1", OPEN) is given
    assert credits.void(voided, "R-1", NO, "cancelled") is voided
    with pytest.raises(credits.CreditNotPending):
        credits.void(given, "R-1", NO, "rejected")
    for known in (None, voided):
        with pytest.raises(credits.CreditNotPending):
            credits.post(known, "R-1", OPEN)


def test_money_for_an_account_closed_meanwhile_goes_into_suspense() -> None:
    """It has come: it must be in the books, and a person must find whose it is."""
    pending = Credit("R-1", "P-1", "ACC-1", CLEARING, 100, "EUR", "pending")
    given = credits.post(pending, "R-1", OPEN._replace(closed=1))
    assert given.suspended
    assert [(line.account_id, line.amount) for line in credits.postings_of(given)] == [
        (CLEARING, -100),
        ("suspense:EUR", 100),
    ]


# -- the service


def test_two_partial_refunds_give_back_what_was_paid_and_a_third_is_refused(ledger: ServiceBench) -> None:
    """Reserving moves nothing; posting moves money from clearing to the debtor, by new lines of kind refund."""
    for name, amount in (("R1-00", 200), ("R2-00", 300)):
        assert ledger.tell(reserve(name, amount)).answers == [CreditReserved(credit_id=name)]
        before = posted(ledger, "ACC-1")
        assert ledger.tell(PostCredit(credit_id=name)).answers == [CreditPosted(credit_id=name)]
        assert posted(ledger, "ACC-1") == before + amount
    (refused,) = ledger.tell(reserve("R3-00", 1)).answers
    assert isinstance(refused, CreditRefused)
    assert posted(ledger, CLEARING) == 0
    assert ledger.session.all("SELECT DISTINCT kind FROM postings WHERE reference = 'R1-00'") == [("refund",)]


def test_a_pending_refund_counts_until_it_is_voided(ledger: ServiceBench) -> None:
    """Two refunds under way at once can't give back more than was paid."""
    ledger.tell(reserve("R1-00", 400))
    assert isinstance(ledger.tell(reserve("R2-00", 200)).answers[0], CreditRefused)
    assert ledger.tell(VoidCredit(credit_id="R1-00", reason=NO)).answers == [CreditVoided(credit_id="R1-00", reason=NO)]
    assert isinstance(ledger.tell(reserve("R2-00", 200)).answers[0], CreditRefused)  # refused once is refused
    assert isinstance(ledger.tell(reserve("R3-00", 200)).answers[0], CreditReserved)


def test_a_return_after_a_refund_calls_a_person_and_a_refund_after_a_return_is_refused(ledger: ServiceBench) -> None:
    """The bank sends all of it back, though part went back already: nothing is booked automatically."""
    back = BookReturn(return_id="B-1", debit_id="P1-00", reason=NO)
    ledger.tell(reserve("R1-00", 200))
    (refused,) = ledger.tell(back).answers
    assert isinstance(refused, PostingRefused)
    assert "2.00 EUR of debit P1-00 is given back by refunds already" in refused.reason.text
    ledger.tell(VoidCredit(credit_id="R1-00", reason=NO))
    assert isinstance(ledger.tell(back).answers[0], ReturnBooked)
    assert isinstance(ledger.tell(reserve("R2-00", 1)).answers[0], CreditRefused)


def test_an_account_closed_while_the_refund_was_under_way(ledger: ServiceBench) -> None:
    """The money waits in suspense, and the answer stays the same however often it is asked for."""
    ledger.tell(reserve("R1-00", 200))
    ledger.tell(CloseAccount(account_id="ACC-1"))
    for _ in range(2):
        (withheld,) = ledger.tell(PostCredit(credit_id="R1-00")).answers
        assert isinstance(withheld, CreditWithheld)
        assert withheld.suspended
    assert posted(ledger, "suspense:EUR") == 200
    assert queries.violations(ledger.session) == []


def test_what_can_not_be_posted_or_voided_any_more_calls_a_person(ledger: ServiceBench) -> None:
    """Nothing is booked against what was said before."""
    ledger.tell(reserve("R1-00", 200))
    ledger.tell(PostCredit(credit_id="R1-00"))
    assert isinstance(ledger.tell(VoidCredit(credit_id="R1-00", reason=NO)).answers[0], CreditVoidRefused)
    (early,) = ledger.tell(VoidCredit(credit_id="R2-00", reason=NO, ending="cancelled")).answers
    assert early == CreditVoided(credit_id="R2-00", reason=NO, ending="cancelled", never_made=True)
    (withheld,) = ledger.tell(PostCredit(credit_id="R2-00")).answers
    assert isinstance(withheld, CreditWithheld)
    assert not withheld.suspended


def test_an_event_read_again_is_not_answered_again(ledger: ServiceBench) -> None:
    """What came of it was published the first time, and the refund may have gone on since."""
    assert len(ledger.hear(reserve("R1-00", 200)).answers) == 1
    assert ledger.hear(reserve("R1-00", 200)).answers == []
    assert len(ledger.hear(PostCredit(credit_id="R1-00")).answers) == 1
    assert ledger.hear(PostCredit(credit_id="R1-00")).answers == []


def test_a_wrong_book_of_credits_is_found(ledger: ServiceBench) -> None:
    """`verify` names the credit, and the debit that gave back too much."""
    ledger.tell(reserve("R1-00", 200))
    ledger.session.write("UPDATE credits SET state = 'posted', amount = 600")
    assert queries.violations(ledger.session) == [
        "credit R1-00 is posted and has 0 postings",
        "debit P1-00 took 500 minor units, and its refunds and return have 600",
    ]
