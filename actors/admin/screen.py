"""Where a command writes: text, tables or one JSON document on standard output, notes on standard error."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STATUS_STYLES: Final = {
    "completed": "green",
    "returned": "yellow",
    "rejected": "red",
    "cancelled": "yellow",
    "held": "magenta",
    "needs_attention": "bold red",
    "running": "green",
    "stopped": "yellow",
    "ok": "green",
    "violated": "bold red",
}
PIPED_WIDTH: Final = 10_000  # nothing is cut off for a reader that is a program; lines end where the text does


class Screen:
    """The two streams of one command and what it was asked to write (`--json`).

    With `as_json` only `document` writes to standard output, and only once.
    """

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None, *, as_json: bool = False) -> None:
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.as_json = as_json
        self.written = False

    def show(self, document: Any, render: Callable[[Any], None]) -> None:
        """The answer: as JSON when that was asked for, otherwise as `render` draws it."""
        if self.as_json:
            self.document(document)
        else:
            render(document)

    def document(self, document: Any) -> None:
        """Write the one JSON document of this command."""
        if self.written:
            raise AssertionError("a command writes one JSON document")
        self.written = True
        self._write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")

    def say(self, text: str) -> None:
        """A line of text for a person; nothing under `--json`."""
        if not self.as_json:
            self._write(text + "\n")

    def note(self, text: str) -> None:
        """A line beside the answer, on standard error."""
        self.stderr.write(text + "\n")
        self.stderr.flush()

    def csv(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows as comma-separated values with a header."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        self._write(text.getvalue())

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        *,
        title: str | None = None,
        empty: str = "nothing to show",
    ) -> None:
        """A table; a column whose name starts with `>` is aligned to the right.

        On a terminal in colour and fitted to its width; elsewhere plain text, one line a row, nothing cut off.
        """
        rows = [["" if cell is None else cell for cell in row] for row in rows]
        if not rows:
            self.say(f"{title}: {empty}" if title else empty)
            return
        from rich import box
        from rich.table import Table

        console = self.console()
        drawn = Table(
            title=title,
            title_justify="left",
            box=box.SIMPLE_HEAD if console.is_terminal else None,
            pad_edge=False,
        )
        for column in columns:
            drawn.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
        for row in rows:
            drawn.add_row(*(cell_text(cell) for cell in row))
        self.draw(drawn, console)

    def facts(self, facts: Iterable[tuple[str, Any]]) -> None:
        """Name and value, a line each; what has no value is left out."""
        from rich.table import Table

        drawn = Table(box=None, show_header=False, pad_edge=False)
        drawn.add_column(style="dim", no_wrap=True)
        drawn.add_column(overflow="fold")
        for name, value in facts:
            if value not in (None, ""):
                drawn.add_row(name, cell_text(value))
        self.draw(drawn)

    def draw(self, drawn: RenderableType, console: Console | None = None) -> None:
        """Anything that rich can draw."""
        console = console or self.console()
        if console.is_terminal:
            console.print(drawn)
            return
        with console.capture() as captured:
            console.print(drawn)
        self._write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))

    def console(self) -> Console:
        """A rich console on standard output: plain and wide when that is no terminal."""
        from rich.console import Console

        terminal = self.stdout.isatty()
        return Console(
            file=self.stdout,
            width=None if terminal else PIPED_WIDTH,
            highlight=False,
            soft_wrap=False,
            no_color=not terminal or None,
        )

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Progressing]:
        """A progress bar on standard error where that is a terminal; yields what moves it on."""
        if not self.stderr.isatty():
            yield Progressing()
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(file=self.stderr), transient=True) as bar:
            task = bar.add_task(what, total=total)

            def move(by: int, said: str) -> None:
                bar.update(task, advance=by, description=f"{what} ({said})" if said else what)

            yield Progressing(move)

    def _write(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


class Progressing:
    """Moves a progress bar on: called with how much, and with what slows it down meanwhile."""

    def __init__(self, move: Callable[[int, str], None] = lambda by, said: None) -> None:
        self._move = move

    def __call__(self, by: int) -> None:
        """So much more is done; what slowed it down is over."""
        self._move(by, "")

    def slowed(self, said: str) -> None:
        """Say beside the bar why it doesn't move."""
        self._move(0, said)


def cell_text(value: Any) -> Any:
    """A table's cell: statuses coloured, markup in data shown as it is."""
    from rich.text import Text

    if isinstance(value, Text):
        return value
    text = str(value)
    return Text(text, style=STATUS_STYLES.get(text, ""))
