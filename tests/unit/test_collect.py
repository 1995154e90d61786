"""The way to a server: sessions, guards, and what the runner makes of every ending. On a real server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.errors import Needs, TargetDenied, TargetUnreachable
from monitor.model import Result, Secret, Server, Target
from monitor.probe import Memory, Probe, Row, Scope, Session
from tests.database import Cluster, Database


def probe(sql: str = "select 1 as one", *, timeout: float = 5.0, needs: tuple[str, ...] = ()) -> Probe:
    return Probe(name="asked", scope=Scope.SERVER, every=15, sql={14: sql}, timeout=timeout, needs=needs)


@asynccontextmanager
async def server(dsn: str, only: str | None = None, through_pooler: str = "auto") -> AsyncIterator[PostgresServer]:
    made = PostgresServer(Server(name="test", dsn=Secret(dsn), only=only, through_pooler=through_pooler), environ={})
    try:
        yield made
    finally:
        await made.close()


async def ending(database: Database, asked: Probe) -> tuple[Result, Needs | None, str]:
    async with server(database.dsn) as way, way.home() as session:
        seen = await Runner().run(asked, Target("test"), session)
        return seen.result, seen.needs, seen.reason


async def test_every_session_is_under_guards(database: Database) -> None:
    """Read-only, short on time, waiting for no lock, named."""
    async with server(database.dsn) as way, way.home() as session:
        names = ("default_transaction_read_only", "lock_timeout", "statement_timeout", "jit", "application_name")
        rows = await session.fetch("select name, current_setting(name) as value from unnest($1::text[]) name", names)
    assert {row["name"]: row["value"] for row in rows} == {
        "default_transaction_read_only": "on",
        "lock_timeout": "100ms",
        "statement_timeout": "5s",
        "jit": "off",
        "application_name": "pgarchitect",
    }


async def test_a_probe_that_writes_is_refused_by_the_server(database: Database) -> None:
    """The guard is the server's, not ours."""
    result, needs, reason = await ending(database, probe("create table t ()"))
    assert (result, needs) == (Result.BROKEN, Needs.REPAIR)
    assert "25006" in reason


async def test_the_probes_time_is_the_statements_timeout(database: Database) -> None:
    """A slow statement is cut off on the server, and says so."""
    result, needs, _ = await ending(database, probe("select pg_catalog.pg_sleep(5)", timeout=0.2))
    assert (result, needs) == (Result.TIMEOUT, Needs.TIME)


async def test_no_lock_is_waited_for(database: Database) -> None:
    """A locked table costs a tenth of a second."""
    await database.execute("create table public.held (id int)")
    holder = await database.connect()
    await holder.execute("begin; lock table public.held in access exclusive mode")
    result, needs, reason = await ending(database, probe("select count(*) from public.held"))
    assert (result, needs) == (Result.TIMEOUT, Needs.TIME)
    assert "lock" in reason


async def test_a_missing_right_is_denied_and_names_the_way_out(database: Database) -> None:
    """Not broken, not empty."""
    await database.execute("create table public.secrets (id int)")
    result, needs, reason = await ending(await database.as_monitor(), probe("select * from public.secrets"))
    assert (result, needs) == (Result.DENIED, Needs.RIGHTS)
    assert "monitor grants" in reason


async def test_a_values_error_does_not_tell_the_value(database: Database) -> None:
    """The server's message would hold it."""
    result, _, reason = await ending(database, probe("select 'c4n4ry'::text::int"))
    assert result is Result.BROKEN
    assert "c4n4ry" not in reason
    assert "22P02" in reason


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ("extension:nowhere", (Result.SKIPPED, Needs.EXTENSION)),
        ("role:pg_read_all_stats", (Result.DENIED, Needs.RIGHTS)),
        ("extension:pg_stat_statements", (Result.OK, None)),
    ],
)
async def test_needs_are_checked_before_asking(
    database: Database, needs: str, expected: tuple[Result, Needs | None]
) -> None:
    """What is missing is named, with the statement that mends it."""
    role = await database.as_monitor()
    await database.execute(f"revoke pg_monitor from {role.user}")
    result, lacking, _ = await ending(role, probe(needs=(needs,)))
    assert (result, lacking) == expected


