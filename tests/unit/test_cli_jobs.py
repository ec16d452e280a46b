"""One word on many payments: what a command previews, asks before it, hands over, and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from actors.admin import jobs
from actors.operations.messages import (
    AddItems,
    ApproveJob,
    CancelJob,
    JobRefused,
    JobStanding,
    PauseJob,
    RunJob,
    StartJob,
)
from actors.operations.model import DONE, Job
from actors.operations.store import Change, OperationsStore
from actors.store.sqlite import SqliteSession
from tests.fakes.desk import Desk as PlainDesk
from tests.fakes.stores import MICROS, keep_payment, open_store

PAYMENTS = ("P1-05", "P2-06", "P3-07")
JOB = "J01"
SETTLE = ("settle", "--executed", "--reason", "statement", "--by", "Ada", "--where", "status=needs_attention")


class Answered(io.StringIO):
    """A terminal at which somebody answers."""

    def isatty(self) -> bool:
        return True


class Desk(PlainDesk):
    """One with three payments in doubt, and a fake system that takes every job."""

    def job(self, *results: str, state: str = DONE, changed: tuple[str, str] = ("", "")) -> None:
        """A job stands in the store, with these results for the payments; who has changed it last, and why."""
        session = SqliteSession.open(self.data / "cells" / "cell-0" / "store.db", synchronous="OFF")
        session.begin()
        store = OperationsStore(session)
        job = Job(JOB, "settle", "executed", "Ada", "statement", "stuck", len(results), 0, state, "", "")
        store.open(job, MICROS)
        store.add(JOB, PAYMENTS[: len(results)], MICROS)
        changes = ((JOB, payment, Change("waiting", result, "so it is")) for payment, result in zip(PAYMENTS, results))  # noqa: B905
        if any(changed):
            store.move(JOB, state, MICROS, by=changed[0], reason=changed[1])
        store.write(changes, MICROS)
        session.commit()
        session.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk where nobody sits at the terminal."""
    session = open_store(tmp_path)
    for payment in PAYMENTS:
        keep_payment(session, payment, "needs_attention", "AB05")
    session.commit()
    session.close()
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr(jobs, "new_job_id", lambda: JOB)
    desk = Desk(tmp_path)
    standing = JobStanding(job_id=JOB, state="running", items=3)
    desk.client.answers = dict.fromkeys((StartJob, AddItems, RunJob, PauseJob, ApproveJob, CancelJob), standing)
    return desk


def test_what_waits_for_a_second_person_names_the_payment_in_a_column(desk: Desk) -> None:
    """Whoever approves looks at the payment first."""
    desk.job("waiting", state="requested")
    assert desk.run("actions", "list") == 0
    columns, row = (line.split() for line in desk.out.splitlines()[:2])
    assert row[columns.index("payment") + 1] == PAYMENTS[0]  # the action is of two words
    assert desk.run("actions", "list", "--json") == 0
    assert json.loads(desk.out)["actions"][0]["payment_id"] == PAYMENTS[0]


@pytest.mark.parametrize("word", ["approve", "deny"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (PAYMENTS[0], f"{PAYMENTS[0]} is a payment; what is asked for it has an id of its own: {JOB}"),
        (PAYMENTS[1], f"{PAYMENTS[1]} is a payment, for which nothing is asked; actions list shows"),
        ("J99", "J99 is nothing that anybody has asked for; actions list shows"),
    ],
)
def test_an_id_that_is_no_actions_is_answered_with_the_list_that_has_them(
    desk: Desk, word: str, given: str, said: str
) -> None:
    """A payment's id is at hand, the job's is not."""
    desk.job("waiting", state="requested")
    assert desk.run("actions", word, given, "--reason", "seen", "--by", "Bob") == 1
    assert said in desk.err
    assert not desk.client.asked


def test_of_many_payments_the_query_is_shown_and_none_is_named(desk: Desk) -> None:
    """One of three would mislead."""
    desk.job("waiting", "waiting", state="requested")
    assert desk.run("actions", "list", "--json") == 0
    assert json.loads(desk.out)["actions"][0]["payment_id"] is None


def test_a_job_that_was_refused_while_it_was_handed_over_is_given_up(desk: Desk) -> None:
    """Else it would stand in the list as open for ever, in some cells."""
    desk.client.answers[AddItems] = JobRefused(job_id=JOB, error="Bob has asked for the opposite")
    assert desk.run(*SETTLE, "--yes") == 1
    assert "Bob has asked for the opposite" in desk.err
    assert isinstance(desk.client.asked[-1][2], CancelJob)


def test_a_job_that_was_given_up_says_who_has_ended_it_and_why(desk: Desk) -> None:
    """Nothing about the payments that it left stands anywhere else."""
    desk.job("done", "waiting", state="cancelled", changed=("Cy", "the query was wrong"))
    assert desk.run(*SETTLE, "--yes") == 1
    assert "settle was not done to 1 of 2 payments, since Cy has ended the job: the query was wrong" in desk.err
    assert desk.run("jobs", "show", JOB) == 0
    assert "Cy: the query was wrong" in desk.out
    assert "never begun  1" in desk.out


def test_one_payment_is_told_as_one(desk: Desk) -> None:
    """A sentence about 1 payments is not read twice."""
    assert desk.run("settle", "--executed", "--reason", "x", "--where", "payment=P1-05") == 1
    assert "to settle 1 payment without being asked" in desk.err
    assert desk.run("settle", "--executed", "--where", "payment=P1-05", "--preview") == 0
    assert "1 payment:" in desk.out


