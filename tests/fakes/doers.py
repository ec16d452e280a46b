"""Services for tests of the turn that do what the test tells them to, and a cell that hosts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from actors.directory import messages as directory_messages
from actors.directory.reaction import BOTH_FLOWS, On
from actors.messaging import codec, system_messages
from actors.messaging.message import Command, Event, Message, Reply, Result, Task, Tick
from actors.runtime.core import CellCore, Hosting
from actors.runtime.service import Answer, CellContext, Handed, Observed, Service, Turn
from actors.store.placement import spread
from actors.store.session import Migration
from config.settings import Settings
from tests.fakes.one_cell import OneCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Do(Command):
    """Note `what`, then do what the test says is to be done at it."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Did(Event):
    """It was done."""

    what: str
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Okay(Reply):
    """The answer to `Do`."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hear(Command):
    """What the hearer makes of `Did`."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep(Command):
    """Keep `what` until the turn ends."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring(Tick):
    """A timer of the doer's."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Make(Task):
    """For the worker."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made(Result):
    """From the worker."""

    what: str


codec.register(Do, Did, Okay, Hear, Keep, Ring, Make, Made)
codec.register_module(system_messages)
codec.register_module(directory_messages)

Act = Callable[[Any, Turn], None]


class World:
    """What the test bends while the cell runs."""

    acts: ClassVar[dict[str, Act]] = {}
    observed: ClassVar[list[tuple[int, str]]] = []
    unobservable: ClassVar[set[str]] = set()  # what the observer can't take
    worker_answers = True

    @classmethod
    def reset(cls) -> None:
        """No test sees another's."""
        cls.acts, cls.observed, cls.unobservable, cls.worker_answers = {}, [], set(), True


class Doer(Service):
    """Notes everything it is told; does `World.acts[what]`, answers and publishes that it did."""

    name = "doer"
    migrations = (
        Migration("notes", 1, ("CREATE TABLE notes (id INTEGER PRIMARY KEY, who TEXT NOT NULL, what TEXT NOT NULL)",)),
    )

    def prepare(self, context: CellContext) -> None:
        """Keep the session."""
        self.session = context.session

    def note(self, what: str) -> None:
        """Write it down."""
        self.session.write("INSERT INTO notes (who, what) VALUES (?, ?)", (self.name, what))

    def do(self, command: Do, turn: Turn) -> None:
        """See the class."""
        self.note(command.what)
        act = World.acts.get(command.what)
        if act is not None:
            act(self, turn)
        turn.publish(Did(what=command.what))
        if turn.reply_to.startswith("client/"):
            turn.answer(Okay(what=command.what))

    def told(self, message: Any, turn: Turn) -> None:
        """Ticks and results."""
        self.note(message.what)
        act = World.acts.get(message.what)
        if act is not None:
            act(self, turn)

    handlers = {Do: do, Ring: told, Made: told}


class Hearer(Doer):
    """Hears of what was done."""

    name = "hearer"

    def hear(self, command: Hear, turn: Turn) -> None:
        """Note it; `World.acts` knows it as `hear …`."""
        self.note(command.what)
        act = World.acts.get(f"hear {command.what}")
        if act is not None:
            act(self, turn)

    def failed(self, event: directory_messages.ReactionFailed, turn: Turn) -> None:
        """A reaction failed somewhere."""
        raise RuntimeError("can't bear to hear it")

    handlers = {Hear: hear, directory_messages.ReactionFailed: failed}


class Keeper(Doer):
    """One per name `keeper/…`: writes only at the end of the turn."""

    name = "keeper/"

    def prepare(self, context: CellContext) -> None:
        """Nothing kept yet."""
        super().prepare(context)
        self.kept: list[str] = []

    def keep(self, command: Keep, turn: Turn) -> None:
        """In memory, for now."""
        self.kept.append(command.what)
        turn.keep(self)
        turn.answer(Okay(what=command.what))

    def write_back(self, turn: Turn) -> None:
        """Now it counts."""
        for what in self.kept:
            act = World.acts.get(f"write {what}")
            if act is not None:
                act(self, turn)
            self.session.write("INSERT INTO notes (who, what) VALUES ('keeper', ?)", (what,))
        self.kept = []

    handlers = {Keep: keep}


