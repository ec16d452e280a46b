"""Whether a workflow and the services fit: every command has somebody who takes it, every answer a meaning. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from actors.messaging.message import Command, Message
from actors.payment.definition import Return, Route, Step, Workflow
from actors.payment.description import made_by
from actors.payment.faults import BadWorkflow

Handled = Mapping[str, Collection[type[Message]]]  # by service, the messages that it takes


class Sent(NamedTuple):
    """A command that a route may send, where it stands, to whom, and the good and bad answers it is waited for by."""

    place: str
    to: str
    command: type[Message]
    awaited: tuple[type[Message] | None, ...]


def must_be_served(workflow: Workflow, handled: Handled) -> None:
    """See that the services can do what the workflow asks of them.

    Raises:
        BadWorkflow: a step that nobody serves, an answer that no step expects, or one that never comes.
    """
    for route in workflow.routes():
        for sent in _sent(route):
            _check(route, sent, handled)


def _check(route: Route, sent: Sent, handled: Handled) -> None:
    where, command = f"{route.name}: {sent.place}", sent.command
    if sent.to not in handled:
        raise BadWorkflow(f"{where} asks {sent.to}, and there is no such service; there are {', '.join(handled)}")
    if command not in handled[sent.to]:
        raise BadWorkflow(f"{where} sends {command.__name__} to {sent.to}, which does not take it")
    answers: tuple[str, ...] = command.answers if issubclass(command, Command) else ()
    known = {message.__name__ for message in route.roles}
    unknown = [answer for answer in answers if answer not in known]
    if unknown:
        raise BadWorkflow(f"{where}: no step expects {', '.join(unknown)}, which {command.__name__} is answered by")
    never = [each.__name__ for each in sent.awaited if each is not None and each.__name__ not in answers]
    if never:
        raise BadWorkflow(f"{where} waits for {', '.join(never)}, which {command.__name__} is never answered by")


def _sent(route: Route) -> Iterator[Sent]:
    for step in route.steps:
        if not isinstance(step, Step):
            continue
        answers = (step.done, step.refused, step.waits_for_person, step.overdue, step.under_way, step.in_doubt)
        yield Sent(step.name, step.to, made_by(step.command), answers)
        if step.compensation is not None:
            yield Sent(f"undoing {step.name}", step.to, made_by(step.compensation), (step.undone, step.undo_refused))
    gate, back = route.gate, route.returns
    yield Sent(gate.name, gate.to, made_by(gate.command), (gate.closed, gate.refused))
    if isinstance(back, Return):
        yield Sent(back.name, back.to, made_by(back.command), (back.booked, back.suspended))
