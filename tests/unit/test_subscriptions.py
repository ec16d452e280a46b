"""The directory's table: who gets what, in which flow and order of steps, and who is behind."""

from __future__ import annotations

import pytest

from actors.directory.reaction import BOTH_FLOWS, On, Reactions
from actors.directory.subscriptions import Subscriptions
from actors.messaging.envelope import CHOREOGRAPHED, ORCHESTRATED
from actors.store.sqlite import SqliteSession
from tests.fakes.runtime_tables import Said, Say, runtime_store

REACTION = On(Said, Say, lambda event: Say(text=event.text))
IN_BOTH = On(Said, Say, lambda event: None, BOTH_FLOWS)
REACTIONS: dict[str, Reactions] = {
    "first": {"there": (REACTION,)},
    "last": {"back": (REACTION,)},
    "always": {"*": (IN_BOTH,)},
}


@pytest.fixture
def session() -> SqliteSession:
    return runtime_store()


def opened(session: SqliteSession, reactions: dict[str, Reactions] | None = None, end: int = 1) -> Subscriptions:
    subscriptions = Subscriptions(session, REACTIONS if reactions is None else reactions)
    subscriptions.open(end)
    return subscriptions


def receivers(subscriptions: Subscriptions, flow: str = CHOREOGRAPHED, workflow: str = "there") -> list[str]:
    return [name for name, _ in subscriptions.routes(Said, flow, workflow)[0]]


def test_who_reacts_depends_on_the_flow_and_the_order_of_steps(session: SqliteSession) -> None:
    """A payment keeps those that it started with, so two orders may run side by side."""
    subscriptions = opened(session)
    assert receivers(subscriptions, CHOREOGRAPHED, "there") == ["always", "first"]
    assert receivers(subscriptions, CHOREOGRAPHED, "back") == ["always", "last"]
    assert receivers(subscriptions, ORCHESTRATED, "there") == ["always"]


def test_a_subscription_by_message_hears_of_everything(session: SqliteSession) -> None:
    """In any flow; the event itself, without a reaction."""
    subscriptions = opened(session)
    subscriptions.subscribe("listener", ("Said",), None, end=5)
    assert ("listener", None) in subscriptions.routes(Said, ORCHESTRATED, "back")[0]
    assert subscriptions.types_of("listener") == ("Said",)
    assert not subscriptions.lagging


def test_subscribing_twice_delivers_once(session: SqliteSession) -> None:
    """Repeating it changes nothing."""
    subscriptions = opened(session)
    for _ in range(2):
        subscriptions.subscribe("listener", ("Said",), None, end=5)
        subscriptions.subscribe("first", ("Said",), None, end=5)
    assert receivers(subscriptions) == ["always", "first", "listener"]


def test_subscribing_twice_from_an_offset_reads_the_log_once(session: SqliteSession) -> None:
    """A client that was not answered says it again, maybe after the subscriber has read everything."""
    subscriptions = opened(session)
    subscriptions.subscribe("listener", ("Said",), 2, end=5)
    subscriptions.advance("listener", 5, 5)
    subscriptions.subscribe("listener", ("Said",), 2, end=9)
    assert not subscriptions.lagging


def test_unsubscribing_twice_remembers_the_first_time(session: SqliteSession) -> None:
    """Found by the simulator: a repeated command moved the offset from which events had been missed."""
    subscriptions = opened(session)
    subscriptions.unsubscribe("first", ("Said",), end=5)
    subscriptions.unsubscribe("first", ("Said",), end=9)
    assert session.one("SELECT since_offset FROM subscriptions WHERE subscriber = 'first'") == (5,)


def test_an_unsubscribed_reaction_stays_out_after_a_restart_until_it_subscribes_again(session: SqliteSession) -> None:
    """What an operator decided outlives the process."""
    opened(session).unsubscribe("first", ("Said",), end=5)
    again = opened(session, end=9)
    assert receivers(again) == ["always"]
    again.subscribe("first", ("Said",), None, end=9)
    assert receivers(opened(session)) == ["always", "first"]


def test_a_reaction_that_the_code_lost_is_remembered_and_found_again(session: SqliteSession) -> None:
    """So that a payment that waits for it can be told what is missing."""
    opened(session)
    without = opened(session, {name: order for name, order in REACTIONS.items() if name != "first"})
    assert receivers(without) == ["always"]
    assert without.missing("Said", "there") == ("first",)
    again = opened(session)
    assert receivers(again) == ["always", "first"]
    assert again.missing("Said", "there") == ()


def test_only_reactions_of_the_payments_own_order_are_missed(session: SqliteSession) -> None:
    """The other order's reaction would do nothing for it."""
    subscriptions = opened(session)
    subscriptions.unsubscribe("last", ("Said",), end=5)
    assert subscriptions.missing("Said", "there") == ()
    assert subscriptions.missing("Said", "back") == ("last",)


def test_a_new_reaction_starts_at_the_logs_head(session: SqliteSession) -> None:
    """Deploying a service doesn't make it react to last year's payments."""
    assert opened(session, end=1_000).lagging == {}
    assert session.all("SELECT DISTINCT since_offset FROM subscriptions") == [(1_000,)]


def test_whoever_reads_from_further_back_lags_until_the_end_is_reached(session: SqliteSession) -> None:
    """Meanwhile it gets nothing directly, or it would hear of things out of order."""
    subscriptions = opened(session)
    subscriptions.subscribe("listener", ("Said",), 3, end=10)
    assert subscriptions.lagging == {"listener": 3}
    assert "listener" in subscriptions.missing("Said", "there")
    subscriptions.advance("listener", 7, end=10)
    assert opened(session).lagging == {"listener": 7}
    subscriptions.advance("listener", 10, end=10)
    assert subscriptions.lagging == opened(session).lagging == {}


@pytest.mark.parametrize(("asked", "read"), [(-5, 1), (0, 1), (4, 4), (10, 10), (11, 10), (2**70, 10)])
def test_a_replay_begins_within_the_log(session: SqliteSession, asked: int, read: int) -> None:
    """One that began beyond its end would leave out what is said until then."""
    subscriptions = opened(session)
    subscriptions.replay("listener", asked, end=10)
    assert subscriptions.lagging == {"listener": read}
    subscriptions.subscribe("other", ("Said",), asked, end=10)
    assert subscriptions.lagging.get("other", 10) == read


def test_an_abandoned_turn_changes_nothing(session: SqliteSession) -> None:
    """What is in memory mirrors the store."""
    subscriptions = opened(session)
    session.commit()
    session.begin()
    subscriptions.unsubscribe("first", ("Said",), end=5)
    subscriptions.replay("always", 1, end=5)
    session.roll_back()
    session.begin()
    subscriptions.look()
    assert receivers(subscriptions) == ["always", "first"]
    assert subscriptions.lagging == {}
