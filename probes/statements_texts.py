"""What is known of statements' texts: read rarely, for new entries only, kept as fingerprint, kind and redacted text.

Reading any text makes the server load all of them (65 ms at 20 MB). So that is done rarely: for a statement that took
noticeable time at most once a minute, for others as seldom as it is dear. No text is kept as it was: see `redact`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeAlias

from monitor.probe import ProbeError, Row, Session, StatementKind, read_statement, redact
from probes.statements_tags import tags

Entry: TypeAlias = tuple[int, int]
"""A database's oid and a queryid."""

SHOWN_CHARACTERS = 2000
WHOLE_CHARACTERS = 4_000_000
"""Of all texts that are longer than is shown, together: these are kept for index advice, the newest first."""
KEPT = 2000
BATCH = 300
PRESSING = 1.0
"""Seconds of execution in the window that make a statement worth knowing soon; `statements.slow` wants five."""
STEADY_SECONDS, CALM_SECONDS = 60.0, 600.0
REST = 5000
"""Where nothing presses, reading rests this many times as long as it took: 200 s after 40 ms."""
AGAIN_SECONDS = 600.0
"""After this long a text that could not be had is asked for once more."""

# convert_to: in a SQL_ASCII database a text may be no UTF-8, and the server would refuse to send it as one.
SQL = """
    select s.dbid::int8 as dbid,
           s.queryid,
           (pg_catalog.array_agg(case when pg_catalog.octet_length(s.query) <= 65536
                                      then pg_catalog.convert_to(s.query, case pg_catalog.getdatabaseencoding()
                                                                          when 'SQL_ASCII' then 'SQL_ASCII'
                                                                          else 'UTF8' end) end))[1] as text
      from pg_stat_statements(true) s
     where s.queryid = any ($1::int8[])
     group by s.dbid, s.queryid
     limit 10000
"""


@dataclass(frozen=True, kw_only=True)
class Text:
    """What one statement is; without `kind` its text is not known."""

    label: str
    """The fingerprint; while the text is unknown, the queryid."""
    kind: StatementKind | None = None
    tables: tuple[tuple[str | None, str], ...] = ()
    filtered: bool = False
    selects: bool = False
    aggregates: bool = False
    matches: bool = False
    redacted: str = ""
    whole: str = ""
    """What planners are given, where it is longer than what is shown."""
    tags: tuple[str, ...] = ()
    """What sqlcommenter wrote beside it, as `key=value`."""

    @cached_property
    def described(self) -> Row:
        """What rules and reports are told of it."""
        return {
            "kind": str(self.kind or "unknown"),
            "tables": self.tables,
            "filtered": self.filtered,
            "selects": self.selects,
            "aggregates": self.aggregates,
            "matches": self.matches,
            "tags": self.tags,
            "text": self.redacted,
            **({"whole": self.whole} if self.whole else {}),
        }


class Texts:
    """The cache of one server's texts; `room` is for the characters of whole ones together."""

    def __init__(self, room: int = WHOLE_CHARACTERS) -> None:
        self._room = room
        self._known: dict[Entry, Text] = {}
        self._asked: dict[Entry, datetime] = {}
        self.labels: dict[Entry, str] = {}
        """The label of each entry whose text was asked for, had or not."""
        self._read_at: datetime | None = None
        self._took = 0.0
        self._reads = 0

    def of(self, entry: Entry) -> Text:
        """Give what is known of an entry."""
        return self._known.get(entry) or unknown(entry)

    def kind(self, entry: Entry) -> StatementKind | None:
        """Give an entry's kind; None while its text is not known."""
        known = self._known.get(entry)
        return known.kind if known else None

    async def learn(self, session: Session, wanted: Mapping[Entry, float], now: datetime, *, show: bool) -> None:
        """Read the texts that are wanted and not known, if it is time; `wanted` gives each entry's seconds."""
        self._asked |= {entry: self._asked.pop(entry) for entry in wanted if entry in self._asked}
        missing = [entry for entry in wanted if self._missing(entry, now)][:BATCH]
        if not missing or not self._due(now, pressing=any(wanted[entry] >= PRESSING for entry in missing)):
            return
        self._read_at = now
        self._reads = min(self._reads + 1, 10)
        began = time.monotonic()
        texts = await _read(session, missing)
        self._took = time.monotonic() - began
        self._asked |= dict.fromkeys(missing, now)
        for entry in missing:
            text = understood(entry, texts[entry], show=show) if entry in texts else unknown(entry)
            self.labels[entry] = text.label
            if entry in texts:
                self._known[entry] = text
        self._bound()

    def rest_not(self) -> None:
        """Let the next reading be due at once."""
        self._read_at, self._reads = None, 0

    def _due(self, now: datetime, *, pressing: bool) -> bool:
        if self._read_at is None:
            return True
        soon = min(STEADY_SECONDS, 2.5 * 2**self._reads)
        wait = soon if pressing else min(CALM_SECONDS, max(soon, REST * self._took))
        return now - self._read_at >= timedelta(seconds=wait)

    def _missing(self, entry: Entry, now: datetime) -> bool:
        asked = self._asked.get(entry)
        if asked is None:
            return True
        return entry not in self._known and now - asked >= timedelta(seconds=AGAIN_SECONDS)

    def _bound(self) -> None:
        """Forget the texts that were asked for longest ago."""
        for entry in [*self._asked][: max(len(self._asked) - KEPT, 0)]:
            del self._asked[entry], self.labels[entry]
            self._known.pop(entry, None)
        left = self._room
        for entry in reversed([entry for entry, text in self._known.items() if text.whole]):
            left -= len(self._known[entry].whole)
            if left < 0:
                self._known[entry] = replace(self._known[entry], whole="")


async def _read(session: Session, entries: Iterable[Entry]) -> dict[Entry, str]:
    """Read texts; where the server cannot give them (one of another encoding spoils all), they stay unknown."""
    wanted = set(entries)
    try:
        rows = await session.fetch(SQL, sorted({queryid for _, queryid in wanted}))
    except ProbeError:
        return {}
    found = {(_number(row["dbid"]), _number(row["queryid"])): row["text"] for row in rows}
    return {entry: text.decode(errors="replace") for entry, text in found.items() if isinstance(text, bytes)}


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def unknown(entry: Entry) -> Text:
    """Name a statement by its queryid."""
    return Text(label=f"queryid-{entry[1] & 0xFFFFFFFFFFFFFFFF:016x}")


def understood(entry: Entry, sql: str, *, show: bool) -> Text:
    """Parse one text; one that cannot be parsed is known by its queryid only."""
    read = read_statement(sql)
    if read is None:
        return unknown(entry)
    text = Text(
        label=read.fingerprint,
        kind=read.kind,
        tables=read.tables,
        filtered=read.filtered,
        selects=read.selects,
        aggregates=read.aggregates,
        matches=read.matches,
        tags=tags(sql),
    )
    if not show:
        return text
    redacted = redact(sql, read.kind)
    shown = _cut(redacted)
    return replace(text, redacted=shown, whole=redacted if shown is not redacted else "")


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
