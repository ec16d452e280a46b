"""What is parked, what is due, what is dead."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messaging.codec import pack
from actors.messaging.envelope import Envelope
from actors.runtime.retries import LETTERS_AT_ONCE, RELEASE_EVERY, Backoff, Parked, Retries
from actors.store.sqlite import SqliteSession
from tests.fakes.runtime_tables import NOW, runtime_store, saying

SECOND = timedelta(seconds=1)


@pytest.fixture
def session() -> SqliteSession:
    return runtime_store()


@pytest.fixture
def retries(session: SqliteSession) -> Retries:
    return Retries(session)


def park(retries: Retries, envelope: Envelope, seconds: float | None = None) -> None:
    due = None if seconds is None else NOW + SECOND * seconds
    retries.park("speaker", envelope, due=due, attempt=int(due is not None), cause="no luck")


def texts(found: list[Parked]) -> list[str]:
    return [parked.envelope.message.text for parked in found]  # type: ignore[attr-defined]


def bury(retries: Retries, letter_id: str, text: str, seconds: int = 0) -> None:
    retries.bury(letter_id, "speaker", saying(text), now=NOW + SECOND * seconds, attempts=3, cause="no luck")


@given(st.integers(1, 2_000), st.floats(0, 1))
def test_pauses_double_up_to_a_maximum_and_are_spread(attempt: int, chance: float) -> None:
    """What failed together isn't tried again together; no number of attempts overflows."""
    backoff = Backoff(5, SECOND, SECOND * 60)
    plain = min(60.0, 2.0 ** min(attempt - 1, 30))
    assert plain * 0.75 <= backoff.delay(attempt, chance).total_seconds() <= plain * 1.25


def test_a_parked_message_is_due_when_its_pause_is_over(retries: Retries) -> None:
    """And stays until it is done."""
    park(retries, saying("a"), 1)
    assert retries.next_due == NOW + SECOND
    assert texts(retries.due(NOW, 9)) == []
    assert texts(retries.due(NOW + SECOND, 9)) == ["a"]
    assert texts(retries.due(NOW + SECOND, 9)) == ["a"]


def test_those_behind_become_due_one_after_the_other(retries: Retries) -> None:
    """The order within a payment survives any number of failures."""
    park(retries, saying("a", payment_id="P1"), 1)
    park(retries, saying("b", payment_id="P1"))
    park(retries, saying("c", payment_id="P1"))
    handled = []
    now = NOW + SECOND
    while found := retries.due(now, 9):
        assert len(found) == 1
        handled += texts(found)
        assert ("speaker", "P1") in retries.conversations
        retries.done(found[0], now)
    assert handled == ["a", "b", "c"]
    assert not retries.conversations
    assert retries.next_due is None


def test_one_that_fails_again_keeps_its_place(retries: Retries) -> None:
    """And those behind it wait on."""
    park(retries, saying("a", payment_id="P1"), 0)
    park(retries, saying("b", payment_id="P1"))
    (parked,) = retries.due(NOW, 9)
    retries.again(parked, due=NOW + SECOND * 5, cause="again")
    assert retries.due(NOW + SECOND, 9) == []
    (parked,) = retries.due(NOW + SECOND * 5, 9)
    assert (parked.attempt, texts([parked])) == (2, ["a"])


def test_messages_of_no_payment_hold_up_nobody(retries: Retries) -> None:
    """Each is a conversation of its own."""
    park(retries, saying("a"), 5)
    park(retries, saying("b"), 1)
    assert texts(retries.due(NOW + SECOND, 9)) == ["b"]


def test_what_is_parked_is_known_after_a_restart(retries: Retries, session: SqliteSession) -> None:
    """The store knows; memory only mirrors it."""
    park(retries, saying("a", payment_id="P1"), 1)
    fresh = Retries(session)
    fresh.look()
    assert fresh.conversations == {("speaker", "P1")}
    assert fresh.next_due == NOW + SECOND


def test_what_an_abandoned_turn_parked_is_forgotten(retries: Retries, session: SqliteSession) -> None:
    """Later messages must not wait behind one that never was."""
    session.commit()
    session.begin()
    park(retries, saying("a", payment_id="P1"), 1)
    session.roll_back()
    session.begin()
    retries.look()
    assert not retries.conversations
    assert retries.next_due is None


def released(retries: Retries, *ids: str, cause: str = "") -> list[str]:
    """What comes back at once."""
    retries.release(ids, cause)
    return [envelope.message.text for _, envelope in retries.exhume(NOW)[0]]  # type: ignore[attr-defined]


def test_dead_letters_come_back_in_the_order_in_which_they_were_buried(retries: Retries) -> None:
    """Whichever way round they are asked for, and only once."""
    for at, text in enumerate("cab"):
        bury(retries, f"D{at}", text, at)
    assert released(retries, "D2", "D0", "D2", "none") == ["c", "b"]
    assert released(retries) == ["a"]
    assert released(retries) == []


def test_no_more_dead_letters_come_back_at_once_than_a_turn_can_take(retries: Retries) -> None:
    """The oldest first; the others follow by themselves, a little later."""
    for at in range(LETTERS_AT_ONCE + 2):
        bury(retries, f"D{at:05d}", str(at), at)
    assert retries.release(()) == LETTERS_AT_ONCE + 2
    assert len(retries.exhume(NOW)[0]) == LETTERS_AT_ONCE
    assert retries.exhume(NOW) == ([], 0)
    assert retries.next_due == NOW + RELEASE_EVERY
    assert len(retries.exhume(NOW + RELEASE_EVERY)[0]) == 2
    assert retries.next_due is None


