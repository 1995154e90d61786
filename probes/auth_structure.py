"""How links to auth.users are built: keys, indexes, types, the sign-up trigger; and GoTrue's schema level.

Rows by kind: `link`, `foreign` (a key into schema auth that is not on a primary key), `trigger`, `level` (one).
Cost: catalogue only, 80 ms in all on 10,000 tables, 0.1 ms a link; and one small table of GoTrue's, where we may.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from monitor.probe import (
    Kind,
    Measurement,
    Memory,
    Metric,
    Probe,
    Row,
    Scope,
    Session,
    index_names,
    of_kind,
    sight,
    sight_structure,
)
from probes.auth_links_discovery import Place, gotrue
from probes.auth_links_known import KnownLinks
from probes.auth_links_options import AuthOptions
from probes.auth_sight import Asking, seeing, ways
from probes.auth_structure_columns import NoIndex, NoUnique, Nullable, WrongType
from probes.auth_structure_level import Level, Levels, SchemaLevelChanged
from probes.auth_structure_rules import CascadeRisk, ForeignKeyNotValid, NoForeignKey, NoOnDelete, NotPrimaryKey
from probes.auth_structure_shape import Shape, shapes
from probes.auth_structure_sql import DIGEST, FOREIGN, SHAPES
from probes.auth_structure_trigger import SignupTrigger, triggers
from probes.indexes import TAKEN


async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Read the catalogue; raises ProbeSkipped where there is no GoTrue."""
    if not isinstance(options, AuthOptions):
        raise TypeError(options)
    await gotrue(session, options)
    schema = options.schema
    links = await _links(session, options, _sampled(session, memory))
    foreign = [row for row in await session.fetch(FOREIGN, schema) if not _excluded(row, options)]
    level = memory.of(Levels).take(await _level(session, schema), time.time())
    return [
        *({"kind": "link", "shape": shape} for shape in links),
        *({"kind": "foreign", **row} for row in foreign),
        *({"kind": "trigger", "trigger": trigger} for trigger in await triggers(session, schema)),
        level,
    ]


async def _links(session: Session, options: AuthOptions, sampled: Collection[Place]) -> list[Shape]:
    said = [*(link.place for link in options.links), *sampled]
    names: list[list[str]] = [[place[part] for place in said] for part in range(3)]
    rows = await session.fetch(SHAPES, options.schema, *names)
    return shapes(rows, options, sampled, session.facts.major)


def _sampled(session: Session, memory: Memory) -> Collection[Place]:
    """Name the columns that probe auth_links took for links by their values."""
    known = memory.server.of(KnownLinks).of(session.facts.database) or ()
    return [link.column.place for link in known if link.sampled]


def _excluded(row: Row, options: AuthOptions) -> bool:
    columns = row["columns"] if isinstance(row["columns"], list) else []
    return any(options.excludes(str(row["schema"]), str(row["table"]), str(column)) for column in columns)


async def _level(session: Session, schema: str) -> Level:
    """Read the newest migration, directly or through the lent function; where nobody shows it, only the digest."""
    (row,) = await session.fetch(DIGEST, schema)
    version = await _version(session, schema) if row["counted"] else None
    return Level(version=version, digest=str(row["digest"]))


async def _version(session: Session, schema: str) -> int | None:
    group = sight.STRUCTURE
    found = await ways(session, schema, group.functions)
    able, _ = await seeing(found, schema, "schema_migrations", group.columns["schema_migrations"])
    if not able:
        return None
    asking = Asking(way=able[0], function=sight_structure.LEVEL, place=(schema,), what=schema)
    version = (await asking.ask())["max"]
    return version if isinstance(version, int) else None


async def detail(session: Session, _memory: Memory, seen: Measurement) -> Measurement:
    """Learn which names new indexes may not have, and lay out what is exported."""
    links = [shape for row in of_kind(seen.rows, "link") if isinstance(shape := row["shape"], Shape)]
    places = [
        index_names.Place(*shape.place[:2], shape.place[2:]) for shape in links if not shape.indexed or not shape.unique
    ]
    names = sorted({name for place in places for name in index_names.candidates(place)})
    taken = await session.fetch(TAKEN, names) if names else ()
    level = [{"schema_level": row["schema_level"]} for row in of_kind(seen.rows, "level")]
    return replace(seen, details={(row["schema"], row["name"]): row for row in taken}, exposed=level)


PROBE = Probe(
    name="auth_structure",
    scope=Scope.DATABASE,
    every=300,
    timeout=5.0,
    observe=observe,
    detail=detail,
    metrics=(Metric("schema_level", Kind.GAUGE, "GoTrue's newest migration, by the number of its version."),),
    options=AuthOptions(),
    section="auth",
    rules=(
        NoForeignKey(),
        ForeignKeyNotValid(),
        NoOnDelete(),
        CascadeRisk(),
        NoUnique(),
        NoIndex(),
        WrongType(),
        Nullable(),
        NotPrimaryKey(),
        SignupTrigger(),
        SchemaLevelChanged(),
    ),
)
