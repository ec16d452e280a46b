"""How far a payment came with each step or reaction, worked out from its timeline. Draws nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from actors.directory.reaction import On
from actors.pictures import rehearsal
from actors.pictures.chain import answers
from actors.pictures.outline import Process, Task, Wait, everything
from actors.pictures.sequence import COMMAND, EVENT, OPERATOR, Told, moment
from actors.vocabulary.order import PaymentOrder

DONE, UNDONE, REFUSED, HERE, OUT, LEFT = "done", "undone", "refused", "here", "left out", "not reached"
TO_STOP, A_RETURN = "to stop it", "a return"
POSTPONED: Final = "PaymentPostponed"
FOR_PEOPLE: Final = ("PaymentNeedsAttention", "CancellationRefused")
REFUSALS: Final = ("SteeringRefused", "ApprovalRefused", "ReviewRefused", "SettlementRefused")  # of a person's word
_ENDED: Final = ("completed", "rejected", "cancelled", "returned")


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a payment came with one step: `said` are the answers, each with its time, `undone` what undid it."""

    name: str
    call: str
    state: str
    sent: str = ""
    took: str = ""
    said: tuple[tuple[str, str], ...] = ()
    undone: tuple[tuple[str, str], ...] = ()


class Meanings(NamedTuple):
    """What messages mean in any workflow: refusals, answers that leave a step waiting, undone ones."""

    refused: frozenset[str]
    waiting: frozenset[str]
    undone: frozenset[str]


def meanings(processes: Iterable[Process]) -> Meanings:
    """Of the answers that the workflows name."""
    refused: set[str | None] = set()
    waiting: set[str | None] = set()
    undone: set[str | None] = set()
    for process in processes:
        refused |= {process.stop.refused}
        waiting |= {process.back.suspended}
        for task in process.tasks():
            refused |= {task.refused}
            waiting |= {task.held, task.overdue, task.doubt}
            undone |= {task.undone}
    return Meanings(*(frozenset(filter(None, names)) for names in (refused, waiting, undone)))


# -- orchestrated


def stages(process: Process, messages: Sequence[Told], status: str) -> list[Stage]:
    """Every step and wait of an orchestrated payment's workflow, in the order of the definition; then what came in
    between: a wish to stop it, money that came back."""
    found = [
        _wait(part, messages) if isinstance(part, Wait) else _stage(part, messages, status)
        for part in everything(process.parts)
        if isinstance(part, Task | Wait)
    ]
    reached = max((at for at, stage in enumerate(found) if stage.state != LEFT), default=0)
    for at, stage in enumerate(found):
        if stage.state == LEFT and at < reached:
            found[at] = replace(stage, state=OUT)
        elif stage.state == HERE and stage.call.startswith("until "):
            found[at] = replace(stage, state=DONE if at < reached else UNDONE if status in _ENDED else HERE)
    return [*found, *_in_between(process, messages)]


def _stage(task: Task, messages: Sequence[Told], status: str) -> Stage:
    call = f"{task.command} → {task.service}"
    said = {task.done: DONE, task.refused: REFUSED} | dict.fromkeys((task.held, task.overdue, task.doubt), HERE)
    undoing = {task.undo: HERE, task.undone: UNDONE}
    state, last = LEFT, None
    sent: list[Told] = []
    told: list[tuple[str, str]] = []
    undone: list[tuple[str, str]] = []
    for each in messages:
        if each.type == task.command and each.receiver == task.service:
            told += [("sent again", each.time)] if sent else []
            sent.append(each)
            state = HERE
        elif sent and each.type == POSTPONED and each.data.get("step") == task.name:
            told.append((_until(each), each.time))
            state = HERE
        elif sent and each.type in said:
            told.append((each.type, each.time))
            state, last = said[each.type], each
        elif sent and each.type in undoing:
            undone.append((each.type, each.time))
            state = undoing[each.type]
    if state == HERE and status in _ENDED:
        state = UNDONE if undone else REFUSED
    if not sent:
        return Stage(task.name, call, LEFT)
    took = span(sent[0], last) if last and state != HERE else ""
    return Stage(task.name, call, state, sent[0].time, took, tuple(dict.fromkeys(told)), tuple(dict.fromkeys(undone)))


def _wait(wait: Wait, messages: Sequence[Told]) -> Stage:
    call = f"until {wait.until}"
    began = [each for each in messages if each.type == POSTPONED and each.data.get("step") == wait.name]
    if not began:
        return Stage(wait.name, call, LEFT)
    after = [each for each in messages if each.at > began[0].at and each.sender == "saga" and each.kind == COMMAND]
    took = span(began[0], after[0]) if after else ""
    return Stage(wait.name, call, HERE, began[0].time, took, ((_until(began[-1]), began[-1].time),))


