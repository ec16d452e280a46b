"""What Execution needs of any rail, through its worker: order, proof before a resend, patience, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from actors.execution.messages import (
    ACCEPTED,
    EXECUTED,
    NOT_RECEIVED,
    ConfirmAnswer,
    QueryInstruction,
    RailAnswered,
    SubmitInstruction,
)
from actors.execution.rail import LateAnswer, RailUnreachable, Submission
from actors.execution.simulated_rail import SimulatedRail
from actors.execution.worker import RailWorker
from actors.messaging.message import Task
from actors.runtime.service import Answer, Handed
from actors.vocabulary.money import Money


class WatchedRail:
    """A simulated rail behind a line that can be cut: before (`cut`) or after (`deaf`) it has done what was asked."""

    def __init__(self, rail: SimulatedRail) -> None:
        self.rail = rail
        self.cut = False
        self.deaf = False
        self.chokes_on = ""
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    def open(self) -> None:
        """Connect."""
        if self.cut:
            raise RailUnreachable("the line is cut")
        self.rail.open()

    def submit(self, batch: Sequence[Submission]) -> list[RailAnswered | None]:
        """Pass it on."""
        ids = tuple(instruction.instruction_id for _, instruction in batch)
        self._called("submit", ids)
        answers = self.rail.submit(batch)
        if self.deaf:
            raise RailUnreachable("no answer")
        return answers

    def query(self, instruction_ids: Sequence[str]) -> list[RailAnswered]:
        """Pass it on."""
        self._called("query", tuple(instruction_ids))
        return self.rail.query(instruction_ids)

    def confirm(self, instruction_ids: Sequence[str]) -> None:
        """Pass it on."""
        self._called("confirm", tuple(instruction_ids))
        self.rail.confirm(instruction_ids)

    def answers(self) -> list[LateAnswer]:
        """Pass it on."""
        return self.rail.answers()

    def next_due(self) -> datetime | None:
        """Pass it on."""
        return self.rail.next_due()

    def close(self) -> None:
        """Disconnect."""
        self.rail.close()

    def _called(self, what: str, ids: tuple[str, ...]) -> None:
        if self.cut:
            raise RailUnreachable("the line is cut")
        if self.chokes_on in ids:
            raise TypeError("a task that no rail can take")
        self.calls.append((what, ids))


class WorkerBench:
    """A worker with a clock that only the test moves; `answers` has all that it delivered."""

    def __init__(self, path: Path, delay_ms: tuple[float, float] = (0, 0)) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.answers: list[Answer] = []
        self.handed = 0
        self.rail = WatchedRail(SimulatedRail(path, delay_ms, lambda: self.now, Random(7)))
        self.worker = RailWorker(self.rail, lambda: self.now, Random(7))
        self.worker.open(self.answers.extend)

    def hand(self, *tasks: Task, again: bool = False) -> None:
        """Hand tasks over as one batch, numbered from 1."""
        batch = []
        for task in tasks:
            self.handed += 1
            batch.append(Handed(self.handed, task, "P", again))
        self.worker.perform(batch)

    def wait(self) -> None:
        """Let time pass until the worker wants to go on, and let it."""
        due = self.worker.due(self.now)
        assert due is not None
        self.now = max(self.now, due)
        self.worker.perform([])

    @property
    def said(self) -> list[tuple[int | None, str | None]]:
        """Outbox entry and verdict of every answer."""
        return [
            (answer.finishes, answer.results[0].verdict if answer.results else None)  # type: ignore[attr-defined]
            for answer in self.answers
        ]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[WorkerBench]:
    """A worker over a rail that answers at once."""
    found = WorkerBench(tmp_path / "rail.db")
    yield found
    found.worker.close()


def submit(instruction_id: str, account: str = "DE75") -> SubmitInstruction:
    """An instruction over 12.50 EUR to `account`."""
    return SubmitInstruction(
        instruction_id=instruction_id,
        debtor_account="ACC-1",
        creditor_name="Ada",
        creditor_account=account,
        creditor_country=None,
        amount=Money(1250, "EUR"),
        end_to_end_id="E2E-1",
        uetr="00000000-0000-4000-8000-000000000001",
    )


def ask(instruction_id: str) -> QueryInstruction:
    """A status query."""
    return QueryInstruction(instruction_id=instruction_id, payment_id="P")


def test_an_answer_finishes_its_task(bench: WorkerBench) -> None:
    """And goes to Execution, under the payment."""
    bench.hand(submit("A"), submit("B"))
    assert bench.said == [(1, EXECUTED), (2, EXECUTED)]
    assert {(answer.target, answer.payment_id) for answer in bench.answers} == {("execution", "P")}


def test_a_submission_without_a_word_is_done_all_the_same(bench: WorkerBench) -> None:
    """Execution's clock owns the doubt; the outbox need not keep it."""
    bench.hand(submit("A", "TEST-SILENT"))
    assert bench.said == [(1, None)]


