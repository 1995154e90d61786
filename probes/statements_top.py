"""Which statements are looked at closely: the busiest, steadily chosen, and the slow; summed up by fingerprint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter
from typing import TypeAlias

from monitor.probe import Row
from probes.members import Key
from probes.statements_reading import COUNTERS, KEY
from probes.statements_texts import Entry, Texts

Group: TypeAlias = tuple[str, str]
"""A label and a database's name."""
Sum: TypeAlias = dict[str, object]
"""One statement's figures over all its entries, and what its text tells."""
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


def busiest(rows: Sequence[Row], top: int) -> list[Row]:
    """Rank by time of execution."""
    return nlargest(top, (row for row in rows if seconds(row) > 0), key=seconds)


def slowest(rows: Sequence[Row], top: int) -> list[Row]:
    """Rank by time per call, of those called often enough to be judged."""
    often = [row for row in rows if calls(row) >= MIN_CALLS]
    return nlargest(top, often, key=lambda row: seconds(row) / calls(row))


MIN_CALLS = 3


def groups(rows: Sequence[Row], chosen: Sequence[Row], texts: Texts, view: View) -> list[tuple[Group, Sum]]:
    """Sum the chosen statements up by label and database, the largest first; those not yet looked up are left out."""
    members: dict[Place | None, list[Row]] = {_place(row, texts): [] for row in chosen}
    members.pop(None, None)
    for row in rows:
        place = _place(row, texts)
        if place in members:
            members[place].append(row)
    named = [((place[0], view.database(own[0])), own) for place, own in members.items() if place]
    sums = [(group, summed(group, own, texts, view)) for group, own in named]
    return sorted(sums, key=lambda each: (-seconds(each[1]), each[0]))


def _place(row: Row, texts: Texts) -> Place | None:
    entry = entry_of(row)
    label = texts.labels.get(entry)
    return None if label is None else (label, entry[0])


def summed(group: Group, rows: Sequence[Row], texts: Texts, view: View) -> Sum:
    """Give one statement's figures over all its entries; most are of one role, and so one row."""
    one, text = rows[0], texts.of(entry_of(rows[0]))
    several = len(rows) > 1
    figures = map(sum, zip(*map(counters, rows), strict=True)) if several else counters(one)
    return {
        "statement": group[0],
        "database": group[1],
        **text.described,
        "roles": tuple(sorted({view.role(row) for row in rows})) if several else (view.role(one),),
        "nested": not any(row["toplevel"] for row in rows),
        "twins": tuple(_twins(rows, view)) if several else (),
        **dict(zip(COUNTERS, figures, strict=True)),
    }


def _twins(rows: Sequence[Row], view: View) -> Iterator[tuple[str, int, float]]:
    """Give role, queryid and calls where one role's statement came under several queryids."""
    asked = [row for row in rows if row["toplevel"] and calls(row)]
    often = Counter(row["userid"] for row in asked)
    for row in asked:
        if often[row["userid"]] > 1:
            yield view.role(row), entry_of(row)[1], calls(row)


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
