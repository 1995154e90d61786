"""The questions about links' structure: all of the catalogue, so that no right on any row is needed."""

from probes.auth_links_columns import BOUND_BY, USERS

# A predicate is read from its node tree: pg_get_expr would wait behind an exclusive lock. nulltesttype 0: is null.
_NULLTEST = r"^\{NULLTEST :arg \{VAR :varno 1 :varattno (\d+) [^{}]*\} :nulltesttype "
_KEYS = "(i.indkey::int2[])[0:i.indnkeyatts - 1]"

# $1 auth schema; $2 to $4 name columns: schemas, tables, columns. Beside these, all with a foreign key to auth.users.
# A key counts as a path when its end is auth.users by whichever tables: a post that points to a profile is bound.
# Tables of Supabase's own services and of extensions are others' to mend.
# Before PostgreSQL 18 conenforced is not there, and its name finds the `true` around it.
SHAPES = rf"""
    with recursive {USERS}{BOUND_BY}
         found as materialized (
             select c.oid, a.attnum
               from bound b
               join pg_catalog.pg_class c on c.oid = b.relid
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
               join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = b.attnum and not a.attisdropped
              where c.relkind in ('r', 'p')
                and n.nspname <> $1::text
                and n.nspname !~ '^pg_|^information_schema$'
                and (b.said
                     or not c.relispartition
                        and c.relpersistence <> 't'
                        and not (n.nspname in ('storage', 'realtime', '_realtime', 'supabase_functions', 'vault')
                                 and pg_catalog.pg_get_userbyid(c.relowner) like 'supabase%')
                        and not exists (select
                                          from pg_catalog.pg_depend d
                                         where d.classid = 'pg_catalog.pg_class'::regclass
                                           and d.objid = c.oid
                                           and d.deptype = 'e'))
              group by c.oid, a.attnum
              limit 1000
         )
    select n.nspname::text as schema,
           c.relname::text as table,
           a.attname::text as column,
           c.relkind = 'p' as partitioned,
           c.relispartition as partition,
           c.reltuples::float8 as rows,
           pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
           case resolved.base when 'uuid'::regtype then 'uuid'
                              when 'text'::regtype then 'text'
                              when 'varchar'::regtype then 'text'
                              when 'bpchar'::regtype then 'text' else 'other' end as base,
           a.attnotnull as not_null,
           keys.listed as keys,
           indexes.listed as indexes,
           (with recursive path (relid, attnum, depth) as (
                     select c.oid, a.attnum, 0
                      union
                     select f.confrelid, f.confkey[pg_catalog.array_position(f.conkey, path.attnum)], path.depth + 1
                       from path
                       join pg_catalog.pg_constraint f on f.conrelid = path.relid and f.contype = 'f'
                      where path.attnum = any (f.conkey)
                        and path.depth < 5
                )
            select exists (select from path join users on users.oid = path.relid and users.id = path.attnum)) as bound,
           case when c.relkind = 'p' then leaves.keyed end as leaves_keyed,
           case when c.relkind = 'p' then leaves.indexed end as leaves_indexed,
           array(select k.conname::text from pg_catalog.pg_constraint k where k.conrelid = c.oid) as constraints
      from found
      join pg_catalog.pg_class c on c.oid = found.oid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = found.attnum
      join pg_catalog.pg_type t on t.oid = a.atttypid
     cross join lateral (select coalesce(nullif(t.typbasetype, 0), t.oid) as base) as resolved
     cross join lateral (
            select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                       'name', f.conname,
                       'reaches', f.confkey[pg_catalog.array_position(f.conkey, a.attnum)] = users.id
                                  and f.confrelid = users.oid,
                       'columns', pg_catalog.cardinality(f.conkey),
                       'on_delete', f.confdeltype,
                       'on_update', f.confupdtype,
                       'match', f.confmatchtype,
                       'deferrable', f.condeferrable,
                       'deferred', f.condeferred,
                       'valid', f.convalidated,
                       'enforced', (select conenforced from pg_catalog.pg_constraint e where e.oid = f.oid)
                   ) order by f.conname), '[]')::text as listed
              from (select true) as absent (conenforced)
             cross join users
              join pg_catalog.pg_constraint f on f.conrelid = c.oid and f.contype = 'f' and a.attnum = any (f.conkey)
          ) as keys
     cross join lateral (
            select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                       'unique', i.indisunique,
                       'method', m.amname,
                       'first', i.indkey[0] = a.attnum,
                       'alone', i.indnkeyatts = 1,
                       'only', case when i.indpred is null then ''
                                    when substring(i.indpred::text from '{_NULLTEST}1 ')::int2 = a.attnum
                                    then 'present'
                                    when i.indpred::text ~ '{_NULLTEST}0 ' then 'null'
                                    else 'other' end
                   )), '[]')::text as listed
              from pg_catalog.pg_index i
              join pg_catalog.pg_class x on x.oid = i.indexrelid
              join pg_catalog.pg_am m on m.oid = x.relam
             where i.indrelid = c.oid
               and i.indisvalid
               and i.indisready
               and a.attnum = any ({_KEYS})
          ) as indexes
      left join lateral (
            with recursive tree (relid) as (
                     select c.oid
                      union all
                     select i.inhrelid
                       from tree
                       join pg_catalog.pg_inherits i on i.inhparent = tree.relid
                )
            select pg_catalog.bool_and(exists (select
                                                 from pg_catalog.pg_constraint f
                                                where f.conrelid = l.oid
                                                  and f.contype = 'f'
                                                  and s.attnum = any (f.conkey))) as keyed,
                   pg_catalog.bool_and(exists (select
                                                 from pg_catalog.pg_index i
                                                 join pg_catalog.pg_class x on x.oid = i.indexrelid
                                                 join pg_catalog.pg_am m on m.oid = x.relam and m.amname = 'btree'
                                                where i.indrelid = l.oid
                                                  and i.indisvalid
                                                  and i.indpred is null
                                                  and i.indkey[0] = s.attnum)) as indexed
              from tree
              join pg_catalog.pg_class l on l.oid = tree.relid and l.relkind <> 'p'
              join pg_catalog.pg_attribute s on s.attrelid = l.oid and s.attname = a.attname
          ) as leaves on c.relkind = 'p'
     order by n.nspname, c.relname, a.attnum
"""

