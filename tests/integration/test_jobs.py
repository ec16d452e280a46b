"""Jobs of people over many payments, in a real cell: each item once, whatever dies; paused, resumed, given up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from actors.execution.messages import SettlementRefused
from actors.messaging.message import Message
from actors.operations.messages import (
    AddItems,
    ApproveJob,
    CancelJob,
    DenyJob,
    JobRefused,
    JobStanding,
    PauseJob,
    ResumeJob,
    RunJob,
    StartJob,
)
from tests.fakes.bank import DOUBTFUL, Bank, Way, every_way

ORCHESTRATED = Way("orchestrated", "debit-first")
JOB = "J01"


def told(bank: Bank, message: Message) -> JobStanding:
    """What Operations answers to a command that it takes."""
    answer = bank.cell.tell("operations", message)
    assert isinstance(answer, JobStanding), answer
    return answer


def refused(bank: Bank, message: Message) -> str:
    """The sentence of what Operations refuses."""
    answer = bank.cell.tell("operations", message)
    assert isinstance(answer, JobRefused), answer
    return answer.error


def opened(bank: Bank, action: str, payments: list[str], argument: str = "", by: str = "Ada") -> RunJob:
    """A job whose payments have all come; the command that runs it."""
    told(bank, StartJob(job_id=JOB, action=action, argument=argument, by=by, reason="a repair", total=len(payments)))
    for chunk in range(0, len(payments), 4):
        add = AddItems(job_id=JOB, chunk=chunk, payment_ids=tuple(payments[chunk : chunk + 4]))
        assert told(bank, add) == told(bank, add)  # a client that was not answered sends it again
    return RunJob(job_id=JOB, items=len(payments))


def results(bank: Bank) -> Counter[str]:
    """How many items are in each state."""
    return Counter(row[0] for row in bank.cell.ask("SELECT state FROM operation_items"))


def state(bank: Bank, job: str = JOB) -> str:
    """The job's state."""
    return str(bank.cell.ask("SELECT state FROM operation_jobs WHERE job_id = ?", job)[0][0])


def held(bank: Bank, number: int) -> list[str]:
    """Payments that wait for a person."""
    payments = bank.pay_all(bank.order(name=DOUBTFUL, amount=100) for _ in range(number))
    bank.rest()
    assert {bank.status(payment) for payment in payments} == {"held"}
    return payments


