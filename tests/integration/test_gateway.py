"""Clients, the gateway and cells in real processes: nothing is lost, and nobody disturbs anybody else."""

from __future__ import annotations

import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from actors.disbursement.messages import OrderRefused, PaymentAccepted, SubmitPayment
from actors.gateway import protocol
from actors.gateway.client import Client, NoAnswer, NotRunning
from actors.gateway.protocol import Incoming, envelopes_packet, packet
from actors.gateway.routing import Bounds, Routing
from actors.gateway.server import CLIENTS, CONTAINERS, CONTROLS, FIRST_PACKET_SECONDS, CannotOpen, Server
from actors.messaging import codec
from actors.messaging.codec import CannotDecode
from actors.messaging.envelope import COMMAND, Envelope
from actors.messaging.message import Message
from actors.messaging.system_messages import ActorKilled, Awaited, DropDeadLetter, KillActor
from actors.runtime.control import GATEWAY
from actors.runtime.launch import stop_system
from actors.store.placement import establish, recorded_placement, spread
from actors.vocabulary.money import Money
from actors.vocabulary.slots import SLOTS
from config.settings import Settings, TopologySettings, write_effective
from tests.fakes.fake_cell import FOR_EVER, FakeCore
from tests.fakes.running import RunningSystem, eventually


def order(key: str, creditor: str = "A Creditor") -> SubmitPayment:
    """An order of which only the key matters."""
    return SubmitPayment(
        idempotency_key=key,
        debtor_account="ACC-1",
        creditor_name=creditor,
        creditor_account="ACC-2",
        amount=Money(1250, "EUR"),
    )


@contextmanager
def running(data: Path) -> Iterator[RunningSystem]:
    """Two fake cells behind the real gateway."""
    data.mkdir(mode=0o700, exist_ok=True)
    establish(data, spread(2))
    with RunningSystem(data, core_factory="tests.fakes.fake_cell:FakeCore", gateway_class=GATEWAY) as system:
        yield system


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A system that no test disturbs."""
    with running(tmp_path_factory.mktemp("calm")) as system:
        yield system


@pytest.fixture
def client(calm: RunningSystem) -> Iterator[Client]:
    """A client of it."""
    with Client.connect(calm.data) as connected:
        yield connected


@pytest.fixture
def system(tmp_path: Path) -> Iterator[RunningSystem]:
    """A system to be disturbed."""
    with running(tmp_path / "data") as started:
        yield started


def test_the_welcome_says_what_the_client_has_reached(client: Client, calm: RunningSystem) -> None:
    """Who knows the map asks the right cell at once."""
    assert client.facts == {
        "version": protocol.VERSION,
        "cells": ["cell-0", "cell-1"],
        "slots": SLOTS,
        "groups": spread(2).record(),
        "data": str(calm.data),
    }


@pytest.mark.parametrize(("slot", "cell"), [(0, "cell-0"), (SLOTS - 1, "cell-1")])
def test_a_request_is_answered_by_the_cell_that_owns_the_slot(client: Client, slot: int, cell: str) -> None:
    """An account is only known where its slot lives."""
    assert client.request(KillActor(name="aml"), "actors", slot) == ActorKilled(name=cell, found=True)


def test_a_broadcast_is_answered_by_every_cell_in_order(client: Client) -> None:
    """A watchlist is loaded everywhere or the operator hears where not."""
    replies = client.broadcast(KillActor(name="aml"), "actors")
    assert [reply.name for reply in replies if isinstance(reply, ActorKilled)] == ["cell-0", "cell-1"]


def test_a_request_without_answer_ends_in_time_with_a_sentence(client: Client) -> None:
    """Nobody waits for ever."""
    with pytest.raises(NoAnswer, match=r"no answer to DropDeadLetter within 0\.2 s"):
        client.request(DropDeadLetter(id="x", reason="y"), "dead-letters", 0, timeout=0.2)
    assert client.request(KillActor(name="aml"), "actors", 0)


def test_a_payment_is_submitted_and_waited_for(client: Client) -> None:
    """`pay --wait` in one call."""
    paid = client.pay(order("pay-1"))
    assert isinstance(paid.answer, PaymentAccepted)
    assert paid.status == "completed"
    assert client.pay(order("pay-2", creditor=""), wait=True).status is None


def test_waiting_ends_when_the_time_is_up(client: Client) -> None:
    """`--timeout` is kept."""
    assert client.wait(FOR_EVER, timeout=0.1) is None


def test_every_submitted_order_is_answered_once_with_its_own_answer(client: Client) -> None:
    """A file of orders is answered line by line."""
    orders = [order(f"submit-{number}", creditor="" if number % 10 == 0 else "x") for number in range(5_000)]
    answers = {asked.idempotency_key: answer for asked, answer in client.submit(orders)}
    assert len(answers) == len(orders)
    for asked in orders:
        answer = answers[asked.idempotency_key]
        assert isinstance(answer, OrderRefused if asked.creditor_name == "" else PaymentAccepted)
        assert answer.idempotency_key == asked.idempotency_key


def test_a_request_in_the_middle_of_a_submission_disturbs_neither(client: Client) -> None:
    """While a file goes in, the same client may wait for its first payment."""
    answers = []
    for answered in client.submit([order(f"mixed-{number}") for number in range(100)], window=10):
        answers.append(answered)
        assert client.request(KillActor(name="aml"), "actors", 0)
    assert len(answers) == 100


def test_a_submission_that_is_broken_off_leaves_the_client_usable(client: Client) -> None:
    """Ctrl-C in a shell doesn't end the shell."""
    submission = client.submit([order(f"broken-{number}") for number in range(100)], window=10)
    next(submission)
    submission.close()
    assert client.request(KillActor(name="aml"), "actors", 0) == ActorKilled(name="cell-0", found=True)