def test_a_late_answer_finishes_nothing(tmp_path: Path) -> None:
    """The submission was finished when it was accepted."""
    bench = WorkerBench(tmp_path / "rail.db", delay_ms=(10, 10))
    bench.hand(submit("A"))
    bench.wait()
    assert bench.said == [(1, ACCEPTED), (None, EXECUTED)]
    assert bench.worker.due(bench.now) is None
    bench.worker.close()


def test_a_query_never_overtakes_its_submission(bench: WorkerBench) -> None:
    """Otherwise `not_received` would prove nothing."""
    bench.rail.cut = True
    bench.hand(submit("A"), ask("A"))
    bench.hand(ask("A"))
    assert bench.said == []
    bench.rail.cut = False
    bench.wait()
    assert bench.said == [(1, EXECUTED), (2, EXECUTED), (3, EXECUTED)]


def test_what_was_handed_over_before_is_asked_for_first(bench: WorkerBench) -> None:
    """Only what the rail proves not to have is sent again."""
    bench.hand(submit("A"))
    bench.rail.calls.clear()
    bench.hand(submit("A"), submit("B"), again=True)
    assert bench.rail.calls == [("query", ("A", "B")), ("submit", ("B",))]
    assert bench.said[1:] == [(2, EXECUTED), (3, EXECUTED)]


def test_after_a_line_that_broke_in_the_middle_it_asks_before_it_sends_again(bench: WorkerBench) -> None:
    """The rail may have got the batch."""
    bench.rail.deaf = True
    bench.hand(submit("A"))
    bench.rail.deaf = False
    bench.wait()
    assert [what for what, _ in bench.rail.calls] == ["submit", "query"]
    assert bench.said == [(1, EXECUTED)]


def test_a_rail_that_is_away_is_tried_less_and_less_often(bench: WorkerBench) -> None:
    """With jitter, and never slower than every fifteen seconds."""
    bench.rail.cut = True
    bench.hand(submit("A"))
    pauses = []
    for _ in range(12):
        due = bench.worker.due(bench.now)
        assert due is not None
        pauses.append(due - bench.now)
        bench.wait()
    assert pauses[0] <= timedelta(milliseconds=300)
    assert timedelta(seconds=5) <= pauses[-1] <= timedelta(seconds=15)
    assert bench.said == []


def test_while_it_is_away_new_tasks_wait_in_order(bench: WorkerBench) -> None:
    """They neither hammer the line nor overtake."""
    bench.rail.cut = True
    bench.hand(submit("A"))
    bench.hand(submit("B"))
    bench.rail.cut = False
    bench.wait()
    assert bench.said == [(1, EXECUTED), (2, EXECUTED)]


def test_a_rail_that_is_away_at_the_start_is_reached_later(tmp_path: Path) -> None:
    """A cell starts without its rail."""
    bench = WorkerBench(tmp_path / "rail.db")
    bench.worker.close()
    rail = bench.rail
    rail.cut = True
    bench.worker = RailWorker(rail, lambda: bench.now, Random(7))
    bench.worker.open(bench.answers.extend)
    bench.hand(submit("A"))
    rail.cut = False
    bench.wait()
    assert bench.said == [(1, EXECUTED)]
    bench.worker.close()


