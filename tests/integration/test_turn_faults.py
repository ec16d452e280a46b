"""Turns in which something goes wrong: nothing is lost, nothing is done twice, and whoever asked hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.directory import log
from actors.directory.messages import Replay, Subscribe, Unsubscribe
from actors.messaging.codec import envelope_fields
from actors.messaging.envelope import CHOREOGRAPHED, COMMAND, Envelope
from actors.messaging.frames import GATEWAY, LINK, pack_frame, unpack_frame
from actors.messaging.message import Event, Message
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
from actors.runtime import inputs, waiters
from actors.runtime.pauses import PAYMENT
from actors.runtime.service import Answer
from actors.runtime.timers import Timers
from actors.store.session import StoreFailed, StoreFull
from tests.fakes.doers import Act, Did, Do, DoersCell, Keep, Made, Make, Okay, Ring, World, raising, soon

NO_ATTEMPTS = {"immediate_retries": 0, "delayed_retries": 0}


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[DoersCell]:
    """A cell that retries quickly."""
    one = DoersCell(tmp_path)
    yield one
    one.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[DoersCell]:
    """A cell whose turns may handle a hundred messages."""
    one = DoersCell(tmp_path, turn_budget=100)
    yield one
    one.close()


class Died(BaseException):
    """The process ends."""


def offsets(cell: DoersCell) -> list[int]:
    cell.core._session.begin()
    records = log.read(cell.core._session, 1, 100_000)
    cell.core._session.roll_back()
    return [record.offset for record in records]


def log_is_whole(cell: DoersCell) -> bool:
    found = offsets(cell)
    return found == list(range(1, len(found) + 1))


def answers(cell: DoersCell) -> list[Message]:
    return [reply.message for reply in cell.replies]


def hands_over(*texts: str) -> Act:
    def act(me: Any, turn: Any) -> None:
        for text in texts:
            turn.hand_over("make", Make(what=text))

    return act


def all_of(texts: str) -> list[tuple[str, Message]]:
    return [("doer", Do(what=what)) for what in texts]


# Handlers that raise


def test_a_handler_that_raises_after_others_leaves_their_work_done_once(cell: DoersCell) -> None:
    """The turn is run again with savepoints: no answer, no line and no note comes of it twice."""
    World.acts = {"d": raising(4)}
    cell.post_many(all_of("abcdef"), payment_id="P1-00")
    cell.run()
    assert cell.notes() == list("abc")  # those behind `d` are of its payment, and wait
    assert cell.notes("hearer") == list("abc")
    assert answers(cell) == [Okay(what=what) for what in "abc"]
    cell.until(lambda: cell.notes() == list("abcdef"))
    cell.idle()
    assert cell.notes("hearer") == list("abcdef")
    assert log_is_whole(cell)
    assert [offset for offset, _ in World.observed[-len(offsets(cell)) :]] == offsets(cell)


def test_what_a_handler_that_raises_had_handed_over_or_timed_never_was(cell: DoersCell) -> None:
    """Only what it did when it returned counts."""
    fails = raising(1)

    def act(me: Any, turn: Any) -> None:
        turn.hand_over("make", Make(what="thing"))
        turn.timer("ring", timedelta(0), Ring(what="rang"))
        fails(me, turn)

    World.acts = {"a": act}
    assert cell.tell("doer", Do(what="a")) == Okay(what="a")
    cell.until(lambda: sorted(cell.notes()) == ["a", "rang", "thing"])
    cell.idle()
    assert cell.maker.handed == ["thing"]
    assert len(cell.notes()) == 3


def test_a_pause_that_was_taken_back_pauses_nothing(cell: DoersCell) -> None:
    """Others than the keeper of pauses set them, too; one in memory alone would hold a payment for ever."""

    def act(me: Any, turn: Any) -> None:
        cell.core._pauses.put(PAYMENT, "P1-00", turn, by="Ada", reason="to see", flow=CHOREOGRAPHED)
        raise RuntimeError("after all")

    World.acts = {"a": act}
    cell.post("doer", Do(what="a"))
    cell.idle()
    assert not cell.core._pauses.active


def test_a_message_that_nobody_could_decode_fails_in_the_handler_that_sends_it(cell: DoersCell) -> None:
    """Not in the cell that gets it, nor at the end of the turn."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Unheard(Event):
        what: str

    World.acts = {"a": lambda me, turn: turn.publish(Unheard(what="x"))}
    answer = cell.tell("doer", Do(what="a"))
    assert isinstance(answer, Failed)
    assert "Unheard is not registered" in answer.cause


