"""A workflow as plain data, as `workflow show` has it and as pictures are drawn from it."""

from __future__ import annotations

import typing
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

from actors.messaging.message import Message
from actors.payment.definition import (
    CallPerson,
    Choice,
    NextWindow,
    Part,
    Policy,
    Step,
    Together,
    TryLater,
    WaitUntil,
    Window,
    Workflow,
)


def describe(workflow: Workflow) -> dict[str, Any]:
    """One workflow; times in seconds, before the configured factor.

    `steps` are the parts in order, each with its `kind`: a `step`; `together`, with its `steps`; a `choice`, with
    `cases` (`value`, `steps`; the last may be `otherwise`); a `wait`. `routes` are all ways through them: the
    `outcomes` of the choices that lead there, and the names of the `steps` in a line.
    """
    gate, routes = workflow.gate, workflow.routes()
    return {
        "name": workflow.name,
        "version": workflow.version,
        "steps": [_part(part) for part in workflow.steps],
        "pivot": routes[0].steps[routes[0].pivot].name,
        "routes": [
            {"outcomes": {name: _plain(case) for name, case in route.outcomes}, "steps": [s.name for s in route.steps]}
            for route in routes
        ],
        "stop": {
            "name": gate.name,
            "service": gate.to,
            "command": made_by(gate.command).__name__,
            "on": gate.expiry.__name__,
            "stopped": gate.closed.__name__,
            "refused": gate.refused.__name__,
            "timeout_seconds": gate.timeout.total_seconds(),
        },
        "return": _return(workflow),
    }


def _return(workflow: Workflow) -> dict[str, Any]:
    """Where money that comes back is booked; without a `command` it calls a person."""
    back = workflow.returns
    if isinstance(back, type):
        return {"on": back.__name__, "command": None}
    return {
        "name": back.name,
        "on": back.received.__name__,
        "service": back.to,
        "command": made_by(back.command).__name__,
        "booked": back.booked.__name__,
        "suspended": back.suspended.__name__,
        "timeout_seconds": back.timeout.total_seconds(),
    }


@cache
def made_by(command: Callable[..., Message]) -> type[Message]:
    """The class of what a workflow's function makes, as it is annotated."""
    made: type[Message] = typing.get_type_hints(command)["return"]
    return made


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Step):
        return _step(part)
    if isinstance(part, Together):
        return {"kind": "together", "name": part.name, "steps": [_step(step) for step in part.steps]}
    if isinstance(part, WaitUntil):
        return {"kind": "wait", "name": part.name, "until": _moment(part)}
    return _choice(part)


def _choice(choice: Choice) -> dict[str, Any]:
    cases = [(_plain(case), steps) for case, steps in choice.cases.items()]
    if choice.otherwise is not None:
        cases.append(("otherwise", choice.otherwise))
    return {
        "kind": "choice",
        "name": choice.name,
        "on": choice.on.name,
        "cases": [{"value": value, "steps": [_part(part) for part in steps]} for value, steps in cases],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "kind": "step",
        "name": step.name,
        "service": step.to,
        "command": made_by(step.command).__name__,
        "done": step.done.__name__,
        "refused": _name(step.refused),
        "waits_for_person": _name(step.waits_for_person),
        "overdue": _name(step.overdue),
        "in_doubt": _name(step.in_doubt),
        "timeout_seconds": step.timeout.total_seconds(),
        "tries": step.retries + 1,
        "backoff": step.backoff,
        "compensation": made_by(step.compensation).__name__ if step.compensation else None,
        "undone": _name(step.undone),
        "undo_when_done": step.undo_when_done if step.compensation else None,
        "pivot": step.pivot,
        "needs": list(step.needs),
        "on_reason": {code: _policy(policy) for code, policy in step.on_reason.items()},
        "on_failure": _policy(step.on_failure),
    }


def _policy(policy: Policy) -> dict[str, Any]:
    if isinstance(policy, TryLater):
        after = policy.after.total_seconds()
        return {"policy": "try-later", "after_seconds": after, "tries": policy.tries, "backoff": policy.backoff}
    if isinstance(policy, NextWindow):
        return {"policy": "next-window", "window": str(policy.window), "tries": policy.tries}
    return {"policy": "call-person" if isinstance(policy, CallPerson) else "stop-and-undo"}


def _moment(wait: WaitUntil) -> str:
    """In words: the window, or what the function is called."""
    if isinstance(wait.until, Window):
        return f"{wait.until} is open"
    return f"the {wait.until.__name__.replace('_', ' ').strip()}"


def _plain(case: Hashable) -> Any:
    return case if isinstance(case, bool | int | str) else str(case)


def _name(message: type[Message] | None) -> str | None:
    return None if message is None else message.__name__