# Foreign keys into schema auth that lean on another unique index than a primary key.
FOREIGN = """
    select n.nspname::text as schema,
           c.relname::text as table,
           f.conname::text as name,
           array(select a.attname::text
                   from unnest(f.conkey) with ordinality as k (number, place)
                   join pg_catalog.pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.number
                  order by k.place) as columns,
           p.relname::text as parent,
           array(select a.attname::text
                   from unnest(f.confkey) with ordinality as k (number, place)
                   join pg_catalog.pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.number
                  order by k.place) as parent_columns
      from pg_catalog.pg_constraint f
      join pg_catalog.pg_class p on p.oid = f.confrelid
      join pg_catalog.pg_namespace q on q.oid = p.relnamespace
      join pg_catalog.pg_index i on i.indexrelid = f.conindid
      join pg_catalog.pg_class c on c.oid = f.conrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where f.contype = 'f'
       and f.conparentid = 0
       and q.nspname = $1::text
       and n.nspname <> $1::text
       and i.indisunique
       and not i.indisprimary
     order by n.nspname, c.relname, f.conname
     limit 1000
"""

# What fires at sign-up, but for functions of GoTrue itself, of extensions and of Supabase's services (webhooks).
TRIGGERS = """
    select t.tgname::text as trigger,
           t.tgenabled::text as enabled,
           m.nspname::text as schema,
           p.proname::text as function,
           p.prosecdef as definer,
           exists (select from unnest(p.proconfig) as set (entry) where entry like 'search\\_path=%') as fixed,
           l.lanname::text as language,
           p.prosrc as body,
           c.relowner as owner,
           r.rolsuper as super
      from pg_catalog.pg_namespace n
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'users'
      join pg_catalog.pg_roles r on r.oid = c.relowner
      join pg_catalog.pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal and t.tgtype & 4 = 4
      join pg_catalog.pg_proc p on p.oid = t.tgfoid
      join pg_catalog.pg_namespace m on m.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang
     where n.nspname = $1::text
       and m.nspname not in ($1::text, 'pg_catalog', 'supabase_functions', 'realtime', 'storage', 'vault', 'net')
       and not exists (select
                         from pg_catalog.pg_depend d
                        where d.classid = 'pg_catalog.pg_proc'::regclass
                          and d.objid = p.oid
                          and d.deptype = 'e')
     order by t.tgname
     limit 50
"""

# Of the words of a function's body, those that an empty search_path would no longer find.
PATHED = """
    select w.word::text as word
      from unnest($1::text[]::name[]) as w (word)
     where exists (select
                     from (select c.relname, c.relnamespace, 'c' from pg_catalog.pg_class c where c.relname = w.word
                            union all
                           select p.proname, p.pronamespace, 'p' from pg_catalog.pg_proc p where p.proname = w.word
                            union all
                           select t.typname, t.typnamespace, 't' from pg_catalog.pg_type t where t.typname = w.word
                          ) as named (name, home, kind)
                    group by named.kind
                   having pg_catalog.bool_and(named.home <> 'pg_catalog'::regnamespace))
     order by w.word
     limit 20
"""

# $1 owner of auth.users, whose rights GoTrue has; $2 to $4: schemas ('' for any), tables and what is done to them.
REFUSED = """
    select distinct n.nspname::text as schema, c.relname::text as table
      from unnest($2::text[], $3::text[], $4::text[]) as wanted (schema, name, verb)
      join pg_catalog.pg_class c on c.relname = wanted.name and c.relkind in ('r', 'p', 'v')
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where (n.nspname = wanted.schema or wanted.schema = '' and n.nspname = 'public')
       and not (pg_catalog.has_schema_privilege($1::oid, n.oid, 'usage')
                and (pg_catalog.has_table_privilege($1::oid, c.oid, wanted.verb)
                     or case when wanted.verb <> 'delete'
                             then pg_catalog.has_any_column_privilege($1::oid, c.oid, wanted.verb) else false end))
     order by 1, 2
     limit 20
"""

# The catalogue's own fingerprint of schema auth, for where its table of migrations cannot be read.
DIGEST = """
    select pg_catalog.hashtextextended(pg_catalog.string_agg(
               pg_catalog.concat_ws('.', c.relname, a.attname, a.atttypid), ',' order by c.relname, a.attname), 0
           )::text as digest,
           pg_catalog.bool_or(c.relname = 'schema_migrations' and a.attname = 'version') as counted
      from pg_catalog.pg_class c
     cross join lateral (select a.attname, a.atttypid
                           from pg_catalog.pg_attribute a
                          where a.attrelid = c.oid
                            and a.attnum > 0
                            and not a.attisdropped
                         offset 0) a
     where c.relnamespace = (select n.oid from pg_catalog.pg_namespace n where n.nspname = $1::text)
       and c.relkind = 'r'
"""
