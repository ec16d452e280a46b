"""A real cell over a real store, with small services of the tests' own: what the runtime promises to any service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actors.directory import log
from actors.directory import messages as directory_messages
from actors.directory.messages import ReactionFailed, Replay, Subscribe, Subscribed, Unsubscribe
from actors.directory.reaction import BOTH_FLOWS, On
from actors.messaging import codec, system_messages
from actors.messaging.message import Command, Event, Reply, Result, Task, Tick
from actors.messaging.system_messages import (
    ActorKilled,
    Await,
    Awaited,
    Busy,
    DeadLettersDone,
    Failed,
    KillActor,
    RetryDeadLetters,
)
from actors.runtime.core import Hosting
from actors.runtime.service import Answer, CellContext, Handed, Observed, Service, Turn
from actors.store.session import Migration, StoreFailed
from config.settings import Settings
from tests.fakes.one_cell import OneCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Command):
    name: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Added(Event):
    name: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Total(Reply):
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember(Command):
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Later(Command):
    key: str
    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rang(Tick):
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside(Command):
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Task):
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked(Result):
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock(Command):
    times: int


codec.register(Add, Added, Total, Remember, Later, Rang, Outside, Work, Worked, Knock)
codec.register_module(system_messages)
codec.register_module(directory_messages)


class World:
    """What the test bends while the cell runs."""

    fail_after: ClassVar[dict[str, int]] = {}  # text -> how many more times its handler raises
    performed: ClassVar[list[str]] = []
    observed: ClassVar[list[tuple[int, str]]] = []
    silent_worker = False


@pytest.fixture(autouse=True)
def fresh_world() -> None:
    """No test sees another's faults."""
    World.fail_after = {}
    World.performed = []
    World.observed = []
    World.silent_worker = False


class Adder(Service):
    name = "adder"
    migrations = (Migration("adder", 1, ("CREATE TABLE totals (name TEXT PRIMARY KEY, total INTEGER NOT NULL)",)),)

    def prepare(self, context: CellContext) -> None:
        self.session = context.session

    def add(self, command: Add, turn: Turn) -> None:
        sql = "INSERT INTO totals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET total = total + excluded.total"
        self.session.write(sql, (command.name, command.amount))
        row = self.session.one("SELECT total FROM totals WHERE name = ?", (command.name,))
        assert row
        turn.publish(Added(name=command.name, total=row[0]))
        if World.fail_after.get(command.name, 0) > 0:
            World.fail_after[command.name] -= 1
            raise RuntimeError(f"no luck with {command.name}")
        turn.answer(Total(total=row[0]))

    handlers = {Add: add}


class Diary(Service):
    name = "diary"
    migrations = (Migration("diary", 1, ("CREATE TABLE entries (entry INTEGER PRIMARY KEY, text TEXT NOT NULL)",)),)

    def prepare(self, context: CellContext) -> None:
        self.session = context.session

    def remember(self, command: Remember, turn: Turn) -> None:
        self.session.write("INSERT INTO entries (text) VALUES (?)", (command.text,))
        if World.fail_after.get(command.text, 0) > 0:
            World.fail_after[command.text] -= 1
            raise RuntimeError(f"can't remember {command.text}")

    def later(self, command: Later, turn: Turn) -> None:
        turn.timer(command.key, timedelta(milliseconds=command.after_ms), Rang(key=command.key))
        turn.answer(Total(total=0))

    def rang(self, tick: Rang, turn: Turn) -> None:
        self.session.write("INSERT INTO entries (text) VALUES (?)", (f"rang {tick.key}",))

    def outside(self, command: Outside, turn: Turn) -> None:
        turn.hand_over("work", Work(text=command.text))
        turn.answer(Total(total=0))

    def worked(self, result: Worked, turn: Turn) -> None:
        self.session.write("INSERT INTO entries (text) VALUES (?)", (f"worked {result.text}",))

    def added(self, event: Added, turn: Turn) -> None:
        self.session.write("INSERT INTO entries (text) VALUES (?)", (f"heard {event.name} {event.total}",))

    handlers = {Remember: remember, Later: later, Rang: rang, Outside: outside, Worked: worked, Added: added}