def test_one_task_that_no_rail_can_take_holds_nobody_up(bench: WorkerBench) -> None:
    """It is set aside unfinished: its payment gets into doubt, and so before a person."""
    bench.rail.chokes_on = "B"
    bench.hand(submit("A"), submit("B"), submit("C"))
    bench.hand(submit("D"))
    assert bench.said == [(1, EXECUTED), (3, EXECUTED), (4, EXECUTED)]


def test_a_confirmation_is_done_without_a_word(bench: WorkerBench) -> None:
    """And the return is not repeated any more."""
    bench.hand(submit("A", "TEST-RETURN-AC04"))
    bench.wait()
    bench.hand(ConfirmAnswer(instruction_id="A"))
    assert bench.said[-1] == (2, None)
    assert bench.worker.due(bench.now) is None


def test_a_caller_whose_clock_differs_is_woken_after_the_same_time(tmp_path: Path) -> None:
    """A due moment is given by the caller's own clock."""
    bench = WorkerBench(tmp_path / "rail.db", delay_ms=(50, 50))
    bench.hand(submit("A"))
    ahead = bench.now + timedelta(hours=1)
    due = bench.worker.due(ahead)
    assert due is not None
    assert timedelta(0) < due - ahead <= timedelta(milliseconds=50)
    bench.worker.close()


def test_what_the_rail_never_got_is_proven(bench: WorkerBench) -> None:
    """A query says so, and the resend is executed."""
    bench.hand(submit("A", "TEST-NOTRECEIVED"), ask("A"), submit("A", "TEST-NOTRECEIVED"))
    assert bench.said == [(1, None), (2, NOT_RECEIVED), (3, EXECUTED)]


def test_a_rail_that_comes_back_gets_what_has_gathered_in_growing_batches(bench: WorkerBench) -> None:
    """Thousands that waited would knock it over again; all of them get there, in order, once."""
    bench.rail.cut = True
    bench.hand(*[submit(f"A{number:04d}") for number in range(1_000)])
    assert bench.worker.circuit.state(bench.now) == "open"
    bench.rail.cut = False
    began, sizes = bench.now, []
    while len(bench.answers) < 1_000:
        before = len(bench.answers)
        bench.wait()
        sizes.append(len(bench.answers) - before)
    assert sizes == [8, 16, 32, 64, 128, 256, 496]
    assert sum(len(ids) for what, ids in bench.rail.calls if what == "submit") == 1_000
    assert [entry for entry, _ in bench.said] == list(range(1, 1_001))
    assert bench.now - began < timedelta(seconds=3)
    assert bench.worker.circuit.state(bench.now) == "closed"


def test_a_rail_that_breaks_down_under_the_return_is_left_alone_again(bench: WorkerBench) -> None:
    """Half-open, then open: the next question is a small one."""
    bench.rail.cut = True
    bench.hand(*[submit(f"A{number:04d}") for number in range(100)])
    bench.rail.cut = False
    bench.wait()
    assert bench.worker.circuit.state(bench.now) == "ramping"
    bench.rail.cut = True
    bench.wait()
    assert bench.worker.circuit.state(bench.now) == "open"
    bench.rail.cut = False
    bench.rail.calls.clear()
    bench.wait()
    assert [len(ids) for what, ids in bench.rail.calls if what == "submit"] == [8]


def test_what_the_rail_says_by_itself_is_heard_while_speed_comes_back(tmp_path: Path) -> None:
    """Answers cost it nothing: they don't wait for the tasks."""
    bench = WorkerBench(tmp_path / "rail.db", delay_ms=(10, 10))
    bench.rail.cut = True
    bench.hand(*[submit(f"A{number:04d}") for number in range(100)])
    bench.rail.cut = False
    while len([verdict for _, verdict in bench.said if verdict == EXECUTED]) < 100:
        bench.wait()
    first_executed = next(at for at, (_, verdict) in enumerate(bench.said) if verdict == EXECUTED)
    last_accepted = max(at for at, (_, verdict) in enumerate(bench.said) if verdict == ACCEPTED)
    assert first_executed < last_accepted
    bench.worker.close()
