"""What any version has ever stored is understood by this one: messages, envelopes, log lines, sagas, digests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from actors import assembly
from actors.gateway.routing import Routing
from actors.messaging import codec
from actors.messaging.codec import CannotDecode, DuplicateMessageName
from actors.messaging.envelope import Envelope
from actors.messaging.message import Command
from actors.store.placement import spread
from tests.contract import released_messages
from tests.contract.released_messages import READ, envelope_of, files, meaning, missing, present, still_means, today

assembly.load_messages()

ADD = "run `python -m tests.contract.released_messages` and commit what it adds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap(Command):
    """A message in its second version: what was `times` (a number) is `rhythm` (a text) since."""

    codec_version: ClassVar[int] = 2
    from_clients: ClassVar[bool] = True

    door: str
    rhythm: str = ""


@pytest.fixture
def tap() -> Iterator[type[Tap]]:
    """`Tap` registered for one test, and no trace of it afterwards."""
    codec.register(Tap)
    yield Tap
    for registry in (codec.type_names, codec._wired, codec._upcasters):
        for name in [name for name in registry if name.startswith(("Tap", "Rap"))]:
            del registry[name]


def second_knock(fields: list[Any]) -> tuple[str, list[Any]]:
    """`Tap` of the first version: a door and how often."""
    door, times = fields
    return "Tap/2", [door, "." * times]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_everything_that_a_release_has_stored_still_means_what_it_meant(path: Any) -> None:
    """An upgrade that misreads one stored message loses or doubles a payment."""
    newest = today()
    read = 0
    for sample in released_messages.samples(path):
        data = bytes.fromhex(sample["hex"])
        found = meaning(READ[sample["stored"]](data))
        wanted = newest[sample["stored"], sample["hex"]]["means"]
        assert still_means(found, wanted), f"{sample['stored']} {sample['type']}: {found} instead of {wanted}"
        read += 1
    assert read > 100


def test_every_message_has_a_sample_in_the_release_in_the_making() -> None:
    """Else nobody would notice the day that it is no longer understood."""
    lacking = sorted({f"{each['stored']} {each['type']}" for each in missing()})
    assert lacking == [], f"{ADD}: {', '.join(lacking[:5])} …"


def test_the_samples_are_the_same_in_every_run() -> None:
    """A sample that changed by itself would hide one that was changed."""
    assert list(present()) == list(present())


@pytest.mark.parametrize("changed", ["hex", "means"])
def test_a_sample_that_decodes_to_something_else_is_noticed(changed: str) -> None:
    """The net holds: a wrong byte and a wrong meaning are both found."""
    sample = next(each for each in present() if each["type"] == "DebitAccount")
    data = bytes.fromhex(sample["hex"])
    wanted = sample["means"]
    if changed == "hex":
        data = data.replace(b"account_id", b"account_iD")
    else:
        wanted = {**wanted, "account_id": "another"}
    assert not still_means(meaning(READ["message"](data)), wanted)


def test_a_message_of_a_new_version_travels_under_a_name_of_its_own(tap: type[Tap]) -> None:
    """Whoever reads it knows which fields to expect."""
    message = tap(door="front", rhythm="..")
    assert codec.unpack(codec.encode(message)) == ["Tap/2", ["front", ".."]]
    assert codec.decode(codec.encode(message)) == message
    envelope = envelope_of(message)
    assert codec.envelope_from(codec.unpack(codec.pack(envelope))) == envelope
    assert codec.envelope_fields(envelope)[1][0] == "Tap/2"


def test_an_upcaster_makes_todays_message_of_what_was_stored_before(tap: type[Tap]) -> None:
    """Changed, and renamed before that: each step is written once and left alone."""
    codec.upcast("Tap", second_knock)
    codec.upcast("Rap", lambda fields: ("Tap", [*fields, 1]))
    assert codec.from_fields("Tap", ["front", 3]) == tap(door="front", rhythm="...")
    assert codec.from_fields("Rap", ["back"]) == tap(door="back", rhythm=".")
    stored = list(envelope_of(tap(door="front")))
    stored[1] = ["Rap", ["back"]]
    assert codec.envelope_from(stored).message == tap(door="back", rhythm=".")


def test_without_an_upcaster_the_older_version_is_refused_by_name(tap: type[Tap]) -> None:
    """It ends in the dead letters, whole, rather than being taken for the new one."""
    with pytest.raises(CannotDecode, match="no message is called 'Tap'"):
        codec.from_fields("Tap", ["front", 3])


@pytest.mark.parametrize("fields", [[], ["front"], ["front", "x"], ["front", None]])
def test_fields_that_an_upcaster_cannot_use_are_refused_and_nothing_else(tap: type[Tap], fields: list[Any]) -> None:
    """What is stored may be damaged: an upcaster's own error ends no process."""
    codec.upcast("Tap", second_knock)
    with pytest.raises(CannotDecode):
        codec.from_fields("Tap", fields)


def test_upcasters_in_a_circle_are_refused(tap: type[Tap]) -> None:
    """A mistake in the code must not hang a cell."""
    codec.upcast("Rap", lambda fields: ("Rapping", fields))
    codec.upcast("Rapping", lambda fields: ("Rap", fields))
    with pytest.raises(CannotDecode, match="circle"):
        codec.from_fields("Rap", [])


def test_a_name_is_either_a_message_or_an_old_one(tap: type[Tap]) -> None:
    """Two meanings of one name would be guessed between."""
    with pytest.raises(DuplicateMessageName):
        codec.upcast("Tap/2", second_knock)
    codec.upcast("Tap", second_knock)
    codec.upcast("Tap", second_knock)  # a module may be loaded again
    with pytest.raises(DuplicateMessageName):
        codec.upcast("Tap", lambda fields: ("Tap/2", fields))


def test_a_client_may_not_send_what_only_an_upcaster_understands(tap: type[Tap]) -> None:
    """It could stand for what actors alone may say; clients speak today's version."""
    codec.upcast("Rap", lambda fields: ("DebitAccount", fields))
    routing = Routing(spread(1))
    for name, refused in (("Rap", True), ("Tap/2", False)):
        fields = list(envelope_of(tap(door="front"))._replace(slot=0))
        fields[1] = [name, ["front"]]
        if refused:
            with pytest.raises(CannotDecode, match="earlier version"):
                routing.accept(routing.meet(), [fields])
        else:
            routing.accept(routing.meet(), [fields])


def test_an_envelope_stored_before_its_header_grew_gets_the_new_fields_defaults(
    tap: type[Tap], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header may grow at its end like any message; it may not shrink."""
    envelope = envelope_of(tap(door="front"))
    values = codec.unpack(codec.pack(envelope))
    monkeypatch.setattr(codec, "SHORTEST_ENVELOPE", len(values) - 1)
    assert codec.envelope_from(values[:-1]) == envelope._replace(slot=Envelope._field_defaults["slot"])
    for length in (0, len(values) - 2, len(values) + 1):
        with pytest.raises(CannotDecode, match="an envelope has"):
            codec.envelope_from([*values, None][:length])
