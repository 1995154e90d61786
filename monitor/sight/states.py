"""What rows of a link table say against the states of their users: the SQL, run directly or lent as functions.

A slice is a range of blocks of the table, so that neither an index is needed nor a key ever leaves the server.
"""

from monitor.sight.words import UUID, Function, Group, changed

USERS = ("id", "deleted_at", "banned_until")
ADDRESSES = ("email", "email_change", "email_change_sent_at")
# What names say, in lower case and without underscores: an address of its user's, and that the row is done with.
_EMAIL = "^(user|auth|login|primary|account)?e?mail(address)?$"
_GONE = "^(is)?(deleted|erased|removed|purged|redacted|anonymi[sz]ed|pseudonymi[sz]ed)(at|on|date)?$"

ADDRESSED = ("ctid", "tableoid")
"""Where a row lies: a grant of columns has to name these, too."""

LINK_COLUMNS = (
    *ADDRESSED, "email", "e_mail", "mail", "email_address", "user_email", "deleted_at", "deleted_on", "is_deleted",
    "deleted", "erased_at", "removed_at", "anonymised_at", "anonymized_at", "is_anonymised", "is_anonymized",
)  # fmt: skip
"""Those, and usual names of the columns above: `monitor grants` lets us read what a declared table has of them."""

# A type that becomes text by no function of its own: citext does, and nobody's code runs in a lent function.
_AS_TEXT = """
    (e.base = 'text'::regtype
     or exists (select
                  from pg_catalog.pg_cast k
                 where k.castsource = e.base
                   and k.casttarget = 'text'::regtype
                   and (k.castmethod = 'b' or k.castfunc < 16384)))
"""

_IS_GONE = f"""
    pg_catalog.lower(pg_catalog.replace(m.attname::text, '_', '')) ~ '{_GONE}'
    and m.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype, 'bool'::regtype)
"""

# $1 auth schema; $2 to $4 schemas, tables, columns; $5 the declared columns of addresses, or NULL.
DESCRIBED = f"""
    select named.nr::int8 as nr,
           resolved.base = 'uuid'::regtype as is_uuid,
           pg_catalog.bool_or(i.indisunique and i.indnkeyatts = 1 and i.indkey[0] = a.attnum) is true as single,
           pg_catalog.bool_or(i.indkey[0] = a.attnum) is true as indexed,
           pg_catalog.bool_or(i.indisunique and i.indnkeyatts > 1) is true as shared,
           (select case when {_AS_TEXT} then 'text' else 'other' end
              from pg_catalog.pg_attribute m
              join pg_catalog.pg_type t on t.oid = m.atttypid
             cross join lateral (select coalesce(nullif(t.typbasetype, 0), t.oid) as base) as e
             where m.attrelid = c.oid and m.attname = named.email and m.attnum > 0 and not m.attisdropped) as said,
           (select m.attname::text
              from pg_catalog.pg_attribute m
              join pg_catalog.pg_type t on t.oid = m.atttypid
             cross join lateral (select coalesce(nullif(t.typbasetype, 0), t.oid) as base) as e
             where m.attrelid = c.oid
               and m.attnum > 0
               and not m.attisdropped
               and m.attnum <> a.attnum
               and pg_catalog.lower(pg_catalog.replace(m.attname::text, '_', '')) ~ '{_EMAIL}'
               and {_AS_TEXT}
             order by m.attname = 'email' desc, m.attnum
             limit 1) as email,
           array(select m.attname::text
                   from pg_catalog.pg_attribute m
                  where m.attrelid = c.oid and m.attnum > 0 and not m.attisdropped and {_IS_GONE}
                  order by m.attnum) as gone,
           (select pg_catalog.hashtextextended(pg_catalog.string_agg(
                       {changed("f")}, ',' order by f.oid), 0)
              from (select c.oid as member
                     union
                    select t.relid from pg_catalog.pg_partition_tree(c.oid) t
                     union
                    select u.oid
                      from pg_catalog.pg_class u
                      join pg_catalog.pg_namespace home on home.oid = u.relnamespace
                     where home.nspname = $1::text and u.relname = 'users') family
              join pg_catalog.pg_class f on f.oid = family.member) as state
      from unnest($2::text[], $3::text[], $4::text[], $5::text[]) with ordinality as named (s, t, c, email, nr)
      join pg_catalog.pg_namespace n on n.nspname = named.s
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = named.t
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = named.c and a.attnum > 0
      join pg_catalog.pg_type t on t.oid = a.atttypid
     cross join lateral (select coalesce(nullif(t.typbasetype, 0), t.oid) as base) as resolved
      left join pg_catalog.pg_index i on i.indrelid = c.oid
                                     and i.indisvalid
                                     and i.indpred is null
                                     and a.attnum = any (i.indkey[0:i.indnkeyatts - 1])
     where not a.attisdropped
     group by named.nr, named.email, c.oid, a.attnum, resolved.base
     order by named.nr
"""

