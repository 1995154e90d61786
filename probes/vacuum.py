"""Vacuum: how old each database's oldest unfrozen ids are, how fast ids are used, what vacuums now, what is prepared.

Databases of any kind, templates and those nobody may connect to included: each of them can stop the server.
Cost: pg_database, the sessions and the prepared transactions: half a millisecond for a hundred databases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.probe import Aside, Kind, Measurement, Memory, Metric, Probe, Row, Scope, Session, gauges, number, of_kind
from probes.vacuum_burn import Burn
from probes.vacuum_prepared import PreparedTransaction
from probes.vacuum_rules import Wraparound
from probes.vacuum_tables import Oldest

SQL = """
    with workers as (
        select count(*) filter (where backend_type = 'autovacuum worker') as running,
               pg_catalog.pg_has_role('pg_read_all_stats', 'usage') as told
          from pg_catalog.pg_stat_get_activity(null)
    )
    select 'server' as kind, '' as database,
           null::bigint as xid_age, null::bigint as mxid_age, null::boolean as connectable,
           pg_catalog.current_setting('autovacuum_freeze_max_age')::bigint as freeze_max_age,
           pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::bigint as multixact_freeze_max_age,
           pg_catalog.current_setting('autovacuum')::boolean
           and pg_catalog.current_setting('track_counts')::boolean as autovacuum,
           case when w.told then w.running end as autovacuum_workers,
           pg_catalog.current_setting('autovacuum_max_workers')::bigint as autovacuum_workers_limit,
           pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint as xids,
           (select (datminmxid::text::bigint + pg_catalog.mxid_age(datminmxid)) & 4294967295
              from pg_catalog.pg_database order by oid limit 1) as next_mxid,
           pg_catalog.pg_is_in_recovery() as in_recovery,
           null::text as gid, null::text as role, null::float8 as prepared_seconds, null::bigint as held_transactions,
           null::bigint as relid, null::text as phase, null::bigint as blocks, null::bigint as blocks_done,
           null::float8 as xids_per_second, null::float8 as mxids_per_second
      from workers w
     union all
    (select 'database', datname::text,
            pg_catalog.age(datfrozenxid), pg_catalog.mxid_age(datminmxid), datallowconn,
            null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
            null, null
       from pg_catalog.pg_database
      where datconnlimit <> -2
      order by oid
      limit 10000)
     union all
    (select 'prepared', d.datname::text, null, null, null, null, null, null, null, null, null, null, null,
            p.gid, pg_catalog.pg_get_userbyid(p.ownerid)::text,
            extract(epoch from clock_timestamp() - p.prepared)::float8, pg_catalog.age(p.transaction),
            null, null, null, null, null, null
       from pg_catalog.pg_prepared_xact() p
       left join pg_catalog.pg_database d on d.oid = p.dbid
      order by p.prepared, p.gid
      limit 100)
     union all
    (select 'vacuum', datname::text, null, null, null, null, null, null, null, null, null, null, null,
            null, null, null, null,
            relid::bigint, phase,
            heap_blks_total, case when phase = 'scanning heap' then heap_blks_scanned else heap_blks_vacuumed end,
            null, null
       from pg_catalog.pg_stat_progress_vacuum
      where phase is not null
      order by pid
      limit 100)
"""

PHASES = (
    "initializing", "scanning heap", "vacuuming indexes", "vacuuming heap", "cleaning up indexes", "truncating heap",
    "performing final cleanup",
)  # fmt: skip

RUNNING = Aside(
    name="phases",
    labels=("phase",),
    metrics=(Metric("running", Kind.GAUGE, "Vacuums that run now, automatic or not, by the phase they are in."),),
)
PREPARED = Aside(
    name="prepared",
    labels=("database",),
    metrics=(
        Metric("prepared_transactions", Kind.GAUGE, "Transactions prepared for a two-phase commit, and not ended."),
        Metric("oldest_prepared_seconds", Kind.GAUGE, "Age of the oldest prepared transaction; 0: there is none."),
    ),
)


async def detail(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Add the pace at which ids are used, and each database's oldest tables, read by `vacuum_tables`."""
    (whole,) = of_kind(seen.rows, "server")
    burn = memory.of(Burn)
    facts = session.facts
    burn.take(seen.taken_at.timestamp(), facts.system_identifier, number(whole, "xids"), number(whole, "next_mxid"))
    paced = {
        **whole,
        "xids_per_second": burn.xids.per_second,
        "mxids_per_second": burn.mxids.per_second,
        "paced_seconds": burn.xids.seconds,
    }
    databases = list(of_kind(seen.rows, "database"))
    tables = memory.server.of(Oldest).of({str(row["database"]) for row in databases})
    return replace(
        seen,
        rows=[paced, *(row for row in seen.rows if row is not whole)],
        exposed=[paced, *databases],
        asides=asides(seen, databases),
        details={
            ("table", database, place): row for database, rows in tables.items() for place, row in enumerate(rows)
        },
    )


def asides(seen: Measurement, databases: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    """Count vacuums by phase, and prepared transactions by database; each database that can have one is there."""
    phases = [str(row["phase"]) for row in of_kind(seen.rows, "vacuum")]
    ages: dict[str, list[float]] = {str(row["database"]): [] for row in databases if row["connectable"]}
    for row in of_kind(seen.rows, "prepared"):
        ages.setdefault(str(row["database"]), []).append(number(row, "prepared_seconds"))
    return {
        RUNNING.name: [{"phase": phase, "running": phases.count(phase)} for phase in PHASES],
        PREPARED.name: [
            {"database": name, "prepared_transactions": len(each), "oldest_prepared_seconds": max(each, default=0.0)}
            for name, each in ages.items()
        ],
    }


GAUGES: Mapping[str, str] = {
    "xid_age": "Transaction ids used since the oldest one that is not frozen in the database.",
    "mxid_age": "Multixact ids used since the oldest one that is still needed in the database.",
    "freeze_max_age": "The setting autovacuum_freeze_max_age.",
    "multixact_freeze_max_age": "The setting autovacuum_multixact_freeze_max_age.",
    "autovacuum_workers": "Workers of autovacuum that run now.",
    "autovacuum_workers_limit": "The setting autovacuum_max_workers.",
    "xids_per_second": "Transaction ids used a second, by a robust slope over a day at most.",
    "mxids_per_second": "Multixact ids used a second, by a robust slope over a day at most.",
}

PROBE = Probe(
    name="vacuum",
    scope=Scope.SERVER,
    every=60,
    sql={14: SQL},
    detail=detail,
    key=("kind", "database", "gid", "relid"),
    labels=("database",),
    metrics=gauges(GAUGES),
    asides=(RUNNING, PREPARED),
    rules=(Wraparound(), PreparedTransaction()),
)
