"""What the slices of a sweep cost: a session that times them, and the temporary files that they wrote."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from benchmarks.processor import seconds
from monitor.collect.way import Guarded
from monitor.measurement import Row
from monitor.probe import Facts


@dataclass
class Timed:
    """A session that notes what each slice took of the server's processor, and by the clock, in ms."""

    session: Guarded
    pid: int
    marks: Collection[str]
    """A row with one of these columns is the answer of a slice."""
    used: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    @property
    def facts(self) -> Facts:
        return self.session.facts

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        began, used = time.perf_counter(), seconds(self.pid)
        rows = await self.session.fetch(sql, *arguments)
        if rows and not rows[0].keys().isdisjoint(self.marks):
            self.used.append((seconds(self.pid) - used) * 1000)
            self.waited.append((time.perf_counter() - began) * 1000)
        return rows


def at(part: float, times: Sequence[float]) -> float:
    """Give the time that this part of them did not exceed."""
    return sorted(times)[min(int(part * len(times)), len(times) - 1)]


async def temp_files(session: Guarded) -> int:
    """Give how many temporary files were ever written in the database; sessions tell it once a second."""
    await asyncio.sleep(1.5)
    (row,) = await session.fetch("select temp_files from pg_stat_database where datname = current_database()")
    return int(str(row["temp_files"]))
