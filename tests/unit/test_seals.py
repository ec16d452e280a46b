"""The chain of seals: whatever is changed, removed or added in a sealed table is found, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import assembly
from actors.directory import log
from actors.ledger import store as ledger
from actors.ledger.model import Posting
from actors.messaging.codec import micros
from actors.messaging.envelope import EVENT, Envelope
from actors.runtime import seals
from actors.runtime.seals import START, Seals, check, end_of_chain
from actors.runtime.service import Record
from actors.store.session import StoreFailed
from actors.store.sqlite import SqliteSession
from tests.fakes.runtime_tables import NOW, saying
from tests.fakes.stores import RUNTIME_MIGRATIONS

TABLES = (log.SEALED, ledger.SEALED)
TURN = st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from(["", "handler", "turn"]), st.booleans())


class Chain:
    """A store whose turns add lines to the log and postings to the ledger."""

    def __init__(self) -> None:
        self.session = SqliteSession.in_memory()
        self.session.migrate([*RUNTIME_MIGRATIONS, *ledger.MIGRATIONS])
        self.seals = Seals(self.session)
        self.heads = [(0, START)]
        self.now = NOW
        self.payments = self.turns = 0

    def turn(self, payments: int, lines: int, fails: str, tick: bool) -> None:
        """One turn; `fails` takes back one more handler's postings, or the turn; without `tick` no time passes."""
        self.now += timedelta(milliseconds=1) if tick else timedelta(0)
        self.session.begin()
        for _ in range(payments):
            self.post()
        if fails == "handler":
            self.session.guard()
            self.post()
            self.session.take_back()
        if lines:
            self.turns += 1
            said = [Record(self.turns * 10 + at, self.now, self.said(at), None, ()) for at in range(lines)]
            log.append(self.session, self.turns, self.now, said)
        self.seals.write(self.now)
        if fails == "turn":
            self.session.roll_back()
            self.session.begin()
            self.seals.open()
            self.session.roll_back()
            return
        self.session.commit()
        self.seals.committed()
        self.session.begin()
        self.heads.append(end_of_chain(self.session))
        self.session.roll_back()

    def post(self) -> None:
        """One payment's two postings."""
        self.payments += 1
        name = f"P{self.payments}-00"
        postings = (Posting("ACC-1", "payment", name, -5, "EUR"), Posting("clearing", "payment", name, 5, "EUR"))
        ledger.LedgerStore(self.session).book(postings, micros(self.now))

    def said(self, at: int) -> Envelope:
        """Something for the log."""
        return saying(f"{self.turns}.{at}")._replace(kind=EVENT, payment_id=f"P{at}-00")

    def tamper(self, *statements: str) -> bool:
        """Change the store behind the program's back; whether that changed anything."""
        before = self.content()
        self.session.begin()
        self.session.write("DROP TRIGGER IF EXISTS postings_stay")
        self.session.write("DROP TRIGGER IF EXISTS postings_remain")
        for statement in statements:
            self.session.write(statement)
        self.session.commit()
        return self.content() != before

    def content(self) -> list[object]:
        """All that the chain is about."""
        self.session.begin()
        try:
            found = [self.session.all(f"SELECT * FROM {table}") for table in ("log_parts", "postings", "seals")]
        finally:
            self.session.roll_back()
        return list(found)

    def broken(self, head: tuple[int, bytes] | None = None) -> list[seals.Broken]:
        """What a check says."""
        self.session.begin()
        try:
            return check(self.session, TABLES, head).broken
        finally:
            self.session.roll_back()


def chain(turns: list[tuple[int, int, str, bool]]) -> Chain:
    """A store after these turns."""
    made = Chain()
    for each in turns:
        made.turn(*each)
    return made


@settings(max_examples=60, deadline=None)
@given(st.lists(TURN, max_size=8))
def test_an_untouched_store_passes_with_any_head_that_was_ever_noted(turns: list[tuple[int, int, str, bool]]) -> None:
    """A crash between the commit and the note leaves a note that is behind: that is no damage."""
    made = chain(turns)
    assert [made.broken(head) for head in [None, *made.heads]] == [[]] * (len(made.heads) + 1)


