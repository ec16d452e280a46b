"""What may be said of a payment after each line of the log, and how long it may stand still. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from actors.messaging import codec
from actors.messaging.envelope import CHOREOGRAPHED, COMMAND, EVENT, TIMER
from actors.tracker.messages import PaymentStalled
from actors.vocabulary.reason import NARRATIVE, Reason

if TYPE_CHECKING:
    from actors.messaging.envelope import Envelope
    from actors.messaging.message import Message
    from actors.runtime.service import Record

MOVING: Final = ("received", "debiting", "screening", "executing", "compensating")
FINAL: Final = frozenset({"completed", "rejected", "cancelled", "returned"})
OBSERVER: Final = "tracker"
CLERK: Final = "operations"  # asks for things in people's names, many at once: it has a part in jobs, in no payment
CALL: Final = "PaymentNeedsAttention"  # what followers alone react to; itself it calls a person
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
RARE: Final = frozenset({"held", "needs_attention", "rejected", "cancelled", "returned"})
STATUSES: Final = (*MOVING, "held", "completed", "rejected", "cancelled", "returned", "needs_attention")

# An end, or the call for a person, is believed of every payment that has not ended; the rest goes forward.
_ENDS: Final = FINAL | {"needs_attention"}
MOVES: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset(STATUSES),  # the first line of a payment
    "received": frozenset(STATUSES) - {"received"},
    "debiting": frozenset({"screening", "held", "executing", "compensating"}) | _ENDS,
    "screening": frozenset({"debiting", "held", "executing", "compensating"}) | _ENDS,
    "held": frozenset({"debiting", "executing", "compensating"}) | _ENDS,
    "executing": frozenset({"held", "compensating"}) | _ENDS,  # held: rejected, and tried again later
    "compensating": _ENDS,
    "completed": frozenset({"returned", "needs_attention"}),
    "rejected": frozenset({"needs_attention"}),
    "cancelled": frozenset({"needs_attention"}),
    "returned": frozenset({"needs_attention"}),
    "needs_attention": frozenset(STATUSES) - {"received", "needs_attention"},
}


class Standing(NamedTuple):
    """What is known of one payment: its status with the reason for it, and what moved it last.

    `last_type` is the last message of any kind, `last_event` the last published one, `reached` the actors
    that got that one. `moved_at` is when it moved last, or since when a person is called (None: as before).
    `told_at` is the moment of the newest line that said something of the status.
    """

    status: str = ""
    reason: str | None = None
    reason_text: str = ""
    last_type: str = ""
    last_event: str = ""
    reached: str = ""
    moved_at: datetime | None = None
    told_at: datetime | None = None


UNKNOWN: Final = Standing()


def follow(standing: Standing, records: Iterable[Record]) -> Standing:
    """Where the payment stands after `records`, in the order of their moments; `standing` itself if nothing is new.

    Lines without progress still show that the payment moves, until it has ended; but for ticks. A line that would lead
    backwards (a late `executing` after the end, a repeated `received`) changes no status.
    """
    status, reason, text, _, last_event, reached, moved_at, told_at = standing
    last: Message | None = None
    event: Message | None = None
    receivers: tuple[str, ...] = ()
    stood = status
    for _, at, envelope, progress, received_by in records:
        if told_at is not None and at < told_at and not _ends_what_moves(progress, status):
            continue  # it comes late, from another cell: the story has gone on since
        if envelope.kind == TIMER:
            continue  # time has passed, which moves nothing by itself
        heard = standing.last_type if last is None else type(last).__name__
        if progress == "needs_attention" and _calls_for_nothing(envelope.message, status, heard):
            continue
        if progress is not None and progress in MOVES[status]:
            said = _reason_in(envelope.message)
            if status != "needs_attention" or not _asks_again(envelope):
                status = progress
                reason, text = said
            told_at = LONG_AGO if progress == "needs_attention" and _nothing_was_heard(envelope.message) else at
        elif status in FINAL:
            continue
        elif progress == status == "needs_attention":
            said = _reason_in(envelope.message)
            if said[1]:
                reason, text = said
            told_at = told_at if _nothing_was_heard(envelope.message) else at
        # What is asked and answered while a person is called does not make anybody wait any less long.
        moved_at = moved_at if stood == status == "needs_attention" else at
        stood = status
        last = envelope.message
        if envelope.kind == EVENT and not last.by_person:  # a person's wish is no step that others answer
            event, receivers = last, received_by
    if last is None:
        return standing
    if event is not None:
        last_event, reached = type(event).__name__, ", ".join(receivers)
    return Standing(status, reason, text, type(last).__name__, last_event, reached, moved_at, told_at)


_NO_REASON: Final = (None, "")


def _reason_in(message: Message) -> tuple[str | None, str]:
    """The reason that the message gives for what it says, as code and words."""
    reason = getattr(message, "reason", None)
    if reason.__class__ is Reason:
        return reason.code, reason.text
    cause = getattr(message, "cause", None)
    if cause is None:
        return _NO_REASON
    who, what = getattr(message, "subscriber", "an actor"), getattr(message, "event_type", "a message")
    letter = getattr(message, "dead_letter_id", "")
    return NARRATIVE, f"the reaction of {who} to {what} failed: {cause} (dead letter {letter})"


def _asks_again(envelope: Envelope) -> bool:
    """Whether a command is only sent again since nobody has answered: a person is called, and that still holds."""
    return envelope.kind == COMMAND and envelope.causation_id.startswith("timer/")


def _calls_for_nothing(message: Message, status: str, heard: str) -> bool:
    """Whether nobody is needed though the message calls for a person; `heard` is the last that was heard before.

    A reaction to a payment's end, or to a call for a person, failed: a mail or a copy is missing, the payment is not,
    whether that end has been heard of or is still on its way from another cell. The tracker itself could not take a
    line that would be no news. What asks for many payments at once missed an answer about this one, which its job's
    result shows. Or the deadline had passed just before somebody was heard, in the same turn.
    """
    if isinstance(message, PaymentStalled):
        return message.last_message != heard
    failed = codec.type_names.get(getattr(message, "event_type", ""))
    if failed is None:
        return False
    subscriber = getattr(message, "subscriber", "")
    if subscriber == OBSERVER:
        return failed.progress not in MOVES[status]
    return subscriber == CLERK or failed.progress in FINAL or failed.__name__ == CALL


def _ends_what_moves(progress: str | None, status: str) -> bool:
    """Whether a line is a payment's end that has not been heard of yet: younger lines only repeat what led to it."""
    return progress in FINAL and (status in MOVING or status == "held")


