"""What goes to which cell and comes back to which client, whatever dies in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.disbursement.messages import SubmitPayment
from actors.gateway.routing import Bounds, Correspondent, Routing
from actors.messaging import codec
from actors.messaging.codec import CannotDecode
from actors.messaging.discovery import register_messages
from actors.messaging.envelope import COMMAND, EVENT, REPLY, Envelope
from actors.messaging.frames import GATEWAY, LINK, FrameContent, pack_frame, unpack_frame
from actors.messaging.system_messages import ActorKilled, Busy, KillActor
from actors.store.placement import spread
from actors.vocabulary.money import Money
from actors.vocabulary.slots import SLOTS

codec.register(KillActor, ActorKilled, Busy)

FIRST, LAST = 0, SLOTS - 1  # slots of cell-0 and of cell-1
HERE = {"cell-0": "address 0", "cell-1": "address 1"}


def sent(message_id: str = "m-1", slot: int = FIRST, **header: Any) -> list[Any]:
    """A client's envelope as it comes from the socket."""
    envelope = Envelope(message_id, KillActor(name="aml"), header.pop("kind", COMMAND), "", "actors", slot=slot)
    fields: list[Any] = codec.unpack(codec.pack(codec.envelope_fields(envelope._replace(**header))))
    return fields


def routing(**bounds: Any) -> Routing:
    """Of two cells that are there."""
    made = Routing(spread(2), bounds=Bounds(**bounds))
    made.introduce(HERE, now=0)
    return made


def content(frame: tuple[str, bytes]) -> FrameContent:
    """What a frame for a cell says."""
    return unpack_frame(frame[1])


def handled(frame: tuple[str, bytes], *targets: str) -> tuple[str, bytes]:
    """The cell's answer to a frame, with a reply for each of `targets`."""
    replies = [Envelope("r", ActorKilled(name="x", found=True), REPLY, "actors", target) for target in targets]
    packed = pack_frame(GATEWAY, 1, content(frame).number, [codec.envelope_fields(reply) for reply in replies])
    return frame[0], packed


def senders(frame: tuple[str, bytes]) -> list[str]:
    """Whom the envelopes of a frame are from."""
    return [fields[3] for fields in content(frame).envelopes]


def messages(packed: list[bytes]) -> Iterator[Envelope]:
    """Replies as their client reads them."""
    return (codec.envelope_from(codec.unpack(each)) for each in packed)


@given(st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=30), st.integers(1, 5))
def test_every_envelope_reaches_the_cell_of_its_slot_once_and_in_order(slots: list[int], cells: int) -> None:
    """A payment asked of the wrong cell would not be found."""
    made = Routing(spread(cells), bounds=Bounds(frame_envelopes=4))
    made.introduce({name: name for name in spread(cells).names}, now=0)
    client = made.meet()
    made.accept(client, [sent(f"m-{at}", slot) for at, slot in enumerate(slots)])
    arrived: dict[str, list[str]] = {name: [] for name in spread(cells).names}
    while frames := made.due(now=0):
        for frame in frames:
            assert len(content(frame).envelopes) <= 4
            arrived[frame[0]] += [fields[0] for fields in content(frame).envelopes]
            made.answered(*handled(frame))
    for cell in spread(cells).names:
        expected = [f"m-{at}" for at, slot in enumerate(slots) if spread(cells).cell_for("ledger", slot) == cell]
        assert arrived[cell] == expected
    assert client.outstanding == 0


def test_the_sender_is_the_connection_whatever_the_client_says() -> None:
    """No client gets or forges another's replies."""
    made = routing()
    first, second = made.meet(), made.meet()
    made.accept(first, [sent(sender="client/somebody-else/1"), sent()])
    made.accept(second, [sent()])
    (frame,) = made.due(now=0)
    assert senders(frame) == [f"{first.name}/1", f"{first.name}/2", f"{second.name}/1"]


def test_replies_come_back_to_the_client_that_asked() -> None:
    """The number at the end of the name says which of its envelopes is answered."""
    made = routing()
    first, second, gone = made.meet(), made.meet(), made.meet()
    made.accept(first, [sent()])
    made.accept(second, [sent()])
    (frame,) = made.due(now=0)
    made.forget(gone)
    replies = made.answered(
        *handled(frame, f"{second.name}/1", f"{first.name}/1", f"{gone.name}/1", "client/elsewhere/1", "saga")
    )
    targets = {client: [each.target for each in messages(packed)] for client, packed in replies.items()}
    assert targets == {first: [f"{first.name}/1"], second: [f"{second.name}/1"]}