# A regular expression on each row takes as long as its look-up; what is spelled as the server spells it needs none.
_SPELLED = rf"""
    case when w.written like '________-____-____-____-____________'
              and w.written !~ '[^0-9a-fA-F-]'
              and pg_catalog.length(pg_catalog.replace(w.written, '-', '')) = 32
         then w.written::uuid
         when w.written ~ '{UUID}' then w.written::uuid
    end
"""

# $1 and $2: from where up to where (row addresses, the second not included); $3 grace in seconds; $4 whether that is
# all of the table; $5 whether users with more than one row are asked for. LIMIT keeps the look-ups by index.
_STATES = """
    with head as materialized (
             select p.ctid as place,
                    p.tableoid as leaf,
                    w.link,
                    w.written,
                    %5$s as key,
                    %7$s as gone,
                    nullif(pg_catalog.lower(pg_catalog.btrim(%6$s)), '') as address
               from %2$I.%3$I p
              cross join lateral (select p.%4$I as link, p.%4$I::text collate "C" as written) w
              where p.ctid >= $1::text::tid and p.ctid < $2::text::tid
         ),
         known as materialized (
             select h.gone, h.address, u.deleted_at, u.banned_until, u.address as own
               from head h
              cross join lateral (select %9$s as deleted_at, %10$s as banned_until, %11$s as address
                                    from %1$I.users u
                                   where u.id = h.key
                                   limit 1) u
         ),
         deleted as materialized (
             select pg_catalog.floor(extract(epoch from greatest(deleted_at, 'epoch'::timestamptz)) / 86400)::int8
                        as day,
                    pg_catalog.count(*) as rows
               from known
              where deleted_at < pg_catalog.now() - pg_catalog.make_interval(secs => $3::float8)
                and not gone
              group by 1
         ),
         doubled as materialized (
             select pg_catalog.count(*) as rows, pg_catalog.count(*) filter (where others.first) as users
               from head h
              cross join lateral (select pg_catalog.count(*) as many,
                                         pg_catalog.bool_and((q.leaf, q.place) >= (h.leaf, h.place)) as first
                                    from (select p.tableoid as leaf, p.ctid as place
                                            from %2$I.%3$I p
                                           where p.%4$I = h.link and not (%7$s)
                                           limit 100) q) others
              where $5::boolean and not $4::boolean and h.key is not null and not h.gone and others.many > 1
              union all
             select pg_catalog.sum(same.many)::int8, pg_catalog.count(*)
               from (select pg_catalog.count(*) as many
                       from head h
                      where $5::boolean and $4::boolean and h.key is not null and not h.gone
                      group by h.key
                     having pg_catalog.count(*) > 1) same
         )
    select (select pg_catalog.count(*) from head) as rows,
           (select pg_catalog.max(pg_catalog.pg_relation_size(family.member)
                                  / pg_catalog.current_setting('block_size')::int8)
              from (select %8$s::oid as member
                     union
                    select t.relid from pg_catalog.pg_partition_tree(%8$s) t) family)::int8 as blocks,
           (select pg_catalog.count(*) from head where key is null and written <> '') as malformed,
           (select pg_catalog.count(distinct key) from head where key is not null) as users,
           (select coalesce(pg_catalog.sum(users), 0) from doubled)::int8 as duplicate,
           (select coalesce(pg_catalog.sum(rows), 0) from doubled)::int8 as duplicate_rows,
           (select coalesce(pg_catalog.sum(rows), 0) from deleted)::int8 as deleted,
           array(select day from deleted order by day) as deleted_days,
           array(select rows::int8 from deleted order by day) as deleted_rows,
           (select pg_catalog.count(*) from known where banned_until > pg_catalog.now()) as banned,
           (select pg_catalog.count(*) from known where address is not null and own is not null) as compared,
           (select pg_catalog.count(*) from known where address <> own) as drifted,
           (select least(pg_catalog.min(extract(epoch from banned_until))
                             filter (where banned_until > pg_catalog.now() and pg_catalog.isfinite(banned_until)),
                         pg_catalog.min(extract(epoch from deleted_at) + $3::float8)
                             filter (where deleted_at >= pg_catalog.now() - pg_catalog.make_interval(secs => $3::float8)
                                           and pg_catalog.isfinite(deleted_at)))
              from known)::float8 as changes_at
"""

