"""The code's own shape: who imports whom, how pure a model is, what things are called. See docs on where code lives."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from actors import assembly
from actors.directory.actor import BroadcastDirectory
from actors.messaging import codec
from actors.messaging.message import Message
from actors.runtime.housekeeping import Actors, DeadLetters, Waiting
from actors.runtime.service import Service

ROOT = Path(__file__).parents[2]
SERVICES = tuple(assembly.SERVICES)
ROOMS = {"model", "messages", "store", "actor", "reactions", "queries", "workflow", "saga", "worker"}
MAY_IMPORT_MESSAGES = {
    "reactions.py", "payment/workflow.py", "payment/stanzas.py", "payment/refund.py",
    "operations/asks.py", "operations/steering.py",  # what people have done to payments goes to whoever can do it
}  # fmt: skip
ADAPTERS = {"runtime", "messaging", "store", "directory", "vocabulary"}
PRINTERS = ("actors/admin/", "system.py")
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "tools", "manager", "managers"}

assembly.load_messages()


def sources(*under: str) -> list[Path]:
    """The product's own modules, below these folders."""
    return sorted(path for name in under for path in (ROOT / name).rglob("*.py"))


PRODUCT = [*sources("actors", "config"), ROOT / "system.py"]


def short(path: Path) -> str:
    """The path as one reads it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """A module's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, *, typing_only: bool = True) -> set[str]:
    """Every module that this one imports, anywhere in it, as `package.module` and `package.module.name`."""
    found = set()
    skipped: set[int] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and not typing_only:
            skipped |= {id(inner) for inner in ast.walk(node)}
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{short(path)} imports relative to itself"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def clock_reads(path: Path) -> list[str]:
    """Where a module asks what time it is."""
    return [
        f"{short(path)} reads the clock in line {node.lineno}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"now", "utcnow", "today"}
        and isinstance(node.value, ast.Name)
        and node.value.id in {"datetime", "date"}
    ]


def service_of(module: str) -> str | None:
    """The service that a module's name belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "actors" and parts[1] in SERVICES else None


def room_of(module: str) -> str:
    """The room in its service."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 else ""


@pytest.mark.parametrize("service", SERVICES)
def test_only_reactions_and_the_workflow_import_other_services_messages(service: str) -> None:
    """So the price of each style stands in the import graph, and nowhere else."""
    wrong = []
    for path in sources(f"actors/{service}"):
        name = path.name if path.name == "reactions.py" else f"{service}/{path.name}"
        for module in imports(path):
            other = service_of(module)
            if other in (None, service):
                continue
            if room_of(module) != "messages":
                wrong.append(f"{short(path)} imports {module}: of another service only messages may be imported")
            elif name not in MAY_IMPORT_MESSAGES:
                wrong.append(f"{short(path)} imports {module}: only reactions.py and payment's workflows may")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ["messaging", "runtime", "store", "directory", "vocabulary"])
