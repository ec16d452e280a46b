"""What people do with one orchestrated payment: the rules as scripts, and a saga paused at every point."""

from __future__ import annotations

from typing import Any

import pytest

from actors import assembly
from actors.aml.messages import CloseReview, ScreenBeneficiary
from actors.execution.messages import AskRail, ExecutePayment, StopExecution
from actors.ledger.messages import DebitAccount, PostDebit, VoidDebit
from actors.messaging.message import Message
from actors.messaging.system_messages import PaymentPaused, PaymentResumed, PaymentRetried
from actors.payment.messages import SagaSteered, StartSaga, SteeringRefused, SteerSaga, StepTimedOut
from actors.payment.saga import PaymentSaga
from actors.payment.steering import Refused, Steered, steer
from actors.payment.workflow import SCREEN_FIRST
from actors.vocabulary.operators import PAUSE, RESTART, RESUME, RETRY
from tests.fakes import payment_answers as answers
from tests.fakes.turn import FakeTurn, ServiceBench
from tests.fakes.workflow_script import NOW, WorkflowScript, an_order

PERSON = "client/1/7"
assembly.load_messages()  # what waits is stored


def wish(action: str, argument: str = "") -> SteerSaga:
    """What Ada wants."""
    return SteerSaga(payment_id="P1-00", action=action, argument=argument, by="Ada", reason="a look", asks=PERSON)


def steered(script: WorkflowScript, action: str, argument: str = "") -> Steered:
    """What comes of it."""
    return steer(script.route, script.state, wish(action, argument), NOW)


def refusal(script: WorkflowScript, action: str, argument: str = "") -> str:
    """The sentence that refuses it."""
    with pytest.raises(Refused) as refused:
        steered(script, action, argument)
    return str(refused.value)


def test_a_paused_payment_keeps_everything_but_its_pause() -> None:
    """Resuming it finds it where it stood."""
    script = answers.at_screening()
    paused = steered(script, PAUSE).decision
    assert paused.state._replace(paused="") == script.state
    assert paused.state.paused == "since 2030-01-01 00:00:00 UTC, by Ada: a look"
    assert [type(event) for event in paused.events] == [PaymentPaused]
    assert not paused.sends


def test_pausing_twice_and_resuming_what_runs_is_said_and_harmless() -> None:
    """Two operators who do the same are no incident."""
    script = answers.at_screening()
    assert steered(script, RESUME) == Steered(steered(script, RESUME).decision, "P1-00 is not paused")
    assert steered(script, RESUME).decision.state is script.state
    script.state = steered(script, PAUSE).decision.state
    again = steered(script, PAUSE)
    assert again.decision.state is script.state
    assert "already" in again.done


def test_a_resumed_step_has_its_whole_time_again() -> None:
    """Nobody could answer meanwhile: the clock has stood."""
    script = answers.at_screening()
    script.state = steered(script, PAUSE).decision.state
    resumed = steered(script, RESUME).decision
    assert [type(event) for event in resumed.events] == [PaymentResumed]
    assert resumed.timers == script.route.first_timers[1]


@pytest.mark.parametrize("action", [RETRY, RESTART])
def test_what_is_paused_is_resumed_first(action: str) -> None:
    """A pause that another act would end is no pause."""
    script = answers.at_screening()
    script.state = steered(script, PAUSE).decision.state
    assert "resume it first" in refusal(script, action, "debit-account")


@pytest.mark.parametrize("action", [PAUSE, RETRY, RESTART])
def test_nothing_is_done_with_a_payment_that_has_ended(action: str) -> None:
    """And the sentence says that it has."""
    assert "is completed" in refusal(answers.completed(), action, "debit-account")


def test_retrying_sends_the_outstanding_command_with_a_fresh_count() -> None:
    """What an operator has mended gets all its tries."""
    script = answers.at_screening().time_passes()
    assert script.state.attempt == 2
    decision = steered(script, RETRY).decision
    assert [type(message) for _, message in decision.sends] == [ScreenBeneficiary]
    assert decision.state.attempt == 1
    assert decision.timers == script.route.first_timers[1]
    assert [type(event) for event in decision.events] == [PaymentRetried]


