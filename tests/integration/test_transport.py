"""Whoever can reach a port but has no key can do nothing: every port of every process is attacked."""

from __future__ import annotations

import os
import pickle
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are not among our tools
import pytest
from thespian.actors import ActorAddress
from thespian.system.transport.IPBase import TCPv4ActorAddress
from thespian.system.transport.TCPTransport import ExternalTransportCopy

from actors.runtime.launch import stop_system
from actors.runtime.processes import KEY_FILE_VARIABLE
from actors.runtime.signing import (
    ACCEPTED,
    DATA,
    HEADER,
    MAC_BYTES,
    FrameHeader,
    seal,
)
from actors.runtime.transport import SignedTransport
from tests.fakes.running import RunningSystem, eventually

KEY = b"k" * 32


class Bomb:
    """A pickle that creates a file when it is decoded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (open, (str(self.path), "w"))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """One running system for all attacks: each must leave it serving the next test."""
    with RunningSystem(tmp_path_factory.mktemp("attacked")) as running:
        yield running
        assert all(cell["restarts"] == 0 for cell in running.ask(do="status")["cells"])


def ports(system: RunningSystem) -> dict[str, int]:
    """The one port on which each process listens."""
    found = {}
    for name, pid in system.pids().items():
        listening = [c for c in psutil.Process(pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert len(listening) == 1, f"{name} listens on {listening}"
        assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
        found[name] = listening[0].laddr.port
    return found


def attack(port: int, *pieces: bytes) -> socket.socket:
    """A connection that has sent something."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    for piece in pieces:
        connection.sendall(piece)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has hung up, without having said a word."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def packed(port: int) -> bytes:
    """A loopback address as it stands in a header."""
    return socket.inet_aton("127.0.0.1") + struct.pack("!H", port)


def frame_for(system: RunningSystem, port: int, body: bytes = b"", counter: int | None = None) -> bytes:
    """A frame signed with the system's own key."""
    at = counter or time.monotonic_ns()
    header = FrameHeader(DATA, len(body), packed(9), packed(port), at, at)
    return seal((system.data / "key").read_bytes(), header, body)


def test_every_process_listens_on_loopback_only(system: RunningSystem) -> None:
    """Another machine can't even connect."""
    assert set(ports(system)) == {"admin", "logger", "supervisor", "gateway", "cell-0", "cell-1"}


def test_a_pickle_sent_to_any_port_is_never_decoded(system: RunningSystem) -> None:
    """Decoding a stranger's pickle is running a stranger's program."""
    evidence = system.data / "evidence"
    bomb = pickle.dumps((None, Bomb(evidence)))
    for port in ports(system).values():
        with attack(port, b"%d>" % len(bomb), bomb) as connection:
            assert is_closed(connection)
    assert not evidence.exists()
    assert system.echoes()


def test_a_pickle_in_a_frame_signed_with_another_key_is_never_decoded(system: RunningSystem) -> None:
    """The form of a frame alone opens nothing."""
    evidence = system.data / "evidence"
    bomb = pickle.dumps((None, Bomb(evidence)))
    for port in ports(system).values():
        now = time.monotonic_ns()
        header = FrameHeader(DATA, len(bomb), packed(9), packed(port), now, now)
        with attack(port, seal(KEY, header, bomb)) as connection:
            assert is_closed(connection)
    assert not evidence.exists()
    assert system.echoes()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"-1>" + b"x" * 200,
        b"99999999999999999999>" + b"x" * 200,
        b"\0" * 4096,
        b"GET / HTTP/1.1\r\n\r\n" * 20,
    ],
)
def test_nonsense_ends_its_own_connection_only(system: RunningSystem, nonsense: bytes) -> None:
    """A negative length once ended the process."""
    for port in ports(system).values():
        with attack(port, nonsense) as connection:
            assert is_closed(connection)
    assert system.echoes()


def test_a_partial_frame_and_a_hang_up_have_no_effect(system: RunningSystem) -> None:
    """Half a frame is no frame, wherever it is cut."""
    port = ports(system)["cell-0"]
    whole = frame_for(system, port, pickle.dumps((None, "half")))
    for length in (1, HEADER.size, HEADER.size + MAC_BYTES, len(whole) - 1):
        attack(port, whole[:length]).close()
    assert system.echoes()


