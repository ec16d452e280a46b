"""The codec: every message class there is goes onto the wire and comes back; garbage does nothing worse than fail."""

from __future__ import annotations

import dataclasses
import types
import typing
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import assembly
from actors.disbursement.messages import SubmitPayment
from actors.messaging import codec
from actors.messaging.codec import (
    CannotDecode,
    DuplicateMessageName,
    decode,
    encode,
    envelope_fields,
    envelope_from,
    from_fields,
    micros,
    moment,
    pack,
    register,
    to_fields,
    unpack,
)
from actors.messaging.envelope import Envelope
from actors.messaging.message import Command, Message
from actors.vocabulary.money import Money

assembly.load_messages()
EVERY_CLASS = sorted(codec.type_names.values(), key=lambda cls: cls.__name__)

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(max_size=8)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: NUMBERS,
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=8),
    datetime: MOMENTS,
    date: st.dates(),
    timedelta: st.timedeltas(timedelta(days=-99_999), timedelta(days=99_999)),
    Any: st.none() | NUMBERS | TEXTS,
}


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field of this type."""
    if hint in PLAIN:
        return PLAIN[hint]
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([st.none() if part is type(None) else of_type(part) for part in parts])
    if origin is tuple:
        return st.lists(of_type(parts[0]), max_size=3).map(tuple)
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin is dict:
        return st.dictionaries(of_type(parts[0]), of_type(parts[1]), max_size=3)
    assert dataclasses.is_dataclass(hint), f"how are values of {hint} made?"
    return instances(hint)


def instances(cls: Any) -> st.SearchStrategy[Any]:
    """Instances of a dataclass with whatever its fields may hold; those that it refuses itself are left out."""
    hints = typing.get_type_hints(cls)
    values = {each.name: of_type(hints[each.name]) for each in dataclasses.fields(cls)}

    def made(given: dict[str, Any]) -> Any:
        try:
            return cls(**given)
        except (ValueError, TypeError):
            return None

    return st.fixed_dictionaries(values).map(made).filter(lambda instance: instance is not None)


MESSAGES = st.sampled_from(EVERY_CLASS).flatmap(instances)
GARBAGE = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | TEXTS | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=12,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave(Command):
    """As it was written by an older program, but for the fields below."""

    hand: str
    times: int = 1
    to: tuple[str, ...] = ()
    after: timedelta = timedelta(seconds=2)
    until: date | None = None


register(Wave)


def test_there_are_messages_to_test() -> None:
    """A list that came out empty would prove nothing."""
    assert len(EVERY_CLASS) > 60


@pytest.mark.parametrize("cls", EVERY_CLASS, ids=lambda cls: cls.__name__)
def test_every_message_comes_back_as_it_was(cls: type[Message]) -> None:
    """Whatever its fields hold: a message that can't travel would be found by a payment."""

    @settings(max_examples=12, deadline=None)
    @given(instances(cls))
    def comes_back(message: Message) -> None:
        assert decode(encode(message)) == message

    comes_back()


@pytest.mark.parametrize("cls", EVERY_CLASS, ids=lambda cls: cls.__name__)
def test_every_message_can_be_read_by_a_program_that_added_fields_to_it(cls: type[Message]) -> None:
    """Trailing fields with defaults may be missing: stores and peers may be older than the program."""
    fields = dataclasses.fields(cls)
    optional = 0
    for each in reversed(fields):
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            break
        optional += 1

    @settings(max_examples=4, deadline=None)
    @given(instances(cls))
    def comes_back(message: Message) -> None:
        values = unpack(pack(to_fields(message)))
        for missing in range(1, optional + 1):
            read = from_fields(cls.__name__, values[: len(values) - missing])
            for each in fields[: len(fields) - missing]:
                assert getattr(read, each.name) == getattr(message, each.name)

    comes_back()


def test_a_field_that_an_older_program_did_not_know_gets_its_default() -> None:
    """Of every kind that needs encoding, too."""
    assert from_fields("Wave", ["left"]) == Wave(hand="left")
    assert from_fields("Wave", ["left", 3, ["Ann"]]) == Wave(hand="left", times=3, to=("Ann",))


@pytest.mark.parametrize("fields", [[], ["left", 1, [], 0, None, "more"]])
def test_too_few_or_too_many_fields_are_refused(fields: list[Any]) -> None:
    """A newer program's message isn't cut to what this one knows."""
    with pytest.raises(CannotDecode, match="fields of a Wave"):
        from_fields("Wave", fields)