_ADDRESS = """
    case when u.deleted_at is null
              and (coalesce(u.email_change, '') = ''
                   or u.email_change_sent_at < pg_catalog.now() - interval '1 day')
         then nullif(pg_catalog.lower(pg_catalog.btrim(u.email)), '')
    end
"""

# $1 auth schema, $2 schema, $3 table, $4 column, $5 the column of addresses, or NULL. No row: no such table, column or
# type. What users lacks at its level of GoTrue reads as NULL.
_WRITE = f"""
    select pg_catalog.format(
               $states${_STATES}$states$,
               $1::text, $2::text, $3::text, $4::text,
               case resolved.base when 'uuid'::regtype then 'w.link::uuid' else $key${_SPELLED}$key$ end,
               coalesce((select pg_catalog.format('p.%I::text collate pg_catalog."default"', m.attname)
                           from pg_catalog.pg_attribute m
                           join pg_catalog.pg_type mt on mt.oid = m.atttypid
                          cross join lateral (select coalesce(nullif(mt.typbasetype, 0), mt.oid) as base) as e
                          where m.attrelid = c.oid and m.attname = $5::text and m.attnum > 0 and {_AS_TEXT}), 'null'),
               coalesce((select pg_catalog.string_agg(
                                    pg_catalog.format(case m.atttypid when 'bool'::regtype then 'p.%I is true'
                                                                      else 'p.%I is not null' end, m.attname), ' or ')
                           from pg_catalog.pg_attribute m
                          where m.attrelid = c.oid
                            and m.attnum > 0
                            and not m.attisdropped
                            and {_IS_GONE}), 'false'),
               c.oid,
               case when 'deleted_at' = any (has.names) then 'u.deleted_at' else 'null::timestamptz' end,
               case when 'banned_until' = any (has.names) then 'u.banned_until' else 'null::timestamptz' end,
               case when $5::text is null
                         or not has.names @> '{{deleted_at,email,email_change,email_change_sent_at}}'::text[]
                    then 'null::text'
                    else $address${_ADDRESS}$address$
               end
           ) as statement
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_catalog.pg_type t on t.oid = a.atttypid
     cross join lateral (select coalesce(nullif(t.typbasetype, 0), t.oid) as base) as resolved
     cross join lateral (select pg_catalog.array_agg(m.attname::text) as names
                           from pg_catalog.pg_attribute m
                           join pg_catalog.pg_class u on u.oid = m.attrelid and u.relname = 'users'
                           join pg_catalog.pg_namespace home on home.oid = u.relnamespace and home.nspname = $1::text
                          where m.attnum > 0 and not m.attisdropped) as has
     where n.nspname = $2::text
       and c.relname = $3::text
       and a.attname = $4::text
       and n.nspname <> $1::text
       and n.nspname !~ '^pg_|^information_schema$'
       and c.relkind in ('r', 'p')
       and resolved.base in ('uuid'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
"""

SLICE = Function(
    name="auth_states",
    arguments=(
        "in_auth text, in_schema text, in_table text, in_column text, in_email text, in_from text, in_to text, "
        "in_grace double precision, in_whole boolean, in_duplicates boolean"
    ),
    columns=(
        "rows bigint, blocks bigint, malformed bigint, users bigint, duplicate bigint, duplicate_rows bigint, "
        "deleted bigint, deleted_days bigint[], deleted_rows bigint[], banned bigint, compared bigint, "
        "drifted bigint, changes_at double precision"
    ),
    write=_WRITE,
    using="in_from, in_to, in_grace, in_whole, in_duplicates",
)

STATES = Group(functions=(SLICE,), columns={"users": (*USERS, *ADDRESSES)})