def test_while_a_frame_is_unanswered_envelopes_gather() -> None:
    """One frame under way per cell: no queue of Thespian's ever fills, and a slow cell stalls only itself."""
    made = routing()
    client = made.meet()
    made.accept(client, [sent("a")])
    (first,) = made.due(now=0)
    made.accept(client, [sent("b"), sent("c"), sent("d", LAST)])
    (other,) = made.due(now=0)
    assert other[0] == "cell-1"
    made.answered(*handled(first))
    (second,) = made.due(now=0)
    assert [fields[0] for fields in content(second).envelopes] == ["b", "c"]
    assert content(second).number == content(first).number + 1


def test_a_late_reply_does_not_release_the_frame_under_way() -> None:
    """A cell answers waiting clients at any time, in frames that acknowledge nothing."""
    made = routing()
    client = made.meet()
    made.accept(client, [sent()])
    (frame,) = made.due(now=0)
    reply = codec.envelope_fields(Envelope("r", ActorKilled(name="x", found=True), REPLY, "actors", f"{client.name}/1"))
    assert list(made.answered("cell-0", pack_frame(GATEWAY, 1, 0, [reply]))) == [client]
    assert client.outstanding == 1
    made.accept(client, [sent()])
    assert made.due(now=0) == []
    made.answered(*handled(frame))
    assert len(made.due(now=0)) == 1


def test_a_replaced_cell_gets_the_unanswered_frame_again() -> None:
    """What the dead cell may not have committed is done by its successor; commands may be repeated."""
    made = routing()
    client = made.meet()
    made.accept(client, [sent("a")])
    (frame,) = made.due(now=0)
    made.accept(client, [sent("b")])
    assert made.introduce({"cell-1": HERE["cell-1"]}, now=1) == []
    assert made.due(now=1) == []
    assert made.introduce({**HERE, "cell-0": "another address"}, now=2) == ["cell-0"]
    assert made.due(now=2) == [frame]
    assert made.due(now=2) == []
    made.answered(*handled(frame))
    (next_frame,) = made.due(now=2)
    assert [fields[0] for fields in content(next_frame).envelopes] == ["b"]


def test_an_unanswered_frame_is_sent_again_after_long_silence() -> None:
    """Should a message between processes get lost, nothing stands still for ever."""
    made = routing(unanswered_seconds=30)
    made.accept(made.meet(), [sent()])
    (frame,) = made.due(now=0)
    made.tick(now=29)
    assert made.due(now=29) == []
    made.tick(now=30)
    assert made.due(now=30) == [frame]


def test_a_cell_that_stays_away_is_named_to_those_who_wait() -> None:
    """After a moment's patience a client learns whom it waits for, and may send again."""
    made = routing(down_seconds=3)
    client = made.meet()
    made.introduce({"cell-1": HERE["cell-1"]}, now=10)
    made.accept(client, [sent("a")])
    made.tick(now=12)
    assert made.refusals() == {}
    made.tick(now=13)
    made.accept(client, [sent("b")])
    busy = list(messages(made.refusals()[client]))
    assert [(each.target, each.causation_id) for each in busy] == [(f"{client.name}/1", "a"), (f"{client.name}/2", "b")]
    assert all(isinstance(each.message, Busy) and each.message.reason == "cell-0 is down" for each in busy)
    assert client.outstanding == 0
    made.introduce(HERE, now=14)
    assert made.due(now=14) == []
    made.accept(client, [sent("b")])
    assert len(made.due(now=14)) == 1


def test_a_cell_that_nobody_brings_back_is_named_at_once() -> None:
    """A client with little patience must not hear of a missing answer where the supervisor knows the reason."""
    made = routing(down_seconds=3)
    client = made.meet()
    made.accept(client, [sent("a")])
    made.introduce({"cell-1": HERE["cell-1"]}, now=10, down=("cell-0",))
    made.accept(client, [sent("b")])
    busy = list(messages(made.refusals()[client]))
    assert [each.causation_id for each in busy] == ["a", "b"]
    assert all(isinstance(each.message, Busy) and each.message.reason == "cell-0 is down" for each in busy)


