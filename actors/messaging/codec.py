"""Messages to and from msgpack arrays, by functions built once per class; no pickle, no class lookups by path.

A dataclass becomes the array of its fields in order. Fields may be added at a class's end with a default:
an older array then decodes with that default. Any other change of a message gives it a new name, or a new
`codec_version` (which becomes part of its name), and says by `upcast` what the old one means today.

Source: docs/design/0013-upgrades.md.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgpack

from actors.messaging.envelope import Envelope
from actors.messaging.message import Message

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
CHECKED = (str, int, float, bool, bytes)  # whose values are held against them
PLAIN = (str, int, float, bool, bytes, type(None), Any)

_last = (EPOCH, 0)

SHORTEST_ENVELOPE = 12  # fields of an envelope in the first release; later ones were added at the end, with a default
UPCASTS_AT_MOST = 32  # from one old name to the next; more would be a circle

Upcaster = Callable[[list[Any]], tuple[str, list[Any]]]

type_names: dict[str, type[Message]] = {}
_wired: dict[str, type[Message]] = {}  # by the name that travels
_wire_names: dict[type, str] = {}
_upcasters: dict[str, Upcaster] = {}
_encoders: dict[type, Callable[[Any], list[Any]]] = {}
_decoders: dict[type, Callable[[list[Any]], Any]] = {}


class CannotDecode(ValueError):
    """Bytes that are no message this system knows; the text says which part."""


class DuplicateMessageName(TypeError):
    """Two message classes share a name; names are what the wire and the log know them by."""


def micros(moment: datetime) -> int:
    """Microseconds since 1970, UTC: how moments are stored and sent."""
    global _last  # noqa: PLW0603  # a turn has one moment and asks for it thousands of times
    if moment is not _last[0]:
        _last = (moment, (moment - EPOCH) // _MICROSECOND)
    return _last[1]


def moment(microseconds: int) -> datetime:
    """The inverse of `micros`."""
    return EPOCH + timedelta(microseconds=microseconds)


def register(*classes: type[Message]) -> None:
    """Make message classes known to the codec. Registering a class again changes nothing.

    Raises:
        DuplicateMessageName: another class already has this name.
    """
    for cls in classes:
        known = type_names.setdefault(cls.__name__, cls)
        if known is not cls:
            raise DuplicateMessageName(f"{cls.__module__} and {known.__module__} both define {cls.__name__}")
        if wire_name(cls) in _upcasters:
            raise DuplicateMessageName(f"{wire_name(cls)} is an old name, which is read as something else")
        _build(cls)
        _wired[wire_name(cls)] = cls


def register_module(module: types.ModuleType) -> None:
    """Register every message class that `module` itself defines."""
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Message) and value.__module__ == module.__name__:
            register(value)


def wire_name(cls: type[Message]) -> str:
    """The name under which a class's messages travel and are stored: `Name`, from its second version on `Name/2`."""
    version = getattr(cls, "codec_version", 1)
    return cls.__name__ if version == 1 else f"{cls.__name__}/{version}"


def upcast(old_name: str, to: Upcaster) -> None:
    """Read what was stored under `old_name` as what it means today: `to` makes from its fields a newer name and fields.

    For a message that was renamed, removed or changed in another way than by a field at its end; stands beside the
    class that took its place. `to` may name another old one: upcasters form a chain, each written once and left alone.

    Raises:
        DuplicateMessageName: a class has that name now, or it has an upcaster already.
    """
    if old_name in _wired or _upcasters.setdefault(old_name, to) is not to:
        raise DuplicateMessageName(f"{old_name} is still a message's name, or has an upcaster already")


def is_old_name(name: str) -> bool:
    """Whether messages of this name are only read, from what an earlier version has stored."""
    return name in _upcasters


def class_called(name: str) -> type[Message] | None:
    """The class whose messages travel under this name today."""
    return _wired.get(name)


def to_fields(message: Message) -> list[Any]:
    """The message's fields as what msgpack can pack."""
    return _encoders[type(message)](message)


