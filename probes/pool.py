"""The connection slots: who holds them, how near each limit is, and which transactions stay open too long.

Only client backends take slots of max_connections (walsenders, background workers and autovacuum have their own).
Cost: 1.4 times a bare count of pg_stat_activity, 3 ms of server CPU for 500 sessions; no statement's text, no address.
Limits: the 50 largest groups of sessions, the 100 fullest limits and the 200 oldest transactions are told apart.
"""

from collections.abc import Mapping
from dataclasses import replace

from monitor.probe import Kind, Measurement, Memory, Metric, Probe, Scope, Session
from probes.pool_budget import Marks, PoolBudget, PoolOptions, budgeted
from probes.pool_forecast import ExhaustionForecast
from probes.pool_groups import LIMITS, of_kind, safe, told_apart
from probes.pool_saturation import Saturation
from probes.pool_series import Watched
from probes.pool_transactions import IdleInTransaction, LongTransaction

# `own` are the monitor's sessions (its replicas' too): they count, but nobody is accused of them.
# An aborted transaction has no xact_start any more. Its state stays `idle in transaction (aborted)`.
# Sessions are added up before anything is joined: the planner takes the function for one row, and would loop.
# pg_blocking_pids locks the lock table, so it is asked for at most 100 waiting sessions.
SQL = """
    with activity as materialized (
        select pid, datid, usesysid, application_name, state, state_change, backend_xid, backend_xmin, backend_start,
               coalesce(xact_start, case when state like 'idle in transaction%' then state_change end) as began,
               coalesce(state like 'idle in transaction%', false) as idle,
               wait_event_type is not distinct from 'Lock' as waits,
               application_name = 'pgarchitect'
               and usesysid = (select oid from pg_catalog.pg_roles where rolname = current_user) is true as own
          from pg_catalog.pg_stat_get_activity(null)
         where backend_type = 'client backend'
    ),
    groups as materialized (
        select datid, usesysid, application_name, state,
               count(*) as sessions,
               count(*) filter (where own) as own_sessions,
               count(*) filter (where waits) as waiting_sessions,
               count(*) filter (where backend_start > clock_timestamp() - interval '5 s') as begun_5,
               count(*) filter (where backend_start > clock_timestamp() - interval '10 s') as begun_10,
               min(began) filter (where not own) as began,
               min(state_change) filter (where idle) as rested
          from activity
         group by datid, usesysid, application_name, state
    ),
    limited as (
        select 'server' as kind, '' as name,
               current_setting('max_connections')::bigint
               - current_setting('superuser_reserved_connections')::bigint
               - coalesce(current_setting('reserved_connections', true)::bigint, 0) as slots_limit,
               sum(sessions) as slots_used,
               sum(own_sessions) as own_sessions, sum(begun_5) as begun_5, sum(begun_10) as begun_10,
               coalesce(extract(epoch from clock_timestamp() - min(began)), 0) as began_seconds,
               coalesce(extract(epoch from clock_timestamp() - min(rested)), 0) as rested_seconds
          from groups
         union all
        (select 'role', r.rolname::text, r.rolconnlimit,
                coalesce(sum(g.sessions), 0), coalesce(sum(g.own_sessions), 0),
                coalesce(sum(g.begun_5), 0), coalesce(sum(g.begun_10), 0), null, null
           from pg_catalog.pg_roles r
           left join groups g on g.usesysid = r.oid
          where r.rolconnlimit > 0 and r.rolcanlogin and not r.rolsuper
          group by r.rolname, r.rolconnlimit
          order by 4 desc, 2
          limit 100)
         union all
        (select 'database', d.datname::text, d.datconnlimit,
                coalesce(sum(g.sessions), 0), coalesce(sum(g.own_sessions), 0),
                coalesce(sum(g.begun_5), 0), coalesce(sum(g.begun_10), 0), null, null
           from pg_catalog.pg_database d
           left join groups g on g.datid = d.oid
          where d.datconnlimit > 0
          group by d.datname, d.datconnlimit
          order by 4 desc, 2
          limit 100)
    ),
    blocking as (
        select blocker as pid,
               count(distinct pid) as blocked,
               (array_agg(distinct application_name))[1:10] as blocked_applications
          from (select w.pid, w.application_name, unnest(pg_catalog.pg_blocking_pids(w.pid)) as blocker
                  from (select pid, application_name from activity where waits order by began limit 100) w) b
         group by blocker
    ),
    old as (
        select a.*, b.blocked, b.blocked_applications
          from (select *
                  from activity
                 where began <= clock_timestamp() - interval '0.2 s' and not own
                 order by began
                 limit 200) a
          left join blocking b using (pid)
    )
    select 'group' as kind,
           coalesce((select datname::text from pg_catalog.pg_database where oid = datid), '') as database,
           coalesce((select rolname::text from pg_catalog.pg_roles where oid = usesysid), '') as role,
           application_name as application, coalesce(state, 'starting') as state,
           sessions, own_sessions, waiting_sessions, begun_5::bigint, begun_10::bigint,
           extract(epoch from clock_timestamp() - began)::float8 as oldest_transaction_seconds,
           extract(epoch from clock_timestamp() - rested)::float8 as oldest_idle_in_transaction_seconds,
           null::bigint as slots_used, null::bigint as slots_limit, null::float8 as time_to_exhaustion_seconds,
           null::int as pid, null::float8 as transaction_seconds, null::float8 as idle_seconds,
           null::int as held_transactions, null::bigint as blocked, null::text[] as blocked_applications
      from groups
     union all
    select kind, case when kind = 'database' then name else '' end,
           case when kind = 'role' then name else '' end, '', '',
           null, own_sessions::bigint, null, begun_5::bigint, begun_10::bigint,
           began_seconds::float8, rested_seconds::float8,
           slots_used::bigint, slots_limit, null, null, null, null, null, null, null
      from limited
     union all
    select 'transaction',
           coalesce((select datname::text from pg_catalog.pg_database where oid = datid), ''),
           coalesce((select rolname::text from pg_catalog.pg_roles where oid = usesysid), ''),
           application_name, coalesce(state, 'starting'),
           null, null, null, null, null, null, null, null, null, null,
           pid, extract(epoch from clock_timestamp() - began)::float8,
           case when idle then extract(epoch from clock_timestamp() - state_change)::float8 end,
           greatest(age(backend_xmin), age(backend_xid)), coalesce(blocked, 0), coalesce(blocked_applications, '{}')
      from old
"""


