"""What lies in a server: locks held open, names and bytes from hell, hostile settings, extensions that go."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from monitor.embedded import EmbeddedServer
from tests.conftest import absent
from tests.database import SETTINGS, Cluster, Database
from tests.faults.conftest import Shop
from tests.faults.harness import Daemon, Samples, daemon, headcount, one, series
from tests.versions import NEWEST, binaries

RECOVERY = 10.0
SOAKED = partial(pytest.param, marks=pytest.mark.soak)
HOSTILE = [
    'quo"te',
    "sing'le",
    "back\\slash",
    "new\nline",
    "ctrl\x01",
    "ünïcødé☃",
    "l" * 63,
    "{braces} %s $1",
    "<script>alert(1)</script>",
    "c4n4ry password='x'",
]


@pytest.mark.parametrize(
    "statement",
    [
        "lock table pg_catalog.pg_class in access exclusive mode",
        SOAKED("lock table pg_catalog.pg_database in access exclusive mode"),
        SOAKED("lock table public.orders in access exclusive mode"),
        SOAKED("alter table public.orders add column more int"),
        SOAKED("lock table pg_catalog.pg_authid in access exclusive mode"),
    ],
    ids=["pg_class", "pg_database", "table", "alter", "pg_authid"],
)
async def test_a_lock_held_open_blocks_nobody(shop: Shop, tmp_path: Path, statement: str) -> None:
    """We wait for no lock: up, no session of ours queues, nothing resolves, and everything is back when it goes."""
    await shop.database.execute("create table public.orders (id int primary key, customer int)")
    holder = await shop.database.connect()
    async with headcount(shop.database.dsn) as sessions, daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        await asyncio.sleep(1)
        firing = {each["fingerprint"] for each in await watched.findings() if each["status"] == "firing"}
        await holder.execute("begin; " + statement)
        for _ in range(8):
            await asyncio.sleep(0.4)
            assert one(await watched.samples(), "pgarchitect_up", target="shop") == 1
        assert firing <= {each["fingerprint"] for each in await watched.findings() if each["status"] == "firing"}
        assert await watched.firing("probe.broken") == []
        await holder.execute("rollback")
        await watched.measured(RECOVERY)
        assert sessions.most <= 2


async def test_names_from_hell(shop: Shop, tmp_path: Path) -> None:
    """In databases, roles, applications and tables: every page is sound, and every probe answered."""
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in HOSTILE}
    try:
        for text in quoted.values():
            await shop.cluster.run("postgres", f"create database {text}", f"create role {text}")
            await shop.database.execute(f"create table {text} (id int primary key, {text} int)")
        leaks = [await shop.database.connect(application_name=name) for name in HOSTILE]
        for leak in leaks:
            await leak.execute("begin; select 1")
        changed = {"rules": {"sessions.idle_in_transaction": {"warning_after": 1, "hold": 0}}}
        async with daemon(tmp_path, {"shop": shop.monitor.dsn}, changed) as watched:
            await watched.until(15, "all are read", lambda seen: all(read(seen, shown(name)) for name in HOSTILE))
            await watched.fires("sessions.idle_in_transaction")
            assert await watched.firing("probe.broken") == []
            page = await watched.get("/")
            assert "<script>alert" not in page
            json.loads(await watched.get("/api/v1/findings"))
    finally:
        await shop.database.close()
        await shop.cluster.run(
            "postgres", *(f"drop database if exists {text} with (force)" for text in quoted.values())
        )
        await shop.cluster.run("postgres", *(f"drop role if exists {text}" for text in quoted.values()))


def shown(name: str) -> str:
    """A control character is no text for a label."""
    return name.replace("\x01", "\ufffd")


def read(seen: Samples, database: str) -> bool:
    return bool(series(seen, "pgarchitect_headcount_tables", database=database))


@pytest.mark.parametrize("inside", [False, SOAKED(True)], ids=["from outside", "from inside"])
async def test_bytes_that_are_no_text(shop: Shop, tmp_path: Path, *, inside: bool) -> None:
    """Latin1 in names of databases, roles and tables and in statements of an SQL_ASCII database: no probe is lost."""
    await shop.cluster.run("postgres", "create database ascii template template0 encoding 'SQL_ASCII' locale 'C'")
    bad = b'"caf\xe9"'
    session = psycopg.connect(shop.server.dsn("ascii"), autocommit=True)
    try:
        session.execute("set client_encoding to 'SQL_ASCII'")
        session.execute("create extension pg_stat_statements")
        for statement in (
            b"create role %",
            b"create database %",
            b"create schema %",
            b"create table % (% int primary key)",
        ):
            session.execute(statement.replace(b"%", bad))
        session.execute(b"create table child (% int references public.%)".replace(b"%", bad))
        session.execute(b"set application_name = 'caf\xe9'")
        for _ in range(3):
            session.execute(b"select 'caf\xe9' as " + bad)
        session.execute(b"begin")
        session.execute(b"select 'caf\xe9'")
        changed = {"rules": {"sessions.idle_in_transaction": {"warning_after": 1, "hold": 0}}}
        dsn = shop.monitor.dsn.rpartition("/")[0] + "/ascii" if inside else shop.monitor.dsn
        async with daemon(tmp_path, {"shop": dsn}, changed) as watched:
            await watched.until(10, "it is read", lambda seen: read(seen, "ascii"))
            await watched.fires("sessions.idle_in_transaction")
            broken = series(await watched.samples(), "pgarchitect_probe_result", result="broken")
            assert not broken
            assert await watched.firing("probe.broken") == []
            assert one(await watched.samples(), "pgarchitect_up", target="shop") == 1
    finally:
        session.execute("rollback")
        session.execute(b"drop role " + bad)
        session.execute(b"drop database " + bad)
        session.close()
        await shop.cluster.run("postgres", "drop database ascii with (force)")
        await shop.database.execute("select pg_stat_statements_reset()")  # one bad text spoils the reading of all


@pytest.mark.parametrize(
    "settings",
    [
        SOAKED({"statement_timeout": "1ms", "lock_timeout": "1h"}),
        SOAKED({"statement_timeout": "0", "idle_session_timeout": "1s", "idle_in_transaction_session_timeout": "1ms"}),
        SOAKED(
            {
                "default_transaction_isolation": "serializable",
                "default_transaction_deferrable": "on",
                "default_transaction_read_only": "off",
                "standard_conforming_strings": "off",
                "search_path": "nowhere",
            }
        ),
        SOAKED(
            {"datestyle": "German", "intervalstyle": "iso_8601", "bytea_output": "escape", "timezone": "Asia/Kathmandu"}
        ),
        SOAKED({"exit_on_error": "on", "quote_all_identifiers": "on", "transaction_timeout": "2s"}),
    ],
    ids=["short", "idle", "deferrable", "styles", "others"],
)
async def test_hostile_settings_of_our_role(shop: Shop, tmp_path: Path, settings: dict[str, str]) -> None:
    """ALTER ROLE … SET does not reach behind our own guards."""
    for name, value in settings.items():
        await shop.database.execute(f"alter role {shop.role} set {name} = '{value}'")
    async with headcount(shop.database.dsn) as sessions, daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        await asyncio.sleep(2.5)
        await watched.measured()
        assert await watched.firing("target.unreachable") == []
        assert watched.log.count('"target up"') == 1
        assert sessions.most <= 2


async def test_the_extension_goes_and_comes(shop: Shop, tmp_path: Path) -> None:
    """Dropped while watched: skipped and said so, nothing broken; created anew: read again."""
    changed = {"targets": [{"name": "shop", "dsn": shop.monitor.dsn, "databases": {"include": [shop.database.name]}}]}
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}, changed) as watched:
        await watched.measured()
        await shop.database.execute("drop extension pg_stat_statements")
        await watched.until(10, "it is skipped", lambda seen: result(seen, "statements") == "skipped")
        assert "create extension pg_stat_statements" in (await watched.probe("statements"))["reason"]
        assert await watched.firing("probe.broken") == []
        await shop.database.execute("create extension pg_stat_statements")
        await watched.until(10, "it is read", lambda seen: result(seen, "statements") == "ok")


def result(seen: Samples, probe: str) -> str:
    runs = series(seen, "pgarchitect_probe_result", target="shop", probe=probe)
    return " ".join(dict(labels)["result"] for labels in runs)


@pytest.mark.soak
async def test_statistics_that_are_reset(shop: Shop, tmp_path: Path) -> None:
    """No counter of ours falls, nothing is made up."""
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        await asyncio.sleep(2)
        before = await counters(watched)
        await shop.database.execute("select pg_stat_statements_reset()")
        await shop.database.execute("select pg_stat_reset()")
        await asyncio.sleep(3)
        after = await counters(watched)
        assert [name for name, value in before.items() if after.get(name, value) < value] == []
        assert await watched.firing("probe.broken") == []


async def counters(watched: Daemon) -> dict[Any, float]:
    return {
        key: value
        for key, value in (await watched.samples()).items()
        if key[0].startswith("pgarchitect_") and key[0].endswith("_total")
    }


@pytest.mark.soak
async def test_the_library_is_not_preloaded(tmp_path: Path) -> None:
    """The extension is there and its library is not: not evaluated, and how to mend it."""
    tree = binaries(NEWEST)
    if tree is None:
        absent(f"PostgreSQL {NEWEST} is not fetched")
    settings = {name: value for name, value in SETTINGS.items() if name != "shared_preload_libraries"}
    async with EmbeddedServer.started(settings, binaries=tree) as server:
        await Cluster(major=NEWEST, server=server).run("postgres", "create extension pg_stat_statements")
        database = Database(server, "postgres")
        async with daemon(tmp_path, {"shop": database.dsn}) as watched:
            await watched.until(10, "it is skipped", lambda seen: result(seen, "statements") == "skipped")
            assert "shared_preload_libraries" in (await watched.probe("statements"))["reason"]
            assert await watched.firing("probe.broken") == []
        await database.close()