def test_too_much_for_one_cell_is_refused_with_busy() -> None:
    """Memory is bounded, and the client is told rather than forgotten."""
    made = routing(cell_envelopes=2)
    client = made.meet()
    made.accept(client, [sent(str(at)) for at in range(1, 4)])
    (busy,) = messages(made.refusals()[client])
    assert busy.causation_id == "3"
    assert made.refusals() == {}


def test_a_client_is_full_until_its_envelopes_are_handled() -> None:
    """Whoever sends faster than the cells work is read no further."""
    made = routing(client_envelopes=2)
    client, other = made.meet(), made.meet()
    made.accept(client, [sent("a")])
    assert not made.is_full(client)
    made.accept(client, [sent("b")])
    assert made.is_full(client)
    assert not made.is_full(other)
    made.answered(*handled(*made.due(now=0)))
    assert not made.is_full(client)


def test_a_replacement_gets_only_what_has_not_been_answered() -> None:
    """A cell that is killed before it has done a whole frame would else begin it anew for ever."""
    made = routing()
    client = made.meet()
    made.accept(client, [sent("a"), sent("b"), sent("c")])
    (frame,) = made.due(now=0)
    answer = [codec.envelope_fields(Envelope("r", ActorKilled(name="x", found=True), REPLY, "x", f"{client.name}/1"))]
    made.answered(frame[0], pack_frame(GATEWAY, 0, 0, answer))
    made.introduce({frame[0]: None}, now=1)
    made.introduce({frame[0]: "another"}, now=2)
    (again,) = made.due(now=2)
    assert content(again).number == content(frame).number
    assert senders(again) == [f"{client.name}/2", f"{client.name}/3"]
    assert client.outstanding == 3
    made.answered(*handled(again))
    assert client.outstanding == 0


def test_frames_are_cut_by_bytes_as_well() -> None:
    """A frame always fits through the transport."""
    made = routing(frame_bytes=300)
    client = made.meet()
    made.accept(client, [sent("a", trace="x" * 200), sent("b", trace="x" * 200), sent("c", trace="x" * 400)])
    counts = []
    while frames := made.due(now=0):
        counts.append(len(content(frames[0]).envelopes))
        made.answered(*handled(frames[0]))
    assert counts == [1, 1, 1]


def test_what_a_client_sent_before_it_left_is_still_done() -> None:
    """An order on its way is not taken back by a closed terminal."""
    made = routing()
    client = made.meet()
    made.accept(client, [sent()])
    made.forget(client)
    (frame,) = made.due(now=0)
    assert made.answered(*handled(frame, f"{client.name}/1")) == {}


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        ["m"] * 12,
        sent(kind=EVENT),
        sent(slot=-1),
        sent(slot=SLOTS),
        sent(""),
        sent("x" * 101),
        [*sent()[:1], ["KillActor"], *sent()[2:]],
        [*sent()[:1], [1, []], *sent()[2:]],
        [*sent()[:-1], True],
    ],
)
def test_what_a_cell_could_not_read_never_gets_into_a_frame(fields: Any) -> None:
    """A frame holds several clients' envelopes: one client must not spoil the others'."""
    made = routing()
    with pytest.raises(CannotDecode):
        made.accept(made.meet(), [fields])
    assert made.due(now=0) == []


@pytest.mark.parametrize(
    ("cell", "payload"),
    [("cell-0", b"\xc1"), ("cell-0", pack_frame(LINK, 1, 0, [])), ("cell-7", pack_frame(GATEWAY, 1, 0, []))],
)
def test_a_frame_that_is_not_for_the_gateway_is_refused(cell: str, payload: bytes) -> None:
    """Links are the cells' own business."""
    with pytest.raises(CannotDecode):
        routing().answered(cell, payload)


def test_an_earlier_gateways_numbers_mean_nothing_to_a_later_one() -> None:
    """An answer to a dead gateway's frame must not release a frame of its successor."""
    earlier, later = (Routing(spread(1), incarnation=number) for number in (1, 2))
    frames = []
    for made in (earlier, later):
        made.introduce({"cell-0": "a"}, now=0)
        client: Correspondent = made.meet()
        made.accept(client, [sent()])
        frames += made.due(now=0)
    later.answered(*handled(frames[0]))
    assert client.outstanding == 1