class Door(Service):
    """One per name `door/…`: counts in its table, so that it may leave memory."""

    name = "door"
    migrations = (Migration("door", 1, ("CREATE TABLE doors (name TEXT PRIMARY KEY, knocks INTEGER NOT NULL)",)),)
    made: ClassVar[int] = 0

    def prepare(self, context: CellContext) -> None:
        type(self).made += 1
        self.session = context.session

    def knock(self, command: Knock, turn: Turn) -> None:
        name = turn.envelope.target
        sql = "INSERT INTO doors VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET knocks = knocks + excluded.knocks"
        self.session.write(sql, (name, command.times))
        row = self.session.one("SELECT knocks FROM doors WHERE name = ?", (name,))
        turn.answer(Total(total=row[0] if row else 0))

    handlers = {Knock: knock}


class Watcher(Service):
    name = "watcher"
    observes = True

    def observe(self, tick: Observed, turn: Turn) -> None:
        World.observed += [(record.offset, type(record.envelope.message).__name__) for record in tick.records]

    handlers = {Observed: observe}


class WorkDone:
    outbox = "work"

    def open(self, deliver: Any) -> None:
        self.deliver = deliver

    def perform(self, tasks: list[Handed]) -> None:
        for handed in tasks:
            World.performed.append(f"{handed.task.text}{' again' if handed.again else ''}")  # type: ignore[attr-defined]
        if World.silent_worker:
            return
        self.deliver(
            [
                Answer("diary", handed.payment_id, (Worked(text=handed.task.text),), handed.outbox_id)  # type: ignore[attr-defined]
                for handed in tasks
            ]
        )

    def due(self, now: Any) -> None:
        return None

    def close(self) -> None:
        pass


def remember_added(event: Added) -> Remember:
    return Remember(text=f"{event.name} {event.total}")


def hosting() -> Hosting:
    return Hosting(
        services=(Adder, Diary, Watcher),
        families=(("door/", Door, "diary"),),
        reactions={"diary": {"*": (On(Added, Remember, remember_added, (*BOTH_FLOWS, "")),)}},
        workers=(WorkDone(),),
        replayable=("watcher",),
    )


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[OneCell]:
    """A cell that retries quickly."""
    fast = {"delayed_retries": 2, "retry_initial_seconds": 0.02, "retry_maximum_seconds": 0.05}
    one = OneCell(tmp_path, hosting, Settings(runtime=fast))  # type: ignore[arg-type]
    yield one
    one.close()


def entries(cell: OneCell) -> list[str]:
    return [row[0] for row in cell.ask("SELECT text FROM entries ORDER BY entry")]


def test_a_command_is_answered_after_its_turn_has_been_committed(cell: OneCell) -> None:
    """The reply is the proof that the work is durable."""
    assert cell.tell("adder", Add(name="a", amount=2)) == Total(total=2)
    cell.crash()
    assert cell.tell("adder", Add(name="a", amount=3)) == Total(total=5)


def test_what_was_published_reaches_its_reaction_in_the_same_turn(cell: OneCell) -> None:
    """In-turn delivery is reading the log's tail."""
    cell.post("adder", Add(name="a", amount=1))
    cell.run()
    assert entries(cell) == ["a 1"]


def test_a_failed_handler_leaves_no_trace_and_is_run_again(cell: OneCell) -> None:
    """Its writes and publications count only if it returns."""
    World.fail_after = {"a": 2}
    assert cell.tell("adder", Add(name="a", amount=2)) == Total(total=2)
    assert entries(cell) == ["a 2"]


def test_what_others_did_in_the_turn_stands_when_one_handler_fails(cell: OneCell) -> None:
    """A savepoint takes back one handler, not the turn."""
    World.fail_after = {"bad": 100}
    cell.post_many([("adder", Add(name="good", amount=1)), ("adder", Add(name="bad", amount=1))])
    cell.run()
    assert cell.ask("SELECT * FROM totals") == [("good", 1)]


def test_a_message_that_always_fails_becomes_a_dead_letter_and_its_sender_hears_so(cell: OneCell) -> None:
    """Nobody waits for ever, and nothing is thrown away."""
    World.fail_after = {"bad": 1_000}
    answer = cell.tell("adder", Add(name="bad", amount=1))
    assert isinstance(answer, Failed)
    assert "no luck with bad" in answer.cause
    assert cell.ask("SELECT actor, type, attempts FROM dead_letters") == [("adder", "Add", 9)]


