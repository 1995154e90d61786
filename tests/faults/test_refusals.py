"""Servers that are there and will not have us: passwords, slots, rights, databases that come, close and go."""

import asyncio
import json
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from tests.faults.conftest import Shop
from tests.faults.harness import Daemon, daemon, headcount, one, series

RECOVERY = 10.0
SOAKED = partial(pytest.param, marks=pytest.mark.soak)


async def reason(watched: object, target: str = "shop") -> str:
    (found,) = [each for each in await watched.targets() if each["target"] == target]  # type: ignore[attr-defined]
    return str(found["reason"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda dsn: dsn.replace("c4n4ry", "c4n4rywrong"), "wrong password"),
        SOAKED(lambda dsn: dsn.replace("127.0.0.1", "no-such-host.invalid"), "check host"),
        SOAKED(lambda dsn: dsn.replace("127.0.0.1", "x" * 70 + ".invalid"), "x"),
        SOAKED(lambda dsn: dsn.rpartition("/")[0] + "/no_such_database", "no such database"),
        SOAKED(lambda dsn: dsn.replace("monitor_", "nobody_"), "wrong password"),
    ],
    ids=["password", "host", "impossible host", "database", "role"],
)
async def test_a_wrong_dsn_is_one_clear_reason(shop: Shop, tmp_path: Path, change: object, words: str) -> None:
    """It runs, says down and why, and keeps the secret."""
    dsn = change(shop.monitor.dsn)  # type: ignore[operator]
    async with daemon(tmp_path, {"shop": dsn}) as watched:
        await watched.down(10)
        assert words in await reason(watched)
        assert "c4n4ry" not in await watched.get("/") + await watched.get("/metrics") + await watched.get("/targets")
        assert "c4n4ry" not in watched.log


@pytest.mark.soak
async def test_a_password_that_changes_and_changes_back(shop: Shop, tmp_path: Path) -> None:
    """Open sessions live on; when they end it is down and says why; mended, it is back in ten seconds."""
    password = shop.monitor.dsn.partition("c4n4ry")[2].partition("@")[0]
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        await shop.database.execute(f"alter role {shop.role} password 'c4n4ryother'")
        await asyncio.sleep(2)
        assert one(await watched.samples(), "pgarchitect_up", target="shop") == 1
        await shop.database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", shop.role
        )
        await watched.down(5)
        assert "wrong password" in await reason(watched)
        await asyncio.sleep(6)
        await shop.database.execute(f"alter role {shop.role} password 'c4n4ry{password}'")
        await watched.up(RECOVERY)
        await watched.measured(RECOVERY)
        assert "c4n4ry" not in watched.log


@pytest.mark.soak
async def test_no_slot_is_free(shop: Shop, tmp_path: Path, without_crowd: None) -> None:
    """Who was connected before stays up and measures; who comes later says that no slot is free."""
    admin = await shop.database.connect()
    limit = int(await admin.fetchval("show max_connections")) - int(
        await admin.fetchval("show superuser_reserved_connections")
    )
    (tmp_path / "late").mkdir()
    async with headcount(shop.database.dsn) as sessions, daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        crowd = await crowded(shop, limit)
        try:
            await asyncio.sleep(3)
            samples = await watched.samples()
            assert one(samples, "pgarchitect_up", target="shop") == 1
            assert one(samples, "pgarchitect_probe_success", target="shop", probe="pool") == 1
            assert (await watched.fires("pool.saturation", 20))["severity"] == "critical"
            async with daemon(tmp_path / "late", {"shop": shop.monitor.dsn}) as late:
                await late.down(5)
                assert "no connection slot is free" in await reason(late)
                for session in crowd:
                    session.terminate()
                await late.up(RECOVERY)
        finally:
            for session in crowd:
                session.terminate()
        await watched.measured(RECOVERY)
        assert sessions.most <= 4  # two monitors


async def crowded(shop: Shop, limit: int) -> list[asyncpg.Connection]:
    """Take every slot an ordinary role may have."""
    await shop.database.execute("create role crowd login password 'crowd'")
    dsn = shop.server.dsn(shop.database.name, "crowd", "crowd")
    taken: list[asyncpg.Connection] = []
    while len(taken) < limit:
        try:
            taken.append(await asyncpg.connect(dsn, timeout=5))
        except asyncpg.TooManyConnectionsError:
            break
    return taken


@pytest.fixture
async def without_crowd(shop: Shop) -> object:
    yield
    await shop.database.execute("drop role if exists crowd")


async def test_a_database_that_goes_takes_its_findings_with_it(shop: Shop, tmp_path: Path) -> None:
    """Dropped while watched: its findings end, its series go; a new one is found and read."""
    await shop.cluster.run("postgres", "create database short_lived")
    try:
        async with headcount(shop.database.dsn) as sessions, daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
            await watched.until(10, "it is read", lambda seen: bool(of(seen, "short_lived")))
            await watched.fires("headcount.many")
            await shop.cluster.run("postgres", "drop database short_lived with (force)", "create database came_later")
            await watched.until(10, "it is gone", lambda seen: not of(seen, "short_lived"))
            await watched.until(10, "the new one is read", lambda seen: bool(of(seen, "came_later")))
            findings = [each for each in await watched.findings() if each["database"] == "short_lived"]
            assert {each["status"] for each in findings} <= {"resolved"}
            assert one(await watched.samples(), "pgarchitect_up", target="shop") == 1
            assert sessions.most <= 2
    finally:
        await shop.cluster.run(
            "postgres",
            "drop database if exists short_lived with (force)",
            "drop database if exists came_later with (force)",
        )


