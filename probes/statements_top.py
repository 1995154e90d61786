"""Which statements are looked at closely: the busiest, steadily chosen, and the slow; summed up by fingerprint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nlargest
from operator import itemgetter
from typing import TypeAlias

from monitor.probe import Row
from probes.statements_reading import COUNTERS, KEY
from probes.statements_texts import Entry, Texts

Key: TypeAlias = tuple[object, ...]
Group: TypeAlias = tuple[str, str]
"""A label and a database's name."""
Place: TypeAlias = tuple[str, int]
"""A label and a database's oid."""

OTHER = "other"


seconds = itemgetter("exec_seconds")
calls = itemgetter("calls")
counters = itemgetter(*COUNTERS)
key_of = itemgetter(*KEY)
entry_of: Callable[[Row], Entry] = itemgetter("dbid", "queryid")
"""Gives what an entry's text is known by."""
_database_of: Callable[[Row], int] = itemgetter("dbid")


@dataclass(frozen=True, kw_only=True)
class View:
    """Names for oids, and whose statements are our own."""

    databases: Mapping[int, str]
    roles: Mapping[int, str]
    own: object = None
    """The oid of the monitor's role, where nobody else uses it."""

    def database(self, row: Row) -> str:
        """Give the database's name; "" when it was dropped."""
        return self.databases.get(_database_of(row), "")

    def role(self, row: Row) -> str:
        """Give the role's name, or its oid when it was dropped."""
        role = row["userid"]
        return self.roles.get(role, f"oid {role}") if isinstance(role, int) else ""

    def shown(self, rows: Iterable[Row]) -> list[Row]:
        """Leave out our own statements and those of dropped databases."""
        return [row for row in rows if row["dbid"] in self.databases and row["userid"] != self.own]


class Members:
    """The busiest entries; one that has fallen behind stays for a while, so that series do not come and go."""

    def __init__(self) -> None:
        self._busy_at: dict[Key, datetime] = {}

    def choose(self, ranked: Sequence[Key], now: datetime, *, top: int, hold: float) -> set[Key]:
        """Take in the newest ranking; give at most `top` members."""
        at_least = now - timedelta(seconds=hold)
        self._busy_at = {key: at for key, at in self._busy_at.items() if at >= at_least}
        self._busy_at.update((key, now) for key in ranked[:top] if key in self._busy_at)
        for place, key in enumerate(ranked[:top]):
            if key in self._busy_at:
                continue
            if len(self._busy_at) >= top:
                if place >= top / 2:  # not so busy that another one has to make room before its time
                    continue
                del self._busy_at[min(self._busy_at, key=lambda each: self._busy_at[each])]
            self._busy_at[key] = now
        for key in sorted(self._busy_at, key=lambda each: self._busy_at[each])[: max(len(self._busy_at) - top, 0)]:
            del self._busy_at[key]
        return set(self._busy_at)


def busiest(rows: Sequence[Row], top: int) -> list[Row]:
    """Rank by time of execution."""
    return nlargest(top, (row for row in rows if seconds(row) > 0), key=seconds)


def slowest(rows: Sequence[Row], top: int) -> list[Row]:
    """Rank by time per call, of those called often enough to be judged."""
    often = [row for row in rows if calls(row) >= MIN_CALLS]
    return nlargest(top, often, key=lambda row: seconds(row) / calls(row))


MIN_CALLS = 3


def groups(rows: Sequence[Row], chosen: Sequence[Row], texts: Texts, view: View) -> Iterator[tuple[Group, Row]]:
    """Sum the chosen statements up by label and database, the largest first; those not yet looked up are left out."""
    members: dict[Place | None, list[Row]] = {_place(row, texts): [] for row in chosen}
    members.pop(None, None)
    for row in rows:
        place = _place(row, texts)
        if place in members:
            members[place].append(row)
    sums = [summed((place[0], view.database(own[0])), own, texts, view) for place, own in members.items() if place]
    for row in sorted(sums, key=lambda row: (-seconds(row), row["statement"], row["database"])):
        yield (str(row["statement"]), str(row["database"])), row


def _place(row: Row, texts: Texts) -> Place | None:
    entry = entry_of(row)
    label = texts.labels.get(entry)
    return None if label is None else (label, entry[0])


def summed(group: Group, rows: Sequence[Row], texts: Texts, view: View) -> Row:
    """Give one statement's figures over all its entries."""
    text = texts.of(entry_of(rows[0]))
    return {
        "statement": group[0],
        "database": group[1],
        "roles": tuple(sorted({view.role(row) for row in rows})),
        "kind": str(text.kind or "unknown"),
        "tables": text.tables,
        "filtered": text.filtered,
        "selects": text.selects,
        "aggregates": text.aggregates,
        "matches": text.matches,
        "tags": text.tags,
        "text": text.redacted,
        "nested": not any(row["toplevel"] for row in rows),
        "twins": tuple(_twins(rows, view)),
        **dict(zip(COUNTERS, _sums(rows), strict=True)),
    }


def _twins(rows: Sequence[Row], view: View) -> Iterator[tuple[str, int, float]]:
    """Give role, queryid and calls where one role's statement came under several queryids."""
    if len(rows) == 1:
        return
    asked = [row for row in rows if row["toplevel"] and calls(row)]
    often = Counter(row["userid"] for row in asked)
    for row in asked:
        if often[row["userid"]] > 1:
            yield view.role(row), entry_of(row)[1], calls(row)


def _sums(rows: Sequence[Row]) -> Iterable[float]:
    """Add up; most statements are of one role, and so one row."""
    return counters(rows[0]) if len(rows) == 1 else map(sum, zip(*map(counters, rows), strict=True))


def exposed(rows: Iterable[Row], members: set[Key], known: Mapping[Key, Row], texts: Texts, view: View) -> list[Row]:
    """Give the growth of the members by label, and of all others as one row a database.

    `known` holds a row of each member, so that one that did nothing still has its series.
    """
    sums: dict[tuple[str, str, str], list[float]] = {}
    idle = [0.0] * len(COUNTERS)
    for row in known.values():
        if entry_of(row) in texts.labels:
            sums.setdefault(_series(row, texts, view), idle)
    for database in {view.database(row) for row in known.values()}:
        sums.setdefault((database, "", OTHER), idle)
    for row in rows:
        member = key_of(row) in members and entry_of(row) in texts.labels
        series = _series(row, texts, view) if member else (view.database(row), "", OTHER)
        sums[series] = [a + b for a, b in zip(sums.get(series, idle), counters(row), strict=True)]
    return [_labelled(series, totals) for series, totals in sums.items()]


def _series(row: Row, texts: Texts, view: View) -> tuple[str, str, str]:
    return view.database(row), view.role(row), texts.labels[entry_of(row)]


def _labelled(series: tuple[str, str, str], totals: Sequence[float]) -> Row:
    database, role, query = series
    return {"database": database, "role": role, "query": query, **dict(zip(COUNTERS, totals, strict=True))}
