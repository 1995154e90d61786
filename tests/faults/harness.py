"""Runs `monitor run` as a process of its own on a private configuration and store, and reads what it publishes."""

import asyncio
import copy
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from monitor.embedded import free_port
from tests.patience import PATIENCE

APPLICATION = "pgarchitect"
Labels = frozenset[tuple[str, str]]
Samples = Mapping[tuple[str, Labels], float]

STARTING = 30.0
"""Seconds it may take to load and to make its store while others keep the cores busy; promises count from then."""
WATCHING = '"watching"'
PAGE = 500
"""Entries of one page of a list, the most that the API gives."""

HEADCOUNT = """
name: headcount
help: A probe of the exam, asked of every database.
scope: database
sql: select count(*)::int as tables from pg_catalog.pg_class
metrics:
  - {column: tables, help: Relations.}
thresholds:
  - {id: headcount.many, column: tables, warning: 1, impact: none}
ttl: 1s
"""


def configuration(dsns: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """A configuration with short intervals: every probe each second, findings at once."""
    probes = folder / "headcount.yaml"
    probes.write_text(HEADCOUNT)
    return {
        "targets": [{"name": name, "dsn": dsn} for name, dsn in dsns.items()],
        "defaults": {"interval": "1s"},
        "probes": {"files": [probes.name]},
        "rules": {
            "target.unreachable": {"hold": 0, "keep": 0},
            "probe.broken": {"hold": 0},
            "store.degraded": {"hold": 0, "keep": 0},
        },
        "web": {"listen": f"127.0.0.1:{free_port()}"},
        "store": "sqlite:///state.db",
        "log": {"level": "info"},
    }


class Running(Protocol):
    """A process, as far as it matters here."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def send_signal(self, signal: int) -> None: ...

    def kill(self) -> None: ...

    async def wait(self) -> int: ...


class Spawn(Protocol):
    """Starts `monitor` with some arguments, its streams in files of the folder."""

    async def __call__(self, folder: Path, environ: Mapping[str, str], arguments: Sequence[str]) -> Running: ...


@dataclass
class Daemon:
    """A running `monitor run`."""

    folder: Path
    config: dict[str, Any]
    environ: Mapping[str, str] = field(default_factory=dict)
    spawn: Spawn | None = None
    """Starts it in place of a process that loads everything first."""
    process: Running | None = None
    _said: int = 0

    @property
    def log(self) -> str:
        """All that it said, on both streams, since the first start."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("std*")))

    @property
    def url(self) -> str:
        return "http://" + str(self.config["web"]["listen"])

    @property
    def running(self) -> Running:
        assert self.process is not None
        return self.process

    def write(self) -> Path:
        file = self.folder / "monitor.yaml"
        file.write_text(json.dumps(self.config))
        return file

    async def start(self) -> None:
        """Start it, and do not wait for anything."""
        file, self._said = self.write(), self.log.count(WATCHING)
        if self.spawn is not None:
            self.process = await self.spawn(self.folder, self.environ, ("run", "--config", str(file)))
            return
        environ = {**os.environ, "PYTHONUNBUFFERED": "1", **self.environ}
        with (self.folder / "stdout").open("ab") as out, (self.folder / "stderr").open("ab") as err:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "monitor", "run", "--config", str(file)),
                env=environ,
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    async def stop(self, seconds: float = 5.0) -> int:
        """Ask it to end; give its exit status. It must not need longer than that."""
        if self.running.returncode is None:
            self.running.send_signal(signal.SIGTERM)
        return await self.ended(seconds)

    async def ended(self, seconds: float) -> int:
        try:
            return await asyncio.wait_for(self.running.wait(), seconds * PATIENCE)
        except TimeoutError:
            self.running.kill()
            await self.running.wait()
            raise AssertionError(f"it did not end within {seconds * PATIENCE} s\n{self.tail()}") from None

    def reload(self) -> None:
        self.write()
        self.running.send_signal(signal.SIGHUP)

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.splitlines()[-lines:])

    async def get(self, path: str) -> str:
        waiting = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=waiting) as http, http.get(self.url + path) as answer:
            return await answer.text()

    async def samples(self) -> Samples:
        """Give /metrics, read as Prometheus reads it; no series may be there twice."""
        found: dict[tuple[str, Labels], float] = {}
        for family in text_string_to_metric_families(await self.get("/metrics")):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in found, f"{key} is there twice"
                found[key] = sample.value
        return found

    async def findings(self) -> list[dict[str, Any]]:
        """Give the alerts that fire or are over, as the API has them, from all its pages."""
        listed: list[dict[str, Any]] = []
        while True:
            page = len(listed) // PAGE + 1
            document = json.loads(await self.get(f"/api/v1/findings?page={page}&per_page={PAGE}"))
            listed += document["findings"]
            if len(document["findings"]) < PAGE:
                return listed

    async def firing(self, rule: str) -> list[dict[str, Any]]:
        return [each for each in await self.findings() if each["rule"] == rule and each["status"] == "firing"]

    async def watching(self) -> None:
        """Wait until it says that it watches, or ended, or takes far too long."""
        end = time.monotonic() + STARTING
        while self.log.count(WATCHING) <= self._said and self.running.returncode is None:
            if time.monotonic() > end:
                return
            await asyncio.sleep(0.05)

    async def fires(self, rule: str, seconds: float = 8.0) -> dict[str, Any]:
        """Wait until a rule fires; give one of its findings."""
        await self.watching()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = await self.firing(rule)
            if found:
                return found[0]
            await asyncio.sleep(0.2)
        raise AssertionError(f"{rule} does not fire within {seconds} s\n{self.tail()}")

    async def probe(self, name: str, target: str = "shop", database: str | None = None) -> dict[str, Any]:
        """Give the newest run of one probe."""
        (server,) = [each for each in await self.targets() if each["target"] == target]
        (run,) = [each for each in server["probes"] if each["probe"] == name and each["database"] == database]
        return dict(run)

    async def targets(self) -> list[dict[str, Any]]:
        return list(json.loads(await self.get("/api/v1/targets"))["targets"])

    async def until(self, seconds: float, what: str, holds: Callable[[Samples], bool]) -> float:
        """Wait until the metrics show something; give the seconds that took since it watches."""
        await self.watching()
        began = time.monotonic()
        samples: Samples = {}
        while time.monotonic() - began < seconds * PATIENCE:
            try:
                samples = await self.samples()
                if holds(samples):
                    return time.monotonic() - began
            except aiohttp.ClientError:
                if self.running.returncode is not None:
                    break
            await asyncio.sleep(0.1)
        ours = "\n".join(
            f"{name}{sorted(labels)} {value:g}" for (name, labels), value in samples.items() if telling(name)
        )
        raise AssertionError(f"not within {seconds * PATIENCE} s: {what}\n{ours}\n{self.tail()}")

    async def up(self, seconds: float = 10.0, target: str = "shop") -> float:
        return await self.until(
            seconds, f"{target} is up", lambda seen: one(seen, "pgarchitect_up", target=target) == 1
        )

    async def down(self, seconds: float = 15.0, target: str = "shop") -> None:
        """Wait until a target is down and it is known why; before it was asked once it is down without a reason."""
        await self.watching()
        until = time.monotonic() + seconds
        await self.until(seconds, f"{target} is down", lambda seen: one(seen, "pgarchitect_up", target=target) == 0)
        while not [each for each in await self.targets() if each["target"] == target and each["reason"]]:
            assert time.monotonic() < until, f"{target} is down without a reason\n{self.tail()}"
            await asyncio.sleep(0.1)

    async def measured(self, seconds: float = 10.0, target: str = "shop", but: tuple[str, ...] = ()) -> float:
        """Wait until every probe of a target has been answered, the ones named excepted."""

        def holds(seen: Samples) -> bool:
            runs = series(seen, "pgarchitect_probe_success", target=target)
            asked = {dict(labels)["probe"]: value for labels, value in runs.items()}
            return {"server", "pool", "headcount"} <= asked.keys() and all(
                value == 1 for name, value in asked.items() if name not in but
            )

        return await self.until(seconds, f"all probes of {target} answered", holds)


