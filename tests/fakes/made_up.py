"""Steps of services that don't exist, each with messages of its own: for workflows that a test makes up."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from actors.messaging.message import Command, Message, Outcome
from actors.payment.definition import Step
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason


@dataclass(frozen=True)
class Words:
    """What is said to one made-up service, and what it says: `Do` and `Undo` are commands."""

    Do: type[Any]
    Undo: type[Any]
    Done: type[Any]
    Refused: type[Any]
    Held: type[Any]
    Overdue: type[Any]
    Submitted: type[Any]
    InDoubt: type[Any]
    Undone: type[Any]
    UndoRefused: type[Any]

    def refused(self, code: str = "AM04", attempt: int = 1) -> Message:
        """No, for this reason, to this try."""
        refusal: Message = self.Refused(reason=Reason(code, f"refused for {code}"), attempt=attempt)
        return refusal


@cache
def words(name: str) -> Words:
    """The messages of the service that does the step `name`; the same classes whenever they are asked for."""

    def message(kind: str, base: type[Message], *fields: tuple[str, Any] | tuple[str, Any, Any]) -> type[Any]:
        return make_dataclass(f"{kind}_{name}", fields, bases=(base,), frozen=True, kw_only=True)  # type: ignore[arg-type]

    why = ("reason", Reason)
    return Words(
        Do=message("Do", Command, ("attempt", int, 1)),
        Undo=message("Undo", Command),
        Done=message("Done", Outcome),
        Refused=message("Refused", Outcome, why, ("attempt", int, 1)),
        Held=message("Held", Outcome, ("review_seconds", float, 3600)),
        Overdue=message("Overdue", Outcome, why),
        Submitted=message("Submitted", Outcome),
        InDoubt=message("InDoubt", Outcome, why),
        Undone=message("Undone", Outcome),
        UndoRefused=message("UndoRefused", Outcome, why),
    )


def a_step(name: str, **changes: Any) -> Step:
    """A step that can be refused, held, tried again and undone, unless changed."""
    said = words(name)

    def do(order: PaymentOrder) -> Any:
        return said.Do()

    def do_again(order: PaymentOrder, attempt: int) -> Any:
        return said.Do(attempt=attempt)

    def undo(order: PaymentOrder, reason: Reason, ending: str) -> Any:
        return said.Undo()

    do.__annotations__["return"] = do_again.__annotations__["return"] = said.Do
    undo.__annotations__["return"] = said.Undo
    values: dict[str, Any] = {
        "to": f"service-{name}",
        "command": do,
        "again": do_again,
        "done": said.Done,
        "refused": said.Refused,
        "waits_for_person": said.Held,
        "overdue": said.Overdue,
        "under_way": said.Submitted,
        "in_doubt": said.InDoubt,
        "timeout": timedelta(seconds=10),
        "retries": 1,
        "compensation": undo,
        "undone": said.Undone,
        "undo_refused": said.UndoRefused,
    }
    return Step(name, **(values | changes))


def a_pivot(name: str = "pay", **changes: Any) -> Step:
    """The step after which there is no undoing."""
    return a_step(name, **({"pivot": True, "compensation": None, "undone": None, "undo_refused": None} | changes))


def a_last_step(name: str = "book", **changes: Any) -> Step:
    """One that comes after the pivot."""
    return a_pivot(name, **({"pivot": False} | changes))
