"""One sample of every message ever released, as it is stored, a file a release; and how samples are made and read.

Each line of `<version>.jsonl` is one stored thing: `stored` says where such bytes stand, `type` names the message,
`hex` are the bytes, `means` is what they meant when they were written. Lines are only ever added: of two with the same
bytes the newer release's says what they mean today, which differs where a message has an upcaster.
`python -m tests.contract.released_messages` adds those that are missing to the file of the version in setup.cfg.
"""

from __future__ import annotations

import configparser
import dataclasses
import json
import types
import typing
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from actors import assembly
from actors.disbursement import model as disbursement
from actors.disbursement.messages import SubmitPayment
from actors.ledger.messages import AccountDebited, DebitAccount
from actors.messaging import codec
from actors.messaging.envelope import Envelope
from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.notification.messages import MailTaken, SendMail
from actors.payment import store as sagas
from actors.payment.messages import StepTimedOut
from actors.payment.model import State
from actors.vocabulary.money import Money

FOLDER = Path(__file__).parent
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC)
CURRENCY = "EUR"
UNDER_WAY: tuple[type[Message], ...] = (DebitAccount, AccountDebited, Failed, StepTimedOut, SendMail, MailTaken)

Sample = dict[str, Any]


# What samples hold


def value_of(hint: Any, name: str) -> Any:
    """A value that a field of this name and type may have; the same one in every run, and never the default None."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return value_of(next(part for part in parts if part is not type(None)), name)
    if origin is tuple:
        return (value_of(parts[0], name),)
    if origin is typing.Literal:
        return parts[0]
    if origin is dict:
        return {value_of(parts[0], name): value_of(parts[1], name)}
    if dataclasses.is_dataclass(hint) or hasattr(hint, "_fields"):
        return sample_of(typing.cast("type[Any]", hint))
    plain: dict[Any, Any] = {
        str: CURRENCY if name == "currency" else f"{name} ä",
        int: 1_234_567 + len(name),
        float: 1.25,
        bool: True,
        bytes: name.encode(),
        datetime: NOW,
        date: NOW.date(),
        timedelta: timedelta(days=1, microseconds=len(name)),
        Any: name,
    }
    return plain[hint]


def sample_of(cls: type[Any]) -> Any:
    """One instance of a dataclass or a named tuple with every field set."""
    if cls is Money:
        return Money(1_234, CURRENCY)
    return cls(
        **{name: value_of(hint, name) for name, hint in typing.get_type_hints(cls).items() if not _is_shared(hint)}
    )


def _is_shared(hint: Any) -> bool:
    """A class variable, which no instance holds."""
    return typing.get_origin(hint) is typing.ClassVar or hint is typing.ClassVar


def envelope_of(message: Message) -> Envelope:
    """The message under way, with every field of the header set."""
    return Envelope(
        message_id="cell-0/7",
        message=message,
        kind="command",
        sender="payment/p-1",
        target="ledger",
        payment_id="p-1",
        causation_id="cell-0/6",
        attempt=2,
        flow="orchestrated",
        workflow="debit-first",
        trace="t-1",
        slot=5,
    )


def order() -> SubmitPayment:
    """The order whose digest is kept under a claimed key."""
    message: SubmitPayment = sample_of(SubmitPayment)
    return message


# Where bytes that outlive a program stand, and how each is read


def _line(data: bytes) -> Any:
    offset, progress, receivers, envelope = codec.unpack(data)
    return [offset, progress, receivers, codec.envelope_from(envelope)]


def _state(data: bytes) -> Any:
    return sagas._unpacked(codec.unpack(data))


READ: dict[str, Callable[[bytes], Any]] = {
    # orders.start, sagas.start, executions.command, a held review's facts
    "message": codec.decode,
    # links_out, outbox, parked, dead_letters, dropped_letters, timers
    "envelope": lambda data: codec.envelope_from(codec.unpack(data)),
    # log_parts.lines holds a list of these
    "log line": _line,
    # sagas.unusual
    "saga": _state,
    # claims.digest, which is compared and never read
    "digest": lambda data: data,
}


def present() -> Iterator[Sample]:
    """A sample of everything that the program at hand stores."""
    assembly.load_messages()
    for name in sorted(codec.type_names):
        cls = codec.type_names[name]
        if not cls.__module__.startswith("actors.") or not cls.__module__.endswith("messages"):
            continue  # a test's own, or one that no process writes down
        yield _sample("message", codec.wire_name(cls), codec.encode(sample_of(cls)))
    for cls in UNDER_WAY:  # an envelope is the same round every message: one of each kind is enough
        message = sample_of(cls)
        yield _sample("envelope", codec.wire_name(cls), codec.pack(envelope_of(message)))
        line = (7, cls.progress, ("ledger", "tracker"), envelope_of(message))
        yield _sample("log line", codec.wire_name(cls), codec.pack(line))
    yield _sample("saga", "State", codec.pack(sagas._packed(_unusual_state())))
    yield _sample("digest", "SubmitPayment", disbursement.digest(order()))


def _unusual_state() -> State:
    hints = typing.get_type_hints(State)
    values = {field: value_of(hints[field], field) for field in State._field_defaults}
    return State(order=None, phase="running", step=1, attempt=1, **values)  # type: ignore[arg-type]  # stored elsewhere


def _sample(stored: str, type_: str, data: bytes) -> Sample:
    return {"stored": stored, "type": type_, "hex": data.hex(), "means": meaning(READ[stored](data))}


def meaning(value: Any) -> Any:
    """A decoded value as JSON that says every field by name."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):  # an envelope, a branch of a saga
        return {"": type(value).__name__, **{name: meaning(field) for name, field in value._asdict().items()}}
    if dataclasses.is_dataclass(value):
        fields = {each.name: meaning(getattr(value, each.name)) for each in dataclasses.fields(value)}
        return {"": type(value).__name__, **fields}
    if isinstance(value, dict):
        return {str(key): meaning(item) for key, item in value.items()}
    for kind, said in _SAID.items():
        if isinstance(value, kind):
            return said(value)
    return value


