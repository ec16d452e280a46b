"""Watchlists as they are published, read into entries; pure apart from reading the files named.

Formats: `simple` (a CSV with a header, our own), `sdn` (the Treasury's `sdn.csv` with `alt.csv` beside it)
and `un` (the Security Council's consolidated XML). A file that can't be read whole is refused whole, with the
line to look at: a list with a hole in it is worse than yesterday's list.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from actors.aml.dates import listed_dates

SIMPLE_HEADER = ("entry_id", "name", "aliases", "kind", "country", "date_of_birth", "programme")
KINDS = ("person", "organisation", "vessel", "aircraft")
FORMATS = ("simple", "sdn", "un")

_SDN_COLUMNS = 12
_SDN_KINDS = {"individual": "person", "vessel": "vessel", "aircraft": "aircraft", "": "organisation"}


class BadWatchlist(Exception):
    """The file can't be used as a watchlist; the message is one sentence that says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchlistEntry:
    """One listed person, organisation, vessel or aircraft.

    `weak_aliases` are names the publisher itself calls unreliable; they may hold a payment but never block
    it. `date_of_birth` is `YYYY-MM-DD`, `YYYY-MM`, `YYYY` or `YYYY/YYYY` (from, to); alternatives are
    separated by `;`.
    """

    entry_id: str
    name: str
    aliases: tuple[str, ...] = ()
    weak_aliases: tuple[str, ...] = ()
    programme: str = ""
    kind: str = "organisation"
    date_of_birth: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchlist:
    """A list in force: `source` is the file's name, `version` its date (UTC) and the start of its SHA-256."""

    name: str
    source: str
    version: str
    entries: tuple[WatchlistEntry, ...]


