"""A data directory as a system leaves it, made without one: the cells' stores with the services' tables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from actors.aml import store as aml
from actors.approval import store as approval
from actors.directory import log
from actors.disbursement import store as disbursement
from actors.execution import store as execution
from actors.ledger import store as ledger
from actors.limits import store as limits
from actors.operations import store as operations
from actors.payment import store as sagas
from actors.payment.model import State
from actors.runtime import pauses, seals
from actors.runtime.core import RUNTIME_MIGRATIONS
from actors.store.sqlite import SqliteSession
from actors.tracker import store as tracker
from actors.tracker.model import Standing
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentOrder

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
MICROS = int(NOW.timestamp() * 1_000_000)


def open_store(data: Path, cell: str = "cell-0") -> SqliteSession:
    """A cell's store with all tables, a transaction open; commit and close it before it is read."""
    session = SqliteSession.open(data / "cells" / cell / "store.db", synchronous="OFF")
    session.migrate(
        [
            *RUNTIME_MIGRATIONS,
            *tracker.MIGRATIONS,
            *ledger.MIGRATIONS,
            *aml.MIGRATIONS,
            *approval.MIGRATIONS,
            *limits.MIGRATIONS,
            *disbursement.MIGRATIONS,
            *execution.MIGRATIONS,
            *operations.MIGRATIONS,
            *sagas.MIGRATIONS,
            *pauses.MIGRATIONS,
        ]
    )
    session.begin()
    return session


def seal(session: SqliteSession) -> None:
    """Seal what is in the store, as the first start over an older program's data does."""
    seals.Seals(session).adopt((log.SEALED, ledger.SEALED))


def order(
    payment_id: str,
    *,
    amount: int = 1_250,
    account: str = "DE89370400440532013000",
    workflow: str = "debit-first",
    version: int = 1,
) -> PaymentOrder:
    """An order of ACC-1."""
    return PaymentOrder(
        payment_id=payment_id,
        idempotency_key=f"key-{payment_id}",
        debtor_account="ACC-1",
        creditor=Creditor(name="Annelore Beispiel", account=account),
        amount=Money(amount, "EUR"),
        end_to_end_id=payment_id,
        uetr="00000000-0000-4000-8000-000000000001",
        remittance="Salary [May]",
        flow="orchestrated",
        workflow=workflow,
        workflow_version=version,
        batch_id=None,
        created_at=NOW,
    )


def keep_payment(session: SqliteSession, payment_id: str, status: str, reason: str | None = None) -> None:
    """A payment as the tracker knows it."""
    writes = tracker.Writes()
    deadline = MICROS if status in {"received", "debiting", "screening", "executing", "compensating"} else None
    standing = Standing(status, reason, "in words" if reason else "", "X", "X", "", NOW)
    writes.add(order(payment_id), standing, MICROS, deadline, MICROS)
    tracker.TrackerStore(session).write(writes)


def keep_saga(
    session: SqliteSession,
    payment_id: str,
    status: str,
    phase: str,
    step: int = 0,
    *,
    on: tuple[str, int],
    **more: object,
) -> None:
    """An orchestrated payment as the tracker knows it, and where its saga stands on a workflow's version."""
    of = order(payment_id, workflow=on[0], version=on[1])
    writes = tracker.Writes()
    writes.add(of, Standing(status, None, "", "X", "X", "", NOW), MICROS, None, MICROS)
    tracker.TrackerStore(session).write(writes)
    sagas.SagaStore(session).begin(State(of, phase, step, 1, **more))  # type: ignore[arg-type]
