"""Limits' tables: every check with its answer, and what each account's day comes to. No rule about what is too much."""

from __future__ import annotations

from typing import Final, NamedTuple

from actors.limits.model import RELEASED, WITHIN
from actors.store.session import Migration, Session
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason

MIGRATIONS: Final = (
    Migration(
        "limits",
        1,
        (
            # A row without a day is the trace of a release that came before its check.
            """CREATE TABLE limit_checks (
                check_id TEXT PRIMARY KEY,
                account_id TEXT NOT NULL,
                currency TEXT NOT NULL,
                amount BIGINT NOT NULL,
                day TEXT NOT NULL,
                state TEXT NOT NULL,
                reason_code TEXT,
                reason_text TEXT
            ) WITHOUT ROWID""",
            """CREATE TABLE limit_days (
                account_id TEXT NOT NULL,
                currency TEXT NOT NULL,
                day TEXT NOT NULL,
                amount BIGINT NOT NULL,
                PRIMARY KEY (account_id, currency, day)
            ) WITHOUT ROWID""",
        ),
    ),
)

_RECORD: Final = "INSERT INTO limit_checks VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_ADD: Final = """INSERT INTO limit_days VALUES (?, ?, ?, ?)
    ON CONFLICT (account_id, currency, day) DO UPDATE SET amount = amount + excluded.amount"""


class Checked(NamedTuple):
    """A recorded check; `day` is the one that it counts for."""

    check_id: str
    account_id: str
    currency: str
    amount: int
    day: str
    state: str
    reason_code: str | None = None
    reason_text: str | None = None

    @property
    def reason(self) -> Reason:
        """Why it was too much."""
        return Reason(self.reason_code or "", self.reason_text or "")

    def is_for(self, account_id: str, amount: Money) -> bool:
        """Whether this is what is checked again."""
        return (self.account_id, self.amount, self.currency) == (account_id, amount.amount, amount.currency)


class LimitsStore:
    """Reads and writes of Limits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def checked(self, check_id: str) -> Checked | None:
        """What was recorded under this id."""
        row = self._session.one("SELECT * FROM limit_checks WHERE check_id = ?", (check_id,))
        return None if row is None else Checked._make(row)

    def counted(self, account_id: str, currency: str, day: str) -> int:
        """What the account's day comes to, in minor units."""
        row = self._session.one(
            "SELECT amount FROM limit_days WHERE account_id = ? AND currency = ? AND day = ?",
            (account_id, currency, day),
        )
        return int(row[0]) if row else 0

    def record(self, checked: Checked) -> None:
        """Keep a new check; one that is within its limits counts."""
        self._session.write(_RECORD, checked)
        if checked.state == WITHIN:
            self._session.write(_ADD, (checked.account_id, checked.currency, checked.day, checked.amount))

    def release(self, checked: Checked) -> None:
        """Keep that a check is given back; what it counted is taken off its own day again."""
        if checked.state == WITHIN:
            self._session.write(_ADD, (checked.account_id, checked.currency, checked.day, -checked.amount))
        self._session.write("UPDATE limit_checks SET state = ? WHERE check_id = ?", (RELEASED, checked.check_id))
