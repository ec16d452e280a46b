"""The ledger's tables. Balances are sums: `posted` of the postings, `pending` of the pending debits."""

from __future__ import annotations

from collections.abc import Sequence

from actors.ledger.credits import Credit
from actors.ledger.model import NEVER_MADE, PENDING, Account, Debit, Posting, Return, Terms
from actors.store.session import Migration, Row, Sealed, Session
from actors.vocabulary.money import Money

MIGRATIONS = (
    Migration(
        "ledger",
        1,
        (
            """
            CREATE TABLE accounts (
                account_id TEXT PRIMARY KEY, currency TEXT NOT NULL,
                posted INTEGER NOT NULL DEFAULT 0, pending INTEGER NOT NULL DEFAULT 0,
                overdraft INTEGER NOT NULL DEFAULT 0, closed INTEGER NOT NULL DEFAULT 0,
                owner TEXT NOT NULL DEFAULT '', email TEXT, deposit INTEGER NOT NULL DEFAULT 0
            ) WITHOUT ROWID, STRICT
            """,
            """
            CREATE TABLE debits (
                debit_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, clearing_id TEXT NOT NULL,
                amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL,
                reason_code TEXT, reason_text TEXT, ending TEXT,
                expiry_announced INTEGER NOT NULL DEFAULT 0
            ) WITHOUT ROWID, STRICT
            """,
            # Clustered by account and moment: an account's lines are read in order without a further index.
            """
            CREATE TABLE postings (
                account_id TEXT NOT NULL, at INTEGER NOT NULL, reference TEXT NOT NULL, kind TEXT NOT NULL,
                amount INTEGER NOT NULL, currency TEXT NOT NULL,
                PRIMARY KEY (account_id, at, reference, kind)
            ) WITHOUT ROWID, STRICT
            """,
            """
            CREATE TABLE deposits (
                deposit_id TEXT PRIMARY KEY, account_id TEXT NOT NULL,
                amount INTEGER NOT NULL, currency TEXT NOT NULL
            ) WITHOUT ROWID, STRICT
            """,
            """
            CREATE TABLE returns (
                return_id TEXT PRIMARY KEY, debit_id TEXT NOT NULL UNIQUE,
                reason_code TEXT NOT NULL, reason_text TEXT NOT NULL,
                account_id TEXT NOT NULL, suspended INTEGER NOT NULL
            ) WITHOUT ROWID, STRICT
            """,
            """
            CREATE TRIGGER postings_stay BEFORE UPDATE ON postings
            BEGIN SELECT RAISE(ABORT, 'postings are immutable: correct them by new ones'); END
            """,
            """
            CREATE TRIGGER postings_remain BEFORE DELETE ON postings
            BEGIN SELECT RAISE(ABORT, 'postings are immutable: correct them by new ones'); END
            """,
        ),
    ),
    Migration(
        "ledger",
        2,
        (
            """
            CREATE TABLE credits (
                credit_id TEXT PRIMARY KEY, debit_id TEXT NOT NULL, account_id TEXT NOT NULL,
                clearing_id TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL,
                reason_code TEXT, reason_text TEXT, ending TEXT, given_to TEXT
            ) WITHOUT ROWID, STRICT
            """,
            "CREATE INDEX credits_of_debit ON credits (debit_id)",
        ),
    ),
    Migration(
        "ledger",
        3,
        ("ALTER TABLE debits ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1",),
    ),
)


def _payment_of(posting: Row) -> tuple[str, ...]:
    return (posting[2],) if posting[3] in ("payment", "refund") else ()


SEALED = Sealed("postings", ("account_id", "at", "reference", "kind", "amount", "currency"), _payment_of)