def test_a_message_too_long_to_be_sent_is_refused_at_once(client: Client) -> None:
    """Rather than tried again and again."""
    with pytest.raises(ValueError, match="too long to be sent"):
        client.request(KillActor(name="x" * protocol.MAXIMUM_BYTES), "actors", 0)
    assert client.request(KillActor(name="x" * 7_000_000), "actors", 0)


def test_long_orders_are_submitted_in_as_many_packets_as_they_need(client: Client) -> None:
    """A window of long orders is more than one packet holds."""
    orders = [order(f"long-{number}" + "x" * 50_000) for number in range(500)]
    assert len(list(client.submit(orders))) == 500


def test_the_supervisor_is_asked_through_the_gateway(client: Client) -> None:
    """`status` needs no other door."""
    status = client.control({"do": "status"})
    assert [cell["name"] for cell in status["cells"]] == ["cell-0", "cell-1"]
    assert "error" in client.control({"do": "nonsense"})


def test_many_clients_at_once_each_get_their_own_replies(calm: RunningSystem) -> None:
    """Shells, consoles and programs share one door."""
    problems: list[object] = []

    def work(number: int) -> None:
        with Client.connect(calm.data) as mine:
            for at in range(50):
                key = f"client-{number}-{at}"
                reply = mine.request(order(key), "disbursement", at % SLOTS)
                if not isinstance(reply, PaymentAccepted) or reply.idempotency_key != key:
                    problems.append(reply)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert problems == []


def test_only_the_owner_can_reach_the_socket(calm: RunningSystem) -> None:
    """Whoever else is on the machine pays nobody from here."""
    assert stat.S_IMODE((calm.data / "socket").stat().st_mode) == 0o600


def test_a_client_where_nothing_runs_is_told_how_to_start(tmp_path: Path) -> None:
    """The sentence says what to do."""
    with pytest.raises(NotRunning, match=r"start one with `python system\.py start --data /.*`"):
        Client.connect(tmp_path)


def test_a_killed_cell_loses_no_order(system: RunningSystem) -> None:
    """What a cell took and didn't answer goes to its successor."""
    with Client.connect(system.data) as client:
        answers = []
        for answered in client.submit([order(f"kill-{number}") for number in range(4_000)], window=500):
            answers.append(answered)
            if len(answers) in {500, 2_000}:
                system.kill("cell-0")
        assert len(answers) == 4_000


def test_a_killed_gateway_loses_no_order(system: RunningSystem) -> None:
    """The client finds the next one and repeats what was unanswered."""
    with Client.connect(system.data) as client:
        answers = []
        for answered in client.submit([order(f"kill-{number}") for number in range(4_000)], window=500):
            answers.append(answered)
            if len(answers) in {500, 2_000}:
                system.kill("gateway")
        assert len(answers) == 4_000
        assert client.request(KillActor(name="aml"), "actors", 0)