def _pick(table: str) -> str:
    return {
        "log_parts": "part_id = (SELECT part_id FROM log_parts ORDER BY part_id LIMIT 1 OFFSET {at})",
        "seals": "number = (SELECT number FROM seals ORDER BY number LIMIT 1 OFFSET {at})",
        "postings": "(account_id, reference) = (SELECT account_id, reference FROM postings"
        " ORDER BY reference, account_id LIMIT 1 OFFSET {at})",
    }[table]


EDITS = [
    ("log_parts", "lines = zeroblob(3)"),
    ("log_parts", "at = at + 1"),
    ("log_parts", "at = 'soon'"),
    ("log_parts", "first_offset = first_offset - 1"),
    ("log_parts", "part_id = part_id + 1"),
    ("postings", "amount = amount + 1"),
    ("postings", "amount = -amount"),
    ("postings", "at = at - 1"),
    ("postings", "kind = 'return'"),
    ("postings", "reference = 'P99-00'"),
    ("postings", "account_id = 'ACC-2'"),
    ("seals", "at = at + 1"),
    ("seals", "number = number + 100"),
    ("seals", "rows = x'90'"),
    ("seals", "digest = zeroblob(32)"),
]
FULL = [(2, 1, "", True), (1, 2, "handler", True), (3, 1, "", False), (2, 2, "", True)]


@settings(max_examples=150, deadline=None)
@given(st.lists(TURN, min_size=1, max_size=5), st.sampled_from(EDITS), st.integers(0, 9))
def test_any_edited_row_is_found(turns: list[tuple[int, int, str, bool]], edit: tuple[str, str], at: int) -> None:
    """Whichever column of whichever row it is, in the sealed tables or in the seals themselves."""
    made = chain(turns)
    table, change = edit
    changed = made.tamper(f"UPDATE {table} SET {change} WHERE {_pick(table).format(at=at)}")
    assert bool(made.broken(made.heads[-1])) is changed


@settings(max_examples=80, deadline=None)
@given(st.lists(TURN, min_size=1, max_size=5), st.sampled_from(["log_parts", "postings", "seals"]), st.integers(0, 9))
def test_any_removed_row_is_found(turns: list[tuple[int, int, str, bool]], table: str, at: int) -> None:
    """In the middle, at the start, at the end."""
    made = chain(turns)
    changed = made.tamper(f"DELETE FROM {table} WHERE {_pick(table).format(at=at)}")
    assert bool(made.broken(made.heads[-1])) is changed


INSERTS = [
    "INSERT INTO postings SELECT account_id, at, 'P99-00', kind, amount, currency FROM postings LIMIT 1",
    "INSERT INTO postings VALUES ('ACC-9', 1, 'P99-00', 'payment', 5, 'EUR')",
    "INSERT INTO log_parts SELECT part_id + 1000000, first_offset, last_offset, at, lines FROM log_parts LIMIT 1",
    "INSERT INTO log_parts VALUES (7, 1, 1, 9223372036854775807, x'90')",
    "INSERT INTO seals SELECT max(number) + 1, at, rows, digest FROM seals HAVING count(*)",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(TURN, min_size=1, max_size=5), st.sampled_from(INSERTS))
def test_any_inserted_row_is_found(turns: list[tuple[int, int, str, bool]], insert: str) -> None:
    """At a moment that has rows, or at one that no turn had."""
    made = chain(turns)
    changed = made.tamper(insert)
    assert bool(made.broken(made.heads[-1])) is changed


SWAPS = [
    "UPDATE postings SET amount = CASE amount WHEN 5 THEN -5 ELSE 5 END WHERE reference = 'P1-00'",
    "UPDATE postings SET at = (SELECT min(at) + max(at) FROM postings) - at"
    " WHERE at IN ((SELECT min(at) FROM postings), (SELECT max(at) FROM postings))",
    "UPDATE log_parts SET lines = (SELECT lines FROM log_parts AS other WHERE other.part_id <> log_parts.part_id"
    " ORDER BY part_id LIMIT 1)",
]


@pytest.mark.parametrize("swap", SWAPS)
def test_what_changes_places_is_found(swap: str) -> None:
    """Sums alone would not show it: the rows are the same, and stand for something else."""
    made = chain(FULL)
    assert made.tamper(swap)
    assert made.broken()


