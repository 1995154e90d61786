"""`monitor snapshot` against servers that fault it: exit status, verdict, `up`, and never a traceback or a secret."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import pytest

from tests.faults.conftest import Shop
from tests.faults.harness import headcount
from tests.faults.proxy import Way, proxy_to
from tests.faults.test_servers import family, stopped
from tests.patience import PATIENCE

SOAKED = partial(pytest.param, marks=pytest.mark.soak)


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


async def started(*arguments: str, environ: dict[str, str] | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", "snapshot", *arguments),
        env={**os.environ, **(environ or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=_heeds_interrupts,
    )


def _heeds_interrupts() -> None:
    """What runs in the background of a shell ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


async def ended(process: asyncio.subprocess.Process, seconds: float = 30) -> Ended:
    out, err = await asyncio.wait_for(process.communicate(), seconds * PATIENCE)
    done = Ended(process.returncode or 0, out.decode(), err.decode())
    assert "Traceback" not in done.out + done.err, done.err
    assert "c4n4ry" not in done.out + done.err
    return done


async def snapshot(dsn: str, *arguments: str, seconds: float = 30) -> Ended:
    process = await started("--dsn", "env:SHOP", "--format", "json", *arguments, environ={"SHOP": dsn})
    return await ended(process, seconds)


async def test_a_server_that_is_well(shop: Shop) -> None:
    """Exit 0, everything up, at most two sessions."""
    async with headcount(shop.database.dsn) as sessions:
        done = await snapshot(shop.monitor.dsn, "--window", "1")
    assert done.status == 0, done.err
    assert all(target["up"] for target in done.report["targets"])
    assert sessions.most <= 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda dsn: dsn.replace("c4n4ry", "c4n4ryx"), "wrong password"),
        (lambda dsn: dsn.replace("127.0.0.1", "no-such-host.invalid"), "no-such-host.invalid"),
        (lambda dsn: dsn.rpartition("/")[0] + "/no_such_database", "no such database"),
        (lambda dsn: dsn.replace("127.0.0.1:", "127.0.0.1:1"), ""),
    ],
    ids=["password", "host", "database", "port"],
)
async def test_a_server_that_will_not_have_us(shop: Shop, change: object, words: str) -> None:
    """Exit 3, up false with one clear reason, not evaluated; the report is still printed."""
    dsn = change(shop.monitor.dsn)  # type: ignore[operator]
    if words == "":
        dsn = dsn.replace(f":1{shop.server.port}", ":1")
    done = await snapshot(dsn, "--window", "1")
    assert done.status == 3, done.err
    assert [target["up"] for target in done.report["targets"] if target["database"] is None] == [False]
    assert done.report["verdict"] == "not evaluated"
    assert words in done.out


@pytest.mark.soak
async def test_a_hung_server(shop: Shop) -> None:
    """Exit 3 within its deadlines, whenever it hangs."""
    async with stopped(*family(shop.server.pid)):
        done = await snapshot(shop.monitor.dsn, "--window", "1")
    assert (done.status, done.report["verdict"]) == (3, "not evaluated")


@pytest.mark.soak
async def test_a_server_that_hangs_between_the_readings(shop: Shop) -> None:
    """Up at first, then silent: up false, exit 3."""
    process = await started(
        "--dsn", "env:SHOP", "--format", "json", "--window", "4", environ={"SHOP": shop.monitor.dsn}
    )
    await asyncio.sleep(3.5)
    async with stopped(*family(shop.server.pid)):
        done = await ended(process, 40)
    assert (done.status, done.report["verdict"]) == (3, "not evaluated")


@pytest.mark.parametrize(
    "way",
    [pytest.param(Way.SWALLOW, marks=pytest.mark.soak), Way.GARBAGE, pytest.param(Way.HANG_UP, marks=pytest.mark.soak)],
)
async def test_a_peer_that_is_no_server(shop: Shop, way: Way) -> None:
    """Black hole, garbage, hang-up: exit 3 and a reason."""
    async with proxy_to(shop.server.port) as proxy:
        proxy.way = way
        done = await snapshot(shop.through(proxy.port), "--window", "1")
    assert (done.status, done.report["verdict"]) == (3, "not evaluated")


async def test_sessions_that_are_ended_under_it(shop: Shop) -> None:
    """Every 0.3 s: it tries again, and is up at the end."""
    process = await started(
        "--dsn", "env:SHOP", "--format", "json", "--window", "2", environ={"SHOP": shop.monitor.dsn}
    )
    while process.returncode is None:
        await shop.database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", shop.role
        )
        await asyncio.sleep(0.3)
        if process.stdout is not None and process.stdout.at_eof():
            break
        try:
            await asyncio.wait_for(asyncio.shield(process.wait()), 0.01)
        except TimeoutError:
            continue
    done = await ended(process)
    assert done.status == 0, done.out


