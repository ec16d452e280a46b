"""What there is to read about the orchestrated flow: workflows as plain data, where sagas stand. Never writes."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

from actors.messaging.message import Message
from actors.payment.definition import Step, Workflow
from actors.payment.workflow import WORKFLOWS
from actors.store.session import Reader


def workflows() -> list[dict[str, Any]]:
    """Every shipped workflow with its steps, in order."""
    return [describe(workflow) for workflow in WORKFLOWS.values()]


def workflow(name: str) -> dict[str, Any] | None:
    """The newest version of one workflow, or None."""
    found = newest(name)
    return None if found is None else describe(found)


def newest(name: str) -> Workflow | None:
    """The definition itself, in its newest version."""
    versions = [each for each in WORKFLOWS.values() if each.name == name]
    return max(versions, key=lambda each: each.version, default=None)


def describe(workflow: Workflow) -> dict[str, Any]:
    """One workflow as `workflow show` has it; timeouts in seconds, before the configured factor."""
    gate, back = workflow.gate, workflow.returns
    return {
        "name": workflow.name,
        "version": workflow.version,
        "steps": [_step(step) for step in workflow.steps],
        "pivot": workflow.steps[workflow.pivot].name,
        "stop": {
            "name": gate.name,
            "service": gate.to,
            "command": made_by(gate.command).__name__,
            "stopped": gate.closed.__name__,
            "refused": gate.refused.__name__,
            "timeout_seconds": gate.timeout.total_seconds(),
        },
        "return": {
            "name": back.name,
            "on": back.received.__name__,
            "service": back.to,
            "command": made_by(back.command).__name__,
            "booked": back.booked.__name__,
            "suspended": back.suspended.__name__,
            "timeout_seconds": back.timeout.total_seconds(),
        },
    }


def saga(reader: Reader, payment_id: str) -> dict[str, Any] | None:
    """Where one payment's saga stands, or None where it has none."""
    row = reader.one("SELECT workflow, version, phase, step, attempt FROM sagas WHERE payment_id = ?", (payment_id,))
    if row is None:
        return None
    name, version, phase, step, attempt = row
    definition = WORKFLOWS.get((name, version))
    at = definition.steps[step].name if definition and phase in ("forward", "compensating") else None
    return {"workflow": name, "workflow_version": version, "phase": phase, "step": at, "attempt": attempt}


def outcomes() -> dict[type[Message], tuple[type[Message], ...]]:
    """What each command of the payment process may be answered by, as the workflows have it."""
    answers: dict[type[Message], dict[type[Message], None]] = {}

    def note(command: Callable[..., Message] | None, *classes: type[Message] | None) -> None:
        if command is not None:
            known = answers.setdefault(made_by(command), {})
            known.update(dict.fromkeys(each for each in classes if each is not None))

    for each in WORKFLOWS.values():
        for step in each.steps:
            note(step.command, step.done, step.refused, step.waits_for_person, step.overdue, step.in_doubt)
            note(step.compensation, step.undone, step.undo_refused)
        note(each.gate.command, each.gate.closed, each.gate.refused)
        note(each.returns.command, each.returns.booked, each.returns.suspended)
    return {command: tuple(known) for command, known in answers.items()}


def made_by(command: Callable[..., Message]) -> type[Message]:
    """The class of what a workflow's function makes, as it is annotated."""
    made: type[Message] = typing.get_type_hints(command)["return"]
    return made


def _step(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "service": step.to,
        "command": made_by(step.command).__name__,
        "done": step.done.__name__,
        "refused": _name(step.refused),
        "waits_for_person": _name(step.waits_for_person),
        "in_doubt": _name(step.in_doubt),
        "timeout_seconds": step.timeout.total_seconds(),
        "tries": step.retries + 1,
        "backoff": step.backoff,
        "compensation": made_by(step.compensation).__name__ if step.compensation else None,
        "undone": _name(step.undone),
        "undo_when_done": step.undo_when_done if step.compensation else None,
        "pivot": step.pivot,
        "needs": list(step.needs),
    }


def _name(message: type[Message] | None) -> str | None:
    return None if message is None else message.__name__