@every_way
def test_a_job_cancels_what_can_be_cancelled_and_says_of_the_rest_why_not(way: Way, tmp_path: Path) -> None:
    """The same words as for one payment; each item has its own result, in either flow."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payments = [*held(bank, 3), bank.pay()]
        bank.rest()
        told(bank, opened(bank, "cancel", payments))
        bank.cell.until(lambda: state(bank) == "done")
        assert [bank.status(payment) for payment in payments] == ["cancelled"] * 3 + ["completed"]
        assert results(bank) == {"done": 3, "refused": 1}
        text = bank.cell.ask("SELECT text FROM operation_items WHERE state = 'refused'")[0][0]
        assert "completed" in text or "already at the bank" in text
        asked = next(each for each in bank.timeline(payments[0]) if each.envelope.sender == "operations")
        said = asked.envelope.message
        assert asked.envelope.kind == "operator"
        assert (said.by, said.reason, said.job_id) == ("Ada", "a repair", JOB)  # type: ignore[attr-defined]


@every_way
def test_a_job_that_is_killed_again_and_again_does_each_item_once(way: Way, tmp_path: Path) -> None:
    """What a commit has done is not done again, and nothing is left out."""
    with Bank(tmp_path, way, operators={"items_per_second": 60}) as bank:
        bank.open_account()
        payments = bank.pay_all(bank.order("TEST-SILENT", amount=100) for _ in range(12))
        bank.pass_time(90)
        assert {bank.status(payment) for payment in payments} == {"needs_attention"}
        told(bank, opened(bank, "settle", payments, "executed"))
        for done in (1, 4, 7, 10):
            bank.cell.until(lambda done=done: results(bank)["done"] >= done)  # type: ignore[misc]
            bank.crash()
        bank.cell.until(lambda: state(bank) == "done")
        bank.rest()
        assert results(bank) == {"done": 12}
        assert {bank.status(payment) for payment in payments} == {"completed"}
        for payment in payments:
            assert bank.story(payment).count("SettleExecution") == 1
            assert bank.story(payment).count("PaymentExecuted") == 1
        assert bank.cell.ask("SELECT done, asked FROM operation_jobs") == [(12, 0)]


def test_a_job_stops_while_it_is_paused_and_never_begins_what_was_left_when_it_is_cancelled(tmp_path: Path) -> None:
    """Whoever sees that the query was wrong can stop in the middle."""
    with Bank(tmp_path, ORCHESTRATED, operators={"items_per_second": 20}) as bank:
        bank.open_account()
        payments = held(bank, 12)
        told(bank, opened(bank, "cancel", payments))
        bank.cell.until(lambda: results(bank)["done"] >= 2)
        told(bank, PauseJob(job_id=JOB, by="Bob", reason="look first"))
        bank.rest()
        done = results(bank)["done"]
        bank.pass_time(5)
        assert (results(bank)["done"], state(bank)) == (done, "paused")
        told(bank, ResumeJob(job_id=JOB, by="Bob", reason="go on"))
        bank.cell.until(lambda: results(bank)["done"] > done)
        told(bank, CancelJob(job_id=JOB, by="Bob", reason="wrong query"))
        bank.rest()
        assert state(bank) == "cancelled"
        assert 0 < results(bank)["waiting"] < 10
        assert Counter(bank.status(payment) for payment in payments) == {
            "held": results(bank)["waiting"],
            "cancelled": results(bank)["done"],
        }
        assert "it can't be resumed" in refused(bank, ResumeJob(job_id=JOB))


def test_a_pace_of_few_payments_a_second_is_kept(tmp_path: Path) -> None:
    """Who asks for two a second has a reason: twenty would be ten times what was allowed."""
    with Bank(tmp_path, ORCHESTRATED, operators={"items_per_second": 2}) as bank:
        bank.open_account()
        told(bank, opened(bank, "pause", held(bank, 12)))
        bank.pass_time(3)
        assert 4 <= results(bank)["done"] <= 8
        bank.pass_time(5)
        assert results(bank)["done"] == 12


def test_what_takes_two_people_waits_for_the_second_and_can_t_be_had_in_another_way(tmp_path: Path) -> None:
    """Four eyes: nobody approves what they have asked for, and no client gets round it."""
    with Bank(tmp_path, ORCHESTRATED, operators={"four_eyes": ("settle",), "names": ("Ada", "Bob")}) as bank:
        bank.open_account()
        payment = bank.pay("TEST-SILENT")
        bank.pass_time(90)
        direct = bank.settle(payment, executed=True)
        assert isinstance(direct, SettlementRefused)
        assert "takes two people" in direct.error
        assert "none of those who may act" in refused(
            bank, StartJob(job_id="J02", action="settle", argument="executed", by="Eve", reason="mine", total=1)
        )
        assert told(bank, opened(bank, "settle", [payment], "executed")).state == "requested"
        bank.pass_time(5)
        assert bank.status(payment) == "needs_attention"
        assert "another person must approve" in refused(bank, ApproveJob(job_id=JOB, by="Ada"))
        assert "none of those who may act" in refused(bank, ApproveJob(job_id=JOB, by="Eve"))
        told(bank, ApproveJob(job_id=JOB, by="Bob", reason="seen the statement"))
        bank.cell.until(lambda: state(bank) == "done")
        bank.rest()
        assert bank.status(payment) == "completed"
        said = next(each.envelope.message for each in bank.timeline(payment) if each.envelope.sender == "operations")
        assert said.by == "Ada, approved by Bob"  # type: ignore[attr-defined]


def test_of_two_people_who_say_the_opposite_the_second_is_refused_when_asking(tmp_path: Path) -> None:
    """A payment is executed or it is not: two approvals later nobody could tell which word was meant."""
    with Bank(tmp_path, ORCHESTRATED, operators={"four_eyes": ("settle",)}) as bank:
        bank.open_account()
        payment, other = bank.pay("TEST-SILENT"), bank.pay("TEST-SILENT")
        bank.pass_time(90)
        assert told(bank, opened(bank, "settle", [payment], "executed")).state == "requested"
        second = StartJob(job_id="J02", action="settle", argument="not-executed", by="Cy", reason="no", total=2)
        told(bank, second)
        said = refused(bank, AddItems(job_id="J02", chunk=0, payment_ids=(other, payment)))
        assert f"Ada has asked to settle {payment} as executed (job {JOB})" in said
        assert "actions deny" in said
        told(bank, AddItems(job_id="J02", chunk=0, payment_ids=(other,)))
        told(bank, DenyJob(job_id=JOB, by="Bob", reason="it is not on the statement"))
        told(bank, AddItems(job_id="J02", chunk=1, payment_ids=(payment,)))
        assert told(bank, RunJob(job_id="J02", items=2)).state == "requested"


def test_of_two_opposite_requests_handed_over_side_by_side_one_is_refused(tmp_path: Path) -> None:
    """Each had its payments before the other was asked for; that changes nothing."""
    with Bank(tmp_path, ORCHESTRATED, operators={"four_eyes": ("settle",)}) as bank:
        bank.open_account()
        payment = bank.pay("TEST-SILENT")
        bank.pass_time(90)
        first = opened(bank, "settle", [payment], "executed")
        told(bank, StartJob(job_id="J02", action="settle", argument="not-executed", by="Cy", reason="no", total=1))
        told(bank, AddItems(job_id="J02", chunk=0, payment_ids=(payment,)))
        told(bank, first)
        assert "Ada has asked to settle" in refused(bank, RunJob(job_id="J02", items=1))


def test_a_job_that_has_begun_takes_no_further_payment_and_says_so(tmp_path: Path) -> None:
    """Whoever thinks that it was added would wait for ever; the same chunk once more is a repeat."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        payments = held(bank, 2)
        told(bank, opened(bank, "cancel", payments[:1]))
        again = AddItems(job_id=JOB, chunk=0, payment_ids=(payments[0],))
        assert told(bank, again).items == 1
        said = refused(bank, AddItems(job_id=JOB, chunk=1, payment_ids=tuple(payments)))
        assert "takes no more: 1 further payment came too late" in said