def test_dead_letters_come_back_no_faster_than_their_service_may_be_retried(session: SqliteSession) -> None:
    """What stands behind a service that has just been mended is not trampled by ten thousand letters."""
    retries = Retries(session, rate=10)
    for at in range(100):
        bury(retries, f"D{at:05d}", str(at), at)
    retries.release(())
    moment, back = NOW, 0
    while retries.next_due is not None:
        for actor, envelope in retries.exhume(moment)[0]:
            retries.park(actor, envelope, due=moment, attempt=5, cause="again")
        for parked in retries.take_due(moment, 999, lambda: 0.5):
            retries.done(parked, moment)
            back += 1
        assert back <= 10 + 10 * (moment - NOW).total_seconds() + 1
        moment += RELEASE_EVERY
        assert moment < NOW + SECOND * 30
    assert back == 100


def test_letters_that_were_to_come_back_do_so_after_a_restart(retries: Retries, session: SqliteSession) -> None:
    """A person's wish is as durable as the letters."""
    for at in range(LETTERS_AT_ONCE + 2):
        bury(retries, f"D{at:05d}", str(at), at)
    released(retries)
    fresh = Retries(session)
    fresh.look()
    assert fresh.next_due is not None
    assert len(fresh.exhume(NOW)[0]) == 2


def test_letters_come_back_by_cause_whatever_ids_and_numbers_are_in_it(retries: Retries) -> None:
    """One defect is one group; the others stay."""
    for at, cause in enumerate(("KeyError: 'ACC-1'", "ValueError: 12 of P01-2f", "KeyError: 'ACC-2'")):
        retries.bury(f"D{at}", "speaker", saying(str(at)), now=NOW, attempts=3, cause=cause)
    assert released(retries, cause="nothing like it") == []
    assert released(retries, cause="Say at speaker: KeyError: …") == ["0", "2"]
    assert released(retries, cause="ValueError: 99 of P77-01") == ["1"]


def test_what_exceeds_the_budget_is_put_off_and_never_dropped(session: SqliteSession) -> None:
    """Whatever comes back after an outage hears from us at a bounded rate, from all of us in time."""
    retries = Retries(session, rate=5)
    for at in range(50):
        park(retries, saying(str(at), payment_id=f"P{at}"), 0)
    moment, tried = NOW, []
    while retries.next_due is not None:
        for parked in retries.take_due(moment, 999, lambda: 0.5):
            retries.done(parked, moment)
            tried += texts([parked])
        assert len(tried) <= 5 + 5 * (moment - NOW).total_seconds() + 1
        moment = max(moment, retries.next_due or moment)
    assert sorted(tried, key=int) == [str(at) for at in range(50)]
    assert SECOND * 8 < moment - NOW < SECOND * 12


def test_a_message_that_only_waited_behind_another_costs_no_retry(session: SqliteSession) -> None:
    """Its first try is no retry; no service's first tries wait for others' retries."""
    retries = Retries(session, rate=1)
    park(retries, saying("a", payment_id="P1"), 0)
    for text in "bcd":
        park(retries, saying(text, payment_id="P1"))
    handled = []
    while found := retries.take_due(NOW, 9, lambda: 0.5):
        handled += texts(found)
        retries.done(found[0], NOW)
    assert handled == ["a", "b", "c", "d"]


def test_a_dead_letter_that_nobody_can_decode_stays(retries: Retries, session: SqliteSession) -> None:
    """It doesn't keep the others from coming back, and a later program may read it."""
    fields = ["m-1", ["Nonesuch", [1]], "command", "a", "b", "P1", "", 0, "", "", "", -1]
    retries.bury_unread("D1", fields, now=NOW, cause="no message is called 'Nonesuch'")
    bury(retries, "D2", "a", 1)
    assert retries.release(()) == 2
    letters, unreadable = retries.exhume(NOW)
    assert (len(letters), unreadable) == (1, 1)
    assert retries.next_due is None
    assert session.all("SELECT id, actor, payment_id, type, envelope FROM dead_letters") == [
        ("D1", "b", "P1", "Nonesuch", pack(fields))
    ]


@pytest.mark.parametrize("fields", [None, 7, "text", [], {"a": 1}, [1] * 12])
def test_whatever_came_can_be_buried(retries: Retries, session: SqliteSession, fields: object) -> None:
    """It need not even look like an envelope."""
    retries.bury_unread("D1", fields, now=NOW, cause="garbage")
    assert session.one("SELECT count(*) FROM dead_letters") == (1,)


def test_a_dropped_letter_is_kept_apart_with_the_reason(retries: Retries, session: SqliteSession) -> None:
    """Nothing is thrown away; only once, and only if it is there."""
    bury(retries, "D1", "a")
    assert [retries.drop("D1", "of no use", NOW), retries.drop("D1", "again", NOW)] == [True, False]
    assert session.all("SELECT id, reason, cause FROM dropped_letters") == [("D1", "of no use", "no luck")]
    assert released(retries) == []
