"""A real database for one test: cloned from a template, used, dropped; and the cluster it lives in."""

import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg

from monitor.cli.grants import Auth, Linked, Wanted, grants_sql
from monitor.embedded import EmbeddedServer
from monitor.model import Finding
from monitor.probe import Probe
from monitor.rule import Rule
from tests.looking import Eye, eye, judge

TEMPLATE = "template_tests"
SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "max_prepared_transactions": "10",
    "wal_level": "logical",
    "track_io_timing": "on",
    "jit": "off",
}


class HasSql(Protocol):
    """What `apply` needs of a remedy."""

    @property
    def sql(self) -> Sequence[str]: ...


def rights_of_the_monitor(role: str, auth: Auth, links: Sequence[Linked]) -> Iterable[str]:
    """The SQL that makes a fresh role the monitor's: what `monitor grants` prints."""
    return grants_sql(Wanted(role=role, auth=auth, links=links))


class Database:
    """One database as one role sees it; sessions are opened when needed and closed by `close`."""

    def __init__(self, server: EmbeddedServer, name: str, user: str | None = None, password: str | None = None) -> None:
        self.server = server
        self.name = name
        self.user = user
        self._password = password
        self._own: asyncpg.Connection | None = None
        self._sessions: list[asyncpg.Connection] = []
        self._handles: list[Database] = []

    @property
    def dsn(self) -> str:
        return self.server.dsn(self.name, self.user, self._password)

    async def connect(self, **settings: str) -> asyncpg.Connection:
        """Open one more session; it is closed with the database."""
        session = await asyncpg.connect(self.dsn, timeout=10, server_settings=settings or None)
        self._sessions.append(session)
        return session

    async def execute(self, sql: str, *arguments: object) -> str:
        """Run one statement, or without arguments a script of them; each call commits by itself."""
        return str(await (await self._session()).execute(sql, *arguments))

    async def fetch(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        return [dict(row) for row in await (await self._session()).fetch(sql, *arguments)]

    async def value(self, sql: str, *arguments: object) -> Any:
        return await (await self._session()).fetchval(sql, *arguments)

    async def apply(self, remedy: HasSql) -> None:
        """Do what a finding advises, as it says: one statement after the other, each in autocommit."""
        for statement in remedy.sql:
            await self.execute(statement)

    async def as_monitor(self, auth: Auth = "none", links: Sequence[Linked] = ()) -> "Database":
        """See the same database as the monitor's own low-privilege role would."""
        role, password = f"monitor_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
        await self.execute(f"create role {role} login password '{password}'")
        for statement in rights_of_the_monitor(role, auth, links):
            await self.execute(statement)
        handle = Database(self.server, self.name, role, password)
        self._handles.append(handle)
        return handle

    def eye(
        self, probe: Probe, *, options: object = None, snapshot: bool = False, lifetime: bool = False
    ) -> AbstractAsyncContextManager[Eye]:
        """Look with a probe more than once: `async with database.eye(PROBE) as eye: seen = await eye.look()`."""
        return eye(self.dsn, self.name, probe, options=options, snapshot=snapshot, lifetime=lifetime)

    async def judge(self, probe: Probe, *rules: Rule, options: object = None) -> list[Finding]:
        """Look once with a probe, as this role, and give what the rules (default: the probe's own) find."""
        return await judge(self.dsn, self.name, probe, rules, options=options)

    async def close(self) -> tuple[str, ...]:
        """Close all sessions; return the roles made on the way, to be dropped after the database."""
        for handle in self._handles:
            await handle.close()
        for session in self._sessions:
            session.terminate()
        self._sessions.clear()
        self._own = None
        return tuple(handle.user for handle in self._handles if handle.user)

    async def _session(self) -> asyncpg.Connection:
        if self._own is None or self._own.is_closed():
            self._own = await self.connect(application_name="tests")
        return self._own


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running server of one major version, with the template that tests clone."""

    major: int
    server: EmbeddedServer

    async def prepare(self) -> None:
        """Make the template database."""
        await self.run("postgres", f"create database {TEMPLATE}")
        await self.run(TEMPLATE, "create extension pg_stat_statements")
        await self.run("postgres", f"alter database {TEMPLATE} with is_template true allow_connections false")

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Database]:
        """A new database, dropped afterwards with its sessions, its roles and its statistics."""
        name = f"test_{secrets.token_hex(6)}"
        await self.run("postgres", f"create database {name} template {TEMPLATE}")
        database = Database(self.server, name)
        try:
            yield database
        finally:
            roles = await database.close()
            await self._release(name)
            await self.run("postgres", f"drop database if exists {name} with (force)")
            await self.run("postgres", *(f"drop role if exists {role}" for role in roles))

    async def _release(self, name: str) -> None:
        """Drop what would keep the database, or the next test, from a clean start: prepared transactions and slots."""
        session = await asyncpg.connect(self.server.dsn(name), timeout=10)
        try:
            for row in await session.fetch("select gid from pg_prepared_xacts where database = $1", name):
                await session.execute(f"rollback prepared '{row['gid']}'")
            await session.execute(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active"
            )
        finally:
            await session.close()

    async def run(self, database: str, *statements: str) -> None:
        session = await asyncpg.connect(self.server.dsn(database), timeout=10)
        try:
            for statement in statements:
                await session.execute(statement)
        finally:
            await session.close()