DEBIT_COLUMNS = "debit_id, account_id, clearing_id, amount, currency, state, reason_code, reason_text, ending"
_ACCOUNT = "SELECT account_id, currency, posted, pending, overdraft, closed FROM accounts WHERE account_id = ?"
_DEBIT = f"SELECT {DEBIT_COLUMNS} FROM debits WHERE debit_id = ?"
_ADD_DEBIT = (
    f"INSERT INTO debits ({DEBIT_COLUMNS}, attempt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_TRIED_ANEW = (
    "UPDATE debits SET state = ?, clearing_id = ?, reason_code = ?, reason_text = ?, attempt = ?"
    " WHERE debit_id = ? AND state = 'refused' AND attempt < ?"
)
_LAST_ATTEMPT = 2**31  # no attempt follows it
_ADD_POSTINGS = "INSERT INTO postings (account_id, at, reference, kind, amount, currency) VALUES " + (
    "(?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)"
)
_POSTED = "UPDATE debits SET state = 'posted' WHERE debit_id = ? AND state = 'pending'"
_VOIDED = (
    "UPDATE debits SET state = 'voided', reason_code = ?, reason_text = ?, ending = ?"
    " WHERE debit_id = ? AND state = 'pending'"
)
CREDIT_COLUMNS = (
    "credit_id, debit_id, account_id, clearing_id, amount, currency, state, reason_code, reason_text, ending, given_to"
)
_CREDIT = f"SELECT {CREDIT_COLUMNS} FROM credits WHERE credit_id = ?"
_ADD_CREDIT = f"INSERT INTO credits ({CREDIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_CHANGE_CREDIT = (
    "UPDATE credits SET state = ?, reason_code = ?, reason_text = ?, ending = ?, given_to = ?"
    " WHERE credit_id = ? AND state = 'pending'"
)
_CREDITED = (
    "SELECT coalesce(sum(amount), 0) FROM credits WHERE debit_id = ? AND (state = 'pending' OR state = 'posted')"
)
_RETURN = "SELECT return_id, debit_id, reason_code, reason_text, account_id, suspended FROM returns "


