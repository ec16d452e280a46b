"""Services that live apart: what lies between two stores excuses only what differs because of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.admin.merged import between
from actors.assembly import load_messages
from actors.disbursement.messages import PaymentCompleted
from actors.ledger.messages import PostDebit
from actors.messaging import codec
from actors.messaging.envelope import COMMAND, EVENT, Envelope
from actors.runtime.lines import seen
from actors.runtime.service import Record
from actors.store.sqlite import SqliteSession
from tests.fakes.stores import NOW, open_store, order

POST = Envelope("m-1", PostDebit(debit_id="P1-00"), COMMAND, "payment/P1-00", "ledger", "P1-00")
DONE = Envelope("m-2", PaymentCompleted(order=order("P2-00")), EVENT, "payment/P2-00", "", "P2-00")
load_messages()
(LINES,) = seen("tracker", "payment", [Record(1, NOW, DONE, "completed", ())])


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[dict[str, SqliteSession]]:
    """Two cells, one of which has sent something to the other."""
    with closing(open_store(tmp_path, "payment")) as payment, closing(open_store(tmp_path, "ledger")) as ledger:
        for number, envelope in enumerate((POST, LINES), start=1):
            packed = codec.pack(codec.envelope_fields(envelope))
            payment.write("INSERT INTO links_out VALUES ('ledger', ?, ?)", (number, packed))
        yield {"payment": payment, "ledger": ledger}


def test_payments_on_a_link_are_known_by_messages_and_by_lines_for_observers(cells: dict[str, SqliteSession]) -> None:
    """A backup under load holds many of them, and is no broken one."""
    assert between(cells) == {"P1-00", "P2-00"}


def test_what_the_other_cell_has_taken_is_not_between_them(cells: dict[str, SqliteSession]) -> None:
    """Though it stays on the link until that is acknowledged: it excuses nothing any more."""
    cells["ledger"].write("INSERT INTO links_state (peer, last_out, last_in) VALUES ('payment', 0, 1)")
    assert between(cells) == {"P2-00"}
