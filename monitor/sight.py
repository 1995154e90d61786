"""Sight of auth.*: the SQL that asks what a role can see, and the SECURITY DEFINER functions that lend it counts.

The same texts are run directly by the probe and inside the functions printed by `monitor grants --auth functions`.
No key leaves the server: what must be told apart between two looks travels as a 64-bit hash.
"""

from dataclasses import dataclass

from monitor.sqltext import identifier, literal

SCHEMA = "pgarchitect"

USERS_COLUMNS = (
    "id", "created_at", "confirmed_at", "deleted_at", "banned_until", "is_anonymous", "is_sso_user", "invited_at",
)  # fmt: skip

# $1 schema, $2 table, $3 columns. Names are resolved by joins: ::regclass raises where USAGE on the schema is missing.
# Under a policy `using (true)` row_security_active stays true although every row is shown.
SIGHT = """
    select c.relkind::text as kind,
           pg_catalog.has_schema_privilege(n.oid, 'usage') as usage,
           array(select a.attname::text
                   from pg_catalog.pg_attribute a
                  where a.attrelid = c.oid
                    and a.attnum > 0
                    and not a.attisdropped
                    and a.attname::text = any ($3::text[])
                    and not pg_catalog.has_column_privilege(c.oid, a.attnum, 'select')
                  order by a.attnum) as denied,
           pg_catalog.row_security_active(c.oid) as filtered,
           coalesce(policies.wide, false) and not coalesce(policies.narrowed, false) as shown,
           coalesce(policies.some, false) as partly,
           current_user::text as reader
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      left join lateral (select pg_catalog.bool_or(y.polpermissive) as some,
                                pg_catalog.bool_or(y.polpermissive and u.unlimited) as wide,
                                pg_catalog.bool_or(not y.polpermissive and not u.unlimited) as narrowed
                           from pg_catalog.pg_policy y
                          cross join lateral (select coalesce(pg_catalog.pg_get_expr(y.polqual, y.polrelid) = 'true',
                                                              false) as unlimited) u
                          where y.polrelid = c.oid
                            and y.polcmd in ('r', '*')
                            and exists (select
                                          from pg_catalog.unnest(y.polroles) as listed (role)
                                         where listed.role = 0 or pg_catalog.pg_has_role(listed.role, 'usage'))
                        ) policies on true
     where n.nspname = $1::text
       and c.relname = $2::text
"""

# What uuid_in accepts: hyphens after any four digits, braces in pairs, upper and lower case.
_UUID = r"^(([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}|\{([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}\})$"

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
             select distinct link as written, case when link ~ '{_UUID}' then link::uuid end as key
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
      from (select distinct raw, case when raw ~ '{_UUID}' then raw::uuid end as key
              from (select %4$I::text as raw from %2$I.%3$I tablesample system (%5$s) repeatable (0) limit 5000) s
             where raw <> ''
             limit 1000) d
"""

# The server writes the statement of a link, so that it alone quotes names. No row: no such table, column or type.
_RELATION = """
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

WRITE_LOOK = f"""
    select pg_catalog.format(
               case resolved.base when 'uuid'::regtype then $look${_SPARE_UUID}$look$ else $look${_SPARE_TEXT}$look$ end
               || $look${_STATES}$look$,
               $1::text, $2::text, $3::text, $4::text,
               coalesce((select 'p.' || pg_catalog.quote_ident(m.attname)
                                || case m.atttypid when 'timestamptz'::regtype then $age$ < {_AGO}$age$
                                                   when 'timestamp'::regtype then $age$ < {_AGO_LOCAL}$age$
                                                   when 'date'::regtype then $age$ + 1 < {_AGO_LOCAL}$age$ end
                           from pg_catalog.pg_attribute m
                          where m.attrelid = c.oid and m.attname = $5::text and not m.attisdropped), 'null::boolean'),
               case resolved.base when 'uuid'::regtype then '' else '::text collate "C"' end,
               (select coalesce(pg_catalog.string_agg(
                           case m.attname when 'confirmed_at' then 'u.confirmed_at is not null'
                                          when 'deleted_at' then 'u.deleted_at is null'
                                          else pg_catalog.format('u.%I is not true', m.attname) end, ' and '
                           order by m.attname), 'false')
                  from pg_catalog.pg_attribute m
                  join pg_catalog.pg_class users on users.oid = m.attrelid and users.relname = 'users'
                  join pg_catalog.pg_namespace home on home.oid = users.relnamespace and home.nspname = $1::text
                 where m.attname in ('confirmed_at', 'deleted_at', 'is_anonymous', 'is_sso_user')
                   and not m.attisdropped),
               $age$greatest(u.created_at, u.confirmed_at) < {_AGO}$age$
           ) as statement
{_RELATION}"""

