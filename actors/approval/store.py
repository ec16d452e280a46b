"""Approval's tables: what is asked, and each person's word. No rule about what they mean."""

from __future__ import annotations

from typing import Final, NamedTuple

from actors.approval.model import OPEN, Approval
from actors.messaging.codec import micros, moment
from actors.store.session import Migration, Session
from actors.vocabulary.money import Money

MIGRATIONS: Final = (
    Migration(
        "approval",
        1,
        (
            # closed: the payment was stopped, whatever had been decided; nothing is approved under this id any more.
            # A row without an amount is the trace of a withdrawal that came before the request.
            f"""CREATE TABLE approvals (
                approval_id TEXT PRIMARY KEY,
                payment_id TEXT NOT NULL,
                amount BIGINT NOT NULL,
                currency TEXT NOT NULL,
                debtor_account TEXT NOT NULL,
                creditor_name TEXT NOT NULL,
                why TEXT NOT NULL,
                needed INTEGER NOT NULL,
                lapses INTEGER NOT NULL,
                opened_at BIGINT NOT NULL,
                due_at BIGINT NOT NULL,
                status TEXT NOT NULL DEFAULT '{OPEN}',
                reason TEXT NOT NULL DEFAULT '',
                decided_at BIGINT,
                closed INTEGER NOT NULL DEFAULT 0,
                overdue INTEGER NOT NULL DEFAULT 0,
                reply_to TEXT NOT NULL DEFAULT '',
                workflow TEXT NOT NULL DEFAULT '',
                facts BLOB
            ) WITHOUT ROWID""",
            f"CREATE INDEX approvals_open ON approvals (payment_id) WHERE status = '{OPEN}'",
            """CREATE TABLE approval_words (
                approval_id TEXT NOT NULL,
                at BIGINT NOT NULL,
                said_by TEXT NOT NULL,
                approve INTEGER NOT NULL,
                reason TEXT NOT NULL,
                PRIMARY KEY (approval_id, at, said_by)
            ) WITHOUT ROWID""",
        ),
    ),
)

_ASK: Final = """INSERT INTO approvals (approval_id, payment_id, amount, currency, debtor_account, creditor_name, why,
    needed, lapses, opened_at, due_at, reply_to, workflow, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (approval_id) DO NOTHING"""
_CLOSE: Final = """INSERT INTO approvals (approval_id, payment_id, amount, currency, debtor_account, creditor_name, why,
    needed, lapses, opened_at, due_at, status, closed) VALUES (?, ?, 0, '', '', '', '', 0, 0, ?, ?, 'withdrawn', 1)
    ON CONFLICT (approval_id) DO UPDATE SET closed = 1"""
_LOAD: Final = """SELECT approval_id, payment_id, amount, currency, debtor_account, creditor_name, why, needed, lapses,
    opened_at, due_at, status, reason, decided_at, closed, overdue, reply_to, workflow, facts
    FROM approvals WHERE approval_id = ?"""
_AGREED: Final = "SELECT said_by FROM approval_words WHERE approval_id = ? AND approve = 1 ORDER BY at, said_by"


class Asked(NamedTuple):
    """An approval, and how its payment goes on: who awaits the outcome ("" = publish), with which facts."""

    approval: Approval
    closed: bool
    overdue: bool
    reply_to: str
    workflow: str
    facts: bytes | None


class ApprovalStore:
    """Reads and writes of Approval."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(self, asked: Asked) -> bool:
        """Keep what is asked; False where its id was asked, or withdrawn, before."""
        of = asked.approval
        row = (
            of.approval_id, of.payment_id, of.amount.amount, of.amount.currency, of.debtor_account, of.creditor_name,
            of.why, of.needed, int(of.lapses), micros(of.opened_at), micros(of.due_at), asked.reply_to,
            asked.workflow, asked.facts,
        )  # fmt: skip
        return self._session.write(_ASK, row) == 1

    def asked(self, approval_id: str) -> Asked | None:
        """What stands under this id."""
        row = self._session.one(_LOAD, (approval_id,))
        if row is None:
            return None
        (name, payment_id, amount, currency, debtor, creditor, why, needed, lapses, opened_at, due_at, status, reason,
         decided_at, closed, overdue, reply_to, workflow, facts) = row  # fmt: skip
        approval = Approval(
            approval_id=name,
            payment_id=payment_id,
            amount=Money(amount, currency),
            debtor_account=debtor,
            creditor_name=creditor,
            why=why,
            needed=needed,
            lapses=bool(lapses),
            opened_at=moment(opened_at),
            due_at=moment(due_at),
            status=status,
            agreed=tuple(row[0] for row in self._session.all(_AGREED, (approval_id,))),
            reason=reason,
            decided_at=None if decided_at is None else moment(decided_at),
        )
        return Asked(approval, bool(closed), bool(overdue), reply_to, workflow, facts)

    def take_word(self, approval_id: str, at: int, by: str, approve: bool, reason: str) -> None:
        """Keep a person's word."""
        self._session.write(
            "INSERT INTO approval_words VALUES (?, ?, ?, ?, ?)", (approval_id, at, by, int(approve), reason)
        )

    def end(self, approval: Approval) -> None:
        """Keep how it ended."""
        assert approval.decided_at is not None
        self._session.write(
            "UPDATE approvals SET status = ?, reason = ?, decided_at = ? WHERE approval_id = ?",
            (approval.status, approval.reason, micros(approval.decided_at), approval.approval_id),
        )

    def close(self, approval_id: str, payment_id: str, now: int) -> None:
        """Nothing is approved under this id from now on, asked before or not."""
        self._session.write(_CLOSE, (approval_id, payment_id, now, now))

    def mark_overdue(self, approval_id: str) -> None:
        """It has been said that too few decided in time."""
        self._session.write("UPDATE approvals SET overdue = 1 WHERE approval_id = ?", (approval_id,))