def test_a_wait_survives_the_cell_it_waits_at(system: RunningSystem) -> None:
    """A cell keeps who waits in memory alone; the client asks its successor."""
    status: list[str | None] = []
    with Client.connect(system.data) as other:
        waiting = threading.Thread(target=lambda: status.append(_wait_for_ever(system.data)))
        waiting.start()
        eventually(lambda: _gateway(other)["envelopes"] >= 1)
        system.kill("cell-0")
        waiting.join(10)
    assert status == ["completed"]


def _wait_for_ever(data: Path) -> str | None:
    with Client.connect(data) as client:
        return client.wait(FOR_EVER, timeout=10)


def _gateway(client: Client) -> dict[str, Any]:
    gateway: dict[str, Any] = client.control({"do": "status"})["gateway"]
    return gateway if "envelopes" in gateway else {"envelopes": 0}


def test_a_client_of_a_stopped_system_says_so(system: RunningSystem) -> None:
    """Rather than wait in silence."""
    with Client.connect(system.data) as client:
        stop_system(system.data)
        with pytest.raises(NoAnswer, match="can't be reached any more"):
            client.request(KillActor(name="aml"), "actors", 0, timeout=0.3)
    assert not (system.data / "socket").exists()


# One server in this process, turned by hand.


class Door:
    """A server with a cell that answers at once, when told to."""

    def __init__(self, data: Path, *, unsent_bytes: int = 64 * 1024 * 1024, **bounds: Any) -> None:
        placement = establish(data, spread(1))
        self.data = data
        self.server = Server(data, placement, Routing(placement, bounds=Bounds(**bounds)), unsent_bytes=unsent_bytes)
        self.server.open()
        self.server.introduce({"cell-0": "here"}, now=0)
        self.core = FakeCore("cell-0", data, 1)
        self.core.open()

    def turn(self, *, answering: bool = True) -> None:
        """Let everything happen that can."""
        for _ in range(50):
            self.server.ready()
            if answering:
                for cell, payload in self.server.frames(now=0):
                    self.core.arrived(cell, payload)
                for _, payload in self.core.run():
                    self.server.arrived("cell-0", payload)

    def knock(self) -> socket.socket:
        """A connected socket."""
        connected = socket.socket(socket.AF_UNIX)
        with protocol.socket_address(self.data) as address:
            connected.connect(address)
        connected.setblocking(False)
        self.turn()
        return connected


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[list[Door]]:
    """Closes what the test has opened."""
    opened: list[Door] = []
    yield opened
    for door in opened:
        door.server.close()
        door.core.close()


def sends(message: Message, count: int = 1, **header: Any) -> bytes:
    """A packet with so many envelopes."""
    envelope = Envelope("m-1", message, COMMAND, "", "actors", slot=0)._replace(**header)
    return envelopes_packet(protocol.SEND, [codec.pack(codec.envelope_fields(envelope))] * count)


def received(connection: socket.socket) -> list[list[Any]]:
    """Every whole packet that has come; raises if the connection was closed."""
    incoming = Incoming()
    try:
        while data := connection.recv(1 << 20):
            incoming.feed(data)
    except BlockingIOError:
        return list(iter(incoming.packet, None))
    raise ConnectionResetError


DRILL = KillActor(name="aml")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x03\x81\x90\x01",
        packet("unheard-of"),
        packet(protocol.SEND),
        packet(protocol.SEND, 7),
        packet(protocol.SEND, [[]]),
        packet(protocol.CONTROL, "one", {}),
        packet(protocol.HELLO, "more"),
        sends(DRILL, slot=-1),
        b"\x00\x00\x00\x01\x90",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_client_that_talks_nonsense_loses_its_own_connection_only(
    tmp_path: Path, doors: list[Door], garbage: bytes
) -> None:
    """One broken program doesn't shut the door for all."""
    doors.append(door := Door(tmp_path))
    good, bad = door.knock(), door.knock()
    bad.sendall(garbage)
    door.turn()
    with pytest.raises(ConnectionResetError):
        received(bad)
    good.sendall(sends(DRILL))
    door.turn()
    assert [kind for kind, _ in received(good)] == [protocol.REPLIES]