@pytest.mark.parametrize("parameter", [object(), 2**70])
def test_a_wrong_statement_costs_its_own_message_and_no_other(cell: DoersCell, parameter: Any) -> None:
    """It is no failure of the store, which would stop the cell."""
    World.acts = {"b": lambda me, turn: me.note(parameter)}
    cell.post_many(all_of("abc"))
    cell.until(lambda: len(cell.replies) == 3)
    assert {type(answer) for answer in answers(cell)} == {Okay, Failed}
    assert cell.notes() == ["a", "c"]


def test_a_message_that_can_not_be_packed_costs_its_own_cause_and_no_other(cell: DoersCell) -> None:
    """It shows only when the log is written, after all handlers have returned."""
    World.acts = {"b": lambda me, turn: turn.publish(Did(what="b", number=2**70))}
    cell.post_many(all_of("abc"))
    cell.until(lambda: len(cell.replies) == 3)
    failed = [answer for answer in answers(cell) if isinstance(answer, Failed)]
    assert len(failed) == 1
    assert "can't be stored" in failed[0].cause
    assert cell.notes() == ["a", "c"]
    assert log_is_whole(cell)


def test_a_slot_that_does_not_exist_fails_in_the_handler(cell: DoersCell) -> None:
    """A payment's id from outside may name any."""
    World.acts = {"a": lambda me, turn: turn.send("doer", Do(what="b"), slot=200)}
    answer = cell.tell("doer", Do(what="a"))
    assert isinstance(answer, Failed)
    assert "no slot 200" in answer.cause


def test_a_failed_reaction_to_a_failed_reaction_is_not_published(cell: DoersCell) -> None:
    """Or they would go on for ever."""
    World.acts = {"hear a": raising(1_000)}
    cell.tell("directory", Subscribe(subscriber="hearer", event_types=("ReactionFailed",)))
    cell.tell("doer", Do(what="a"), payment_id="P1-00")
    cell.until(lambda: cell.letters() == [("hearer", "Did"), ("hearer", "ReactionFailed")])
    cell.idle()
    assert len(cell.letters()) == 2


# Actors that write at the end of the turn


def test_what_was_kept_is_written_once_at_the_end_of_the_turn(cell: DoersCell) -> None:
    """However many messages came."""
    cell.post_many([("keeper/1", Keep(what=what)) for what in "abc"])
    cell.run()
    assert cell.notes("keeper") == list("abc")


def test_an_actor_that_can_not_write_back_loses_only_its_own_message(cell: DoersCell) -> None:
    """The failure shows when all handlers have returned; the turn is run again to find whose it is."""
    World.acts = {"write b": raising(1_000)}
    cell.post_many([("keeper/1", Keep(what="a")), ("keeper/2", Keep(what="b")), ("keeper/3", Keep(what="c"))])
    cell.until(lambda: len(cell.replies) == 3)
    assert cell.notes("keeper") == ["a", "c"]
    assert sorted(type(answer).__name__ for answer in answers(cell)) == ["Failed", "Okay", "Okay"]


def test_what_is_published_while_writing_back_is_heard_and_observed_in_the_same_turn(cell: DoersCell) -> None:
    """At a commit there is nothing in any mailbox."""
    World.acts = {"write a": lambda me, turn: turn.publish(Did(what="kept"))}
    cell.post("keeper/1", Keep(what="a"), payment_id="P1-00")
    cell.run()
    assert cell.notes("hearer") == ["kept"]
    assert [offset for offset, _ in World.observed] == offsets(cell)


def test_an_actor_that_is_killed_in_the_turn_in_which_it_kept_something_loses_nothing(cell: DoersCell) -> None:
    """And the drill's answer goes to who asked for it."""
    cell.post_many([("keeper/1", Keep(what="a")), ("actors", KillActor(name="keeper/1")), ("keeper/1", Keep(what="b"))])
    cell.run()
    assert answers(cell) == [Okay(what="a"), ActorKilled(name="keeper/1", found=True), Okay(what="b")]
    assert cell.notes("keeper") == ["a", "b"]
    assert "keeper/1" not in cell.core._system.residents