def from_fields(name: str, fields: list[Any]) -> Message:
    """A message from its class's name and its fields.

    Raises:
        CannotDecode: no such class, or its fields don't fit it.
    """
    cls = _wired.get(name)
    if cls is None:
        name, fields = _upcast(name, fields)
        cls = _wired[name]
    try:
        message: Message = _decoders[cls](fields)
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise CannotDecode(f"these are not the fields of a {name}: {error}") from error
    return message


def _upcast(name: str, fields: list[Any]) -> tuple[str, list[Any]]:
    old_name = name
    for _ in range(UPCASTS_AT_MOST):
        upcaster = _upcasters.get(name)
        if upcaster is None:
            raise CannotDecode(f"no message is called {name!r}")
        try:
            name, fields = upcaster(fields)
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
            raise CannotDecode(f"these are not the fields of a {name}: {error}") from error
        if name in _wired:
            return name, fields
    raise CannotDecode(f"the upcasters of {old_name!r} lead in a circle")


def encode(message: Message) -> bytes:
    """One message with its name as bytes."""
    return pack(_pair_of(message))


def decode(data: bytes) -> Message:
    """The inverse of `encode`.

    Raises:
        CannotDecode: `data` is not one encoded message.
    """
    name, fields = _pair(unpack(data))
    return from_fields(name, fields)


def pack(value: Any) -> bytes:
    """Plain values, messages (as their name and fields) and lists and tuples of them, so envelopes too, as bytes."""
    packed: bytes = _pack(value)
    return packed


def unpack(data: bytes) -> Any:
    """The inverse of `pack`.

    Raises:
        CannotDecode: `data` is not msgpack.
    """
    try:
        return msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:  # TypeError: a list as a map's key
        raise CannotDecode(f"not msgpack: {error}") from error


def _pair_of(message: Any) -> tuple[str, list[Any]]:
    cls = type(message)
    return _wire_names[cls], _encoders[cls](message)


# One packer for all calls: making one costs as much as packing a small message. It asks `_pair_of` for what it
# does not know, which are messages.
_pack = msgpack.Packer(default=_pair_of).pack


def envelope_fields(envelope: Envelope) -> list[Any]:
    """The envelope as plain values: its header with, in the message's place, name and fields."""
    message = envelope.message
    cls = type(message)
    header: list[Any] = list(envelope)
    header[1] = (_wire_names[cls], _encoders[cls](message))
    return header


def envelope_from(values: Any) -> Envelope:
    """The inverse of `envelope_fields`.

    Raises:
        CannotDecode: `values` is not an envelope, or its message is unknown.
    """
    if type(values) is not list or len(values) != len(Envelope._fields):
        values = _with_defaults(values)
    if tuple(map(type, values)) != _HEADER:
        raise CannotDecode("an envelope's header is text, but for attempt and slot")
    name, fields = _pair(values[1])
    return Envelope(values[0], from_fields(name, fields), *values[2:])


def _with_defaults(values: Any) -> list[Any]:
    """An envelope that was stored before its header got its newest fields, with these fields' defaults."""
    if type(values) is list and SHORTEST_ENVELOPE <= len(values) < len(Envelope._fields):
        return values + [Envelope._field_defaults[field] for field in Envelope._fields[len(values) :]]
    raise CannotDecode("an envelope has " + ", ".join(Envelope._fields))


_HEADER = tuple({"message": list, "attempt": int, "slot": int}.get(field, str) for field in Envelope._fields)


def _pair(value: Any) -> tuple[str, list[Any]]:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], list):
        return value[0], value[1]
    raise CannotDecode("a message is its name and the array of its fields")


def _build(cls: type[Any]) -> None:
    """Write, compile and keep the two functions for a dataclass and for those nested in it."""
    if cls in _encoders:
        return
    hints = typing.get_type_hints(cls)
    names: dict[str, Any] = {"cls": cls}
    reads, writes = [], []
    fields = dataclasses.fields(cls)
    required = 0
    for at, field in enumerate(fields):
        reads.append(_encoding(hints[field.name], f"m.{field.name}", names))
        checked = _decoding(hints[field.name], f"v[{at}]", names)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required = at + 1
        writes.append(f"{field.name}={checked}")
    source = f"def encode(m): return [{', '.join(reads)}]\n"
    source += f"def decode_whole(v): return cls({', '.join(writes)})\n"
    exec(source, names)  # the text above comes from our own class definitions alone
    whole, count = names["decode_whole"], len(fields)

    def decode(values: list[Any]) -> Any:
        if type(values) is not list:
            raise TypeError(f"a {cls.__name__} is an array")
        if len(values) == count:
            return whole(values)
        if not required <= len(values) < count:
            raise ValueError(f"{len(values)} fields instead of {count}")
        filled = list(values)
        for field in fields[len(values) :]:
            factory = field.default_factory
            default = field.default if factory is dataclasses.MISSING else factory()
            filled.append(_encode_value(hints[field.name], default))
        return whole(filled)

    _encoders[cls] = names["encode"]
    _decoders[cls] = decode
    _wire_names[cls] = wire_name(cls)