def test_a_preview_counts_sums_and_shows_some_and_does_nothing(desk: Desk) -> None:
    """Before anything is done to many payments one sees to which."""
    assert desk.run("settle", "--executed", "--where", "reason=AB05", "--preview", "--json") == 0
    preview: Any = json.loads(desk.out)
    assert preview["payments"] == 3
    assert preview["groups"] == [
        {"status": "needs_attention", "reason": "AB05", "flow": "orchestrated", "currency": "EUR", "payments": 3,
         "amount": "37.50"}
    ]  # fmt: skip
    assert [each["payment_id"] for each in preview["sample"]] == ["P3-07", "P2-06", "P1-05"]
    assert not desk.client.asked


def test_without_a_terminal_many_payments_need_a_yes_on_the_line(desk: Desk) -> None:
    """A script that meant one payment must not do it to thousands."""
    assert desk.run(*SETTLE) == 1
    assert "to settle 3 payments without being asked, give --yes" in desk.err
    assert not desk.client.asked


@pytest.mark.parametrize(("answer", "status"), [("3\n", 0), ("y\n", 0), ("n\n", 1), ("", 1), ("30\n", 1)])
def test_whoever_sits_there_is_asked_and_only_a_yes_or_the_count_counts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    """Return pressed by mistake does nothing."""
    desk.job("done", "done", "done")
    monkeypatch.setattr("sys.stdin", Answered(answer))
    assert desk.run(*SETTLE) == status
    assert "settle 3 payments (37.50 EUR)? Type 3 or y: " in desk.err
    assert bool(desk.client.asked) == (status == 0)


def test_the_payments_are_handed_over_once_and_then_the_job_runs(desk: Desk) -> None:
    """The set is that of the moment of the question, whatever happens meanwhile."""
    desk.job("done", "done", "done")
    assert desk.run(*SETTLE, "--yes") == 0
    start, add, run = (message for _, _, message in desk.client.asked)
    assert (start.action, start.argument, start.by, start.total) == ("settle", "executed", "Ada", 3)
    assert (start.query, start.reason) == ("status=needs_attention", "statement")
    assert add.payment_ids == PAYMENTS
    assert run.items == 3


def test_what_could_not_be_done_is_named_and_ends_the_command_with_one(desk: Desk) -> None:
    """Each payment has its own result; a script sees by the status that it was not all."""
    desk.job("done", "refused", "done")
    assert desk.run(*SETTLE, "--yes", "--json") == 1
    document: Any = json.loads(desk.out)
    assert (document["done"], document["refused"]) == (2, 1)
    assert [(each["payment_id"], each["result"]) for each in document["results"]] == [
        ("P1-05", "done"), ("P2-06", "refused"), ("P3-07", "done")
    ]  # fmt: skip
    assert "settle was not done to 1 of 3 payments; jobs show J01 says why" in desk.err


def test_what_waits_for_a_second_person_is_said_and_ends_with_four(desk: Desk) -> None:
    """Asked for is not done."""
    desk.client.answers[RunJob] = JobStanding(job_id=JOB, state="requested", items=3)
    assert desk.run(*SETTLE, "--yes") == 4
    assert "waits for another person: actions approve J01 --by NAME" in desk.out


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (("cancel", "--reason", "x"), "name one payment, or give --where"),
        (("cancel", "P1-05", "--where", "stuck", "--reason", "x"), "name one payment, or give --where"),
        (("cancel", "P1-05"), "give the reason with --reason TEXT"),
        (("cancel", "P1-05", "--preview"), "--preview goes with --where"),
        (("cancel", "--where", "status=gone", "--preview"), "--where at 8, 'gone': status is one of received"),
        (("payments", "--where", "what"), "--where at 1, 'what': expected one of the fields"),
    ],
)
def test_a_line_that_does_not_say_on_what_or_why_is_wrong_usage(
    desk: Desk, line: tuple[str, ...], sentence: str
) -> None:
    """In one sentence that says what to write."""
    assert desk.run(*line) == 2
    assert sentence in desk.err


def test_stuck_payments_are_named_with_the_reason_and_for_how_long(desk: Desk) -> None:
    """They find the operator."""
    assert desk.run("payments", "--stuck", "--json") == 0
    assert all(payment["seconds"] >= 0 for payment in json.loads(desk.out)["payments"])
    desk.run("status", "--json")
    stuck = json.loads(desk.out)["stuck"]
    assert (stuck["count"], stuck["by_reason"]) == (3, {"AB05": 3})
    assert stuck["sample"][0]["reason_text"] == "in words"


def test_a_job_is_listed_shown_paused_and_approved(desk: Desk) -> None:
    """The words for a job are those for anything else."""
    desk.job("done", "refused")
    assert desk.run("jobs", "list") == 0
    assert "settle executed" in desk.out
    assert desk.run("jobs", "show", JOB) == 0
    assert "so it is" in desk.out
    assert desk.run("jobs", "pause", JOB, "--by", "Bob") == 0
    assert desk.client.asked[-1][2] == PauseJob(job_id=JOB, by="Bob")
    desk.client.answers[ApproveJob] = JobRefused(job_id=JOB, error="another person must approve it")
    assert desk.run("actions", "approve", JOB, "--by", "Ada") == 1
    assert "another person must approve it" in desk.err
    assert desk.run("jobs", "show", "J99") == 1
    assert "there is no job J99" in desk.err
