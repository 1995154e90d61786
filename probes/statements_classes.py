"""Statements' calls and time by database, role and class: totals that hold every statement, also those not told apart.

What grew is put into its class at once and stays there: a text that is learnt later moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import TypeAlias

from monitor.probe import Aside, Kind, Metric, Row, StatementKind
from probes.statements_texts import Texts
from probes.statements_top import OTHER, View

MOST = 30
"""Pairs of database and role with series of their own, and databases with one for all other roles."""

UNKNOWN = "unknown"

ASIDE = Aside(
    name="classes",
    labels=("database", "role", "class"),
    metrics=(
        Metric("class_calls", Kind.COUNTER, "Calls that ended, of statements not nested in others, by class."),
        Metric("class_exec_seconds", Kind.COUNTER, "Time of execution of the same statements, by class."),
    ),
)

Pair: TypeAlias = tuple[int, int]
"""A database's oid and a role's."""
Group: TypeAlias = tuple[str, str, str]
"""A database, a role and a class, as the labels say them."""
Sums: TypeAlias = dict[tuple[int, int, StatementKind | None], list[float]]

_figures = itemgetter("toplevel", "dbid", "userid", "queryid", "calls", "exec_seconds")


class Classes:
    """Which series there are: one that has begun stays while its database and role exist."""

    def __init__(self) -> None:
        self._pairs: set[Pair] = set()
        self._rest: set[int] = set()
        """Databases whose other roles are summed up."""
        self._groups: Sequence[Group] = ()

    def take(self, grown: Iterable[Row], texts: Texts, view: View) -> list[Row]:
        """Give what grew as one row a series, with the series that did not grow."""
        idle = [0.0, 0.0]
        grew: dict[Group, list[float]] = dict.fromkeys(self._standing(view), idle)
        for (dbid, userid, kind), sums in _summed(grown, texts).items():
            group = (*self._place(dbid, userid, view), str(kind or UNKNOWN))
            grew[group] = [a + b for a, b in zip(grew.get(group, idle), sums, strict=True)]
        self._groups = tuple(grew)
        return [_row(group, sums) for group, sums in grew.items()]

    def _standing(self, view: View) -> Iterable[Group]:
        """Give the series whose database and role are there still, and let the others' places go."""
        databases, roles = view.databases, view.roles
        self._pairs = {(dbid, userid) for dbid, userid in self._pairs if dbid in databases and userid in roles}
        self._rest = {dbid for dbid in self._rest if dbid in databases}
        named = {(databases[dbid], roles[userid]) for dbid, userid in self._pairs}
        places = named | {(databases[dbid], OTHER) for dbid in self._rest} | {("", OTHER)}
        return [group for group in self._groups if group[:2] in places]

    def _place(self, dbid: int, userid: int, view: View) -> tuple[str, str]:
        """Name a pair: by itself, among its database's other roles, or among all others."""
        pair, database = (dbid, userid), view.databases.get(dbid, "")
        if pair in self._pairs or (userid in view.roles and len(self._pairs) < MOST):
            self._pairs.add(pair)
            return database, view.roles[userid]
        if dbid in self._rest or len(self._rest) < MOST:
            self._rest.add(dbid)
            return database, OTHER
        return "", OTHER


def _summed(grown: Iterable[Row], texts: Texts) -> Sums:
    """Add up by oid, as there may be ten thousand rows; nested statements are in the time of the one around them."""
    sums: Sums = {}
    for toplevel, dbid, userid, queryid, calls, seconds in map(_figures, grown):
        if toplevel:
            group = (dbid, userid, texts.kind((dbid, queryid)))
            if group in sums:
                so_far = sums[group]
                so_far[0] += calls
                so_far[1] += seconds
            else:
                sums[group] = [calls, seconds]
    return sums


def _row(group: Group, sums: list[float]) -> Row:
    database, role, kind = group
    calls, seconds = sums
    return {"database": database, "role": role, "class": kind, "class_calls": calls, "class_exec_seconds": seconds}