def test_the_runtime_knows_no_service(folder: str) -> None:
    """How messages travel is the same for any business."""
    wrong = [f"{short(path)} imports {each}" for path in sources(f"actors/{folder}") for each in imports(path)
             if service_of(each)]  # fmt: skip
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ["messaging", "vocabulary"])
def test_what_everybody_imports_imports_nobody(folder: str) -> None:
    """Messages and vocabulary are at the bottom."""
    allowed = {"messaging", "vocabulary"}
    wrong = [
        f"{short(path)} imports {module}"
        for path in sources(f"actors/{folder}")
        for module in imports(path)
        if module.startswith("actors.") and module.split(".")[1] not in allowed
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", sorted(ROOT.glob("actors/*/model.py")), ids=short)
def test_a_model_is_pure(path: Path) -> None:
    """No actor, SQL, clock, randomness or log: a rule can be tested with values alone."""
    forbidden = {
        "thespian", "sqlite3", "sqlalchemy", "time", "random", "secrets", "uuid", "logging", "structlog", "os",
        "socket", "threading", "asyncio", "subprocess", "pathlib", "config",
    }  # fmt: skip
    wrong = []
    for module in imports(path, typing_only=False):
        adapter = module.startswith(("actors.runtime", "actors.store", "actors.directory", "actors.admin"))
        room = room_of(module) if service_of(module) else ""
        if adapter or module.split(".")[0] in forbidden or room in {"actor", "store", "worker", "saga", "queries"}:
            wrong.append(f"imports {module}")
    wrong += clock_reads(path)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Name) and node.id in {"open", "print", "input"}:
            wrong.append(f"calls {node.id} in line {node.lineno}")
    assert not wrong, f"{short(path)}: " + "; ".join(wrong)


@pytest.mark.parametrize("service", SERVICES)
def test_handlers_read_no_clock_and_roll_no_dice(service: str) -> None:
    """Time and chance come through the turn, so that a simulation decides on both."""
    wrong = []
    for room in ("actor", "saga", "store", "reactions", "workflow", "messages"):
        path = ROOT / "actors" / service / f"{room}.py"
        if not path.exists():
            continue
        wrong += [f"{short(path)} imports {each}" for each in imports(path)
                  if each.split(".")[0] in {"time", "random", "secrets", "uuid", "socket", "threading"}]  # fmt: skip
        wrong += clock_reads(path)
    assert not wrong, "\n".join(wrong)


def test_every_service_has_the_same_rooms() -> None:
    """Knowing one means knowing all."""
    for service in SERVICES:
        rooms = {path.stem for path in sources(f"actors/{service}")}
        assert {"messages", "actor"} <= rooms, service


def test_message_names_are_unique() -> None:
    """The name is all that the wire, the log and the codec know of a class."""
    names = Counter(
        node.name
        for path in sources("actors")
        if path.name in {"messages.py", "system_messages.py", "service.py"}
        for node in tree(path).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_every_message_a_module_defines_is_known_to_the_codec() -> None:
    """One that isn't would fail in the handler that sends it."""
    rooms = {cls.__module__ for cls in codec.type_names.values()}
    for path in sources(*(f"actors/{service}" for service in SERVICES), "actors/directory"):
        if path.name == "messages.py":
            assert ".".join(path.relative_to(ROOT).with_suffix("").parts) in rooms, short(path)


def every_service() -> list[type[Service]]:
    """All that a cell hosts."""
    families = [member for _, member, _ in assembly.families()]
    return [*assembly.services(), *families, BroadcastDirectory, DeadLetters, Actors, Waiting]


@pytest.mark.parametrize("service", every_service(), ids=lambda service: service.__name__)
def test_every_entry_of_a_handler_table_has_its_method(service: type[Service]) -> None:
    """A message and a method of the class itself, that takes the message and the turn."""
    assert service.handlers
    for message, handler in service.handlers.items():
        assert issubclass(message, Message)
        assert handler in vars(service).values(), f"{message.__name__} is handled by something else"
        assert handler.__code__.co_argcount == 3, handler.__qualname__


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reacts_once_to_an_event(service: str) -> None:
    """A parked event is handled as a whole when it is tried again: a second reaction would be a repeat of the first."""
    orders = assembly.reactions().get(service, {})
    for order in {*orders, "*"}:
        seen = Counter(
            (on.event.__name__, flow) for key in {order, "*"} for on in orders.get(key, ()) for flow in on.flows
        )
        assert [key for key, count in seen.items() if count > 1] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_reaction_makes_a_command_that_its_service_handles(service: str) -> None:
    """Else the event would end in the dead letters."""
    handled = {name: cls.handlers for cls in assembly.services() for name in [cls.name]}
    for order, reactions in assembly.reactions().get(service, {}).items():
        for on in reactions:
            assert on.command in handled[service], f"{service} ({order}): {on.event.__name__} → {on.command.__name__}"


def test_migrations_of_a_component_are_numbered_from_one_without_gaps() -> None:
    """A store knows by the number what it has."""
    migrations = {migration for service in every_service() for migration in service.migrations}
    by_component: dict[str, list[int]] = {}
    for migration in migrations:
        by_component.setdefault(migration.component, []).append(migration.version)
    for component, versions in by_component.items():
        assert sorted(versions) == list(range(1, len(versions) + 1)), component


@pytest.mark.parametrize("path", PRODUCT, ids=short)
def test_a_module_opens_with_a_line_that_says_what_it_is(path: Path) -> None:
    """And has a name that says so, too."""
    docstring = ast.get_docstring(tree(path))
    assert docstring, "it has no docstring"
    first = docstring.splitlines()[0]
    assert len(first) <= 120
    assert path.stem not in NO_NAMES, "its name says nothing"
    assert path.parent.name not in NO_NAMES, "its folder's name says nothing"


@pytest.mark.parametrize("path", [path for path in PRODUCT if not short(path).startswith(PRINTERS)], ids=short)
def test_only_the_command_line_prints(path: Path) -> None:
    """What a process has to say goes into its log."""
    wrong = [node.lineno for node in ast.walk(tree(path))
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"]  # fmt: skip
    assert wrong == []


def test_application_data_is_never_unpickled() -> None:
    """Bytes from elsewhere must not choose which code runs: only the processes' own plumbing knows pickle."""
    users = {short(path) for path in PRODUCT if {each.split(".")[0] for each in imports(path)} & {"pickle", "shelve"}}
    assert users <= {f"actors/runtime/{name}.py" for name in ("transport", "signing", "launch", "launcher")}


def test_a_process_that_only_reads_loads_no_screening_index() -> None:
    """The command line answers at once: what is slow is imported by those who need it."""
    assert "actors.messaging.codec" in sys.modules
    slow = {"sqlalchemy", "rapidfuzz", "thespian"}
    for path in [*sources("actors/vocabulary"), *sources("actors/messaging"), ROOT / "system.py"]:
        assert not {each.split(".")[0] for each in imports(path)} & slow, short(path)


def test_every_test_says_why_it_matters() -> None:
    """A name says what is so, the docstring why anybody should care."""
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []
