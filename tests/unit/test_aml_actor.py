"""AML as an actor: one verdict an id, cases that only a person ends, lists swapped in while running."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.aml import queries, reactions
from actors.aml.actor import Aml
from actors.aml.messages import (
    BeneficiaryBlocked,
    BeneficiaryCleared,
    BeneficiaryHeld,
    CloseReview,
    DecideReview,
    LoadWatchlist,
    ReviewClosed,
    ReviewDecided,
    ReviewDue,
    ReviewOverdue,
    ReviewRefused,
    ScreenBeneficiary,
    WatchlistLoaded,
    WatchlistRefused,
)
from actors.aml.worker import WATCHLISTS, WatchlistWorker
from actors.assembly import load_messages
from actors.ledger.messages import AccountDebited
from actors.runtime.service import Answer, CellContext, Handed, Started
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentFacts, PaymentOrder
from config.settings import AmlSettings, Settings
from tests.fakes.turn import SAGA, FakeTurn, ServiceBench

LIST = """entry_id,name,aliases,kind,country,date_of_birth,programme
1,Viktor Blackwood,,person,ZZ,1960-01-01,TEST
2,Greta Nightshade,,person,ZZ,1970-05-05,TEST
"""
load_messages()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One configured list of two made-up people."""
    path = tmp_path / "made-up.csv"
    path.write_text(LIST)
    return Settings(data=str(tmp_path), aml=AmlSettings(watchlists=(str(path),), review_seconds=3600))


@pytest.fixture
def bench(settings: Settings) -> ServiceBench:
    """AML after its first start."""
    bench = ServiceBench(Aml, settings)
    bench.tell(Started(downtime=timedelta(0)))
    return bench


def screen(name: str = "Erika Mustermann", **more: Any) -> ScreenBeneficiary:
    """The command of the one payment that most tests are about."""
    return ScreenBeneficiary(screening_id=more.pop("screening_id", "P1-00"), name=name, **more)


def facts() -> PaymentFacts:
    """A choreographed payment whose debit stands."""
    creditor = Creditor(name="Viktor Blackwood", account="DE02", date_of_birth="1985-07-01")
    order = PaymentOrder(
        payment_id="P1-00",
        idempotency_key="k",
        debtor_account="ACC-1",
        creditor=creditor,
        amount=Money(1250, "EUR"),
        end_to_end_id="E2E",
        uetr="00000000-0000-4000-8000-000000000000",
        remittance="",
        flow="choreographed",
        workflow="screen-first",
        workflow_version=1,
        batch_id=None,
        created_at=datetime(2030, 1, 1, tzinfo=UTC),
    )
    return PaymentFacts(order=order, debit_id="P1-00")


def held(bench: ServiceBench, **more: Any) -> BeneficiaryHeld:
    """A listed name with another date of birth: a person must decide."""
    command = screen("Viktor Blackwood", date_of_birth="1985-07-01", **more)
    turn = bench.hear(command, workflow="screen-first") if command.facts else bench.tell(command)
    (outcome,) = turn.answers
    assert isinstance(outcome, BeneficiaryHeld)
    return outcome


def decide(bench: ServiceBench, case_id: str, decision: str, reason: str = "I know him") -> FakeTurn:
    """A client sends a person\'s decision."""
    command = DecideReview(case_id=case_id, decision=decision, reason=reason)
    return bench.tell(command, sender="client/1", payment_id="")


def test_an_unlisted_beneficiary_is_cleared_and_the_clearance_is_recorded(bench: ServiceBench) -> None:
    """The record is the evidence without which nothing is executed; it names the lists it was made with."""
    (outcome,) = bench.tell(screen()).answers
    assert outcome == BeneficiaryCleared(screening_id="P1-00")
    recorded = queries.screening(bench.session, "P1-00")
    assert recorded is not None
    assert recorded["verdict"] == "cleared"
    assert recorded["lists"].startswith("made-up ")


def test_a_clearance_in_the_choreographed_flow_adds_its_evidence_to_the_facts(bench: ServiceBench) -> None:
    """Execution, further down the chain, must find the screening id."""
    (outcome,) = bench.hear(screen(facts=facts())).answers
    assert isinstance(outcome, BeneficiaryCleared)
    assert outcome.facts == PaymentFacts(order=facts().order, debit_id="P1-00", screening_id="P1-00")


