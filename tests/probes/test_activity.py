"""The activity probe on real servers: what it samples, what it never sends or keeps, and what it says when blind."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg
import psycopg
import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement, Row
from monitor.model import Result
from probes.activity import PROBE, ActivityOptions
from tests.database import Cluster, Database
from tests.looking import Eye

CANARY = "correct-horse-battery"


async def application(database: Database) -> Database:
    """The database as an application's own role sees it."""
    role, password = f"app_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    await database.execute(f"create role {role} login password '{password}'; grant all on schema public to {role}")
    handle = Database(database.server, database.name, role, password)
    database._handles.append(handle)
    return handle


@asynccontextmanager
async def sampling(database: Database, options: ActivityOptions | None = None) -> AsyncIterator[Eye]:
    """The eye of the monitor's own role, after its first sample."""
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE, options=options) as eye:
        await eye.look()
        yield eye


def sessions(seen: Measurement, who: Database) -> list[Row]:
    return [row for row in seen.rows if row["kind"] == "session" and row["role"] == who.user]


def forms(seen: Measurement, who: Database) -> list[Row]:
    return [
        row for key, row in seen.details.items() if cast("tuple[str]", key)[0] == "form" and row["role"] == who.user
    ]


async def test_short_statements_are_caught_on_every_version(any_database: Database) -> None:
    """One that ended before the sample still is its session's newest: who, where, and what classes of constants."""
    app = await application(any_database)
    session = await app.connect(application_name="shop")
    async with sampling(any_database) as eye:
        await session.fetch(f"select 1 as one, '{CANARY}' as two, null as three, date '2024-01-01' as four")
        (row,) = sessions(await eye.look(), app)
        assert (row["database"], row["application"], row["state"]) == (any_database.name, "shop", "idle")
        assert row["classes"] == ("date", "null", "number", "text")
        assert isinstance(row["query_id"], int)
        assert row["attack"] is None


async def test_an_idle_session_with_an_old_text_is_not_sampled(database: Database) -> None:
    """Its statement was met once; the second sample has no row of it."""
    app = await application(database)
    session = await app.connect()
    async with sampling(database) as eye:
        await session.fetch("select 1 as old")
        assert len(sessions(await eye.look(), app)) == 1
        assert sessions(await eye.look(), app) == []
        await session.fetch("select 2 as newer")
        assert len(sessions(await eye.look(), app)) == 1


async def test_an_active_session_is_sampled_each_time_with_its_wait(database: Database) -> None:
    """Its text is sent once; state and wait event every time."""
    app = await application(database)
    session, statement = await app.connect(), "select pg_sleep(60), 5 as five"
    async with sampling(database) as eye:
        await waiting(database, session, statement)
        first, second = await eye.look(), await eye.look()
        await database.execute("select pg_cancel_backend(pid) from pg_stat_activity where usename = $1", app.user)
    rows = [next(row for row in sessions(seen, app) if row["state"] == "active") for seen in (first, second)]
    assert [(row["wait_event_type"], row["wait_event"]) for row in rows] == [("Timeout", "PgSleep")] * 2
    assert [row["classes"] for row in rows] == [("number",), ()]


async def waiting(database: Database, session: object, statement: str) -> None:
    """Send a statement and return once the server is at it."""
    task = asyncio.ensure_future(session.fetch(statement))  # type: ignore[attr-defined]
    task.add_done_callback(lambda each: each.cancelled() or each.exception())
    asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
    while not await database.value(asleep):
        await database.execute("select pg_sleep(0.02)")


