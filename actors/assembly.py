"""What is wired to what: services, reactions, workers of a cell, found by their place in the tree.

A service whose folder is absent is left out, and so is a `reactions.py` that is absent: each flow is whole by
itself (tests/integration/test_one_flow_alone.py).
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from actors.directory import log
from actors.directory.reaction import ANY_ORDER, Reactions
from actors.messaging import codec
from actors.messaging.discovery import register_messages
from actors.messaging.envelope import CHOREOGRAPHED, ORCHESTRATED
from actors.messaging.message import Message, Task, Tick
from actors.runtime.core import CellCore, Hosting
from actors.runtime.service import Service, Worker
from actors.store.placement import Placement, establish
from actors.store.session import Reader, Sealed
from actors.topology import SERVICES, placed
from actors.vocabulary.counts import counted
from actors.vocabulary.offers import CHAIN_VERSION, Offer, Offers
from config.settings import Settings

FAMILIES: Final = (("payment/", "payment", "saga:PaymentSaga"),)  # prefix, parent, class
LISTED: Final = 20  # payments that a refused start names
REPLAYABLE: Final = ("tracker", "replication", "notification")


def load_messages() -> None:
    """Make every message class known to the codec."""
    register_messages()


def services() -> tuple[type[Service], ...]:
    """The services that are there."""
    found = [(name, _module(name, parts[0].partition(":")[0]), parts[0]) for name, parts in SERVICES.items()]
    return tuple(getattr(module, actor.partition(":")[2]) for _, module, actor in found if module is not None)


def reactions() -> dict[str, Reactions]:
    """Who reacts to what, per service, as its reactions.py (Payment: its workflow.py) declares it."""
    found = {}
    for name, (_, room, _) in SERVICES.items():
        module = _module(name, room) if room else None
        if module is not None:
            found[name] = module.REACTIONS
    return found


def families() -> tuple[tuple[str, type[Service], str], ...]:
    """Actors that exist one per payment."""
    found = []
    for prefix, parent, path in FAMILIES:
        room, _, cls = path.partition(":")
        module = _module(parent, room)
        if module is not None:
            found.append((prefix, getattr(module, cls), parent))
    return tuple(found)


@cache
def offers() -> Offers:
    """Every workflow that a payment may run on: the orchestrated ones, and the orders that reactions make."""
    found: list[Offer] = []
    workflow, definition = _module("payment", "workflow"), _module("payment", "definition")
    if workflow is not None:
        for each in workflow.WORKFLOWS.values():
            parts = definition.all_parts(each.steps)
            found.append(Offer(ORCHESTRATED, each.name, each.version, any(_waits_for_a_date(part) for part in parts)))
    orders = dict.fromkeys(order for name in SERVICES if name != "payment" for order in reactions().get(name, ()))
    found += [Offer(CHOREOGRAPHED, order, CHAIN_VERSION) for order in orders if order != ANY_ORDER]
    return Offers(tuple(found))


def _waits_for_a_date(part: Any) -> bool:
    definition = _module("payment", "definition")
    return isinstance(part, definition.WaitUntil) and not isinstance(part.until, definition.Window)


def sealed() -> tuple[Sealed, ...]:
    """The tables whose rows are only ever added: the log's, and what a service's store names `SEALED`."""
    stores = [_module(name, "store") for name in SERVICES]
    return (log.SEALED, *(store.SEALED for store in stores if hasattr(store, "SEALED")))


def hosting(settings: Settings, cell: str, where: Placement | None = None) -> Hosting:
    """Everything that one cell hosts: all services, unless `where` says otherwise."""
    load_messages()
    workers: list[Worker] = []
    for name, (_, _, path) in SERVICES.items():
        room, _, cls = path.partition(":")
        module = _module(name, room) if room and (where is None or where.hosts(cell, name)) else None
        if module is not None:
            workers.append(getattr(module, cls).for_cell(settings, cell))
    resources = {"awaited": awaited()}
    return Hosting(services(), families(), reactions(), tuple(workers), REPLAYABLE, offers(), resources)


def preload() -> None:
    """Import every room that a cell needs: once, before the cells are forked, so that no replacement has to.

    Raises:
        BadWorkflow: a file with workflows can't be loaded, by its line, or they ask for what nobody serves.
    """
    load_messages()
    try:
        services()
        reactions()
        families()
        must_be_served()
    except Exception as error:
        faults = _module("payment", "faults")
        if faults is None or isinstance(error, faults.BadWorkflow) or not faults.what_is_wrong(error):
            raise
        raise faults.BadWorkflow(faults.what_is_wrong(error)) from error
    for name, (_, _, path) in SERVICES.items():
        if path:
            _module(name, path.partition(":")[0])


def handled() -> dict[str, frozenset[type[Message]]]:
    """By service, the messages that it takes."""
    return {service.name: frozenset(service.handlers) for service in services()}


@cache
def awaited() -> dict[str, frozenset[str]]:
    """By a message's name, the services whose turn it is once it is said; absent where nobody can tell.

    That is whoever takes it; whose worker does it; who has reported that the step it was asked for is under way. Ticks,
    what people say, and what they are answered tell nothing of whom the payment waits for.
    """
    found: dict[str, frozenset[str]] = {}
    takers = [(service.name, service) for service in services() if service.name != "operations"]
    takers += [(parent, member) for _, member, parent in families()]
    for name, taker in takers:
        for kind in taker.handlers:
            if not kind.by_person and not issubclass(kind, Tick):
                found[kind.__name__] = found.get(kind.__name__, frozenset()) | {name}
    for kind in codec.type_names.values():
        home = kind.__module__.split(".")[1]
        if issubclass(kind, Task) and home in SERVICES:
            found[kind.__name__] = frozenset((home,))
    workflow, definition = _module("payment", "workflow"), _module("payment", "definition")
    for each in workflow.WORKFLOWS.values() if workflow is not None else ():
        for part in definition.all_parts(each.steps):
            if isinstance(part, definition.Step) and part.under_way is not None:
                found[part.under_way.__name__] = frozenset((part.to,))
    return found


def must_be_served() -> None:
    """See that the services can do what the workflows ask of them.

    Raises:
        BadWorkflow: they can't; the text says which step asks for what.
    """
    workflow, serving = _module("payment", "workflow"), _module("payment", "serving")
    if workflow is not None:
        taken = handled()
        for each in workflow.WORKFLOWS.values():
            serving.must_be_served(each, taken)


def build_cell(name: str, data: Path, incarnation: int) -> CellCore:
    """The core of the cell `name` of the data directory, as its effective settings say.

    Raises:
        StoreRefused: the directory is laid out for other cells, or payments under way need a workflow that is not here.
    """
    settings = Settings.model_validate_json((data / "run" / "settings.json").read_bytes())
    where = establish(data, placed(settings.topology))
    hosted = replace(hosting(settings, name, where), why_not=_why_not_served)
    return CellCore(name, data, settings, where, hosted)


def _why_not_served(reader: Reader) -> str:
    """The sentence that refuses a store of which payments under way would miss the version of their workflow, or ""."""
    workflow, versions = _module("payment", "workflow"), _module("payment", "versions")
    if workflow is None:
        return ""
    sentences = [
        f"{counted(sum(cells.values()), 'payment under way runs', 'payments under way run')} {version},"
        " which this program does not have"
        f" ({_some(versions.who_needs(reader, version, LISTED, accepted), sum(cells.values()))})"
        for version, cells in sorted(versions.lacking({"": reader}, workflow.WORKFLOWS, accepted).items())
    ]
    if not sentences:
        return ""
    return f"{'; '.join(sentences)}: start the program that has it; there they end, or workflow migrate moves them"


def accepted(reader: Reader, called: bool) -> list[tuple[str, str, int]]:
    """What the tracker has seen of payments that may not have begun; see `actors.payment.versions.Accepted`."""
    queries = _module("tracker", "queries")
    return [] if queries is None else queries.not_seen_to_move(reader, called=called)


def _some(payment_ids: list[str], number: int) -> str:
    more = f" and {number - len(payment_ids):,} more" if number > len(payment_ids) else ""
    return ", ".join(payment_ids) + more


def _module(service: str, room: str) -> Any:
    """A room of a service, or None where it is absent."""
    path = f"actors.{service}.{room}"
    try:
        present = importlib.util.find_spec(path) is not None
    except ModuleNotFoundError:
        present = False
    return importlib.import_module(path) if present else None
