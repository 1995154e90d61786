"""Looking at the newest rows and users of a big link, by when they were made: from one time to another, half open.

A slice is bounded twice, by its times and by a number of rows; where the number cuts it, `next` is the time, to the
second, that the next one begins with. Never asked but where an index leads with the time.
"""

from monitor.sight.slices import KEY, function, written
from monitor.sight.words import Group

# $2 and $4 the times, in seconds since 1970, $3 how many rows (NULL: those of a slice that was
# looked at before, and who has joined them). What more than so many rows of one second
# hold is left to the sweep. NULLs are left out afterwards: a window full of guests must end as well.
_RECENT = """
    with met as materialized (
             select {columns}, {at} as at
               from {relation}
              where {at} >= pg_catalog.to_timestamp($2::text::float8){zone}
                and {at} < pg_catalog.to_timestamp($4::text::float8){zone}
              order by {at}
              limit case when $3::int8 is null then 4000 else greatest($3::int8, 1000) + 1 end
         ),
         bounds as materialized (
             select case when $3::int8 is not null and pg_catalog.count(*) > greatest($3::int8, 1000)
                         then greatest(pg_catalog.floor(extract(epoch from pg_catalog.max(at))),
                                       pg_catalog.floor($2::text::float8) + 1)::int8::text end as next
               from met
         ),
         recent as materialized (
             select *
               from met
              where (select next from bounds) is null
                 or at < pg_catalog.to_timestamp((select next from bounds)::float8){zone}
         ),
"""
_ROWS = _RECENT.replace("{at}", "p.%9$I").replace("{zone}", "%10$s").replace("{relation}", "%2$I.%3$I p")
_USERS = _RECENT.format(columns="u.id", at="u.created_at", zone="", relation="%1$I.users u")
_NO_USERS = """
         lone as materialized (
             select null::uuid as id where false and $5::boolean
         ),
         odd as materialized (
             select null::int8 as key where false
         ),
"""

# By key, as slices by keys count: all rows of a key that is nobody's.
_NEW_KEYS = f"""{_ROWS.replace("{columns}", "p.%4$I as link")}
         aged as materialized (
             select pg_catalog.uuid_hash_extended(o.key, 0) as key,
                    pg_catalog.count(*) filter (where o.old) as old,
                    pg_catalog.count(*) filter (where o.old is null) as unaged
               from (select distinct r.link as key
                       from recent r
                      where r.link is not null
                        and (select true from %1$I.users u where u.id = r.link limit 1) is null) orphan
              cross join lateral (select p.%4$I as key, %5$s as old
                                    from %2$I.%3$I p
                                   where p.%4$I = orphan.key
                                  offset 0) o
              group by 1
         ),
{_NO_USERS}"""

# By place, as slices by blocks count.
_NEW_ROWS = f"""{_ROWS.replace("{columns}", "p.tableoid, p.ctid as place, p.%4$I as written, %5$s as old")}
         aged as materialized (
             select pg_catalog.hashtextextended(p.tableoid::text || p.place::text, 0) as key,
                    p.old::int::int8 as old,
                    (p.old is null)::int::int8 as unaged
               from (select r.tableoid, r.place, r.old, %6$s as key from recent r offset 0) p
              where p.key is not null
                and (select true from %1$I.users u where u.id = p.key limit 1) is null
         ),
{_NO_USERS}"""

_NEW_USERS = f"""{_USERS}
         lone as materialized (
             select r.id
               from recent r
              where $5::boolean
                and (select true from %2$I.%3$I p where p.%4$I = r.id limit 1) is null
         ),
         aged as materialized (
             select null::int8 as key, null::int8 as old, null::int8 as unaged where false
         ),
         odd as materialized (
             select null::int8 as key where false
         ),
"""

_TIMED = """
       and exists (select
                     from pg_catalog.pg_attribute m
                    where m.attrelid = c.oid
                      and m.attname = $5::text
                      and not m.attisdropped
                      and m.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype))
"""
_OF_UUIDS = " and resolved.base = 'uuid'::regtype"
_WRITTEN_KEY = KEY.replace("p.%1$I", "r.written").replace(", $4::text", "")

NEW_KEYS = function("auth_link_new_keys", written(_NEW_KEYS) + _OF_UUIDS + _TIMED)
NEW_ROWS = function("auth_link_new_rows", written(_NEW_ROWS, _WRITTEN_KEY) + _TIMED)
NEW_USERS = function("auth_link_new_users", written(_NEW_USERS) + _OF_UUIDS)

NEWEST = Group(functions=(NEW_KEYS, NEW_ROWS, NEW_USERS), columns={})
