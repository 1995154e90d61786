"""Indexes as the server sees them: which there are, and what a definition comes to there."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.exam.model import Index

SQL = """
    select format('%I.%I', n.nspname, x.relname) as name,
           format('%I.%I', t.nspname, c.relname) as "table",
           a.amname::text as method,
           array(select pg_get_indexdef(i.indexrelid, k, true) from generate_series(1, i.indnkeyatts) k) as keys,
           i.indclass::oid[] as classes,
           i.indcollation::oid[] as collations,
           i.indoption::int2[] as options,
           pg_get_expr(i.indpred, i.indrelid, true) as "where",
           -- Of a partitioned table's it says `on only`, which would build it without its parts.
           replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as definition,
           i.indisvalid as valid,
           i.indisunique or k.oid is not null as constrains,
           coalesce(s.idx_scan, 0) as scans
      from pg_index i
      join pg_class x on x.oid = i.indexrelid
      join pg_namespace n on n.oid = x.relnamespace
      join pg_am a on a.oid = x.relam
      join pg_class c on c.oid = i.indrelid
      join pg_namespace t on t.oid = c.relnamespace
      left join pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
      left join pg_stat_all_indexes s on s.indexrelid = i.indexrelid
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and not x.relispartition
        or n.oid = pg_my_temp_schema()
"""

TURNED = 3
"""`desc` as it is without a word about nulls: both bits of indoption."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """An index that stands on the server; one that is a partition's part of another is not shown."""

    name: str
    table: str
    method: str
    keys: tuple[str, ...]
    classes: tuple[int, ...]
    collations: tuple[int, ...]
    options: tuple[int, ...]
    where: str | None
    definition: str
    valid: bool
    constrains: bool
    scans: int

    def serves_as(self, other: "Built", *, directed: bool) -> bool:
        """Say whether it does what the other does."""
        kind = (self.method, self.keys, self.classes, self.collations, self.where)
        if kind != (other.method, other.keys, other.classes, other.collations, other.where):
            return False
        turned = [mine ^ theirs for mine, theirs in zip(self.options, other.options, strict=True)]
        return set(turned) <= {0, TURNED} and (not directed or len(set(turned)) == 1)


async def indexes(session: asyncpg.Connection) -> dict[str, Built]:
    """Give those of the database by name."""
    rows = [dict(row) for row in await session.fetch(SQL)]
    return {row["name"]: Built(**{key: plain(value) for key, value in row.items()}) for row in rows}


def plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


async def meaning(session: asyncpg.Connection, table: str, index: Index) -> Built:
    """Build it on an empty table of the same shape; nothing stays."""
    change = session.transaction()
    await change.start()
    try:
        await session.execute(f"create temp table exam_shape (like {table})")
        await session.execute(index.sql("pg_temp.exam_shape", "exam_meaning"))
        found = await indexes(session)
        (built,) = [each for each in found.values() if each.name.endswith(".exam_meaning")]
    finally:
        await change.rollback()
    return built
