"""Which indexes work: those that show that somebody applied a remedy, and those that were there before."""

import json
from collections.abc import Collection, Iterator

from monitor.probe import Measurement, Row, Session, Thing, identifier

# Of the largest tables, and first of partitioned ones, which have no pages; in one row of equally long arrays: as rows,
# four thousand would cost us ten times as much. Of partial ones, and of methods that keep no order and no equality, no
# columns are told: they may serve much, but not every search for those.
SQL = r"""
    select array_agg(s.schema) as schema, array_agg(s."table") as "table", array_agg(s.name) as name,
           array_agg(s.columns) as columns, array_agg(s.uses) as uses, array_agg(s.bound) as bound
      from (select n.nspname::text as schema, c.relname::text as "table", x.relname::text as name,
                   case when i.indpred is null and a.amname in ('btree', 'hash') then
                       array_to_json(array(
                           select coalesce((select t.attname::text
                                              from pg_catalog.pg_attribute t
                                             where t.attrelid = i.indrelid
                                               and t.attnum = u.number), '')
                             from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) as u (number)))::text
                       else '[]' end as columns,
                   pg_catalog.pg_stat_get_numscans(i.indexrelid) as uses,
                   exists (select
                             from pg_catalog.pg_constraint k
                            where k.conindid = i.indexrelid
                              and k.contype <> 'f') as bound
              from (select oid, relnamespace, relname
                      from pg_catalog.pg_class
                     where relkind in ('r', 'm', 'p')
                       and relpersistence <> 't'
                       and relhasindex
                     order by relkind <> 'p', relpages desc, oid
                     limit 2000) c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisvalid and i.indisready and i.indislive
              join pg_catalog.pg_class x on x.oid = i.indexrelid
              join pg_catalog.pg_am a on a.oid = x.relam
             where n.nspname <> 'information_schema'
               and n.nspname not like 'pg\_%'
             limit 4000) s
"""

PLACE = "indexes"
"""Where a measurement's details keep them."""


async def standing(session: Session) -> Row:
    """Read which indexes work."""
    (row,) = await session.fetch(SQL)
    return row


def things(seen: Measurement, relations: Collection[str]) -> Iterator[Thing]:
    """Give the indexes of these relations, which are named as in findings."""
    row = seen.details.get(PLACE, {})
    columns = [_list(row, name) for name in ("schema", "table", "name", "columns", "uses", "bound")]
    all_names = "\n".join(relations)  # to quote thousands of names would take longer than all the rest
    for schema, table, name, keys, uses, bound in zip(*columns, strict=True):
        if str(table).replace('"', '""') not in all_names:
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


def _list(row: Row, name: str) -> list[object]:
    values = row.get(name)
    return values if isinstance(values, list) else []
