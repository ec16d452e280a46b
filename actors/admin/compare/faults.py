"""A cell with something wrong in it, for the comparison of how a stuck payment is found. Never part of a real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from actors import assembly
from actors.aml.messages import ScreenBeneficiary
from actors.messaging.message import Message
from actors.runtime.core import CellCore
from actors.runtime.service import Service, Turn
from actors.store.placement import establish
from actors.topology import placed
from config.settings import Settings

CORE: Final = "actors.admin.compare.faults:build_cell"
RAISES: Final = "Compare Raises"  # the creditor whose screening fails
SILENT: Final = "Compare Silent"  # the creditor whose screening is taken and never answered


def build_cell(name: str, data: Path, incarnation: int) -> CellCore:
    """The cell as `assembly` builds it, with an AML that can't screen two of the creditors."""
    settings = Settings.model_validate_json((data / "run" / "settings.json").read_bytes())
    where = establish(data, placed(settings.topology))
    hosting = assembly.hosting(settings, name, where)
    services = tuple(_faulty(each) if each.name == "aml" else each for each in hosting.services)
    return CellCore(name, data, settings, where, replace(hosting, services=services))


def _faulty(service: type[Service]) -> type[Service]:
    handlers: dict[Any, Any] = dict(service.handlers)
    screen = handlers[ScreenBeneficiary]

    def handle(actor: Any, message: Message, turn: Turn) -> None:
        name = message.name if isinstance(message, ScreenBeneficiary) else ""
        if name == RAISES:
            raise RuntimeError("the screening of this creditor fails")
        if name != SILENT:
            screen(actor, message, turn)

    return type(service.__name__, (service,), {"handlers": handlers | {ScreenBeneficiary: handle}})
