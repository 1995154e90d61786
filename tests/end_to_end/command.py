"""Runs the command `monitor` as a user does: another process, its own environment, nothing shared with the test."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    status: int
    out: str
    err: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give an environment without the tester's own PG variables."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return {**plain, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **(extra or {})}


async def monitor(*words: str, env: Mapping[str, str] | None = None, seconds: float = 60, cwd: Path = ROOT) -> Outcome:
    """Run `monitor WORDS` to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", *words),
        env=environment(env),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Outcome(process.returncode or 0, out.decode(), err.decode())
