"""Lets the monitor into the demo's database: its role has what `monitor grants` prints, and may read one table.

Without that the plans of the slow statements could not be explained.
"""

from __future__ import annotations

import secrets

import asyncpg

from monitor.cli.grants import Wanted, grants_sql
from monitor.demo.schema import DATABASE
from monitor.embedded import EmbeddedServer

ROLE = "monitor"
EXPLAINED = "public.question_history"
LINK = ("public", "users", "auth_user_id", "created_at")


async def admit(server: EmbeddedServer) -> str:
    """Make the role, and run the grants one by one as an administrator would; gives the role's DSN."""
    password = secrets.token_urlsafe(24)
    session = await asyncpg.connect(server.dsn(DATABASE), timeout=10, command_timeout=30)
    try:
        await session.execute(f"create role {ROLE} login password '{password}'")
        for statement in grants_sql(Wanted(role=ROLE, links=(LINK,), database=DATABASE)):
            await session.execute(statement)
        await session.execute(f"grant select on {EXPLAINED} to {ROLE}")
        # The role's password stood in a statement.
        await session.execute("select pg_stat_statements_reset()")
    finally:
        await session.close()
    return server.dsn(DATABASE, ROLE, password)
