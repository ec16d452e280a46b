"""The same payment played through both flows on paper: which services are asked to do what, and how it ends.

Each scenario answers every command as it should be, but for the one that it is about. The orchestrated flow is played
by the engine itself, the choreographed one by the services' reactions; no service, clock or store takes part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from actors.directory.reaction import On, Reactions
from actors.messaging.envelope import CHOREOGRAPHED, ORCHESTRATED
from actors.messaging.message import Message
from actors.payment.definition import Route, Step, Workflow
from actors.payment.description import made_by
from actors.payment.engine import advance, start
from actors.payment.messages import CancelSaga
from actors.payment.queries import outcomes
from actors.pictures.chain import answers, ending_of, of_order, publisher
from actors.pictures.rehearsal import BEGINNING, example, order
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentOrder

_MOST: Final = 200  # messages in one play: more is a circle


@dataclass(frozen=True, slots=True)
class Scenario:
    """What goes otherwise than it should: `answers` by command; `at` which command (unanswered) it is cancelled."""

    name: str
    answers: Mapping[type[Message], type[Message]] = field(default_factory=dict)
    cancelled_at: type[Message] | None = None
    afterwards: type[Message] | None = None


class Played(NamedTuple):
    """What came of it: (service, command) in the order sent, the events that say how it ends, idle reactions."""

    commands: tuple[tuple[str, str], ...]
    endings: tuple[str, ...]
    idle: tuple[tuple[str, str], ...] = ()


def scenarios(route: Route) -> Iterator[Scenario]:
    """Every single thing that may go otherwise, as the workflow names it; what is undone may be refused, too."""
    yield Scenario("everything is done")
    for at, step in enumerate(route.steps):
        if not isinstance(step, Step):
            continue
        command = made_by(step.command)
        for answer in (step.refused, step.overdue, step.in_doubt):
            if answer is not None:
                yield Scenario(f"{step.name}: {answer.__name__}", {command: answer})
        if at < route.pivot:
            for gate in (route.gate.closed, route.gate.refused):
                name = f"cancelled at {step.name}: {gate.__name__}"
                yield Scenario(name, {made_by(route.gate.command): gate}, cancelled_at=command)
    returns = route.returns
    if isinstance(returns, type):
        yield Scenario(f"{returns.__name__} afterwards", afterwards=returns)
    else:
        for booked in (returns.booked, returns.suspended):
            answers = {made_by(returns.command): booked}
            yield Scenario(
                f"{returns.received.__name__} afterwards: {booked.__name__}", answers, None, returns.received
            )


def orders(workflow: Workflow) -> Iterator[PaymentOrder]:
    """One order for each route of a workflow that amount or country lead to."""
    seen: list[Route] = []
    for minor in (1, 1250, 10**9):
        for country in ("NL", "IR", None):
            creditor = Creditor(name="Somebody", account="ACC-2", country=country)
            of = order(workflow.name, ORCHESTRATED, workflow_version=workflow.version, amount=Money(minor, "EUR"),
                       creditor=creditor)  # fmt: skip
            route = workflow.route(of)
            if route not in seen:
                seen.append(route)
                yield of


def orchestrated(workflow: Workflow, scenario: Scenario, of: PaymentOrder) -> Played:
    """Played by the engine."""
    route = workflow.route(of)
    decision = start(route, of, BEGINNING)
    state, sends, commands, endings = decision.state, list(decision.sends), [], []
    outside: list[Message] = []
    for _ in range(_MOST):
        if sends:
            to, command = sends.pop(0)
            commands.append((to, type(command).__name__))
            message: Message | None = _answer(command, scenario, _done(route, command), of)
            if type(command) is scenario.cancelled_at:
                message = CancelSaga(payment_id=of.payment_id, reason="made up")
            if message is None:
                continue
        elif outside:
            message = outside.pop(0)
        elif scenario.afterwards and scenario.afterwards.__name__ not in endings:
            endings.append(scenario.afterwards.__name__)
            message = example(scenario.afterwards, of)
        else:
            break
        decision = advance(route, state, message, BEGINNING)
        state = decision.state
        sends += decision.sends
        endings += [type(event).__name__ for event in decision.events]
    return Played(tuple(commands), tuple(endings))


def choreographed(
    reactions: Mapping[str, Reactions], scenario: Scenario, of: PaymentOrder, begins: type[Message],
    cancels: type[Message],
) -> Played:  # fmt: skip
    """Played by the reactions of one order of steps; `begins` and `cancels` are the events from outside."""
    of, name = replace(of, flow=CHOREOGRAPHED), of.workflow
    listening = list(of_order(reactions, name))
    events: list[Message] = [example(begins, of)]
    commands: list[tuple[str, str]] = []
    idle: list[tuple[str, str]] = []
    endings: list[str] = []
    for _ in range(_MOST):
        if not events:
            if scenario.afterwards is None or scenario.afterwards.__name__ in endings:
                break
            endings.append(scenario.afterwards.__name__)
            events.append(example(scenario.afterwards, of))
        event = events.pop(0)
        for service, on in listening:
            command = on.make(event) if on.event is type(event) else None
            if command is None:
                continue
            if type(command) not in outcomes():
                ending = ending_of(command) or next(iter(answers(on, name)), None)
                endings += [ending.__name__] if ending and service == publisher(begins) else []
            else:
                commands.append((service, type(command).__name__))
                _note_idle(on, service, idle)
                if type(command) is scenario.cancelled_at:
                    events.append(example(cancels, of))
                else:
                    answer = _answer(command, scenario, outcomes()[type(command)][0], of)
                    events += [answer] if answer else []
    return Played(tuple(commands), tuple(endings), tuple(idle))


def _note_idle(on: On, service: str, idle: list[tuple[str, str]]) -> None:
    if on.may_be_idle:
        idle.append((service, on.command.__name__))


def _done(route: Route, command: Message) -> type[Message] | None:
    for step in route.steps:
        if isinstance(step, Step) and made_by(step.command) is type(command):
            return step.done
        if isinstance(step, Step) and step.compensation and made_by(step.compensation) is type(command):
            return step.undone
    return next(iter(outcomes().get(type(command), ())), None)


def _answer(command: Message, scenario: Scenario, done: type[Message] | None, of: Any) -> Message | None:
    answer = scenario.answers.get(type(command), done)
    if answer is None:
        return None
    known = {name: getattr(command, name) for name in command.__dataclass_fields__ if name != "facts"}
    return example(answer, of, **known)