def test_a_job_runs_only_when_all_its_payments_have_come(tmp_path: Path) -> None:
    """A client that dies in between must not leave half a job running."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        payments = held(bank, 2)
        run = opened(bank, "cancel", payments)
        assert "2 of 3 payments" in refused(bank, RunJob(job_id=JOB, items=3))
        assert told(bank, run).state == "running"
        assert told(bank, run).items == 2


def test_an_item_whose_command_ends_in_the_dead_letters_has_failed_until_it_is_retried(tmp_path: Path) -> None:
    """No answer is no success; what is mended and retried counts after all."""
    from actors.disbursement.messages import CancelPayment

    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        payments = held(bank, 1)
        bank.faults.fail("disbursement", CancelPayment)
        told(bank, opened(bank, "cancel", payments))
        bank.pass_time(40)
        assert (results(bank), state(bank)) == ({"failed": 1}, "done")
        bank.faults.mend()
        bank.retry_dead_letters()
        bank.rest()
        assert results(bank) == {"done": 1}
        assert bank.status(payments[0]) == "cancelled"


@every_way
def test_a_job_pauses_resumes_and_retries_many_in_either_flow(way: Way, tmp_path: Path) -> None:
    """The words of one payment, on many."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payments = [*held(bank, 2), bank.pay()]
        bank.rest()
        for number, (action, stands) in enumerate((("pause", True), ("resume", False), ("retry", False))):
            job = f"J1{number}"
            told(bank, StartJob(job_id=job, action=action, by="Ada", reason="a repair", total=3))
            told(bank, AddItems(job_id=job, chunk=0, payment_ids=tuple(payments)))
            told(bank, RunJob(job_id=job, items=3))
            bank.cell.until(lambda job=job: state(bank, job) == "done")  # type: ignore[misc]
            paused = {row[0] for row in bank.cell.ask("SELECT name FROM pauses WHERE kind = 'payment'")}
            assert (set(payments[:2]) <= paused) == stands
            rows = bank.cell.ask("SELECT state, text FROM operation_items WHERE job_id = ?", job)
            assert len(rows) == 3
            assert all(text and result in {"done", "refused"} for result, text in rows), rows


def test_what_has_no_meaning_in_the_choreographed_flow_says_so_item_by_item(tmp_path: Path) -> None:
    """Nobody knows the steps of a chain, so none can be started from."""
    with Bank(tmp_path, Way("choreographed", "debit-first")) as bank:
        bank.open_account()
        told(bank, opened(bank, "restart", held(bank, 2), "debit-account"))
        bank.cell.until(lambda: state(bank) == "done")
        texts = [row[0] for row in bank.cell.ask("SELECT text FROM operation_items WHERE state = 'refused'")]
        assert len(texts) == 2
        assert all("is choreographed: nobody knows its steps" in text for text in texts)


def test_what_nothing_can_do_is_refused_before_any_payment_is_sent(tmp_path: Path) -> None:
    """A client of another version is told, rather than a job that never moves."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        unknown = StartJob(job_id=JOB, action="frobnicate", by="Ada", reason="x", total=1)
        assert "is nothing that can be done to payments: cancel, settle" in refused(bank, unknown)
