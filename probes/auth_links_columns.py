"""The two questions that find columns referring to auth.users: those that are bound to it, and those named so."""

from itertools import product

_WHOSE = (
    "auth authuser supabaseuser user owner author creator account member profile customer client person player sender "  # noqa: SIM905 - a wall of quotes reads worse
    "recipient receiver host guest assignee admin organizer participant inviter invitee reviewer approver student "
    "teacher".split()
)
_DONE = "created updated modified invited approved owned deleted uploaded assigned requested reviewed".split()  # noqa: SIM905
_IDS = ("id", "uid", "uuid")

NAMES = sorted(
    {
        *map("".join, product(("", "auth", "supabase", "gotrue"), ("", "user", "u"), _IDS)),
        *map("".join, product(_WHOSE, ("", "user"), ("", *_IDS))),
        *map("".join, product(_DONE, ("by",), ("", "id", "userid"))),
    }
)
"""How columns that refer to a user are called, in lower case and without underscores."""

# found (relid, attnum): the columns to describe. $1 is the auth schema.
_DESCRIBED = r"""
    select n.nspname::text as schema,
           c.relname::text as table,
           a.attname::text as column,
           coalesce(nullif(t.typbasetype, 0), t.oid) = 'uuid'::regtype as uuid,
           keyed.yes as keyed,
           exists (select
                     from pg_catalog.pg_index i
                    where i.indrelid = c.oid
                      and i.indisunique
                      and i.indisvalid
                      and i.indpred is null
                      and i.indnkeyatts = 1
                      and i.indkey[0] = a.attnum) as single,
           pg_catalog.lower(pg_catalog.replace(c.relname::text, '_', ''))
               ~ '^(app|public)?(user|profile|account|member|person|people|customer|client|player|patient|student'
                 '|employee)(s|profiles?|accounts?|details?|data|info|settings?)?$' as profile_like,
           pg_catalog.lower(pg_catalog.replace(a.attname::text, '_', '')) ~ '^(auth|supabase|gotrue)' as telling,
           (select m.attname::text
              from pg_catalog.pg_attribute m
             where m.attrelid = c.oid
               and m.attnum > 0
               and not m.attisdropped
               and m.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
               and pg_catalog.lower(pg_catalog.replace(m.attname::text, '_', ''))
                   ~ '^(createdat|createdon|created|creationdate|creationtime|datecreated|insertedat|addedat|joinedat'
                     '|registeredat)$'
             order by m.atttypid = 'timestamptz'::regtype desc, m.attnum
             limit 1) as created
      from found
      join pg_catalog.pg_class c on c.oid = found.relid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = found.attnum
      join pg_catalog.pg_type t on t.oid = a.atttypid
     cross join lateral (select exists (select
                                          from pg_catalog.pg_constraint f
                                          join users on users.oid = f.confrelid
                                         where f.conrelid = c.oid
                                           and f.contype = 'f'
                                           and f.conkey[pg_catalog.array_position(f.confkey, users.id)] = a.attnum
                                       ) as yes) as keyed
"""

USERS = """
         users as materialized (
             select c.oid, a.attnum as id
               from pg_catalog.pg_namespace n
               join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'users'
               join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'id'
              where n.nspname = $1::text
         ),
"""

# Columns by name ($2 to $4: schemas, tables, columns; `said`), and all with a foreign key to auth.users.
BOUND_BY = """
         bound as (
             select c.oid as relid, a.attnum, true as said
               from unnest($2::text[], $3::text[], $4::text[]) as named (s, t, c)
               join pg_catalog.pg_namespace n on n.nspname = named.s
               join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = named.t
               join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = named.c
              where a.attnum > 0
              union
             select f.conrelid, f.conkey[pg_catalog.array_position(f.confkey, users.id)], false
               from users
               join pg_catalog.pg_constraint f on f.confrelid = users.oid and f.contype = 'f'
         ),
"""

_TYPES = "('uuid'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)"
_COLUMN = """
    c.relkind in ('r', 'p')
    and n.nspname <> $1::text
    and n.nspname !~ '^pg_|^information_schema$'
"""

# Leaves are read through their root.
BOUND = f"""
    with {USERS}{BOUND_BY}
         found as materialized (
             select b.relid, b.attnum
               from bound b
               join pg_catalog.pg_class c on c.oid = b.relid
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
               join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = b.attnum and not a.attisdropped
               join pg_catalog.pg_type t on t.oid = a.atttypid
              where {_COLUMN}
                and coalesce(nullif(t.typbasetype, 0), t.oid) in {_TYPES}
                and (b.said or not c.relispartition and c.relpersistence <> 't')
              group by b.relid, b.attnum
         )
{_DESCRIBED}
     order by keyed.yes desc, n.nspname, c.relname, a.attnum
     limit 1001
"""

# Tables of an extension and of Supabase's own services are not proposed by name, nor is a column that a foreign key
# already binds to another table. Types are sifted first: most columns are of other types, of indexes and of toast
# tables. $2 holds the names, which a hash finds: a regular expression of so many takes 20 us a column.
NAMED = rf"""
    with {USERS}
         likely as materialized (
             select a.attrelid, a.attnum, names.bare in ('id', 'uuid') as vague
               from (select attrelid, attnum, attname
                       from pg_catalog.pg_attribute
                      where attrelid >= 16384
                        and attnum > 0
                        and not attisdropped
                        and atttypid = any (array(select t.oid
                                                    from pg_catalog.pg_type t
                                                   where coalesce(nullif(t.typbasetype, 0), t.oid) in {_TYPES}))
                     offset 0) a
              cross join lateral (select pg_catalog.lower(pg_catalog.replace(a.attname::text, '_', ''))) as names (bare)
               join unnest($2::text[]) as likely (name) on likely.name = names.bare
         ),
         found as materialized (
             select c.oid as relid, a.attnum
               from likely a
               join pg_catalog.pg_class c on c.oid = a.attrelid
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              where {_COLUMN}
                and not c.relispartition
                and c.relpersistence <> 't'
                and (not a.vague
                     or pg_catalog.lower(pg_catalog.replace(c.relname::text, '_', ''))
                        ~ '^(app|public)?(user|profile|account|member|person|people|customer)(s|profiles?|accounts?)?$')
                and not exists (select
                                  from pg_catalog.pg_constraint f
                                 where f.conrelid = c.oid and f.contype = 'f' and a.attnum = any (f.conkey))
                and not exists (select
                                  from pg_catalog.pg_depend d
                                 where d.classid = 'pg_catalog.pg_class'::regclass
                                   and d.objid = c.oid
                                   and d.deptype = 'e')
                and not (n.nspname in ('storage', 'realtime', '_realtime', 'supabase_functions', 'vault', 'pgsodium')
                         and pg_catalog.pg_get_userbyid(c.relowner) like 'supabase%')
         )
{_DESCRIBED}
     order by n.nspname, c.relname, a.attnum
     limit 1001
"""
