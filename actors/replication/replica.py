"""The reporting database, through SQLAlchemy: one table, written in batches, never going back in time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from actors.messaging.codec import moment
from actors.replication.messages import CopyPayment
from actors.store.session import StoreRefused
from actors.vocabulary.money import decimal_text

SUPPORTED: Final = ("sqlite", "postgresql")
DEFAULT_FILE: Final = Path("replica") / "payments.db"
BUSY_SECONDS: Final = 30  # several cells write into one SQLite file, one after the other

_metadata = MetaData()
# SQLite has neither decimals nor moments: there both are text, exact and in an order that sorts.
_AMOUNT: Final = Numeric(24, 4).with_variant(Text, "sqlite")
_MOMENT: Final = DateTime(timezone=True).with_variant(String(32), "sqlite")
PAYMENTS: Final = Table(
    "payments",
    _metadata,
    Column("payment_id", String(64), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", String(8)),
    Column("reason_text", Text, nullable=False),
    Column("flow", String(16), nullable=False),
    Column("workflow", String(64), nullable=False),
    Column("workflow_version", Integer, nullable=False),
    Column("batch_id", String(128)),
    Column("idempotency_key", Text, nullable=False),
    Column("end_to_end_id", Text, nullable=False),
    Column("uetr", String(36), nullable=False),
    Column("debtor_account", Text, nullable=False),
    Column("creditor_name", Text, nullable=False),
    Column("creditor_account", Text, nullable=False),
    Column("creditor_country", String(2)),
    Column("creditor_email", Text),
    Column("creditor_date_of_birth", String(10)),
    Column("remittance", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("amount", _AMOUNT, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_at", _MOMENT, nullable=False),
    Column("updated_at", _MOMENT, nullable=False),
)


_NAMES: Final = tuple(column.name for column in PAYMENTS.columns)


class CannotReplicate(StoreRefused):
    """The configured replica can't be used; the text is one sentence that says what to change."""


class Unreachable(Exception):
    """The replica did not take a batch; the same batch may be written later."""


class Replica:
    """The reporting database. Connects when the first batch is written; each batch is one transaction."""

    def __init__(self, url: str, data: Path) -> None:
        """Look at the URL, without connecting.

        Raises:
            CannotReplicate: it is none, or of a kind that is not supported, or its driver is missing.
        """
        self._url = parsed = _parsed(url, data)
        self.name = parsed.render_as_string(hide_password=True)
        try:
            self._engine = _engine(parsed)
        except NoSuchModuleError as error:
            raise CannotReplicate(f"setting replication.url: {self.name} names no known driver") from error
        except ImportError as error:
            raise CannotReplicate(
                f"setting replication.url: {self.name} needs the Python package {error.name}; install it"
            ) from error
        self._sqlite = parsed.get_backend_name() == "sqlite"
        self._upsert = _upsert(self._sqlite)
        self._sql = str(self._upsert.compile(dialect=self._engine.dialect))  # parameters in the columns' order
        self._has_table = False

    def write(self, copies: Sequence[CopyPayment]) -> None:
        """Write a batch, the newest copy of each payment; a newer one that stands there stays.

        Raises:
            Unreachable: nothing of the batch was written.
        """
        newest: dict[str, CopyPayment] = {}
        for copy in copies:
            before = newest.get(copy.order.payment_id)
            if before is None or before.version <= copy.version:
                newest[copy.order.payment_id] = copy
        rows = [_row(copy, as_text=self._sqlite) for copy in newest.values()]
        try:
            self._make_table()
            with self._engine.begin() as connection:
                if self._sqlite:
                    connection.exec_driver_sql(self._sql, rows)  # half the price of Core's own binding
                else:
                    connection.execute(self._upsert, [dict(zip(_NAMES, row, strict=True)) for row in rows])
        except (SQLAlchemyError, OSError) as error:
            reason = getattr(error, "orig", None) or error
            raise Unreachable(f"{self.name}: {' '.join(str(reason).split())}") from error

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def _make_table(self) -> None:
        if self._has_table:
            return
        if self._sqlite and self._url.database not in (None, "", ":memory:"):
            Path(str(self._url.database)).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _metadata.create_all(self._engine)
        self._has_table = True


def _parsed(url: str, data: Path) -> URL:
    """The URL from the settings; empty: a SQLite file in the data directory."""
    if not url:
        return URL.create("sqlite", database=str((data / DEFAULT_FILE).absolute()))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        example = "postgresql+psycopg://user@host/database"
        raise CannotReplicate(f"setting replication.url is not a SQLAlchemy URL such as {example}") from error
    if parsed.get_backend_name() not in SUPPORTED:
        kinds = " or ".join(SUPPORTED)
        raise CannotReplicate(f"setting replication.url: {parsed.get_backend_name()} is not supported; use {kinds}")
    return parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, pool_size=1, max_overflow=0)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")  # reports are read while payments are written
        connection.execute("PRAGMA synchronous = FULL")  # a copy that was reported as written is not handed over again

    return engine


def _upsert(for_sqlite: bool) -> Any:
    insert: Any = sqlite.insert(PAYMENTS) if for_sqlite else postgresql.insert(PAYMENTS)
    changed = {column.name: insert.excluded[column.name] for column in PAYMENTS.columns if not column.primary_key}
    return insert.on_conflict_do_update(
        index_elements=[PAYMENTS.c.payment_id],
        set_=changed,
        where=PAYMENTS.c.version <= insert.excluded.version,
    )


def _row(copy: CopyPayment, *, as_text: bool) -> tuple[Any, ...]:
    """A copy's values in the order of the columns."""
    order, reason = copy.order, copy.reason
    creditor, money = order.creditor, order.amount
    amount: Any = decimal_text(money.amount, money.currency)
    created_at: Any = order.created_at
    updated_at: Any = moment(copy.at)
    if as_text:
        created_at, updated_at = created_at.isoformat(), updated_at.isoformat()
    else:
        amount = Decimal(amount)
    code, text = (reason.code, reason.text) if reason else (None, "")
    return (
        order.payment_id, copy.version, copy.status, code, text, order.flow, order.workflow, order.workflow_version,
        order.batch_id, order.idempotency_key, order.end_to_end_id, order.uetr, order.debtor_account, creditor.name,
        creditor.account, creditor.country, creditor.email, creditor.date_of_birth, order.remittance, money.amount,
        amount, money.currency, created_at, updated_at,
    )  # fmt: skip
