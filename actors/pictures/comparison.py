"""Two workflows, or two chains, side by side: which steps were added, removed, moved or changed, and in what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from difflib import SequenceMatcher
from typing import Any, Final

from actors.pictures.chain import Chain, Reaction
from actors.pictures.outline import CHOICE, Part, Process, Split, Task, Wait

SAME, ADDED, REMOVED, MOVED, CHANGED = "", "added", "removed", "moved", "changed"
_SAID: Final = {
    "service": "service", "command": "command", "done": "done by", "refused": "refused by", "held": "held by",
    "overdue": "overdue by", "doubt": "in doubt by", "timeout": "timeout", "tries": "tries", "backoff": "backoff",
    "policies": "policies", "undo": "undone by", "undone": "undone when", "undo_when_done": "undone when done",
    "pivot": "pivot", "needs": "needs",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of one side: where it stands, its name, and what can be told apart about it."""

    name: str
    place: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of both: `left` and `right` are the names, empty where it is not there; `changes` are in words."""

    left: str
    right: str
    what: str
    changes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"left": self.left or None, "right": self.right or None, "what": self.what or "same",
                "changes": list(self.changes)}  # fmt: skip


def compare(left: Process | Chain, right: Process | Chain) -> list[Row]:
    """Every step or reaction of both, in the right side's order; what is only on the left stands where it stood."""
    ones, others = _entries(left), _entries(right)
    by_name = {each.name: each for each in ones}
    names, wanted = [each.name for each in ones], [each.name for each in others]
    common = [name for name in names if name in wanted]
    matcher = SequenceMatcher(a=common, b=[name for name in wanted if name in names], autojunk=False)
    still = {name for block in matcher.get_matching_blocks() for name in common[block.a : block.a + block.size]}
    rows: list[Row] = []
    gone = [each for each in ones if each.name not in wanted]
    for entry in others:
        while gone and _stood_before(gone[0], entry, names):
            rows.append(Row(gone.pop(0).name, "", REMOVED))
        before = by_name.get(entry.name)
        if before is None:
            rows.append(Row("", entry.name, ADDED, (entry.place,) if entry.place else ()))
            continue
        changes = tuple(_changes(before, entry))
        moved = entry.name not in still
        if moved:
            changes = (f"from {names.index(entry.name) + 1} to {wanted.index(entry.name) + 1}", *changes)
        what = MOVED if moved else CHANGED if changes else SAME
        rows.append(Row(entry.name, entry.name, what, changes))
    return rows + [Row(each.name, "", REMOVED) for each in gone]


def names(of: Process | Chain) -> list[str]:
    """What is compared, by name, in its order."""
    return [each.name for each in _entries(of)]


def reaction_name(on: Reaction) -> str:
    """What a reaction is called: who does what, and what comes of it if that is one thing."""
    name = f"{on.service}: {on.command}"
    return f"{name} → {on.outcomes[0]}" if len(on.outcomes) == 1 else name


def _stood_before(gone: Entry, entry: Entry, names: Sequence[str]) -> bool:
    return entry.name in names and names.index(gone.name) < names.index(entry.name)


def _changes(before: Entry, after: Entry) -> Iterator[str]:
    if before.place != after.place:
        yield f"{before.place or 'in line'} → {after.place or 'in line'}"
    was, now = dict(before.facts), dict(after.facts)
    for fact in dict.fromkeys((*was, *now)):
        if was.get(fact, "") != now.get(fact, ""):
            yield f"{fact}: {was.get(fact) or 'none'} → {now.get(fact) or 'none'}"


def _entries(of: Process | Chain) -> list[Entry]:
    return list(_reactions(of)) if isinstance(of, Chain) else [*_parts(of.parts, ""), *_ways_out(of)]


def _parts(parts: tuple[Part, ...], place: str) -> Iterator[Entry]:
    for part in parts:
        match part:
            case Task():
                yield Entry(part.name, place, tuple(_facts(part)))
            case Wait():
                yield Entry(part.name, place, (("until", part.until),))
            case Split():
                cases = ", ".join(label for label, _ in part.branches) if part.kind == CHOICE else ""
                yield Entry(part.name, place, (("decides on", part.question), ("cases", cases)))
                for label, inside in part.branches:
                    yield from _parts(inside, f"{part.name} = {label}" if label else f"in {part.name}")


def _facts(task: Task) -> Iterator[tuple[str, str]]:
    for each in fields(task):
        if each.name in _SAID:
            yield _SAID[each.name], _shown(getattr(task, each.name))


def _ways_out(process: Process) -> Iterator[Entry]:
    stop, back = process.stop, process.back
    yield Entry("to stop it", "", (("command", f"{stop.command} → {stop.service}"), ("on", stop.on),
                                   ("answers", f"{stop.stopped}, {stop.refused}")))  # fmt: skip
    booked = f"{back.command} → {back.service}" if back.command else "a person is called"
    yield Entry("a return", "", (("on", back.on), ("then", booked)))


def _reactions(chain: Chain) -> Iterator[Entry]:
    for on in chain.reactions:
        yield Entry(
            reaction_name(on), "", (("on", ", ".join(sorted(on.events))), ("publishes", ", ".join(on.outcomes)))
        )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, tuple):
        return ", ".join(f"{each[0]}: {each[2]}" if isinstance(each, tuple) else str(each) for each in value)
    return "" if value is None else str(value)