_SAID: dict[Any, Callable[[Any], Any]] = {
    (list, tuple): lambda values: [meaning(item) for item in values],
    bytes: bytes.hex,
    (datetime, date): lambda moment: moment.isoformat(),
    timedelta: lambda span: span // timedelta(microseconds=1),
}


def still_means(now: Any, then: Any) -> bool:
    """Whether what is read now says all that was meant then; fields that came later don't count."""
    if isinstance(then, dict) and isinstance(now, dict):
        return all(key in now and still_means(now[key], value) for key, value in then.items())
    if isinstance(then, list) and isinstance(now, dict):  # a named tuple, of which once no names were kept
        fields = [value for name, value in now.items() if name]
        return len(fields) >= len(then) and all(map(still_means, fields, then))
    if isinstance(then, list) and isinstance(now, list):
        return len(now) == len(then) and all(map(still_means, now, then))
    return bool(now == then)


# The files


def version() -> str:
    """The version that is being made or was made last."""
    setup = configparser.ConfigParser()
    setup.read(FOLDER.parents[2] / "setup.cfg", encoding="utf-8")
    return setup["metadata"]["version"]


def files() -> list[Path]:
    """The files of every release, the oldest first."""
    return sorted(FOLDER.glob("*.jsonl"), key=lambda path: [int(part) for part in path.stem.split(".")])


def samples(path: Path) -> list[Sample]:
    """What one release has stored."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def today() -> dict[tuple[str, str], Sample]:
    """Every sample ever, by where it stands and its bytes: the newest word on each."""
    return {(each["stored"], each["hex"]): each for path in files() for each in samples(path)}


def missing() -> list[Sample]:
    """What the newest release's file lacks: samples of what the program at hand stores, and what upcasters say."""
    path = FOLDER / f"{version()}.jsonl"
    known = {(each["stored"], each["hex"]) for each in (samples(path) if path.exists() else [])}
    wanted = list(present())
    for each in today().values():
        if codec.is_old_name(each["type"]):
            wanted.append(_sample(each["stored"], each["type"], bytes.fromhex(each["hex"])))
    return [each for each in wanted if (each["stored"], each["hex"]) not in known]


def add_missing() -> int:
    """Append them; the number of lines added."""
    found = missing()
    with open(FOLDER / f"{version()}.jsonl", "a", encoding="utf-8") as file:
        for each in found:
            file.write(json.dumps(each, ensure_ascii=False, sort_keys=True) + "\n")
    return len(found)
