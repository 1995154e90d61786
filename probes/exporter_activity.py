"""For `compat: [postgres_exporter]` only: sessions and locks as that exporter tells them apart, vacuums at work.

Every state and mode of every database is there, with a nought where there is none: dashboards and alerts count on it.
Passwords and addresses are taken out of applications' names. Cost: pg_stat_activity and pg_locks once more, with a
row for every state and mode of every database: 8 ms for few of them.
"""

from collections.abc import Sequence

from monitor.probe import Memory, Probe, Row, Scope, Session
from probes.pool_groups import safe

SESSIONS = """
    with groups as (
        select a.datid, a.state, a.usename, a.application_name, a.backend_type, a.wait_event_type, a.wait_event,
               count(*) as sessions,
               max(extract(epoch from clock_timestamp() - a.xact_start))::float8 as oldest_seconds
          from pg_catalog.pg_stat_activity a
         where a.pid <> pg_catalog.pg_backend_pid()
         group by 1, 2, 3, 4, 5, 6, 7
    )
    select 'sessions' as kind,
           d.datname::text as database,
           s.state,
           coalesce(g.usename::text, '') as role,
           coalesce(g.application_name, '') as application,
           coalesce(g.backend_type, '') as backend_type,
           coalesce(g.wait_event_type, '') as wait_event_type,
           coalesce(g.wait_event, '') as wait_event,
           coalesce(g.sessions, 0) as sessions,
           coalesce(g.oldest_seconds, 0) as oldest_seconds
      from pg_catalog.pg_database d
     cross join (values ('active'), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'),
                        ('fastpath function call'), ('disabled')) as s (state)
      left join groups g on g.datid = d.oid and g.state = s.state
     where not d.datistemplate or g.sessions is not null
     order by g.sessions desc nulls last, d.oid, s.state
     limit 1000
"""
LOCKS = """
    select 'locks' as kind,
           d.datname::text as database,
           lower(m.mode) as mode,
           coalesce(l.count, 0) as locks
      from pg_catalog.pg_database d
     cross join (values ('AccessShareLock'), ('RowShareLock'), ('RowExclusiveLock'), ('ShareUpdateExclusiveLock'),
                        ('ShareLock'), ('ShareRowExclusiveLock'), ('ExclusiveLock'), ('AccessExclusiveLock'),
                        ('SIReadLock')) as m (mode)
      left join (select database, mode, count(*) as count
                   from pg_catalog.pg_lock_status()
                  group by 1, 2) l on l.database = d.oid and l.mode = m.mode
     where not d.datistemplate or l.count is not null
     order by l.count desc nulls last, d.oid, m.mode
     limit 1000
"""
OLDEST = """
    select 'oldest' as kind,
           '' as database,
           coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0)::float8 as oldest_seconds
      from pg_catalog.pg_stat_activity
     where state is distinct from 'idle'
       and backend_type <> 'autovacuum worker'
       and pid <> pg_catalog.pg_backend_pid()
"""
# The view's columns change their names with the versions; the exporter takes the numbers by their place, as here. A
# table of another database has no name that we could ask for. The schema public stays unsaid, as in its search path.
VACUUMS = """
    select 'vacuum' as kind,
           d.datname::text as database,
           coalesce(case when n.nspname <> 'public' then pg_catalog.quote_ident(n.nspname) || '.' else '' end
                    || pg_catalog.quote_ident(c.relname), v.relid::text) as name,
           p.phase,
           (p.place = v.param1)::int as in_phase,
           v.param2 as blocks,
           v.param3 as blocks_scanned,
           v.param4 as blocks_vacuumed,
           v.param5 as index_vacuums,
           v.param6 as dead_limit,
           v.param7 as dead
      from pg_catalog.pg_stat_get_progress_info('VACUUM') v
      join pg_catalog.pg_database d on d.oid = v.datid
      left join pg_catalog.pg_class c on c.oid = v.relid and d.datname = current_database()
      left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     cross join (values (0, 'initializing'), (1, 'scanning heap'), (2, 'vacuuming indexes'), (3, 'vacuuming heap'),
                        (4, 'cleaning up indexes'), (5, 'truncating heap'), (6, 'performing final cleanup'))
             as p (place, phase)
     order by v.pid, p.place
     limit 200
"""


async def observe(session: Session, _memory: Memory, _options: object) -> Sequence[Row]:
    """Ask each view; what an application calls itself is told as far as it gives no secret away."""
    sessions = [{**row, "application": safe(row["application"])} for row in await session.fetch(SESSIONS)]
    others = [row for sql in (LOCKS, OLDEST, VACUUMS) for row in await session.fetch(sql)]
    return [*sessions, *others]


PROBE = Probe(
    name="exporter_activity",
    scope=Scope.SERVER,
    every=15,
    observe=observe,
    needs=("role:pg_read_all_stats",),
    compat="postgres_exporter",
    enabled=False,
)
