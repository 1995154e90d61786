"""What-if plans on the watched server itself, where the extension hypopg is installed.

Nothing is written: hypothetical indexes live in the session. Planning evaluates functions, so the guards of the probe
`plans` hold here as well: not as a superuser, nothing that names the application's own functions or operators, nothing
under row level security, and UPDATE and DELETE as the SELECT that finds their rows.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from monitor.errors import PlannerError, ProbeError, ProbeTimeout, TargetDenied
from monitor.planner.relations import Relations, Wanted, quoted
from monitor.planner.source import Limits, Source
from monitor.planning import Candidate, Node
from monitor.probe import Session
from monitor.shape import Shape
from monitor.sqlreads import Reads, reads

NAME = "pgarchitect_what_if"
METHODS = frozenset({"btree", "brin", "hash"})
"""What hypopg 1.3 knows, and everybody has."""

# Functions and operators that neither PostgreSQL nor an extension brought along.
STRANGERS = """
    select p.proname::text as name
      from pg_catalog.pg_proc p
     where p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
       and not exists (select
                         from pg_catalog.pg_depend d
                        where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
     union
    select o.oprname::text
      from pg_catalog.pg_operator o
     where o.oprnamespace <> 'pg_catalog'::regnamespace
       and not exists (select
                         from pg_catalog.pg_depend d
                        where d.classid = 'pg_catalog.pg_operator'::regclass and d.objid = o.oid and d.deptype = 'e')
     limit 100000
"""
SET = "select pg_catalog.set_config($1, $2, false)"
KEPT = """
    select current_setting('search_path') as search_path, current_setting('plan_cache_mode') as plan_cache_mode
"""


class Hypopg(Source):
    """Plans on the watched server, in a session that is ours for the time being."""

    method = "hypopg"

    def __init__(self, session: Session, shape: Shape, limits: Limits, strangers: frozenset[str]) -> None:
        super().__init__(shape, Relations(shape), limits)
        self._session, self._strangers = session, strangers
        self._place = quoted(shape.extensions["hypopg"])
        self._shown: frozenset[Candidate] | None = None
        self._path = ""

    @property
    def remark(self) -> str:
        """Tell what it does not look at."""
        return "planned by the server itself with hypopg, whose sizes are somewhat too large"

    async def _make(self, candidates: Sequence[Candidate]) -> None:
        """Make each once, to see whether it can be."""
        for each in candidates:
            if each.method not in METHODS:
                self._refusals[each] = f"hypopg knows no index of the kind {each.method}"
                continue
            try:
                await self._create(each)
            except (ProbeError, TargetDenied) as error:
                self._refusals[each] = f"hypopg would not make it: {_first(error)}"
        self._shown = None

    async def _create(self, candidate: Candidate) -> None:
        sql = f"select indexname::text as name from {self._place}.hypopg_create_index($1)"
        rows = await self._session.fetch(sql, candidate.definition(NAME))
        self._names[candidate] = frozenset(str(row["name"]) for row in rows)  # another number each time

    async def _prepare(self, wanted: Sequence[Wanted]) -> None:
        """Everything is there."""

    def _lacking(self, wanted: Wanted) -> str:
        if any(self._shape.tables[oid].row_security for oid in wanted.tables):
            return "row level security binds the monitor's role: its plan would be another one"
        for text in (wanted.text, *(view.definition for view in wanted.views)):
            read = reads(text)
            if isinstance(read, str):
                return read
            if used := self._strangers & {*read.functions, *read.operators}:
                which = ", ".join(sorted(used)[:3])
                return f"it uses {which}, of the application's own, which planning might run as the monitor's role"
        return ""

    def _unable(self, without: Collection[int]) -> str:
        return "hypopg 1.3 cannot hide an index; a shadow can (planner: {source: shadow})" if without else ""

    async def _show(self, candidates: Collection[Candidate], without: Collection[int]) -> None:
        shown = frozenset(each for each in candidates if each in self._names)
        if shown == self._shown:
            return
        await self._session.fetch(f"select {self._place}.hypopg_reset()")
        for each in shown:
            await self._create(each)
        self._shown = shown

    async def _explain(self, wanted: Wanted) -> Node | str:
        read = reads(wanted.text)
        if isinstance(read, str):
            return read
        try:
            return await self._plan(wanted, read)
        except TargetDenied as error:
            return f"the monitor's role lacks a right: {_first(error)}"
        except ProbeTimeout as error:
            return f"planning it was given up: {error}"
        except ProbeError as error:
            return f"the server would not plan it: {_first(error)}"

    async def _plan(self, wanted: Wanted, read: Reads) -> Node:
        if wanted.path != self._path:
            await self._session.fetch(SET, "search_path", wanted.path)
            self._path = wanted.path
        nulls = f"({', '.join(['null'] * read.parameters)})" if read.parameters else ""
        await self._session.fetch(f"prepare {NAME} as {read.sql}")
        try:
            (row,) = await self._session.fetch(f"explain (verbose, format json) execute {NAME}{nulls}")
        finally:
            await self._session.fetch(f"deallocate {NAME}")
        plan: Node = json.loads(str(next(iter(row.values()))))[0]["Plan"]
        return plan


@asynccontextmanager
async def hypopg(session: Session, shape: Shape, limits: Limits) -> AsyncIterator[Hypopg]:
    """Plan in this session, and leave it as it was; raises PlannerError where that must not be."""
    facts = session.facts
    if "hypopg" not in shape.extensions:
        raise PlannerError("hypopg: it is not installed; run: create extension hypopg")
    if facts.superuser:
        raise PlannerError("hypopg: nothing is planned for a superuser; give the monitor a role of its own")
    if facts.pooled:
        raise PlannerError("hypopg: a transaction pooler stands before the server; give the target a direct DSN")
    kept = dict((await session.fetch(KEPT))[0])
    strangers = frozenset(str(row["name"]) for row in await session.fetch(STRANGERS))
    await session.fetch(SET, "plan_cache_mode", "force_generic_plan")
    try:
        yield Hypopg(session, shape, limits, strangers)
    finally:
        await session.fetch(f"select {quoted(shape.extensions['hypopg'])}.hypopg_reset()")
        for name, value in kept.items():
            await session.fetch(SET, name, str(value))


def _first(error: Exception) -> str:
    return str(error).partition("; run:")[0]