def test_an_altered_frame_is_never_decoded(system: RunningSystem) -> None:
    """One bit changed under way, in header or body, and the whole frame counts for nothing."""
    port = ports(system)["cell-0"]
    evidence = system.data / "evidence"
    bomb = pickle.dumps((None, Bomb(evidence)))
    for position in (6, HEADER.size + 1, HEADER.size + MAC_BYTES + 3, -1):
        altered = bytearray(frame_for(system, port, bomb))
        altered[position] ^= 1
        with attack(port, bytes(altered)) as connection:
            assert is_closed(connection)
    assert not evidence.exists()
    assert system.echoes()


def test_a_replayed_frame_is_refused_on_a_new_connection(system: RunningSystem) -> None:
    """What was recorded on the wire can't be said again."""
    port = ports(system)["cell-0"]
    evidence = system.data / "replay"
    address = ActorAddress(TCPv4ActorAddress("127.0.0.1", 9, external=True))
    frame = frame_for(system, port, pickle.dumps((address, Bomb(evidence))))
    with attack(port, frame) as first:
        assert first.recv(1000)  # taken and acknowledged: it was signed with the right key
    eventually(evidence.exists)
    evidence.unlink()
    with attack(port, frame) as second:
        assert is_closed(second)
    assert not evidence.exists()
    assert system.echoes()


def test_a_frame_for_another_process_is_refused(system: RunningSystem) -> None:
    """A frame recorded at one port can't be played to another."""
    known = ports(system)
    evidence = system.data / "elsewhere"
    frame = frame_for(system, known["cell-0"], pickle.dumps((None, Bomb(evidence))))
    with attack(known["cell-1"], frame) as connection:
        assert is_closed(connection)
    assert not evidence.exists()


def test_a_frame_from_before_the_process_was_born_is_refused(system: RunningSystem) -> None:
    """A port is used again; what was said to its former owner is not for the new one."""
    port = ports(system)["cell-0"]
    born_ns = int(psutil.Process(system.pids()["cell-0"]).create_time() * 1e9)
    long_before = time.monotonic_ns() - (time.time_ns() - born_ns) - 10**9
    with attack(port, frame_for(system, port, pickle.dumps((None, "old")), long_before)) as connection:
        assert is_closed(connection)


def test_a_frame_recorded_at_one_process_is_refused_by_every_other(system: RunningSystem) -> None:
    """Each frame names its receiver, under the signature."""
    known = ports(system)
    evidence = system.data / "everywhere"
    for recorded_at in ("admin", "supervisor", "gateway"):
        for name, port in known.items():
            if name == recorded_at:
                continue
            frame = frame_for(system, known[recorded_at], pickle.dumps((None, Bomb(evidence))))
            with attack(port, frame) as connection:
                assert is_closed(connection)
    assert not evidence.exists()
    assert system.echoes()


def test_an_acknowledgement_that_answers_nothing_is_refused_at_every_port(system: RunningSystem) -> None:
    """Signed or not: nobody may say that something was received which was never sent on that connection."""
    key = (system.data / "key").read_bytes()
    for port in ports(system).values():
        for signed_with in (KEY, key):
            now = time.monotonic_ns()
            forged = seal(signed_with, FrameHeader(ACCEPTED, 0, packed(9), packed(port), now, now))
            with attack(port, forged) as connection:
                assert is_closed(connection)
    assert system.echoes()


