"""The Security Council's consolidated list, read from its XML; pure, and refuses every document type.

Expat expands entities that a document declares itself, which lets a kilobyte become gigabytes. The list
declares none, so a document type declaration ends the reading before anything could be expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from actors.aml.dates import listed_dates
from actors.aml.watchlist import BadWatchlist, WatchlistEntry

_NAMES = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
_DEPTH = 12


class _Node:
    """An element with its text, its children and the line where it starts."""

    __slots__ = ("children", "line", "tag", "texts")

    def __init__(self, tag: str, line: int) -> None:
        self.tag, self.line = tag, line
        self.texts: list[str] = []  # as they come, one a line or more: joined when they are asked for
        self.children: list[_Node] = []

    def all(self, *path: str) -> Iterator[_Node]:
        """The descendants at `path`."""
        for child in self.children:
            if child.tag == path[0]:
                if len(path) == 1:
                    yield child
                else:
                    yield from child.all(*path[1:])

    def value(self, *path: str) -> str:
        """The text of the first descendant at `path` that has any."""
        return next((text for node in self.all(*path) if (text := " ".join("".join(node.texts).split()))), "")


def read_un(content: bytes, source: str) -> list[WatchlistEntry]:
    """The entries of the UN's consolidated list in `content`.

    Raises:
        BadWatchlist: the XML is malformed, declares a document type, or is something else.

    Source: https://www.un.org/sc/resources/sc-sanctions.xsd
    """
    root = _parse(content, source)
    if root.tag != "CONSOLIDATED_LIST":
        raise BadWatchlist(f"{source} is XML but not the UN's consolidated list: it starts with <{root.tag}>.")
    entries: dict[str, WatchlistEntry] = {}
    for path, kind in ((("INDIVIDUALS", "INDIVIDUAL"), "person"), (("ENTITIES", "ENTITY"), "organisation")):
        for node in root.all(*path):
            entry = _entry(node, kind, source)
            if entry.entry_id in entries:
                raise BadWatchlist(f"{source} line {node.line} repeats entry {entry.entry_id}.")
            entries[entry.entry_id] = entry
    return list(entries.values())


def _entry(node: _Node, kind: str, source: str) -> WatchlistEntry:
    prefix = "INDIVIDUAL" if kind == "person" else "ENTITY"
    name = " ".join(part for tag in _NAMES if (part := node.value(tag)))
    entry_id = node.value("REFERENCE_NUMBER") or node.value("DATAID")
    if not name or not entry_id:
        raise BadWatchlist(f"{source} line {node.line} has an entry without a name or a reference number.")
    aliases = [node.value("NAME_ORIGINAL_SCRIPT")]
    weak: list[str] = []
    for alias in node.all(f"{prefix}_ALIAS"):
        names = weak if alias.value("QUALITY") == "Low" else aliases
        names.extend(alias.value("ALIAS_NAME").split(";"))
    return WatchlistEntry(
        entry_id=entry_id,
        name=name,
        aliases=tuple(dict.fromkeys(text.strip() for text in aliases if text.strip() and text != name)),
        weak_aliases=tuple(dict.fromkeys(text.strip() for text in weak if text.strip())),
        programme=node.value("UN_LIST_TYPE"),
        kind=kind,
        date_of_birth=listed_dates(";".join(_born(born) for born in node.all(f"{prefix}_DATE_OF_BIRTH")), lenient=True),
        country=node.value("NATIONALITY", "VALUE") or None,
    )


def _born(node: _Node) -> str:
    if node.value("FROM_YEAR") and node.value("TO_YEAR"):
        return f"{node.value('FROM_YEAR')}/{node.value('TO_YEAR')}"
    written = node.value("DATE") or node.value("YEAR")
    return f"circa {written}" if node.value("TYPE_OF_DATE") == "APPROXIMATELY" else written


def _parse(content: bytes, source: str) -> _Node:
    """The document's root."""
    parser = expat.ParserCreate()
    open_nodes = [_Node("", 0)]

    def start(tag: str, _attributes: dict[str, str]) -> None:
        if len(open_nodes) > _DEPTH:
            raise BadWatchlist(f"{source} line {parser.CurrentLineNumber} is nested more than {_DEPTH} deep.")
        node = _Node(tag, parser.CurrentLineNumber)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def end(_tag: str) -> None:
        open_nodes.pop()

    def text(data: str) -> None:
        open_nodes[-1].texts.append(data)

    def document_type(*_: object) -> None:
        raise BadWatchlist(f"{source} line {parser.CurrentLineNumber} declares a document type, which no list needs.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = document_type
    parser.EntityDeclHandler = document_type
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise BadWatchlist(f"{source} line {error.lineno} is not valid XML: {expat.ErrorString(error.code)}.") from None
    except (LookupError, ValueError) as error:  # an encoding that is none, or takes several bytes a character
        raise BadWatchlist(f"{source} is in an encoding that can't be read ({error}); save it as UTF-8.") from None
    return open_nodes[0].children[0]