def _nothing_was_heard(message: Message) -> bool:
    """Whether the message says of the payment only that nothing was heard, or that the tracker could not take it.

    What is heard later counts, however old it is: from a cell that was cut off, or from a dead letter.
    """
    return isinstance(message, PaymentStalled) or getattr(message, "subscriber", "") == OBSERVER


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a payment may stand still before a person is called, in microseconds.

    `moving` holds between the steps of a choreographed payment, `executing` while the bank has it and, since
    a saga watches its own steps, for every orchestrated one. Held ones wait for a person whom AML watches.
    """

    moving: int
    executing: int

    def for_payment(self, status: str, flow: str, *, unanswered: bool = False) -> int | None:
        """How long this payment may stand still, or None where nobody waits for a message.

        `unanswered` says that an actor which should react to the last event is known not to.
        """
        if status not in MOVING:
            return None
        if flow == CHOREOGRAPHED and (unanswered or status != "executing"):
            return self.moving
        return self.executing


def awaited(standing: Standing, by_type: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """The services whose turn it is, as far as the last message tells; None where it tells nothing.

    An event is up to those whom it reached, anything else is up to whom `by_type` names for it.

    >>> by_type = {"DebitAccount": frozenset({"ledger"})}
    >>> awaited(Standing("debiting", last_type="DebitAccount", last_event="PaymentRequested"), by_type)
    frozenset({'ledger'})
    >>> awaited(Standing("debiting", last_type="AccountDebited", last_event="AccountDebited", reached="aml"), by_type)
    frozenset({'aml'})
    """
    if standing.last_type == standing.last_event and standing.reached:
        return frozenset(standing.reached.split(", "))
    return by_type.get(standing.last_type)


def why_stalled(
    standing: Standing, *, flow: str, workflow: str, missing: tuple[str, ...], waited_seconds: float
) -> str:
    """One sentence for the person who looks at the payment: what it waits for, and whose reaction is missing.

    >>> debited = Standing("debiting", last_type="AccountDebited", last_event="AccountDebited")
    >>> told = {"flow": "choreographed", "workflow": "debit-first", "waited_seconds": 30}
    >>> why_stalled(debited, missing=("aml",), **told)
    'nobody answered AccountDebited within 30 s: the reaction of aml is missing'
    >>> why_stalled(debited, missing=(), **told)
    'nobody answered AccountDebited within 30 s: no service reacts to AccountDebited in the debit-first order'
    """
    event = standing.last_event
    if flow == CHOREOGRAPHED and event:
        unanswered = f"nobody answered {event} within {waited_seconds:g} s"
        if missing:
            are = "reaction of {} is" if len(missing) == 1 else "reactions of {} are"
            return f"{unanswered}: the {are.format(' and '.join(missing))} missing"
        if standing.status != "executing":
            if standing.reached:
                return f"{unanswered}: {standing.reached} got it and said nothing"
            return f"{unanswered}: no service reacts to {event} in the {workflow} order"
    return f"nothing has moved for {waited_seconds:g} s since {standing.last_type}"
