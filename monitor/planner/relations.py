"""Which relations of a shape a statement names, and in which search path: nothing ambiguous is guessed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.planning import Query
from monitor.row_security import Role
from monitor.shape import Shape, Table, View
from monitor.sql.reads import is_one, typed
from monitor.sql.text import StatementKind, identifier, read_statement

_PARAMETERS = re.compile(r'"(?:[^"]|"")*"|\$(\d+)')
_EXTRACT = re.compile(r"\bextract\s*\(\s*(\$\d+)\s+from\b", re.IGNORECASE)
_SYSTEM = ("pg_catalog", "information_schema")


class Refused(Exception):
    """A statement cannot be planned; the reason is for people."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A statement as the shadow plans it, with what must be there."""

    text: str
    path: str
    tables: frozenset[int]
    """Named ones with all that belongs to them: partitions, parents, tables of views."""
    views: tuple[View, ...] = ()
    """In the order in which they can be made."""
    role: Role | None = None
    """Whose policies and settings count; None: nobody's."""


class Relations:
    """The relations of one shape by name, and how they hang together."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._views = {(view.schema, view.name): view for view in shape.views}
        self._schemas: dict[str, list[str]] = defaultdict(list)
        for schema, name in {*self._views, *((table.schema, table.name) for table in shape.tables.values())}:
            self._schemas[name].append(schema)
        self.below: Mapping[int, list[int]] = self._kinship()
        self._families: dict[int, frozenset[int]] = {}

    def _kinship(self) -> Mapping[int, list[int]]:
        below: dict[int, list[int]] = defaultdict(list)
        for table in self._shape.tables.values():
            for parent in ((table.parent,) if table.parent else ()) + table.inherits:
                below[parent].append(table.oid)
        return below

    def wanted(self, query: Query) -> Wanted:
        """Tell what planning a query needs; raises Refused."""
        own = query.supposed or query.text
        statement = read_statement(own)
        if statement is None or (";" in own and not is_one(own)):
            raise Refused("its text cannot be read as one statement")
        if statement.kind is StatementKind.UTILITY:
            raise Refused("it neither reads nor changes rows")
        named = [(self._schema(schema, name), name) for schema, name in statement.tables]
        tables: set[int] = set()
        views: dict[tuple[str, str], View] = {}
        for schema, name in named:
            if schema not in _SYSTEM:
                self._add(schema, name, tables, views)
        role = self._role(query.roles, tables)
        if role is not None:
            self._add_policies(role, tables, views)
        bare = [schema for (schema, _), (asked, _) in zip(named, statement.tables, strict=True) if asked is None]
        path = dict.fromkeys([*sorted({*bare} - {*_SYSTEM}), *self._shape.path, *self._shape.extensions.values()])
        return Wanted(
            text=_given(_repaired(own), query),
            path=", ".join(quoted(schema) for schema in path),
            tables=frozenset(tables),
            views=tuple(views.values()),
            role=role,
        )

    def _role(self, names: Sequence[str], tables: Collection[int]) -> Role | None:
        """Choose for whom a statement is planned: of several roles the first that a policy binds."""
        secured = [self._shape.secured[oid] for oid in tables if oid in self._shape.secured]
        known = [self._shape.roles[name] for name in names if name in self._shape.roles]
        if secured and names and not known:
            raise Refused("it reads tables under row level security, and the role that ran it is not known")
        return next((each for each in known if any(map(each.bound, secured))), next(iter(known), None))

    def _add_policies(self, role: Role, tables: set[int], views: dict[tuple[str, str], View]) -> None:
        """Add what the policies read that hold for a role, and what those of that read."""
        done: set[int] = set()
        while waiting := [oid for oid in tables - done if oid in self._shape.secured]:
            for oid in waiting:
                done.add(oid)
                self._add_read(role, self._shape.tables[oid], tables, views)

    def _add_read(self, role: Role, table: Table, tables: set[int], views: dict[tuple[str, str], View]) -> None:
        secured = self._shape.secured[table.oid]
        if secured.unread and role.bound(secured):
            raise Refused(f"{table.full_name}: {secured.unread}")
        for condition in (each for policy in role.policies(secured) for each in (policy.using, policy.check) if each):
            read = read_statement(f"select {condition}")
            if read is None:
                raise Refused(f"a policy of {table.full_name} cannot be read")
            for schema, name in read.tables:
                if (own := self._schema(schema, name)) not in _SYSTEM:
                    self._add(own, name, tables, views)

    def _schema(self, schema: str | None, name: str) -> str:
        """Find the schema of a name: the only one, or the first of the database's own search path."""
        if schema is not None:
            return schema
        schemas = self._schemas.get(name, [])
        if len(schemas) == 1:
            return schemas[0]
        if not schemas and name.startswith("pg_"):
            return "pg_catalog"
        if not schemas:
            raise Refused(f"no table {identifier(name)} is known: it was dropped, or is a temporary one")
        found = next((each for each in self._shape.path if each in schemas), None)
        if found is None:
            where = ", ".join(identifier(each) for each in sorted(schemas)[:5])
            raise Refused(f"{identifier(name)} is in several schemas ({where}), and the search path is not known")
        return found

    def _add(
        self, schema: str, name: str, tables: set[int], views: dict[tuple[str, str], View], depth: int = 0
    ) -> None:
        """Add a relation with all it needs; of views those first that others read."""
        full = identifier(schema, name)
        if table := self._shape.named(schema, name):
            if table.kind == "f":
                raise Refused(f"{full} is a foreign table: another server plans for it")
            tables |= self.family(table)
            return
        view = self._views.get((schema, name))
        if view is None:
            reason = self._shape.left_out.get(full, "it was dropped, or is a temporary one")
            raise Refused(f"no table {full} is known: {reason}")
        if (schema, name) in views:
            return
        read = read_statement(view.definition)
        if read is None or depth > 30:  # noqa: PLR2004 - views over views over views
            raise Refused(f"the text of view {full} cannot be read")
        for asked, each in read.tables:
            if (below := self._schema(asked, each)) not in _SYSTEM:
                self._add(below, each, tables, views, depth + 1)
        views[schema, name] = view

    def family(self, table: Table) -> frozenset[int]:
        """Give a table's oid with those of its partitions, its parents, and their other parts."""
        if table.oid not in self._families:
            family = frozenset(self._relatives(table.oid))
            self._families.update(dict.fromkeys(family, family))
        return self._families[table.oid]

    def _relatives(self, oid: int) -> Iterator[int]:
        seen, waiting = set(), [oid]
        while waiting:
            each = waiting.pop()
            if each in seen or each not in self._shape.tables:
                continue
            seen.add(each)
            table = self._shape.tables[each]
            waiting += [*self.below.get(each, ()), *table.inherits, *([table.parent] if table.parent else [])]
        yield from seen

    def parts(self, table: Table) -> Iterator[Table]:
        """Give the partitions that hold rows; the table itself where it is not partitioned."""
        if table.kind != "p":
            yield table
            return
        for oid in self.below.get(table.oid, ()):
            yield from self.parts(self._shape.tables[oid])


def quoted(name: str) -> str:
    """Quote always: a search path takes names, not words."""
    return '"' + name.replace('"', '""') + '"'


def _repaired(text: str) -> str:
    """Write `interval $1` and `extract($1 from …)`, as pg_stat_statements has them, so that a server reads them."""
    return _EXTRACT.sub(r'pg_catalog."extract"(\1,', typed(text))


def _given(text: str, query: Query) -> str:
    values = dict(query.given)

    def value(found: re.Match[str]) -> str:
        return values.get(int(found[1]), found[0]) if found[1] else found[0]

    return _PARAMETERS.sub(value, text) if values else text
