"""Whatever messages come, in whatever order and however often: what must always hold in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.ledger import queries
from actors.ledger.actor import Ledger
from actors.ledger.messages import (
    AccountDebited,
    BookReturn,
    CloseAccount,
    CreditPosted,
    CreditReserved,
    CreditVoided,
    DebitAccount,
    DebitPosted,
    DebitVoided,
    DepositMoney,
    OpenAccount,
    PostCredit,
    PostDebit,
    ReserveCredit,
    VoidCredit,
    VoidDebit,
)
from actors.messaging.message import Message
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from tests.fakes.turn import ServiceBench

ACCOUNTS = ("ACC-1", "ACC-2", "YEN-1", "NONE")
DEBITS = ("P1-00", "P2-00", "P3-00")
CREDITS = ("R1-00", "R2-00", "R3-00")
NO = Reason("RR04", "no")

accounts = st.sampled_from(ACCOUNTS)
debits = st.sampled_from(DEBITS)
credits = st.sampled_from(CREDITS)
money = st.builds(Money, st.integers(1, 40), st.sampled_from(("EUR", "EUR", "JPY")))
commands = st.one_of(
    st.builds(DebitAccount, debit_id=debits, account_id=accounts, amount=money, facts=st.none()),
    st.builds(PostDebit, debit_id=debits, facts=st.none()),
    st.builds(
        VoidDebit,
        debit_id=debits,
        reason=st.just(NO),
        ending=st.sampled_from(("rejected", "cancelled")),
        facts=st.none(),
    ),
    st.builds(
        BookReturn,
        return_id=st.sampled_from(("R1", "R2")),
        debit_id=debits,
        reason=st.just(NO),
        facts=st.none(),
    ),
    st.builds(DepositMoney, deposit_id=st.sampled_from(("D1", "D2")), account_id=accounts, amount=money),
    st.builds(CloseAccount, account_id=accounts),
    st.builds(
        ReserveCredit,
        credit_id=credits,
        debit_id=debits,
        amount=money,
        asked_at=st.none(),
        until=st.none(),
        facts=st.none(),
    ),
    st.builds(PostCredit, credit_id=credits, facts=st.none()),
    st.builds(VoidCredit, credit_id=credits, reason=st.just(NO), ending=st.just("rejected"), facts=st.none()),
)
# What leads to posted debits of one account, and then to anything about refunds of them.
refunding = st.lists(
    st.one_of(
        st.builds(
            ReserveCredit,
            credit_id=credits,
            debit_id=st.just("P1-00"),
            amount=st.builds(Money, st.integers(1, 25), st.just("EUR")),
            asked_at=st.none(),
            until=st.none(),
            facts=st.none(),
        ),
        st.builds(PostCredit, credit_id=credits, facts=st.none()),
        st.builds(VoidCredit, credit_id=credits, reason=st.just(NO), ending=st.just("rejected"), facts=st.none()),
        st.builds(BookReturn, return_id=st.just("R1"), debit_id=st.just("P1-00"), reason=st.just(NO), facts=st.none()),
        st.builds(CloseAccount, account_id=st.just("ACC-1")),
    ),
    max_size=20,
)


def opened() -> ServiceBench:
    """Three accounts: with money, with an overdraft, in yen."""
    bench = ServiceBench(Ledger)
    bench.tell(OpenAccount(account_id="ACC-1", currency="EUR", deposit=50))
    bench.tell(OpenAccount(account_id="ACC-2", currency="EUR", overdraft=30))
    bench.tell(OpenAccount(account_id="YEN-1", currency="JPY", deposit=50))
    return bench


def state(bench: ServiceBench) -> list[object]:
    """Everything the ledger has stored."""
    return [
        bench.session.all(f"SELECT * FROM {table}")
        for table in ("accounts", "debits", "postings", "deposits", "returns", "credits")
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(commands, max_size=25))
def test_books_balance_after_every_message(sequence: Sequence[Message]) -> None:
    """Postings sum to zero, balances are the sums of their lines, nobody falls below nothing."""
    bench = opened()
    for command in sequence:
        bench.tell(command)
        assert queries.violations(bench.session) == []


@settings(max_examples=150, deadline=None)
@given(st.lists(commands, max_size=25))
def test_the_same_message_twice_in_a_row_is_the_same_as_once(sequence: Sequence[Message]) -> None:
    """The repeat gets the same answer and changes nothing."""
    bench = opened()
    for command in sequence:
        first = bench.tell(command).answers
        before = state(bench)
        assert bench.tell(command).answers == first
        assert state(bench) == before


@settings(max_examples=150, deadline=None)
@given(st.lists(commands, max_size=30))
def test_a_debit_is_posted_or_voided_at_most_once_and_never_both(sequence: Sequence[Message]) -> None:
    """An ending once told is never contradicted by the ledger."""
    bench = opened()
    told: dict[str, type] = {}
    for command in sequence:
        for answer in bench.tell(command).answers:
            if isinstance(answer, DebitPosted | DebitVoided):
                assert told.setdefault(answer.debit_id, type(answer)) is type(answer)
            if isinstance(answer, AccountDebited):
                assert told.get(answer.debit_id) is not DebitVoided
    for debit_id in DEBITS:
        lines = bench.session.all("SELECT amount FROM postings WHERE reference = ?", (debit_id,))
        assert len(lines) == (2 if told.get(debit_id) is DebitPosted else 0)


@settings(max_examples=60, deadline=None)
@given(st.permutations(["debit", "void", "debit", "void"]))
def test_a_debit_and_its_void_leave_nothing_held_in_either_order(order: Sequence[str]) -> None:
    """Early or late, once or twice: the void wins."""
    bench = opened()
    messages: dict[str, Message] = {
        "debit": DebitAccount(debit_id="P1-00", account_id="ACC-1", amount=Money(20, "EUR")),
        "void": VoidDebit(debit_id="P1-00", reason=NO),
    }
    for name in order:
        bench.tell(messages[name])
    shown = queries.account(bench.session, "ACC-1")
    assert shown is not None
    assert (shown["pending"], shown["available"]) == ("0.00", "0.50")


@settings(max_examples=200, deadline=None)
@given(refunding)
def test_no_more_goes_back_than_was_paid(sequence: Sequence[Message]) -> None:
    """Refunds and a return together never exceed the debit, and each refund is given back or given up, never both."""
    bench = opened()
    bench.tell(DebitAccount(debit_id="P1-00", account_id="ACC-1", amount=Money(50, "EUR")))
    bench.tell(PostDebit(debit_id="P1-00"))
    told: dict[str, type] = {}
    for command in sequence:
        for answer in bench.tell(command).answers:
            if isinstance(answer, CreditPosted | CreditVoided):
                assert told.setdefault(answer.credit_id, type(answer)) is type(answer)
            if isinstance(answer, CreditReserved):
                assert told.get(answer.credit_id) is not CreditVoided
        assert queries.violations(bench.session) == []
        (clearing,) = bench.session.one("SELECT posted FROM accounts WHERE account_id LIKE 'clearing:%'") or (0,)
        assert clearing >= 0
