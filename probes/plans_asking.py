"""Asking the server for one statement's generic plan: what must hold before it is planned, and leaving nothing behind.

EXPLAIN runs no statement, but planning evaluates functions that are not volatile, where their arguments are known. So
nothing is planned for a superuser, and nothing that names functions or operators which neither PostgreSQL nor an
extension brought along, in its text or in its views.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.probe import ProbeError, ProbeTimeout, Reads, Row, Session, TargetDenied, identifier, reads
from probes.plans_memory import CUT, DAY, HOUR, SOON, Explained
from probes.plans_reading import Surroundings, costly

NAME = "pgarchitect_plan"

# $1 schemas ("" where the text names none), $2 names. A lock that is merely awaited makes others wait as well.
TABLES = """
    with wanted as (
        select w.schema, w.name from unnest($1::text[], $2::text[]) as w (schema, name)
    ),
    locked as materialized (
        select l.relation
          from pg_catalog.pg_locks l
         where l.mode = 'AccessExclusiveLock'
           and l.relation is not null
           and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
    )
    select w.schema as asked,
           w.name,
           c.oid,
           n.nspname::text as schema,
           c.relkind::text as kind,
           c.reltuples::float8 as rows,
           pg_catalog.has_schema_privilege(n.oid, 'usage')
               and (pg_catalog.has_table_privilege(c.oid, 'select')
                    or pg_catalog.has_any_column_privilege(c.oid, 'select')) as readable,
           pg_catalog.row_security_active(c.oid) as rls,
           c.oid in (select relation from locked) as locked,
           pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem'))::float8 as work_mem
      from wanted w
      join pg_catalog.pg_class c on c.relname = w.name and c.relkind in ('r', 'p', 'v', 'm', 'f')
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = w.schema
        or (w.schema = '' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_(temp|toast)')
     limit 1000
"""

# $1 relations, $2 names of functions, $3 of operators, $4 schemas searched. What is built in has no pg_depend entry.
STRANGERS = """
    with recursive seen as (
        select oid from unnest($1::oid[]) as named (oid)
         union
        select d.refobjid
          from seen s
          join pg_catalog.pg_rewrite r on r.ev_class = s.oid
          join pg_catalog.pg_depend d
            on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
           and d.refclassid = 'pg_catalog.pg_class'::regclass
    ),
    used as (
        select d.refclassid as kind, d.refobjid as oid
          from seen s
          join pg_catalog.pg_rewrite r on r.ev_class = s.oid
          join pg_catalog.pg_depend d
            on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
           and d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
         union
        select 'pg_catalog.pg_proc'::regclass, p.oid
          from pg_catalog.pg_proc p
          join pg_catalog.pg_namespace n on n.oid = p.pronamespace
          join pg_catalog.pg_language l on l.oid = p.prolang
         where p.proname = any ($2::text[])
           and n.nspname <> 'pg_catalog'
           and (p.provolatile <> 'v' or l.lanname = 'sql')
         union
        select 'pg_catalog.pg_operator'::regclass, o.oid
          from pg_catalog.pg_operator o
          join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
         where o.oprname = any ($3::text[])
           and n.nspname <> 'pg_catalog'
           and n.nspname = any ($4::text[])
    )
    select coalesce(p.proname, o.oprname)::text as name
      from used u
      left join pg_catalog.pg_proc p on u.kind = 'pg_catalog.pg_proc'::regclass and p.oid = u.oid
      left join pg_catalog.pg_operator o on u.kind = 'pg_catalog.pg_operator'::regclass and o.oid = u.oid
     where coalesce(p.pronamespace, o.oprnamespace) <> 'pg_catalog'::regnamespace
       and not exists (select
                         from pg_catalog.pg_depend e
                        where e.classid = u.kind and e.objid = u.oid and e.deptype = 'e')
     union all
    select pg_catalog.format('%s (a table on another server)', c.relname)
      from seen s
      join pg_catalog.pg_class c on c.oid = s.oid and c.relkind = 'f'
     order by 1
     limit 10
"""

GUARD = """
    select pg_catalog.set_config('search_path', $1, true),
           pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true),
           pg_catalog.set_config('row_security', 'off', true)
"""

_UNTYPED = ("42P18", "42725", "42804", "42883", "42846", "42P08")
_GONE = ("42P01", "42703", "3F000")
_STATE = re.compile(r"SQLSTATE (\w{5})")


class NotExplained(Exception):
    """A statement cannot be explained now; the reason is for people."""

    def __init__(self, reason: str, again_after: float = DAY) -> None:
        self.again_after = again_after
        super().__init__(reason)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a statement's tables are."""

    path: Sequence[str]
    relations: Sequence[int]
    around: Surroundings = field(default_factory=Surroundings)


async def explained(session: Session, text: str) -> Explained:
    """Give one statement's plan in words, or why there is none; raises a TargetError when the session is lost."""
    try:
        return await _explained(session, text)
    except NotExplained as reason:
        return Explained(skipped=str(reason), again_after=reason.again_after)
    except TargetDenied as error:
        return Explained(skipped=f"the monitor's role lacks a right: {_first(error)}", again_after=HOUR)
    except ProbeTimeout as error:
        return Explained(skipped=f"planning it was given up: {error}", again_after=SOON)
    except ProbeError as error:
        return Explained(skipped=_cause(str(error)))