# Turns that are too long


def again_and_again(me: Any, turn: Any) -> None:
    turn.send("doer", Do(what="loop"))


def test_a_message_that_leads_to_messages_without_end_is_buried_and_the_others_are_handled(small: DoersCell) -> None:
    """A loop between actors would keep the cell from everything else."""
    World.acts = {"loop": again_and_again}
    small.post_many([*all_of("ab"), ("doer", Do(what="loop")), *all_of("c")])
    small.until(lambda: len(small.replies) == 4)
    assert small.notes() == ["a", "b", "c"]
    failed = [answer for answer in answers(small) if isinstance(answer, Failed)]
    assert [answer.cause for answer in failed] == ["it led to more than 100 messages in one turn"]
    assert small.letters() == [("doer", "Do")]


def test_timers_that_are_too_many_for_a_turn_fire_one_by_one(small: DoersCell) -> None:
    """The cell must not stand still because all of them are due at once."""
    texts = [f"t{at}" for at in range(120)]
    World.acts = {f"set {text}": soon(text, timedelta(milliseconds=300)) for text in texts}
    for half in (texts[:60], texts[60:]):  # in two turns, so that all are due together, and none before the last is set
        small.post_many([("doer", Do(what=f"set {text}")) for text in half])
        small.run()
    small.until(lambda: sorted(small.notes()[120:]) == sorted(texts))
    assert small.letters() == []


def test_a_timer_that_leads_to_messages_without_end_is_buried(small: DoersCell) -> None:
    """And those that are due with it fire."""
    World.acts = {"a": soon("loop"), "b": soon("fine"), "loop": again_and_again}
    small.post_many(all_of("ab"))
    small.until(lambda: small.letters() == [("doer", "Ring")] and "fine" in small.notes())
    assert "loop" not in small.notes()
    assert small.ask("SELECT count(*) FROM timers") == [(0,)]


def test_a_workers_answer_that_leads_to_messages_without_end_is_buried(small: DoersCell) -> None:
    """Its task counts as done, and the answers behind it are heard."""
    World.acts = {
        "a": hands_over("loop", "fine"),
        "loop": again_and_again,
    }
    small.post("doer", Do(what="a"), payment_id="P1-00")
    small.until(lambda: small.letters() == [("doer", "Made")] and "fine" in small.notes())
    assert small.ask("SELECT count(*) FROM outbox") == [(0,)]


def test_a_parked_message_that_leads_to_messages_without_end_is_buried(small: DoersCell) -> None:
    """What waited behind it follows; what it sent waits behind that."""
    fails = raising(4)  # so that it is parked

    def act(me: Any, turn: Any) -> None:
        fails(me, turn)
        again_and_again(me, turn)

    World.acts = {"p": act, "loop": again_and_again}
    small.post_many([("doer", Do(what="p")), ("doer", Do(what="next"))], payment_id="P1-00")
    small.until(lambda: small.letters() == [("doer", "Do")])
    assert small.notes() == ["p", "next"]
    assert small.ask("SELECT count(*) FROM parked") == [(0,)]


def test_an_observer_that_answers_its_own_echo_ends_no_cell(cell: DoersCell) -> None:
    """The message that set it off is buried like any other that has no end."""
    World.acts = {"observe": lambda me, turn: turn.publish(Did(what="echo"))}
    cell.post("doer", Do(what="a"))
    cell.run()
    World.acts = {}
    assert cell.letters() == [("doer", "Do")]
    assert cell.tell("doer", Do(what="b")) == Okay(what="b")


# Subscribers that are behind