def test_an_unknown_name_is_refused_by_name() -> None:
    """Whoever reads the log sees what was sent."""
    with pytest.raises(CannotDecode, match="'Nonesuch'"):
        from_fields("Nonesuch", [])


@given(st.binary(max_size=64))
def test_bytes_that_are_no_message_are_refused_and_nothing_else(data: bytes) -> None:
    """What comes from outside can't end the process."""
    for read in (decode, lambda data: envelope_from(unpack(data))):
        with suppress(CannotDecode):
            read(data)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(EVERY_CLASS), st.data())
def test_garbage_for_fields_is_refused_and_nothing_else(cls: type[Message], data: st.DataObject) -> None:
    """Of the right number, so that it is looked into."""
    count = len(dataclasses.fields(cls))
    fields = data.draw(st.lists(GARBAGE, min_size=count, max_size=count))
    with suppress(CannotDecode):
        decode(msgpack.packb([cls.__name__, fields]))


@settings(max_examples=200, deadline=None)
@given(st.lists(GARBAGE, min_size=len(Envelope._fields), max_size=len(Envelope._fields)) | GARBAGE)
def test_garbage_for_an_envelope_is_refused_and_nothing_else(values: Any) -> None:
    """The gateway passes on what a client sent without looking into it."""
    with pytest.raises(CannotDecode):
        envelope_from(values)


@settings(max_examples=100, deadline=None)
@given(
    MESSAGES,
    st.fixed_dictionaries(
        {name: NUMBERS if name in ("attempt", "slot") else TEXTS for name in Envelope._fields if name != "message"}
    ),
)
def test_an_envelope_comes_back_as_it_was(message: Message, header: dict[str, Any]) -> None:
    """By itself, and as part of something larger."""
    envelope = Envelope(message=message, **header)
    assert envelope_from(unpack(pack(envelope_fields(envelope)))) == envelope
    assert envelope_from(unpack(pack(envelope))) == envelope
    assert envelope_from(unpack(pack([7, envelope]))[1]) == envelope


@pytest.mark.parametrize("field", [name for name in Envelope._fields if name != "message"])
def test_an_envelope_whose_header_is_of_another_type_is_refused(field: str) -> None:
    """A header is trusted by everything behind it."""
    values = unpack(pack(envelope_fields(Envelope("m-1", Wave(hand="left"), "command", "a", "b"))))
    values[Envelope._fields.index(field)] = ["odd"]
    with pytest.raises(CannotDecode, match="header"):
        envelope_from(values)


@given(MOMENTS)
def test_a_moment_survives_as_microseconds(at: datetime) -> None:
    """To the last of them."""
    assert moment(micros(at)) == at


def test_two_classes_of_one_name_are_refused() -> None:
    """The name is all that the wire knows."""
    register(Wave)  # a class may be registered again
    with pytest.raises(DuplicateMessageName, match="Wave"):
        register(dataclass(frozen=True)(type("Wave", (Command,), {"__module__": "elsewhere"})))


@pytest.mark.parametrize("hint", [Decimal, "str | int", "list[str]"])
def test_a_field_without_a_rule_is_found_when_its_class_is_registered(hint: Any) -> None:
    """Not when the first payment sends it."""
    odd = dataclasses.make_dataclass("Odd", [("field", hint)], bases=(Command,), frozen=True)
    with pytest.raises(TypeError):
        register(odd)
    codec.type_names.pop("Odd", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", [True, "EUR"]), ("amount", [12.5, "EUR"]), ("amount", [float("nan"), "EUR"]), ("amount", ["1", "EUR"]),
     ("remittance", []), ("remittance", {}), ("remittance", None), ("debtor_account", 7), ("wait_for", "abc"),
     ("wait_for", [[1]]), ("creditor_country", 5)],
)  # fmt: skip
def test_a_field_of_another_type_is_refused_before_any_actor_sees_it(field: str, value: object) -> None:
    """What claims to be a number of cents is one; the rest of the house need not ask."""
    order = SubmitPayment(
        idempotency_key="k", debtor_account="A", creditor_name="N", creditor_account="C", amount=Money(1, "EUR")
    )
    fields = dict(zip((each.name for each in dataclasses.fields(order)), codec.to_fields(order), strict=True))
    fields[field] = value
    with pytest.raises(CannotDecode, match="not the fields of a SubmitPayment"):
        codec.from_fields("SubmitPayment", list(fields.values()))
