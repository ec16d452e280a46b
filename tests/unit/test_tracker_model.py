"""What the Tracker says of a payment: statuses go forward, ends stay, a halt is explained."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.assembly import load_messages
from actors.directory.messages import ReactionFailed
from actors.disbursement.messages import PaymentCompleted, PaymentNeedsAttention, PaymentRejected
from actors.ledger.messages import AccountDebited
from actors.messaging.envelope import EVENT, REPLY, Envelope
from actors.messaging.message import Message
from actors.runtime.service import Record
from actors.tracker.model import FINAL, MOVES, STATUSES, UNKNOWN, Patience, Standing, follow, why_stalled
from actors.vocabulary.reason import Reason
from tests.fakes.orders import an_order

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ORDER = an_order()
UNANSWERED = "nobody answered AccountDebited within 30 s"
NO_SERVICE = UNANSWERED + ": no service reacts to AccountDebited in the debit-first order"
DEBITED = AccountDebited(debit_id="P")
load_messages()


def line(
    progress: str | None, message: Message = DEBITED, *, kind: str = EVENT, receivers: tuple[str, ...] = ("aml",)
) -> Record:
    """One line of the log."""
    return Record(1, NOW, Envelope("m", message, kind, "a", "b", ORDER.payment_id), progress, receivers)


def status_after(*progress: str | None) -> str:
    """The status of a payment whose lines say this."""
    return follow(UNKNOWN, [line(each) for each in progress]).status


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (("received", "debiting", "screening", "executing", None, "completed"), "completed"),
        (("received", "screening", "debiting", "executing"), "executing"),
        (("received", "debiting", "screening", "held"), "held"),
        (("screening", "held", "executing"), "executing"),
        (("screening", "held", "screening"), "held"),
        (("screening", "held", "debiting"), "debiting"),
        (("executing", "needs_attention", "completed"), "completed"),
        (("completed", "returned"), "returned"),
        (("completed", "returned", "needs_attention"), "needs_attention"),
        (("rejected", "needs_attention"), "needs_attention"),
        (("compensating", "executing"), "compensating"),
        (("executing", "screening"), "executing"),
        (("debiting", "received"), "debiting"),
        (("completed", "executing"), "completed"),
        (("cancelled", "completed"), "cancelled"),
        (("rejected", "returned"), "rejected"),
    ],
)
def test_a_status_follows_the_log_and_never_goes_back(said: tuple[str | None, ...], status: str) -> None:
    """Late and repeated messages are normal; what they say of a payment is over."""
    assert status_after(*said) == status


@given(st.lists(st.sampled_from([*STATUSES, None, "unheard-of"]), max_size=12), st.sampled_from(sorted(FINAL)))
def test_an_end_is_left_only_for_a_return_or_a_person(said: list[str | None], end: str) -> None:
    """Whatever else the log holds, an ended payment is not shown as under way without a person being called."""
    records = [line(each) for each in said]
    after = follow(Standing(status=end), records).status
    assert after == end or "needs_attention" in said or (end == "completed" and after == "returned")


def test_every_status_has_its_moves() -> None:
    """A status without an entry would stop the Tracker."""
    assert set(MOVES) == {"", *STATUSES}


def test_lines_without_news_leave_an_ended_payment_untouched() -> None:
    """Mails after the end cost no write."""
    ended = Standing(status="completed")
    assert follow(ended, [line(None), line("executing")]) is ended


def test_the_last_event_and_who_got_it_are_kept() -> None:
    """They name what is missing when nothing follows."""
    after = follow(UNKNOWN, [line("received"), line("screening", receivers=("aml", "x")), line(None, kind=REPLY)])
    assert (after.last_type, after.last_event, after.reached) == ("AccountDebited", "AccountDebited", "aml, x")


def test_the_reason_belongs_to_the_status_it_came_with() -> None:
    """A payment that needed attention and was completed in the end has no reason any more."""
    doubt = PaymentNeedsAttention(order=ORDER, reason=Reason("AB06", "no answer from the bank"))
    doubtful = follow(UNKNOWN, [line("executing"), line("needs_attention", doubt)])
    assert (doubtful.reason, doubtful.reason_text) == ("AB06", "no answer from the bank")
    settled = follow(doubtful, [line("completed", PaymentCompleted(order=ORDER))])
    assert (settled.reason, settled.reason_text) == (None, "")


def test_a_second_call_for_a_person_brings_its_own_reason() -> None:
    """The newest reason is the one to look at."""
    first = PaymentNeedsAttention(order=ORDER, reason=Reason("AB06", "no answer"))
    second = PaymentNeedsAttention(order=ORDER, reason=Reason("NARR", "rejected, then executed"))
    after = follow(UNKNOWN, [line("needs_attention", first), line("needs_attention", second)])
    assert after.reason_text == "rejected, then executed"


def failed(event_type: str) -> ReactionFailed:
    """A reaction that ended in the dead letters."""
    return ReactionFailed(subscriber="ledger", event_type=event_type, dead_letter_id="D1", cause="KeyError: 'x'")


@pytest.mark.parametrize(
    ("line_it_missed", "status"),
    [("PostDebit", "completed"), ("PaymentCompleted", "completed"), ("PaymentNeedsAttention", "needs_attention"),
     ("PaymentReturned", "needs_attention")],
)  # fmt: skip
def test_a_line_that_the_tracker_missed_calls_a_person_only_if_it_was_news(line_it_missed: str, status: str) -> None:
    """A completed payment needs nobody because the tracker stumbled over its story; found by the simulator."""
    missed = ReactionFailed(subscriber="tracker", event_type=line_it_missed, dead_letter_id="D1", cause="KeyError: 'x'")
    assert follow(Standing(status="completed"), [line("needs_attention", missed)]).status == status


def test_a_failed_reaction_is_named_with_its_cause() -> None:
    """The person finds the dead letter from the payment."""
    after = follow(UNKNOWN, [line("executing"), line("needs_attention", failed("PaymentExecuted"))])
    assert after.status == "needs_attention"
    assert after.reason_text == "the reaction of ledger to PaymentExecuted failed: KeyError: 'x' (dead letter D1)"


def test_a_mail_that_failed_after_the_end_leaves_the_payment_ended() -> None:
    """Nothing is undecided about the money; but a failed booking of a return is."""
    ended = follow(UNKNOWN, [line("rejected", PaymentRejected(order=ORDER, reason=Reason("AM04", "no funds")))])
    assert follow(ended, [line("needs_attention", failed("PaymentRejected"))]) is ended
    completed = Standing(status="completed")
    assert follow(completed, [line("needs_attention", failed("ReturnReceived"))]).status == "needs_attention"


@pytest.mark.parametrize("status", ["screening", "cancelled"])
def test_a_job_that_missed_an_answer_calls_nobody_to_the_payment(status: str) -> None:
    """A late line that moves a payment would otherwise follow, and after it a deadline that nobody can keep."""
    missed = ReactionFailed(subscriber="operations", event_type="CancellationTaken", dead_letter_id="D1", cause="x")
    standing = follow(UNKNOWN, [line(status)])
    assert follow(standing, [line("needs_attention", missed)]) is standing


def test_a_mail_that_fails_before_the_end_is_heard_of_calls_nobody() -> None:
    """The end of another cell may be on its way still: the call would have the last word, for it is younger."""
    under_way = Standing(status="executing")
    assert follow(under_way, [line("needs_attention", failed("PaymentCompleted"))]) is under_way


def test_a_mail_about_a_call_that_fails_calls_nobody_once_the_payment_has_ended() -> None:
    """The person was called before that, and has decided; found by the simulator."""
    ended = Standing(status="rejected")
    assert follow(ended, [line("needs_attention", failed("PaymentNeedsAttention"))]) is ended


@pytest.mark.parametrize(
    ("status", "flow", "unanswered", "expected"),
    [
        ("screening", "choreographed", False, 30),
        ("executing", "choreographed", False, 180),
        ("executing", "choreographed", True, 30),
        ("compensating", "choreographed", False, 30),
        ("screening", "orchestrated", False, 180),
        ("held", "choreographed", False, None),
        ("completed", "choreographed", False, None),
        ("needs_attention", "orchestrated", False, None),
    ],
)
def test_a_payment_may_stand_still_as_long_as_its_status_allows(
    status: str, flow: str, unanswered: bool, expected: int | None
) -> None:
    """A saga watches its own steps, AML the reviews; between choreographed steps nobody else watches."""
    assert Patience(moving=30, executing=180).for_payment(status, flow, unanswered=unanswered) == expected


@pytest.mark.parametrize(
    ("status", "flow", "missing", "sentence"),
    [
        ("debiting", "choreographed", ("aml",), UNANSWERED + ": the reaction of aml is missing"),
        ("debiting", "choreographed", ("aml", "x"), UNANSWERED + ": the reactions of aml and x are missing"),
        ("debiting", "choreographed", (), NO_SERVICE),
        ("executing", "choreographed", (), "nothing has moved for 30 s since PostDebit"),
        ("debiting", "orchestrated", (), "nothing has moved for 30 s since PostDebit"),
    ],
)  # fmt: skip
def test_a_halt_is_explained_by_what_is_missing(
    status: str, flow: str, missing: tuple[str, ...], sentence: str
) -> None:
    """The choreographed flow has no place where its order could be looked up, so the Tracker says it."""
    standing = Standing(status=status, last_type="PostDebit", last_event="AccountDebited")
    said = why_stalled(standing, flow=flow, workflow="debit-first", missing=missing, waited_seconds=30)
    assert said == sentence


def test_a_receiver_that_kept_silent_is_named() -> None:
    """It is there and got the event: something else is wrong than a missing subscription."""
    standing = Standing(status="debiting", last_event="AccountDebited", reached="aml")
    said = why_stalled(standing, flow="choreographed", workflow="debit-first", missing=(), waited_seconds=30)
    assert said == "nobody answered AccountDebited within 30 s: aml got it and said nothing"


def test_the_moment_is_that_of_the_last_line_that_moved_the_payment() -> None:
    """`updated_at` says when the payment moved, not when somebody was mailed about it."""
    records = [line("completed"), line(None)._replace(at=NOW + timedelta(hours=1))]
    assert follow(UNKNOWN, records).moved_at == NOW
