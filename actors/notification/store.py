"""Notification's tables: its own copy of the contacts, and each mail once."""

from __future__ import annotations

from typing import Final

from actors.store.session import Migration, Session

MIGRATIONS: Final = (
    Migration(
        "notification",
        1,
        (
            """CREATE TABLE notification_contacts (
                account_id TEXT PRIMARY KEY,
                owner TEXT NOT NULL,
                email TEXT
            ) WITHOUT ROWID""",
            # status: waiting, sent, failed
            """CREATE TABLE notification_mails (
                message_id TEXT PRIMARY KEY,
                payment_id TEXT NOT NULL,
                party TEXT NOT NULL,
                address TEXT NOT NULL,
                status TEXT NOT NULL,
                error TEXT NOT NULL,
                at BIGINT NOT NULL
            ) WITHOUT ROWID""",
        ),
    ),
)

_REMEMBER: Final = """INSERT INTO notification_contacts VALUES (?, ?, ?) ON CONFLICT (account_id) DO UPDATE SET
    owner = excluded.owner, email = excluded.email"""
_MAIL: Final = (
    "INSERT INTO notification_mails VALUES (?, ?, ?, ?, 'waiting', '', ?) ON CONFLICT (message_id) DO NOTHING"
)


class NotificationStore:
    """Reads and writes of Notification."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def remember(self, account_id: str, owner: str, email: str | None) -> None:
        """Keep an account's contact, in the place of an earlier one."""
        self._session.write(_REMEMBER, (account_id, owner, email))

    def contact(self, account_id: str) -> tuple[str, str | None]:
        """The owner's name and address, as far as they are known."""
        row = self._session.one("SELECT owner, email FROM notification_contacts WHERE account_id = ?", (account_id,))
        return ("", None) if row is None else (row[0], row[1])

    def is_new(self, message_id: str, payment_id: str, party: str, address: str, now: int) -> bool:
        """Record a mail that is to be sent; False where it was recorded before."""
        return self._session.write(_MAIL, (message_id, payment_id, party, address, now)) == 1

    def done(self, message_id: str, status: str, error: str, now: int) -> bool:
        """Record what became of a mail; False where that was known."""
        changed = self._session.write(
            "UPDATE notification_mails SET status = ?, error = ?, at = ? WHERE message_id = ? AND status = 'waiting'",
            (status, error, now, message_id),
        )
        return changed == 1
