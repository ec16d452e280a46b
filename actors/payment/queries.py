"""What there is to read about the orchestrated flow: workflows as plain data, where sagas stand. Never writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.messaging.message import Message
from actors.payment.definition import Route, Step, Workflow, all_parts
from actors.payment.description import describe, made_by
from actors.payment.model import COMPENSATING, DONE, FORWARD, Branch, State
from actors.payment.store import state_of
from actors.payment.workflow import WORKFLOWS
from actors.store.session import Reader

__all__ = ["describe", "made_by", "newest", "outcomes", "saga", "workflow", "workflows"]


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


def saga(reader: Reader, payment_id: str) -> dict[str, Any] | None:
    """Where one payment's saga stands, or None where it has none."""
    row = reader.one(
        "SELECT start, phase, step, attempt, unusual, workflow, version FROM sagas WHERE payment_id = ?", (payment_id,)
    )
    if row is None:
        return None
    name, version = row[-2:]
    state = state_of(row)
    definition = WORKFLOWS.get((name, version))
    standing = _standing(definition.route(state.order), state) if definition else {"step": None}
    return {
        "workflow": name,
        "workflow_version": version,
        "phase": state.phase,
        "step": None,
        "attempt": state.attempt,
    } | standing


def _standing(route: Route, state: State) -> dict[str, Any]:
    """The step in hand (or the name of several), and what only some payments have: several steps, a wait."""
    if state.phase not in (FORWARD, COMPENSATING):
        return {}
    said: dict[str, Any] = {"step": route.steps[state.step].name}
    group = route.groups[state.step]
    if state.branches and state.phase == FORWARD and group is not None:
        branches = zip(route.steps[group.start : group.stop], state.branches, strict=True)
        said |= {"step": group.name, "together": {step.name: _branch(branch) for step, branch in branches}}
    if state.waiting:
        said["waiting_until"] = state.waiting
    return said


def _branch(branch: Branch) -> dict[str, Any]:
    return {"done": branch.outcome == DONE, "attempt": branch.attempt, "waiting_until": branch.waiting or None}


def outcomes() -> dict[type[Message], tuple[type[Message], ...]]:
    """What each command of the payment process may be answered by, as the workflows have it."""
    answers: dict[type[Message], dict[type[Message], None]] = {}

    def note(command: Callable[..., Message] | None, *classes: type[Message] | None) -> None:
        if command is not None:
            known = answers.setdefault(made_by(command), {})
            known.update(dict.fromkeys(each for each in classes if each is not None))

    for each in WORKFLOWS.values():
        for step in all_parts(each.steps):
            if isinstance(step, Step):
                note(step.command, step.done, step.refused, step.waits_for_person, step.overdue, step.in_doubt)
                note(step.compensation, step.undone, step.undo_refused)
        note(each.gate.command, each.gate.closed, each.gate.refused)
        if not isinstance(each.returns, type):
            note(each.returns.command, each.returns.booked, each.returns.suspended)
    return {command: tuple(known) for command, known in answers.items()}
