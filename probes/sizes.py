"""Sizes of databases and tablespaces, files of sorts in progress, and when a database reaches its configured size.

Each database is asked by itself, so that one that cannot be read loses only itself; after a timeout the rest is left
for the next time. Of 200 databases, without templates. Cost: the server looks at each file, 15 ms for 2,000 tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.probe import (
    Aside,
    Kind,
    Measurement,
    Memory,
    Metric,
    Probe,
    ProbeError,
    ProbeTimeout,
    Row,
    Scope,
    Session,
    TargetDenied,
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
TEXTS = {"database": (DATABASE_SIZE,), "tablespace": (TABLESPACE_SIZE, TEMPORARY)}
SPACES = Aside(
    name="tablespaces",
    labels=("tablespace",),
    metrics=(
        Metric("tablespace_bytes", Kind.GAUGE, "Size of a tablespace on disk."),
        Metric("temporary_files", Kind.GAUGE, "Temporary files in a tablespace now."),
        Metric("temporary_bytes", Kind.GAUGE, "Size of the temporary files in a tablespace now."),
    ),
)


async def observe(session: Session, _memory: Memory, _options: object) -> Sequence[Row]:
    """Ask for one size after the other; a disk that does not answer is asked once."""
    rows: list[Row] = []
    hung = ""
    for place in [*await session.fetch(DATABASES), *await session.fetch(TABLESPACES)]:
        row = {**place, "bytes": None, "temporary_files": None, "temporary_bytes": None, "reason": hung}
        try:
            for text in TEXTS[str(place["kind"])] if not hung else ():
                row |= (await session.fetch(text, place["oid"]))[0]
        except ProbeTimeout as error:
            row["reason"] = hung = str(error)
        except (ProbeError, TargetDenied) as error:
            row["reason"] = str(error)
        rows.append(row)
    return rows


async def detail(_session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Add the sizes to what is remembered of them, and lay out what is exported."""
    databases = [row for row in seen.rows if row["kind"] == "database"]
    limits = seen.options.limits if isinstance(seen.options, SizesOptions) else ()
    told = memory.of(Limits).take(seen.taken_at.timestamp(), databases, limits)
    spaces = [
        {**row, "tablespace": row["name"], "tablespace_bytes": row["bytes"]}
        for row in seen.rows
        if row["kind"] == "tablespace"
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
    options=SizesOptions(),
    rules=(SizeForecast(),),
)
