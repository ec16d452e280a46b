"""The simulated rail: every test account, under a clock of the test's own, with its journal closed and reopened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from actors.execution.messages import (
    ACCEPTED,
    BY_QUERY,
    EXECUTED,
    NOT_RECEIVED,
    REJECTED,
    RETURNED,
    UNKNOWN,
    RailAnswered,
    SubmitInstruction,
)
from actors.execution.queries import Journaled, executions
from actors.execution.rail import RailUnreachable, Submission
from actors.execution.simulated_rail import SimulatedRail
from actors.vocabulary.money import Money


class RailBench:
    """A rail with a clock that only the test moves. `late` has all that was answered by itself, in order."""

    def __init__(self, path: Path, delay_ms: tuple[float, float] = (10, 10)) -> None:
        self.path = path
        self.delay_ms = delay_ms
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.late: list[RailAnswered] = []
        self.rail = self._opened()

    def _opened(self) -> SimulatedRail:
        rail = SimulatedRail(self.path, self.delay_ms, lambda: self.now, Random(7))
        rail.open()
        return rail

    def restart(self) -> None:
        """The process ends and comes back; only the journal stays."""
        self.rail.close()
        self.rail = self._opened()

    def submit(self, account: str = "DE75", instruction_id: str = "P1") -> RailAnswered | None:
        """Submit one instruction."""
        [answer] = self.rail.submit([submission(instruction_id, account)])
        return answer

    def query(self, instruction_id: str = "P1") -> str:
        """The verdict of a status query."""
        [answer] = self.rail.query([instruction_id])
        assert answer.source == BY_QUERY
        return answer.verdict

    def run(self, seconds: float) -> list[str]:
        """Let time pass, calling the rail whenever it asks for it; the verdicts it gave by itself."""
        end = self.now + timedelta(seconds=seconds)
        heard = []
        while (due := self.rail.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            heard += [answer for _, answer in self.rail.answers()]
        self.now = end
        self.late += heard
        return [answer.verdict for answer in heard]

    def journal(self) -> dict[str, str]:
        """State by instruction, as `verify` reads it."""
        return {line.instruction_id: line.state for line in executions(self.path)}


def submission(instruction_id: str, account: str = "DE75") -> Submission:
    """An instruction over 12.50 EUR to `account`."""
    return Submission(
        f"payment-of-{instruction_id}",
        SubmitInstruction(
            instruction_id=instruction_id,
            debtor_account="ACC-1",
            creditor_name="Ada",
            creditor_account=account,
            creditor_country=None,
            amount=Money(1250, "EUR"),
            end_to_end_id="E2E-1",
            uetr="00000000-0000-4000-8000-000000000001",
        ),
    )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[RailBench]:
    """A rail that takes ten milliseconds."""
    found = RailBench(tmp_path / "rail" / "cell-0.db")
    yield found
    found.rail.close()


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[RailBench]:
    """A rail that answers at once."""
    found = RailBench(tmp_path / "rail" / "cell-0.db", delay_ms=(0, 0))
    yield found
    found.rail.close()


def verdict(answer: RailAnswered | None) -> str | None:
    """What was said, if anything."""
    return None if answer is None else answer.verdict


def test_an_ordinary_instruction_is_accepted_then_executed(bench: RailBench) -> None:
    """After the delay, and the journal says so."""
    assert verdict(bench.submit()) == ACCEPTED
    assert bench.query() == ACCEPTED
    assert bench.run(1) == [EXECUTED]
    assert bench.query() == EXECUTED
    assert list(executions(bench.path)) == [Journaled("P1", "payment-of-P1", EXECUTED, 1250, "EUR")]


def test_without_delay_the_answer_to_the_submission_is_final(prompt: RailBench) -> None:
    """One message instead of two."""
    assert verdict(prompt.submit()) == EXECUTED
    assert prompt.rail.next_due() is None


def test_the_delay_is_random_within_its_bounds(tmp_path: Path) -> None:
    """And the same for the same seed."""
    bench = RailBench(tmp_path / "rail.db", delay_ms=(5, 50))
    bench.rail.submit([submission(f"P{number}") for number in range(200)])
    began = bench.now
    seen = set()
    while (due := bench.rail.next_due()) is not None:
        bench.now = due
        seen.add(due - began)
        bench.rail.answers()
    assert timedelta(milliseconds=5) <= min(seen)
    assert max(seen) <= timedelta(milliseconds=50 + 10)  # answers are gathered for ten milliseconds
    assert len(seen) > 1
    bench.rail.close()


def test_a_resend_executes_nothing_twice(bench: RailBench) -> None:
    """The instruction id makes it harmless, before and after the execution, and within one batch."""
    first, second = bench.rail.submit([submission("P1"), submission("P1")])
    assert [verdict(first), verdict(second)] == [ACCEPTED, ACCEPTED]
    assert bench.run(1) == [EXECUTED]
    assert verdict(bench.submit()) == EXECUTED
    assert bench.run(1) == []
    assert bench.journal() == {"P1": EXECUTED}


def test_reject(bench: RailBench) -> None:
    """`TEST-REJECT-<code>` is rejected with that code and its words."""
    bench.submit("TEST-REJECT-AC04")
    assert bench.run(1) == [REJECTED]
    [answer] = bench.late
    assert answer.reason is not None
    assert (answer.reason.code, answer.reason.text) == ("AC04", "the creditor's account is closed")


def test_late(bench: RailBench) -> None:
    """`TEST-LATE-<seconds>` is decided that much later."""
    bench.submit("TEST-LATE-90.5")
    assert bench.run(90) == []
    assert bench.query() == ACCEPTED
    assert bench.run(1) == [EXECUTED]


def test_silent(bench: RailBench) -> None:
    """`TEST-SILENT` says nothing, and a query gets no proof."""
    assert bench.submit("TEST-SILENT") is None
    assert bench.run(3_600) == []
    assert bench.query() == UNKNOWN
    assert bench.submit("TEST-SILENT") is None


def test_lost(bench: RailBench) -> None:
    """`TEST-LOST` is executed and only a query tells."""
    bench.submit("TEST-LOST")
    assert bench.run(3_600) == []
    assert bench.query() == EXECUTED


def test_twice(bench: RailBench) -> None:
    """`TEST-TWICE` answers twice and executes once."""
    bench.submit("TEST-TWICE")
    assert bench.run(1) == [EXECUTED, EXECUTED]
    assert bench.late[0] == bench.late[1]


def test_not_received(bench: RailBench) -> None:
    """`TEST-NOTRECEIVED` loses the first submission; a query proves it, and the second is executed."""
    assert bench.submit("TEST-NOTRECEIVED") is None
    assert bench.run(60) == []
    bench.restart()
    assert bench.query() == NOT_RECEIVED
    assert verdict(bench.submit("TEST-NOTRECEIVED")) == ACCEPTED
    assert bench.run(1) == [EXECUTED]


def test_contradict(bench: RailBench) -> None:
    """`TEST-CONTRADICT` rejects, then executes, and says so until it is confirmed."""
    bench.submit("TEST-CONTRADICT")
    assert bench.run(0.1) == [REJECTED]
    assert bench.query() == REJECTED
    assert bench.run(1) == [EXECUTED]
    assert bench.query() == EXECUTED
    assert bench.run(5) == [EXECUTED]
    bench.rail.confirm(["P1"])
    assert bench.run(3_600) == []


def test_return(bench: RailBench) -> None:
    """`TEST-RETURN-<code>` is executed and comes back, under one return id however often it is said."""
    bench.submit("TEST-RETURN-AC04")
    assert bench.run(1) == [EXECUTED, RETURNED]
    bench.restart()
    assert bench.run(5) == [RETURNED]
    assert bench.late[1] == bench.late[2]
    assert bench.late[1].return_id
    assert bench.late[1].reason is not None
    assert bench.late[1].reason.code == "AC04"
    bench.rail.confirm(["P1"])
    assert bench.run(3_600) == []
    assert bench.query() == EXECUTED
    assert bench.journal() == {"P1": RETURNED}


@pytest.mark.parametrize(
    ("account", "at_once", "later"),
    [
        ("TEST-REJECT-AC04", REJECTED, []),
        ("TEST-LATE-2", ACCEPTED, [EXECUTED]),
        ("TEST-LATE-0", EXECUTED, []),
        ("TEST-SILENT", None, []),
        ("TEST-LOST", None, []),
        ("TEST-TWICE", EXECUTED, [EXECUTED]),
        ("TEST-NOTRECEIVED", None, []),
        ("TEST-CONTRADICT", REJECTED, [EXECUTED]),
        ("TEST-RETURN-AC04", EXECUTED, [RETURNED]),
        ("TEST-LATE-soon", EXECUTED, []),
        ("TEST-REJECT-", EXECUTED, []),
        ("TEST-SOMETHING", EXECUTED, []),
    ],
)
def test_every_account_without_delay(prompt: RailBench, account: str, at_once: str | None, later: list[str]) -> None:
    """What comes without delay comes with the submission; an account that is no test account is ordinary."""
    assert verdict(prompt.submit(account)) == at_once
    assert prompt.run(3) == later


@pytest.mark.parametrize(
    ("account", "heard"),
    [
        ("DE75", [EXECUTED]),
        ("TEST-REJECT-AC04", [REJECTED]),
        ("TEST-LATE-2", [EXECUTED]),
        ("TEST-SILENT", []),
        ("TEST-LOST", []),
        ("TEST-TWICE", [EXECUTED, EXECUTED]),
        ("TEST-CONTRADICT", [REJECTED, EXECUTED]),
        ("TEST-RETURN-AC04", [EXECUTED, RETURNED]),
    ],
)
def test_a_rail_that_is_restarted_at_any_moment_carries_on(bench: RailBench, account: str, heard: list[str]) -> None:
    """Its answers are due by the journal, not by memory."""
    bench.submit(account)
    said = []
    for _ in range(20):
        bench.restart()
        said += bench.run(0.15)
    assert said == heard


def test_what_fell_due_while_it_was_down_is_answered_in_windows(bench: RailBench) -> None:
    """A hundred thousand due answers are never in memory together."""
    bench.rail.submit([submission(f"P{number:04d}") for number in range(1_500)])
    bench.restart()
    bench.now += timedelta(hours=1)
    sizes = []
    while (due := bench.rail.next_due()) is not None:
        assert due <= bench.now
        sizes.append(len(bench.rail.answers()))
    assert sum(sizes) == 1_500
    assert max(sizes) <= 512


def test_an_instruction_it_never_saw_is_not_received(bench: RailBench) -> None:
    """The journal is complete: absence is proof."""
    assert bench.query("P9") == NOT_RECEIVED


def test_a_journal_that_cannot_be_used_is_a_rail_that_cannot_be_reached(tmp_path: Path) -> None:
    """The worker waits and tries again."""
    (tmp_path / "rail.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(RailUnreachable):
        RailBench(tmp_path / "rail.db")


def test_without_a_journal_there_are_no_executions(tmp_path: Path) -> None:
    """`verify` on a system that has never paid."""
    assert list(executions(tmp_path / "none.db")) == []