class Acknowledged:
    """A transport that has sent one frame, and what it makes of the answer."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data.mkdir()
        self.key = os.urandom(32)
        (data / "key").write_bytes(self.key)
        monkeypatch.setenv(KEY_FILE_VARIABLE, str(data / "key"))
        admin = ActorAddress(TCPv4ActorAddress("127.0.0.1", 9, external=True))
        monkeypatch.setattr(SignedTransport, "_known", [])
        monkeypatch.setattr(SignedTransport, "_nextTransmitStep", lambda transport, intent: intent.stage)
        self.transport = SignedTransport(ExternalTransportCopy(), admin)
        self.retried = SignedTransport._XMITStepRetry
        self.finished = SignedTransport._XMITStepFinishCleanup

    def hears(self, kind: int, *, key: bytes = b"", epoch: int = 0, counter: int = 0, to: bytes = b"") -> Any:
        """The stage that the transmission goes on to after this answer; what is not given is right."""
        transport = self.transport
        intent = SimpleNamespace(counter=77, ackbuf=transport._buffer(), socket=None, stage=None, result=None)
        header = FrameHeader(kind, 0, packed(9), to or transport._me, epoch or transport._epoch, counter or 77)
        transport._check_XMIT_4_done(intent, seal(key or self.key, header))
        return intent.stage


def test_only_the_receivers_own_signed_acknowledgement_of_this_frame_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has taken over a dead process's port can't make us believe that a message has arrived there."""
    sender = Acknowledged(tmp_path / "data", monkeypatch)
    try:
        assert sender.hears(ACCEPTED) == sender.finished
        for forged in (
            {"key": KEY},
            {"epoch": 5},  # of an earlier life
            {"counter": 76},  # of another frame
            {"to": packed(10)},  # recorded on its way to somebody else
        ):
            assert sender.hears(ACCEPTED, **forged) == sender.retried, forged  # type: ignore[arg-type]  # by name
    finally:
        sender.transport.close()


def test_what_was_signed_before_a_restart_counts_no_more(tmp_path: Path) -> None:
    """Each start makes a new key: an old one, stolen or found in a backup, opens nothing."""
    evidence = tmp_path / "evidence"
    with RunningSystem(tmp_path / "data") as first:
        stolen = (first.data / "key").read_bytes()
        stop_system(first.data, now=True)
        with first:
            assert (first.data / "key").read_bytes() != stolen
            for port in ports(first).values():
                now = time.monotonic_ns()
                bomb = pickle.dumps((None, Bomb(evidence)))
                old = seal(stolen, FrameHeader(DATA, len(bomb), packed(9), packed(port), now, now), bomb)
                with attack(port, old) as connection:
                    assert is_closed(connection)
            assert not evidence.exists()
            assert first.echoes()


def test_who_says_a_byte_at_a_time_is_put_out_in_time(system: RunningSystem) -> None:
    """A header has seconds to come, however busy its sender is: slowness buys no place."""
    ends = {}
    for name, port in ports(system).items():
        ends[name] = attack(port)
    frames = {name: frame_for(system, port, b"slow") for name, port in ports(system).items()}
    said = 0

    def all_are_out() -> bool:
        nonlocal said
        for name, connection in list(ends.items()):
            with suppress(OSError):
                connection.send(frames[name][said : said + 1])
            connection.settimeout(0.05)
            try:
                closed = is_closed(connection)
            except TimeoutError:
                continue
            if closed:
                connection.close()
                del ends[name]
        said = min(said + 1, 40)  # never as far as the header's end
        return not ends

    eventually(all_are_out, 20)
    assert system.echoes()


def test_many_half_open_connections_neither_block_nor_fill_a_process(system: RunningSystem) -> None:
    """Silent strangers are put out, the oldest first, and ours are still heard."""
    port = ports(system)["cell-0"]
    pid = system.pids()["cell-0"]
    silent = [attack(port, b"x" * 10) for _ in range(400)]
    try:
        assert system.echoes()
        eventually(lambda: len(psutil.Process(pid).net_connections("tcp")) < 160)
        assert system.echoes()
    finally:
        for connection in silent:
            connection.close()


def test_a_silent_connection_is_closed_after_a_while(system: RunningSystem) -> None:
    """Nobody may keep a place that he doesn't use."""
    with attack(ports(system)["cell-1"], b"PSGA") as connection:
        assert is_closed(connection)


def test_a_flood_of_attacks_is_logged_a_few_times_only(system: RunningSystem) -> None:
    """An attacker must not fill the disk with our own log either."""
    port = ports(system)["gateway"]
    for _ in range(200):
        attack(port, b"\0" * 200).close()
    assert system.echoes()
    log = (system.data / "logs" / "gateway.log").read_text()
    assert 1 <= log.count("refused") < 20


def test_the_key_is_the_owners_alone(system: RunningSystem) -> None:
    """Whoever reads the key is one of us."""
    assert os.stat(system.data / "key").st_mode & 0o777 == 0o600