def test_a_log_longer_than_a_turn_reads_is_replayed_once_and_in_order_while_it_grows(
    cell: DoersCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is new comes after what is old, and nothing twice."""
    monkeypatch.setattr(inputs.Inputs, "__init__", _with_lines(7))
    old = [f"o{at}" for at in range(40)]
    cell.tell("directory", Unsubscribe(subscriber="hearer", event_types=("Did",)))
    cell.post_many([("doer", Do(what=what)) for what in old])
    cell.run()
    assert cell.notes("hearer") == []
    cell.tell("directory", Subscribe(subscriber="hearer", event_types=("Did",), from_offset=1))
    new: list[str] = []
    while cell.core._subscriptions.lagging:
        new.append(f"n{len(new)}")
        cell.post("doer", Do(what=new[-1]))
        cell.run()
    assert len(new) > 3
    cell.tell("doer", Do(what="last"))
    assert cell.notes("hearer") == [*old, *new, "last"]


def _with_lines(lines: int) -> Any:
    original = inputs.Inputs.__init__

    def init(self: Any, *given: Any, **named: Any) -> None:
        original(self, *given, **{"lines": lines, **named})

    return init


def test_more_lines_than_one_turn_reads_are_replayed_to_an_observer(cell: DoersCell) -> None:
    """All of them, and then it is live again."""
    for _ in range(4):
        cell.post_many([("doer", Do(what=str(at))) for at in range(200)], payment_id="P1-00")
        cell.run()
    assert len(offsets(cell)) > 3 * inputs.CATCH_UP_LINES
    World.observed = []
    cell.tell("directory", Replay(subscriber="watch", from_offset=1))
    cell.until(lambda: not cell.core._subscriptions.lagging)
    cell.tell("doer", Do(what="last"), payment_id="P1-00")
    assert [offset for offset, _ in World.observed] == offsets(cell)


def test_a_replay_from_beyond_the_end_misses_nothing(cell: DoersCell) -> None:
    """It is live from the end on."""
    cell.post_many([("directory", Replay(subscriber="hearer", from_offset=2**62)), *all_of("a")])
    cell.run()
    cell.tell("doer", Do(what="b"))
    assert cell.notes("hearer") == ["a", "b"]


def test_an_observer_that_fails_at_one_line_takes_all_others(cell: DoersCell) -> None:
    """The line is a dead letter, and can be observed when its cause is mended."""
    World.unobservable = {"b"}
    cell.post_many(all_of("abc"), payment_id="P1-00")
    cell.run()
    seen = {offset for offset, _ in World.observed}
    left = set(offsets(cell)) - seen
    assert len(left) == len(cell.letters()) > 0
    assert {actor for actor, _ in cell.letters()} == {"watch"}
    World.unobservable = set()
    cell.tell("dead-letters", RetryDeadLetters())
    assert {offset for offset, _ in World.observed} >= left
    assert cell.letters() == []


# The store, the process


def test_a_crash_between_commit_and_release_loses_no_task(cell: DoersCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed is handed over after the start."""

    def die() -> None:
        raise Died

    World.acts = {"a": lambda me, turn: turn.hand_over("make", Make(what="thing"))}
    monkeypatch.setattr(cell.core._outboxes, "release", die)
    cell.post("doer", Do(what="a"))
    with pytest.raises(Died):
        cell.run()
    assert cell.maker.handed == []
    cell.crash()
    cell.until(lambda: cell.notes() == ["a", "thing"])


def test_answers_of_a_worker_keep_their_order_when_the_store_refuses_them(
    cell: DoersCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results of one payment arrive in order, also those that came meanwhile."""
    World.worker_answers = False
    texts = [f"m{at}" for at in range(6)]
    World.acts = {"a": hands_over(*texts)}
    cell.tell("doer", Do(what="a"), payment_id="P1-00")
    ids = sorted(cell.core._outboxes._given["make"])
    given = [Answer("doer", "P1-00", (Made(what=what),), number) for number, what in zip(ids, texts, strict=True)]
    refusals = iter("no")

    def full() -> None:
        if next(refusals) == "o":
            cell.core.answered("make", given[3:])
            monkeypatch.undo()
        raise StoreFailed("disk full")

    monkeypatch.setattr(cell.core._session, "commit", full)
    cell.core.answered("make", given[:3])
    cell.until(lambda: cell.notes() == ["a", *texts])
    assert cell.ask("SELECT count(*) FROM outbox") == [(0,)]


def test_a_client_that_waits_is_told_once_though_the_turn_was_run_twice(cell: DoersCell) -> None:
    """What an abandoned turn had in memory never was."""
    World.acts = {"a": raising(1)}
    cell.post_many([("waiting", Await(payment_id="P1-00", types=("Did",))), *all_of("a")], payment_id="P1-00")
    cell.idle()
    assert [type(answer) for answer in answers(cell)].count(Awaited) == 1
    assert len(cell.core._turns.waiters) == 0


def test_clients_that_wait_are_bounded(cell: DoersCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one payment and those of all: who asks again and again takes no more memory."""
    monkeypatch.setattr(waiters, "PAYMENTS", 3)
    for at in range(waiters.PER_PAYMENT + 5):
        cell.post("waiting", Await(payment_id="P0-00", types=("Did",)))
        cell.post("waiting", Await(payment_id=f"P{at}-00", types=("Did",)))
    cell.idle()
    waiting = cell.core._turns.waiters._waiting
    assert len(waiting) <= 3
    assert max(len(several) for several in waiting.values()) <= waiters.PER_PAYMENT


@pytest.mark.parametrize("envelope", [7, "text", None, [], {"a": 1}, ["m-1"]])
def test_what_is_no_envelope_at_all_harms_nobody(cell: DoersCell, envelope: Any) -> None:
    """Those in the same frame are handled."""
    good = envelope_fields(Envelope("m-2", Do(what="a"), COMMAND, "client/1/1", "doer"))
    cell.core.arrived("gateway", pack_frame(GATEWAY, 1, 0, [envelope, good]))
    cell.run()
    assert answers(cell) == [Okay(what="a")]


def test_a_store_that_is_down_makes_clients_hear_busy_and_handles_the_same_message_later(
    cell: DoersCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the cell goes on where it was."""

    def full() -> None:
        raise StoreFailed("disk full")

    monkeypatch.setattr(cell.core._session, "commit", full)
    cell.post_many(all_of("abc"))
    cell.run()
    assert [type(answer) for answer in answers(cell)] == [Busy] * 3
    monkeypatch.undo()
    assert cell.tell("doer", Do(what="a")) == Okay(what="a")
    assert cell.notes() == ["a"]
    assert log_is_whole(cell)


def test_a_store_that_is_full_at_the_start_is_guarded_until_there_is_room(
    cell: DoersCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell comes up, its clients hear `Busy`, no timer fires; later it starts as it would have, and only once."""

    def full(timers: Timers, downtime: timedelta) -> None:
        raise StoreFull("database or disk is full")

    def due() -> int:
        return int(cell.ask("SELECT due FROM timers WHERE key = 'soon'")[0][0])

    monkeypatch.setattr(Ring, "prolonged", True)
    World.acts = {"a": soon("soon", timedelta(hours=1))}
    cell.tell("doer", Do(what="a"))
    before = due()
    with monkeypatch.context() as disk:
        disk.setattr(Timers, "prolong", full)
        cell.crash()
        cell.replies.clear()
        for _ in range(2):
            cell.post("doer", Do(what="b"))
            cell.until(lambda: bool(cell.replies))
            assert {type(answer) for answer in answers(cell)} == {Busy}
            cell.replies.clear()
        assert due() == before
        assert cell.core.report()["store_refuses"]
    assert cell.tell("doer", Do(what="c")) == Okay(what="c")
    prolonged = due()
    assert prolonged > before
    cell.tell("doer", Do(what="d"))
    assert due() == prolonged
    assert cell.notes() == ["a", "c", "d"]
    assert log_is_whole(cell)


# Links


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[DoersCell]:
    """The first of two cells; the test is the other."""
    one = DoersCell(tmp_path, cells=2, turn_budget=100)
    yield one
    one.close()


def arrive(cell: DoersCell, number: int, *messages: Any) -> None:
    fields = [
        envelope_fields(Envelope(f"cell-1.{number + at}", message, COMMAND, "doer", "doer", "P1-00", slot=0))
        if isinstance(message, Message)
        else message
        for at, message in enumerate(messages)
    ]
    cell.core.arrived("cell-1", pack_frame(LINK, number, 0, fields))


def turn_of(cell: DoersCell) -> list[Any]:
    return [unpack_frame(payload) for peer, payload in cell.core.run() if peer == "cell-1"]


def test_a_frame_of_a_peer_whose_turn_was_void_is_taken_once(linked: DoersCell) -> None:
    """One envelope a turn, the one to blame buried, all of them acknowledged."""
    World.acts = {"loop": again_and_again, "b": raising(1)}
    arrive(linked, 1, Do(what="a"), Do(what="loop"), Do(what="b"))
    frames = turn_of(linked)
    assert frames[-1].acknowledged == 3
    arrive(linked, 1, Do(what="a"), Do(what="loop"), Do(what="b"))
    linked.idle()
    assert linked.notes() == ["a", "b"]
    assert linked.letters() == [("doer", "Do")]


def test_a_peers_message_that_this_program_does_not_know_is_kept(linked: DoersCell) -> None:
    """The peer has forgotten it when it is acknowledged: dropped, it would be lost."""
    unknown = ["m-1", ["FromTheFuture", [1]], "command", "doer", "doer", "P1-00", "", 0, "", "", "", 0]
    arrive(linked, 1, unknown, Do(what="a"), ["garbage"])
    frames = turn_of(linked)
    assert frames[-1].acknowledged == 3
    assert linked.notes() == ["a"]
    assert sorted(linked.letters()) == [("", ""), ("doer", "FromTheFuture")]
    answer = linked.tell("dead-letters", RetryDeadLetters())
    assert answer == DeadLettersDone(count=0)
    assert len(linked.letters()) == 2


def test_what_a_peer_is_sent_waits_for_the_commit_and_comes_again_after_a_crash(
    linked: DoersCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing leaves before, and nothing is forgotten after."""
    World.acts = {"a": lambda me, turn: turn.send("doer", Do(what="far"), slot=63)}

    def full() -> None:
        raise StoreFailed("disk full")

    monkeypatch.setattr(linked.core._session, "commit", full)
    linked.post("doer", Do(what="a"), payment_id="P1-00")
    assert turn_of(linked) == []
    monkeypatch.undo()

    def die() -> None:
        raise Died

    monkeypatch.setattr(linked.core._links, "committed", die)
    linked.core._rounds.paused_until = None
    linked.post("doer", Do(what="a"), payment_id="P1-00")
    with pytest.raises(Died):
        turn_of(linked)
    linked.crash()
    frames = [frame for _ in range(3) for frame in turn_of(linked)]
    assert [(frame.number, len(frame.envelopes)) for frame in frames][:1] == [(1, 1)]


def test_a_store_that_is_down_takes_nothing_from_a_peer(linked: DoersCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It isn't acknowledged, so the peer sends it again."""

    def full() -> None:
        raise StoreFailed("disk full")

    monkeypatch.setattr(linked.core._session, "commit", full)
    arrive(linked, 1, Do(what="a"), Do(what="b"))
    assert turn_of(linked) == []
    monkeypatch.undo()
    linked.core._rounds.paused_until = None
    arrive(linked, 1, Do(what="a"), Do(what="b"))
    assert turn_of(linked)[-1].acknowledged == 2
    assert linked.notes() == ["a", "b"]


def test_an_event_that_waits_for_another_try_is_handled_though_its_subscription_ends(cell: DoersCell) -> None:
    """It was delivered when the subscription stood; found by the simulator, where nobody ever handled it."""
    World.acts["hear late"] = raising(4)  # the turn without savepoints, and every try at once
    unsubscribe = Unsubscribe(subscriber="hearer", event_types=("Did",))
    cell.post_many([("doer", Do(what="late")), ("directory", unsubscribe)])
    cell.until(lambda: "late" in cell.notes("hearer"))
    cell.tell("doer", Do(what="later"))
    assert cell.notes("hearer") == ["late"]


def test_a_line_that_an_observer_takes_late_does_not_have_the_last_word(cell: DoersCell) -> None:
    """Found by the simulator: an old call for a person, observed late, hid that the payment was completed since."""
    World.unobservable = {"first"}
    cell.tell("doer", Do(what="first"), payment_id="P1-00")
    World.unobservable = set()
    cell.tell("doer", Do(what="second"), payment_id="P1-00")
    newest = max(offset for offset, _ in World.observed)
    World.observed.clear()
    assert cell.tell("dead-letters", RetryDeadLetters()).count > 0  # type: ignore[attr-defined]
    offsets = [offset for offset, _ in World.observed]
    assert offsets[0] < newest
    assert offsets[-1] == newest
