"""A shape read from a test's database with a few catalogue queries: what the shadow is given in its tests."""

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.shape import Column, ColumnStatistics, ForeignKey, Index, IndexKey, Shape, Table, View
from tests.database import Database

TABLES = """
    select c.oid::bigint,
           n.nspname::text as schema,
           c.relname::text as name,
           c.relkind::text as kind,
           c.reltuples::float8 as rows,
           c.relpages as pages,
           c.relallvisible as all_visible,
           c.relrowsecurity as row_security,
           coalesce((select min(inhparent::bigint) from pg_inherits where inhrelid = c.oid and relispartition), 0)
               as parent,
           array(select inhparent::bigint from pg_inherits where inhrelid = c.oid and not relispartition) as inherits,
           coalesce(pg_get_expr(c.relpartbound, c.oid), '') as bound,
           case when c.relkind = 'p' then pg_get_partkeydef(c.oid) else '' end as partition_key
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'm', 'f')
       and n.nspname !~ '^pg_|information_schema'
"""
COLUMNS = """
    select a.attrelid::bigint as "table",
           a.attnum as number,
           a.attname::text as name,
           format_type(a.atttypid, a.atttypmod) as type,
           a.attnotnull as not_null,
           case when a.attcollation not in (0, t.typcollation) then a.attcollation::regcollation::text else '' end
               as collation,
           a.attcollation in (950, 951) or (a.attcollation = 100 and d.datcollate in ('C', 'POSIX')) as by_bytes,
           s.null_frac,
           s.avg_width,
           s.n_distinct,
           s.correlation,
           s.most_common_freqs as frequencies,
           case when t.typtype = 'e' or t.typname = 'bool' then s.most_common_vals::text::text[] end as values
      from pg_attribute a
      join pg_database d on d.datname = current_database()
      join pg_class c on c.oid = a.attrelid
      join pg_namespace n on n.oid = c.relnamespace
      join pg_type t on t.oid = a.atttypid
      left join pg_stats s on s.schemaname = n.nspname
                          and s.tablename = c.relname
                          and s.attname = a.attname
                          and s.inherited = (c.relkind = 'p')
     where a.attnum > 0
       and not a.attisdropped
       and c.relkind in ('r', 'p', 'm', 'f')
       and n.nspname !~ '^pg_|information_schema'
     order by a.attrelid, a.attnum
"""
INDEXES = """
    select i.indrelid::bigint as "table",
           c.oid::bigint,
           n.nspname::text as schema,
           c.relname::text as name,
           m.amname::text as method,
           c.relpages as pages,
           c.reltuples::float8 as tuples,
           i.indisunique as "unique",
           i.indisprimary as "primary",
           i.indisvalid as valid,
           coalesce(pg_get_expr(i.indpred, i.indrelid, true), '') as "where",
           coalesce((select inhparent::bigint from pg_inherits where inhrelid = c.oid), 0) as parent,
           i.indnkeyatts as many,
           array(select pg_get_indexdef(c.oid, k, true) from generate_series(1, i.indnatts) k) as keys,
           array(select i.indkey[k - 1] from generate_series(1, i.indnatts) k)::int[] as columns,
           array(select case when o.opcdefault then '' else o.opcname::text end
                   from generate_series(1, i.indnkeyatts) k
                   join pg_opclass o on o.oid = i.indclass[k - 1]
                  order by k) as opclasses,
           array(select i.indoption[k - 1] from generate_series(1, i.indnkeyatts) k)::int[] as options,
           array(select a.attname::text
                   from generate_series(1 + i.indnkeyatts, i.indnatts) k
                   join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[k - 1]
                  order by k) as include
      from pg_index i
      join pg_class c on c.oid = i.indexrelid
      join pg_am m on m.oid = c.relam
      join pg_namespace n on n.oid = c.relnamespace
     where n.nspname !~ '^pg_'
"""
VIEWS = """
    select schemaname::text as schema, viewname::text as name, definition
      from pg_views
     where schemaname !~ '^pg_|information_schema'
"""
KEYS = """
    select conname::text as name, conrelid::bigint as "table", conkey as columns, confrelid::bigint as parent,
           confkey as parent_columns
      from pg_constraint
     where contype = 'f' and conparentid = 0
"""
EXTENSIONS = "select extname::text as name, extnamespace::regnamespace::text as schema from pg_extension"


async def shape_of(database: Database, **more: Any) -> Shape:
    """Read what a planner needs; `more` are further fields of the shape."""
    columns = grouped(await database.fetch(COLUMNS))
    indexes = grouped(await database.fetch(INDEXES))
    tables = [
        Table(
            **{**row, "inherits": tuple(row["inherits"])},
            columns=tuple(map(column, columns.get(row["oid"], ()))),
            indexes=tuple(map(index, indexes.get(row["oid"], ()))),
        )
        for row in await database.fetch(TABLES)
    ]
    fields = {
        "version_num": await database.value("select current_setting('server_version_num')::int"),
        "tables": {table.oid: table for table in tables},
        "views": tuple(View(**row) for row in await database.fetch(VIEWS)),
        "foreign_keys": tuple(
            ForeignKey(**{**row, "columns": tuple(row["columns"]), "parent_columns": tuple(row["parent_columns"])})
            for row in await database.fetch(KEYS)
        ),
        "extensions": {row["name"]: row["schema"] for row in await database.fetch(EXTENSIONS)},
    }
    return Shape(**{**fields, **more})


def grouped(rows: Iterable[Mapping[str, Any]]) -> Mapping[int, list[Mapping[str, Any]]]:
    groups: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["table"], []).append(row)
    return groups


def column(row: Mapping[str, Any]) -> Column:
    known = None
    if row["null_frac"] is not None:
        known = ColumnStatistics(
            null_frac=row["null_frac"],
            avg_width=row["avg_width"],
            n_distinct=row["n_distinct"],
            correlation=row["correlation"],
            frequencies=tuple(row["frequencies"] or ()),
            values=tuple(row["values"] or ()),
        )
    names = ("number", "name", "type", "not_null", "collation", "by_bytes")
    return Column(**{name: row[name] for name in names}, statistics=known)


def index(row: Mapping[str, Any]) -> Index:
    keys = tuple(
        IndexKey(
            expression=row["keys"][at] if row["columns"][at] else f"({row['keys'][at]})",
            column=row["columns"][at],
            opclass=row["opclasses"][at],
            descending=bool(row["options"][at] & 1),
            nulls_first=bool(row["options"][at] & 2),
        )
        for at in range(row["many"])
    )
    names = ("oid", "schema", "name", "method", "pages", "tuples", "unique", "primary", "valid", "where", "parent")
    return Index(**{name: row[name] for name in names}, keys=keys, include=tuple(row["include"]))