async def test_the_catalogue_is_locked(shop: Shop) -> None:
    """The list of databases cannot be read: the report is printed all the same, and says so."""
    holder = await shop.database.connect()
    await holder.execute("begin; lock table pg_catalog.pg_class in access exclusive mode")
    done = await snapshot(shop.monitor.dsn, "--window", "1")
    await holder.execute("rollback")
    assert done.status in (0, 3)
    assert done.report["verdict"] == "not evaluated"


async def test_a_database_that_refuses_us_among_others(shop: Shop) -> None:
    """Denied is not evaluated, not silence; a closed database is left alone."""
    await shop.cluster.run(
        "postgres",
        "create database closed allow_connections false",
        "create database private",
        "revoke connect on database private from public",
    )
    try:
        done = await snapshot(shop.monitor.dsn.rpartition("/")[0], "--window", "0")
        assert done.status in (0, 3)
        looked = {target["database"]: target for target in done.report["targets"]}
        assert "closed" not in looked
        assert {run["result"] for run in looked["private"]["probes"]} == {"denied"}
        assert "grant connect" in done.out
        assert done.report["verdict"] != "approved"
    finally:
        await shop.cluster.run("postgres", "drop database closed with (force)", "drop database private with (force)")


async def test_without_rights(shop: Shop) -> None:
    """No pg_monitor: exit 0, and what could not be seen is not evaluated for rights."""
    await shop.database.execute(f"revoke pg_monitor from {shop.role}")
    done = await snapshot(shop.monitor.dsn, "--window", "1")
    assert done.status == 0
    assert "rights" in {entry["needs"] for entry in done.report["not_evaluated"]}
    assert done.report["verdict"] != "approved"
    strict = await snapshot(shop.monitor.dsn, "--window", "0", "--fail-on-not-evaluated")
    assert strict.status == 1


async def test_no_slot_is_free(shop: Shop) -> None:
    """Exit 3 and the clear reason."""
    await shop.database.execute(f"alter role {shop.role} connection limit 1")
    taken = await asyncpg.connect(shop.monitor.dsn, timeout=10)
    done = await snapshot(shop.monitor.dsn, "--window", "1")
    await taken.close()
    assert done.status == 3
    assert "no connection slot is free" in done.out


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
@pytest.mark.parametrize("way", [Way.FORWARD, Way.SWALLOW])
async def test_it_is_interrupted(shop: Shop, number: signal.Signals, way: Way) -> None:
    """Ctrl-C: exit 130 at once and no traceback, also while it hangs in connecting."""
    async with proxy_to(shop.server.port) as proxy:
        proxy.way = way
        environ = {"SHOP": shop.through(proxy.port)}
        process = await started("--dsn", "env:SHOP", "--window", "60", environ=environ)
        await proxy.visited()
        await asyncio.sleep(0.5)
        process.send_signal(number)
        done = await ended(process, 5)
    assert done.status == (130 if number is signal.SIGINT else -number)


async def test_usage_is_exit_two(shop: Shop) -> None:
    """No server, a wrong rule, a DSN that is none: one line, no secret."""
    cases: list[tuple[str, ...]] = [
        (),
        ("--dsn", "env:NOT_THERE"),
        ("--dsn", "mysql://root:c4n4ry@h/d"),
        ("--dsn", "env:SHOP", "--rule", "no.such"),
        ("--config", "/no/such/file"),
        ("--dsn", "env:SHOP", "--window", "-1"),
        ("--dsn", "env:SHOP", "--output", "/no/such/folder/report", "--window", "0"),
    ]
    processes = [await started(*arguments, environ={"SHOP": shop.monitor.dsn}) for arguments in cases]
    for arguments, done in zip(cases, await asyncio.gather(*map(ended, processes)), strict=True):
        assert done.status == 2, (arguments, done.err)
        assert done.err.strip()


async def test_findings_are_exit_one(shop: Shop) -> None:
    """--fail-on decides; an unreachable server beats it."""
    await shop.database.execute(
        "create table public.p (id int primary key); create table public.c (p int references p)"
    )
    await shop.database.execute(
        "insert into p select generate_series(1, 20000); insert into c select generate_series(1, 20000)"
    )
    await shop.database.execute("analyze")
    done = await snapshot(shop.monitor.dsn, "--window", "0", "--fail-on", "info", "--rule", "index.missing_foreign_key")
    assert done.status == 1
    both = await snapshot(
        shop.monitor.dsn, "--window", "0", "--fail-on", "info", "--dsn", "postgresql://x@127.0.0.1:1/x"
    )
    assert both.status == 3
