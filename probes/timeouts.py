"""Timeouts of those who connect: what each role's next session in each database would begin with.

Roles count when they have, or had in the last day, a session; superusers, replication, and roles that may read all
statistics (the monitor, exporters, administrators) are no applications.
Cost: one list of sessions and the few rows of pg_db_role_setting, under two milliseconds for 500 sessions.
"""

from collections.abc import Sequence

from monitor.probe import Memory, Probe, Row, Scope, Session, number
from probes.timeouts_rule import NoTimeouts

# What a session sets itself (SET, or its driver's options) is known to that session only.
# reset_val: the monitor sets its own timeouts by SET, so that this is what the server, its own role or its own database
# would have given it; in the two last cases the server's default cannot be seen.
SQL = """
    with names as (
        select array['statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout',
                     'idle_session_timeout', 'tcp_keepalives_idle'] as wanted
    ),
    seen as (
        select usesysid as role, datid as database, count(*) as sessions
          from pg_catalog.pg_stat_get_activity(null)
         where backend_type = 'client backend'
         group by usesysid, datid
         union all
        select role, database, 0 from unnest($1::oid[], $2::oid[]) as before (role, database)
    ),
    counted as (
        select role, database, sum(sessions) as sessions
          from seen
         group by role, database
         order by 3 desc, 1, 2
         limit 200
    ),
    settings as (
        select setrole, setdatabase, array_agg(setting) as given
          from pg_catalog.pg_db_role_setting, names, unnest(setconfig) as setting
         where pg_catalog.split_part(setting, '=', 1) = any (wanted)
         group by setrole, setdatabase
    )
    select r.oid::bigint as role_oid, d.oid::bigint as database_oid,
           r.rolname::text as role, d.datname::text as database,
           c.sessions::int as sessions, extract(epoch from clock_timestamp())::float8 as at,
           r.rolcanlogin and not r.rolsuper and not r.rolreplication and r.rolname <> current_user
           and not pg_catalog.pg_has_role(r.oid, 'pg_read_all_stats', 'usage') as serves,
           coalesce((select given from settings where setrole = r.oid and setdatabase = d.oid), '{}') as of_both,
           coalesce((select given from settings where setrole = r.oid and setdatabase = 0), '{}') as of_role,
           coalesce((select given from settings where setrole = 0 and setdatabase = d.oid), '{}') as of_database,
           coalesce((select given from settings where setrole = 0 and setdatabase = 0), '{}') as of_all,
           array(select name || '=' || reset_val
                   from pg_catalog.pg_settings, names
                  where name = any (wanted)) as defaults,
           array(select one
                   from settings, unnest(given) as one
                  where setrole in (0, (select oid from pg_catalog.pg_roles where rolname = current_user))
                    and setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
                    and (setrole, setdatabase) <> (0, 0)) as hiding
      from counted c
      join pg_catalog.pg_roles r on r.oid = c.role
      join pg_catalog.pg_database d on d.oid = c.database
"""

DAY = 86400.0


class Seen:
    """Which role was seen in which database, and when last by the server's clock."""

    def __init__(self) -> None:
        self.at: dict[tuple[int, int], float] = {}


async def observe(session: Session, memory: Memory, _options: object) -> Sequence[Row]:
    """Ask for those who are connected, and for those who were in the last day."""
    seen = memory.of(Seen)
    rows = await session.fetch(SQL, [role for role, _ in seen.at], [database for _, database in seen.at])
    before, seen.at = seen.at, {}
    for row in rows:
        pair, at = (round(number(row, "role_oid")), round(number(row, "database_oid"))), number(row, "at")
        last = at if row["sessions"] else before.get(pair, at)
        if at - last <= DAY:
            seen.at[pair] = last
    return rows


PROBE = Probe(
    name="timeouts",
    scope=Scope.SERVER,
    every=300,
    needs=("role:pg_read_all_stats",),
    observe=observe,
    rules=(NoTimeouts(),),
)