def read_watchlist(path: Path | str, format: str | None = None, name: str | None = None) -> Watchlist:
    """The watchlist in `path`; without `format` the file's beginning decides, without `name` the file's name.

    Reading a file again gives the same value.

    Raises:
        BadWatchlist: the file is missing, unreadable, malformed, empty or in no known format.
    """
    path = Path(path)
    if format is not None and format not in FORMATS:
        raise BadWatchlist(f"{format!r} is no watchlist format; known are {', '.join(FORMATS)}.")
    content = _content(path)
    hashed = hashlib.sha256(content)
    chosen = format or _recognise(content, path)
    if chosen == "un":
        from actors.aml.un_list import read_un

        entries = read_un(content, path.name)
    elif chosen == "sdn":
        also = path.with_name("alt.csv" if path.name != "SDN.CSV" else "ALT.CSV")
        others = _content(also) if also.exists() else b""
        hashed.update(others)
        entries = _read_sdn(_text(content, path), path.name, _text(others, also), also.name)
    else:
        entries = _read_simple(_text(content, path), path.name)
    if not entries:
        raise BadWatchlist(f"{path.name} has no entries.")
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Watchlist(
        name=name or path.stem,
        source=path.name,
        version=f"{changed:%Y-%m-%d}-{hashed.hexdigest()[:8]}",
        entries=tuple(entries),
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadWatchlist(f"{path} can't be read: {error.strerror}.") from None


def _recognise(content: bytes, path: Path) -> str:
    """The format that the file's beginning shows."""
    start = content[:4096].lstrip(b"\xef\xbb\xbf \r\n\t")
    if not start:
        raise BadWatchlist(f"{path.name} is empty.")
    if start.startswith(b"<"):
        return "un"
    first = start.splitlines()[0]
    if first.lower().replace(b'"', b"").replace(b" ", b"").startswith(b"entry_id,name"):
        return "simple"
    if first[:1].isdigit() and first.count(b",") >= _SDN_COLUMNS - 1 and b"-0-" in start:
        return "sdn"
    raise BadWatchlist(
        f"{path.name} is in no known watchlist format: neither a CSV whose header starts with entry_id,name, "
        "nor the Treasury's sdn.csv, nor the UN's XML."
    )


def _text(content: bytes, path: Path) -> str:
    """`content` as UTF-8, else as Windows' western encoding, which the Treasury has used."""
    content = content.removeprefix(b"\xef\xbb\xbf").rstrip(b"\x1a\r\n\t ")
    for encoding in ("utf-8", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            raise BadWatchlist(f"{path.name} line {line} has a zero byte; save the file as UTF-8.")
        return text
    raise BadWatchlist(f"{path.name} is neither UTF-8 nor Windows-1252 text; save it as UTF-8.")


def _rows(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with its line number; blank lines and the closing control character are passed over."""
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        for row in reader:
            if row and row != ["\x1a"] and any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise BadWatchlist(f"{source} line {reader.line_num} is not valid CSV: {error}.") from None


def _read_simple(text: str, source: str) -> list[WatchlistEntry]:
    rows = _rows(text, source)
    header = [cell.strip().lower() for _, row in [next(rows, (1, []))] for cell in row]
    missing = [column for column in ("entry_id", "name") if column not in header]
    unknown = [column for column in header if column not in SIMPLE_HEADER]
    if missing or unknown or len(set(header)) < len(header):
        raise BadWatchlist(f"{source} line 1 has the header {','.join(header)!r}; wanted is {','.join(SIMPLE_HEADER)}.")
    entries: dict[str, WatchlistEntry] = {}
    for line, row in rows:
        if len(row) != len(header):
            raise BadWatchlist(f"{source} line {line} has {len(row)} columns instead of {len(header)}.")
        cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
        kind = cells.get("kind", "").lower() or "organisation"
        if not cells["entry_id"] or not cells["name"]:
            raise BadWatchlist(f"{source} line {line} has no {'name' if cells['entry_id'] else 'entry_id'}.")
        if cells["entry_id"] in entries:
            raise BadWatchlist(f"{source} line {line} repeats the entry_id {cells['entry_id']!r}.")
        if kind not in KINDS:
            raise BadWatchlist(f"{source} line {line} has the kind {kind!r}; known are {', '.join(KINDS)}.")
        try:
            born = listed_dates(cells.get("date_of_birth", ""))
        except ValueError as error:
            raise BadWatchlist(f"{source} line {line} has no valid date_of_birth: {error}.") from None
        entries[cells["entry_id"]] = WatchlistEntry(
            entry_id=cells["entry_id"],
            name=cells["name"],
            aliases=_distinct(cells.get("aliases", "").split(";"), cells["name"]),
            kind=kind,
            country=cells.get("country") or None,
            date_of_birth=born,
            programme=cells.get("programme", ""),
        )
    return list(entries.values())


def _distinct(names: Iterable[str], *but: str) -> tuple[str, ...]:
    """`names` trimmed, in order, each once, without empty ones and those in `but`."""
    seen = dict.fromkeys(name.strip() for name in names)
    return tuple(name for name in seen if name and name not in but)


def _read_sdn(text: str, source: str, others: str, others_source: str) -> list[WatchlistEntry]:
    """Source: the Treasury's data specification for SDN.CSV and ALT.CSV: no header, `-0-` for null."""
    aliases: dict[str, list[str]] = {}
    rows = list(_rows(text, source))
    known = {row[0].strip() for _, row in rows}
    for line, row in _rows(others, others_source):
        if len(row) < 4:
            raise BadWatchlist(f"{others_source} line {line} has {len(row)} columns instead of 5.")
        if row[0].strip() not in known:
            raise BadWatchlist(f"{others_source} line {line} names entry {row[0].strip()!r}, which {source} lacks.")
        aliases.setdefault(row[0].strip(), []).append(_present(row[3]))
    entries: dict[str, WatchlistEntry] = {}
    for line, row in rows:
        if len(row) != _SDN_COLUMNS:
            raise BadWatchlist(f"{source} line {line} has {len(row)} columns instead of {_SDN_COLUMNS}.")
        entry_id, name, kind, programme = (_present(cell) for cell in row[:4])
        if not entry_id.isdecimal() or not name:
            raise BadWatchlist(f"{source} line {line} has no entry number or no name.")
        if entry_id in entries:
            raise BadWatchlist(f"{source} line {line} repeats entry {entry_id}.")
        remarks = _remarks(_present(row[11]))
        entries[entry_id] = WatchlistEntry(
            entry_id=entry_id,
            name=name,
            aliases=_distinct(aliases.get(entry_id, ()), name),
            weak_aliases=_distinct(remark[8:-1] for remark in remarks if remark.startswith("a.k.a. '")),
            programme=programme.replace("] [", ";"),
            kind=_SDN_KINDS.get(kind, "organisation"),
            date_of_birth=listed_dates(
                ";".join(
                    remark.removeprefix("alt. ")[4:] for remark in remarks if remark.startswith(("DOB ", "alt. DOB "))
                ),
                lenient=True,
            ),
            country=next((remark[12:] for remark in remarks if remark.startswith("nationality ")), None),
        )
    return list(entries.values())


def _present(cell: str) -> str:
    """The cell's value; the Treasury writes `-0-` for none."""
    cell = cell.strip()
    return "" if cell == "-0-" else cell


def _remarks(cell: str) -> list[str]:
    return [remark.strip() for remark in cell.rstrip(".").split(";")]
