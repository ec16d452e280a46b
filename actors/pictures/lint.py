"""What is wrong with the flows as they are wired, found in the code: loose ends, circles, what nothing undoes.

What is meant to be so says it where it stands, with the reason: `unheard` on an event, `may_be_idle` on a reaction.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from actors import assembly
from actors.directory.reaction import ANY_ORDER, Reactions
from actors.messaging import codec
from actors.messaging.message import Event, Message
from actors.payment.definition import Step, Workflow
from actors.payment.description import made_by
from actors.payment.faults import BadWorkflow
from actors.payment.queries import outcomes
from actors.payment.serving import Handled, must_be_served
from actors.pictures import rehearsals
from actors.pictures.chain import answers, of_order, publisher
from actors.pictures.rehearsals import Played, Scenario
from actors.vocabulary.offers import CHAIN_VERSION

UNSERVED, UNHEARD, UNTRIGGERED, CIRCLE, NOT_UNDONE, DIFFERENT = (
    "unserved step", "unheard event", "untriggered reaction", "circle", "nothing undoes it", "flows differ",
)  # fmt: skip
_SAY_NOTHING: Final = {"messages", "reactions", "queries", "workflow", "stanzas", "refund", "guarded"}


class Finding(NamedTuple):
    """One thing that is wrong: which rule says so, about what, and a sentence."""

    rule: str
    about: str
    sentence: str


@dataclass(frozen=True, slots=True)
class System:
    """What is looked at: how everything is wired, and which events somebody publishes."""

    reactions: Mapping[str, Reactions]
    workflows: tuple[Workflow, ...]
    events: tuple[type[Event], ...]
    published: frozenset[type[Event]]
    begins: type[Message]
    cancels: type[Message]
    handled: Handled = field(default_factory=dict)  # by service, what it takes; empty: nobody asks


def shipped() -> System:
    """The system as its code has it."""
    from actors.disbursement.messages import CancellationRequested, PaymentInitiated
    from actors.payment.workflow import WORKFLOWS

    assembly.load_messages()
    services = set(assembly.reactions()) | {cls.name for cls in assembly.services()}
    known = [cls for cls in codec.type_names.values() if issubclass(cls, Event)]
    events = tuple(cls for cls in known if publisher(cls) in services)
    workflows = tuple(WORKFLOWS.values())
    said = _said_by(services, {cls.__name__: cls for cls in known})
    ends = {getattr(each.endings, name) for each in workflows for name in each.endings.__dataclass_fields__}
    return System(assembly.reactions(), workflows, events, frozenset(said | ends), PaymentInitiated,
                  CancellationRequested, assembly.handled())  # fmt: skip


def lint(system: System) -> list[Finding]:
    """Everything that is found, rule by rule."""
    rules = (_unserved, _unheard, _untriggered, _circles, _not_undone, _differences)
    return list(dict.fromkeys(finding for rule in rules for finding in rule(system)))


def names_in_both(system: System) -> list[Workflow]:
    """The workflows whose order of steps the services know, too: in the version that the chain is offered as.

    A newer version beside it is meant to differ. Once the chain's own version is removed, the newest is what
    orchestrated payments of that name get, and is compared instead.
    """
    known = {name for each in system.reactions.values() for name in each if name != ANY_ORDER}
    twins: dict[str, Workflow] = {}
    for each in sorted(system.workflows, key=lambda each: (each.version == CHAIN_VERSION, each.version)):
        twins[each.name] = each
    return [workflow for name, workflow in twins.items() if name in known]


# -- workflows and services


def _unserved(system: System) -> Iterator[Finding]:
    for workflow in system.workflows if system.handled else ():
        try:
            must_be_served(workflow, system.handled)
        except BadWorkflow as error:
            yield Finding(UNSERVED, f"{workflow.name}@{workflow.version}", str(error))


# -- loose ends


def _unheard(system: System) -> Iterator[Finding]:
    heard = {on.event for each in system.reactions.values() for listed in each.values() for on in listed}
    for event in system.events:
        if event not in heard and not event.unheard and event in system.published:
            sentence = f"{publisher(event)} publishes it and nobody reacts; if that is meant, say why in `unheard`"
            yield Finding(UNHEARD, event.__name__, sentence)
        if event in heard and event.unheard:
            yield Finding(UNHEARD, event.__name__, "it says why nobody reacts to it, and somebody does")


def _untriggered(system: System) -> Iterator[Finding]:
    for service, each in system.reactions.items():
        for name, listed in each.items():
            for on in listed:
                if on.event not in system.published:
                    about = f"{service}: {on.event.__name__} → {on.command.__name__}"
                    yield Finding(UNTRIGGERED, about, f"nobody publishes {on.event.__name__} (order of steps: {name})")


def _circles(system: System) -> Iterator[Finding]:
    for workflow in names_in_both(system):
        for circle in _circles_of(system, workflow.name):
            way = " → ".join((*circle, circle[0]))
            yield Finding(CIRCLE, f"{workflow.name}, choreographed", f"a payment could go round for ever: {way}")


def _circles_of(system: System, name: str) -> Iterator[tuple[str, ...]]:
    leads: dict[str, set[str]] = {}
    for _, on in of_order(system.reactions, name):
        leads.setdefault(on.event.__name__, set()).update(each.__name__ for each in answers(on, name))
    return _round_trips(leads)


def _round_trips(leads: Mapping[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Each circle once, from its first event by name."""
    found: set[tuple[str, ...]] = set()

    def follow(event: str, way: tuple[str, ...]) -> None:
        if event in way:
            circle = way[way.index(event) :]
            first = circle.index(min(circle))
            found.add(circle[first:] + circle[:first])
            return
        for following in sorted(leads.get(event, ())):
            follow(following, (*way, event))

    for event in sorted(leads):
        follow(event, ())
    yield from sorted(found)


