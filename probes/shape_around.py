"""What stands around tables in a database: keys between them, types, views, functions, and the planner's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from monitor.probe import shape

_NAME = re.compile(r'"(?:[^"]|"")*"|[^,\s]+')

FOREIGN_KEYS = r"""
    select k.conname::text as name,
           k.conrelid::bigint as relid,
           k.conkey as columns,
           k.confrelid::bigint as parent,
           k.confkey as parent_columns,
           k.conindid::bigint as index
      from pg_catalog.pg_constraint k
     where k.contype = 'f'
       and k.conparentid = 0
       and (k.conrelid = any ($1::bigint[]::oid[]) or k.confrelid = any ($1::bigint[]::oid[]))
     order by k.oid
     limit 100000
"""

# Enums and domains of the database's own; an extension brings its types along.
TYPES = r"""
    with path as materialized (
        select pg_catalog.set_config('search_path', 'pg_catalog', true) as is_set
    )
    select n.nspname::text as schema,
           t.typname::text as name,
           array(select e.enumlabel::text
                   from pg_catalog.pg_enum e
                  where e.enumtypid = t.oid
                  order by e.enumsortorder) as labels,
           case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) else '' end as base
      from path
      join pg_catalog.pg_type t on t.typtype in ('e', 'd')
      join pg_catalog.pg_namespace n on n.oid = t.typnamespace
     where path.is_set is not null
       and n.nspname <> 'information_schema'
       and n.nspname not like 'pg\_%'
       and not exists (select
                         from pg_catalog.pg_depend d
                        where d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                          and d.objid = t.oid
                          and d.deptype = 'e')
     order by t.oid
     limit 10000
"""

# $1 oid: those beyond, some at a time, for each takes its fifth of a millisecond. A view's text is written only where
# none of the relations it names is held exclusively; once (`offset 0`).
VIEWS = r"""
    with path as materialized (
             select pg_catalog.set_config('search_path', 'pg_catalog', true) as is_set
         ),
         locked as materialized (
             select l.relation
               from pg_catalog.pg_locks l
              where l.locktype = 'relation'
                and l.mode = 'AccessExclusiveLock'
                and l.database = (select oid
                                    from pg_catalog.pg_database
                                   where datname = pg_catalog.current_database())
         ),
         own as materialized (
             select c.oid, n.nspname, c.relname, c.reloptions
               from pg_catalog.pg_class c
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              where c.relkind = 'v'
                and c.oid > $1::bigint::oid
                and c.relpersistence <> 't'
                and n.nspname <> 'information_schema'
                and n.nspname not like 'pg\_%'
                and c.oid not in (select relation from locked)
                and not exists (select
                                  from pg_catalog.pg_rewrite r
                                  join pg_catalog.pg_depend d
                                    on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
                                   and d.objid = r.oid
                                   and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                                 where r.ev_class = c.oid
                                   and d.refobjid in (select relation from locked))
                and not exists (select
                                  from pg_catalog.pg_depend e
                                 where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                                   and e.objid = c.oid
                                   and e.deptype = 'e')
              order by c.oid
              limit 100
         )
    select v.oid::bigint as oid,
           v.nspname::text as schema,
           v.relname::text as name,
           d.definition,
           exists (select
                     from pg_catalog.pg_options_to_table(v.reloptions) o
                    where o.option_name = 'security_invoker'
                      and o.option_value::boolean) as invoker,
           exists (select
                     from pg_catalog.pg_options_to_table(v.reloptions) o
                    where o.option_name = 'security_barrier'
                      and o.option_value::boolean) as barrier
      from path
     cross join own v
     cross join lateral (select pg_catalog.pg_get_viewdef(v.oid) as definition
                          where path.is_set is not null
                         offset 0) d
     order by v.oid
"""

# Those first on which something depends: expressions of indexes, generated columns, views. What is written in SQL, and
# may be put in the place of its call, costs no more than what it does.
FUNCTIONS = r"""
    with path as materialized (
             select pg_catalog.set_config('search_path', 'pg_catalog', true) as is_set
         ),
         used as materialized (
             select distinct d.refobjid as oid
               from pg_catalog.pg_depend d
              where d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
         )
    select n.nspname::text as schema,
           p.proname::text as name,
           pg_catalog.pg_get_function_identity_arguments(p.oid) as arguments,
           pg_catalog.pg_get_function_result(p.oid) as returns,
           p.provolatile::text as volatility,
           p.proretset as returns_set,
           case when l.lanname = 'sql' and p.provolatile <> 'v' and p.proconfig is null
                     and not p.prosecdef and not p.proretset then 1
                else p.procost end::float8 as cost,
           p.proparallel::text as parallel
      from path
      join pg_catalog.pg_proc p on p.prokind = 'f'
      join pg_catalog.pg_language l on l.oid = p.prolang
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where path.is_set is not null
       and n.nspname <> 'information_schema'
       and n.nspname not like 'pg\_%'
       and not exists (select
                         from pg_catalog.pg_depend d
                        where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                          and d.objid = p.oid
                          and d.deptype = 'e')
     order by p.oid not in (select oid from used), p.oid
     limit 5000