def test_a_listed_beneficiary_is_blocked_with_the_regulatory_code(bench: ServiceBench) -> None:
    """RR04 is what the payment is rejected with."""
    (outcome,) = bench.tell(screen("Viktor Blackwood")).answers
    assert isinstance(outcome, BeneficiaryBlocked)
    assert outcome.reason.code == "RR04"
    assert "Viktor Blackwood" in outcome.reason.text


@pytest.mark.parametrize("name", ["Erika Mustermann", "Viktor Blackwood"])
def test_the_same_screening_again_gets_the_same_answer(bench: ServiceBench, name: str) -> None:
    """Commands are repeated after crashes."""
    assert bench.tell(screen(name)).answers == bench.tell(screen(name)).answers


def test_the_same_hold_again_names_the_same_case(bench: ServiceBench) -> None:
    """A repeat opens no second case for the person."""
    assert held(bench).case_id == held(bench).case_id
    assert len(queries.reviews(bench.session)) == 1


def test_a_clearance_is_not_given_to_another_name_under_the_same_id(bench: ServiceBench) -> None:
    """Else one harmless name would clear any other."""
    bench.tell(screen("Erika Mustermann"))
    (outcome,) = bench.tell(screen("Somebody Else")).answers
    assert isinstance(outcome, BeneficiaryBlocked)


def test_a_held_payment_has_a_case_in_its_partition_and_a_clock_for_the_review(bench: ServiceBench) -> None:
    """The case's id says which cell to ask; the timer calls when nobody has decided."""
    command = screen("Viktor Blackwood", date_of_birth="1985-07-01")
    turn = bench.tell(command, payment_id="P1-2f")
    (outcome,) = turn.answers
    assert isinstance(outcome, BeneficiaryHeld)
    assert outcome.case_id.endswith("-2f")
    assert outcome.review_seconds == 3600
    expected = (timedelta(hours=1), ReviewDue(case_id=outcome.case_id))
    assert turn.timers == {f"review/{outcome.case_id}": expected}
    (shown,) = queries.reviews(bench.session)
    assert shown["name"] == "Viktor Blackwood"
    assert shown["status"] == "open"


def test_a_decision_to_clear_goes_to_whoever_asked_for_the_screening(bench: ServiceBench) -> None:
    """The saga gets its reply, the client its confirmation, and a repeat the cleared verdict."""
    case_id = held(bench).case_id
    turn = decide(bench, case_id, "clear")
    assert turn.sent == [(SAGA, BeneficiaryCleared(screening_id="P1-00"))]
    assert turn.answers == [ReviewDecided(case_id=case_id, payment_id="P1-00", decision="clear")]
    assert turn.timers == {f"review/{case_id}": None}
    (again,) = bench.tell(screen("Viktor Blackwood", date_of_birth="1985-07-01")).answers
    assert isinstance(again, BeneficiaryCleared)


def test_a_decision_on_a_choreographed_payment_is_published_with_the_stored_facts(bench: ServiceBench) -> None:
    """Nobody waits for a reply there; the chain goes on from the event alone."""
    case_id = held(bench, facts=facts()).case_id
    turn = decide(bench, case_id, "block", "not him, but his company")
    (outcome,) = turn.published
    assert isinstance(outcome, BeneficiaryBlocked)
    assert outcome.facts == facts()
    assert outcome.reason.code == "RR04"
    assert "not him, but his company" in outcome.reason.text


def test_saying_a_decision_again_has_no_second_effect(bench: ServiceBench) -> None:
    """A client that lost its answer asks again."""
    case_id = held(bench).case_id
    decide(bench, case_id, "clear")
    turn = decide(bench, case_id, "clear", "once more")
    assert (turn.sent, turn.published) == ([], [])
    assert isinstance(turn.answers[0], ReviewDecided)


@pytest.mark.parametrize(
    ("case_id", "decision", "reason", "part"),
    [
        ("C9-00", "clear", "why", "no case C9-00"),
        (None, "perhaps", "why", "clear or block"),
        (None, "clear", "  ", "reason"),
    ],
)
def test_a_decision_that_cant_be_taken_is_refused_with_a_sentence(
    bench: ServiceBench, case_id: str | None, decision: str, reason: str, part: str
) -> None:
    """The operator reads what to do instead."""
    turn = decide(bench, case_id or held(bench).case_id, decision, reason)
    (refused,) = turn.answers
    assert isinstance(refused, ReviewRefused)
    assert part in refused.error
    assert turn.sent == []