# -- what is held and never released


def _not_undone(system: System) -> Iterator[Finding]:
    for workflow in system.workflows:
        for route in workflow.routes():
            for step in route.steps[: route.pivot]:
                holds = made_by(step.command) if isinstance(step, Step) else None
                if isinstance(step, Step) and holds and holds.undone_by:
                    undo = made_by(step.compensation).__name__ if step.compensation else ""
                    if undo != holds.undone_by or not step.undo_when_done:
                        about = f"{workflow.name}@{workflow.version}: {step.name}"
                        yield Finding(NOT_UNDONE, about, _missing(holds))
    for workflow, scenario, _, played in _plays(system):
        undone = not played.endings or set(played.endings) & {"PaymentRejected", "PaymentCancelled"}
        done = [command for _, command in played.commands]
        for command in outcomes():
            undoes = command.undone_by
            refused = scenario.answers.get(command) is not None
            if undone and undoes and command.__name__ in done and undoes not in done and not refused:
                about = f"{workflow.name}, choreographed: {scenario.name}"
                yield Finding(NOT_UNDONE, about, _missing(command))


def _missing(holds: type[Message]) -> str:
    return f"what {holds.__name__} holds stays held: no {holds.undone_by} follows when the payment is undone"


# -- both flows


def _differences(system: System) -> Iterator[Finding]:
    for workflow, scenario, one, other in _plays(system):
        about = f"{workflow.name}: {scenario.name}"
        only = set(one.commands) - set(other.commands)
        more = set(other.commands) - set(one.commands) - set(other.idle)
        for commands, flow, elsewhere in (
            (only, "orchestrated", "choreographed"),
            (more, "choreographed", "orchestrated"),
        ):
            for service, command in sorted(commands):
                sentence = f"{flow}, {service} is asked to do {command}; {elsewhere}, it is not"
                yield Finding(DIFFERENT, about, sentence)
        if one.endings != other.endings:
            ends = [", ".join(each.endings) or "nothing" for each in (one, other)]
            yield Finding(DIFFERENT, about, f"orchestrated it ends with {ends[0]}, choreographed with {ends[1]}")


def _plays(system: System) -> Iterator[tuple[Workflow, Scenario, Played, Played]]:
    """Every scenario in both flows; a chain that goes round in a circle comes to no end that could be compared."""
    for workflow in names_in_both(system):
        if any(_circles_of(system, workflow.name)):
            continue
        for of in rehearsals.orders(workflow):
            for scenario in rehearsals.scenarios(workflow.route(of)):
                one = rehearsals.orchestrated(workflow, scenario, of)
                other = rehearsals.choreographed(system.reactions, scenario, of, system.begins, system.cancels)
                yield workflow, scenario, one, other


# -- who publishes what: the classes that a service's own modules use


def _said_by(services: Iterable[str], events: Mapping[str, type[Event]]) -> set[type[Event]]:
    found: set[type[Event]] = set()
    for service in services:
        for module in _modules(f"actors.{service}"):
            used = {node.id for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Name)}
            found |= {events[name] for name in used & set(events)}
    return found


def _modules(package: str) -> Iterator[Any]:
    for each in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if each.name.rpartition(".")[2] not in _SAY_NOTHING:
            yield importlib.import_module(each.name)