def test_packets_may_arrive_byte_by_byte(tmp_path: Path, doors: list[Door]) -> None:
    """A stream has no edges."""
    doors.append(door := Door(tmp_path))
    connection = door.knock()
    for byte in sends(DRILL) + packet(protocol.HELLO):
        connection.send(bytes([byte]))
        door.server.ready()
    door.turn()
    assert sorted(kind for kind, _ in received(connection)) == [protocol.REPLIES, protocol.WELCOME]


def test_a_client_too_far_ahead_is_read_again_once_it_has_been_served(tmp_path: Path, doors: list[Door]) -> None:
    """Whoever sends faster than the cells work waits in its own socket, not in our memory."""
    doors.append(door := Door(tmp_path, client_envelopes=10))
    connection = door.knock()
    connection.sendall(sends(DRILL, 8) * 5)
    door.turn(answering=False)
    assert door.server.report()["waiting"] == {"cell-0": 16}
    door.turn()
    replies = [envelope for _, envelopes in received(connection) for envelope in envelopes]
    assert len(replies) == 40
    door.turn()
    connection.sendall(packet(protocol.HELLO))
    door.turn()
    assert [kind for kind, _ in received(connection)] == [protocol.WELCOME]


def test_a_client_that_reads_nothing_is_dropped(tmp_path: Path, doors: list[Door]) -> None:
    """Its replies would fill our memory."""
    doors.append(door := Door(tmp_path, unsent_bytes=100_000))
    lazy, good = door.knock(), door.knock()
    for _ in range(100):
        try:
            lazy.sendall(sends(order("k"), 100))
        except OSError:
            break
        door.turn()
    good.sendall(sends(DRILL))
    door.turn()
    assert door.server.report()["clients"] == 1
    assert len(received(good)) == 1


def test_many_replies_come_in_packets_of_a_bounded_length(tmp_path: Path, doors: list[Door]) -> None:
    """A client's buffer is bounded as well."""
    doors.append(door := Door(tmp_path))
    connection = door.knock()
    key = "k" * 20_000
    connection.sendall(sends(order(key), 2))
    replies = 0
    for _ in range(60):
        connection.sendall(sends(order(key), 2))
        door.turn()
        replies += sum(len(envelopes) for _, envelopes in received(connection))
    assert replies == 122


def test_the_answer_of_the_supervisor_reaches_who_asked_under_the_askers_number(
    tmp_path: Path, doors: list[Door]
) -> None:
    """Two shells may ask at once."""
    doors.append(door := Door(tmp_path))
    first, second = door.knock(), door.knock()
    first.sendall(packet(protocol.CONTROL, 7, {"do": "first"}))
    second.sendall(packet(protocol.CONTROL, 7, {"do": "second"}))
    door.turn()
    for number, request in reversed(door.server.requests()):
        door.server.controlled(number, {"did": request["do"]})
    assert received(first) == [[protocol.CONTROLLED, 7, {"did": "first"}]]
    assert received(second) == [[protocol.CONTROLLED, 7, {"did": "second"}]]


def test_a_data_directory_with_a_very_long_path_has_a_socket_too(tmp_path: Path, doors: list[Door]) -> None:
    """The kernel takes 107 bytes; people nest deeper."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    doors.append(door := Door(deep))
    connection = door.knock()
    connection.sendall(packet(protocol.HELLO))
    door.turn()
    assert received(connection)[0][0] == protocol.WELCOME
    assert stat.S_ISSOCK((deep / "socket").stat().st_mode)


def test_a_socket_left_by_a_killed_gateway_is_in_nobodys_way(tmp_path: Path, doors: list[Door]) -> None:
    """`kill -9` leaves the file behind."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "socket"))
    left.close()
    doors.append(door := Door(tmp_path))
    assert door.knock()


def test_a_directory_that_was_never_laid_out_is_refused(tmp_path: Path) -> None:
    """The gateway guesses no map."""
    with pytest.raises(CannotOpen, match="start the system in"):
        Server.of(tmp_path, 1)


def test_at_a_first_start_the_gateway_lays_out_what_the_settings_ask(tmp_path: Path) -> None:
    """It may be there before the first cell."""
    write_effective(Settings(topology=TopologySettings(cells=3)), tmp_path)
    Server.of(tmp_path, 1).close()
    assert recorded_placement(tmp_path) == spread(3)