async def detail(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Bound the groups, make names safe, and keep single transactions from the exporter, whose labels groups have."""
    groups = list(told_apart([row for row in seen.rows if row["kind"] == "group"]))
    limits = [row for row in seen.rows if row["kind"] in LIMITS]
    limits = [*memory.of(Watched).take(seen.taken_at.timestamp(), session.facts.started_at, groups, limits)]
    old = [
        {
            **row,
            "application": safe(row["application"]),
            "blocked_applications": list(map(safe, row["blocked_applications"])),
        }
        for row in of_kind(seen, "transaction")
        if isinstance(row["blocked_applications"], list)
    ]
    details = budgeted(seen, *memory.of(Marks).take(seen.taken_at.timestamp(), groups))
    return replace(seen, rows=[*groups, *limits, *old], exposed=[*groups, *limits], details=details)


GAUGES: Mapping[str, str] = {
    "sessions": "Client sessions by database, role, application and state.",
    "waiting_sessions": "Client sessions that wait for a lock.",
    "slots_used": "Client sessions under a limit: of a role, a database, or with neither label of the server.",
    "slots_limit": "The limit itself: CONNECTION LIMIT, or max_connections without the reserved slots.",
    "time_to_exhaustion_seconds": "Seconds until a limit is reached at the present trend; +Inf: there is none.",
    "oldest_transaction_seconds": "Age of the oldest open transaction, the monitor's own left out.",
    "oldest_idle_in_transaction_seconds": "Longest time a session has been idle inside a transaction.",
}

PROBE = Probe(
    name="pool",
    scope=Scope.SERVER,
    every=15,
    needs=("role:pg_read_all_stats",),
    sql={14: SQL},
    detail=detail,
    key=("kind", "database", "role", "application", "state", "pid"),
    labels=("database", "role", "application", "state"),
    metrics=tuple(Metric(column, Kind.GAUGE, text) for column, text in GAUGES.items()),
    options=PoolOptions(),
    section="pools",
    rules=(Saturation(), ExhaustionForecast(), PoolBudget(), IdleInTransaction(), LongTransaction()),
)
