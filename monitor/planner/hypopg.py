"""What-if plans on the watched server itself, where the extension hypopg is installed.

Nothing is written: hypothetical indexes live in the session. Planning evaluates functions, so the guards of the probe
`plans` hold here as well: no superuser, no function or operator of the application's own, no row level security, and
UPDATE and DELETE as the SELECT that finds their rows. All time on the server counts as spent.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

from monitor.busy import busy
from monitor.errors import Needs, PlannerError, ProbeError, ProbeTimeout, TargetDenied, TargetError
from monitor.lending import Lent
from monitor.measurement import Row
from monitor.planner.relations import Relations, Wanted, quoted
from monitor.planner.source import Limits, Source
from monitor.planning import Candidate, Node
from monitor.shape import Shape
from monitor.sql.reads import Reads, reads

NAME = "pgarchitect_what_if"
METHODS = frozenset({"btree", "brin", "hash"})
"""What hypopg 1.3 knows, and everybody has."""
OLDEST = (1, 3)
"""The first hypopg for PostgreSQL 14."""
PLAN_SECONDS, LEAST_SECONDS = 1.0, 0.1
"""What one statement of ours may take; when little of the budget is left, that, but no less than the second."""
Ask: TypeAlias = Callable[..., Awaitable[Sequence[Row]]]
INSTEAD = "choose planner: {source: auto}"

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
SETTINGS = {"plan_cache_mode": "force_generic_plan", "max_parallel_workers_per_gather": "0"}
"""Plans for any values, at costs that do not depend on who is free; the shadow's are such."""
KEPT = """
    select current_setting('search_path') as search_path,
           current_setting('plan_cache_mode') as plan_cache_mode,
           current_setting('max_parallel_workers_per_gather') as max_parallel_workers_per_gather
"""
INSTALLED = """
    select e.extversion::text as version,
           n.nspname::text as schema,
           pg_catalog.has_schema_privilege(n.oid, 'usage')
           and coalesce(pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'execute')), true) as allowed
      from pg_catalog.pg_extension e
      join pg_catalog.pg_namespace n on n.oid = e.extnamespace
      left join pg_catalog.pg_proc p on p.pronamespace = n.oid and p.proname in ('hypopg_create_index', 'hypopg_reset')
     where e.extname = 'hypopg'
     group by e.extversion, n.oid, n.nspname
"""


