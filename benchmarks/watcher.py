"""The monitor under measurement: `monitor run` in a process of its own, its probes at their default intervals."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from monitor.embedded import free_port
from monitor.whole import whole_catalog

START_SECONDS, STOP_SECONDS = 60.0, 5.0
FIRST = ("statements", "indexes", "auth_links")
"""Once these were asked, all were that need no further reading."""


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """A running monitor."""

    pid: int
    port: int

    async def page(self, path: str) -> str:
        """Ask it for something."""
        return await asyncio.to_thread(self._page, path)

    def _page(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    async def samples(self) -> dict[str, float]:
        """Give /metrics: each series with its value."""
        lines = (await self.page("/metrics")).splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and line[0] != "#")
        return {name: float(value) for name, _, value in pairs}


@asynccontextmanager
async def watcher(
    dsn: str, folder: Path, only: Collection[str] = (), *, compat: Collection[str] = (), program: str = "monitor"
) -> AsyncIterator[Watcher]:
    """Run it until the block ends, with all probes or `only` some; it is handed over once each has been asked."""
    port, file = free_port(), folder / "monitor.yaml"
    link = {"table": "public.users", "column": "auth_user_id", "created_at": "created_at", "every_user": True}
    config = {
        "targets": [{"name": "shop", "dsn": dsn}],
        "probes": {name: {"enabled": False} for name in whole_catalog().probes if only and name not in only},
        "auth": {"links": [{**link, "database": "shop"}]},
        "web": {"listen": f"127.0.0.1:{port}"},
        "store": "sqlite:///state.db",
        "compat": [*compat],
    }
    file.write_text(json.dumps(config))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        command = (sys.executable, "-m", program, "run", "--config", str(file))
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        running = Watcher(pid=process.pid, port=port)
        await _settled(running, process, folder / "log", only or FIRST)
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_SECONDS)


async def _settled(running: Watcher, process: asyncio.subprocess.Process, log: Path, probes: Collection[str]) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            if process.returncode is not None:
                raise SystemExit("the monitor ended:\n" + await asyncio.to_thread(log.read_text))
            try:
                asked = {name for name in await running.samples() if name.startswith("pgarchitect_probe_result")}
            except OSError:
                asked = set()
            if all(f'probe="{probe}"' in str(asked) for probe in probes):
                return
            await asyncio.sleep(0.2)
