"""The SQL that gives the monitor's role the least it needs, or takes exactly that back. Pure: no server is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from monitor.sight import lent as sight
from monitor.sight import states as sight_states
from monitor.sql.text import identifier, literal

Auth = Literal["functions", "policy", "bypassrls", "none"]
Linked: TypeAlias = tuple[str, str, str, str | None]
"""Schema, table, column and time of creation of a declared link."""

POLICY = "pgarchitect_monitor"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Who is to see what: the role, its way to auth.users, and the database it is for."""

    role: str
    auth: Auth = "functions"
    schema: str = "auth"
    links: Sequence[Linked] = ()
    keys: bool = False
    """Functions give also keys (uuids) of rows without counterpart, of these links."""
    database: str | None = None
    extension_schemas: Sequence[str] = ()
    """Schemas outside pg_catalog and public in which needed extensions live."""
    statistics: bool = True
    """Functions give the numbers of columns' statistics, which only who may read a table sees otherwise."""


def grants_sql(wanted: Wanted, *, undo: bool = False) -> list[str]:
    """Give complete statements, to be run one by one in the database by a superuser or the owner of what they name."""
    if undo:
        return [*_sight(wanted, undo=True), *_statistics(wanted, undo=True), *_base(wanted, undo=True)]
    return [*_base(wanted, undo=False), *_statistics(wanted, undo=False), *_sight(wanted, undo=False)]


def _base(wanted: Wanted, *, undo: bool) -> list[str]:
    objects = [f"connect on database {identifier(wanted.database)}"] if wanted.database else []
    objects += [f"usage on schema {identifier(schema)}" for schema in wanted.extension_schemas]
    grants = [_grant(what, wanted.role, undo=undo) for what in ("pg_monitor", *objects)]
    return [*grants, _sequences(wanted.role, undo=undo)]


def _sequences(role: str, *, undo: bool) -> str:
    """Show the last values of the sequences, also of later ones, as far as whoever runs this acts for their owners."""
    verb, way = ("revoke", "from") if undo else ("grant", "to")
    return f"""do $pgarchitect$
declare
    command text;
begin
    for command in
        select pg_catalog.format('{verb} select on sequence %I.%I {way} %I',
                                 n.nspname, c.relname, {literal(role)}::text)
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relkind = 'S'
           and c.relpersistence <> 't'
           and pg_catalog.pg_has_role(c.relowner, 'usage')
         union all
        select distinct pg_catalog.format('alter default privileges for role %I {verb} select on sequences {way} %I',
                                          o.rolname, {literal(role)}::text)
          from pg_catalog.pg_namespace n
          left join pg_catalog.pg_class c on c.relnamespace = n.oid
          join pg_catalog.pg_roles o on o.oid in (n.nspowner, c.relowner)
         where n.nspname not like 'pg\\_%'
           and n.nspname <> 'information_schema'
           and o.rolname not like 'pg\\_%'
           and pg_catalog.pg_has_role(o.oid, 'usage')
    loop
        execute command;
    end loop;
end
$pgarchitect$"""


def _statistics(wanted: Wanted, *, undo: bool) -> list[str]:
    if undo:
        return sight.take_back(sight.SHAPE)
    return sight.lend(wanted.role, wanted.schema, sight.SHAPE) if wanted.statistics else []


def _sight(wanted: Wanted, *, undo: bool) -> list[str]:
    match wanted.auth:
        case "functions":
            return sight.take_back() if undo else [*sight.lend(wanted.role, wanted.schema), *_keys(wanted)]
        case "policy":
            return [*_columns(wanted, undo=undo), *_policies(wanted, undo=undo), *_secretive(wanted, undo=undo)]
        case "bypassrls":
            attribute = "nobypassrls" if undo else "bypassrls"
            altered = f"alter role {identifier(wanted.role)} {attribute}"
            return [*_columns(wanted, undo=undo), altered, *_secretive(wanted, undo=undo)]
        case "none":
            return []


def _keys(wanted: Wanted) -> list[str]:
    """Lend keys, of declared links and foreign keys alone: any other column of uuids may hold secrets."""
    links = [(schema, table, column) for schema, table, column, _ in wanted.links]
    return sight.lend_keys(wanted.role, wanted.schema, links) if wanted.keys else []


def _secretive(wanted: Wanted, *, undo: bool) -> list[str]:
    """Lend the functions that count NULLs among secrets: those columns are granted to nobody."""
    if undo:
        return sight.take_back(sight.SECRETIVE)
    return sight.lend(wanted.role, wanted.schema, sight.SECRETIVE)


def _columns(wanted: Wanted, *, undo: bool) -> list[str]:
    schemas = sorted({wanted.schema, *(schema for schema, *_ in wanted.links)})
    tables = {(wanted.schema, table): list(columns) for table, columns in sight.needed().items()}
    for schema, table, column, created in wanted.links:
        columns = tables.setdefault((schema, table), [])
        wished = (column, created, *sight_states.LINK_COLUMNS)
        columns += [name for name in wished if name is not None and name not in columns]
    usage = [_grant(f"usage on schema {identifier(schema)}", wanted.role, undo=undo) for schema in schemas]
    return usage + [_select(table, columns, wanted.role, undo=undo) for table, columns in tables.items()]


def _select(table: tuple[str, str], columns: Sequence[str], role: str, *, undo: bool) -> str:
    """Grant the columns that exist: older levels of GoTrue lack some, and some tables."""
    verb = "revoke select (%s) on %I.%I from %I" if undo else "grant select (%s) on %I.%I to %I"
    names = ", ".join(literal(name) for name in columns)
    schema, name = (literal(part) for part in table)
    code = f"""
declare
    command text;
begin
    select pg_catalog.format('{verb}', pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', '),
                             n.nspname, c.relname, {literal(role)}::text)
      into command
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_class c on c.oid = a.attrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = {schema}
       and c.relname = {name}
       and a.attname in ({names})
       and not a.attisdropped
     group by n.nspname, c.relname;
    if command is not null then
        execute command;
    end if;
end
"""
    return f"do {sight.dollar_quoted(code)}"


def _policies(wanted: Wanted, *, undo: bool) -> list[str]:
    gotrue = [(wanted.schema, table) for table in sight.needed()]
    tables = dict.fromkeys([*gotrue, *((schema, table) for schema, table, *_ in wanted.links)])
    statements: list[str] = []
    for table in tables:
        statements.append(f"drop policy if exists {POLICY} on {identifier(*table)}")
        if not undo:
            statements.append(_policy(table, wanted.role))
    return statements


def _policy(table: tuple[str, str], role: str) -> str:
    """Show the role every row, where row level security hides any: a policy on another table would only confuse."""
    schema, name = (literal(part) for part in table)
    code = f"""
begin
    if exists (select
                 from pg_catalog.pg_class c
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                where n.nspname = {schema} and c.relname = {name} and c.relrowsecurity)
    then
        create policy {POLICY} on {identifier(*table)} as permissive for select to {identifier(role)} using (true);
    end if;
end
"""
    return f"do {sight.dollar_quoted(code)}"


def _grant(what: str, role: str, *, undo: bool) -> str:
    return f"revoke {what} from {identifier(role)}" if undo else f"grant {what} to {identifier(role)}"
