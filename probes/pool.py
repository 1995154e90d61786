"""The connection slots: who holds them, how near each limit is, and which transactions stay open too long.

Only client backends take slots of max_connections (walsenders, background workers and autovacuum have their own).
Cost: 3 times a bare count of pg_stat_activity, 3.2 ms of server CPU for 500 sessions; no text, no address is read.
Limits: the 50 largest groups of sessions, the 100 fullest limits and the 100 oldest transactions are told apart.
"""

from collections.abc import Mapping
from dataclasses import replace

from monitor.probe import Measurement, Memory, Probe, Scope, Session, Trend, gauges, of_kind
from probes.pool_behind import Poolers
from probes.pool_blocking import Tree, behind, blocking, roots
from probes.pool_blocking_rule import Blocking
from probes.pool_budget import Marks, PoolBudget, PoolOptions, budgeted
from probes.pool_forecast import ExhaustionForecast
from probes.pool_groups import LIMITS, safe, told_apart
from probes.pool_horizon import CLIENTS, HORIZON, WAITS, asides, holders
from probes.pool_listing import of_server
from probes.pool_saturation import Saturation
from probes.pool_series import Watched
from probes.pool_transactions import IdleInTransaction, LongTransaction

# `own` are the monitor's sessions (its replicas' too): they count, but nobody is accused of them.
# An aborted transaction has no xact_start any more. Its state stays `idle in transaction (aborted)`.
# Sessions are added up before anything is joined: the planner takes the function for one row, and would loop.
# Those that rest are the many, and are gone through once.
# Who waits for a lock for longer than a second is counted; what it waits for is asked only then (pool_blocking).
SQL = """
    with activity as materialized (
        select pid, datid, usesysid, application_name, state, state_change, backend_xid, backend_xmin, backend_start,
               backend_type = 'client backend' as client, backend_type = 'walsender' as standby,
               wait_event_type, client_port,
               coalesce(xact_start, case when state = 'idle in transaction (aborted)' then state_change end) as began,
               state in ('idle in transaction', 'idle in transaction (aborted)') is true as idle,
               wait_event_type is not distinct from 'Lock' as waits,
               wait_event_type is not distinct from 'Lock'
               and (query_start <= statement_timestamp() - interval '1 s') is not false as waits_long,
               application_name = 'pgarchitect'
               and usesysid = (select oid from pg_catalog.pg_roles where rolname = current_user) is true as own
          from pg_catalog.pg_stat_get_activity(null)
         where backend_type = 'client backend' or wait_event_type = 'Lock'
            or backend_type = 'walsender' and backend_xmin is not null
    ),
    busy as materialized (
        select *
          from activity
         where began is not null or coalesce(backend_xmin, backend_xid) is not null or state = 'active' or waits_long
    ),
    groups as materialized (
        select datid, usesysid, application_name, state,
               count(*) as sessions,
               count(*) filter (where own) as own_sessions,
               count(*) filter (where waits) as waiting_sessions,
               count(*) filter (where client_port = -1) as local_sessions,
               count(*) filter (where backend_start > statement_timestamp() - interval '5 s') as begun_5,
               count(*) filter (where backend_start > statement_timestamp() - interval '10 s') as begun_10,
               min(began) filter (where not own) as began,
               min(state_change) filter (where idle) as rested
          from activity
         where client
         group by datid, usesysid, application_name, state
    ),
    limited as (
        select 'server' as kind, '' as name,
               current_setting('max_connections')::bigint
               - current_setting('superuser_reserved_connections')::bigint
               - coalesce(current_setting('reserved_connections', true)::bigint, 0)
               - coalesce(nullif(current_setting('rds.rds_superuser_reserved_connections', true), '')::bigint, 0)
                   as slots_limit,
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
    timeouts as materialized (
        select setrole, setdatabase, pg_catalog.split_part(setting, '=', 2) as timeout_before
          from pg_catalog.pg_db_role_setting, unnest(setconfig) as setting
         where setting like 'idle_in_transaction_session_timeout=%'
    ),
    old as (
        select a.*, t.timeout_before
          from (select *
                  from busy
                 where client and began <= statement_timestamp() - interval '0.2 s' and not own
                 order by began
                 limit 100) a
          left join timeouts t on t.setrole = a.usesysid and t.setdatabase = a.datid
    ),
    horizon as (
        (select 'session' as holder, datid, usesysid, application_name::text as name,
                greatest(age(backend_xmin), age(backend_xid)) as behind
           from busy
          where client and not own and coalesce(backend_xmin, backend_xid) is not null
          order by 5 desc
          limit 1)
         union all
        (select 'standby', null, usesysid, application_name, age(backend_xmin)
           from busy where standby order by 5 desc limit 1)
         union all
        (select 'prepared', dbid, ownerid, gid, age(transaction)
           from pg_catalog.pg_prepared_xact() order by 5 desc limit 1)
         union all
        (select case catalogue when 0 then 'slot' else 'slot_catalog' end, datoid, null, slot_name::text, behind
           from (select distinct on (catalogue) catalogue, datoid, slot_name, behind
                   from pg_catalog.pg_get_replication_slots(),
                        lateral (values (0, age(xmin)), (1, age(catalog_xmin))) as held (catalogue, behind)
                  where behind is not null
                  order by catalogue, behind desc) oldest)
    )
    select 'group' as kind,
           coalesce(datname::text, '') as database,
           coalesce(pg_catalog.pg_get_userbyid(usesysid)::text, '') as role,
           application_name as application, coalesce(state, 'starting') as state,
           sessions, own_sessions, waiting_sessions, begun_5::bigint, begun_10::bigint,
           extract(epoch from clock_timestamp() - began)::float8 as oldest_transaction_seconds,
           extract(epoch from clock_timestamp() - rested)::float8 as oldest_idle_in_transaction_seconds,
           null::bigint as slots_used, null::bigint as slots_limit, null::float8 as time_to_exhaustion_seconds,
           null::int as pid, null::float8 as transaction_seconds, null::float8 as idle_seconds,
           null::int as held_transactions, null::text as timeout_before, null::bigint as long_waits
      from groups left join pg_catalog.pg_database d on d.oid = datid
     union all
    select kind, case when kind = 'database' then name else '' end,
           case when kind = 'role' then name else '' end, '', '',
           null, own_sessions::bigint, null, begun_5::bigint, begun_10::bigint,
           began_seconds::float8, rested_seconds::float8,
           slots_used::bigint, slots_limit, null, null, null, null, null, null,
           case when kind = 'server' then (select count(*) from busy where waits_long and not own) end
      from limited
     union all
    select 'transaction',
           coalesce(datname::text, ''),
           coalesce(pg_catalog.pg_get_userbyid(usesysid)::text, ''),
           application_name, coalesce(state, 'starting'),
           null, null, null, null, null, null, null, null, null, null,
           pid, extract(epoch from clock_timestamp() - began)::float8,
           case when idle then extract(epoch from clock_timestamp() - state_change)::float8 end,
           greatest(age(backend_xmin), age(backend_xid)),
           timeout_before,
           null
      from old left join pg_catalog.pg_database d on d.oid = datid
     union all
    select 'horizon',
           coalesce(datname::text, ''),
           coalesce(pg_catalog.pg_get_userbyid(usesysid)::text, ''),
           name, holder,
           null, null, null, null, null, null, null, null, null, null, null, null, null, behind, null, null
      from horizon left join pg_catalog.pg_database d on d.oid = datid
     union all
    select 'waits', '', '', '', coalesce(wait_event_type, 'none'),
           count(*), null, null, null, null, null, null, null, null, null, null, null, null, null, null, null
      from busy
     where client and state = 'active' and not own
     group by wait_event_type
     union all
    select 'client', '', '', '', 'local', coalesce(sum(local_sessions), 0)::bigint,
           null, null, null, null, null, null, null, null, null, null, null, null, null, null, null
      from groups
     union all
    select 'client', '', '', '', 'tcp', coalesce(sum(sessions - local_sessions), 0)::bigint,
           null, null, null, null, null, null, null, null, null, null, null, null, null, null, null
      from groups
"""


