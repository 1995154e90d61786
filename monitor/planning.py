"""What-if plans: the words between those who propose indexes and those who know what a planner would do with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from monitor.shape import IndexKey, Shape
from monitor.sql.text import identifier

Node: TypeAlias = Mapping[str, object]
"""A node of a plan, as EXPLAIN (VERBOSE, FORMAT JSON) writes it."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """A statement of the workload. `text` has $n for each literal; figures are of the workload's window."""

    name: str
    """The fingerprint."""
    text: str
    calls: float = 1.0
    seconds: float = 0.0
    """Execution time of all calls."""
    rows: float = 0.0
    roles: tuple[str, ...] = ()
    """Who runs it: planned with their policies and settings; of several with those of the first that is bound."""
    supposed: str = ""
    """A text to plan in its place, where a plan for any value would be blind; "": its own."""
    given: tuple[tuple[int, str], ...] = ()
    """SQL to plan in place of a parameter, where a plan for any value would be blind: ((1, "'abc%'"), …)."""

    @property
    def rows_per_call(self) -> float:
        """Rows returned or changed by one call."""
        return self.rows / self.calls if self.calls else 0.0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An index that might be: on a table (or partitioned table) of the shape, by its oid."""

    table: int
    schema: str
    name: str
    """The table's."""
    keys: tuple[IndexKey, ...]
    include: tuple[str, ...] = ()
    """Columns' names, unquoted."""
    method: str = "btree"
    where: str = ""

    def definition(self, index: str) -> str:
        """Write the statement that creates it; `index` is its name without a schema."""
        return f"create index {identifier(index)} on {identifier(self.schema, self.name)} {self.body}"

    @property
    def body(self) -> str:
        """Write what follows the table in a statement that creates it: method, keys, INCLUDE and WHERE."""
        keys = ", ".join(_key(key) for key in self.keys)
        include = f" include ({', '.join(identifier(name) for name in self.include)})" if self.include else ""
        where = f" where {self.where}" if self.where else ""
        return f"using {self.method} ({keys}){include}{where}"


def _key(key: IndexKey) -> str:
    collation = f" collate {key.collation}" if key.collation else ""
    opclass = f" {key.opclass}" if key.opclass else ""
    order = " desc" if key.descending else ""
    nulls = "" if key.nulls_first == key.descending else " nulls first" if key.nulls_first else " nulls last"
    return key.expression + collation + opclass + order + nulls


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a planner says of one query."""

    cost: float
    """The whole plan's, in the planner's units."""
    plan: Node
    """Its topmost node."""
    used: frozenset[Candidate] = frozenset()
    """Candidates that the plan reads (of a partitioned table, or of any of its partitions)."""

    @property
    def indexes(self) -> frozenset[str]:
        """Give the names of all indexes that the plan reads, without their schemas."""
        return frozenset(_index_names(self.plan))


def _index_names(plan: Node) -> Iterator[str]:
    waiting: list[object] = [plan]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            if name := node.get("Index Name"):
                yield str(name)
            below = node.get("Plans", ())
            waiting += below if isinstance(below, list) else ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Plans by the query's name, and why there is none of the others."""

    planned: Mapping[str, Planned] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    cut: str = ""
    """Why not all were looked at: a budget is spent. "": all were."""


class PlanSource(Protocol):
    """Who knows what a planner would do: a shadow, hypopg on the server itself, or arithmetic."""

    @property
    def method(self) -> str:
        """One of `shadow`, `hypopg`, `arithmetic`."""

    @property
    def remark(self) -> str:
        """What people should know of it: versions, what was left out."""

    @property
    def plans(self) -> int:
        """How many plans were made so far."""

    async def propose(self, candidates: Collection[Candidate]) -> Mapping[Candidate, str]:
        """Make candidates known, so that `cost` may be asked with any of them; give those refused, and why."""

    async def cost(
        self,
        queries: Sequence[Query],
        candidates: Collection[Candidate] = (),
        without: Collection[int] = (),
    ) -> Answer:
        """Plan queries as if just these candidates were there, and the indexes `without` (oids) were not."""

    def size_bytes(self, candidate: Candidate) -> float:
        """Estimate how big it would be, over all partitions."""


class Planner(Protocol):
    """Opens plan sources."""

    def opened(self, shape: Shape) -> AbstractAsyncContextManager[PlanSource]:
        """Give the best source that can be had for a shape; raises PlannerError where there is none."""
