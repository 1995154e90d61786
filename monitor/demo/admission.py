"""Lets the monitor into the demo's database: its role has what `monitor grants` prints, and nothing more."""

from __future__ import annotations

import secrets

import asyncpg

from monitor.demo.schema import DATABASE
from monitor.embedded import EmbeddedServer

ROLE = "monitor"


async def admit(server: EmbeddedServer) -> str:
    """Make the role as an administrator would; gives its DSN."""
    password = secrets.token_urlsafe(24)
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=10, command_timeout=30)
    try:
        await session.execute(f"create role {ROLE} login password '{password}'")
        await session.execute(
            "grant pg_monitor to monitor; grant usage on schema auth, public to monitor; grant select on auth.users, public.users to monitor; create policy monitor_sees on auth.users for select to monitor using (true)"
        )
        await session.execute("select pg_stat_statements_reset()")
    finally:
        await session.close()
    return server.dsn(DATABASE, ROLE, password)