def test_another_decision_than_the_one_that_stands_is_refused(bench: ServiceBench) -> None:
    """The payment has gone on from the first."""
    case_id = held(bench).case_id
    decide(bench, case_id, "block")
    turn = decide(bench, case_id, "clear")
    assert isinstance(turn.answers[0], ReviewRefused)
    assert turn.sent == []


def test_an_overdue_review_is_announced_once_and_stays_open(bench: ServiceBench) -> None:
    """Time alone neither clears nor blocks."""
    case_id = held(bench).case_id
    bench.now += timedelta(hours=1)
    ((target, overdue),) = bench.tell(ReviewDue(case_id=case_id)).sent
    assert target == SAGA
    assert isinstance(overdue, ReviewOverdue)
    assert bench.tell(ReviewDue(case_id=case_id)).sent == []
    assert queries.reviews(bench.session)[0]["overdue"] is True
    assert isinstance(decide(bench, case_id, "clear").answers[0], ReviewDecided)


def test_a_stopped_payments_case_is_closed_and_can_be_decided_no_more(bench: ServiceBench) -> None:
    """A clearance after the money went back must not start the payment again."""
    case_id = held(bench).case_id
    turn = bench.tell(CloseReview(screening_id="P1-00", reason="cancelled"))
    assert turn.answers == [ReviewClosed(screening_id="P1-00")]
    assert turn.timers == {f"review/{case_id}": None}
    assert isinstance(decide(bench, case_id, "clear").answers[0], ReviewRefused)
    assert queries.reviews(bench.session) == []


def test_a_screening_that_comes_after_its_payment_was_stopped_clears_nothing(bench: ServiceBench) -> None:
    """Messages overtake each other; the closing leaves a mark even where nothing was screened yet."""
    bench.tell(CloseReview(screening_id="P1-00", reason="cancelled"))
    assert bench.tell(screen()).answers == [ReviewClosed(screening_id="P1-00")]


def test_without_a_watchlist_every_payment_is_held(tmp_path: Path) -> None:
    """Nothing to compare with is no clearance."""
    bench = ServiceBench(Aml, Settings(data=str(tmp_path), aml=AmlSettings(watchlists=())))
    (outcome,) = bench.tell(screen()).answers
    assert isinstance(outcome, BeneficiaryHeld)
    assert "no watchlist" in outcome.reason.text


def test_a_configured_list_that_cant_be_read_holds_every_payment(tmp_path: Path) -> None:
    """A list with a hole in it must not clear anybody; the sentence names the file."""
    settings = Settings(data=str(tmp_path), aml=AmlSettings(watchlists=(str(tmp_path / "gone.csv"),)))
    bench = ServiceBench(Aml, settings)
    bench.tell(Started(downtime=timedelta(0)))
    (outcome,) = bench.tell(screen()).answers
    assert isinstance(outcome, BeneficiaryHeld)
    assert "gone.csv" in outcome.reason.text
    assert queries.lists(bench.session) == []


def test_the_configured_lists_are_recorded_at_the_first_start(bench: ServiceBench, tmp_path: Path) -> None:
    """From then on the record says what is in force, not the settings."""
    (shown,) = queries.lists(bench.session)
    assert (shown["name"], shown["source"], shown["entries"]) == ("made-up", "made-up.csv", 2)


def load(bench: ServiceBench, settings: Settings, path: Path, name: str) -> FakeTurn:
    """Load a list as the runtime does it: command, worker, result."""
    command = LoadWatchlist(name=name, path=str(path), source=path.name)
    return work(bench, settings, bench.tell(command, sender="client/7", payment_id=""))


def work(bench: ServiceBench, settings: Settings, turn: FakeTurn) -> FakeTurn:
    """Let the worker do the one task of `turn`, and AML take its result."""
    ((outbox, task),) = turn.tasks
    assert outbox == WATCHLISTS
    answers: list[Answer] = []
    worker = WatchlistWorker.for_cell(settings, "cell-0")
    worker.open(answers.extend)
    worker.perform([Handed(1, task, "", False)])  # type: ignore[arg-type]
    ((result,),) = [answer.results for answer in answers]
    return bench.tell(result, sender=WATCHLISTS, payment_id="")


