"""Builds the demo's database on an embedded server: GoTrue's schema, the application's tables and data, its roles."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

import asyncpg

from monitor.demo.gotrue import gotrue
from monitor.embedded import EmbeddedServer

DATABASE = "videochat"
APPLICATION_ROLES = ("web_api", "worker", "reporting", "room_signaling", "deployer")
GOTRUE_ROLE = "supabase_auth_admin"
UNBOUND = "worker"
"""The one role without timeouts."""
REPORTING_LIMIT = 10
LOAD_SECONDS = 120.0

SETTINGS: Mapping[str, str] = {
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "128MB",
    "track_io_timing": "on",
    "deadlock_timeout": "100ms",
    # New tables are loaded without WAL, and survive a crash all the same.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    # One statement shall keep one core busy at most: there may be only two.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "jit": "off",
}


@dataclass(frozen=True, kw_only=True)
class Application:
    """The loaded database, and how each role of the application gets in."""

    server: EmbeddedServer
    passwords: Mapping[str, str] = field(repr=False)

    def dsn(self, role: str) -> str:
        """Give a role's libpq URL."""
        return self.server.dsn(DATABASE, role, self.passwords[role])


async def load(server: EmbeddedServer, say: Callable[[str], None]) -> Application:
    """Make database, tables, rows and roles; `say` hears each step as it begins."""
    session = await asyncpg.connect(server.dsn(), timeout=10, command_timeout=LOAD_SECONDS)
    try:
        await session.execute(f"create database {DATABASE}")
    finally:
        await session.close()
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=10, command_timeout=LOAD_SECONDS)
    try:
        return Application(server=server, passwords=await _fill(session, say))
    finally:
        await session.close()


async def _fill(session: asyncpg.Connection, say: Callable[[str], None]) -> Mapping[str, str]:
    say("schema auth as GoTrue leaves it, and 5,000 people")
    await session.execute("create extension pg_stat_statements")
    await session.execute(gotrue())
    await session.execute(_text("people.sql"))
    say("rooms, workflows, presets, invitations, and 1,000,000 rows of question_history")
    await session.execute(_text("rooms.sql"))
    await session.execute("vacuum (freeze, analyze)")
    passwords = await _roles(session)
    await session.execute(_text("rights.sql"))
    # The load is no traffic, and the roles' passwords stood in its statements.
    await session.execute("select pg_stat_statements_reset()")
    return passwords


async def _roles(session: asyncpg.Connection) -> Mapping[str, str]:
    passwords = {role: secrets.token_urlsafe(24) for role in (*APPLICATION_ROLES, GOTRUE_ROLE)}
    for role in APPLICATION_ROLES:
        await session.execute(f"create role {role} login password '{passwords[role]}'")
    await session.execute(f"alter role {GOTRUE_ROLE} password '{passwords[GOTRUE_ROLE]}'")
    await session.execute(f"alter role reporting connection limit {REPORTING_LIMIT}")
    for role in passwords.keys() - {UNBOUND}:
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            await session.execute(f"alter role {role} set {name} = '5min'")
    return passwords


def _text(name: str) -> str:
    return files("monitor.demo").joinpath(name).read_text(encoding="utf-8")
