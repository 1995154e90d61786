"""Which indexes there are: those that show that somebody applied a remedy, and how each stands, for the page."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import nlargest

from monitor.probe import Measurement, Row, Session, Thing, identifier

# Of the largest tables, and first of partitioned ones, which have no pages; in one row of equally long arrays: as rows,
# four thousand would cost us ten times as much. Of partial ones, and of methods that keep no order and no equality, no
# columns are told: they may serve much, but not every search for those. A size function would wait behind an exclusive
# lock. Statistics that a crash discarded are told by the reset of the background writer's.
SQL = r"""
    select array_agg(s.oid::bigint) as relid, array_agg(s.schema) as schema, array_agg(s."table") as "table",
           array_agg(s.name) as name, array_agg(s.columns) as columns, array_agg(s.uses) as uses,
           array_agg(s.bound) as bound, array_agg(s.works) as works, array_agg(s.parent) as parent,
           array_agg(s.size_bytes) as size_bytes, array_agg(s.need) as need,
           array_agg(not s.works and exists (select
                                               from pg_catalog.pg_stat_progress_create_index b
                                              where b.datname = current_database()
                                                and coalesce(b.index_relid, s.oid) = s.oid)) as building,
           extract(epoch from greatest(
               pg_catalog.pg_stat_get_db_stat_reset_time(
                   (select oid from pg_catalog.pg_database where datname = current_database())),
               pg_catalog.pg_stat_get_bgwriter_stat_reset_time()))::float8 as since
      from (select x.oid, n.nspname::text as schema, c.relname::text as "table", x.relname::text as name,
                   case when i.indpred is null and a.amname in ('btree', 'hash') then
                       array_to_json(array(
                           select coalesce((select t.attname::text
                                              from pg_catalog.pg_attribute t
                                             where t.attrelid = i.indrelid
                                               and t.attnum = u.number), '')
                             from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) as u (number)))::text
                       else '[]' end as columns,
                   pg_catalog.pg_stat_get_numscans(i.indexrelid) as uses,
                   k.bound,
                   i.indisvalid and i.indisready and i.indislive as works,
                   x.relkind = 'I' as parent,
                   x.relpages::bigint * 8192 as size_bytes,
                   case when k.bound then 'constraint'
                        when i.indisreplident then 'replica identity'
                        when i.indisunique then 'unique'
                        when x.relispartition then 'partition'
                        when k.serves then 'foreign key'
                        else '' end as need
              from (select oid, relnamespace, relname
                      from pg_catalog.pg_class
                     where relkind in ('r', 'm', 'p')
                       and relpersistence <> 't'
                       and relhasindex
                     order by relkind <> 'p', relpages desc, oid
                     limit 2000) c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              join pg_catalog.pg_index i on i.indrelid = c.oid
              join pg_catalog.pg_class x on x.oid = i.indexrelid
              join pg_catalog.pg_am a on a.oid = x.relam
             cross join lateral (
                    select exists (select
                                     from pg_catalog.pg_constraint k
                                    where k.conindid = i.indexrelid
                                      and k.contype <> 'f') as bound,
                           i.indpred is null
                           and exists (select
                                         from pg_catalog.pg_constraint k
                                        where k.conrelid = i.indrelid
                                          and k.contype = 'f'
                                          and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
                               as serves) k
             where n.nspname <> 'information_schema'
               and n.nspname not like 'pg\_%'
             limit 4000) s
"""

LAST_SCANS = """
    select array_agg(extract(epoch from pg_catalog.pg_stat_get_lastscan(u.relid::oid))::float8 order by u.place)
               as last_scan
      from unnest($1::bigint[]) with ordinality as u (relid, place)
"""
"""When each was used last; servers from 16 on know."""
KNOWS_LAST = 16

PLACE = "indexes"
"""Where a measurement's details keep them; and the name of their trend's rows and of their list."""


async def standing(session: Session) -> Row:
    """Read which indexes there are."""
    (row,) = await session.fetch(SQL)
    relids = _list(row, "relid")
    if session.facts.major < KNOWS_LAST or not relids:
        return row
    (last,) = await session.fetch(LAST_SCANS, relids)
    return {**row, **last}


def things(seen: Measurement, relations: Collection[str]) -> Iterator[Thing]:
    """Give the indexes of these relations that work; relations are named as in findings."""
    row = seen.details.get(PLACE, {})
    columns = [_list(row, name) for name in ("schema", "table", "name", "columns", "uses", "bound", "works")]
    all_names = "\n".join(relations)  # to quote thousands of names would take longer than all the rest
    for schema, table, name, keys, uses, bound, works in zip(*columns, strict=True):
        if not works or str(table).replace('"', '""') not in all_names:
            continue
        relation = identifier(str(schema), str(table))
        if relation in relations:
            index = identifier(str(schema), str(name))
            yield Thing(
                kind="index",
                relation=relation,
                name=index,
                columns=tuple(json.loads(str(keys))),
                uses=uses if isinstance(uses, int) else None,
                undo="" if bound else f"drop index concurrently if exists {index}",
            )


class Scans:
    """How often each index had been used at the last reading."""

    def __init__(self) -> None:
        self._before: Mapping[object, int] = {}

    def grown(self, row: Row) -> Sequence[int | None]:
        """Give by how much each count grew; None of an index that is new, and after a reset."""
        uses = [int(each) if isinstance(each, int) else 0 for each in _list(row, "uses")]
        now = dict(zip(_list(row, "relid"), uses, strict=True))
        before, self._before = self._before, now
        return [
            count - before[relid] if count >= before.get(relid, count + 1) else None for relid, count in now.items()
        ]


def followed(row: Row, grown: Sequence[int | None], most: int) -> Iterator[Row]:
    """Give the rows of the trend: the largest ones, with what was scanned since the last reading."""
    schemas, names, sizes = (_list(row, name) for name in ("schema", "name", "size_bytes"))
    for place in nlargest(most, range(len(sizes)), key=lambda each: sizes[each]):  # type: ignore[arg-type,return-value]  # numbers
        yield {"schema": schemas[place], "index": names[place], "size_bytes": sizes[place], "scans": grown[place]}


def listed(row: Row) -> Iterator[tuple[str, Row]]:
    """Give the list of indexes; those of partitioned tables, which hold nothing themselves, left out."""
    names = ("schema", "table", "name", "size_bytes", "uses", "works", "building", "need", "parent")
    last = _list(row, "last_scan") or [None] * len(_list(row, "name"))
    for *told, parent, scanned in zip(*(_list(row, name) for name in names), last, strict=True):
        if not parent:
            yield PLACE, {**dict(zip(names, told, strict=False)), "last_scan": scanned, "since": row.get("since")}


def _list(row: Row, name: str) -> list[object]:
    values = row.get(name)
    return values if isinstance(values, list) else []