async def detail(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Bound the groups, make names safe, and keep single transactions from the exporter, whose labels groups have."""
    all_groups = list(of_kind(seen.rows, "group"))
    groups = list(told_apart(all_groups))
    limits = [row for row in seen.rows if row["kind"] in LIMITS]
    limits = [*memory.of(Watched).take(seen.taken_at.timestamp(), session.facts.started_at, groups, limits)]
    tree, unknown = await blocking(session) if any(row["long_waits"] for row in limits) else (Tree(), None)
    old = [
        {**row, "application": safe(row["application"]), **behind(tree, row["pid"])}
        for row in of_kind(seen.rows, "transaction")
    ]
    watched, marks = memory.of(Marks).take(seen.taken_at.timestamp(), all_groups)
    details = budgeted(seen, watched, marks, memory.joint.of(Poolers).pools())
    return replace(
        seen,
        rows=[*groups, *limits, *old, *holders(seen), *roots(tree)],
        exposed=[*groups, *limits],
        listed=lambda: of_server(groups, limits),
        asides=asides(seen),
        details=details if unknown is None else {**details, "blocking": unknown},
    )


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
    metrics=gauges(GAUGES),
    asides=(HORIZON, WAITS, CLIENTS),
    trends=(
        Trend(
            name="slots",
            key=("kind", "role", "database"),
            gauges=(
                "slots_used",
                "slots_limit",
                "oldest_transaction_seconds",
                "oldest_idle_in_transaction_seconds",
                "time_to_exhaustion_seconds",
            ),
        ),
        Trend(name="states", key=("state",), gauges=("sessions", "waiting_sessions"), most=10),
    ),
    options=PoolOptions(),
    section="pools",
    rules=(Saturation(), ExhaustionForecast(), PoolBudget(), IdleInTransaction(), LongTransaction(), Blocking()),
)
