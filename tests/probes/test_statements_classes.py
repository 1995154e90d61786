"""Totals by class on real servers: as the server's own, over resets and many roles; and texts as labels."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text

from monitor.expose.metrics import Exposition
from monitor.measurement import Measurement, Row
from probes.statements import PROBE, StatementsOptions
from probes.statements_classes import MOST
from probes.statements_reading import FULL_EVERY
from tests.database import Database
from tests.looking import Eye

CANARY = "correct-horse-battery"
CALLS, SECONDS = "pgarchitect_statements_class_calls_total", "pgarchitect_statements_class_exec_seconds_total"
INFO = "pgarchitect_statements_info"
WORLD = """
    create table rooms (id int primary key, name text);
    create function counted() returns bigint language plpgsql as
    $$ begin perform id from rooms where id = 1; return (select count(*) from rooms); end $$;
    grant all on rooms to public
"""
THEIRS = """
    select coalesce(sum(s.calls), 0)::int as calls, coalesce(sum(s.total_exec_time), 0)::float8 / 1000 as seconds
      from pg_stat_statements s
      join pg_roles r on r.oid = s.userid
      join pg_database d on d.oid = s.dbid
     where d.datname = current_database() and r.rolname = $1 and s.toplevel
"""


class Page:
    """The monitor's own role looking, and what its page says."""

    def __init__(self, eye: Eye) -> None:
        self._eye = eye
        self._exposition = Exposition()

    async def look(self) -> Measurement:
        seen = await self._eye.look()
        self._exposition.absorb(self._eye.probe, seen)
        return seen

    def samples(self, metric: str, **labels: str) -> list[Any]:
        text = self._exposition.page(openmetrics=False).decode()
        named = [sample for each in read_text(text) for sample in each.samples if sample.name == metric]
        return [each for each in named if labels.items() <= each.labels.items()]

    def sums(self, metric: str, **labels: str) -> dict[str, float]:
        """Give a metric by class."""
        found: dict[str, float] = {}
        for each in self.samples(metric, **labels):
            found[each.labels["class"]] = found.get(each.labels["class"], 0.0) + each.value
        return found


@asynccontextmanager
async def watching(database: Database, options: StatementsOptions | None = None) -> AsyncIterator[Page]:
    """A page after its first reading."""
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE, options=options) as eye:
        page = Page(eye)
        await page.look()
        yield page


async def ask(session: Any, times: int = 1) -> None:
    """So many calls of a simple statement, twice as many of a complex one, as many of a utility statement."""
    for turn in range(times):
        await session.fetch("select name from rooms where id = $1", turn)
        await session.fetch("select count(*) from rooms")
        await session.fetch("select max(id) from rooms")
        await session.execute("discard plans")


async def test_the_sums_are_those_of_the_server(any_database: Database) -> None:
    """Calls and time of one role add up to what pg_stat_statements holds; nested statements are in none of them."""
    await any_database.execute(WORLD)
    app = await any_database.as_monitor()
    await any_database.execute(f"alter role {app.user} set pg_stat_statements.track = 'all'")
    where = {"database": any_database.name, "role": str(app.user)}
    async with watching(any_database) as page:
        session = await app.connect()
        await ask(session, 5)
        for _ in range(3):
            await session.fetch("select counted()")
        await page.look()
        (theirs,) = await any_database.fetch(THEIRS, app.user)
    calls, seconds = page.sums(CALLS, **where), page.sums(SECONDS, **where)
    assert sum(calls.values()) == theirs["calls"]
    assert sum(seconds.values()) == pytest.approx(theirs["seconds"])
    assert (calls["complex"], calls["utility"]) == (10 + 3, 5)
    assert calls["simple"] == 5
    assert calls.get("unknown", 0) == 0


async def test_the_standard_of_100_ms_is_one_division(database: Database) -> None:
    """Time by calls of the class: what a simple statement takes, whatever complex ones do."""
    async with watching(database) as page:
        session = await database.connect()
        for _ in range(3):
            await session.fetch("select pg_sleep(0.12), $1::int as simple", 1)
            await session.fetch("select pg_sleep(0.01), count(*) from pg_class where relname = 'none'")
        await page.look()
    calls, seconds = page.sums(CALLS, database=database.name), page.sums(SECONDS, database=database.name)
    assert 0.1 < seconds["simple"] / calls["simple"] < 1
    assert seconds["complex"] / calls["complex"] < 0.1