WRITE_SAMPLE = f"""
    select pg_catalog.format($sample${_SAMPLE}$sample$, $1::text, $2::text, $3::text, $4::text,
                             least(100, greatest(0.001, 2500000 / greatest(c.reltuples, 1)))::numeric(9, 6)
           ) as statement
{_RELATION}"""

_GUARD = "if $1 is distinct from {schema} then raise 'pgarchitect: made for one auth schema only'; end if; "
_RUN = (
    "if statement is null then raise 'pgarchitect: no such table, or its column holds no uuid'; end if; "
    "return query execute statement"
)


@dataclass(frozen=True)
class _Function:
    """Its arguments stand in the order of the parameters of the texts above."""

    signature: str
    arguments: str
    columns: str
    body: str


_FUNCTIONS = (
    _Function(
        signature="auth_sight(text, text, text[])",
        arguments="in_schema text, in_table text, in_columns text[]",
        columns="kind text, usage boolean, denied text[], filtered boolean, shown boolean, partly boolean, reader text",
        body=f"return query {SIGHT};",
    ),
    _Function(
        signature="auth_look(text, text, text, text, text, double precision, boolean)",
        arguments=(
            "in_auth text, in_schema text, in_table text, in_column text, in_created text, "
            "in_grace double precision, in_eligible boolean"
        ),
        columns=(
            "orphans bigint, unaged bigint, orphan_keys bigint[], orphan_old bigint[], orphan_unaged bigint[], "
            "missing bigint, missing_keys bigint[], missing_old boolean[], eligible bigint"
        ),
        body=f"{_GUARD} statement := ({WRITE_LOOK}); {_RUN} using in_grace, in_eligible;",
    ),
    _Function(
        signature="auth_sample(text, text, text, text)",
        arguments="in_auth text, in_schema text, in_table text, in_column text",
        columns="distinct_values bigint, present bigint",
        body=f"{_GUARD} statement := ({WRITE_SAMPLE}); {_RUN};",
    ),
)

LOOK = f"select * from {SCHEMA}.auth_look($1, $2, $3, $4, $5, $6, $7)"
SAMPLE = f"select * from {SCHEMA}.auth_sample($1, $2, $3, $4)"
LENT_SIGHT = f"select * from {SCHEMA}.auth_sight($1, $2, $3)"

# Whether all three functions are there for us. row_security=off inside them turns blindness into an error.
LENT = """
    select pg_catalog.count(*) filter (where p.prosecdef and pg_catalog.has_schema_privilege(n.oid, 'usage')
                                             and pg_catalog.has_function_privilege(p.oid, 'execute')) = 3 as lent
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'pgarchitect'
       and (p.proname, p.pronargs) in (('auth_sight', 3), ('auth_look', 7), ('auth_sample', 4))
"""


def lend(role: str, schema: str) -> list[str]:
    """Give the statements that lend `role` counts about schema `schema` through functions of whoever runs them."""
    grantee = identifier(role)
    statements = [f"create schema if not exists {SCHEMA}", f"revoke all on schema {SCHEMA} from public"]
    for function in _FUNCTIONS:
        statements += [
            f"drop function if exists {SCHEMA}.{function.signature}",
            _created(function, schema),
            f"revoke all on function {SCHEMA}.{function.signature} from public",
            f"grant execute on function {SCHEMA}.{function.signature} to {grantee}",
        ]
    return [*statements, f"grant usage on schema {SCHEMA} to {grantee}"]


def take_back() -> list[str]:
    """Give the statements that undo `lend` for every role; the schema goes when nothing else is in it."""
    drops = [f"drop function if exists {SCHEMA}.{function.signature}" for function in _FUNCTIONS]
    return [*drops, f"drop schema if exists {SCHEMA} restrict"]


def _created(function: _Function, schema: str) -> str:
    """Dropped and made anew rather than replaced: a replaced function keeps its old owner, who may be blind."""
    name = function.signature.partition("(")[0]
    return (
        f"create function {SCHEMA}.{name}({function.arguments})\n"
        f"returns table ({function.columns})\n"
        "language plpgsql stable security definer\n"
        "set search_path = pg_catalog, pg_temp set row_security = off\n"
        "as $pgarchitect$\n#variable_conflict use_column\ndeclare statement text;\nbegin\n"
        f"{function.body.replace('{schema}', literal(schema))}\nend\n$pgarchitect$"
    )