class LedgerStore:
    """What the ledger reads and writes, in the turn's transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._one = session.one
        self._write = session.write

    def account(self, account_id: str) -> Account | None:
        """The account, or None."""
        row = self._one(_ACCOUNT, (account_id,))
        return None if row is None else Account._make(row)

    def debit(self, debit_id: str) -> Debit | None:
        """The debit, refused debit or tombstone under this id, or None."""
        row = self._one(_DEBIT, (debit_id,))
        return None if row is None else Debit._make(row)

    def add(self, debit: Debit, attempt: int) -> bool:
        """Keep a new debit, holding its money if it is pending; False (and no change) if its id is known."""
        if not self._write(_ADD_DEBIT, (*debit, attempt)):
            return False
        if debit.state == PENDING:
            self._hold(debit)
        return True

    def try_anew(self, debit: Debit, attempt: int) -> bool:
        """Keep what a refused debit has become under a later attempt; False if this one, or a later, was tried."""
        row = (debit.state, debit.clearing_id, debit.reason_code, debit.reason_text, attempt, debit.debit_id, attempt)
        if not self._write(_TRIED_ANEW, row):
            return False
        if debit.state == PENDING:
            self._hold(debit)
        return True

    def refuse_for_ever(self, debit_id: str) -> None:
        """Let no later attempt hold money for a debit that was refused, and then voided."""
        self._write("UPDATE debits SET attempt = ? WHERE debit_id = ? AND state = 'refused'", (_LAST_ATTEMPT, debit_id))

    def post(self, debit: Debit, postings: Sequence[Posting], at: int) -> None:
        """Keep a debit that is no longer pending but posted."""
        self._leave_pending(self._write(_POSTED, (debit.debit_id,)), debit)
        self._add_postings(postings, at)
        (debtor, _, _, out, _), (clearing, _, _, into, currency) = postings
        self._write(
            "UPDATE accounts SET posted = posted + ?, pending = pending + ? WHERE account_id = ?",
            (out, out, debtor),
        )
        self._move(clearing, currency, into)

    def void(self, debit: Debit) -> None:
        """Keep a debit that is no longer pending but voided; or the tombstone of one never made."""
        if debit.state == NEVER_MADE:
            self._write(_ADD_DEBIT, (*debit, _LAST_ATTEMPT))
            return
        row = (debit.reason_code, debit.reason_text, debit.ending, debit.debit_id)
        self._leave_pending(self._write(_VOIDED, row), debit)
        self._write("UPDATE accounts SET pending = pending - ? WHERE account_id = ?", (debit.amount, debit.account_id))

    def book(self, postings: Sequence[Posting], at: int) -> None:
        """Add two postings and what they do to the balances; the ledger's own accounts are made here."""
        self._add_postings(postings, at)
        for account_id, _, _, amount, currency in postings:
            self._move(account_id, currency, amount)

    def announce_expiry(self, debit_id: str) -> bool:
        """Note that a pending debit's expiry is announced; False if it was, or the debit is not pending."""
        changed = self._write(
            "UPDATE debits SET expiry_announced = 1 WHERE debit_id = ? AND state = 'pending' AND expiry_announced = 0",
            (debit_id,),
        )
        return changed == 1

    def terms(self, account_id: str) -> Terms | None:
        """What the account was opened with."""
        row = self._one(
            "SELECT currency, overdraft, owner, email, deposit FROM accounts WHERE account_id = ?",
            (account_id,),
        )
        return None if row is None else Terms._make(row)

    def open(self, account_id: str, terms: Terms) -> None:
        """Keep a new account, empty."""
        self._write(
            "INSERT INTO accounts (account_id, currency, overdraft, owner, email, deposit) VALUES (?, ?, ?, ?, ?, ?)",
            (account_id, *terms),
        )

    def close(self, account_id: str) -> None:
        """Keep that the account is closed."""
        self._write("UPDATE accounts SET closed = 1 WHERE account_id = ?", (account_id,))

    def deposit(self, deposit_id: str) -> Posting | None:
        """What is known under this deposit's id: its line on the account that got it."""
        row = self._one("SELECT account_id, amount, currency FROM deposits WHERE deposit_id = ?", (deposit_id,))
        return None if row is None else Posting(row[0], "deposit", deposit_id, row[1], row[2])

    def add_deposit(self, deposit_id: str, account_id: str, amount: Money) -> None:
        """Keep a new deposit's id and content."""
        self._write(
            "INSERT INTO deposits VALUES (?, ?, ?, ?)",
            (deposit_id, account_id, amount.amount, amount.currency),
        )

    def returned(self, return_id: str, debit_id: str) -> Return | None:
        """What was booked under this return's id, or for this debit."""
        row = self._one(_RETURN + "WHERE return_id = ?", (return_id,)) or self._one(
            _RETURN + "WHERE debit_id = ?", (debit_id,)
        )
        return None if row is None else Return._make(row)

    def add_return(self, booked: Return) -> None:
        """Keep a new return."""
        self._write("INSERT INTO returns VALUES (?, ?, ?, ?, ?, ?)", booked)

    def credit(self, credit_id: str) -> Credit | None:
        """The credit, refused credit or tombstone under this id, or None."""
        row = self._one(_CREDIT, (credit_id,))
        return None if row is None else Credit._make(row)

    def credited(self, debit_id: str) -> int:
        """The minor units of a debit that its credits have, pending or posted."""
        row = self._one(_CREDITED, (debit_id,))
        return 0 if row is None else int(row[0])

    def is_returned(self, debit_id: str) -> bool:
        """Whether the bank has sent the debit's money back."""
        return self._one("SELECT 1 FROM returns WHERE debit_id = ?", (debit_id,)) is not None

    def add_credit(self, credit: Credit) -> bool:
        """Keep a new credit, refused credit or tombstone; False (and no change) if its id is known."""
        return bool(self._write(_ADD_CREDIT, credit))

    def end_credit(self, credit: Credit) -> None:
        """Keep a credit that is no longer pending but posted or voided."""
        row = (credit.state, credit.reason_code, credit.reason_text, credit.ending, credit.given_to, credit.credit_id)
        if self._write(_CHANGE_CREDIT, row) != 1:
            raise RuntimeError(f"credit {credit.credit_id} was not pending, though the model took it for that")

    def _hold(self, debit: Debit) -> None:
        self._write("UPDATE accounts SET pending = pending + ? WHERE account_id = ?", (debit.amount, debit.account_id))

    def _leave_pending(self, changed: int, debit: Debit) -> None:
        if changed != 1:
            raise RuntimeError(f"debit {debit.debit_id} was not pending, though the model took it for that")

    def _add_postings(self, postings: Sequence[Posting], at: int) -> None:
        (a, kind, reference, out, currency), (b, _, _, into, _) = postings
        left, right = (a, at, reference, kind, out, currency), (b, at, reference, kind, into, currency)
        self._write(_ADD_POSTINGS, left + right)
        self._session.seal(SEALED.table, left, right)

    def _move(self, account_id: str, currency: str, amount: int) -> None:
        if self._write("UPDATE accounts SET posted = posted + ? WHERE account_id = ?", (amount, account_id)):
            return
        self._write(
            "INSERT INTO accounts (account_id, currency, posted) VALUES (?, ?, ?)",
            (account_id, currency, amount),
        )