def test_a_system_of_another_version_is_named(tmp_path: Path) -> None:
    """A client that can't understand the system says so before it asks anything."""
    welcome = {"version": protocol.VERSION + 1}

    def serve(listening: socket.socket) -> None:
        accepted, _ = listening.accept()
        with accepted:
            accepted.recv(1_000)
            accepted.sendall(packet(protocol.WELCOME, welcome))
            accepted.recv(1_000)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        with pytest.raises(NotRunning, match="another version"):
            Client.connect(tmp_path)
        thread.join(5)


def test_a_gateway_that_never_says_welcome_is_reported(tmp_path: Path) -> None:
    """A hanging system is told from one that isn't there."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        began = time.monotonic()
        with pytest.raises(NotRunning, match="does not answer"):
            Client.connect(tmp_path, timeout=0.2)
        assert time.monotonic() - began < 5


def test_deeply_nested_input_is_refused_rather_than_followed(tmp_path: Path, doors: list[Door]) -> None:
    """No stack of ours overflows."""
    doors.append(door := Door(tmp_path))
    connection = door.knock()
    body = b"\x91" * 100_000 + b"\xc0"
    connection.sendall(len(body).to_bytes(4, "big") + body)
    door.turn()
    with pytest.raises(ConnectionResetError):
        received(connection)


def test_two_answers_to_one_order_may_come_in_either_order(tmp_path: Path) -> None:
    """One cell accepts the order and another tells how it ended: under load the second may be heard first."""

    def serve(listening: socket.socket) -> None:
        accepted, _ = listening.accept()
        incoming = Incoming()
        with accepted:
            accepted.sendall(packet(protocol.WELCOME, {"version": protocol.VERSION, "groups": spread(1).record()}))
            while True:
                incoming.feed(accepted.recv(10_000))
                while (values := incoming.packet()) is not None:
                    if values[0] != protocol.SEND:
                        continue
                    for reply in (
                        Awaited(payment_id="p-1", type="PaymentCompleted", status="completed"),
                        PaymentAccepted(payment_id="p-1", idempotency_key="k", duplicate=False),
                    ):
                        envelope = Envelope("m", reply, "reply", "disbursement", "client/1/1")
                        accepted.sendall(envelopes_packet(protocol.REPLIES, [codec.pack(envelope)]))
                    return

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        with Client.connect(tmp_path) as client:
            paid = client.pay(order("k"), 5)
        thread.join(5)
    assert paid.status == "completed"
    assert isinstance(paid.answer, PaymentAccepted)


def test_the_answer_to_an_order_that_was_sent_again_meanwhile_counts(tmp_path: Path) -> None:
    """A cell that is killed again and again answers what it was asked first, and may never come to the repeats."""
    sent: list[int] = []

    def serve(listening: socket.socket) -> None:
        accepted, _ = listening.accept()
        incoming = Incoming()
        with accepted:
            accepted.sendall(packet(protocol.WELCOME, {"version": protocol.VERSION, "groups": spread(1).record()}))
            while len(sent) < 3:  # the order, and twice again
                incoming.feed(accepted.recv(10_000))
                while (values := incoming.packet()) is not None:
                    if values[0] == protocol.SEND:
                        sent.append(len(sent) + 1)
                        accepted.sendall(packet(protocol.RESTARTED, "cell-0"))
            reply = PaymentAccepted(payment_id="p-1", idempotency_key="k", duplicate=False)
            envelope = Envelope("m", reply, "reply", "disbursement", "client/1/1")
            accepted.sendall(envelopes_packet(protocol.REPLIES, [codec.pack(envelope)]))
            accepted.recv(10_000)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        with Client.connect(tmp_path) as client:
            paid = client.pay(order("k"), 5, wait=False)
        thread.join(5)
    assert isinstance(paid.answer, PaymentAccepted)


# Memory and places are bounded, whatever clients do.


def test_who_says_nothing_makes_room_for_who_does(tmp_path: Path, doors: list[Door]) -> None:
    """Silent connections by the hundred keep nobody out: the oldest of them go first."""
    doors.append(door := Door(tmp_path))
    speaking = door.knock()
    speaking.sendall(packet(protocol.HELLO))
    door.turn()
    silent = []
    for _ in range(CLIENTS + 20):
        silent.append(socket.socket(socket.AF_UNIX))
        silent[-1].setblocking(False)
        silent[-1].connect(str(tmp_path / "socket"))
        door.server.ready()
    for connection in silent[:21]:
        assert connection.recv(10) == b""
    with pytest.raises(BlockingIOError):
        silent[-1].recv(10)
    speaking.sendall(packet(protocol.HELLO))
    door.turn()
    assert [values[0] for values in received(speaking)] == [protocol.WELCOME, protocol.WELCOME]
    for connection in silent:
        connection.close()


def test_who_says_nothing_for_long_is_put_out(tmp_path: Path, doors: list[Door]) -> None:
    """Nobody keeps a place that he doesn't use; who has spoken may stay silent."""
    doors.append(door := Door(tmp_path))
    speaking, silent = door.knock(), door.knock()
    speaking.sendall(packet(protocol.HELLO))
    silent.sendall(packet(protocol.HELLO)[:-1])  # all but the last byte
    door.turn()
    for now in (100.0, 100.0 + FIRST_PACKET_SECONDS, 101.0 + FIRST_PACKET_SECONDS):
        door.server.tick(now)
    assert silent.recv(10) == b""
    assert len(received(speaking)) == 1


