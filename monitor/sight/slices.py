"""Looking at a link slice by slice, where whole it would take too long. A slice's end is no key, only the start of one.

Slices are half open: from a key to the one before the next slice's. Three ways: by keys (both directions at once, both
indexed), by blocks of the link's table (each row's user is looked up), by users (each user's row is looked up).
"""

from monitor.sight.links import AGE, ELIGIBLE, RELATION, USER_AGE
from monitor.sight.words import UUID, Function, Group

# $2 the slice's first key, $3 how many keys (NULL: up to $4), $4 the next slice's first key (NULL: none).
# The first seven hexadecimal digits of the key after so many begin the next slice: they are nobody's. Where all so many
# begin alike, as keys counted up by hand do, the key itself does.
_NEXT = """
    with edge as materialized (
             select least({edges}) as key
         ),
         ends as materialized (
             select case when $3::int8 is null then $4::uuid
                         when edge.key is null then null
                         when short.key > $2::uuid then short.key
                         else least({beyond}) end as next
               from edge
              cross join lateral (select pg_catalog.rpad(left(edge.key::text, 7), 32, '0')::uuid as key) short
         ),
         bounds as materialized (
             select next, coalesce(next, 'ffffffff-ffff-ffff-ffff-ffffffffffff') as last from ends
         ),
"""
_USERS_EDGE = """(select u.id
                      from %1$I.users u
                     where $3::int8 is not null and u.id >= $2::uuid
                     order by u.id
                    offset greatest($3::int8, 1000)
                     limit 1)"""
_LINKS_EDGE = _USERS_EDGE.replace("%1$I.users u", "%2$I.%3$I u").replace("u.id", "u.%4$I")
_USERS_BEYOND = "(select u.id from %1$I.users u where u.id > edge.key order by u.id limit 1)"
_LINKS_BEYOND = _USERS_BEYOND.replace("%1$I.users u", "%2$I.%3$I u").replace("u.id", "u.%4$I")
_WITHIN = (
    "{key} >= $2::uuid and {key} <= (select last from bounds) and {key} is distinct from (select next from bounds)"
)
_USERS_WITHIN, _LINKS_WITHIN = _WITHIN.format(key="u.id"), _WITHIN.format(key="p.%4$I")

_KEYS = f"""{_NEXT.format(edges=f"{_USERS_EDGE}, {_LINKS_EDGE}", beyond=f"{_USERS_BEYOND}, {_LINKS_BEYOND}")}
         spare as materialized (
             select l.link, s.id
               from (select p.%4$I as link from %2$I.%3$I p where {_LINKS_WITHIN}) l
               full join (select u.id from %1$I.users u where {_USERS_WITHIN}) s on s.id = l.link
              where l.link is null or s.id is null
         ),
         lone as materialized (
             select id from spare where link is null and $5::boolean
         ),
         aged as materialized (
             select pg_catalog.uuid_hash_extended(o.key, 0) as key,
                    pg_catalog.count(*) filter (where o.old) as old,
                    pg_catalog.count(*) filter (where o.old is null) as unaged
               from (select distinct link as key from spare where id is null) orphan
              cross join lateral (select p.%4$I as key, %5$s as old
                                    from %2$I.%3$I p
                                   where p.%4$I = orphan.key
                                  offset 0) o
              group by 1
         ),
         odd as materialized (
             select null::int8 as key where false
         ),
"""

# How ids are commonly written: %1$s is one in its canonical spelling.
_SPELLINGS = (
    "array[{0}, {1}, '{{' || {0} || '}}', '{{' || {1} || '}}', upper({0}), upper({1}), "
    "'{{' || upper({0}) || '}}', '{{' || upper({1}) || '}}']"
)


def spellings(plain: str) -> str:
    return _SPELLINGS.format(plain, f"replace({plain}, '-', '')")


# $2 the first block, $4 the next slice's first block ($3 is not asked for). A row goes by the hash of its place, for
# rows of one key may stand in several slices. A canonical spelling is told cheaply; a regular expression sees the rest.
_BLOCKS = f"""
    with bounds as materialized (
             select $4::text as next
         ),
         spelled as materialized (
             select p.tableoid::text || p.at::text as place, p.key, p.old, p.written, u.id is not null as known
               from (select p.tableoid, p.ctid as at, %5$s as old, p.%4$I::text collate "C" as written, %6$s as key
                       from %2$I.%3$I p
                      where p.ctid >= pg_catalog.format('(%%s,0)', $2::text)::tid
                        and p.ctid < pg_catalog.format('(%%s,0)', coalesce($4::text, '4294967295'))::tid
                        and p.%4$I is not null
                     offset 0) p
               left join lateral (select u.id from %1$I.users u where u.id = p.key limit 1) u on true
              where p.key is not null and (u.id is null or p.written <> p.key::text)
         ),
         aged as materialized (
             select pg_catalog.hashtextextended(place, 0) as key,
                    old::int::int8 as old,
                    (old is null)::int::int8 as unaged
               from spelled
              where not known
         ),
         lone as materialized (
             select null::uuid as id where $3::int8 < 0 and $5::boolean
         ),
         odd as materialized (
             select distinct pg_catalog.uuid_hash_extended(key, 0) as key
               from spelled
              where known and written <> all ({spellings("key::text")})
         ),
"""
UUID_KEY = "p.%1$I"
TEXT_KEY = f"""case when p.%1$I::text collate "C" like '________-____-____-____-____________'
                          and pg_catalog.translate(p.%1$I::text collate "C", '0123456789abcdef-', '') = ''
                         then p.%1$I::text::uuid
                         when p.%1$I::text collate "C" ~ '{UUID}' then p.%1$I::text::uuid end"""