@asynccontextmanager
async def psycopgs(who: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(who.dsn, autocommit=True) as connection:
        yield connection


async def test_no_constant_is_kept_anywhere(database: Database) -> None:
    """Not in rows, details, nor the probe's memory; not even a hash that means something elsewhere."""
    app = await application(database)
    session = await app.connect()
    async with sampling(database) as eye:
        for turn in range(4):
            await session.fetch(f"select '{CANARY}-{turn}' as text, 98765432{turn} as number")
            await eye.look()
        seen = await eye.look()
        (kept,) = eye.runner._kept.values()
    (form,) = forms(seen, app)
    assert (form["different"], form["kinds"]) == ({"": 4}, ("number", "text"))
    told = repr((seen, [vars(each) for each in kept.memory._kept.values()]))
    assert CANARY not in told
    assert "98765432" not in told


async def test_bound_and_literal_forms_are_told_apart(database: Database) -> None:
    """Both drivers bind (asyncpg, psycopg 3), but its client-side cursor writes values into the text."""
    app = await application(database)
    session = await app.connect(application_name="binds")
    async with sampling(database) as eye, psycopgs(app) as other:
        for value in range(3):
            await session.fetch("select $1::int as bound", value)
            await other.execute("select %s::int as also_bound", [value])
            await eye.look()
        seen = await eye.look()
        assert sorted(str(row["bound"]) for row in forms(seen, app)) == ["{'': 3}", "{'binds': 3}"]
        assert not any(row["literal"] or row["different"] for row in forms(seen, app))
        for value in range(3):
            await psycopg.AsyncClientCursor(other).execute("select %s::int as written", [value])
            await eye.look()
        seen = await eye.look()
        assert sorted(str(row["different"]) for row in forms(seen, app)) == ["{'': 3}", "{}", "{}"]


async def test_our_own_sessions_are_never_sampled(database: Database) -> None:
    """The monitor's role under its own application_name; somebody else under that role is."""
    monitor = await database.as_monitor()
    ours = await monitor.connect(application_name="pgarchitect")
    theirs = await monitor.connect(application_name="psql")
    async with monitor.eye(PROBE) as eye:
        await eye.look()
        await ours.fetch("select 1 as ours")
        await theirs.fetch("select 2 as theirs")
        rows = sessions(await eye.look(), monitor)
    assert [(row["application"], row["own"]) for row in rows] == [("psql", True)]


async def test_a_text_that_was_cut_still_counts(database: Database) -> None:
    """track_activity_query_size is 1 kB: the statement cannot be parsed any more, its first constants can be told."""
    app = await application(database)
    session = await app.connect()
    async with sampling(database) as eye:
        for value in range(3):
            await session.fetch(
                f"select {value} as n, {', '.join(f'null as column_{n}' for n in range(100))}, 7 as last"
            )
            await eye.look()
        seen = await eye.look()
    (form,) = forms(seen, app)
    assert form["different"] == {"": 3}
    assert str(form["statement"]).startswith("queryid-")


async def test_texts_that_are_no_characters_are_read_all_the_same(cluster: Cluster, database: Database) -> None:
    """A SQL_ASCII database takes any bytes; no text is lost by one of them."""
    other = f"{database.name}_ascii"
    await cluster.run(
        "postgres", f"create database {other} template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'"
    )
    app = await application(database)
    session = await asyncpg.connect(
        cluster.server.dsn(other, app.user, app._password), server_settings={"client_encoding": "LATIN1"}
    )
    try:
        async with sampling(database) as eye:
            await session.execute("select 'é' as bytes_that_are_no_characters")
            (row,) = sessions(await eye.look(), app)
    finally:
        await session.close()
        await cluster.run("postgres", f"drop database {other} with (force)")
    assert (row["database"], row["classes"]) == (other, ("text",))


async def test_a_statement_that_the_server_refuses_is_sampled(database: Database) -> None:
    """It has no query id, and may be an attempt all the same."""
    app = await application(database)
    session = await app.connect()
    async with sampling(database) as eye:
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await session.execute("select 1 where (name = 'x' or 1=1 --' and open)")
        (row,) = sessions(await eye.look(), app)
    assert (row["attack"], row["query_id"] or None) == ("tautology", None)


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("compute_query_id", "off", "alter system set compute_query_id = on"),
        ("track_activities", "off", "alter system set track_activities = on"),
    ],
)
async def test_a_server_that_does_not_tell_is_not_evaluated(
    database: Database, setting: str, value: str, remedy: str
) -> None:
    """Skipped, needs a setting; what it says to run mends it."""
    async with sampling(database) as eye:
        try:
            await configured(database, f"alter system set {setting} = {value}")
            seen = await eye.look()
            assert (seen.result, seen.needs) == (Result.SKIPPED, Needs.SETTING)
            assert remedy in seen.reason
            await configured(database, remedy)
            assert (await eye.look()).result is Result.OK
        finally:
            await configured(database, f"alter system reset {setting}")


async def configured(database: Database, statement: str) -> None:
    await database.execute(statement)
    await database.execute("select pg_reload_conf()")
    await database.execute("select pg_sleep(0.3)")


async def test_without_rights_it_is_denied(database: Database) -> None:
    """Others' texts would be `<insufficient privilege>`: told which role is lacking."""
    monitor = await database.as_monitor()
    await database.execute(f"revoke pg_monitor from {monitor.user}")
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
    assert (seen.result, seen.needs) == (Result.DENIED, Needs.RIGHTS)


@pytest.mark.parametrize("options", [{"remember": 0}, {"statements": 0}, {"statements": 5001}])
def test_a_senseless_memory_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="remember should be"):
        ActivityOptions(**options)
