"""The shadow planner: a database of our own that only looks like the watched one, asked what would be if."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from monitor.planner.bench import Asker, Bench, Failure
from monitor.planner.clone import Built, Clone, plannable
from monitor.planner.relations import Wanted
from monitor.planner.sizes import pages
from monitor.planner.source import Limits, Source
from monitor.planning import Candidate, Node

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


class Shadow(Source):
    """What-if plans of one shape; raises PlannerError when its server is lost."""

    method = "shadow"

    def __init__(self, bench: Bench, clone: Clone) -> None:
        super().__init__(clone.shape, clone.relations, Limits())
        self._bench, self._clone = bench, clone
        self._oids: dict[Candidate, frozenset[int]] = {}
        self._shown: set[Candidate] = set()
        self._hidden: set[int] = set()
        self._existing: dict[int, frozenset[int]] = {}
        self.remarks: list[str] = []

    @property
    def lost(self) -> bool:
        """Tell whether its server went away."""
        return self._bench.lost

    async def close(self) -> None:
        """Leave the database."""
        await self._bench.close()

    @property
    def remark(self) -> str:
        """Tell the versions, and in what the shadow differs."""
        watched = self._shape.version_num // 10000
        told = [f"planned by a shadow of PostgreSQL 18 (the server has {watched})"]
        return "; ".join(dict.fromkeys([*told, *self.remarks, *self._clone.differs]))

    async def _prepare(self, wanted: Sequence[Wanted]) -> None:
        await self._clone.ensure(wanted)

    def _lacking(self, wanted: Wanted) -> str:
        return self._clone.lacking(wanted)

    async def _explain(self, wanted: Wanted) -> Node | str:
        settings = wanted.role.settings if wanted.role else {}
        asker = Asker(person=self._clone.persons.number(wanted.role), settings=settings)
        plan = await self._bench.plan(wanted.path, wanted.text, asker)
        return _no_plan(plan) if isinstance(plan, Failure) else plan

    def _family(self, candidate: Candidate) -> frozenset[int]:
        table = self._shape.tables.get(candidate.table)
        return self._relations.family(table) if table and table.kind != "f" else frozenset()

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
        await self._clone.tables({oid for each in candidates for oid in self._family(each)})
        self._refusals |= {each: why for each in candidates if (why := self._unfit(each))}
        fit = [each for each in candidates if each not in self._refusals]
        if not fit:
            return
        await self._estimate_shares(fit)
        await self._fetch_trigrams(fit)
        touched = [self._shape.tables[oid] for oid in {oid for each in fit for oid in self._family(each)}]
        held = [table for table in touched if table.oid not in self._clone.missing]
        await self._clone.empty(held)
        first = len(self._names) + len(self._refusals)
        names = {each: f"pgarchitect_{first + at}" for at, each in enumerate(fit)}
        failed = await self._bench.tried([each.definition(names[each]) for each in fit])
        self._refusals |= {fit[place]: f"PostgreSQL would not make it: {failure}" for place, failure in failed.items()}
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
            self._oids[each], self._names[each] = frozenset(parts[name]), frozenset(parts[name].values())
        return built

    async def _estimate_shares(self, candidates: Sequence[Candidate]) -> None:
        """Ask the planner which share of its table's rows a partial index would hold."""
        for each in candidates:
            table = self._shape.tables[each.table]
            if each.where:
                part = next(self._relations.parts(table), table)
                plan = await self._bench.plan("pg_catalog", f"select from {part.full_name} where {each.where}")
                rows = plan.get("Plan Rows") if not isinstance(plan, Failure) else None
                if isinstance(rows, int | float) and part.rows > 0:
                    self._shares[each] = min(rows / part.rows, 1.0)

    async def _fetch_trigrams(self, candidates: Sequence[Candidate]) -> None:
        if "pg_trgm" not in self._shape.extensions and any(map(_by_trigrams, candidates)):
            await self._bench.tried(["create extension if not exists pg_trgm schema public"])

    async def _show(self, candidates: Collection[Candidate], without: Collection[int]) -> None:
        """Let the planner see just these candidates, and not those indexes."""
        shown = {each for each in candidates if each in self._oids}
        hidden = {*without}
        await self._existing_oids(hidden - self._existing.keys())
        see = [*_oids(self._oids[each] for each in shown - self._shown)]
        see += _oids(self._existing[oid] for oid in self._hidden - hidden)
        hide = [*_oids(self._oids[each] for each in self._shown - shown)]
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


def _no_plan(failure: Failure) -> str:
    """Say why the shadow would not plan a statement, which has no constants."""
    if failure.state == "57014":
        return "planning it took too long"
    if failure.state in _UNTYPED:
        return f"the shadow cannot tell the types or functions in it: {failure}"
    return f"the shadow cannot plan it: {failure}"