def test_in_doubt_the_bank_is_asked_and_nothing_is_executed_again() -> None:
    """Only an answer moves the payment on."""
    script = answers.at_the_bank().hears(answers.IN_DOUBT)
    decision = steered(script, RETRY).decision
    assert [type(message) for _, message in decision.sends] == [AskRail]
    assert decision.state is script.state


def test_a_payment_that_waits_for_a_person_is_not_retried() -> None:
    """The sentence says who is awaited."""
    assert "review list" in refusal(answers.at_screening().hears(answers.HELD), RETRY)


def test_a_payment_starts_again_from_an_earlier_step() -> None:
    """Services answer from their records what they have done before; the payment goes through."""
    script = answers.at_screening()
    script.unanswered.clear()
    script._take(steered(script, RESTART, "debit-account").decision)
    script.expect(DebitAccount, to="ledger").reply(answers.DEBITED)
    script.expect(ScreenBeneficiary, to="aml").reply(answers.CLEARED)
    script.expect(ExecutePayment, to="execution").reply(answers.EXECUTED)
    script.expect(PostDebit, to="ledger").reply(answers.POSTED)
    script.ends("completed")


@pytest.mark.parametrize(
    ("script", "step", "words"),
    [
        (
            answers.at_screening(),
            "guess",
            "has no step guess; it can be restarted from debit-account or screen-beneficiary",
        ),
        (answers.at_the_bank(), "guess", "it can be restarted from execute-payment"),
        (answers.at_the_bank().hears(answers.EXECUTED), "guess", "it can be restarted from post-debit"),
        (answers.at_screening().hears(answers.BLOCKED), "guess", "being undone"),
        (answers.at_screening(), "execute-payment", "no step is left out"),
        (answers.at_the_bank(), "debit-account", "the bank may have it"),
        (answers.at_the_bank().hears(answers.EXECUTED), "execute-payment", "was paid"),
        (answers.at_screening().hears(answers.BLOCKED), "debit-account", "being undone"),
        (answers.at_screening().is_cancelled_by_a_person(), "debit-account", "being stopped"),
        (answers.at_the_bank().hears(answers.IN_DOUBT), "execute-payment", "in doubt"),
    ],
)
def test_a_restart_that_is_not_safe_is_refused(script: WorkflowScript, step: str, words: str) -> None:
    """With what stands in the way."""
    assert words in refusal(script, RESTART, step)


class Bench(ServiceBench):
    """A saga, and services that answer it as a story wants."""

    def __init__(self, story: dict[str, Message]) -> None:
        super().__init__(PaymentSaga)
        self.service.name = "payment/P1-00"  # type: ignore[misc]
        self.story = story
        self.published: list[str] = []
        self.sent: list[str] = []
        self.mail: list[Message] = []

    def take(self, message: Message) -> FakeTurn:
        """The saga gets it, and the services what it sends."""
        turn = self.tell(message)
        self.published += [type(event).__name__ for event in turn.published]
        self.sent += [type(command).__name__ for _, command in turn.sent]
        self.mail += [self.story[type(command).__name__] for _, command in turn.sent]
        return turn


STORIES: dict[str, dict[str, Message]] = {
    "completed": {
        "DebitAccount": answers.DEBITED, "ScreenBeneficiary": answers.CLEARED, "ExecutePayment": answers.EXECUTED,
        "PostDebit": answers.POSTED,
    },
    "blocked": {
        "DebitAccount": answers.DEBITED, "ScreenBeneficiary": answers.BLOCKED, "VoidDebit": answers.VOIDED,
    },
    "rejected": {
        "DebitAccount": answers.DEBITED, "ScreenBeneficiary": answers.CLEARED, "ExecutePayment": answers.REJECTED,
        "VoidDebit": answers.VOIDED,
    },
}  # fmt: skip


