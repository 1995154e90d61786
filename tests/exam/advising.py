"""Asks `monitor advise` as a user does: another process, and a role with the rights that `monitor grants` prints."""

import asyncio
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from tests.exam.world import EXAM

ROLE = "exam_monitor"
SECONDS = 300
CONFIG = """
targets: [{name: exam, dsn: !env EXAM_DSN, databases: {include: [%s]}}]
rules: {index.unused: {min_age: 0s}}
planner: {source: %s}
"""


class AdviceError(Exception):
    """The command gave no report."""


async def monitors(dsn: str) -> str:
    """Make the monitor's role; give its DSN."""
    password = secrets.token_urlsafe(12)
    session = await asyncpg.connect(dsn)
    try:
        # A password has no business among the workload's statements.
        await session.execute("set pg_stat_statements.track = 'none'")
        if not await session.fetchval("select true from pg_roles where rolname = $1", ROLE):
            await session.execute(f"create role {ROLE}")
        await session.execute(f"alter role {ROLE} login password '{password}'")
        await session.execute(await monitor("grants", "--dsn", "env:EXAM_DSN", "--role", ROLE, dsn=dsn))
    finally:
        await session.close()
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{ROLE}:{quote(password, safe='')}@{parts.hostname}:{parts.port}"))


async def advice(dsn: str, *, aged: bool, planner: str = "auto") -> dict[str, Any]:
    """Give the report on the workload so far; `planner` needs `aged`. Raises AdviceError."""
    own = await monitors(dsn)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "exam.yaml"
        config.write_text(CONFIG % (EXAM.name, planner), encoding="utf-8")
        where = ("--config", str(config)) if aged else ("--dsn", "env:EXAM_DSN")
        out = await monitor("advise", *where, "--format", "json", dsn=own)
    report: dict[str, Any] = json.loads(out)
    return report


async def monitor(*words: str, dsn: str) -> str:
    """Run `monitor WORDS`; give its result."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", *words),
        env={**os.environ, "EXAM_DSN": dsn, "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in {0, 1}:
        raise AdviceError(f"monitor {words[0]} ended with {process.returncode}: {err.decode()[-2000:]}")
    return out.decode()