@pytest.mark.parametrize("turns", [1, 2])
def test_a_removed_end_is_found_by_the_note_outside_the_store(turns: int) -> None:
    """What remains is a whole chain: only who knows how far it went can tell."""
    made = chain([(2, 1, "", True)] * 4)
    number, _ = made.heads[-1 - turns]
    assert made.tamper(
        f"DELETE FROM postings WHERE at > (SELECT at FROM seals WHERE number = {number})",
        f"DELETE FROM log_parts WHERE at > (SELECT at FROM seals WHERE number = {number})",
        f"DELETE FROM seals WHERE number > {number}",
    )
    (found,) = made.broken(made.heads[-1])
    assert found.text.startswith("the last turn" if turns == 1 else "the last 2 turns")


def test_a_chain_made_anew_over_changed_rows_is_found_by_the_note() -> None:
    """Whoever changes a row and all seals after it would have to change the note as well."""
    made = chain(FULL)
    assert made.tamper("UPDATE postings SET amount = amount * 2", "DELETE FROM seals")
    made.session.begin()
    Seals(made.session).adopt(TABLES)
    made.session.commit()
    assert made.broken() == []
    assert made.broken(made.heads[-1])


def test_where_one_payment_alone_can_be_meant_it_is_named() -> None:
    """And the table, the moment, and what is wrong with how many rows."""
    made = chain([(1, 0, "", True), (2, 0, "", True)])
    made.tamper("UPDATE postings SET amount = 6 WHERE reference = 'P1-00' AND amount = 5")
    ((text, payment_id),) = made.broken()
    assert payment_id == "P1-00"
    assert text.startswith("postings of 20")
    assert text.endswith("not as written (2 rows)")


def test_among_several_payments_of_a_turn_all_are_named() -> None:
    """More can't be told from the rows that are left."""
    made = chain([(3, 0, "", True)])
    made.tamper("DELETE FROM postings WHERE reference = 'P2-00' AND amount = 5")
    ((text, payment_id),) = made.broken()
    assert payment_id is None
    assert "1 row of 6 removed" in text
    assert "P1-00, P2-00, P3-00" in text


@settings(max_examples=40, deadline=None)
@given(st.lists(TURN, max_size=4), st.lists(TURN, max_size=4), st.sampled_from(EDITS), st.integers(0, 9))
def test_what_an_older_program_left_unsealed_is_sealed_once_and_guarded_from_then_on(
    before: list[tuple[int, int, str, bool]],
    after: list[tuple[int, int, str, bool]],
    edit: tuple[str, str],
    at: int,
) -> None:
    """An upgrade over live data: old rows are taken as they are found, and change no more."""
    made = chain(before)
    made.tamper("DELETE FROM seals")
    made.session.begin()
    made.seals.adopt(TABLES)
    made.seals.adopt(TABLES)
    made.seals.open()
    made.session.commit()
    for each in after:
        made.turn(*each)
    assert made.broken() == made.broken((0, START)) == []
    table, change = edit
    changed = made.tamper(f"UPDATE {table} SET {change} WHERE {_pick(table).format(at=at)}")
    assert bool(made.broken()) is changed


def test_a_row_that_is_no_text_any_more_is_found() -> None:
    """It can't even be read."""
    made = chain(FULL)
    with pytest.raises(StoreFailed):
        made.tamper("UPDATE log_parts SET lines = CAST(x'ff' AS TEXT)")
    assert any("log_parts" in each.text for each in made.broken())


def test_the_rows_that_were_looked_at_are_counted() -> None:
    """`verify` says how much it has checked."""
    made = chain(FULL)
    made.session.begin()
    assert check(made.session, TABLES, None).rows == 2 * (2 + 1 + 3 + 2) + 4
    made.session.roll_back()


def test_a_turn_that_adds_nothing_leaves_no_seal() -> None:
    """An idle cell's store doesn't grow."""
    made = chain([(0, 0, "", True), (0, 0, "handler", True), (1, 1, "turn", True)])
    assert made.content() == [[], [], []]


def test_what_a_cell_seals_and_what_verify_checks_are_the_same() -> None:
    """A table that is sealed and not looked at would be sealed for nobody."""
    declared = {table for service in assembly.services() for table in service.sealed}
    assert set(assembly.sealed()) == {log.SEALED, *declared} == set(TABLES)