def telling(name: str) -> bool:
    return name in {"pgarchitect_up", "pgarchitect_probe_result", "pgarchitect_findings"}


def series(samples: Samples, metric: str, **labels: str) -> dict[Labels, float]:
    """Give the series of a metric that have these labels."""
    return {
        have: value for (name, have), value in samples.items() if name == metric and have >= frozenset(labels.items())
    }


def one(samples: Samples, metric: str, **labels: str) -> float | None:
    """Give the value of the one series with these labels, None when there is none."""
    values = list(series(samples, metric, **labels).values())
    return values[0] if values else None


@asynccontextmanager
async def daemon(
    folder: Path,
    dsns: Mapping[str, str],
    changed: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    traces: bool = False,
) -> AsyncIterator[Daemon]:
    """Run the daemon on these targets; at the end it must stop in time, and must have told no secret."""
    config = configuration(dsns, folder)
    for key, value in copy.deepcopy(dict(changed or {})).items():
        config[key] = config[key] | value if isinstance(config.get(key), dict) else value
    made = Daemon(folder, config, environ or {})
    await made.start()
    try:
        yield made
        if made.running.returncode is None:
            assert await made.stop() == 0, made.tail()
    finally:
        if made.running.returncode is None:
            made.running.kill()
            await made.running.wait()
    assert traces or "Traceback" not in made.log, made.tail(80)
    for secret in secrets_of(dsns):
        assert secret not in made.log


def secrets_of(dsns: Mapping[str, str]) -> list[str]:
    return [dsn.partition("://")[2].partition("@")[0].partition(":")[2] for dsn in dsns.values() if "@" in dsn]


class Headcount:
    """Counts our sessions on a server again and again; `most` is the most there were."""

    def __init__(self, session: asyncpg.Connection) -> None:
        self.most = 0
        self.now = 0
        self._session = session

    async def count(self) -> None:
        while True:
            self.now = await self._session.fetchval(
                "select count(*) from pg_catalog.pg_stat_activity where application_name = $1", APPLICATION
            )
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.03)


@asynccontextmanager
async def headcount(dsn: str) -> AsyncIterator[Headcount]:
    """Count while the block runs; the server must be able to answer all the time."""
    session = await asyncpg.connect(dsn, timeout=10)
    counter = Headcount(session)
    task = asyncio.create_task(counter.count())
    try:
        yield counter
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        session.terminate()
