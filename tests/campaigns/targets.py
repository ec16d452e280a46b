"""What is fuzzed: every decoder of bytes or text that comes from outside, each with what it may answer bad input with.

A target takes any bytes. It returns, or raises `Finding`: an exception that is not the decoder's own documented one.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from actors import assembly
from actors.admin.account_files import read_accounts
from actors.admin.command import CommandFailed
from actors.aml.watchlist import BadWatchlist, read_watchlist
from actors.disbursement.files import BadOrderFile, read_orders
from actors.disbursement.messages import SubmitPayment
from actors.gateway.protocol import HELLO, SEND, Incoming, packet
from actors.gateway.routing import Routing
from actors.gateway.server import CONTAINERS
from actors.ledger.messages import OpenAccount
from actors.messaging import codec
from actors.messaging.codec import CannotDecode
from actors.messaging.envelope import COMMAND, Envelope
from actors.messaging.frames import GATEWAY, LINK, pack_frame, unpack_frame
from actors.runtime.processes import recorded
from actors.runtime.signing import DATA, FrameBuffer, FrameHeader, FrameRefused, seal
from actors.store.placement import FORMAT, recorded_placement, spread
from actors.store.session import StoreRefused
from actors.vocabulary.money import BadAmount, Money, parse_money
from actors.vocabulary.slots import SLOTS, BadId, slot_in
from config.settings import CONFIG, EFFECTIVE, SAMPLES, BadSettings, effective_settings, read_settings

KEY: Final = b"k" * 32
HERE: Final = bytes(6)

assembly.load_messages()


class Finding(Exception):
    """A decoder answered bad input with something else than its own error."""


# Bytes


def message(data: bytes) -> None:
    """One message, as stored."""
    codec.decode(data)


def envelope(data: bytes) -> None:
    """An envelope, as stored and between cells."""
    codec.envelope_from(codec.unpack(data))


def frame(data: bytes) -> None:
    """What one process sends another, and the envelopes in it."""
    for fields in unpack_frame(data).envelopes:
        codec.envelope_from(fields)


def packets(data: bytes) -> None:
    """What a client sends, in pieces, and whether the cells may have it."""
    incoming, routing = Incoming(CONTAINERS), Routing(spread(2))
    client = routing.meet()
    for start in range(0, len(data), 97):
        incoming.feed(data[start : start + 97])
        while (values := incoming.packet()) is not None:
            if values[0] == SEND and len(values) == 2 and isinstance(values[1], list):
                routing.accept(client, values[1])


def signed(data: bytes) -> None:
    """Bytes on a port, in pieces: nobody without the key gets a frame through."""
    buffer = FrameBuffer(KEY, HERE, lambda header: None)
    at = 0
    while at < len(data) and not buffer.isDone():
        length = max(1, min(buffer.remainingAmount(), 61))
        buffer.addMore(data[at : at + length])
        at += length
    if buffer.isDone() and bytes(data[:at]) not in _TRULY_SIGNED:
        raise Finding("a frame that nobody has signed was taken")


def _signed_frames() -> frozenset[bytes]:
    header = FrameHeader(DATA, 5, bytes(6), HERE, 3, 7)
    return frozenset((seal(KEY, header, b"hello"), seal(KEY, FrameHeader(1, 0, bytes(6), HERE, 3, 7))))


_TRULY_SIGNED: Final = _signed_frames()


# Files


def _in_a_file(name: str, read: Callable[[Path], None]) -> Callable[[bytes], None]:
    memory = Path("/dev/shm")  # many thousand files a second
    folder = Path(tempfile.mkdtemp(prefix="paysaga-fuzz-", dir=memory if os.access(memory, os.W_OK) else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)

    def target(data: bytes) -> None:
        path.write_bytes(data)
        read(path)

    return target


def _orders(path: Path) -> None:
    for number, order in read_orders(path, flow="orchestrated"):
        if not (isinstance(number, int) and isinstance(order, SubmitPayment | str) and order):
            raise Finding(f"line {number} became {order!r}")
        if isinstance(order, SubmitPayment):
            codec.encode(order)  # what is taken can be sent


def _accounts(path: Path) -> None:
    for number, account in read_accounts(path):
        if not (isinstance(number, int) and isinstance(account, OpenAccount | str) and account):
            raise Finding(f"line {number} became {account!r}")
        if isinstance(account, OpenAccount):
            codec.encode(account)


def _watchlist(path: Path) -> None:
    read_watchlist(path)


def _settings(path: Path) -> None:
    read_settings(path)


def _one_setting(path: Path) -> None:
    text = path.read_text("utf-8", "replace")
    key, _, value = text.partition("=")
    read_settings(None, {key: value})


def _effective(path: Path) -> None:
    effective_settings(path.parent.parent)


def _partitions(path: Path) -> None:
    recorded_placement(path.parent)


def _processes(path: Path) -> None:
    recorded(path.parent.parent)


def words(data: bytes) -> None:
    """Amounts and ids as typed."""
    text = data.decode("utf-8", "replace")
    with suppress(BadId):
        slot_in(text)
    amount, _, currency = text.partition(" ")
    parse_money(amount, currency)


_SDN: Final = (
    b'36,"AEROCARIBBEAN AIRLINES",-0- ,"CUBA",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n'
    b'173,"ANGLO, CARIBBEAN",individual,"CUBA",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"DOB 1 Jan 1960; a.k.a. \'X\'."\r\n'
)


def _beside(path: Path) -> None:
    sdn = path.with_name("sdn.csv")
    sdn.write_bytes(_SDN)
    read_watchlist(sdn, "sdn")


# Each target with the errors it may raise, and inputs to begin with

Target = tuple[Callable[[bytes], None], tuple[type[Exception], ...], tuple[bytes, ...]]


def _order() -> SubmitPayment:
    return SubmitPayment(
        idempotency_key="k", debtor_account="A", creditor_name="N", creditor_account="C", amount=Money(1, "EUR")
    )


def _envelope() -> Envelope:
    return Envelope("m-1", _order(), COMMAND, "", "disbursement", slot=1)


def _samples(*names: str) -> tuple[bytes, ...]:
    return tuple((SAMPLES / name).read_bytes()[:4_000] for name in names)


_FIELDS: Final = codec.envelope_fields(_envelope())
_UN: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?><CONSOLIDATED_LIST><INDIVIDUALS><INDIVIDUAL><DATAID>1</DATAID>'
    b"<FIRST_NAME>A</FIRST_NAME><REFERENCE_NUMBER>R1</REFERENCE_NUMBER><INDIVIDUAL_DATE_OF_BIRTH><YEAR>1960</YEAR>"
    b"</INDIVIDUAL_DATE_OF_BIRTH></INDIVIDUAL></INDIVIDUALS><ENTITIES/></CONSOLIDATED_LIST>"
)
_LAUGHS: Final = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c '
    b'"&b;&b;&b;&b;&b;&b;&b;&b;">]><CONSOLIDATED_LIST>&c;&c;</CONSOLIDATED_LIST>'
)
_OTHER_ENCODINGS: Final = tuple(
    b'<?xml version="1.0" encoding="%s"?><CONSOLIDATED_LIST/>' % name
    for name in (b"shift_jis", b"utf-7", b"nonesuch", b"utf-16", b"idna", b"rot13")
)

TARGETS: Final[dict[str, Target]] = {
    "message": (message, (CannotDecode,), (codec.encode(_order()), b"\x92\xa4Nope\x90")),
    "envelope": (envelope, (CannotDecode,), (codec.pack(_FIELDS),)),
    "frame": (
        frame,
        (CannotDecode,),
        (pack_frame(GATEWAY, 7, 0, [_FIELDS]), pack_frame(LINK, 1, 9, [_FIELDS, _FIELDS])),
    ),
    "packets": (packets, (CannotDecode,), (packet(HELLO), packet(SEND, [_FIELDS]), packet("control", 1, {"do": "x"}))),
    "signed": (signed, (FrameRefused,), tuple(_TRULY_SIGNED)),
    "orders.csv": (_in_a_file("orders.csv", _orders), (BadOrderFile,), _samples("orders.csv")),
    "orders.ndjson": (_in_a_file("orders.ndjson", _orders), (BadOrderFile,), _samples("orders.ndjson")),
    "accounts.csv": (_in_a_file("accounts.csv", _accounts), (CommandFailed,), _samples("accounts.csv")),
    "watchlist": (
        _in_a_file("list", _watchlist),
        (BadWatchlist,),
        (*_samples("watchlist.csv"), _SDN, _UN, _LAUGHS, *_OTHER_ENCODINGS),
    ),
    "alt.csv": (
        _in_a_file("alt.csv", _beside),
        (BadWatchlist,),
        (b'173,57,"aka","ANGLO-CARIBBEAN CO., LTD.",-0- \r\n',),
    ),
    "settings.toml": (
        _in_a_file("settings.toml", _settings),
        (BadSettings,),
        ((CONFIG / "partitioned.toml").read_bytes().replace(b"\n# ", b"\n"), b"[ledger]\nhold_seconds = 5\n"),
    ),
    "--set": (_in_a_file("set", _one_setting), (BadSettings,), (b"ledger.hold_seconds=5", b"topology.cells=2", b"x")),
    "run/settings.json": (
        _in_a_file(f"data/{EFFECTIVE}", _effective),
        (BadSettings,),
        (read_settings().model_dump_json().encode(),),
    ),
    "partitions.json": (
        _in_a_file("data/partitions.json", _partitions),
        (StoreRefused,),
        (
            json.dumps({"format": 1, "slots": SLOTS, "cells": 1, "owners": [0] * SLOTS}).encode(),
            json.dumps({"format": FORMAT, "slots": SLOTS, "groups": spread(2).record()}).encode(),
        ),
    ),
    "run/processes.json": (
        _in_a_file("data/run/processes.json", _processes),
        (),
        (b'[{"name": "admin", "pid": 1, "started": 2, "boot_id": "x"}]',),
    ),
    "words": (words, (BadAmount,), (b"12.50 EUR", b"P01JD8XK2M300004-2f")),
}


def run(name: str, data: bytes) -> None:
    """Give a target some input.

    Raises:
        Finding: it answered with another exception than its own.
    """
    target, documented, _ = TARGETS[name]
    try:
        target(data)
    except documented as refusal:
        if not str(refusal):
            raise Finding(f"{type(refusal).__name__} without a word") from refusal
    except Finding:
        raise
    except Exception as surprise:
        raise Finding(f"{name}: {type(surprise).__name__}: {surprise}") from surprise


# Inputs that grow in the reader: by depth, by repetition, by a number's digits, by what they claim


def greedy(size: int) -> Iterator[tuple[str, bytes]]:
    """For each target, inputs of about `size` bytes that a careless reader would choke on."""
    deep, wide, digits = b"\x91" * size, b"\x90" * size, b"9" * size
    long_array = b"\xdd" + size.to_bytes(4, "big") + wide
    for name in ("message", "envelope", "frame"):
        yield name, deep
        yield name, long_array
        yield name, b"\xdd\xff\xff\xff\xff"
        yield name, b"\xc9\xff\xff\xff\xff\x05" + bytes(size)  # an extension type of four gigabytes
        yield name, b"\x81" * size
    for body in (deep, long_array, b"\x92\xa4send" + long_array, b"\x92\xa4send" + deep):
        yield "packets", len(body).to_bytes(4, "big") + body
    yield "packets", b"\xff\xff\xff\xff" + bytes(size)
    yield "signed", b"PSGA" + b"\xff" * size
    header = b"idempotency_key,debtor_account,creditor_name,creditor_account,amount,currency\n"
    yield "orders.csv", header + b"," * size
    yield "orders.csv", header + b'"",' * (size // 3)
    yield "orders.csv", header + b'"' * size
    yield "orders.csv", header + b'"\n' * (size // 2)
    yield "orders.csv", header + b"K,A,N,C," + digits + b",EUR\n"
    yield "orders.csv", header + b'"a"' + b",b" * (size // 2)
    yield "orders.ndjson", b"[" * size
    yield "orders.ndjson", b'{"a":' * (size // 5)
    yield "orders.ndjson", b"{" + b'"a":1,' * (size // 6) + b'"b":2}'
    yield "orders.ndjson", b'{"amount":' + digits + b"}"
    yield "accounts.csv", b"account_id,currency\n" + b'"' * size
    yield "accounts.csv", b"account_id,currency,deposit\nA,EUR," + digits
    yield "watchlist", _LAUGHS
    yield "watchlist", b"<a>" * (size // 3)
    yield "watchlist", b"<CONSOLIDATED_LIST>" + b"\n" * size + b"</CONSOLIDATED_LIST>"
    yield "watchlist", b"<CONSOLIDATED_LIST>" + b"<a/>" * (size // 4) + b"</CONSOLIDATED_LIST>"
    yield "watchlist", b"<CONSOLIDATED_LIST " + b'a="b" ' * (size // 6) + b"/>"
    yield "watchlist", b"entry_id,name\n" + b'"' * size
    yield "watchlist", b"entry_id,name,date_of_birth\n1,A," + digits
    yield "watchlist", _SDN.replace(b"1 Jan 1960", b"1 Jan " + digits)
    yield "watchlist", _SDN.replace(b"1 Jan 1960", b"1 Jan 1960;DOB " * (size // 15))
    yield "settings.toml", b"a = " + b"[" * size
    yield "settings.toml", b"a = " + b"{b=" * (size // 3)
    yield "settings.toml", b"a" + b".a" * (size // 2) + b" = 1"
    yield "settings.toml", b"[ledger]\nhold_seconds = " + digits
    yield "--set", b"ledger.hold_seconds=" + digits
    yield "--set", b"ledger.hold_seconds=" + b"[" * size
    for name in ("run/settings.json", "partitions.json", "run/processes.json"):
        yield name, b"[" * size
        yield name, b'{"format": ' + digits + b"}"
    owners = [0] * (SLOTS - 1) + [10**9]
    yield "partitions.json", json.dumps({"format": 1, "slots": SLOTS, "cells": 2, "owners": owners}).encode()
    yield "words", digits + b" EUR"
    yield "words", b"0." + digits + b" EUR"
    yield "words", os.fsencode("٣" * (size // 2)) + b" EUR"
