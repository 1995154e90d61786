"""Each probe by itself on the large cluster: processor time of one run, the server's and ours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.processor import seconds
from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.expose.metrics import Exposition
from monitor.model import Secret, Server, Target
from monitor.probe import Probe, Scope
from monitor.rules.evaluate import evaluate
from monitor.whole import whole_catalog

RUNS = 7


@dataclass(frozen=True)
class Single:
    """The median of some runs, in milliseconds of processor time."""

    name: str
    every: float
    server_ms: float
    own_ms: float

    def __str__(self) -> str:
        """Write the line, with what it comes to in 15 s."""
        a_cycle = 15 / self.every
        return (
            f"{self.name:<12} {self.server_ms:>9.1f} {self.own_ms:>9.1f}     every {self.every:>3.0f} s"
            f" {self.server_ms * a_cycle:>9.1f} {self.own_ms * a_cycle:>9.1f}"
        )


HEAD = f"{'one run, ms':<12} {'server':>9} {'daemon':>9} {'in 15 s:':>19} {'server':>6} {'daemon':>9}"


async def singles(dsn: str, database: str) -> Sequence[Single]:
    """Run each probe some times: read, judge and lay out for /metrics, as the daemon does."""
    server = PostgresServer(Server(name="shop", dsn=Secret(dsn), only=database), environ={})
    try:
        ours = [probe for probe in whole_catalog().probes.values() if probe.scope.kind == server.server.kind]
        return [await _single(server, probe, database) for probe in ours]
    finally:
        await server.close()


async def _single(server: PostgresServer, probe: Probe, database: str) -> Single:
    runner, exposition = Runner(), Exposition()
    target = Target("shop", database if probe.scope is Scope.DATABASE else None)
    theirs, ours = list[float](), list[float]()
    async with server.visit(database, stay=True) as session:
        pid = int(str((await session.fetch("select pg_catalog.pg_backend_pid() as pid"))[0]["pid"]))
        for _ in range(RUNS):
            before, began = seconds(pid), time.thread_time()
            seen = await runner.run(probe, target, session)
            exposition.absorb(probe, seen)
            evaluate(probe.rules, seen)
            ours.append((time.thread_time() - began) * 1000)
            theirs.append((seconds(pid) - before) * 1000)
    # The first runs fill caches and learn texts.
    return Single(probe.name, probe.every, median(theirs[2:]), median(ours[2:]))
