"""A workflow as a Mermaid flowchart, for pages that draw one from text."""

from __future__ import annotations

from itertools import count

from actors.pictures.consequences import undoings, undone_before
from actors.pictures.outline import CALL_PERSON, CHOICE, NEXT_WINDOW, TRY_LATER, Part, Process, Split, Task, Wait

Exits = list[tuple[str, str]]  # the node that a line leaves, and what is written on it


def mermaid(process: Process) -> str:
    """The flowchart: what goes well is solid, what does not is dotted."""
    return _Writer(process).write()


class _Writer:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._nodes: list[str] = []
        self._lines: list[str] = []
        self._number = count()
        self._undo: dict[str, str] = {}  # task → the node of what undoes it

    def write(self) -> str:
        for at, task in enumerate(self._process.tasks()):
            if task.undo:
                self._undo[task.name] = f"u{at}"
        exits = self._sequence(self._process.parts, [])
        self._lead(exits, "completed")
        ends = ['completed(["completed"])', 'rejected(["rejected"])', 'attention(["needs attention"])']
        lines = [*self._nodes, *ends, *self._lines]
        return "\n".join(["flowchart TD", *(f"    {line}" for line in lines)])

    def _sequence(self, parts: tuple[Part, ...], exits: Exits) -> Exits:
        for part in parts:
            match part:
                case Task():
                    exits = self._task(part, exits)
                case Wait():
                    node = self._node(f'(["{part.name}<br/>until {_quoted(part.until)}"])', exits)
                    exits = [(node, "")]
                case Split():
                    exits = self._split(part, exits)
        return exits

    def _task(self, task: Task, exits: Exits) -> Exits:
        left, right = ("{{", "}}") if task.pivot else ("[", "]")
        node = self._node(f'{left}"{task.name}<br/>{task.command} → {task.service}"{right}', exits)
        refused = next(iter(undoings(self._process, task)), None)
        failing = "attention" if task.after_pivot else self._undoing(refused)
        if task.refused:
            self._dotted(node, task.refused, failing)
        for on, kind, words in task.policies:
            to = {TRY_LATER: node, NEXT_WINDOW: node, CALL_PERSON: "attention"}.get(kind, failing)
            self._dotted(node, f"{on}: {words}", to)
        if task.held:
            self._dotted(node, task.held, node)
        if task.doubt:
            self._dotted(node, task.doubt, "attention")
        if task.undo:
            undo = self._undo[task.name]
            self._nodes.append(f'{undo}["{task.undo} → {task.service}"]')
            self._dotted(node, "timeout", undo)
            self._lines.append(f"{undo} -->|{task.undone}| {self._undoing(undone_before(self._process, task))}")
        return [(node, task.done)]

    def _undoing(self, task: Task | None) -> str:
        return self._undo.get(task.name, "rejected") if task else "rejected"

    def _split(self, split: Split, exits: Exits) -> Exits:
        name = f"{split.name}: {split.question}?" if split.kind == CHOICE else split.name
        shape = f'{{"{_quoted(name)}"}}' if split.kind == CHOICE else f'[/"{_quoted(name)}"\\]'
        fork = self._node(shape, exits)
        out: Exits = []
        for label, inside in split.branches:
            out += self._sequence(inside, [(fork, label)])
        if split.kind == CHOICE:
            return out
        return [(self._node(f'[\\"{_quoted(split.name)}: all done"/]', out), "")]

    def _node(self, shape: str, exits: Exits) -> str:
        node = f"s{next(self._number)}"
        self._nodes.append(f"{node}{shape}")
        self._lead(exits, node)
        return node

    def _lead(self, exits: Exits, to: str) -> None:
        for source, label in exits:
            self._lines.append(f'{source} -->|"{_quoted(label)}"| {to}' if label else f"{source} --> {to}")

    def _dotted(self, source: str, label: str, to: str) -> None:
        self._lines.append(f'{source} -.->|"{_quoted(label)}"| {to}')


def _quoted(words: str) -> str:
    return words.replace('"', "#quot;")