def _in_between(process: Process, messages: Sequence[Told]) -> Iterator[Stage]:
    stop, back = process.stop, process.back
    yield from _block(TO_STOP, stop.command, stop.service, {stop.stopped: DONE, stop.refused: REFUSED}, messages)
    if back.command:
        yield from _block(A_RETURN, back.command, back.service, {back.booked: DONE, back.suspended: HERE}, messages)


def _block(
    name: str, command: str, service: str, answers: Mapping[str, str], messages: Sequence[Told]
) -> Iterator[Stage]:
    sent = [each for each in messages if each.type == command and each.receiver == service]
    if sent:
        said = [each for each in messages if each.type in answers]
        state = answers[said[-1].type] if said else HERE
        took = span(sent[0], said[-1]) if said and state != HERE else ""
        told = tuple(dict.fromkeys((each.type, each.time) for each in said))
        yield Stage(name, f"{command} → {service}", state, sent[0].time, took, told)


# -- choreographed


def is_idle(on: On, of: PaymentOrder) -> bool:
    """Whether a reaction does nothing about its event for such an order: it decides that itself, so it is asked."""
    return all(rehearsal.made(on, event) is None for event in rehearsal.variants(on.event, of))


def chain_stages(
    messages: Sequence[Told], reactions: Mapping[tuple[str, str], On], name: str, meant: Meanings, status: str
) -> list[Stage]:
    """What each service did in a choreographed payment, in the order in which it heard of it.

    `reactions` are those that do something for this payment, by service and event.
    """
    heard = [
        (at, each, reactions[each.receiver, each.type])
        for at, each in enumerate(messages)
        if each.kind == EVENT and (each.receiver, each.type) in reactions
    ]
    found = []
    for at, each, on in heard:
        end = next(
            (then for then, later, other in heard if then > at and later.receiver == each.receiver
             and other.command is on.command),
            len(messages),
        )  # fmt: skip
        given = {event.__name__ for event in answers(on, name)}
        told = [
            later for then, later in enumerate(messages[at + 1 :], at + 1)
            if later.sender == each.receiver and later.kind == EVENT
            and (later.cause == each.id or (later.type in given and then < end))
        ]  # fmt: skip
        state = _of_reaction(told, given, meant, status)
        took = span(each, told[-1]) if told and state != HERE else ""
        said = tuple(dict.fromkeys((later.type, later.time) for later in told))
        found.append(
            Stage(f"on {each.type}", f"{each.receiver} does {on.command.__name__}", state, each.time, took, said)
        )
    return found


def _of_reaction(told: Sequence[Told], given: set[str], meant: Meanings, status: str) -> str:
    last = told[-1].type if told else ""
    if last in meant.undone:
        return UNDONE
    if last in meant.refused:
        return REFUSED
    unanswered = not told and bool(given)
    if last in meant.waiting or unanswered:
        return HERE if status not in _ENDED else UNDONE
    return DONE


# -- people


def acts(messages: Sequence[Told]) -> list[tuple[str, str]]:
    """What people asked of the payment, why that was refused, and what they were told; each with its time."""
    refused = {each.cause: each.data["error"] for each in messages if each.data.get("error") and each.type in REFUSALS}
    found = [
        (each.time, _words(each) + (f" (refused: {refused[each.id]})" if each.id in refused else ""))
        for each in messages
        if each.kind == OPERATOR or each.type in FOR_PEOPLE
    ]
    return list(dict.fromkeys(found))


def _words(each: Told) -> str:
    said = each.data
    reason = said.get("reason") or said.get("error") or ""
    if isinstance(reason, Mapping):
        reason = f"{reason.get('code', '')} {reason.get('text', '')}".strip()
    what = [str(said[name]) for name in _SAID if said.get(name)]
    what += [yes if said[name] else no for name, yes, no in _ANSWERED if name in said]
    by = f", {said['by']}" if said.get("by") else ""
    return " ".join((each.type, *what)) + by + (f": {reason}" if reason else "")


_SAID: Final = ("decision", "to", "step")  # what a person's act is about, beside its reason
_ANSWERED: Final = (("approve", "yes", "no"), ("executed", "executed", "not executed"))


def span(first: Told, last: Told) -> str:
    """How long it took: `12 ms`, `30.0 s`, `10 min`, `7 h 3 min`, `2 d 4 h`."""
    seconds = (last.at - first.at).total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def _until(each: Told) -> str:
    return f"waits until {moment(each.data['until'])}"


def undoing(processes: Iterable[Process]) -> frozenset[str]:
    """Every message that undoes something or says that it is undone, in any workflow."""
    return frozenset(
        name for process in processes for task in process.tasks() for name in (task.undo, task.undone) if name
    )
