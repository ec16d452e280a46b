"""What a service is to the runtime, and what a handler may do: all of it takes effect only if it returns.

A service is a Thespian actor. Its handlers are methods of two arguments, the message and the `Turn`; they do
no I/O, read no clock and roll no dice: the turn gives time and ids, the session reads and writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

from thespian.actors import Actor

from actors.messaging.envelope import Envelope
from actors.messaging.message import Event, Message, Task, Tick
from actors.store.session import Migration, Sealed, Session
from actors.vocabulary.offers import Offers

if TYPE_CHECKING:
    from config.settings import Settings


NOTHING_OFFERED: Final = Offers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Tick):
    """The cell has come up, for the first time or again after `downtime`: for every service that handles it."""

    downtime: timedelta


class Turn(Protocol):
    """What a handler is given for one message. Sends, timers and tasks leave only after the commit."""

    envelope: Envelope
    now: datetime  # one moment for the whole turn, UTC

    @property
    def reply_to(self) -> str:
        """Who awaits the outcome: the commanding actor's name, or "" where the handler reacts to an event.

        A service that answers later (after a rail, a person, a timer) keeps this with what it stores.
        """

    def answer(self, outcome: Message, to: str | None = None, *, workflow: str = "") -> None:
        """Say what became of it: a reply to `to` (default: `reply_to`), or published where that is "".

        Whoever answers late, to a worker's result, gives `to` and the `workflow` from what it has stored; a
        timer's message still has the workflow of the message that set it.
        """

    def send(self, target: str, message: Message, *, slot: int | None = None, payment_id: str = "") -> None:
        """Send to an actor by name (`ledger`, `payment/<id>`); `slot` names another partition, `payment_id` the
        payment it concerns where the message in hand concerns none yet."""

    def publish(self, event: Event, *, payment_id: str = "", flow: str = "", workflow: str = "") -> None:
        """Publish through the directory. The payment's id, flow and workflow are those of the message in
        hand unless given (the first event of a payment gives them)."""

    def timer(self, key: str, after: timedelta, tick: Tick) -> None:
        """Deliver `tick` to this actor after `after`, durably; the same `key` replaces an earlier one."""

    def cancel_timer(self, key: str) -> None:
        """Forget this actor's timer `key`, if there is one."""

    def hand_over(self, outbox: str, task: Task) -> None:
        """Put `task` into the durable `outbox`; after the commit its worker gets it, at least once."""

    def keep(self, actor: Service) -> None:
        """`actor` holds what its `write_back` stores or hands over: called once at the end of the turn, before
        the commit (or at once, where the handler may yet be taken back). It sends nothing to other actors."""

    def take_up(self, envelope: Envelope) -> None:
        """Go on as if `envelope` were the message in hand: what follows is caused by it, and belongs to its flow."""

    def new_id(self, prefix: str, slot: int) -> str:
        """A new id, unique in the whole system and ordered by time, that ends in `slot`: `P01JD8XK2M3…-2f`."""

    def new_uuid(self) -> str:
        """A random UUID version 4, from the runtime's own source of chance."""


@dataclass(frozen=True, slots=True)
class CellContext:
    """What a service gets when it is made: where it lives, its settings, its session, shared resources.

    `resources` holds what is costly and derived (the screening index), shared by all instances in a cell;
    never state. `slots` are the partition slots this cell owns, `offers` the workflows that a new payment may run on.
    """

    cell: str
    settings: Settings
    session: Session
    resources: dict[str, Any]
    slots: frozenset[int]
    offers: Offers = NOTHING_OFFERED


class Record(NamedTuple):
    """One line of a cell's log: an envelope that was sent or published, its number and its moment.

    `progress` is the message's own, or that of the command which a reaction made of it; `receivers` are the
    actors that got it.
    """

    offset: int
    at: datetime
    envelope: Envelope
    progress: str | None
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Tick):
    """What an observer gets: the log's lines since its offset, in order, once a turn when all mailboxes are empty."""

    records: tuple[Record, ...]


Handler = Callable[[Any, Any, Turn], None]


class Service(Actor):  # type: ignore[misc]  # Thespian ships no types
    """A domain actor: thin. Load, call the model, record, answer."""

    name: ClassVar[str]
    migrations: ClassVar[tuple[Migration, ...]] = ()
    sealed: ClassVar[tuple[Sealed, ...]] = ()  # its tables whose rows are only ever added
    handlers: ClassVar[Mapping[type[Message], Handler]] = {}
    observes: ClassVar[bool] = False  # gets the whole log as `Observed`, commands and replies too

    def prepare(self, context: CellContext) -> None:
        """Called once after creation and again after every reload; make the store here. No writes."""

    def write_back(self, turn: Turn) -> None:
        """Store, or hand over, what `Turn.keep` was called for."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # Thespian's name
        """Thespian's entry point: the runtime sends `Delivery`s; anything else is not for a service."""
        if isinstance(message, Delivery):
            message.handler(self, message.message, message.turn)


class Delivery(NamedTuple):
    """One message for one handler, within a turn. `message` is the envelope's, or what a reaction made of it."""

    handler: Handler
    message: Message
    turn: Turn


@dataclass(frozen=True, slots=True)
class Handed:
    """A task as its worker gets it. `again` is true when it was handed over before and is not known to be done."""

    outbox_id: int
    task: Task
    payment_id: str
    again: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says: results for an actor, and which outbox entry they finish (None: none).

    Results of one payment arrive in order. An entry that is not finished is handed over again after a restart.
    Flow and workflow are looked up by the runtime for a finished entry; for a result without one, the
    receiving actor knows them from its own table and passes `to` when it answers.
    """

    target: str
    payment_id: str
    results: tuple[Message, ...]
    finishes: int | None = None


class Worker(Protocol):
    """Does what an outbox asks for, outside the turn, in a thread of its own; may be called twice for one task.

    One with a true `holds_intake` has work that somebody waits for: while it can't be done soon, the cell takes on
    no new work. One with a `circuit` (actors.runtime.breaker) shows in `status` when nobody answers it.
    """

    outbox: str

    def open(self, deliver: Callable[[list[Answer]], None]) -> None:
        """Called once in the worker's thread; `deliver` may be called at any time after."""

    def perform(self, tasks: list[Handed]) -> None:
        """Do a batch, in order; deliver what came of it."""

    def due(self, now: datetime) -> datetime | None:
        """When the worker wants `perform([])` next though no task comes, or None."""

    def close(self) -> None:
        """Called once in the worker's thread, after the last `perform`."""
