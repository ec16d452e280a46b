"""Messages made up from their own declaration, so that reactions can be asked what they would do. Nothing is sent.

A reaction is a function of its event. Fed with a made-up one it tells which command it makes, and whether it makes
any: that is how a chain is followed here, rather than from a list that somebody keeps.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from types import UnionType
from typing import Any, Final

from actors.directory.reaction import On
from actors.messaging.message import Message
from actors.vocabulary.money import Money
from actors.vocabulary.offers import REFUND
from actors.vocabulary.order import Creditor, PaymentFacts, PaymentOrder, RefundOf
from actors.vocabulary.reason import NARRATIVE, Reason

M = typing.TypeVar("M", bound=Message)

PAYMENT_ID: Final = "P0-00"
ENDINGS: Final = ("rejected", "cancelled")  # what an undone payment becomes, as its messages carry it
BEGINNING: Final = datetime(2030, 1, 1, tzinfo=UTC)


def order(workflow: str, flow: str, **facts: Any) -> PaymentOrder:
    """An order like any other."""
    known: dict[str, Any] = {
        "payment_id": PAYMENT_ID,
        "idempotency_key": "key",
        "debtor_account": "ACC-1",
        "creditor": Creditor(name="Somebody", account="ACC-2", country="NL"),
        "amount": Money(1250, "EUR"),
        "end_to_end_id": "E2E",
        "uetr": "00000000-0000-4000-8000-000000000000",
        "remittance": "",
        "flow": flow,
        "workflow": workflow,
        "workflow_version": 1,
        "batch_id": None,
        "created_at": BEGINNING,
    }
    known |= facts
    if workflow == REFUND:
        known["refund"] = RefundOf(
            payment_id="P1-00", amount=known["amount"], created_at=BEGINNING, until=BEGINNING,
            reason=Reason(NARRATIVE, "made up"),
        )  # fmt: skip
    return PaymentOrder(**known)


def example(cls: type[M], of: PaymentOrder, **known: Any) -> M:
    """One message of a class, its fields filled by their types; those named in `known` as they are given."""
    made = {
        "order": of,
        "facts": PaymentFacts(order=of, debit_id=of.payment_id, screening_id=of.payment_id),
        "reason": Reason(NARRATIVE, "made up"),
        "payment_id": of.payment_id,
    } | known
    anything: Any = cls
    hints = _hints(anything)
    return cls(**{each.name: _value(each, hints[each.name], made, of) for each in fields(cls)})


def variants(cls: type[Message], of: PaymentOrder, **known: Any) -> Iterator[Message]:
    """Every example that a reaction might tell apart: one for each ending, where the message carries one."""
    if "ending" in {each.name for each in fields(cls)} and "ending" not in known:
        for ending in ENDINGS:
            yield example(cls, of, **known, ending=ending)
    else:
        yield example(cls, of, **known)


def made(on: On, event: Message) -> Message | None:
    """What a reaction makes of an event; None where it does nothing."""
    return on.make(event)


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _value(field: Any, hint: Any, known: dict[str, Any], of: PaymentOrder) -> Any:
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, UnionType) else (hint,)
    if field.name in known and any(_fits(known[field.name], kind) for kind in kinds):
        return known[field.name]
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    if type(None) in kinds:
        return None
    plain = {
        str: of.payment_id, int: 1, bool: False, float: 1.0, Money: of.amount, datetime: BEGINNING,
        timedelta: timedelta(minutes=1), Reason: known["reason"], PaymentOrder: of, PaymentFacts: known["facts"],
        Creditor: of.creditor,
    }  # fmt: skip
    kind = typing.get_origin(kinds[0]) or kinds[0]
    return plain[kind] if kind in plain else kind()


def _fits(value: Any, kind: Any) -> bool:
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and isinstance(value, origin)