def lived(story: dict[str, Message], pause_at: int | None) -> tuple[list[str], list[str]]:
    """What a payment sends and publishes; paused before its message number `pause_at` comes, resumed at rest."""
    bench = Bench(story)
    bench.take(StartSaga(order=an_order()))
    number = 0
    while bench.mail or number == pause_at:
        if number == pause_at:
            bench.take(wish(PAUSE))
            sent = list(bench.sent)
            bench.mail, came = [], bench.mail
            for message in [*came, StepTimedOut(step="debit-account", attempt=1)]:
                bench.take(message)
            assert bench.sent == sent, "something was sent while it was paused"
            bench.take(wish(RESUME))
        if bench.mail:
            bench.take(bench.mail.pop(0))
        number += 1
    return bench.sent, [name for name in bench.published if name not in ("PaymentPaused", "PaymentResumed")]


@pytest.mark.parametrize("name", STORIES)
def test_a_payment_paused_at_any_point_ends_as_if_it_had_not_been(name: str) -> None:
    """Pausing changes when, and nothing else."""
    story = STORIES[name]
    plain = lived(story, None)
    for at in range(len(plain[0])):
        assert lived(story, at) == plain


def test_a_person_hears_what_was_done_or_why_not() -> None:
    """The saga answers whoever asked Payment, and not Payment."""
    bench = Bench(STORIES["completed"])
    bench.take(StartSaga(order=an_order()))
    done, refused = bench.tell(wish(PAUSE)), bench.tell(wish(RETRY))
    assert [type(each) for each in done.answers + refused.answers] == [SagaSteered, SteeringRefused]
    assert done.answered_to + refused.answered_to == [PERSON, PERSON]


def test_the_pause_outlives_the_actor() -> None:
    """A killed saga comes back paused, with what had come."""
    bench: Any = Bench(STORIES["completed"])
    bench.take(StartSaga(order=an_order()))
    bench.take(wish(PAUSE))
    bench.take(bench.mail.pop(0))
    service, bench.service = bench.service, PaymentSaga()
    bench.service.name = service.name
    bench.service._store, bench.service._workflows = service._store, service._workflows
    bench.service._state, bench.service._is_new, bench.service._pauses = None, False, None
    assert not bench.take(answers.DEBITED).sent
    assert [type(message) for _, message in bench.take(wish(RESUME)).sent] == [ScreenBeneficiary]


def test_what_a_restarted_payment_had_reached_is_undone_with_it() -> None:
    """Its debit was out when it was sent back to the screening; cancelled there, the money must come back."""
    script = answers.begun(SCREEN_FIRST).expect(ScreenBeneficiary, to="aml").reply(answers.CLEARED)
    script.expect(DebitAccount, to="ledger")
    script._take(steered(script, RESTART, "screen-beneficiary").decision)
    script.expect(ScreenBeneficiary, to="aml")
    script.is_cancelled_by_a_person()
    script.expect(StopExecution, to="execution").reply(answers.STOPPED)
    script.expect(VoidDebit, to="ledger").reply(answers.VOIDED)
    script.expect(CloseReview, to="aml").reply(answers.CLOSED)
    script.ends("cancelled")


def test_a_restarted_payment_that_is_there_again_is_undone_as_any_other() -> None:
    """What it had reached before is reached now: a clearance stands, and only the debit is voided."""
    script = answers.begun(SCREEN_FIRST).expect(ScreenBeneficiary, to="aml").reply(answers.CLEARED)
    script.expect(DebitAccount, to="ledger")
    script._take(steered(script, RESTART, "screen-beneficiary").decision)
    script.expect(ScreenBeneficiary, to="aml").reply(answers.CLEARED)
    assert script.state.reached == 0
    script.expect(DebitAccount, to="ledger").reply(answers.NO_FUNDS)
    script.ends("rejected", reason="AM04")
