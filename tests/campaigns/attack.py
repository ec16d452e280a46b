"""`python -m tests.campaigns.attack --seconds N`: every door of every process of a real system, attacked from outside.

Loopback only, and only a system that it starts itself, in a directory of its own. Every kind of attack gets its share
of the time, on every port and on the Unix socket, while payments go on. The table says of each kind how often it was
tried, how many connections the system closed within a second, how many bombs were decoded (0, or the system is
broken), how much its processes' memory grew, the most that one of them has had until then, how many files the busiest
of them had open, and how many payments were served meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import pickle
import random
import resource
import selectors
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are not among our tools

from actors.disbursement.messages import SubmitPayment
from actors.gateway import protocol
from actors.gateway.client import Client, NoAnswer, NotRunning
from actors.messaging.envelope import COMMAND, Envelope
from actors.runtime.signing import ACCEPTED, DATA, HEADER, MAC_BYTES, MAXIMUM_BODY_BYTES, FrameHeader, seal
from actors.vocabulary.money import Money
from tests.fakes.installation import ACCOUNTS, Installation, open_accounts
from tests.fakes.running import eventually

Door = int | str  # a port on loopback, or the path of the socket
PATIENCE_S = 1.0  # for the other side to hang up
LONGEST_SILENCE_S = 12.0  # after that nobody who says nothing has a connection any more
CROWD = 600  # connections at once that say nothing or little; the transport bears 128, the gateway 512
STRANGERS_KEY = b"s" * 32


class Bomb:
    """A pickle that makes a file when it is decoded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (open, (str(self.path), "w"))


@dataclass(slots=True)
class Outcome:
    """What one kind of attack has come to."""

    attack: str
    tries: int = 0
    closed: int = 0
    decoded: int = 0
    rss_growth_kb: int = 0
    descriptors: int = 0  # of the process that has most of them
    peak_rss_mb: int = 0  # of the process that ever had most, until then
    payments: int = 0


