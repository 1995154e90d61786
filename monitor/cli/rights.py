"""`monitor grants`: which databases the SQL is for, what is there, and the statements as a script to read and run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

from monitor.cli.grants import Auth, Linked, Wanted, grants_sql
from monitor.cli.snapshot import named
from monitor.collect.server import PostgresServer
from monitor.config.load import Config, load_config
from monitor.errors import TargetError
from monitor.kinds import PGBOUNCER, POSTGRES
from monitor.model import Server
from monitor.probe import Session
from monitor.sql.text import identifier
from monitor.whole import whole_catalog

USERS = """
    select pg_catalog.count(*) > 0 as there
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1::text
       and c.relname = 'users'
       and c.relkind in ('r', 'p')
"""

KEYS = """
    select cn.nspname::text as schema,
           cc.relname::text as table,
           a.attname::text as column,
           (select m.attname::text
              from pg_catalog.pg_attribute m
             where m.attrelid = cc.oid
               and m.attname = 'created_at'
               and not m.attisdropped) as created
      from pg_catalog.pg_constraint k
      join pg_catalog.pg_class cc on cc.oid = k.conrelid and not cc.relispartition
      join pg_catalog.pg_namespace cn on cn.oid = cc.relnamespace
      join pg_catalog.pg_class pc on pc.oid = k.confrelid and pc.relname = 'users'
      join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace and pn.nspname = $1::text
      join pg_catalog.pg_attribute id on id.attrelid = pc.oid and id.attname = 'id'
      join pg_catalog.pg_attribute a
        on a.attrelid = cc.oid and a.attnum = k.conkey[pg_catalog.array_position(k.confkey, id.attnum)]
     where k.contype = 'f'
       and cn.nspname <> $1::text
     order by 1, 2, 3
"""

KEYS_TOO = "and, for auth.sample_keys, ids of rows of declared links and foreign keys that have no counterpart"

STATISTICS = "For index advice, by functions: columns' statistics in numbers; values of booleans and enums alone."

REMARKS = {
    "functions": "Sight of auth.users by functions that give counts and hashes, never a key or an address",
    "policy": "Sight of auth.users by a policy: the role may read the columns named here, of every row.",
    "bypassrls": "Sight of auth.users by BYPASSRLS: row level security hides nothing from the role, in any database.",
    "none": "No sight of auth.users: rules about it are not evaluated.",
}


class Link(Protocol):
    """A declared link, as the probe auth_links reads it."""

    target: str | None
    database: str | None
    created_at: str | None

    @property
    def place(self) -> tuple[str, str, str]:
        """Schema, table, column."""


class AuthOptions(Protocol):
    """The options of the probe auth_links."""

    schema: str
    links: Sequence[Link]
    sample_keys: int


async def rights(*, config: Path | None, dsn: str | None, role: str, auth: Auth, undo: bool) -> str:
    """Give the script; raises UsageError, ConfigErrors, or for --dsn a TargetError."""
    catalog = whole_catalog()
    loaded = None if config is None else load_config(config, catalog)
    probe = (loaded.catalog if loaded else catalog).probes.get("auth_links")
    options = cast("AuthOptions", probe.options) if probe else None
    plain = Wanted(
        role=role,
        auth=auth,
        schema=options.schema if options else "auth",
        keys=_wants_keys(options),
        statistics="shape" in (loaded.catalog if loaded else catalog).asked,
    )
    servers = _servers(loaded, dsn)
    blocks = [block async for block in _blocks(servers, plain, options, must=dsn is not None)]
    poolers = [each for each in servers if each.kind == PGBOUNCER]
    scripts = [] if poolers and not blocks else [*_script(blocks or [("any database", plain)], undo=undo)]
    return "\n".join([*scripts, *_consoles(poolers, role, undo=undo)])


def _servers(config: Config | None, dsn: str | None) -> Sequence[Server]:
    if dsn is not None:
        return tuple(named([dsn], quiet=False))
    return config.everyone if config else ()


async def _blocks(
    servers: Sequence[Server], plain: Wanted, options: AuthOptions | None, *, must: bool
) -> AsyncIterator[tuple[str, Wanted]]:
    for server in servers:
        if server.kind != POSTGRES:
            continue
        way = PostgresServer(server)
        try:
            for database in await way.databases():
                async with way.visit(database) as session:
                    yield f"{server.name}, database {database}", await _wanted(session, server, plain, options)
        except TargetError as error:
            if must:
                raise
            yield f"{server.name} (not looked at: {error})", plain
        finally:
            await way.close()


async def _wanted(session: Session, server: Server, plain: Wanted, options: AuthOptions | None) -> Wanted:
    """Fit the wish to what is in this database."""
    database = session.facts.database
    there = (await session.fetch(USERS, plain.schema))[0]["there"]
    found = {tuple(row.values()) for row in await session.fetch(KEYS, plain.schema)}
    declared = set(_declared(options, server.name, database))
    return replace(
        plain,
        auth=plain.auth if there else "none",
        database=database,
        links=sorted(cast("set[Linked]", found | declared), key=str),
        extension_schemas=sorted(set(session.facts.extensions.values()) - {"pg_catalog", "public"}),
    )


def _wants_keys(options: AuthOptions | None) -> bool:
    return options is not None and options.sample_keys > 0


def _declared(options: AuthOptions | None, server: str, database: str) -> Iterator[Linked]:
    for link in options.links if options else ():
        if link.target in (None, server) and link.database in (None, database):
            yield (*link.place, link.created_at)


def _script(blocks: Iterable[tuple[str, Wanted]], *, undo: bool) -> Iterator[str]:
    """Give the lines: remarks as comments, statements with their semicolons, ready for psql."""
    for place, wanted in blocks:
        role = identifier(wanted.role)
        yield f"-- {'What takes the rights back' if undo else 'Rights for the monitor'}: {_plain(place)}"
        yield "-- Run it in that database, as a superuser or as the owner of what it names (on Supabase: postgres)."
        if not undo:
            yield f"-- The role itself: create role {role} login password '…' connection limit 4;"
        yield f"-- {REMARKS[wanted.auth]}"
        if wanted.statistics and not undo:
            yield f"-- {STATISTICS}"
        if wanted.keys and wanted.links and wanted.auth == "functions" and not undo:
            yield f"-- {KEYS_TOO}."
        yield from (f"{statement};" for statement in grants_sql(wanted, undo=undo))
        if undo:
            yield f"-- The role itself: drop role {role};"
        yield ""


def _consoles(poolers: Iterable[Server], role: str, *, undo: bool) -> Iterator[str]:
    """Say, of each PgBouncer, what its file needs: no SQL gives rights there."""
    for server in poolers:
        yield f"-- PgBouncer {_plain(server.name)}: no SQL; in its pgbouncer.ini, then RELOAD in its console:"
        more = "add {0} to stats_users (stats_users = {0}), and {0} with a password to its auth_file"
        listed = "take {0} out of stats_users" if undo else more
        yield f"--   {listed.format(_plain(role))}"
        yield ""


def _plain(text: str) -> str:
    """Keep a name from ending its comment."""
    return "".join(character if character.isprintable() else "?" for character in text)
