"""What a statement writes: into which tables, how, and which columns its UPDATEs set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import pgparse

from monitor.sql.text import nodes_of


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
_ARMS: Mapping[object, Change] = {
    "CMD_INSERT": Change.INSERT,
    "CMD_UPDATE": Change.UPDATE,
    "CMD_DELETE": Change.DELETE,
}


def written(text: str) -> tuple[Written, ...]:
    """Give every table that a statement changes, those in its WITH too; of a text that cannot be read, none.

    An INSERT … ON CONFLICT DO UPDATE counts as both, a MERGE as what each of its arms does: all its rows may be any.
    """
    try:
        tree = pgparse.parse(text)
    except pgparse.PGQueryError:
        return ()
    return tuple(each for name, node in nodes_of(tree) for each in _written(name, node))


def _written(name: str, node: Mapping[str, object]) -> Iterator[Written]:
    relation = node.get("relation")
    if not isinstance(relation, dict) or name not in {*_CHANGES, "MergeStmt"}:
        return
    schema = relation.get("schemaname")
    whole = Written(
        schema=None if schema is None else str(schema), table=str(relation["relname"]), change=Change.INSERT
    )
    for change, clause in _changes(name, node):
        columns = _columns(clause) if change is Change.UPDATE else frozenset[str]()
        yield replace(whole, change=change, columns=columns)


def _changes(name: str, node: Mapping[str, object]) -> Iterator[tuple[Change, Mapping[str, object]]]:
    """Give what a statement does, each with the part of it that names the columns."""
    if name in _CHANGES:
        yield _CHANGES[name], node
    conflict = node.get("onConflictClause")
    if isinstance(conflict, dict) and conflict.get("targetList"):
        yield Change.UPDATE, conflict
    arms = node.get("mergeWhenClauses")
    for arm in arms if isinstance(arms, list) else ():
        clause = arm.get("MergeWhenClause", {})
        if clause.get("commandType") in _ARMS:
            yield _ARMS[clause["commandType"]], clause


def _columns(node: Mapping[str, object]) -> frozenset[str]:
    targets = node.get("targetList")
    named = [each.get("ResTarget", {}) for each in targets] if isinstance(targets, list) else []
    return frozenset(str(each["name"]) for each in named if "name" in each)