"""

# What a session of the database begins with, but for what only our own role's begin with: of that, what stands for the
# database, else the server's default, as all that is to be seen. jit changes no plan, and is ours.
SETTINGS = """
    with own as materialized (
             select pg_catalog.split_part(c.line, '=', 1) as name
               from pg_catalog.pg_db_role_setting s
               join pg_catalog.pg_roles r on r.oid = s.setrole and r.rolname = session_user
              cross join pg_catalog.unnest(s.setconfig) as c (line)
              where s.setdatabase in (0, (select oid
                                            from pg_catalog.pg_database
                                           where datname = pg_catalog.current_database()))
         ),
         begun as (
             select s.name, s.category, s.boot_val,
                    case when s.name not in (select name from own) then s.reset_val
                         else coalesce((select pg_catalog.substr(c.line, pg_catalog.strpos(c.line, '=') + 1)
                                          from pg_catalog.pg_db_role_setting d
                                         cross join pg_catalog.unnest(d.setconfig) as c (line)
                                         where d.setrole = 0
                                           and d.setdatabase = (select oid
                                                                  from pg_catalog.pg_database
                                                                 where datname = pg_catalog.current_database())
                                           and pg_catalog.split_part(c.line, '=', 1) = s.name), s.boot_val) end
                    as reset_val
               from pg_catalog.pg_settings s
         )
    select s.name, s.reset_val as value
      from begun s
     where (s.category like 'Query Tuning%' and s.name not like 'jit%' and s.name not like 'geqo_seed'
            or s.name in ('work_mem', 'hash_mem_multiplier', 'max_parallel_workers', 'max_parallel_workers_per_gather',
                          'parallel_leader_participation'))
       and s.reset_val is distinct from s.boot_val
     union all
    select 'block_size', pg_catalog.current_setting('block_size')
"""

# Databases' own counters say since when only if somebody reset them (from 15 on); the server's, of archiver, writer and
# WAL, begin when statistics were lost at the latest: then all began anew. So the earliest of these is late enough.
PLACE = """
    select coalesce((select e.value
                       from pg_catalog.pg_db_role_setting s
                       join pg_catalog.pg_database d on d.oid = s.setdatabase
                      cross join lateral (select pg_catalog.split_part(c.line, '=', 1) as name,
                                                 pg_catalog.substr(c.line, pg_catalog.strpos(c.line, '=') + 1) as value
                                            from pg_catalog.unnest(s.setconfig) as c (line)) e
                      where d.datname = pg_catalog.current_database()
                        and s.setrole = 0
                        and e.name = 'search_path'),
                    (select reset_val from pg_catalog.pg_settings where name = 'search_path')) as path,
           array(select e.extname::text || '=' || n.nspname
                   from pg_catalog.pg_extension e
                   join pg_catalog.pg_namespace n on n.oid = e.extnamespace) as extensions,
           array(select x.name::text
                   from pg_catalog.pg_available_extensions() x
                  where x.name in ('pg_trgm', 'btree_gin', 'btree_gist')) as available,
           extract(epoch from clock_timestamp() - coalesce(
               (select stats_reset from pg_catalog.pg_stat_database where datname = pg_catalog.current_database()),
               (select min(stats_reset)
                  from (select stats_reset from pg_catalog.pg_stat_archiver
                         union all
                        select stats_reset from pg_catalog.pg_stat_bgwriter
                         union all
                        select stats_reset from pg_catalog.pg_stat_wal) shared)))::float8 as counted_seconds,
           pg_catalog.current_setting('track_counts')::boolean as counting,
           pg_catalog.pg_is_in_recovery() as in_recovery
"""


def foreign_key(row: Mapping[str, Any]) -> shape.ForeignKey:
    """Give a foreign key."""
    return shape.ForeignKey(
        name=row["name"],
        table=row["relid"],
        columns=tuple(row["columns"]),
        parent=row["parent"],
        parent_columns=tuple(row["parent_columns"]),
        index=row["index"],
    )


def defined_type(row: Mapping[str, Any]) -> shape.DefinedType:
    """Give an enum or a domain."""
    return shape.DefinedType(
        schema=row["schema"], name=row["name"], labels=tuple(row["labels"]), base=row["base"] or ""
    )


def placed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is known of the database as a whole."""
    return {
        "extensions": dict(each.split("=", 1) for each in row["extensions"]),
        "available": frozenset(row["available"]),
        "path": search_path(str(row["path"])),
        "counted_seconds": row["counted_seconds"],
        "counting": bool(row["counting"]),
        "in_recovery": bool(row["in_recovery"]),
    }


def search_path(value: str) -> tuple[str, ...]:
    """Read a search_path as it is set, without a schema that depends on who asks."""
    names = [each[1:-1].replace('""', '"') if each.startswith('"') else each.lower() for each in _NAME.findall(value)]
    return tuple(name for name in names if name and name != "$user")