KEY = f"""pg_catalog.format(case resolved.base when 'uuid'::regtype then $key${UUID_KEY}$key$
                                              else $key${TEXT_KEY}$key$ end, $4::text)"""

# Each user's id as it is commonly written is looked up in the link's index; stranger spellings were met by blocks.
_BY_USERS = f"""{_NEXT.format(edges=_USERS_EDGE, beyond=_USERS_BEYOND)}
         spare as materialized (
             select u.id
               from %1$I.users u
              where {_USERS_WITHIN}
                and $5::boolean
                and (select true from %2$I.%3$I p where p.%4$I = u.id::text%6$s limit 1) is null
         ),
         lone as materialized (
             select s.id
               from spare s
              where (select true
                       from %2$I.%3$I p
                      where p.%4$I = any ({spellings("s.id::text")}%6$s[])
                      limit 1) is null
         ),
         aged as materialized (
             select null::int8 as key, null::int8 as old, null::int8 as unaged where false
         ),
         odd as materialized (
             select null::int8 as key where false
         ),
"""

# $1 grace in seconds.
_STATES = """
         missing as materialized (
             select pg_catalog.uuid_hash_extended(lone.id, 0) as key, state.old
               from lone
              cross join lateral (select %8$s as old from %1$I.users u where u.id = lone.id and %7$s limit 1) state
         )
    select (select next::text from bounds) as next,
           (select coalesce(pg_catalog.sum(old), 0) from aged)::int8 as orphans,
           (select coalesce(pg_catalog.sum(unaged), 0) from aged)::int8 as unaged,
           array(select key from aged order by key limit 10000) as orphan_keys,
           array(select coalesce(old, 0) from aged order by key limit 10000) as orphan_old,
           array(select unaged from aged order by key limit 10000) as orphan_unaged,
           (select pg_catalog.count(*) from missing where old) as missing,
           array(select key from missing order by key limit 10000) as missing_keys,
           array(select old is true from missing order by key limit 10000) as missing_old,
           array(select key from odd order by key limit 10001) as odd_keys
"""

# A column without zone is compared in its own reckoning, whatever that is.
_WITHOUT_ZONE = """(select $zone$ at time zone 'UTC'$zone$
                       from pg_catalog.pg_attribute m
                      where m.attrelid = c.oid and m.attname = $5::text and m.atttypid = 'timestamp'::regtype)"""

_WRITE = f"""
    select pg_catalog.format($slice${{slice}}{_STATES}$slice$, $1::text, $2::text, $3::text, $4::text,
               {AGE},
               {{sixth}},
               {ELIGIBLE},
               {USER_AGE},
               $5::text,
               {_WITHOUT_ZONE}
           ) as statement
{RELATION}"""


def written(slice_: str, sixth: str = "''") -> str:
    """Give the text by which the server writes the statement of a slice; `sixth` is what %6$s becomes."""
    return _WRITE.replace("{slice}", slice_).replace("{sixth}", sixth)


_WRITE_KEYS = written(_KEYS) + " and resolved.base = 'uuid'::regtype"
_WRITE_BLOCKS = written(_BLOCKS, KEY)
_WRITE_BY_USERS = (
    written(_BY_USERS, "case resolved.base when 'bpchar'::regtype then '::bpchar' else '::text' end")
    + " and resolved.base <> 'uuid'::regtype"
)

_ARGUMENTS = (
    "in_auth text, in_schema text, in_table text, in_column text, in_created text, "
    "in_grace double precision, in_first text, in_keys bigint, in_next text, in_users boolean"
)
_COLUMNS = (
    "next text, orphans bigint, unaged bigint, orphan_keys bigint[], orphan_old bigint[], orphan_unaged bigint[], "
    "missing bigint, missing_keys bigint[], missing_old boolean[], odd_keys bigint[]"
)


def function(name: str, write: str) -> Function:
    """Give a function that looks at slices: all of them are asked alike."""
    using = "in_grace, in_first, in_keys, in_next, in_users"
    return Function(name=name, arguments=_ARGUMENTS, columns=_COLUMNS, write=write, using=using)


BY_KEYS = function("auth_link_keys", _WRITE_KEYS)
BY_BLOCKS = function("auth_link_blocks", _WRITE_BLOCKS)
BY_USERS = function("auth_link_users", _WRITE_BY_USERS)

SLICES = Group(functions=(BY_KEYS, BY_BLOCKS, BY_USERS), columns={})
