"""The sagas' table: one row a payment, written once with its order, then only where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from actors.messaging import codec
from actors.messaging.envelope import Envelope
from actors.payment.messages import StartSaga
from actors.payment.model import Branch, Numbered, State
from actors.store.session import Migration, Session
from actors.vocabulary.reason import Reason

MIGRATIONS: Final = (
    Migration(
        "payment",
        1,
        (
            """
            CREATE TABLE sagas (
                payment_id TEXT NOT NULL PRIMARY KEY,
                workflow TEXT NOT NULL,
                version INTEGER NOT NULL,
                phase TEXT NOT NULL,
                step INTEGER NOT NULL,
                attempt INTEGER NOT NULL,
                unusual BLOB,
                start BLOB NOT NULL
            ) WITHOUT ROWID
            """,
        ),
    ),
    Migration(
        "payment",
        2,
        (
            # what has come for paused payments, in order; gone when they are resumed
            "CREATE TABLE saga_inbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, payment_id TEXT NOT NULL,"
            " envelope BLOB NOT NULL)",
            "CREATE INDEX saga_inbox_payments ON saga_inbox (payment_id, seq)",
        ),
    ),
    Migration(
        "payment",
        3,
        (
            # the versions that the last program to serve this store had, so that another one need not look at all sagas
            "CREATE TABLE saga_versions (workflow TEXT NOT NULL, version INTEGER NOT NULL,"
            " PRIMARY KEY (workflow, version)) WITHOUT ROWID",
            "INSERT INTO saga_versions SELECT DISTINCT workflow, version FROM sagas",
        ),
    ),
)

_PLAIN: Final = 4  # order, phase, step, attempt; what follows is stored only where it is not the default
_DEFAULTS: Final = tuple(State._field_defaults.values())
_BRANCHES: Final = State._fields.index("branches") - _PLAIN
_NUMBERS: Final = State._fields.index("numbers") - _PLAIN

codec.register(StartSaga)


class SagaStore:
    """Reads and writes the state of sagas."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def note_versions(self, versions: Iterable[tuple[str, int]]) -> None:
        """Keep which versions the program has that serves this store: no living saga has another."""
        versions = sorted(versions)
        if self._session.all("SELECT workflow, version FROM saga_versions ORDER BY workflow, version", ()) == versions:
            return  # a cell that comes back on a full disk must not need to write
        self._session.write("DELETE FROM saga_versions", ())
        self._session.write_many("INSERT INTO saga_versions VALUES (?, ?)", versions)

    def migrate(self, state: State) -> None:
        """Keep under which version the saga runs from now on, and where it stands there."""
        order = state.order
        self._session.write(
            "UPDATE sagas SET workflow = ?, version = ? WHERE payment_id = ?",
            (order.workflow, order.workflow_version, order.payment_id),
        )
        self.save(state)

    def begin(self, state: State) -> None:
        """Keep a new saga, with its order and where it stands by now."""
        order = state.order
        self._session.write(
            "INSERT INTO sagas VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                order.payment_id,
                order.workflow,
                order.workflow_version,
                state.phase,
                state.step,
                state.attempt,
                _unusual(state),
                codec.encode(StartSaga(order=order)),
            ),
        )

    def save(self, state: State) -> None:
        """Keep where the saga stands."""
        self._session.write(
            "UPDATE sagas SET phase = ?, step = ?, attempt = ?, unusual = ? WHERE payment_id = ?",
            (state.phase, state.step, state.attempt, _unusual(state), state.order.payment_id),
        )

    def load(self, payment_id: str) -> State | None:
        """Where the saga stands, or None where there is none; its order names the version that it runs now."""
        row = self._session.one(
            "SELECT start, phase, step, attempt, unusual, workflow, version FROM sagas WHERE payment_id = ?",
            (payment_id,),
        )
        return None if row is None else state_of(row)

    def exists(self, payment_id: str) -> bool:
        """Whether a saga was started for the payment."""
        return self._session.one("SELECT 1 FROM sagas WHERE payment_id = ?", (payment_id,)) is not None

    def put_aside(self, payment_id: str, envelope: Envelope) -> None:
        """Keep what has come for a paused payment."""
        self._session.write(
            "INSERT INTO saga_inbox (payment_id, envelope) VALUES (?, ?)", (payment_id, codec.pack(envelope))
        )

    def take_up(self, payment_id: str) -> list[Envelope]:
        """What was put aside, in the order in which it came; it is gone from here."""
        rows = self._session.all("SELECT envelope FROM saga_inbox WHERE payment_id = ? ORDER BY seq", (payment_id,))
        self._session.write("DELETE FROM saga_inbox WHERE payment_id = ?", (payment_id,))
        return [codec.envelope_from(codec.unpack(row[0])) for row in rows]


def state_of(row: Sequence[Any]) -> State:
    """What a row says: start, phase, step, attempt, unusual, workflow, version."""
    start, phase, step, attempt, unusual, workflow, version = row
    command: Any = codec.decode(start)
    order = command.order
    if (order.workflow, order.workflow_version) != (workflow, version):  # it was moved since
        order = replace(order, workflow=workflow, workflow_version=version)
    rest = () if unusual is None else _unpacked(codec.unpack(unusual))
    return State(order, phase, step, attempt, *rest)


def _unusual(state: State) -> bytes | None:
    return None if state[_PLAIN:] == _DEFAULTS else codec.pack(_packed(state))


def _packed(state: State) -> list[Any]:
    return [[value.code, value.text] if isinstance(value, Reason) else value for value in state[_PLAIN:]]


def _unpacked(values: list[Any]) -> list[Any]:
    """What was stored before a field was there is shorter, and has the field's default."""
    fields: list[Any] = [
        Reason(*value) if isinstance(value, list) and at not in (_BRANCHES, _NUMBERS) else value
        for at, value in enumerate(values)
    ]
    if len(fields) > _BRANCHES:
        fields[_BRANCHES] = tuple(Branch(*branch) for branch in fields[_BRANCHES])
    if len(fields) > _NUMBERS:
        fields[_NUMBERS] = tuple(Numbered(*each) for each in fields[_NUMBERS])
    return fields