def test_a_dead_letter_can_be_delivered_again(cell: OneCell) -> None:
    """After the cause is mended, the work goes on from the letter."""
    World.fail_after = {"bad": 1_000}
    cell.tell("adder", Add(name="bad", amount=1))
    World.fail_after = {}
    assert cell.tell("dead-letters", RetryDeadLetters()) == DeadLettersDone(count=1)
    cell.idle()
    assert cell.ask("SELECT * FROM totals") == [("bad", 1)]
    assert cell.ask("SELECT count(*) FROM dead_letters") == [(0,)]


def test_later_messages_of_a_payment_wait_behind_one_that_is_retried(cell: OneCell) -> None:
    """Order within a payment survives a failure."""
    World.fail_after = {"a": 5}
    cell.post("adder", Add(name="a", amount=1), payment_id="P1-00")
    cell.post("adder", Add(name="b", amount=10), payment_id="P1-00")
    cell.post("adder", Add(name="c", amount=10), payment_id="P2-00")
    cell.until(lambda: len(cell.replies) == 3)
    assert entries(cell) == ["c 10", "a 1", "b 10"]


def test_a_parked_message_survives_a_crash(cell: OneCell) -> None:
    """Delayed retries are durable."""
    World.fail_after = {"a": 4}
    cell.post("adder", Add(name="a", amount=1), payment_id="P1-00")
    cell.run()
    cell.crash()
    cell.until(lambda: entries(cell) == ["a 1"])


def test_a_reaction_that_fails_for_good_is_published_as_such(cell: OneCell) -> None:
    """The tracker can show the payment at once."""
    World.fail_after = {"a 1": 1_000}
    cell.post("adder", Add(name="a", amount=1), payment_id="P1-00")
    cell.until(lambda: cell.ask("SELECT count(*) FROM dead_letters") == [(1,)])
    cell.core._session.begin()
    last = log.timeline(cell.core._session, "P1-00")[-1].envelope.message
    cell.core._session.roll_back()
    assert isinstance(last, ReactionFailed)
    assert (last.subscriber, last.event_type) == ("diary", "Added")


def test_a_timer_fires_once_and_survives_a_crash(cell: OneCell) -> None:
    """Deadlines are durable."""
    cell.tell("diary", Later(key="soon", after_ms=50))
    cell.crash()
    cell.until(lambda: entries(cell) == ["rang soon"])
    cell.idle()
    assert entries(cell) == ["rang soon"]
    assert cell.ask("SELECT count(*) FROM timers") == [(0,)]


def test_a_task_goes_to_its_worker_after_the_commit_and_is_gone_when_answered(cell: OneCell) -> None:
    """Work outside the turn is handed over from a durable outbox."""
    cell.tell("diary", Outside(text="x"))
    cell.until(lambda: entries(cell) == ["worked x"])
    assert cell.ask("SELECT count(*) FROM outbox") == [(0,)]


def test_a_task_without_an_answer_is_handed_over_again_after_a_crash(cell: OneCell) -> None:
    """At least once, and the worker is told that it may be the second time."""
    World.silent_worker = True
    cell.tell("diary", Outside(text="x"))
    cell.until(lambda: World.performed == ["x"])
    World.silent_worker = False
    cell.crash()
    cell.until(lambda: entries(cell) == ["worked x"])
    assert World.performed == ["x", "x again"]