async def test_a_reset_takes_nothing_away(database: Database) -> None:
    """The sums stand still over pg_stat_statements_reset(), and go on with what runs after."""
    await database.execute(WORLD)
    app = await database.as_monitor()
    session = await app.connect()
    async with watching(database) as page:
        await ask(session, 4)
        await page.look()
        before = page.sums(CALLS, role=str(app.user))
        await database.execute("select pg_stat_statements_reset()")
        await page.look()
        assert page.sums(CALLS, role=str(app.user)) == before
        await ask(session, 2)
        await page.look()
    after = page.sums(CALLS, role=str(app.user))
    assert {kind: after[kind] - before[kind] for kind in ("simple", "complex", "utility")} == {
        "simple": 2,
        "complex": 4,
        "utility": 2,
    }


async def test_a_failed_reading_leaves_the_sums_as_they_are(database: Database) -> None:
    """Without the extension nothing grows and nothing goes; the growth of the meantime is there afterwards."""
    await database.execute(WORLD)
    app = await database.as_monitor()
    session = await app.connect()
    async with watching(database) as page:
        await ask(session)
        await page.look()
        before = page.sums(CALLS, role=str(app.user))
        await database.execute("drop extension pg_stat_statements")
        await ask(session)
        await page.look()
        assert page.sums(CALLS, role=str(app.user)) == before
        await database.execute("create extension pg_stat_statements")
        await page.look()
    assert page.sums(CALLS, role=str(app.user))["complex"] == 4


async def test_roles_beyond_the_bound_are_one_series(database: Database) -> None:
    """The number of pairs is bounded, and no call is lost."""
    await database.execute(WORLD)
    roles = [f"many_{database.name}_{number}" for number in range(MOST + 3)]
    await database.execute(";".join(f"create role {role}" for role in roles))
    try:
        session = await database.connect()
        async with watching(database) as page:
            for role in roles:
                await session.execute(f"set role {role}")
                await session.fetch("select name from rooms where id = $1", 1)
            for _ in range(FULL_EVERY + 1):  # a change that looks known is seen with the next full reading
                await page.look()
    finally:
        await session.execute("reset role")
        await database.execute(";".join(f"drop role {role}" for role in roles))
    everywhere = {(each.labels["database"], each.labels["role"]) for each in page.samples(CALLS)}
    assert len([place for place in everywhere if place[1] != "other"]) == MOST
    here = page.samples(CALLS, database=database.name, **{"class": "simple"})
    assert sum(each.value for each in here) == len(roles)
    assert sum(each.value for each in here if each.labels["role"] == "other") >= 3


def texts(page: Page, database: Database) -> dict[str, str]:
    """The info metric's texts by fingerprint."""
    found = page.samples(INFO, database=database.name)
    assert all(each.value == 1 for each in found)
    by_query = {each.labels["query"]: each.labels["text"] for each in found}
    assert len(by_query) == len(found)
    return by_query


def queries(seen: Measurement, database: Database) -> set[object]:
    rows: Sequence[Row] = seen.exposed or ()
    return {row["query"] for row in rows if row["database"] == database.name} - {"other"}


async def test_no_text_is_a_label_unless_one_asks(database: Database) -> None:
    """By default, and with `text: off`, the page has classes and no word of a statement."""
    for options in (StatementsOptions(), StatementsOptions(text="off")):
        async with watching(database, options) as page:
            await database.fetch(f"select relname from pg_class where relname = '{CANARY}'")
            await page.look()
        assert page.samples(INFO) == []
        assert page.sums(CALLS, database=database.name)["simple"] >= 1


async def test_texts_are_labels_where_one_asks(any_database: Database) -> None:
    """Each series has one text, without constants and comments; it goes when its series goes."""
    async with watching(any_database, StatementsOptions(info=True, top=5, hold=0)) as page:
        await any_database.fetch(f"select relname from pg_class where relname = '{CANARY}' /* {CANARY} */")
        await any_database.fetch(f"select relname from pg_class where relname = '{CANARY}' and oid = 1")
        seen = await page.look()
        told = texts(page, any_database)
        assert told.keys() == queries(seen, any_database)
        assert "select relname from pg_class where relname = $1" in told.values()
        assert CANARY not in repr((told, seen.asides))
        for number in range(2, 9):
            await any_database.fetch(f"select {', '.join(['pg_sleep(0.01)'] * number)}")
        seen = await page.look()
        assert texts(page, any_database).keys() == queries(seen, any_database)
        assert not any("pg_class" in text for text in texts(page, any_database).values())


def test_texts_as_labels_need_texts() -> None:
    """`text: off` and `info: true` contradict each other."""
    with pytest.raises(ValueError, match="info shows texts"):
        StatementsOptions(text="off", info=True)
