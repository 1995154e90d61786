"""Who sees which rows: policies of row level security, and the roles that these, or settings of their own, concern.

Constants of a policy stay where they are read: of its conditions the shape has only what a planner needs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from monitor.probe import ProbeError, ProbeTimeout, Session, identifier, row_security, shape

LONGEST = 20_000
GONE = "SQLSTATE XX000"
"""What the server says of a table that it finds in the catalogue, and then no more."""
LOCKED_REASON = "its row level security could not be read, as a table that a policy names is locked exclusively"
LONG_REASON = "a policy of its row level security is longer than is read"
MANY_REASON = "there are more policies than are read"

# As views, a policy is written only where none of the relations it names is held exclusively, and once (`offset 0`).
POLICIES = r"""
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
             select p.polrelid, p.polcmd, p.polpermissive, p.polroles, p.polqual, p.polwithcheck,
                    p.polrelid not in (select relation from locked)
                    and not exists (select
                                      from pg_catalog.pg_depend d
                                     where d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
                                       and d.objid = p.oid
                                       and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                                       and d.refobjid in (select relation from locked)) as free
               from pg_catalog.pg_policy p
              where p.polrelid = any ($1::bigint[]::oid[])
              order by p.polrelid, p.oid
              limit 5001
         )
    select o.polrelid::bigint as oid,
           o.polcmd::text as command,
           o.polpermissive as permissive,
           array(select coalesce(r.rolname::text, 'public')
                   from pg_catalog.unnest(o.polroles) as listed (role)
                   left join pg_catalog.pg_roles r on r.oid = listed.role) as roles,
           o.free,
           coalesce(w.condition, '') as using,
           coalesce(w.verdict, '') as check
      from path
     cross join own o
      left join lateral (select pg_catalog.pg_get_expr(o.polqual, o.polrelid) as condition,
                                pg_catalog.pg_get_expr(o.polwithcheck, o.polrelid) as verdict
                          where path.is_set is not null
                            and o.free
                         offset 0) w on true
"""

# $1 tables under row level security. Settings are those a session of the role begins with; nobody else's count for it.
ROLES = r"""
    with kin as materialized (
             select c.relowner as oid
               from pg_catalog.pg_class c
              where c.oid = any ($1::bigint[]::oid[])
              union
             select listed.role
               from pg_catalog.pg_policy p
              cross join pg_catalog.unnest(p.polroles) as listed (role)
              where p.polrelid = any ($1::bigint[]::oid[])
                and listed.role <> 0
         ),
         own as materialized (
             select s.setrole,
                    pg_catalog.array_agg(c.line order by s.setdatabase, c.place) as lines
               from pg_catalog.pg_db_role_setting s
              cross join pg_catalog.unnest(s.setconfig) with ordinality as c (line, place)
               join pg_catalog.pg_settings k on k.name = pg_catalog.split_part(c.line, '=', 1)
              where s.setrole <> 0
                and s.setdatabase in (0, (select oid
                                            from pg_catalog.pg_database
                                           where datname = pg_catalog.current_database()))
                and (k.category like 'Query Tuning%' and k.name not like 'jit%' and k.name <> 'geqo_seed'
                     or k.name in ('work_mem', 'hash_mem_multiplier', 'max_parallel_workers',
                                   'max_parallel_workers_per_gather', 'parallel_leader_participation'))
              group by s.setrole
         )
    select r.rolname::text as name,
           r.rolsuper or r.rolbypassrls as bypass,
           array(select k.rolname::text
                   from pg_catalog.pg_roles k
                  where k.oid in (select oid from kin)
                    and pg_catalog.pg_has_role(r.oid, k.oid, 'usage')) as has,
           case when r.rolcanlogin then o.lines end as settings
      from pg_catalog.pg_roles r
      left join own o on o.setrole = r.oid
     where r.rolname not like 'pg\_%'
       and (o.lines is not null or exists (select from kin))
     order by r.oid
     limit 5000
"""
OWNERS = """
    select c.oid::bigint as oid, r.rolname::text as owner, c.relforcerowsecurity as forced
      from pg_catalog.pg_class c
      join pg_catalog.pg_roles r on r.oid = c.relowner
     where c.oid = any ($1::bigint[]::oid[])
"""
MOST = 5000


async def secured(
    session: Session, tables: Sequence[shape.Table], types: Sequence[shape.DefinedType]
) -> Mapping[int, row_security.Secured]:
    """Read the policies of those tables that are under row level security."""
    oids = [table.oid for table in tables if table.row_security]
    if not oids:
        return {}
    enums = {identifier(kind.schema, kind.name) for kind in types if kind.labels}
    owners: Sequence[Mapping[str, Any]] = await session.fetch(OWNERS, oids)
    found: Sequence[Mapping[str, Any]] = ()
    unread = ""
    try:
        found = await session.fetch(POLICIES, oids)
    except ProbeError as error:  # what a policy names was locked, changed or dropped just now
        if not isinstance(error, ProbeTimeout) and GONE not in str(error):
            raise
        unread = LOCKED_REASON
    policies: dict[int, list[Mapping[str, Any]]] = {}
    for row in found[:MOST]:
        policies.setdefault(row["oid"], []).append(row)
    unread = MANY_REASON if len(found) > MOST else unread
    return {each["oid"]: _secured(each, policies.get(each["oid"], ()), enums, unread) for each in owners}


def _secured(
    owner: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], enums: Collection[str], unread: str
) -> row_security.Secured:
    for row in rows:
        if not row["free"]:
            unread = LOCKED_REASON
        elif len(row["using"]) + len(row["check"]) > LONGEST:
            unread = LONG_REASON
    policies = () if unread else tuple(_policy(row, enums) for row in rows)
    return row_security.Secured(owner=owner["owner"], forced=owner["forced"], policies=policies, unread=unread)


def _policy(row: Mapping[str, Any], enums: Collection[str]) -> row_security.Policy:
    return row_security.Policy(
        command=row["command"],
        permissive=row["permissive"],
        roles=tuple(row["roles"]),
        using=row_security.without_values(row["using"], enums),
        check=row_security.without_values(row["check"], enums),
    )


async def roles(session: Session, oids: Collection[int]) -> Mapping[str, row_security.Role]:
    """Read who is bound by the policies of these tables, and whose sessions plan by settings of their own."""
    rows: Sequence[Mapping[str, Any]] = await session.fetch(ROLES, [*oids])
    return {
        row["name"]: row_security.Role(
            bypass=row["bypass"],
            has=frozenset(row["has"]),
            settings=dict(line.split("=", 1) for line in row["settings"] or ()),
        )
        for row in rows
    }
