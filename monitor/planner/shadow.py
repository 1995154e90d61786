"""The shadow planner: a database of our own that only looks like the watched one, asked what would be if."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.planner.bench import Bench, Failure
from monitor.planner.clone import Built, Clone, plannable
from monitor.planner.relations import Refused, Wanted
from monitor.planner.sizes import PAGE, pages
from monitor.planning import Answer, Candidate, Node, Planned, Query

MADE = """
    with recursive below as (
        select c.oid as root, c.oid, c.relname::text as candidate
          from unnest($1::text[], $2::text[]) as w (schema, name)
          join pg_catalog.pg_namespace n on n.nspname = w.schema
          join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
         union all
        select b.root, i.inhrelid, b.candidate
          from below b
          join pg_catalog.pg_inherits i on i.inhparent = b.oid
    )
    select b.candidate,
           b.oid::bigint,
           n.nspname::text as schema,
           c.relname::text as name,
           c.relkind::text as kind,
           t.relname::text as table_name
      from below b
      join pg_catalog.pg_class c on c.oid = b.oid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_index i on i.indexrelid = c.oid
      join pg_catalog.pg_class t on t.oid = i.indrelid
"""
SHOW = "update pg_catalog.pg_index set indisvalid = $2 where indexrelid = any ($1::oid[]) and indisvalid <> $2"
_LIKE_TRIGRAMS = ("gin_trgm_ops", "gist_trgm_ops")
_UNTYPED = ("42P18", "42725", "42804", "42883", "42846", "42P08")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one source may be asked."""

    plans: int = 300
    seconds: float = 2.0
    """Time spent planning; cloning is not counted."""


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A candidate that stands in the shadow, hidden or shown."""

    oids: frozenset[int]
    names: frozenset[str]


class Shadow:
    """What-if plans of one shape; raises PlannerError when its server is lost."""

    method = "shadow"

    def __init__(self, bench: Bench, clone: Clone) -> None:
        self._bench, self._clone, self._limits = bench, clone, Limits()
        self._shape = clone.shape
        self._made: dict[Candidate, _Made] = {}
        self._refusals: dict[Candidate, str] = {}
        self._shares: dict[Candidate, float] = {}
        self._shown: set[Candidate] = set()
        self._hidden: set[int] = set()
        self._existing: dict[int, frozenset[int]] = {}
        self._answers: dict[object, Planned | str] = {}
        self._wanted: dict[tuple[str, object], Wanted | str] = {}
        self._plans = 0
        self._seconds = 0.0
        self.remarks: list[str] = []

    @property
    def lost(self) -> bool:
        """Tell whether its server went away."""
        return self._bench.lost

    def again(self, limits: Limits) -> None:
        """Begin anew with counting what was spent; what is known stays known."""
        self._limits, self._plans, self._seconds = limits, 0, 0.0

    async def close(self) -> None:
        """Leave the database."""
        await self._bench.close()

    @property
    def plans(self) -> int:
        """How many plans were made so far."""
        return self._plans

    @property
    def remark(self) -> str:
        """Tell the versions, and in what the shadow differs."""
        watched = self._shape.version_num // 10000
        told = [f"planned by a shadow of PostgreSQL 18 (the server has {watched}), without parallel plans"]
        if any(table.row_security for table in self._shape.tables.values()):
            told.append("row level security is not planned")
        return "; ".join(dict.fromkeys([*told, *self.remarks, *self._clone.differs]))

    async def propose(self, candidates: Collection[Candidate]) -> Mapping[Candidate, str]:
        """Make candidates known; give those refused, and why."""
        new = [each for each in dict.fromkeys(candidates) if each not in self._made and each not in self._refusals]
        await self._clone.tables({oid for each in new for oid in self._family(each)})
        self._refusals |= {each: why for each in new if (why := self._unfit(each))}
        await self._make([each for each in new if each not in self._refusals])
        return {each: self._refusals[each] for each in candidates if each in self._refusals}

    async def cost(
        self, queries: Sequence[Query], candidates: Collection[Candidate] = (), without: Collection[int] = ()
    ) -> Answer:
        """Plan queries as if just these candidates were there, and the indexes `without` were not."""
        await self.propose(candidates)
        wanted = {query.name: self._want(query) for query in queries}
        await self._clone.ensure(each for each in wanted.values() if isinstance(each, Wanted))
        planned: dict[str, Planned] = {}
        refused: dict[str, str] = {}
        cut = ""
        for query in queries:
            answer = await self._answer(query, wanted[query.name], candidates, without)
            if answer is None:
                cut = self._spent()
            elif isinstance(answer, Planned):
                planned[query.name] = answer
            else:
                refused[query.name] = answer
        return Answer(planned=planned, refused=refused, cut=cut)

    def size_bytes(self, candidate: Candidate) -> float:
        """Estimate how big it would be, over all partitions."""
        table = self._shape.tables.get(candidate.table)
        if table is None:
            return 0.0
        share = self._shares.get(candidate, 1.0)
        return float(PAGE * sum(pages(candidate, part, share) for part in self._clone.relations.parts(table)))

    def _family(self, candidate: Candidate) -> frozenset[int]:
        table = self._shape.tables.get(candidate.table)
        return self._clone.relations.family(table) if table and table.kind != "f" else frozenset()

    def _unfit(self, candidate: Candidate) -> str:
        table = self._shape.tables.get(candidate.table)
        if table is None:
            return "its table is not known"
        if table.kind == "f":
            return f"{table.full_name} is a foreign table: indexes are made on its own server"
        if _by_trigrams(candidate) and "pg_trgm" not in {*self._shape.extensions, *self._shape.available}:
            return "it needs the extension pg_trgm, which that server does not have"
        return self._clone.missing.get(table.oid, "")

    async def _make(self, candidates: Sequence[Candidate]) -> None:
        """Make candidates while their tables are empty, then hide them."""
        if not candidates:
            return
        await self._estimate_shares(candidates)
        await self._fetch_trigrams(candidates)
        touched = [self._shape.tables[oid] for oid in {oid for each in candidates for oid in self._family(each)}]
        held = [table for table in touched if table.oid not in self._clone.missing]
        await self._clone.empty(held)
        names = {
            each: f"pgarchitect_{len(self._made) + len(self._refusals) + at}" for at, each in enumerate(candidates)
        }
        failed = await self._bench.tried([each.definition(names[each]) for each in candidates])
        self._refusals |= {candidates[place]: _no_index(failure) for place, failure in failed.items()}
        made = {name: each for each, name in names.items() if each not in self._refusals}
        await self._clone.fill(held, await self._take_in(made))

    async def _take_in(self, made: Mapping[str, Candidate]) -> Mapping[tuple[str, str], Built]:
        """Learn the indexes of candidates, their partitions' too, under names of ours."""
        found = await self._bench.fetch(MADE, [each.schema for each in made.values()], [*made])
        names = {int(str(row["oid"])): str(row["candidate"]) for row in found}
        built: dict[tuple[str, str], Built] = {}
        renames = []
        parts: dict[str, dict[int, str]] = {name: {} for name in made}
        for row in found:
            oid, candidate = int(str(row["oid"])), str(row["candidate"])
            name = str(row["name"])
            if name != candidate:
                name = f"{candidate}_{len(parts[candidate])}"
                renames.append(f"alter index {_full(row)} rename to {name}")
            parts[candidate][oid] = name
            table = self._shape.named(str(row["schema"]), str(row["table_name"]))
            if row["kind"] == "i" and table is not None:
                one = made[candidate]
                size = pages(one, table, self._shares.get(one, 1.0))
                built[str(row["schema"]), name] = Built(table=table, keys=one.keys, pages=size)
        await self._bench.tried(renames)
        await self._bench.fetch(SHOW, [*names], False)
        for name, each in made.items():
            self._made[each] = _Made(oids=frozenset(parts[name]), names=frozenset(parts[name].values()))
        return built

    async def _estimate_shares(self, candidates: Sequence[Candidate]) -> None:
        """Ask the planner which share of its table's rows a partial index would hold."""
        for each in candidates:
            table = self._shape.tables[each.table]
            if each.where:
                part = next(self._clone.relations.parts(table), table)
                plan = await self._bench.plan("pg_catalog", f"select from {part.full_name} where {each.where}")
                rows = plan.get("Plan Rows") if not isinstance(plan, Failure) else None
                if isinstance(rows, int | float) and part.rows > 0:
                    self._shares[each] = min(rows / part.rows, 1.0)

    async def _fetch_trigrams(self, candidates: Sequence[Candidate]) -> None:
        if "pg_trgm" not in self._shape.extensions and any(map(_by_trigrams, candidates)):
            await self._bench.tried(["create extension if not exists pg_trgm schema public"])

    def _want(self, query: Query) -> Wanted | str:
        key = (query.text, query.given)
        if key not in self._wanted:
            try:
                self._wanted[key] = self._clone.relations.wanted(query)
            except Refused as reason:
                self._wanted[key] = str(reason)
        return self._wanted[key]

    async def _answer(
        self, query: Query, wanted: Wanted | str, candidates: Collection[Candidate], without: Collection[int]
    ) -> Planned | str | None:
        """Plan one query, or remember; None when the budget is spent."""
        if isinstance(wanted, str) or (lacking := self._clone.lacking(wanted)):
            return wanted if isinstance(wanted, str) else lacking
        near = frozenset(each for each in candidates if each.table in wanted.tables and each in self._made)
        gone = frozenset(self._indexes(wanted.tables) & {*without})
        key = (query.text, query.given, near, gone)
        if key not in self._answers:
            if self._spent():
                return None
            await self._show(candidates, without)
            self._answers[key] = await self._plan(wanted, near)
        return self._answers[key]

    def _indexes(self, tables: Iterable[int]) -> set[int]:
        return {index.oid for oid in tables for index in self._shape.tables[oid].indexes}

    def _spent(self) -> str:
        if self._plans >= self._limits.plans:
            return f"{self._limits.plans} plans were made, which is the limit"
        if self._seconds >= self._limits.seconds:
            return f"{self._limits.seconds:g} s were spent planning, which is the limit"
        return ""

    async def _plan(self, wanted: Wanted, near: Collection[Candidate]) -> Planned | str:
        self._plans += 1
        began = time.monotonic()
        plan = await self._bench.plan(wanted.path, wanted.text)
        self._seconds += time.monotonic() - began
        if isinstance(plan, Failure):
            return _no_plan(plan)
        read = {*_index_names(plan)}
        used = frozenset(each for each in near if read & self._made[each].names)
        return Planned(cost=float(str(plan["Total Cost"])), plan=plan, used=used)

    async def _show(self, candidates: Collection[Candidate], without: Collection[int]) -> None:
        """Let the planner see just these candidates, and not those indexes."""
        shown = {each for each in candidates if each in self._made}
        hidden = {*without}
        await self._existing_oids(hidden - self._existing.keys())
        see = [*_oids(self._made[each].oids for each in shown - self._shown)]
        see += _oids(self._existing[oid] for oid in self._hidden - hidden)
        hide = [*_oids(self._made[each].oids for each in self._shown - shown)]
        hide += _oids(self._existing[oid] for oid in hidden - self._hidden)
        for oids, visible in ((hide, False), (see, True)):
            if oids:
                await self._bench.fetch(SHOW, oids, visible)
        self._shown, self._hidden = shown, hidden

    async def _existing_oids(self, wanted: Collection[int]) -> None:
        """Find the shadow's oids of existing indexes; those of partitions follow their parent's."""
        if not wanted:
            return
        known = {index.oid: index for table in self._shape.tables.values() for index in table.indexes}
        for oid in wanted:
            index = known.get(oid)
            rows = await self._bench.fetch(MADE, [index.schema], [index.name]) if index and plannable(index) else ()
            self._existing[oid] = frozenset(int(str(row["oid"])) for row in rows)


def _by_trigrams(candidate: Candidate) -> bool:
    return any(key.opclass.endswith(_LIKE_TRIGRAMS) for key in candidate.keys)


def _oids(groups: Iterable[frozenset[int]]) -> Iterator[int]:
    for group in groups:
        yield from group


def _full(row: Mapping[str, object]) -> str:
    return ".".join('"' + str(row[part]).replace('"', '""') + '"' for part in ("schema", "name"))


def _index_names(plan: Node) -> Iterator[str]:
    """Give the names of indexes that a plan reads."""
    waiting: list[object] = [plan]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            if name := node.get("Index Name"):
                yield str(name)
            below = node.get("Plans", ())
            waiting += below if isinstance(below, list) else ()


def _no_index(failure: Failure) -> str:
    return f"PostgreSQL would not make it: {failure}"


def _no_plan(failure: Failure) -> str:
    """Say why the shadow would not plan a statement, which has no constants."""
    if failure.state == "57014":
        return "planning it took too long"
    if failure.state in _UNTYPED:
        return f"the shadow cannot tell the types or functions in it: {failure}"
    return f"the shadow cannot plan it: {failure}"
