"""Whether a payment under way may go on under another version of its workflow, and where it then stands. Pure.

It may where nothing that was done would be forgotten and nothing that the other version does would be left out: the
steps behind it are the same ones, in whatever order, and would be undone the same; what is under way is the same
command with the same answers, all of them; what was sent under a further number can be sent under that number again.
How long is waited, how often it is tried and what a reason leads to may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from actors.payment.clocks import command_of
from actors.payment.definition import Route, WaitUntil
from actors.payment.model import COMPENSATING, FORWARD, HALTED, RETURNING, State

_ANSWERS: Final = ("done", "refused", "waits_for_person", "overdue", "under_way", "in_doubt")
_UNDOING: Final = ("to", "undone", "undo_refused", "undo_when_done")


class CannotMigrate(Exception):
    """The payment stays on its version; the text is one sentence without its subject, the payment."""


def moved(before: Route, after: Route, state: State) -> State:
    """Where the payment stands on `after`; its timers and answers keep their meaning.

    Raises:
        CannotMigrate: it can't be moved safely, for a reason that a person can act on.
    """
    if after.name != before.name:
        raise CannotMigrate(f"runs {before.name}, and {_called(after)} is another workflow, not a version of it")
    if state.paused:
        raise CannotMigrate("is paused; resume it first")
    if state.phase == HALTED:
        raise CannotMigrate("is halted, since facts contradict each other; a person must look at it first")
    if state.phase not in (FORWARD, COMPENSATING, RETURNING):
        raise CannotMigrate(f"is {state.phase}; an ended payment needs no version")
    if state.phase == RETURNING:
        raise CannotMigrate("was paid, and its money is coming back; it ends by itself")
    if state.stopping:
        raise CannotMigrate("is being stopped; wait for the answer")
    if state.reached:
        raise CannotMigrate("was restarted from an earlier step; wait until it is where it was")
    at = _same_place(before, after, state)
    _same_numbers(before, after, state)
    if state.phase == COMPENSATING:
        _same_undoing(before, after, state, at)
    elif (after.pivot < at) != (before.pivot < state.step):
        raise CannotMigrate(f"stands on the other side of the pivot at {before.steps[state.step].name}")
    return state._replace(step=at)


def _same_place(before: Route, after: Route, state: State) -> int:
    step = before.steps[state.step]
    at = next((at for at, other in enumerate(after.steps) if other.name == step.name), None)
    if at is None:
        raise CannotMigrate(f"stands at {step.name}, which {_called(after)} does not have")
    group, other = before.groups[state.step], after.groups[at]
    if (group is None) != (other is None):
        raise CannotMigrate(f"stands at {step.name}, which runs together with others in one version alone")
    if group is not None and other is not None:
        names = [each.name for each in before.steps[group.start : group.stop]]
        if names != [each.name for each in after.steps[other.start : other.stop]]:
            raise CannotMigrate(f"stands at {group.name}, where other steps run together in {_called(after)}")
        for offset in range(len(names)):
            _same_step(before.steps[group.start + offset], after.steps[other.start + offset], after, state)
        start = other.start
        done, needed = before.steps[: group.start], after.steps[: other.start]
        at = start if state.phase == FORWARD else at
    else:
        _same_step(step, after.steps[at], after, state)
        done, needed = before.steps[: state.step], after.steps[:at]
    _same_past(done, needed, after)
    return at


def _same_past(done: Sequence[Any], needed: Sequence[Any], after: Route) -> None:
    behind = {each.name: each for each in done}
    required = {each.name: each for each in needed}
    left_out = [name for name in required if name not in behind]
    if left_out:
        raise CannotMigrate(f"has not done {', '.join(left_out)}, which comes earlier in {_called(after)}")
    forgotten = [name for name in behind if name not in required]
    if forgotten:
        raise CannotMigrate(
            f"has done {', '.join(forgotten)} already, which comes later or not at all in {_called(after)}"
        )
    for name, step in behind.items():
        _means_the_same(step, required[name], f"has done {name}, which", after)


def _same_step(step: Any, other: Any, after: Route, state: State) -> None:
    where = f"stands at {step.name}, which"
    if isinstance(step, WaitUntil) or isinstance(other, WaitUntil):
        _means_the_same(step, other, where, after)
        return
    if step.to != other.to or type(command_of(step, state)) is not type(command_of(other, state)):
        raise CannotMigrate(f"{where} sends another command in {_called(after)}")
    if step.pivot != other.pivot:
        raise CannotMigrate(f"{where} means something else in {_called(after)}")
    _means_the_same(step, other, where, after)


def _means_the_same(step: Any, other: Any, where: str, after: Route) -> None:
    """Of a step behind, too: its answers may come late or again, and it may have to be undone."""
    if isinstance(step, WaitUntil) or isinstance(other, WaitUntil):
        if type(step) is not type(other):
            raise CannotMigrate(f"{where} is a wait in one version alone")
        return
    if any(getattr(step, each) != getattr(other, each) for each in _ANSWERS):
        raise CannotMigrate(f"{where} means something else in {_called(after)}")
    if any(getattr(step, each) != getattr(other, each) for each in _UNDOING):
        raise CannotMigrate(f"{where} is undone otherwise in {_called(after)}")


def _same_numbers(before: Route, after: Route, state: State) -> None:
    """What was sent under a further number must not be sent under the first again: that one has another answer."""
    further = {each.step for each in state.numbers}
    if state.tries > 1:
        further.add(before.steps[state.step].name)
    further |= {before.steps[state.step + at].name for at, each in enumerate(state.branches) if each.tries > 1}
    for step in after.steps:
        if step.name in further and getattr(step, "again", None) is None:
            raise CannotMigrate(f"was tried again at {step.name}, which {_called(after)} never does")


def _same_undoing(before: Route, after: Route, state: State, at: int) -> None:
    left = [each.name for each in before.steps[: state.step + 1] if each.compensation]
    other = [each.name for each in after.steps[: at + 1] if each.compensation]
    if left != other:
        raise CannotMigrate(f"is being undone, in another order than {_called(after)} would undo it")


def _called(route: Route) -> str:
    return f"{route.name}@{route.version}"