def test_a_client_may_send_what_operators_say_and_nothing_that_only_actors_say() -> None:
    """Or whoever holds the socket could tell the ledger that the bank has paid."""
    register_messages()
    open_to_clients = {name for name, message in codec.type_names.items() if message.from_clients}
    assert open_to_clients >= {"SubmitPayment", "CancelPayment", "SettleExecution", "DecideReview", "OpenAccount"}
    for name in (
        "ExecutePayment",
        "RailAnswered",
        "PaymentExecuted",
        "VoidDebit",
        "StartPayment",
        "StartSaga",
        "Failed",
    ):
        fields = sent()
        fields[1][0] = name
        router = routing()
        with pytest.raises(CannotDecode, match="may not send"):
            router.accept(router.meet(), [fields])


def order(message_id: str) -> list[Any]:
    """New work, as a client sends it."""
    register_messages()
    message = SubmitPayment(
        idempotency_key=message_id,
        debtor_account="ACC-1",
        creditor_name="Ann",
        creditor_account="TEST-OK",
        amount=Money(100, "EUR"),
    )
    envelope = Envelope(message_id, message, COMMAND, "", "disbursement", slot=FIRST)
    fields: list[Any] = codec.unpack(codec.pack(codec.envelope_fields(envelope)))
    return fields


def overloaded() -> tuple[Routing, Correspondent]:
    """A cell that takes ten envelopes a second, and orders that have waited too long for too long."""
    made = routing(frame_envelopes=5, queue_seconds=1)
    client = made.meet()
    made.now = 0
    made.accept(client, [order(f"o-{at}") for at in range(100)])
    for at in range(6):
        (frame,) = [each for each in made.due(now=at * 0.5) if each[0] == "cell-0"]
        made.answered(*handled(frame))
    made.due(now=3)
    return made, client


def test_new_work_is_refused_while_what_goes_out_has_waited_too_long() -> None:
    """And hears when to come again: later than at once, and no later than the queue needs."""
    made, client = overloaded()
    assert made.report()["closed"] == ["cell-0"]
    made.accept(client, [order("late")])
    (busy,) = messages(made.refusals()[client])
    assert busy.causation_id == "late"
    assert isinstance(busy.message, Busy)
    assert 1_000 < busy.message.retry_after_ms <= 5_000
    assert busy.message.reason == "too much is waiting for cell-0"


def test_what_fits_into_the_next_frame_is_let_in_whatever_the_cell_has_been_through() -> None:
    """A cell that died and came back has made others wait: that is no overload."""
    made = routing(frame_envelopes=50, queue_seconds=1)
    client = made.meet()
    made.accept(client, [order("deadly")])
    (frame,) = made.due(now=0)
    made.accept(client, [order(f"o-{at}") for at in range(49)])
    for now in (10, 20):
        made.answered(*handled(frame))
        (frame,) = made.due(now=now)
        made.accept(client, [order(f"o-{now}")])
    assert made.refusals() == {}


def test_a_cell_that_was_replaced_starts_with_an_open_door() -> None:
    """What waited while it was away, and all that clients then sent again, is no overload: it is soon done."""
    made, client = overloaded()
    made.introduce({"cell-1": HERE["cell-1"]}, now=3)
    made.introduce(HERE | {"cell-0": "another address"}, now=9)
    for at in range(3):
        (frame,) = [each for each in made.due(now=9 + at * 0.1) if each[0] == "cell-0"]
        made.answered(*handled(frame))
        made.accept(client, [order(f"again-{at}")])
    assert made.refusals() == {}


def test_what_is_no_new_work_is_never_refused_for_it() -> None:
    """An operator can look and decide while the system is overloaded, and payments under way go on."""
    made, client = overloaded()
    before = made.report()["waiting"]["cell-0"]
    made.accept(client, [sent("drill")])
    assert made.refusals() == {}
    assert made.report()["waiting"]["cell-0"] == before + 1


def test_a_cell_takes_new_work_again_when_what_waited_is_done() -> None:
    """Its door opens by itself, and another cell's was never closed."""
    made, client = overloaded()
    now = 3.0
    while made.report()["waiting"]["cell-0"] or now == 3.0:
        now += 0.01
        for frame in made.due(now=now):
            made.answered(*handled(frame))
        lane = made._by_name["cell-0"]
        if lane.outstanding:
            made.answered("cell-0", pack_frame(GATEWAY, 1, lane.outstanding.number, []))
    made.due(now=now)
    assert made.report()["closed"] == []
    made.accept(client, [order("again")])
    assert made.refusals() == {}
