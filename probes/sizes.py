"""Sizes of databases and tablespaces, files of sorts in progress, and when a database reaches its configured size.

Each database is asked by itself, so that one that cannot be read loses only itself; after 10 s, or a timeout, the rest
is left for the next time. Of 200 databases, without templates. Cost: each file is looked at, 15 ms for 2,000 tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.probe import (
    Aside,
    Kind,
    Measurement,
    Memory,
    Metric,
    Needs,
    Probe,
    ProbeError,
    ProbeTimeout,
    Row,
    Scope,
    Session,
    TargetDenied,
    Trend,
    number,
    of_kind,
)
from probes.sizes_forecast import Limits, SizeForecast, SizesOptions

DATABASES = """
    select 'database' as kind, datname::text as name, oid
      from pg_catalog.pg_database
     where not datistemplate
     order by oid
     limit 200
"""
TABLESPACES = """
    select 'tablespace' as kind, spcname::text as name, oid
      from pg_catalog.pg_tablespace
     order by oid
     limit 50
"""
DATABASE_SIZE = "select pg_catalog.pg_database_size($1::oid) as bytes"
TABLESPACE_SIZE = """
    select pg_catalog.pg_tablespace_size($1::oid) as bytes
"""
TEMPORARY = """
    select count(*) as temporary_files,
           coalesce(sum(size), 0)::bigint as temporary_bytes
      from pg_catalog.pg_ls_tmpdir($1::oid)
"""
CLOCK = "select extract(epoch from clock_timestamp())::float8 as at"
TEXTS = {"database": (DATABASE_SIZE,), "tablespace": (TABLESPACE_SIZE, TEMPORARY)}
BUDGET = 10.0
LATE = f"the sizes before it took more than {BUDGET:.0f} s; it is asked next time"
GONE = "the server finds no files of it"
"""Somebody dropped it just now, or a tablespace's directory is not there any more."""
SPACES = Aside(
    name="tablespaces",
    labels=("tablespace",),
    metrics=(
        Metric("tablespace_bytes", Kind.GAUGE, "Size of a tablespace on disk."),
        Metric("temporary_files", Kind.GAUGE, "Temporary files in a tablespace now."),
        Metric("temporary_bytes", Kind.GAUGE, "Size of the temporary files in a tablespace now."),
    ),
)


class Asked:
    """What each place answered last, the one asked longest ago first."""

    def __init__(self) -> None:
        self.rows: dict[object, Row] = {}


async def observe(session: Session, memory: Memory, _options: object) -> Sequence[Row]:
    """Ask for one size after the other, for some seconds; who has to wait is asked first the next time."""
    asked, began = memory.of(Asked), await session.fetch(CLOCK)
    places = {each["oid"]: each for each in [*await session.fetch(DATABASES), *await session.fetch(TABLESPACES)]}
    order = [*(oid for oid in places if oid not in asked.rows), *(oid for oid in asked.rows if oid in places)]
    late, fresh = "", {}
    for oid in order:
        if late:
            break
        fresh[oid] = row = await one(session, places[oid])
        spent = number((await session.fetch(CLOCK))[0], "at") - number(began[0], "at")
        late = str(row["reason"]) if row["needs"] is Needs.TIME else LATE if spent > BUDGET else ""
    waiting = {oid: asked.rows.get(oid) or unknown(places[oid], late, Needs.TIME) for oid in order if oid not in fresh}
    asked.rows = {**waiting, **fresh}
    return [asked.rows[oid] for oid in places]


async def one(session: Session, place: Row) -> Row:
    """Ask for one place; of one that cannot be read, say why."""
    row = unknown(place, "", None)
    try:
        for text in TEXTS[str(place["kind"])]:
            row = {**row, **(await session.fetch(text, place["oid"]))[0]}
    except ProbeTimeout as error:
        return unknown(place, str(error), Needs.TIME)
    except (ProbeError, TargetDenied) as error:
        return {**row, "reason": str(error), "needs": Needs.RIGHTS}
    return row if row["bytes"] is not None else {**row, "reason": GONE}


def unknown(place: Row, reason: str, needs: Needs | None) -> Row:
    """Give the row of a place of which nothing is known yet."""
    return {**place, "bytes": None, "temporary_files": None, "temporary_bytes": None, "reason": reason, "needs": needs}


async def detail(_session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Add the sizes to what is remembered of them, and lay out what is exported."""
    databases = list(of_kind(seen.rows, "database"))
    limits = seen.options.limits if isinstance(seen.options, SizesOptions) else ()
    told = memory.of(Limits).take(seen.taken_at.timestamp(), databases, limits)
    spaces = [
        {**row, "tablespace": row["name"], "tablespace_bytes": row["bytes"]} for row in of_kind(seen.rows, "tablespace")
    ]
    details: Mapping[object, Row] = {row["database"]: row for row in told}
    shown = [{"database": row["name"], "database_bytes": row["bytes"]} for row in databases]
    return replace(seen, details=details, exposed=shown, asides={SPACES.name: spaces})


PROBE = Probe(
    name="sizes",
    scope=Scope.SERVER,
    every=300,
    observe=observe,
    detail=detail,
    key=("kind", "name"),
    labels=("database",),
    metrics=(Metric("database_bytes", Kind.GAUGE, "Size of a database on disk."),),
    asides=(SPACES,),
    trends=(Trend(name="databases", key=("database",), gauges=("database_bytes",), every=300, most=200),),
    options=SizesOptions(),
    rules=(SizeForecast(),),
)
