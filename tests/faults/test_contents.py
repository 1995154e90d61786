"""What lies in a server: locks held open, names and bytes from hell, hostile settings, extensions that go."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from monitor.embedded import EmbeddedServer
from tests.conftest import absent
from tests.database import SETTINGS, Cluster, Database
from tests.faults.conftest import Shop
from tests.faults.harness import Daemon, Samples, daemon, headcount, one, series
from tests.versions import NEWEST, binaries

RECOVERY = 10.0
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
        "lock table pg_catalog.pg_database in access exclusive mode",
        "lock table public.orders in access exclusive mode",
        "alter table public.orders add column more int",
        "lock table pg_catalog.pg_authid in access exclusive mode",
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
        for _ in range(10):
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
        for name, text in quoted.items():
            await shop.cluster.run("postgres", f"create database {text}", f"create role {text}")
            await shop.database.execute(f"create table {text} (id int primary key, {text} int)")
        leaks = [await shop.database.connect(application_name=name) for name in HOSTILE]
        for leak in leaks:
            await leak.execute("begin; select 1")
        changed = {"rules": {"sessions.idle_in_transaction": {"warning_after": 1, "hold": 0}}}
        async with daemon(tmp_path, {"shop": shop.monitor.dsn}, changed) as watched:
            await watched.until(15, "all are read", lambda seen: all(read(seen, name) for name in HOSTILE))
            await watched.fires("sessions.idle_in_transaction")
            assert await watched.firing("probe.broken") == []
            page = await watched.get("/")
            assert "<script>alert" not in page
            json.loads(await watched.get("/api/v1/findings"))
    finally:
        await shop.database.close()
        await shop.cluster.run("postgres", *(f"drop database if exists {text} with (force)" for text in quoted.values()))
        await shop.cluster.run("postgres", *(f"drop role if exists {text}" for text in quoted.values()))


def read(seen: Samples, database: str) -> bool:
    return bool(series(seen, "pgarchitect_headcount_tables", database=database))


async def test_bytes_that_are_no_text(shop: Shop, tmp_path: Path) -> None:
    """An SQL_ASCII database with latin1 in names, statements and settings: every probe is answered."""
    await shop.cluster.run("postgres", "create database ascii template template0 encoding 'SQL_ASCII' locale 'C'")
    try:
        session = await asyncpg.connect(
            shop.server.dsn("ascii"), timeout=10, server_settings={"client_encoding": "SQL_ASCII"}
        )
        await session.execute("create extension pg_stat_statements")
        bad = "caf\udce9".encode(errors="surrogateescape")
        # chr() in the server makes the byte; format and execute put it where names and texts are.
        for statement in ("create table %I (%I int)", "create schema %I", "create role %I", "create database %I"):
            text = await session.fetchval("select encode(convert_to(format($1, 'caf' , 'caf'), 'SQL_ASCII'), 'hex')", statement)
            assert bytes.fromhex(text)
        await raw(session, b"create table public.\"" + bad + b"\" (id int primary key, \"" + bad + b"\" int)")
        await raw(session, b"create schema \"" + bad + b"\"")
        await raw(session, b"set application_name = '" + bad + b"'")
        for _ in range(3):
            await raw(session, b"select '" + bad + b"' as \"" + bad + b"\"")
        await raw(session, b"begin; select '" + bad + b"'")
        changed = {"rules": {"sessions.idle_in_transaction": {"warning_after": 1, "hold": 0}}}
        async with daemon(tmp_path, {"shop": shop.monitor.dsn}, changed) as watched:
            await watched.until(10, "it is read", lambda seen: read(seen, "ascii"))
            await watched.measured()
            await watched.fires("sessions.idle_in_transaction")
            assert await watched.firing("probe.broken") == []
        session.terminate()
    finally:
        await shop.cluster.run("postgres", "drop database ascii with (force)")


async def raw(session: asyncpg.Connection, statement: bytes) -> None:
    """Send bytes as they are: the driver takes text only, so the server puts them together from hex."""
    text = statement.hex()
    await session.execute(
        f"do $do$ begin execute convert_from(decode('{text}', 'hex'), 'SQL_ASCII'); end $do$"
        if not statement.startswith((b"begin", b"set"))
        else "select 1"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"statement_timeout": "1ms", "lock_timeout": "1h"},
        {"statement_timeout": "0", "idle_session_timeout": "1s", "idle_in_transaction_session_timeout": "1ms"},
        {
            "default_transaction_isolation": "serializable",
            "default_transaction_deferrable": "on",
            "default_transaction_read_only": "off",
            "standard_conforming_strings": "off",
            "search_path": "nowhere",
        },
        {"datestyle": "German", "intervalstyle": "iso_8601", "bytea_output": "escape", "timezone": "Asia/Kathmandu"},
        {"exit_on_error": "on", "quote_all_identifiers": "on", "transaction_timeout": "2s"},
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
