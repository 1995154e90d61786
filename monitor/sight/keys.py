"""A few keys of rows that were counted as suspect: only for who asked for them (`auth.sample_keys`), and only uuids.

Suspects are named by the hashes that the looks gave. Each statement reads the slice in which they were met, by index or
by blocks; a link that is looked at whole is read once. Whether they are still without counterpart is asked again.
"""

from monitor.sight.links import RELATION
from monitor.sight.slices import KEY, spellings
from monitor.sight.words import Function

MOST = 20
"""Keys that one question gives."""

# $1 the slice's first key or block, $2 the next slice's (NULL: none), $3 the hashes, $4 how many.
_WITHIN = (
    "{key} >= coalesce($1::uuid, '00000000-0000-0000-0000-000000000000') "
    "and {key} <= coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') "
    "and {key} is distinct from $2::uuid and pg_catalog.uuid_hash_extended({key}, 0) = any ($3::int8[])"
)

_ROWS_BY_KEYS = f"""
             select distinct pg_catalog.uuid_hash_extended(p.%4$I, 0) as hash, p.%4$I as key
               from %2$I.%3$I p
              where {_WITHIN.format(key="p.%4$I")}
"""

_ROWS_BY_BLOCKS = """
             select m.hash, m.key
               from (select pg_catalog.hashtextextended(p.tableoid::text || p.ctid::text, 0) as hash, %5$s as key
                       from %2$I.%3$I p
                      where p.ctid >= pg_catalog.format('(%%s,0)', $1::text)::tid
                        and p.ctid < pg_catalog.format('(%%s,0)', coalesce($2::text, '4294967295'))::tid
                        and p.%4$I is not null
                        and pg_catalog.hashtextextended(p.tableoid::text || p.ctid::text, 0) = any ($3::int8[])
                     offset 0) m
              where m.key is not null
"""

_ROWS_WHOLE = """
             select distinct pg_catalog.uuid_hash_extended(m.key, 0) as hash, m.key
               from (select %5$s as key from %2$I.%3$I p where p.%4$I is not null offset 0) m
              where m.key is not null
                and pg_catalog.uuid_hash_extended(m.key, 0) = any ($3::int8[])
                and $1::text is null and $2::text is null
"""

_USERS = f"""
             select pg_catalog.uuid_hash_extended(u.id, 0) as hash, u.id as key
               from %1$I.users u
              where {_WITHIN.format(key="u.id")}
"""

# A scalar subquery with a limit is looked up for each of the few: as a join the planner might read all of the table.
_NO_USER = "(select true from %1$I.users u where u.id = met.key limit 1) is null"
_NO_UUID_ROW = "(select true from %2$I.%3$I p where p.%4$I = met.key limit 1) is null"
_NO_TEXT_ROW = f"""(select true
                      from %2$I.%3$I p
                     where p.%4$I = any ({spellings("met.key::text")}%6$s[])
                     limit 1) is null"""
_NO_ROW_AT_ALL = """not exists (select
                      from (select %5$s as key from %2$I.%3$I p where p.%4$I is not null offset 0) every
                     where every.key = met.key)"""


def _few(met: str, alone: str) -> str:
    """Write the statement that gives those who were met and are alone still, with their hashes."""
    return f"""
    with met as materialized ({met}              limit {MOST}
         ),
         alone as materialized (
             select hash, key from met where {alone} order by hash limit least(greatest($4::int8, 0), {MOST})
         )
    select array(select hash from alone order by hash) as hashes,
           array(select key::text from alone order by hash) as keys
"""


# $5 the way; with a way that the column's type has not, the statement is NULL.
_WRITE = f"""
    select pg_catalog.format(
               {{texts}},
               $1::text, $2::text, $3::text, $4::text,
               {KEY},
               case resolved.base when 'bpchar'::regtype then '::bpchar' else '::text' end
           ) as statement
{RELATION}"""

_ROWS_TEXTS = f"""case $5::text
                    when 'keys' then case resolved.base
                                         when 'uuid'::regtype then $few${_few(_ROWS_BY_KEYS, _NO_USER)}$few$ end
                    when 'blocks' then $few${_few(_ROWS_BY_BLOCKS, _NO_USER)}$few$
                    when 'whole' then $few${_few(_ROWS_WHOLE, _NO_USER)}$few$ end"""

_USERS_TEXTS = f"""case $5::text
                    when 'keys' then case resolved.base
                                         when 'uuid'::regtype then $few${_few(_USERS, _NO_UUID_ROW)}$few$ end
                    when 'users' then case when resolved.base <> 'uuid'::regtype
                                           then $few${_few(_USERS, _NO_TEXT_ROW)}$few$ end
                    when 'whole' then $few${_few(_USERS, _NO_ROW_AT_ALL)}$few$ end"""


def _function(name: str, texts: str) -> Function:
    return Function(
        name=name,
        arguments=(
            "in_auth text, in_schema text, in_table text, in_column text, in_way text, "
            "in_first text, in_next text, in_hashes bigint[], in_most bigint"
        ),
        columns="hashes bigint[], keys text[]",
        write=_WRITE.replace("{texts}", texts),
        using="in_first, in_next, in_hashes, in_most",
        confined=True,
    )


ROWS = _function("auth_keys_rows", _ROWS_TEXTS)
USERS = _function("auth_keys_users", _USERS_TEXTS)

KEYS = (ROWS, USERS)
