"""What a statement writes: into which tables, how, and which columns its UPDATEs set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import pgparse

from monitor.sqltext import nodes_of


class Change(StrEnum):
    """What happens to rows."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class Written:
    """One table that a statement changes; `columns` are those that an UPDATE sets."""

    schema: str | None
    table: str
    change: Change
    columns: frozenset[str] = frozenset()


_CHANGES: Mapping[str, Change] = {
    "InsertStmt": Change.INSERT,
    "UpdateStmt": Change.UPDATE,
    "DeleteStmt": Change.DELETE,
}


def written(text: str) -> tuple[Written, ...]:
    """Give every table that a statement changes, those in its WITH too; of a text that cannot be read, none.

    An INSERT … ON CONFLICT DO UPDATE counts as both: its rows may be either.
    """
    try:
        tree = pgparse.parse(text)
    except pgparse.PGQueryError:
        return ()
    return tuple(each for name, node in nodes_of(tree) if name in _CHANGES for each in _written(_CHANGES[name], node))


def _written(change: Change, node: Mapping[str, object]) -> Iterator[Written]:
    relation = node.get("relation")
    if not isinstance(relation, dict):
        return
    schema, table = relation.get("schemaname"), str(relation["relname"])
    place = {"schema": None if schema is None else str(schema), "table": table}
    yield Written(**place, change=change, columns=_columns(node) if change is Change.UPDATE else frozenset())  # type: ignore[arg-type]
    conflict = node.get("onConflictClause")
    if isinstance(conflict, dict) and conflict.get("targetList"):
        yield Written(**place, change=Change.UPDATE, columns=_columns(conflict))  # type: ignore[arg-type]


def _columns(node: Mapping[str, object]) -> frozenset[str]:
    targets = node.get("targetList")
    named = [each.get("ResTarget", {}) for each in targets] if isinstance(targets, list) else []
    return frozenset(str(each["name"]) for each in named if "name" in each)