class Watch(Service):
    """Observes the log."""

    name = "watch"
    observes = True

    def observe(self, tick: Observed, turn: Turn) -> None:
        """Fail at what is unobservable, else remember."""
        for record in tick.records:
            what = getattr(record.envelope.message, "what", "")
            if what in World.unobservable:
                raise RuntimeError(f"can't look at {what}")
        World.observed += [(record.offset, type(record.envelope.message).__name__) for record in tick.records]
        act = World.acts.get("observe")
        if act is not None:
            act(self, turn)

    handlers = {Observed: observe}


class Maker:
    """Answers every task, unless it is told not to."""

    outbox = "make"

    def __init__(self) -> None:
        self.handed: list[str] = []

    def open(self, deliver: Any) -> None:
        """Keep the way back."""
        self.deliver = deliver

    def perform(self, tasks: list[Handed]) -> None:
        """One answer a task."""
        self.handed += [f"{each.task.what}{' again' if each.again else ''}" for each in tasks]  # type: ignore[attr-defined]
        if World.worker_answers:
            self.deliver([self.answer(each) for each in tasks])

    @staticmethod
    def answer(handed: Handed) -> Answer:
        """`Made`, to the doer."""
        return Answer("doer", handed.payment_id, (Made(what=handed.task.what),), handed.outbox_id)  # type: ignore[attr-defined]

    def due(self, now: Any) -> None:
        """Never by itself."""

    def close(self) -> None:
        """Nothing to close."""


def hear(event: Did) -> Message:
    """The hearer's reaction."""
    return Hear(what=event.what)


class DoersCell(OneCell):
    """A cell of the doers, one of `cells`."""

    def __init__(self, data: Path, *, cells: int = 1, clock: Any = None, **runtime: Any) -> None:
        World.reset()
        self.cells = cells
        self.maker = Maker()
        quick = {"delayed_retries": 1, "retry_initial_seconds": 0.01, "retry_maximum_seconds": 0.02}
        super().__init__(data, self.hosting, Settings(runtime={**quick, **runtime}), clock)  # type: ignore[arg-type]

    def hosting(self) -> Hosting:
        """Anew for each start."""
        self.maker = Maker()
        return Hosting(
            services=(Doer, Hearer, Watch),
            families=(("keeper/", Keeper, "doer"),),
            reactions={"hearer": {"*": (On(Did, Hear, hear, (*BOTH_FLOWS, "")),)}},
            workers=(self.maker,),
            replayable=("watch",),
        )

    def open(self) -> None:
        """With its peers."""
        self.core = CellCore(
            "cell-0", self.data, self.settings, spread(self.cells), self._make_hosting(), clock=self._clock
        )
        self.core.open()

    def notes(self, who: str = "doer") -> list[str]:
        """What one of them has noted, as committed."""
        return [row[0] for row in self.ask("SELECT what FROM notes WHERE who = ? ORDER BY id", who)]

    def letters(self) -> list[tuple[str, str]]:
        """The dead letters: actor and type."""
        return [(row[0], row[1]) for row in self.ask("SELECT actor, type FROM dead_letters ORDER BY at, id")]


def raising(times: int) -> Act:
    """Raise so often."""
    left = [times]

    def act(me: Any, turn: Turn) -> None:
        if left[0]:
            left[0] -= 1
            raise RuntimeError("no luck")

    return act


def soon(what: str, after: timedelta = timedelta(0)) -> Act:
    """Set a timer."""
    return lambda me, turn: turn.timer(what, after, Ring(what=what))