async def _explained(session: Session, text: str) -> Explained:
    if not text:
        raise NotExplained("its text is not known, cannot be parsed, or is not to be shown")
    if text.endswith(CUT):
        raise NotExplained("its text is too long: those up to 20,000 characters are explained")
    read = reads(text)
    if isinstance(read, str):
        raise NotExplained(read)
    place = await _place(session, read)
    await _check_strangers(session, read, place)
    plan = await _plan(session, read, place.path)
    try:
        words, cost = costly(plan, place.around)
    except ValueError:
        raise NotExplained("its plan cannot be read") from None
    return Explained(plan=words, cost=cost)


async def _place(session: Session, read: Reads) -> _Place:
    """Find the tables that are named; one that could be any of several is not guessed."""
    wanted = [(schema or "", name) for schema, name in read.tables]
    rows = await session.fetch(TABLES, [schema for schema, _ in wanted], [name for _, name in wanted]) if wanted else ()
    found = [_only([row for row in rows if (row["asked"], row["name"]) == one], one) for one in wanted]
    for row in found:
        _check(row)
    unnamed = {str(row["schema"]) for row in found if not row["asked"]}
    extensions = set(session.facts.extensions.values())
    path = dict.fromkeys(["pg_catalog", *sorted(extensions - {"public"}), *sorted(unnamed), "public"])
    bare = [str(row["name"]) for row in found]
    once = [row for row in found if bare.count(str(row["name"])) == 1]
    return _Place(
        path=[*path],
        relations=[oid for row in found if isinstance(oid := row["oid"], int)],
        around=Surroundings(
            names={str(row["name"]): _named(row) for row in once},
            rows={str(row["name"]): float(str(row["rows"])) for row in once},
            **({"work_mem": float(str(found[0]["work_mem"]))} if found else {}),
        ),
    )


def _only(rows: Sequence[Row], wanted: tuple[str, str]) -> Row:
    built_in = [row for row in rows if row["schema"] == "pg_catalog"]
    fitting = built_in or rows
    name = identifier(*(part for part in wanted if part))
    if not fitting:
        raise NotExplained(f"no table {name} is seen here: it was dropped, or is a temporary one", HOUR)
    if len(fitting) > 1:
        schemas = ", ".join(sorted(identifier(str(row["schema"])) for row in fitting)[:5])
        raise NotExplained(f"{name} is in several schemas ({schemas}), and the application's search_path is not known")
    return fitting[0]


def _check(row: Row) -> None:
    name = _named(row)
    if not row["readable"]:
        reason = f"the monitor's role may not read {name}; grant select on it, or pg_read_all_data"
        raise NotExplained(reason, HOUR)
    if row["locked"]:
        raise NotExplained(f"{name} is locked exclusively, or about to be; tried again later", SOON)
    if row["rls"]:
        raise NotExplained(f"row level security of {name} binds the monitor's role: its plan would be another one")


def _named(row: Row) -> str:
    return identifier(str(row["schema"]), str(row["name"]))


async def _check_strangers(session: Session, read: Reads, place: _Place) -> None:
    names = [[*read.functions], [*read.operators], [*place.path]]
    rows = await session.fetch(STRANGERS, [*place.relations], *names)
    if rows:
        which = ", ".join(dict.fromkeys(str(row["name"]) for row in rows[:3]))
        raise NotExplained(f"it uses {which}, of the application's own, which planning might run as the monitor's role")


async def _plan(session: Session, read: Reads, path: Sequence[str]) -> str:
    """Prepare, explain, and clear away; nothing is executed."""
    nulls = f"({', '.join(['null'] * read.parameters)})" if read.parameters else ""
    searched = ", ".join('"' + schema.replace('"', '""') + '"' for schema in (*path, "pg_temp"))
    prepared = False
    await session.fetch("begin read only")
    try:
        await session.fetch(GUARD, searched)
        await session.fetch(f"prepare {NAME} as {read.sql}")
        prepared = True
        (row,) = await session.fetch(f"explain (format json) execute {NAME}{nulls}")
        return str(next(iter(row.values())))
    finally:
        await session.fetch("rollback")
        if prepared:  # it would outlast the transaction
            await session.fetch(f"deallocate {NAME}")


def _cause(error: str) -> str:
    """Say why the server would not plan it; the text has no constants, so its messages have none."""
    found = _STATE.search(error)
    state = found[1] if found else ""
    if state in _UNTYPED:
        return f"the types of its parameters cannot be told from its text (SQLSTATE {state})"
    if state in _GONE:
        return f"something it names is not there any more, or not in the search path (SQLSTATE {state})"
    return f"the server would not plan it (SQLSTATE {state})" if state else "the server would not plan it"


def _first(error: Exception) -> str:
    return str(error).partition("; run:")[0]
