"""What an answer to a step leads to: what comes next, what is undone and in which order. In words; draws nothing."""

from __future__ import annotations

from actors.pictures.outline import CALL_PERSON, CHOICE, STOP_AND_UNDO, Part, Process, Split, Task

PROOF = "needs attention, and waits for proof or a person's word"


def following(process: Process, task: Task) -> str:
    """What comes after this step is done."""
    return _following(process.parts, task, "completed") or "completed"


def refusal(process: Process, task: Task) -> str:
    """What a refusal leads to: all that is undone, the latest first, then the end."""
    if task.after_pivot:
        return "needs attention"
    return _ended(undoings(process, task))


def silence(process: Process, task: Task) -> str:
    """What it leads to that no try was answered."""
    if task.pivot:
        return PROOF
    if task.after_pivot:
        return "needs attention, and is sent again"
    undone = (task, *undoings(process, task))
    return _ended([each for each in reversed(list(process.tasks())) if each in undone])


def policy(process: Process, task: Task, kind: str, words: str) -> str:
    """What a policy leads to; when its tries are used up, a refusal is one like any other."""
    if kind == STOP_AND_UNDO:
        return refusal(process, task)
    return words if kind == CALL_PERSON else f"{words}; then as for any other reason"


def undoings(process: Process, task: Task) -> list[Task]:
    """The steps that a refusal of this one has undone, in that order: those before it, and those done with it."""
    _, found = _before(process.parts, task)
    return [each for each in reversed(found) if each.undo and each.undo_when_done]


def undone_before(process: Process, task: Task) -> Task | None:
    """The nearest step before this one that leaves something to undo once it is done."""
    found = None
    for each in process.tasks():
        if each is task:
            return found
        if each.undo_when_done:
            found = each
    return found


def _ended(undone: list[Task]) -> str:
    names = list(dict.fromkeys(each.undo for each in undone if each.undo))
    return ", ".join([*names, "then rejected"]) if names else "rejected"


def _before(parts: tuple[Part, ...], task: Task) -> tuple[bool, list[Task]]:
    """Whether the step is among these parts, and which steps of its own way are done by then, in order."""
    done: list[Task] = []
    for part in parts:
        if part is task:
            return True, done
        if isinstance(part, Task):
            done.append(part)
        elif isinstance(part, Split):
            found, inside = _inside(part, task)
            done += inside
            if found:
                return True, done
    return False, done


def _inside(split: Split, task: Task) -> tuple[bool, list[Task]]:
    branches = [_before(inside, task) for _, inside in split.branches]
    within = [found for found, _ in branches]
    if any(within) and split.kind == CHOICE:
        return branches[within.index(True)]
    return any(within), [each for _, done in branches for each in done]


def _following(parts: tuple[Part, ...], task: Task, then: str) -> str | None:
    for at, part in enumerate(parts):
        after = f"on to {parts[at + 1].name}" if at + 1 < len(parts) else then
        if part is task:
            return after
        if isinstance(part, Split):
            together = f"when all are done {after}" if part.kind != CHOICE else after
            for _, inside in part.branches:
                found = _following(inside, task, together)
                if found:
                    return found
    return None
