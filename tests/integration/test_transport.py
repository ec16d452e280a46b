"""Whoever can reach a port but has no key can do nothing: every port of every process is attacked."""

from __future__ import annotations

import os
import pickle
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are not among our tools
import pytest
from thespian.actors import ActorAddress
from thespian.system.transport.IPBase import TCPv4ActorAddress

from actors.runtime.signing import (
    DATA,
    HEADER,
    MAC_BYTES,
    FrameHeader,
    seal,
)
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