@dataclass(slots=True)
class Target:
    """The system under attack as anybody sees it, and what a thief could have kept of an earlier run."""

    system: Installation
    doors: dict[str, list[Door]]  # by process
    old_key: bytes
    evidence: Path
    chance: random.Random
    bombs: int = 0

    def bomb(self) -> bytes:
        """A pickle whose decoding leaves a trace."""
        self.bombs += 1
        return pickle.dumps((None, Bomb(self.evidence / str(self.bombs))))

    def every_door(self) -> Iterator[Door]:
        """The ports and the socket, over and over."""
        return itertools.cycle([door for doors in self.doors.values() for door in doors])

    def descriptors(self) -> int:
        """Open files and connections of the process that has most of them."""
        return max(psutil.Process(pid).num_fds() for pid in self.system.pids().values())

    def peak_rss_mb(self) -> int:
        """The most that any of the processes has ever had in memory."""
        found = []
        for pid in self.system.pids().values():
            line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in each)
            found.append(int(line.split()[1]) // 1024)
        return max(found)

    def rss(self) -> int:
        """Resident bytes of all processes."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self.system.pids().values())


def doors(system: Installation) -> dict[str, list[Door]]:
    """Every listening socket of every process: TCP ports, all of which are on loopback, and the gateway's own."""
    found: dict[str, list[Door]] = {}
    for name, pid in system.pids().items():
        listening = [each for each in psutil.Process(pid).net_connections("tcp") if each.status == psutil.CONN_LISTEN]
        assert {each.laddr.ip for each in listening} <= {"127.0.0.1"}, f"{name} listens to other machines"
        found[name] = [each.laddr.port for each in listening]
    found["gateway"].append(str(system.data / protocol.SOCKET))
    return found


def knock(door: Door, *pieces: bytes) -> socket.socket:
    """A connection that has said something, as far as the other side let it."""
    connection = socket.socket(socket.AF_UNIX if isinstance(door, str) else socket.AF_INET)
    connection.settimeout(PATIENCE_S)
    with contextlib.suppress(OSError):
        connection.connect(door if isinstance(door, str) else ("127.0.0.1", door))
        for piece in pieces:
            connection.sendall(piece)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side hangs up soon, whatever it says before."""
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def packed(port: int) -> bytes:
    """A loopback address as it stands in a header."""
    return socket.inet_aton("127.0.0.1") + struct.pack("!H", port)


def frame(door: Door, body: bytes, key: bytes, kind: int = DATA, counter: int | None = None) -> bytes:
    """A frame for this door, signed with some key."""
    port = door if isinstance(door, int) else 9
    at = counter if counter is not None else time.monotonic_ns()
    return seal(key, FrameHeader(kind, len(body), packed(9), packed(port), at, at), body)


# The attacks: each yields what to say to a door, in pieces


def raw_bytes(target: Target, door: Door) -> list[bytes]:
    """Noise, HTTP, zeros."""
    return [target.chance.choice((target.chance.randbytes(4_096), b"GET / HTTP/1.1\r\n\r\n" * 9, bytes(65_536)))]


def lengths(target: Target, door: Door) -> list[bytes]:
    """Lengths that are huge, negative or lie, in every framing that is spoken here or was by Thespian."""
    bomb = target.bomb()
    lie = target.chance.choice((0, 1, len(bomb) * 2, MAXIMUM_BODY_BYTES, 2**31 - 1, 2**32 - 1))
    header = HEADER.pack(b"PSGA", 1, DATA, lie, packed(9), packed(9), 1, 1) + bytes(MAC_BYTES)
    return [target.chance.choice((b"-1>", b"%d>" % lie, b"9" * 40 + b">", struct.pack("!I", lie), header)), bomb]


def pickles(target: Target, door: Door) -> list[bytes]:
    """Bombs bare, as Thespian frames them, and in a frame of ours under a key of our own."""
    bomb = target.bomb()
    return [target.chance.choice((bomb, b"%d>%s" % (len(bomb), bomb), frame(door, bomb, STRANGERS_KEY)))]


def old_key(target: Target, door: Door) -> list[bytes]:
    """Frames signed with the key of the run before this one."""
    return [frame(door, target.bomb(), target.old_key)]


def altered(target: Target, door: Door) -> list[bytes]:
    """A rightly signed frame with one bit changed under way."""
    key = (target.system.data / "key").read_bytes()
    changed = bytearray(frame(door, target.bomb(), key))
    changed[target.chance.randrange(len(changed))] ^= 1 << target.chance.randrange(8)
    return [bytes(changed)]


def elsewhere(target: Target, door: Door) -> list[bytes]:
    """A rightly signed frame that was recorded on its way to another process."""
    key = (target.system.data / "key").read_bytes()
    others = [other for doors in target.doors.values() for other in doors if other != door]
    return [frame(target.chance.choice(others), target.bomb(), key)]


def replayed(target: Target, door: Door) -> list[bytes]:
    """A rightly signed frame from before the process was born, as somebody may have recorded it."""
    key = (target.system.data / "key").read_bytes()
    return [frame(door, target.bomb(), key, counter=1 + target.chance.randrange(10_000))]


def acknowledgements(target: Target, door: Door) -> list[bytes]:
    """Acknowledgements of nothing, forged or signed."""
    key = target.chance.choice((STRANGERS_KEY, target.old_key, (target.system.data / "key").read_bytes()))
    return [frame(door, b"", key, kind=ACCEPTED)]


def half_frames(target: Target, door: Door) -> list[bytes]:
    """A frame or a packet that breaks off somewhere."""
    key = (target.system.data / "key").read_bytes()
    whole = packet() if isinstance(door, str) else frame(door, target.bomb(), key)
    return [whole[: target.chance.randrange(1, len(whole))]]


def packets(target: Target, door: Door) -> list[bytes]:
    """The gateway's own protocol, with wrong types, deep nesting, many empty arrays, giant lengths."""
    nested = b"\x92\xa4send" + b"\x91" * 3_000 + b"\xc0"
    crowded = b"\x92\xa4send\xdd" + (1_000_000).to_bytes(4, "big") + b"\x90" * 1_000_000
    huge = b"\x92\xa4send\xdd\xff\xff\xff\xff"
    extension = b"\x92\xa4send\xc9\xff\xff\xff\xff\x05"
    control = protocol.packet(protocol.CONTROL, 1, {"do": "x" * 1_000_000})[4:]
    odd = protocol.packet(protocol.SEND, [list(envelope()._replace(slot=2**60, message=("Nonesuch", [])))])[4:]
    body = target.chance.choice((nested, crowded, huge, extension, control, odd))
    length = target.chance.choice((len(body), len(body), len(body), 2**31, 2**32 - 1, 0))
    return [length.to_bytes(4, "big") + body]


def envelope() -> Envelope:
    """One that a client may send."""
    return Envelope("m-1", ("KillActor", ["nobody"]), COMMAND, "", "actors", slot=0)  # type: ignore[arg-type]  # as fields


def packet() -> bytes:
    """A whole packet of the gateway's protocol."""
    return protocol.packet(protocol.SEND, [list(envelope())])


ONE_BY_ONE: dict[str, Callable[[Target, Door], list[bytes]]] = {
    "raw bytes": raw_bytes,
    "huge, negative and lying lengths": lengths,
    "pickles": pickles,
    "frames under the key of an earlier run": old_key,
    "altered frames": altered,
    "frames recorded at another process": elsewhere,
    "frames of before the process was born": replayed,
    "acknowledgements of nothing": acknowledgements,
    "partial frames and packets": half_frames,
    "malformed packets to the gateway": packets,
}


def one_by_one(make: Callable[[Target, Door], list[bytes]], target: Target, outcome: Outcome, until: float) -> None:
    """Knock at door after door until the time is over."""
    only_socket = make is packets
    for door in target.every_door():
        if time.monotonic() >= until:
            return
        if only_socket and isinstance(door, int):
            continue
        with knock(door, *make(target, door)) as connection:
            if make is half_frames:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
            outcome.tries += 1
            outcome.closed += is_closed(connection)


def crowd(target: Target, outcome: Outcome, until: float) -> None:
    """Hundreds of connections to each door at once; some say nothing, the others a byte a second."""
    selector = selectors.DefaultSelector()
    slow: dict[socket.socket, bytes] = {}
    seconds = until - time.monotonic()
    each_door = itertools.cycle([[door] * CROWD for doors in target.doors.values() for door in doors])
    try:
        while time.monotonic() < until:
            for door in next(each_door):
                if time.monotonic() >= until:
                    break
                connection = knock(door)
                outcome.tries += 1
                with contextlib.suppress(OSError):
                    selector.register(connection, selectors.EVENT_READ)
                    slow[connection] = frame(door, b"", STRANGERS_KEY) if len(slow) % 2 else b""
            _drip(selector, slow, outcome, min(until, time.monotonic() + 1))
            outcome.descriptors = max(outcome.descriptors, target.descriptors())
        _drip(selector, slow, outcome, time.monotonic() + min(seconds, LONGEST_SILENCE_S))
    finally:
        for connection in slow:
            connection.close()
        selector.close()


def _drip(selector: selectors.BaseSelector, slow: dict[socket.socket, bytes], outcome: Outcome, until: float) -> None:
    """One byte from each that speaks; those that the other side has closed are forgotten."""
    for connection, rest in list(slow.items()):
        if rest:
            with contextlib.suppress(OSError):
                connection.send(rest[:1])
                slow[connection] = rest[1:]
    while (left := until - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            connection: Any = key.fileobj
            if is_closed(connection):
                outcome.closed += 1
                selector.unregister(connection)
                del slow[connection]
                connection.close()
        if not slow:
            return


def never_read(target: Target, outcome: Outcome, until: float) -> None:
    """Clients that ask and ask and read no answer, and such that send most of a packet as long as can be."""
    door = str(target.system.data / protocol.SOCKET)
    questions = protocol.packet(protocol.HELLO) * 2_000
    most = protocol.MAXIMUM_BYTES.to_bytes(4, "big") + bytes(protocol.MAXIMUM_BYTES - 1)
    kept: list[socket.socket] = []
    while time.monotonic() < until:
        connection = knock(door, *([questions] * 20 if outcome.tries % 2 else [most]))
        outcome.tries += 1
        kept.append(connection)
        if len(kept) > 60:
            kept.pop(0).close()
    for connection in kept:
        connection.settimeout(0.02)
        outcome.closed += is_closed(connection)
        connection.close()


MANY: dict[str, Callable[[Target, Outcome, float], None]] = {
    "crowds that say nothing or a byte a second": crowd,
    "clients that read nothing, packets that don't end": never_read,
}


class Payer(threading.Thread):
    """Pays one order after the other as any client would, and counts those that have been accepted."""

    def __init__(self, data: Path) -> None:
        super().__init__(daemon=True)
        self.data = data
        self.paid = 0
        self.refused: list[str] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Until told to end."""
        client = None
        for number in itertools.count():
            if self._over.is_set():
                break
            try:
                client = client or Client.connect(self.data)
                order = SubmitPayment(
                    idempotency_key=f"WHILE-{number}",
                    debtor_account=ACCOUNTS[number % len(ACCOUNTS)],
                    creditor_name="Ann Example",
                    creditor_account="TEST-OK",
                    amount=Money(100, "EUR"),
                )
                if client.pay(order, 60).status == "completed":
                    self.paid += 1
                    continue
                self.refused.append(f"{order.idempotency_key} was not completed in 60 s")
            except (NoAnswer, NotRunning) as why:
                self.refused.append(str(why))
                client = None
        if client is not None:
            client.close()

    def end(self) -> None:
        """Finish the payment in hand."""
        self._over.set()
        self.join(90)


def campaign(folder: Path, seconds: float, seed: int = 1) -> list[Outcome]:
    """Start a system of two cells in `folder`, attack it for so long in all, and see that it has served throughout.

    Raises:
        AssertionError: something was decoded, died, was not served, or `verify` finds a violation.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))  # for our own end of the crowds
    evidence = folder / "evidence"
    evidence.mkdir()
    with Installation(folder / "data", {"supervision.silent_seconds": "30"}) as system:
        stolen = (system.data / "key").read_bytes()
        system.stop()
        system.start()
        open_accounts(system)
        target = Target(system, doors(system), stolen, evidence, random.Random(seed))
        pids = system.pids()
        payer = Payer(system.data)
        payer.start()
        try:
            outcomes = [_attacked(target, payer, name, seconds / len(KINDS)) for name in KINDS]
        finally:
            payer.end()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert [each for each in outcomes if each.decoded] == []
        assert system.pids() == pids, "no process has fallen"
        assert payer.refused == [], f"{payer.refused[:3]}\n{table(outcomes)}"
        assert [each.attack for each in outcomes if not each.payments] == [], "payments stood still"
        eventually(lambda: system.violations() == [], 20)
    return outcomes