def _encode_value(hint: Any, value: Any) -> Any:
    names: dict[str, Any] = {"value": value}
    return eval(_encoding(hint, "value", names), names)  # our own class definitions again


def _encoding(hint: Any, value: str, names: dict[str, Any]) -> str:
    hint, optional = _without_none(hint)
    text = _encoding_of(hint, value, names)
    return f"(None if {value} is None else {text})" if optional and text != value else text


def _encoding_of(hint: Any, value: str, names: dict[str, Any]) -> str:
    if hint is datetime:
        names["micros"] = micros
        return f"micros({value})"
    if hint is timedelta:
        names["microsecond"] = _MICROSECOND
        return f"{value} // microsecond"
    if hint is date:
        return f"{value}.isoformat()"
    if dataclasses.is_dataclass(hint):
        return f"{_nested(hint, _encoders, 'enc', names)}({value})"
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        inner = _encoding(item, "x", names)
        return value if inner == "x" else f"[{inner} for x in {value}]"
    _must_be_plain(hint)
    return value


def _decoding(hint: Any, value: str, names: dict[str, Any]) -> str:
    hint, optional = _without_none(hint)
    text = _decoding_of(hint, value, names)
    return f"(None if {value} is None else {text})" if optional and text != value else text


# How a value of each of these is read: the name of what reads it, that itself, and the call.
_READ: dict[Any, tuple[str, Any, str]] = {
    datetime: ("moment", moment, "moment({})"),
    timedelta: ("timedelta", timedelta, "timedelta(microseconds={})"),
    date: ("date", date, "date.fromisoformat({})"),
}


def _decoding_of(hint: Any, value: str, names: dict[str, Any]) -> str:
    if hint in _READ:
        name, reader, call = _READ[hint]
        names[name] = reader
        return call.format(value)
    if dataclasses.is_dataclass(hint):
        return f"{_nested(hint, _decoders, 'dec', names)}({value})"
    if typing.get_origin(hint) is tuple:
        names["several"] = _several
        inner = _decoding(typing.get_args(hint)[0], "x", names)
        return f"tuple(several({value}))" if inner == "x" else f"tuple([{inner} for x in several({value})])"
    _must_be_plain(hint)
    if hint not in CHECKED:
        return value
    # The type itself, not a kind of it: what claims to be a number of cents may not be True, 12.5 or NaN.
    names["wrong"] = _wrong
    return f"({value} if type({value}) is {hint.__name__} else wrong({value}, {hint.__name__!r}))"


def _wrong(value: Any, wanted: str) -> Any:
    if wanted == "float" and type(value) is int:
        return float(value)
    raise TypeError(f"{type(value).__name__} where {wanted} is wanted")


def _several(value: Any) -> Any:
    if type(value) not in (list, tuple):
        raise TypeError(f"{type(value).__name__} where an array is wanted")
    return value


def _nested(cls: Any, built: dict[type, Any], prefix: str, names: dict[str, Any]) -> str:
    _build(cls)
    name = f"{prefix}_{cls.__name__}"
    names[name] = built[cls]
    return name


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        others = [part for part in typing.get_args(hint) if part is not type(None)]
        if len(others) == 1:
            return others[0], True
        raise TypeError(f"a field is one type, or that type or None, not {hint}")
    return hint, False


def _must_be_plain(hint: Any) -> None:
    origin = typing.get_origin(hint)
    if hint in PLAIN or origin in (typing.Literal, dict):
        return
    raise TypeError(f"the codec has no rule for a field of type {hint}")