def of(samples: object, database: str) -> object:
    return series(samples, "pgarchitect_headcount_tables", database=database)  # type: ignore[arg-type]


async def test_the_dsns_own_database_goes(shop: Shop, tmp_path: Path) -> None:
    """The other databases are watched on, and the log says why."""
    await shop.cluster.run("postgres", "create database home_of_dsn")
    dsn = shop.monitor.dsn.rpartition("/")[0] + "/home_of_dsn"
    try:
        async with daemon(tmp_path, {"shop": dsn}) as watched:
            await watched.until(10, "it is read", lambda seen: bool(of(seen, "home_of_dsn")))
            await watched.measured()
            await shop.cluster.run("postgres", "drop database home_of_dsn with (force)")
            await watched.until(10, "it is gone", lambda seen: not of(seen, "home_of_dsn"))
            await watched.up(RECOVERY)
            await watched.measured(RECOVERY)
            assert "no such database" in watched.log
    finally:
        await shop.cluster.run("postgres", "drop database if exists home_of_dsn with (force)")


@pytest.mark.soak
async def test_a_closed_database_is_left_alone(shop: Shop, tmp_path: Path) -> None:
    """Datallowconn = false before the start: not looked at. While watched: its findings stay, its series go."""
    await shop.cluster.run("postgres", "create database closes", "create database closed allow_connections false")
    try:
        async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
            await watched.measured()
            await watched.until(10, "it is read", lambda seen: bool(of(seen, "closes")))
            await asyncio.sleep(2)
            await shop.cluster.run("postgres", "alter database closes allow_connections false")
            await watched.until(10, "it is gone", lambda seen: not of(seen, "closes"))
            await asyncio.sleep(2)
            assert not of(await watched.samples(), "closed")
            (finding,) = [each for each in await watched.findings() if each["database"] == "closes"]
            assert finding["status"] == "firing"
            assert one(await watched.samples(), "pgarchitect_up", target="shop") == 1
    finally:
        await shop.cluster.run("postgres", "drop database closes with (force)", "drop database closed with (force)")


@pytest.mark.soak
async def test_connect_is_revoked(shop: Shop, tmp_path: Path) -> None:
    """Denied, with the statement that mends it; nothing of that database resolves."""
    await shop.cluster.run("postgres", "create database private")
    try:
        async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
            await watched.until(10, "it is read", lambda seen: bool(of(seen, "private")))
            await asyncio.sleep(2)
            await shop.cluster.run("postgres", "revoke connect on database private from public")
            denied = await watched.fires("target.denied", 10)
            assert f"grant connect on database private to {shop.role}" in json.dumps(denied)
            (finding,) = [each for each in await watched.findings() if each["database"] == "private"]
            assert finding["status"] == "firing"
            await shop.cluster.run("postgres", "grant connect on database private to public")
            await watched.measured(RECOVERY)
    finally:
        await shop.cluster.run("postgres", "drop database private with (force)")


async def all_read(shop: Shop, watched: Daemon, seconds: float = 15.0) -> None:
    """Wait until every database was visited: its finding would else come in the midst of what is looked at."""
    wanted = await shop.database.value(
        "select count(*) from pg_catalog.pg_database where datallowconn and not datistemplate"
    )
    async with asyncio.timeout(seconds):
        while len(await watched.firing("headcount.many")) < wanted:  # noqa: ASYNC110 - asked over HTTP
            await asyncio.sleep(0.1)


async def test_rights_that_are_revoked_resolve_nothing(shop: Shop, tmp_path: Path) -> None:
    """pg_monitor goes while we watch: denied, nothing ends, nothing is made up, and /metrics stays sound."""
    changed = {"rules": {"sessions.idle_in_transaction": {"warning_after": 1, "hold": 0, "keep": 0}}}
    leak = await shop.database.connect(application_name="leaky")
    await leak.execute("begin; select 1")
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}, changed) as watched:
        await watched.measured()
        await watched.fires("sessions.idle_in_transaction")
        await all_read(shop, watched)
        before = {each["fingerprint"]: each["status"] for each in await watched.findings()}
        await shop.database.execute(f"revoke pg_monitor from {shop.role}")
        for _ in range(2):  # as the session sees it that was open before, and as a new one does
            denied = await watched.fires("target.denied")
            assert "pg_monitor" in json.dumps(denied)
            await asyncio.sleep(2)
            after = {each["fingerprint"]: each for each in await watched.findings()}
            assert {name: after[name]["status"] for name in before} == before
            assert {after[name]["rule"] for name in after.keys() - before.keys()} <= {"target.denied"}
            assert "insufficient privilege" not in await watched.get("/metrics")
            await shop.database.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", shop.role
            )
        await watched.up()
        await shop.database.execute(f"grant pg_monitor to {shop.role}")
        await watched.until(
            10, "nothing is denied", lambda seen: not series(seen, "pgarchitect_probe_result", result="denied")
        )


@pytest.mark.soak
async def test_many_databases_still_mean_two_sessions(shop: Shop, tmp_path: Path) -> None:
    """Twenty databases, visited in turn, while our sessions are ended under us."""
    names = [f"many_{number:02}" for number in range(20)]
    await shop.cluster.run("postgres", *(f"create database {name}" for name in names))
    try:
        async with headcount(shop.database.dsn) as sessions, daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
            await watched.until(20, "all are read", lambda seen: all(of(seen, name) for name in names))
            for _ in range(5):
                await shop.database.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", shop.role
                )
                await asyncio.sleep(0.4)
            await watched.measured(15)
            assert sessions.most <= 2
    finally:
        await shop.cluster.run("postgres", *(f"drop database {name} with (force)" for name in names))