KINDS = (*ONE_BY_ONE, *MANY)


def _attacked(target: Target, payer: Payer, name: str, seconds: float) -> Outcome:
    outcome = Outcome(name)
    rss, paid, until = target.rss(), payer.paid, time.monotonic() + seconds
    if name in ONE_BY_ONE:
        one_by_one(ONE_BY_ONE[name], target, outcome, until)
    else:
        MANY[name](target, outcome, until)
    eventually(lambda: payer.paid > paid, 30)
    outcome.descriptors = max(outcome.descriptors, target.descriptors())
    outcome.decoded = len(list(target.evidence.iterdir()))
    outcome.rss_growth_kb = (target.rss() - rss) // 1024
    outcome.peak_rss_mb = target.peak_rss_mb()
    outcome.payments = payer.paid - paid
    return outcome


def table(outcomes: list[Outcome]) -> str:
    """The outcomes for people."""
    titles = f"{'attack':50} {'tries':>9} {'closed':>9} {'decoded':>8} {'RSS growth':>11}"
    lines = [f"{titles} {'peak':>7} {'files':>6} {'payments':>9}"]
    total = Outcome("in all")
    for each in outcomes:
        total.descriptors = max(total.descriptors, each.descriptors)
        total.peak_rss_mb = max(total.peak_rss_mb, each.peak_rss_mb)
        for field in ("tries", "closed", "decoded", "rss_growth_kb", "payments"):
            setattr(total, field, getattr(total, field) + getattr(each, field))
    for each in (*outcomes, total):
        lines.append(
            f"{each.attack:50} {each.tries:>9,} {each.closed:>9,} {each.decoded:>8}"
            f" {each.rss_growth_kb / 1024:>8.1f} MB {each.peak_rss_mb:>4} MB {each.descriptors:>6} {each.payments:>9,}"
        )
    return "\n".join(lines)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaigns.attack", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=120, help="in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"), help="of the attacks' bytes")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    given = parser.parse_args()
    print(f"seed {given.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = campaign(Path(folder), timedelta(seconds=given.seconds).total_seconds(), given.seed)
    print(json.dumps([asdict(each) for each in outcomes]) if given.json else table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
