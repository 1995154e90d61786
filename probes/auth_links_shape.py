"""How big a link is and how it can be walked: by its index, by blocks, by users; and how far a standby lags."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.probe import Needs, ProbeSkipped, Row, Session, number
from probes.auth_links_discovery import Column

LARGE = 250_000
"""Keys on both sides; more cannot be looked at in a tenth of a second."""
SLOW = 20_000
"""So many are looked at in slices where a whole look took that long."""

RUN_SECONDS = 10.0
"""No run takes longer, while what a stopped standby shows grows older."""

# Each gives the time by which rows of a table were made, now, in the reckoning of the column `{column}` of relation
# `{of}`; NULL where no index leads with it. One without zone may hold UTC or local time: who is not late is young.
CLOCK = """
    (select extract(epoch from case m.atttypid when 'timestamptz'::regtype then pg_catalog.now()
                               else least(pg_catalog.now() at time zone 'UTC', localtimestamp) at time zone 'UTC'
                               end)::float8
       from pg_catalog.pg_attribute m
      where m.attrelid = {of}
        and m.attname = {column}
        and not m.attisdropped
        and m.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype)
        and exists (select
                      from pg_catalog.pg_index i
                      join pg_catalog.pg_class x on x.oid = i.indexrelid
                      join pg_catalog.pg_am am on am.oid = x.relam and am.amname = 'btree'
                     where i.indrelid = m.attrelid
                       and i.indisvalid
                       and i.indkey[0] = m.attnum
                       and i.indpred is null))
"""

USERS_OID = """(select u.oid
                                from pg_catalog.pg_class u
                                join pg_catalog.pg_namespace n on n.oid = u.relnamespace
                               where n.nspname = $1::text and u.relname = 'users')"""

# $1 auth schema, $2 to $4 the column, $5 the time its rows were made by. A partial index serves where it leaves out
# NULL only. Rows that were never counted are taken for thirty a block.
SHAPE = f"""
    with leaf as materialized (
             select root.oid as root, leaf.oid, leaf.reltuples, size.blocks
               from pg_catalog.pg_class root
               join pg_catalog.pg_namespace n on n.oid = root.relnamespace
              cross join lateral (select root.oid as member
                                   union
                                  select t.relid from pg_catalog.pg_partition_tree(root.oid) t) as family
               join pg_catalog.pg_class leaf on leaf.oid = family.member and leaf.relkind = 'r'
              cross join lateral (select pg_catalog.pg_relation_size(leaf.oid)
                                         / pg_catalog.current_setting('block_size')::int8 as blocks) size
              where (n.nspname, root.relname) in (($1::text, 'users'), ($2::text, $3::text))
         ),
         counted as (
             select root,
                    pg_catalog.sum(case when reltuples < 0 then 30 * blocks else reltuples end)::int8 as rows,
                    pg_catalog.max(blocks) as blocks
               from leaf
              group by root
         )
    select coalesce((select counted.rows
                       from counted
                       join pg_catalog.pg_class u on u.oid = counted.root and u.relname = 'users'
                       join pg_catalog.pg_namespace n on n.oid = u.relnamespace and n.nspname = $1::text), 0) as users,
           coalesce(counted.rows, 0) as rows,
           coalesce(counted.blocks, 0) as blocks,
           coalesce(nullif(t.typbasetype, 0), t.oid) = 'uuid'::regtype as uuid,
           exists (select
                     from pg_catalog.pg_index i
                     join pg_catalog.pg_class x on x.oid = i.indexrelid
                     join pg_catalog.pg_am m on m.oid = x.relam and m.amname = 'btree'
                     join pg_catalog.pg_opclass o on o.oid = i.indclass[0] and o.opcdefault
                    where i.indrelid = c.oid
                      and i.indisvalid
                      and i.indkey[0] = a.attnum
                      and i.indcollation[0] = a.attcollation
                      and (i.indpred is null
                           or pg_catalog.pg_get_expr(i.indpred, i.indrelid)
                              = pg_catalog.format('(%I IS NOT NULL)', a.attname))) as indexed,
           {CLOCK.format(of="c.oid", column="$5::text")} as rows_clock,
           {CLOCK.format(of=USERS_OID, column="'created_at'")} as users_clock
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_catalog.pg_type t on t.oid = a.atttypid
      left join counted on counted.root = c.oid
     where n.nspname = $2::text
       and c.relname = $3::text
       and a.attname = $4::text
"""

# Who has replayed all that it received, from a primary it still hears, is as young as the primary.
LAG = """
    select case when pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
                     and exists (select from pg_catalog.pg_stat_get_wal_receiver() where pid is not null)
                then 0
                else coalesce(extract(epoch from pg_catalog.clock_timestamp()
                                                 - pg_catalog.pg_last_xact_replay_timestamp()), 0)
           end::float8 as seconds
"""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the catalogue says of a link."""

    users: int
    rows: int
    blocks: int
    uuid: bool
    indexed: bool
    rows_clock: float | None = None
    """The server's time, as the column by which the table's rows are timed has it; None: no index leads with it."""
    users_clock: float | None = None

    @property
    def keys(self) -> int:
        """Both sides' keys."""
        return self.users + self.rows

    def sliced(self, *, dear: bool) -> bool:
        """Tell whether it must be looked at in slices; `dear`: a whole look took long."""
        return self.keys > LARGE or (dear and self.keys > SLOW)


async def shape(session: Session, schema: str, column: Column) -> Shape:
    """Ask for a link's; raises ProbeSkipped where it is gone."""
    rows = await session.fetch(SHAPE, schema, *column.place, column.created)
    if not rows:
        raise ProbeSkipped(f"{column.relation} was changed just now", Needs.TIME)
    return _shape(rows[0])


def _shape(row: Row) -> Shape:
    users, rows, blocks = (int(number(row, name)) for name in ("users", "rows", "blocks"))
    return Shape(
        users=users,
        rows=rows,
        blocks=blocks,
        uuid=bool(row["uuid"]),
        indexed=bool(row["indexed"]),
        rows_clock=None if row["rows_clock"] is None else number(row, "rows_clock"),
        users_clock=None if row["users_clock"] is None else number(row, "users_clock"),
    )


async def lag(session: Session) -> float:
    """Give how old what a standby shows may get during a run: rows are that much younger there than the clock says."""
    if not session.facts.in_recovery:
        return 0.0
    (row,) = await session.fetch(LAG)
    seconds = max(number(row, "seconds"), 0.0)
    return seconds + RUN_SECONDS if seconds else 0.0
