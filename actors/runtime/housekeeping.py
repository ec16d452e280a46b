"""The runtime's own small actors: dead letters, fault drills, clients that wait. Reached by message like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from actors.directory import log
from actors.messaging.system_messages import (
    ActorKilled,
    Await,
    DeadLettersDone,
    DropDeadLetter,
    KillActor,
    RetryDeadLetters,
)
from actors.runtime.service import CellContext, Service, Turn

if TYPE_CHECKING:
    from actors.runtime.inprocess import InProcessSystem
    from actors.runtime.retries import Retries
    from actors.runtime.turn import Turns


class DeadLetters(Service):
    """Messages that no handler could take: a person has them delivered again, or gives them up."""

    name = "dead-letters"

    def prepare(self, context: CellContext) -> None:
        """Its table is the runtime's own."""
        self.retries: Retries = context.resources["retries"]
        self.turns: Turns = context.resources["turns"]

    def retry(self, command: RetryDeadLetters, turn: Turn) -> None:
        """Deliver dead letters again; those that fail again come back."""
        letters = self.retries.exhume(command.ids)
        turn.answer(DeadLettersDone(count=len(letters)))
        for actor, envelope in letters:  # last: what is in the mail can't be taken back if this handler fails
            self.turns.redeliver(actor, envelope)

    def drop(self, command: DropDeadLetter, turn: Turn) -> None:
        """Give one up, with a reason."""
        dropped = self.retries.drop(command.id, command.reason, turn.now)
        error = "" if dropped else f"there is no dead letter {command.id}; `dead-letters list` shows them"
        turn.answer(DeadLettersDone(count=int(dropped), error=error))

    handlers = {RetryDeadLetters: retry, DropDeadLetter: drop}


class Actors(Service):
    """Fault drills inside a cell."""

    name = "actors"

    def prepare(self, context: CellContext) -> None:
        """The in-process system that it kills actors of."""
        self.system: InProcessSystem = context.resources["system"]
        self.turns: Turns = context.resources["turns"]

    def kill(self, command: KillActor, turn: Turn) -> None:
        """End an actor with this turn; the next message for it brings it back from the store."""
        found = self.system.hosts(command.name)
        if found:
            self.turns.kill(command.name)
        turn.answer(ActorKilled(name=command.name, found=found))

    handlers = {KillActor: kill}


class Waiting(Service):
    """Clients that wait for something to happen to a payment. Nothing of it is stored."""

    name = "waiting"

    def prepare(self, context: CellContext) -> None:
        """Waiters live with the turns, which see every line of the log."""
        self.turns: Turns = context.resources["turns"]
        self.session = context.session
        self.resources = context.resources

    def wait(self, command: Await, turn: Turn) -> None:
        """Answer when one of the types is logged; at once where it stands already, nothing having followed it."""
        from actors.runtime.waiters import Waiter

        types = frozenset(command.types)
        waiter = Waiter(types, command.client or turn.envelope.sender, turn.envelope.message_id)
        self.turns.waiters.ask(command.payment_id, waiter, self._standing(command))

    def _standing(self, command: Await) -> tuple[str, str] | None:
        """What stands, as the log tells it; where that is spread over cells, as an observer of the payments knows."""
        known: Callable[[str, Iterable[str]], tuple[str, str] | None] | None = self.resources.get("standing")
        if known is not None and not self.turns.whole:
            return known(command.payment_id, command.types)
        records = log.timeline(self.session, command.payment_id) + self.turns.records_of(command.payment_id)
        for record in reversed(records):
            name = type(record.envelope.message).__name__
            if name in command.types:
                return name, record.progress or ""
            if record.progress is not None:
                return None
        return None

    handlers = {Await: wait}
