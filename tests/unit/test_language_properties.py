"""Any workflow of the language, any answers in any order: what must never come of it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.messaging import codec
from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.payment import store
from actors.payment.definition import (
    CallPerson,
    Choice,
    Fact,
    NextWindow,
    Policy,
    Step,
    StopAndUndo,
    Together,
    TryLater,
    WaitUntil,
    Window,
    Workflow,
    all_parts,
)
from actors.payment.engine import advance, send_now
from actors.payment.messages import CancelSaga, PaymentPostponed
from actors.payment.model import CANCELLED, COMPENSATING, COMPLETED, FORWARD, HALTED, PERSON, REJECTED, State
from actors.payment.workflow import payment
from tests.fakes import payment_answers as answers
from tests.fakes.made_up import a_last_step, a_pivot, a_step, words
from tests.fakes.workflow_script import NOW, WorkflowScript, an_order

POLICIES = st.sampled_from(
    [
        TryLater(timedelta(minutes=30), tries=2, backoff=2),
        NextWindow(Window("08:00", "16:00"), tries=1),
        StopAndUndo(),
        CallPerson(),
    ]
)
FACTS = [Fact(f"fact {bit}", lambda order, bit=bit: bool(int(order.remittance) >> bit & 1)) for bit in range(2)]
WAITS = [
    lambda order: None,
    lambda order: NOW - timedelta(days=1),
    lambda order: NOW + timedelta(days=3),
    Window("08:00", "16:00"),
]


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """Up to a dozen steps, alone, together, in cases; one pivot; waits in between."""
    numbers = iter(range(100))

    def step(make: Any = a_step) -> Step:
        number = next(numbers)
        changes: dict[str, Any] = {"undo_when_done": draw(st.booleans())} if make is a_step else {}
        if make is not a_last_step:
            changes["on_reason"] = {"AM04": draw(POLICIES)}
        if make is a_step:
            changes["on_failure"] = draw(POLICIES)
            if draw(st.integers(0, 3)) == 0:
                changes |= {"compensation": None, "undone": None, "undo_refused": None}
        return make(f"s{number}", **changes)

    def part(make: Any, deep: int) -> Any:
        kind = draw(st.sampled_from(["step", "step", "together", "choice", "wait"]))
        if kind == "together":
            return Together(f"t{next(numbers)}", tuple(step(make) for _ in range(draw(st.integers(2, 3)))))
        if kind == "choice" and deep:
            cases = {value: parts(make, 2, deep - 1) for value in (True, False)}
            return Choice(f"c{next(numbers)}", draw(st.sampled_from(FACTS)), cases)
        if kind == "wait":
            return WaitUntil(f"w{next(numbers)}", draw(st.sampled_from(WAITS)))
        return step(make)

    def parts(make: Any, most: int, deep: int = 2) -> tuple[Any, ...]:
        return tuple(part(make, deep) for _ in range(draw(st.integers(0, most))))

    return payment("any", version=1, steps=(*parts(a_step, 3), step(a_pivot), *parts(a_last_step, 2)))


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(
            ["good"] * 6 + ["time"] * 3 + ["refused", "refused", "held", "overdue", "submitted", "in doubt", "failed"]
            + ["again", "cancel", "expiry", "stopped", "stop refused", "a person"]
        ),
        st.integers(0, 5),
        st.sampled_from(["AM04", "AC04"]),
    ),
    max_size=25,
)  # fmt: skip


class Play:
    """One payment through one workflow: what was sent, what was said, and what the services would answer."""

    def __init__(self, workflow: Workflow, remittance: str) -> None:
        self.script = WorkflowScript(workflow, an_order(workflow="any", remittance=remittance))
        self.route = self.script.route
        self.steps = {step.name: at for at, step in enumerate(self.route.steps)}
        self.story: list[tuple[str, str, Any]] = []  # (what, step, more)
        self.open: list[tuple[str, str, Message]] = []  # commands without an outcome
        self.said: list[Message] = []
        self.ended_by: set[str] = set()  # the step whose refusal has the payment undone
        self._note()

    # -- what may happen

    def happens(self, kind: str, number: int, code: str) -> None:
        """One thing more."""
        script = self.script
        if kind == "time":
            if script.timers:
                script.time_passes()
        elif kind == "a person":
            script._take(send_now(self.route, script.state, script.now))
        elif kind == "cancel":
            self.tell(CancelSaga(payment_id=answers.P, reason="wrong amount"))
        elif kind == "expiry":
            self.tell(answers.EXPIRY)
        elif kind == "again":
            if self.said:
                script.hears(self.said[number % len(self.said)])
        elif self.open:
            self.answer(number % len(self.open), kind, code)
        self._note()

    def answer(self, at: int, kind: str, code: str) -> None:
        """Something is said about a command that is open."""
        what, step, command = self.open[at]
        final = kind in ("good", "refused", "stopped", "stop refused")
        if what == "stop":
            if final or kind == "time":
                del self.open[at]
                paid = any(told == "done" and self.steps[name] >= self.route.pivot for told, name, _ in self.story)
                refuses = paid or kind in ("refused", "stop refused")
                self.tell(answers.STOP_REFUSED if refuses else self._stopped(command))
            return
        if kind == "failed":
            del self.open[at]
            before = len(self.script.events)
            self.tell(Failed(failed_message_id="m", failed_type=type(command).__name__, cause="x"))
            if any(isinstance(event, PaymentPostponed) for event in self.script.events[before:]):
                self.story.append(("put off", step, getattr(command, "attempt", 1)))
            return
        said = words(step)
        why = answers.NO_FUNDS.reason
        attempt = getattr(command, "attempt", 1)
        told: Any = {
            "held": said.Held,
            "overdue": lambda: said.Overdue(reason=why),
            "submitted": said.Submitted,
            "in doubt": lambda: said.InDoubt(reason=why),
            "refused": lambda: said.refused(code, attempt),
        }.get(kind, said.Done)()
        if what == "undo":
            told = said.Undone()
        if what == "undo" or final:
            del self.open[at]
            verdict = "undone" if what == "undo" else "refused" if kind == "refused" else "done"
            self.story.append((verdict, step, attempt))
        forward = self.script.state.phase == FORWARD
        self.tell(told)
        if forward and kind == "refused" and self.script.state.phase in (COMPENSATING, REJECTED):
            self.ended_by.add(step)

    def tell(self, message: Message) -> None:
        """The saga hears it."""
        self.said.append(message)
        self.script.hears(message)
        self._note()

    def finish(self) -> None:
        """From now on everybody answers well, and time passes."""
        for _ in range(200):
            state = self.script.state
            if self.open:
                self.happens("good", 0, "")
            elif self.script.timers:
                self.happens("time", 0, "")
            elif state.phase == FORWARD and (state.waiting == PERSON or any(b.waiting for b in state.branches)):
                self.happens("a person", 0, "")
            else:
                return
        raise AssertionError(f"it goes on for ever: {self.script.state}")

    def _stopped(self, command: Any) -> Message:
        return type(answers.STOPPED)(instruction_id=answers.P, reason=command.reason, ending=command.ending)

    def _note(self) -> None:
        for _, sent in self.script.unanswered:
            what, _, step = type(sent).__name__.partition("_")
            if not step:
                what, step = ("stop", "") if type(sent).__name__ == "StopExecution" else ("return", "")
            what = what.lower()
            self.story.append((what, step, getattr(sent, "attempt", 1)))
            self.open = [each for each in self.open if each[:2] != (what, step)]  # the services know a repeat
            self.open.append((what, step, sent))
        self.script.unanswered.clear()
        assert kept(self.script.state) == self.script.state

    # -- what must hold

    def check(self) -> None:
        """The whole story."""
        state, story = self.script.state, self.story
        pivot = self.route.steps[self.route.pivot].name
        told = [event.progress for event in self.script.events]
        ends = [progress for progress in told if progress in ("completed", "rejected", "cancelled")]
        assert len(ends) <= 1
        if state.phase in (COMPLETED, REJECTED, CANCELLED):
            assert ends == [state.phase]
            assert not self.script.timers
        else:
            assert state.phase == HALTED or state.attention, f"silently stuck: {state}"
        for at, (what, step, number) in enumerate(story):
            if what == "undo":
                assert step not in self.ended_by, f"{step} was refused, so there is nothing to undo"
                assert ("done", pivot, 1) not in [(w, s, 1) for w, s, _ in story[:at]], "undone after the pivot"
                assert self.steps[step] < self.route.pivot
                assert ("undone", step, 1) not in story[:at], "undone twice"
            if what == "do":
                before = [earlier for earlier in self.route.steps[: self._group(step)] if isinstance(earlier, Step)]
                done = {name for said, name, _ in story[:at] if said == "done"}
                assert {earlier.name for earlier in before} <= done, f"{step} came before its turn"
                if number > 1:
                    assert ("refused", step, number - 1) in story[:at], "tried again without a refusal"
                assert not any(said == "undo" for said, _, _ in story[:at]), "forward after undoing began"
        self._no_more_tries_than_allowed()
        if state.phase in (REJECTED, CANCELLED):
            self._all_undone(pivot)

    def _no_more_tries_than_allowed(self) -> None:
        """A refusal gives the next number, and a failure the same one again, as often as the policy says."""
        for what, name, number in self.story:
            step: Any = self.route.steps[self.steps[name]] if name in self.steps else None
            if what == "do":
                policy = step.on_reason.get("AM04", StopAndUndo())
                assert isinstance(policy, CallPerson) or number <= 1 + tries(policy), f"{name} is tried as {number}"
            if what == "put off":
                again = self.story.count((what, name, number))
                assert again <= tries(step.on_failure), f"{name} failed and was sent again {again} times"

    def _all_undone(self, pivot: str) -> None:
        undone = [step for what, step, _ in self.story if what == "undone"]
        assert all(count == 1 for count in Counter(undone).values())
        assert [self.steps[step] for step in undone] == sorted((self.steps[step] for step in undone), reverse=True)
        first = next((at for at, (what, _, _) in enumerate(self.story) if what == "undo"), len(self.story))
        for step in self.route.steps[: self.route.pivot]:
            asked = [number for what, name, number in self.story if (what, name) == ("do", step.name)]
            if not asked or step.compensation is None:
                assert step.name not in undone
                continue
            answered = {what for what, name, number in self.story[:first]
                        if name == step.name and what in ("done", "refused") and number == max(asked)}  # fmt: skip
            if "done" in answered:
                assert (step.name in undone) == step.undo_when_done, f"{step.name} was done"
            elif not answered:
                assert step.name in undone, f"{step.name} may have been done"

    def _group(self, step: str) -> int:
        at = self.steps[step]
        group = self.route.groups[at]
        return group.start if group else at


def tries(policy: Policy) -> int:
    """How many further tries it allows by itself."""
    return policy.tries if isinstance(policy, TryLater | NextWindow) else 0


def kept(state: State) -> State:
    """The state as it comes back from its row."""
    unusual = store._unusual(state)
    return State(*state[:4], *(() if unusual is None else store._unpacked(codec.unpack(unusual))))


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workflow=workflows(), remittance=st.sampled_from("0123"), happenings=HAPPENINGS)
def test_nothing_forbidden_comes_of_any_workflow(workflow: Workflow, remittance: str, happenings: list[Any]) -> None:
    """What is done or unanswered is undone once and before the pivot alone; nothing is sent early; it always ends."""
    play = Play(workflow, remittance)
    for happening in happenings:
        play.happens(*happening)
    play.finish()
    play.check()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    workflow=workflows(), remittance=st.sampled_from("0123"), which=st.integers(0, 20),
    answer=st.sampled_from(["refused", "failed"]),
)  # fmt: skip
def test_a_service_that_never_does_its_step_is_tried_as_often_as_allowed_and_no_more(
    workflow: Workflow, remittance: str, which: int, answer: str
) -> None:
    """Chance alone hardly ever refuses the same step four times."""
    play = Play(workflow, remittance)
    steps = [step.name for step in play.route.steps if isinstance(step, Step)]
    stubborn = steps[which % len(steps)]
    for _ in range(60):
        at = next((at for at, (what, step, _) in enumerate(play.open) if (what, step) == ("do", stubborn)), None)
        if at is not None:
            play.answer(at, answer, "AM04")
        elif play.open:
            play.answer(0, "good", "")
        elif play.script.timers:
            play.happens("time", 0, "")
    play.finish()
    play.check()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workflow=workflows(), remittance=st.sampled_from("0123"))
def test_a_payment_that_nothing_happens_to_is_completed(workflow: Workflow, remittance: str) -> None:
    """Whatever the workflow, with good answers alone every step on its route is done once and nothing else."""
    play = Play(workflow, remittance)
    play.finish()
    assert play.script.state.phase == COMPLETED
    done = [step for what, step, _ in play.story if what == "done"]
    assert sorted(done) == sorted(step.name for step in play.route.steps if isinstance(step, Step))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workflow=workflows(), remittance=st.sampled_from("0123"))
def test_every_order_has_one_of_the_routes(workflow: Workflow, remittance: str) -> None:
    """What is validated and drawn beforehand is all that can happen."""
    route = workflow.route(an_order(remittance=remittance))
    assert route in workflow.routes()
    taken = dict(route.outcomes)
    for part in all_parts(workflow.steps):
        if isinstance(part, Choice) and part.name in taken:
            assert part.decide(an_order(remittance=remittance)) == taken[part.name]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workflow=workflows(), remittance=st.sampled_from("0123"), happenings=HAPPENINGS)
def test_a_decision_can_be_made_twice(workflow: Workflow, remittance: str, happenings: list[Any]) -> None:
    """A crash before the commit makes the very same decision again."""
    play = Play(workflow, remittance)
    for happening in happenings:
        play.happens(*happening)
    script = play.script
    for message in play.said:
        assert advance(play.route, script.state, message, NOW) == advance(play.route, script.state, message, NOW)