class Hypopg(Source):
    """Plans on the watched server, in a session that is lent; raises PlannerError when it, or hypopg, is lost."""

    method = "hypopg"

    def __init__(self, session: Lent, shape: Shape, limits: Limits) -> None:
        super().__init__(shape, Relations(shape), limits)
        self._session = session
        self._strangers: frozenset[str] = frozenset()
        self._place, self._version = "", ""
        self._shown: frozenset[Candidate] | None = None
        self._path = ""

    @property
    def remark(self) -> str:
        """Tell the versions, and what it does not know."""
        return (
            f"planned by the server itself (PostgreSQL {self._session.facts.version}) with hypopg {self._version}, "
            "which knows btree, hash and BRIN indexes only and takes them for too large; without parallel plans"
        )

    async def begin(self) -> Mapping[str, str]:
        """See that planning here is allowed; raises PlannerError where it is not, or not now. Gives what was set."""
        facts = self._session.facts
        if facts.superuser:
            raise PlannerError(
                "hypopg: nothing is planned for a superuser; give the monitor a role of its own (monitor grants)",
                Needs.RIGHTS,
            )
        if facts.pooled:
            raise PlannerError(
                "hypopg: a transaction pooler stands before the server; give the target a direct DSN", Needs.SETTING
            )
        if why := await self._busy():
            raise PlannerError(f"hypopg: put off, for {why}", Needs.TIME)
        self._version, self._place = _usable(await self._fetch(INSTALLED), facts.role)
        self._strangers = frozenset(str(row["name"]) for row in await self._fetch(STRANGERS))
        (kept,) = await self._fetch(KEPT)
        for name, value in SETTINGS.items():
            await self._fetch(SET, name, value)
        return {name: str(value) for name, value in kept.items()}

    async def _busy(self) -> str:
        try:
            return await busy(self._session)
        except (ProbeError, TargetError) as error:
            raise _lost(error) from None

    async def _fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        """Ask what has to be answered."""
        try:
            return await self._ask(sql, *arguments)
        except (ProbeError, TargetDenied) as error:
            raise _lost(error) from None

    async def _ask(self, sql: str, *arguments: object) -> Sequence[Row]:
        """Ask, within what is left of the budget; raises PlannerError when the session is lost."""
        self._session.within(max(LEAST_SECONDS, min(PLAN_SECONDS, self._limits.seconds - self._seconds)))
        try:
            return await self._session.fetch(sql, *arguments)
        except TargetDenied:
            raise
        except TargetError as error:
            raise _lost(error) from None

    async def _make(self, candidates: Sequence[Candidate]) -> None:
        """Make each once, to see whether it can be."""
        for each in candidates:
            if each.method not in METHODS:
                self._refusals[each] = f"hypopg knows no index of the kind {each.method}"
            elif why := self._spent():
                self._refusals[each] = why
            else:
                await self._try(each)
        self._shown = None

    async def _try(self, candidate: Candidate) -> None:
        try:
            with self._timed():
                await self._create([candidate], self._ask)
                if candidate.where:
                    self._shares[candidate] = await self._share(candidate)
        except (ProbeError, TargetDenied) as error:
            _usable(await self._fetch(INSTALLED), self._session.facts.role)  # it may have gone meanwhile
            self._refusals[candidate] = f"hypopg would not make it: {_first(error)}"

    async def _share(self, candidate: Candidate) -> float:
        """Ask which share of its table's rows a partial index would hold."""
        table = self._shape.tables[candidate.table]
        part = next(self._relations.parts(table), table)
        (row,) = await self._ask(f"explain (format json) select from {part.full_name} where {candidate.where}")
        rows = float(json.loads(str(next(iter(row.values()))))[0]["Plan"]["Plan Rows"])
        return min(rows / part.rows, 1.0) if part.rows > 0 else 1.0

    async def _create(self, candidates: Sequence[Candidate], ask: Ask) -> None:
        sql = f"""
            select w.place::int, h.indexname::text as name
              from unnest($1::text[]) with ordinality as w (definition, place),
                   lateral {self._place}.hypopg_create_index(w.definition) h
        """
        rows = await ask(sql, [each.definition(NAME) for each in candidates])
        for row in rows:  # another number each time
            self._names[candidates[int(str(row["place"])) - 1]] = frozenset((str(row["name"]),))

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
        with self._timed():
            await self._fetch(f"select {self._place}.hypopg_reset()")
            if shown:
                await self._create([*shown], self._fetch)
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
            await self._ask(SET, "search_path", wanted.path)
            self._path = wanted.path
        nulls = f"({', '.join(['null'] * read.parameters)})" if read.parameters else ""
        await self._ask(f"prepare {NAME} as {read.sql}")
        try:
            (row,) = await self._ask(f"explain (verbose, format json) execute {NAME}{nulls}")
        finally:
            await self._ask(f"deallocate {NAME}")
        plan: Node = json.loads(str(next(iter(row.values()))))[0]["Plan"]
        return plan

    async def leave(self, kept: Mapping[str, str]) -> None:
        """Take everything out of the session that was put there; of one that is lost nothing is left."""
        with contextlib.suppress(PlannerError):
            await self._fetch(f"select {self._place}.hypopg_reset()")
        with contextlib.suppress(PlannerError):
            for name, value in kept.items():
                await self._fetch(SET, name, value)


@asynccontextmanager
async def hypopg(session: Lent, shape: Shape, limits: Limits) -> AsyncIterator[Hypopg]:
    """Plan in this session, and leave it as it was; raises PlannerError where that must not be."""
    source = Hypopg(session, shape, limits)
    kept = await source.begin()
    try:
        yield source
    finally:
        await source.leave(kept)


def _usable(found: Sequence[Row], role: str) -> tuple[str, str]:
    """Give version and quoted schema of an extension that we may use; raises PlannerError."""
    if not found:
        raise PlannerError(
            f"hypopg: it is not installed in this database; run: create extension hypopg; or {INSTEAD}", Needs.EXTENSION
        )
    (row,) = found
    version, place = str(row["version"]), quoted(str(row["schema"]))
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST:
        raise PlannerError(
            f"hypopg: version {version} is too old, 1.3 is wanted; run: alter extension hypopg update", Needs.EXTENSION
        )
    if not row["allowed"]:
        raise PlannerError(
            f'hypopg: role "{role}" may not use it; run: grant usage on schema {place} to {quoted(role)}; '
            f"grant execute on all functions in schema {place} to {quoted(role)}; or {INSTEAD}",
            Needs.RIGHTS,
        )
    return version, place


def _lost(error: Exception) -> PlannerError:
    return PlannerError(f"hypopg: {_first(error)}; it is asked anew with the next advice", Needs.TIME)


def _first(error: Exception) -> str:
    return str(error).partition("; run:")[0]
