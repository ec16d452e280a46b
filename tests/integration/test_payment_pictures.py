"""Pictures of real payments: whatever became of one, in either flow, its path and its sequence say it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from actors import assembly
from actors.admin.reading import Reading
from actors.pictures import sequence
from actors.pictures.payment import payment_diagram
from tests.fakes.bank import DOUBTFUL, Bank, Way

ENDS = {"good": "completed", "refused": "rejected", "silent": "needs_attention", "cancelled": "cancelled"}


@pytest.fixture(scope="module", params=["orchestrated", "choreographed"])
def payments(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One payment of each kind, as `payment ID --json` has it."""
    data: Path = tmp_path_factory.mktemp(request.param)
    with Bank(data, Way(request.param, "debit-first")) as bank:
        bank.open_account()
        ids = {
            "good": bank.pay(),
            "refused": bank.pay("TEST-REJECT-AC04"),
            "silent": bank.pay("TEST-SILENT"),
            "cancelled": bank.pay(name=DOUBTFUL),
        }
        bank.rest()
        bank.cancel(ids["cancelled"])
        bank.pass_time(90)
    reading = Reading.open(data)
    try:
        yield {name: reading.payment(payment_id) for name, payment_id in ids.items()}
    finally:
        reading.close()


@pytest.mark.parametrize("name", ENDS)
def test_a_path_says_where_the_payment_stands_and_how_it_came_there(name: str, payments: dict[str, Any]) -> None:
    """What was done is marked, what was undone too, and the rest is shown as not reached."""
    payment = payments[name]
    for format in ("text", "mermaid", "svg"):
        drawn = payment_diagram(payment, assembly.reactions(), "path", format)
        assert ENDS[name].replace("_", " ") in drawn
        assert "DebitAccount" in drawn
        assert payment["timeline"][0]["at"][11:22] in drawn
    text = payment_diagram(payment, assembly.reactions(), "path", "text")
    assert ("↩" in text.rpartition("now:")[0]) == (name in ("refused", "cancelled"))
    if payment["flow"] == "orchestrated":
        assert ("not reached" in text.rpartition("now:")[0]) == (name != "good")
        assert ("▶ execute-payment" in text) == (name == "silent")


@pytest.mark.parametrize("name", ENDS)
def test_a_sequence_has_every_message_once_for_each_receiver(name: str, payments: dict[str, Any]) -> None:
    """Commands solid, events dashed, compensations marked, in the order of the timeline."""
    payment = payments[name]
    text = payment_diagram(payment, assembly.reactions(), "sequence", "text").splitlines()
    said = [(entry["type"], receiver) for entry in payment["timeline"] for receiver in entry["receiver"].split(", ")]
    lines = text[2:-2]
    assert len(lines) == len(said)
    for line, (type, _), kind in zip(
        lines, said, [e["kind"] for e in payment["timeline"] for _ in e["receiver"].split(", ")], strict=True
    ):
        assert type in line
        assert ("╌╌▷" in line) == (kind == "event")
        assert ("↩" in line) == (type in ("VoidDebit", "DebitVoided", "CloseReview", "ReviewClosed"))
    drawn = ElementTree.fromstring(payment_diagram(payment, assembly.reactions(), "sequence", "svg"))
    texts = [each.text or "" for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert sum(any(type in each for each in texts) for type, _ in said) == len(said)
    mermaid = payment_diagram(payment, assembly.reactions(), "sequence", "mermaid")
    assert mermaid.count("->>") == len(said)


def test_what_a_payment_did_not_meet_is_faint_in_its_picture(payments: dict[str, Any]) -> None:
    """The whole workflow stays visible, so that one sees what might have been."""
    good, refused = (
        payment_diagram(payments[name], assembly.reactions(), "path", "svg") for name in ("good", "refused")
    )
    assert 0 < good.count("opacity") < good.count("<text")
    assert 0 < refused.count("opacity") < refused.count("<text")
    assert "ExecutionRejected" in good


def test_actors_are_called_what_a_reader_calls_them() -> None:
    """Nobody knows a saga by its id or a person by a connection's."""
    assert [sequence.participant(name) for name in ("payment/P1-00", "client/1/1", "outbox/rail", "ledger")] == [
        "saga", "a person", "rail", "ledger",
    ]  # fmt: skip