def test_a_store_that_fails_voids_the_turn_and_its_senders_hear_busy(
    cell: OneCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is acknowledged, nothing is half done, and the same command works later."""
    cell.tell("adder", Add(name="a", amount=1))

    def full() -> None:
        raise StoreFailed("disk full")

    monkeypatch.setattr(cell.core._session, "commit", full)
    assert isinstance(cell.tell("adder", Add(name="a", amount=1)), Busy)
    monkeypatch.undo()
    assert cell.tell("adder", Add(name="a", amount=1)) == Total(total=2)


def test_the_log_is_numbered_without_gaps(cell: OneCell) -> None:
    """Handlers that fail give their numbers back."""
    World.fail_after = {"a": 1, "b 1": 1_000}
    for name in ("a", "b", "c"):
        cell.post("adder", Add(name=name, amount=1), payment_id=f"P{name}-00")
    cell.until(lambda: cell.ask("SELECT count(*) FROM dead_letters") == [(1,)])
    cell.core._session.begin()
    offsets = [record.offset for record in log.read(cell.core._session, 1, 10_000)]
    cell.core._session.roll_back()
    assert offsets == list(range(1, len(offsets) + 1))


def test_an_observer_sees_every_line_once_in_order(cell: OneCell) -> None:
    """Commands and replies too: what the tracker is built on."""
    for name in ("a", "b"):
        cell.post("adder", Add(name=name, amount=1), payment_id=f"P{name}-00")
    cell.idle()
    assert [offset for offset, _ in World.observed] == list(range(1, len(World.observed) + 1))
    assert [name for _, name in World.observed] == ["Add", "Add", "Added", "Total", "Added", "Total"]


def test_a_subscription_by_message_is_served_from_the_beginning_of_the_log(cell: OneCell) -> None:
    """An actor may subscribe while the system runs, with no publisher changed."""
    cell.tell("adder", Add(name="a", amount=1))
    cell.tell("directory", Unsubscribe(subscriber="diary", event_types=("Added",)))
    cell.tell("adder", Add(name="a", amount=1))
    assert entries(cell) == ["a 1"]
    answer = cell.tell("directory", Subscribe(subscriber="diary", event_types=("Added",), from_offset=1))
    assert isinstance(answer, Subscribed)
    cell.until(lambda: entries(cell) == ["a 1", "a 1", "a 2"])
    cell.tell("adder", Add(name="a", amount=1))
    assert entries(cell)[-1] == "a 3"


def test_a_subscription_survives_a_restart(cell: OneCell) -> None:
    """The directory's table is durable, an unsubscription too."""
    cell.tell("directory", Unsubscribe(subscriber="diary", event_types=("Added",)))
    cell.crash()
    cell.tell("adder", Add(name="a", amount=1))
    assert entries(cell) == []


def test_the_log_can_be_replayed_to_one_subscriber(cell: OneCell) -> None:
    """Only the one that asked for it hears everything again."""
    cell.tell("adder", Add(name="a", amount=1))
    cell.tell("directory", Replay(subscriber="diary", from_offset=1))
    cell.until(lambda: entries(cell) == ["a 1", "a 1"])
    before = len(World.observed)
    cell.idle()
    assert len(World.observed) == before


def test_an_actor_of_a_family_is_made_when_a_message_comes_and_leaves_memory_when_idle(tmp_path: Path) -> None:
    """A hundred thousand sagas at rest cost rows, not memory."""
    cell = OneCell(tmp_path, hosting, Settings(runtime={"resident_sagas": 1}))  # type: ignore[arg-type]
    for at in range(5):
        assert cell.tell(f"door/{at}", Knock(times=1)) == Total(total=1)
    assert len(cell.core._system.residents) <= 1
    assert cell.tell("door/0", Knock(times=1)) == Total(total=2)
    cell.close()


def test_a_killed_actor_comes_back_with_what_it_had_stored(cell: OneCell) -> None:
    """A drill changes nothing but memory."""
    cell.tell("door/1", Knock(times=3))
    made = Door.made
    assert cell.tell("actors", KillActor(name="door/1")) == ActorKilled(name="door/1", found=True)
    assert cell.tell("door/1", Knock(times=1)) == Total(total=4)
    assert Door.made == made + 1


def test_a_client_can_wait_for_something_to_happen_to_a_payment(cell: OneCell) -> None:
    """No polling: the answer comes with the commit."""
    request = cell.post("waiting", Await(payment_id="P1-00", types=("Added",)))
    cell.run()
    assert not cell.replies
    cell.post("adder", Add(name="a", amount=1), payment_id="P1-00")
    cell.run()
    awaited = [reply for reply in cell.replies if reply.causation_id == request]
    assert [reply.message for reply in awaited] == [Awaited(payment_id="P1-00", type="Added", status="")]


def test_a_message_that_ended_the_process_again_and_again_is_found_out(cell: OneCell) -> None:
    """After a turn that never ended the cell goes on one message a turn until the guilty one is put away."""

    class Died(BaseException):
        pass

    def die(self: Any, command: Any, turn: Any) -> None:
        if command.text == "poison":
            raise Died

    handlers = {**Diary.handlers, Remember: die}
    original, Diary.handlers = Diary.handlers, handlers
    try:
        for _ in range(20):
            cell.post("diary", Remember(text="poison"), message_id="guilty")
            cell.post("adder", Add(name="a", amount=1), message_id="innocent")
            try:
                cell.idle()
                break
            except Died:
                cell.crash()
        assert cell.ask("SELECT type FROM dead_letters") == [("Remember",)]
        assert cell.ask("SELECT count(*) FROM totals") == [(1,)]
    finally:
        Diary.handlers = original