def test_packets_that_never_end_fill_no_memory(
    tmp_path: Path, doors: list[Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all that is kept of them together, too: whoever has sent most is put out."""
    monkeypatch.setattr("actors.gateway.server.GATHERED_BYTES", 350_000)
    doors.append(door := Door(tmp_path))
    connections = [door.knock() for _ in range(4)]
    for number, connection in enumerate(connections):
        connection.sendall((1_000_000).to_bytes(4, "big") + bytes(60_000 + 10_000 * number))
        door.turn()
    connections[0].sendall(bytes(70_000))
    door.turn()
    with pytest.raises(ConnectionResetError):
        received(connections[0])
    for connection in connections[1:]:
        with pytest.raises(BlockingIOError):
            connection.recv(10)


def test_what_all_clients_leave_unread_is_bounded(
    tmp_path: Path, doors: list[Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many that each stay below their own bound would fill the memory together."""
    monkeypatch.setattr("actors.gateway.server.UNSENT_TOTAL_BYTES", 400_000)
    doors.append(door := Door(tmp_path))
    deaf = [door.knock() for _ in range(3)]
    for connection in deaf:
        connection.sendall(packet(protocol.HELLO) * 1_500)
        door.turn()
    ended = 0
    for connection in deaf:
        with suppress(ConnectionResetError, BlockingIOError):
            while data := connection.recv(1_000_000):
                del data
            ended += 1
    assert ended >= 1
    heard = door.knock()
    heard.sendall(packet(protocol.HELLO))
    door.turn()
    assert len(received(heard)) == 1


def test_a_packet_of_a_million_empty_arrays_is_refused(tmp_path: Path, doors: list[Door]) -> None:
    """One byte each on the wire, seventy in memory."""
    doors.append(door := Door(tmp_path))
    connection = door.knock()
    body = b"\x92\xa4send\xdd" + (1_000_000).to_bytes(4, "big") + b"\x90" * 1_000_000
    incoming = Incoming(CONTAINERS)
    incoming.feed(len(body).to_bytes(4, "big") + body)
    with pytest.raises(CannotDecode, match="too many arrays"):
        incoming.packet()
    connection.sendall(b"\x00")
    door.turn()
    assert len(door.server._connections) == 1


def test_what_is_asked_of_the_supervisor_is_bounded(tmp_path: Path, doors: list[Door]) -> None:
    """It has cells to watch: so many open questions of one client, and none of any length."""
    doors.append(door := Door(tmp_path))
    connection = door.knock()
    for number in range(CONTROLS + 10):
        connection.sendall(packet(protocol.CONTROL, number, {"do": "status"}))
    door.turn()
    asked = door.server.requests()
    assert len(asked) == CONTROLS
    for number, _ in asked:
        door.server.controlled(number, {"ok": True})
    assert len(door.server.requests()) == 10
    assert len(received(connection)) == CONTROLS
    long = door.knock()
    long.sendall(packet(protocol.CONTROL, 1, {"do": "x" * 100_000}))
    door.turn()
    assert long.recv(10) == b""
