"""Looking at one link, whole: orphans, users without a row, and a sample. No key leaves the server but as a hash."""

from monitor.sight.words import UUID, Function, Group

USERS_COLUMNS = (
    "id", "created_at", "confirmed_at", "deleted_at", "banned_until", "is_anonymous", "is_sso_user", "invited_at",
)  # fmt: skip

# Both directions in one statement and so in one snapshot. Keys alone are joined (index-only); the states of the few
# that are left over are looked up after that: a state in the join would read both heaps.
_SPARE_UUID = """
    with spare as materialized (
             select p.link, u.id
               from (select %4$I as link from %2$I.%3$I where %4$I is not null) p
               full join (select id from %1$I.users) u on u.id = p.link
              where p.link is null or u.id is null
         ),
         orphan as materialized (
             select distinct link as written, link as key from spare where id is null
         ),
         lone as materialized (
             select id from spare where link is null
         ),
"""

_SPARE_TEXT = rf"""
    with spare as materialized (
             select p.link, u.id
               from (select %4$I::text collate "C" as link from %2$I.%3$I where %4$I is not null) p
               full join (select id, id::text collate "C" as spelling from %1$I.users) u on u.spelling = p.link
              where p.link is null or u.id is null
         ),
         spelled as materialized (
             select distinct link as written, case when link ~ '{UUID}' then link::uuid end as key
               from spare
              where id is null
         ),
         orphan as materialized (
             select written, key
               from spelled s
              where key is not null
                and not exists (select from %1$I.users u where u.id = s.key)
         ),
         lone as materialized (
             select id
               from spare
              where link is null
                and not exists (select from spelled s where s.key = spare.id)
         ),
"""

# $1 grace in seconds, $2 whether the eligible users are to be counted where some lack a row.
_STATES = """
         aged as materialized (
             select pg_catalog.uuid_hash_extended(o.key, 0) as key,
                    pg_catalog.count(*) filter (where o.old) as old,
                    pg_catalog.count(*) filter (where o.old is null) as unaged
               from (select orphan.key, %5$s as old
                       from orphan
                       join %2$I.%3$I p on p.%4$I%6$s = orphan.written) o
              group by 1
         ),
         missing as materialized (
             select pg_catalog.uuid_hash_extended(lone.id, 0) as key, state.old
               from lone
              cross join lateral (select %8$s as old from %1$I.users u where u.id = lone.id and %7$s limit 1) state
         )
    select (select coalesce(pg_catalog.sum(old), 0) from aged)::int8 as orphans,
           (select coalesce(pg_catalog.sum(unaged), 0) from aged)::int8 as unaged,
           array(select key from aged order by key limit 10000) as orphan_keys,
           array(select old from aged order by key limit 10000) as orphan_old,
           array(select unaged from aged order by key limit 10000) as orphan_unaged,
           (select pg_catalog.count(*) from missing where old) as missing,
           array(select key from missing order by key limit 10000) as missing_keys,
           array(select old is true from missing order by key limit 10000) as missing_old,
           case when $2::boolean and exists (select from missing where old)
                then (select pg_catalog.count(*) from %1$I.users u where %7$s and %8$s)
           end as eligible
"""

_SAMPLE = rf"""
    select pg_catalog.count(*) as distinct_values,
           pg_catalog.count(*) filter (where exists (select from %1$I.users u where u.id = d.key)) as present
      from (select distinct raw, case when raw ~ '{UUID}' then raw::uuid end as key
              from (select %4$I::text as raw from %2$I.%3$I tablesample system (%5$s) repeatable (0) limit 5000) s
             where raw <> ''
             limit 1000) d
"""

# The server writes the statement of a link, so that it alone quotes names. No row: no such table, column or type.
RELATION = """
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_catalog.pg_type t on t.oid = a.atttypid
     cross join lateral (select coalesce(nullif(t.typbasetype, 0), t.oid) as base) as resolved
     where n.nspname = $2::text
       and c.relname = $3::text
       and a.attname = $4::text
       and n.nspname <> $1::text
       and n.nspname !~ '^pg_|^information_schema$'
       and c.relkind in ('r', 'p')
       and resolved.base in ('uuid'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
"""

_AGO = "pg_catalog.now() - pg_catalog.make_interval(secs => $1::float8)"
# A time without zone counts as old when it is old both as UTC and as the session's local time.
_AGO_LOCAL = "least(pg_catalog.now() at time zone 'UTC', localtimestamp) - pg_catalog.make_interval(secs => $1::float8)"

AGE = f"""coalesce((select 'p.' || pg_catalog.quote_ident(m.attname)
                                || case m.atttypid when 'timestamptz'::regtype then $age$ < {_AGO}$age$
                                                   when 'timestamp'::regtype then $age$ < {_AGO_LOCAL}$age$
                                                   when 'date'::regtype then $age$ + 1 < {_AGO_LOCAL}$age$ end
                           from pg_catalog.pg_attribute m
                          where m.attrelid = c.oid and m.attname = $5::text and not m.attisdropped), 'null::boolean')"""
ELIGIBLE = """(select coalesce(pg_catalog.string_agg(
                           case m.attname when 'confirmed_at' then 'u.confirmed_at is not null'
                                          when 'deleted_at' then 'u.deleted_at is null'
                                          else pg_catalog.format('u.%I is not true', m.attname) end, ' and '
                           order by m.attname), 'false')
                  from pg_catalog.pg_attribute m
                  join pg_catalog.pg_class users on users.oid = m.attrelid and users.relname = 'users'
                  join pg_catalog.pg_namespace home on home.oid = users.relnamespace and home.nspname = $1::text
                 where m.attname in ('confirmed_at', 'deleted_at', 'is_anonymous', 'is_sso_user')
                   and not m.attisdropped)"""
USER_AGE = f"$age$greatest(u.created_at, u.confirmed_at) < {_AGO}$age$"

_WRITE_LOOK = f"""
    select pg_catalog.format(
               case resolved.base when 'uuid'::regtype then $look${_SPARE_UUID}$look$ else $look${_SPARE_TEXT}$look$ end
               || $look${_STATES}$look$,
               $1::text, $2::text, $3::text, $4::text,
               {AGE},
               case resolved.base when 'uuid'::regtype then '' else '::text collate "C"' end,
               {ELIGIBLE},
               {USER_AGE}
           ) as statement
{RELATION}"""

_WRITE_SAMPLE = f"""
    select pg_catalog.format($sample${_SAMPLE}$sample$, $1::text, $2::text, $3::text, $4::text,
                             least(100, greatest(0.001, 2500000 / greatest(c.reltuples, 1)))::numeric(9, 6)
           ) as statement
{RELATION}"""

LOOK = Function(
    name="auth_look",
    arguments=(
        "in_auth text, in_schema text, in_table text, in_column text, in_created text, "
        "in_grace double precision, in_eligible boolean"
    ),
    columns=(
        "orphans bigint, unaged bigint, orphan_keys bigint[], orphan_old bigint[], orphan_unaged bigint[], "
        "missing bigint, missing_keys bigint[], missing_old boolean[], eligible bigint"
    ),
    write=_WRITE_LOOK,
    using="in_grace, in_eligible",
)

SAMPLE = Function(
    name="auth_sample",
    arguments="in_auth text, in_schema text, in_table text, in_column text",
    columns="distinct_values bigint, present bigint",
    write=_WRITE_SAMPLE,
)

LINKS = Group(functions=(LOOK, SAMPLE), columns={"users": USERS_COLUMNS})