async def test_a_probe_that_raises_is_broken_and_says_where(database: Database) -> None:
    """One of ours, or of a user's."""

    async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
        raise KeyError("c4n4ry")

    asked = Probe(name="asked", scope=Scope.SERVER, every=15, observe=observe)
    result, needs, reason = await ending(database, asked)
    assert (result, needs) == (Result.BROKEN, Needs.REPAIR)
    assert "KeyError at test_collect.py" in reason
    assert "c4n4ry" not in reason


async def test_two_sessions_whatever_is_asked(cluster: Cluster, database: Database) -> None:
    """Server-wide and database probes at once, ten times over, share two."""
    async with server(database.dsn) as way:

        async def at_home() -> None:
            async with way.home() as session:
                await session.fetch("select pg_catalog.pg_sleep(0.05)")

        async def visiting(name: str) -> None:
            async with way.visit(name) as session:
                await session.fetch("select pg_catalog.pg_sleep(0.05)")

        work = [at_home() for _ in range(5)] + [visiting(name) for name in ("postgres", database.name) * 3]
        running = asyncio.gather(*work)
        most = 0
        while not running.done():
            count = await database.value(
                "select count(*) from pg_stat_activity where application_name = 'pgarchitect' and usename = $1",
                "postgres",
            )
            most = max(most, int(count))
            await asyncio.sleep(0.01)
        await running
    assert 1 <= most <= 2


async def test_a_server_wide_probe_goes_where_its_extension_is(cluster: Cluster, database: Database) -> None:
    """The DSN names `postgres`, which has no pg_stat_statements; a database that was visited has."""
    asked = probe("select count(*) from pg_stat_statements(false)", needs=("extension:pg_stat_statements",))
    async with server(cluster.server.dsn("postgres")) as way:
        async with way.suited(asked.needs) as session:
            assert (await Runner().run(asked, Target("test"), session)).needs is Needs.EXTENSION
        async with way.visit(database.name):
            pass
        async with way.suited(asked.needs) as session:
            assert (await Runner().run(asked, Target("test"), session)).result is Result.OK


async def test_a_lost_session_is_opened_anew(database: Database) -> None:
    """The run that meets it fails as unreachable; the next one is well."""
    async with server(database.dsn) as way:
        async with way.home() as session:
            ended = asyncio.Event()
            session.when_lost(ended.set)
            pid = (await session.fetch("select pg_catalog.pg_backend_pid() as pid"))[0]["pid"]
            await database.execute("select pg_terminate_backend($1)", pid)
            await ended.wait()
            with pytest.raises(TargetUnreachable):
                await Runner().run(probe(), Target("test"), session)
        async with way.home() as session:
            assert (await Runner().run(probe(), Target("test"), session)).result is Result.OK


@pytest.mark.parametrize(
    ("change", "failure", "words"),
    [
        (lambda dsn: dsn.replace("/test_", "/nowhere_"), TargetUnreachable, "no such database"),
        (lambda dsn: dsn.replace("postgres:", "postgres:x"), TargetDenied, "wrong password"),
        (lambda dsn: dsn.replace("127.0.0.1", "nowhere.invalid"), TargetUnreachable, "check host"),
        (lambda _: "postgresql://u:p@127.0.0.1:1/x", TargetUnreachable, "refused"),
    ],
)
async def test_a_refusal_is_one_clear_line(database: Database, change: object, failure: type, words: str) -> None:
    """Who, what, how to mend; never the password."""
    assert callable(change)
    async with server(change(database.dsn)) as way:
        with pytest.raises(failure, match=words) as raised:
            async with way.home():
                pass
    assert database.server.dsn().split(":")[2].split("@")[0] not in str(raised.value)
