"""What a process leaves behind about the message it ended on, and how long that is held against anybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.runtime import retries, suspects
from actors.runtime.suspects import FORGIVEN_AFTER, Suspects
from actors.store.sqlite import SqliteSession

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIMIT = 2


@pytest.fixture
def session() -> SqliteSession:
    """A store, which outlives the processes of a test."""
    made = SqliteSession.in_memory()
    made.migrate([*retries.MIGRATIONS, *suspects.MIGRATIONS])
    return made


def next_process(session: SqliteSession, now: datetime = NOON) -> Suspects:
    """What the process after the last one knows."""
    known = Suspects(session, LIMIT)
    session.begin()
    known.open(now)
    session.commit()
    return known


def deaths(session: SqliteSession) -> dict[str, int]:
    """What is held against whom."""
    session.begin()
    found = dict(session.all("SELECT message_id, deaths FROM suspects"))
    session.commit()
    return found


def test_the_next_process_knows_what_the_last_one_ended_on(session: SqliteSession) -> None:
    """So the supervisor hears that it was a message's fault, not the cell's."""
    next_process(session).accuse("ledger/M1")
    assert next_process(session).blamed == "ledger/M1"
    assert next_process(session).blamed == ""  # said once


def test_a_process_that_outlived_its_suspects_blames_nobody(session: SqliteSession) -> None:
    """A drill in an idle moment is nobody's fault."""
    known = next_process(session)
    for suspect in ("ledger/M1", "ledger/M2"):
        known.accuse(suspect)
        known.acquit(suspect)
    assert next_process(session).blamed == ""
    assert deaths(session) == {}


def test_one_that_kills_again_and_again_is_condemned_and_blamed_no_more(session: SqliteSession) -> None:
    """From then on it isn't run: what ends the process then is something else."""
    for _ in range(LIMIT):
        assert next_process(session).accuse("ledger/M1") <= LIMIT
    assert next_process(session).accuse("ledger/M1") == LIMIT + 1
    known = next_process(session)
    assert (known.blamed, known.condemned) == ("", {"ledger/M1"})


def test_a_count_is_forgiven_after_a_long_life_and_a_condemned_one_is_not(session: SqliteSession) -> None:
    """A kill of last month must not add up with one of today; what was proven stays proven until a stop."""
    first = next_process(session)
    first.accuse("ledger/M1")
    for _ in range(LIMIT + 1):
        first.accuse("ledger/M2")
    known = next_process(session, NOON)
    known.forgive(NOON + FORGIVEN_AFTER - timedelta(seconds=1))
    assert set(deaths(session)) == {"ledger/M1", "ledger/M2"}
    known.forgive(NOON + FORGIVEN_AFTER)
    assert set(deaths(session)) == {"ledger/M2"}


def test_an_orderly_stop_forgets_all_of_it(session: SqliteSession) -> None:
    """As before an upgrade: the new code may well survive the message."""
    known = next_process(session)
    for _ in range(LIMIT + 1):
        known.accuse("ledger/M1")
    known.forget_all()
    known = next_process(session)
    assert (known.blamed, known.condemned, deaths(session)) == ("", set(), {})
