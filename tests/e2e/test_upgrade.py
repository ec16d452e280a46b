"""A newer program starts over what an older one left: with payments under way, parked, dead, in doubt and waiting."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from actors import assembly
from actors.runtime.core import RUNTIME_MIGRATIONS
from actors.store.session import Migration
from actors.store.sqlite import SqliteSession
from config.settings import CONFIG, read_settings
from tests.contract.released_data import files, unpack
from tests.fakes.installation import Installation
from tests.fakes.running import eventually

QUICK = {
    "execution.query_after_seconds": "1",
    "execution.query_every_seconds": "1",
    "execution.doubt_after_seconds": "3",
    "runtime.retry_initial_seconds": "0.1",
}
DONE = {"completed", "rejected", "cancelled", "returned", "held", "needs_attention"}
COUNTED = ("claims", "orders", "tracker_payments")


def under_way(system: Installation) -> dict[str, int]:
    """How many payments have neither ended nor wait for a person."""
    return {status: number for status, number in system.statuses().items() if status not in DONE}


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_every_payment_that_an_older_version_left_under_way_ends(path: Path, tmp_path: Path) -> None:
    """An upgrade is a stop and a start: nothing that was acknowledged before it is lost, doubled or stuck."""
    data = tmp_path / "data"
    unpack(path, data)
    system = Installation(data, QUICK)
    before = {key: system.number(f"SELECT count(*) FROM {key}") for key in COUNTED}
    assert before["orders"] > 100
    assert under_way(system), "a fixture in which everything has ended proves nothing"
    with system:
        eventually(lambda: not under_way(system), 40)
        eventually(lambda: system.number("SELECT count(*) FROM parked") == 0, 20)
        retried = system.run("dead-letters", "retry", "--all")
        assert retried.status == 0, retried.err
        for table in ("dead_letters", "links_out", "outbox", "parked"):
            eventually(lambda: system.number(f"SELECT count(*) FROM {table}") == 0, 20)  # noqa: B023 -- at once
        eventually(lambda: not under_way(system), 20)
        for key in ("MAIL", "LINK-", "PARKED-", "DEAD-"):
            keys = system.rows("SELECT payment_id FROM claims WHERE idempotency_key LIKE ?", f"{key}%")
            assert keys, key
        assert system.number("SELECT count(*) FROM claims") == before["claims"]
        assert system.number("SELECT count(*) FROM orders") == before["claims"], "each key is one payment"
        shown = system.run("payment", str(keys[0][0]), "--json")
        assert len(shown.json["timeline"]) > 3, "what the older version logged can be read"
        eventually(lambda: system.violations() == [], 15)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_an_older_store_becomes_what_a_new_one_is(path: Path, tmp_path: Path) -> None:
    """A migration that was edited after its release, instead of followed by another, is found here."""
    unpack(path, tmp_path / "data")
    old = tmp_path / "data" / "cells" / "cell-0" / "store.db"
    new = tmp_path / "new.db"
    for store in (old, new):
        session = SqliteSession.open(store)
        session.migrate(every_migration())
        session.close()
    assert schema(old) == schema(new)


def every_migration() -> set[Migration]:
    """What a cell brings its store up to."""
    services = (*assembly.services(), *(member for _, member, _ in assembly.families()))
    return {*RUNTIME_MIGRATIONS, *(migration for service in services for migration in service.migrations)}


def schema(path: Path) -> dict[str, set[tuple[object, ...]]]:
    """Tables with their columns, and indexes, whatever order they were made in."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: set(connection.execute("SELECT * FROM pragma_table_info(?)", (name,))) for name in names}
        found[""] = set(connection.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'"))
        versions = set(connection.execute("SELECT * FROM schema_versions"))
    return {**found, "versions": versions}


@pytest.mark.parametrize("path", files()[-1:], ids=lambda path: path.name)
def test_an_older_program_refuses_what_a_newer_one_has_left(path: Path, tmp_path: Path) -> None:
    """It would misread it: going back wants a copy made before the upgrade, and the sentence says so."""
    data = tmp_path / "data"
    unpack(path, data)
    for store in data.glob("cells/*/store.db"):
        with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as connection:
            connection.execute("UPDATE schema_versions SET version = version + 1000 WHERE component = 'ledger'")
    settings = read_settings(CONFIG / "partitioned.toml", {"topology.cells": "2"})
    started = Installation(data).run("start", "--set", f"topology.cells={settings.topology.cells}")
    assert started.status == 1
    assert "start the newer program that wrote them" in started.err
    assert "Traceback" not in started.err