def test_a_list_loaded_while_running_is_in_force_beside_the_others(
    bench: ServiceBench, settings: Settings, tmp_path: Path
) -> None:
    """Whoever asked hears it, the next payment is screened with it, and it stands in the record."""
    new = tmp_path / "new.csv"
    new.write_text("entry_id,name\n9,Hagen Tronje\n")
    turn = load(bench, settings, new, "second")
    (loaded,) = turn.answers
    assert isinstance(loaded, WatchlistLoaded)
    assert (loaded.name, loaded.entries) == ("second", 1)
    assert turn.answered_to == ["client/7"]
    for at, name in enumerate(["Hagen Tronje", "Viktor Blackwood"]):
        (outcome,) = bench.tell(screen(name, screening_id=f"P{at}-00")).answers
        assert isinstance(outcome, BeneficiaryBlocked)
    assert [shown["name"] for shown in queries.lists(bench.session)] == ["made-up", "second"]


def test_a_list_of_the_same_name_takes_the_old_ones_place(
    bench: ServiceBench, settings: Settings, tmp_path: Path
) -> None:
    """Whoever was taken off the list can be paid again."""
    new = tmp_path / "later.csv"
    new.write_text("entry_id,name\n2,Greta Nightshade\n")
    load(bench, settings, new, "made-up")
    assert isinstance(bench.tell(screen("Viktor Blackwood")).answers[0], BeneficiaryCleared)


def test_a_list_that_cant_be_read_is_refused_and_the_old_one_stays(
    bench: ServiceBench, settings: Settings, tmp_path: Path
) -> None:
    """A broken download must not open the gate."""
    bad = tmp_path / "bad.csv"
    bad.write_text("this is no list\n")
    turn = load(bench, settings, bad, "made-up")
    (refused,) = turn.answers
    assert isinstance(refused, WatchlistRefused)
    assert turn.answered_to == ["client/7"]
    assert isinstance(bench.tell(screen("Viktor Blackwood")).answers[0], BeneficiaryBlocked)


def test_two_lists_loaded_at_once_both_come_in_force(bench: ServiceBench, settings: Settings, tmp_path: Path) -> None:
    """The second index was built without the first list: it is built again instead of dropping it."""
    turns = []
    for name in ("Hagen Tronje", "Kriemhild Burgund"):
        path = tmp_path / f"{name.split()[0]}.csv"
        path.write_text(f"entry_id,name\n9,{name}\n")
        command = LoadWatchlist(name=path.stem, path=str(path), source=path.name)
        turns.append(bench.tell(command, sender="client/7", payment_id=""))
    work(bench, settings, turns[0])
    overtaken = work(bench, settings, turns[1])
    assert overtaken.answers == []
    work(bench, settings, overtaken)
    assert [shown["name"] for shown in queries.lists(bench.session)] == ["Hagen", "Kriemhild", "made-up"]
    assert isinstance(bench.tell(screen("Hagen Tronje")).answers[0], BeneficiaryBlocked)


def test_aml_reads_only_recorded_lists_after_a_restart(bench: ServiceBench, settings: Settings, tmp_path: Path) -> None:
    """What was loaded while running is still in force, though the settings never heard of it."""
    new = tmp_path / "new.csv"
    new.write_text("entry_id,name\n9,Hagen Tronje\n")
    load(bench, settings, new, "second")
    bench.service = Aml()
    bench.service.prepare(CellContext("cell-0", settings, bench.session, {}, frozenset()))
    assert isinstance(bench.tell(screen("Hagen Tronje")).answers[0], BeneficiaryBlocked)


def test_the_chain_screens_the_creditor_of_the_order() -> None:
    """In the debit-first order the debit is what screening reacts to."""
    event = AccountDebited(debit_id="P1-00", facts=facts())
    (reaction,) = reactions.REACTIONS["debit-first"]
    assert reaction.make(event) == screen("Viktor Blackwood", date_of_birth="1985-07-01", facts=facts())
