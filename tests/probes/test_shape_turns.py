"""A shape that is read in turns: how far it is, what stands in meanwhile, and what has to be seen by the next turn."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

import asyncpg
import pytest

from monitor.advisors.index.redundant import Duplicate
from monitor.cli.grants import Wanted, grants_sql
from monitor.collect.runner import Clock, Runner
from monitor.collect.way import Guarded
from monitor.daemon.watch import Watch
from monitor.errors import Needs, ProbeSkipped, TargetUnreachable
from monitor.measurement import Measurement
from monitor.model import Secret, Server
from monitor.probe import Facts, Probe, Row, Session
from monitor.report.snapshot import Question, take_snapshot
from monitor.schedule import Schedule, Tasks
from monitor.shape import Shape
from monitor.shaped import shape_of
from monitor.sight.lent import SHAPE, take_back
from probes.shape import PROBE
from probes.shape_rounds import FORMER_SECONDS, Kept, Pace
from tests.database import Database
from tests.patience import PATIENCE
from tests.standby import follows, on, primary_of, standby_of
from tests.versions import NEWEST

SLOW = Pace(columns=4)
TABLES = 30
LARGE = "".join(
    f"create table t{number} ({', '.join(f'c{column} int' for column in range(100))});" for number in range(TABLES)
)
"""More than one visit reads."""
PEOPLE = """
    create table people (id int primary key, mood text, born date);
    insert into people select g, 'm' || g % 3, now() from generate_series(1, 300) g;
    create table others (id int primary key);
    insert into others values (1), (2);
    analyze;
"""


async def taken(kept: Kept, session: Session, pace: Pace = SLOW) -> Shape:
    """Go through one round."""
    await kept.visit(session, pace)
    while kept.round is not None:
        await kept.visit(session, pace)
    assert kept.shape is not None
    return kept.shape


async def test_a_large_database_is_read_over_several_visits(database: Database) -> None:
    """Until all of it is known once there is no advice, and it is said how far it is; then what is known stands."""
    await database.execute(LARGE)
    async with database.eye(PROBE) as eye:
        first = await eye.look()
        assert first.unfinished
        with pytest.raises(ProbeSkipped, match=f"of {TABLES} tables are read so far") as raised:
            shape_of(first)
        assert raised.value.needs is Needs.HISTORY
        seen = await finished(eye.look)
        known = shape_of(seen)
        assert (len(known.tables), seen.reason) == (TABLES, "")
        await database.execute("alter table t7 add more int")
        again = shape_of(seen := await finished(eye.look))
        assert [each.name for oid, each in again.tables.items() if each is not known.tables[oid]] == ["t7"]
        await database.execute(";".join(f"alter table t{number} add later int" for number in range(TABLES)))
        under_way = await eye.look()
        assert (under_way.unfinished, under_way.taken_at) == (True, seen.taken_at)
        assert shape_of(under_way).tables == again.tables
        last = shape_of(await finished(eye.look))
    assert {len(each.columns) for each in last.tables.values()} == {101, 102}


async def finished(look: Callable[[], Awaitable[Measurement]]) -> Measurement:
    """Look until the reading is done."""
    while (seen := await look()).unfinished:
        pass
    return seen


async def test_a_snapshot_goes_on_to_the_end(database: Database) -> None:
    """A report of a large database speaks of all its tables, and tells how far it is."""
    await database.execute(LARGE + "create index one on t9 (c1); create index two on t9 (c1)")
    await database.execute("insert into t9 (c1) select generate_series(1, 20000)")
    await database.execute("vacuum analyze t9")
    told: list[str] = []
    server = Server(name="shop", dsn=Secret(database.dsn), only=database.name)
    question = Question(servers=(server,), probes=(PROBE,), advisors=(Duplicate(),), window=0)
    review = await take_snapshot(question, told.append)
    assert [finding.rule for finding in review.findings] == ["index.duplicate"]
    assert [each.reason for each in review.not_evaluated] == []
    assert [line for line in told if f"of {TABLES} tables" in line]


class Desk:
    """Takes note of what is read."""

    def __init__(self) -> None:
        self.seen: list[Measurement] = []
        self.done = asyncio.Event()

    async def take(self, server: Server, probe: Probe, seen: Measurement) -> None:
        assert (server.name, probe.name) == ("shop", PROBE.name)
        self.seen.append(seen)
        if not seen.unfinished:
            self.done.set()

    def left(self, server: Server, database: str) -> None: ...

    def remaining(self, server: Server, databases: Collection[str]) -> None: ...

    def turned(self, server: Server) -> None: ...


async def test_the_daemon_goes_on_soon(database: Database) -> None:
    """Not half an hour later, which is when the probe is due again, but after a few seconds."""
    await database.execute(LARGE)
    desk, tasks, schedule = Desk(), Tasks(), Schedule()
    server = Server(name="shop", dsn=Secret(database.dsn), only=database.name)
    watch = Watch(server, [PROBE], desk, Runner(), tasks=tasks, crowd=asyncio.Semaphore(1), clock=Clock())
    schedule.begin()
    try:
        watch.begin(schedule)
        async with asyncio.timeout(30 * PATIENCE):
            await desk.done.wait()
    finally:
        schedule.end()
        await watch.close()
    assert [seen.unfinished for seen in desk.seen][-2:] == [True, False]
    assert len(shape_of(desk.seen[-1]).tables) == TABLES


class Flaky:
    """A real session that is lost before the nth question."""

    def __init__(self, session: Guarded, lost_at: int) -> None:
        self._session, self._left = session, lost_at

    @property
    def facts(self) -> Facts:
        return self._session.facts

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        self._left -= 1
        if not self._left:
            raise TargetUnreachable("the server closed the connection")
        return await self._session.fetch(sql, *arguments)


async def test_a_lost_connection_loses_no_table(database: Database) -> None:
    """Wherever it happens: what was asked for is asked again, and nothing is taken for read that was not."""
    await database.execute(PEOPLE + "".join(f"create table more{number} (a int, b int, c int);" for number in range(5)))
    async with database.eye(PROBE) as eye, eye.server.visit(database.name, stay=True) as session:
        lost_at, ended = 0, False
        while not ended:
            lost_at, kept = lost_at + 1, Kept()
            try:
                await taken(kept, Flaky(session, lost_at))
                ended = True
            except TargetUnreachable:
                assert kept.shape is None
            assert len((await taken(kept, session)).tables) == 7
    assert lost_at > 40


async def test_other_rights_are_seen_by_the_next_round(database: Database) -> None:
    """What is lent, what is taken back, membership of a role, and the right to read one table alone."""
    await database.execute(PEOPLE)
    role, kept = await database.as_monitor(), Kept()

    def known(read: Shape) -> tuple[str, set[str]]:
        return read.statistics, {t.name for t in read.tables.values() if any(c.statistics for c in t.columns)}

    async with role.eye(PROBE) as eye, eye.server.visit(database.name, stay=True) as session:
        assert known(await taken(kept, session)) == ("functions", {"people", "others"})
        await database.execute(";".join(take_back(SHAPE)))
        assert known(await taken(kept, session)) == ("none", set())
        await database.execute(f"grant select on people to {role.user}")
        assert known(await taken(kept, session)) == ("direct", {"people"})
        await database.execute(f"grant pg_read_all_data to {role.user}")
        assert known(await taken(kept, session)) == ("direct", {"people", "others"})
        await database.execute(f"revoke pg_read_all_data from {role.user}; revoke select on people from {role.user}")
        assert known(await taken(kept, session)) == ("none", set())
        await database.execute(";".join(grants_sql(Wanted(role=str(role.user), auth="none"))))
        assert known(await taken(kept, session)) == ("functions", {"people", "others"})


async def test_a_database_that_was_made_anew_is_another(database: Database) -> None:
    """A copy has the same oids, and rows that are older than what was read last under its name."""
    await database.execute(PEOPLE)
    await database.close()
    copy, kept = Database(database.server, f"{database.name}_copy"), Kept()
    admin = await asyncpg.connect(database.server.dsn("postgres"), timeout=10)
    await admin.execute(f"create database {copy.name} template {database.name}")
    try:
        await database.execute("alter table people rename to persons")
        for each, name in ((database, "persons"), (copy, "people")):
            async with each.eye(PROBE) as eye, eye.server.visit(each.name) as session:
                read = await taken(kept, session)
            assert sorted(table.name for table in read.tables.values()) == ["others", name]
    finally:
        await admin.execute(f"drop database {copy.name} with (force)")
        await admin.close()


async def test_an_old_reading_does_not_stand_in_for_ever(database: Database) -> None:
    """A table that stays locked is left out after two hours, and is back once it is free."""
    await database.execute(PEOPLE)
    kept, holder = Kept(), await database.connect()
    async with database.eye(PROBE) as eye, eye.server.visit(database.name, stay=True) as session:
        await taken(kept, session)
        async with holder.transaction():
            await holder.execute("lock table people in access exclusive mode")
            late = await taken(kept, session)
            assert ([*late.late], len(late.tables)) == (["public.people"], 2)
            kept.stale = {oid: since - FORMER_SECONDS for oid, since in kept.stale.items()}
            gone = await taken(kept, session)
            assert ([*gone.left_out], len(gone.tables)) == (["public.people"], 1)
        back = await taken(kept, session)
    assert (back.left_out, back.late, len(back.tables)) == ({}, {}, 2)


async def test_what_was_under_way_is_seen_once_it_is_committed(any_database: Database) -> None:
    """A change is older than the reading that could not see it; one that was undone changes nothing."""
    await any_database.execute(PEOPLE)
    kept, slow, undone = Kept(), await any_database.connect(), await any_database.connect()
    async with any_database.eye(PROBE) as eye, eye.server.visit(any_database.name, stay=True) as session:
        await taken(kept, session)
        changing, other = slow.transaction(), undone.transaction()
        await changing.start()
        await slow.execute("savepoint deeper; create index slow on people (mood)")
        await other.start()
        await undone.execute("create index undone on others (id)")
        await any_database.execute("create table later (id int)")
        during = await taken(kept, session)
        await changing.commit()
        await other.rollback()
        after = await taken(kept, session)
    assert [names(read) for read in (during, after)] == [
        {"people_pkey", "others_pkey"},
        {"people_pkey", "others_pkey", "slow"},
    ]
    assert {table.name for table in during.tables.values()} == {"people", "others", "later"}


def names(read: Shape) -> set[str]:
    return {index.name for table in read.tables.values() for index in table.indexes}


async def test_a_standby_is_read_in_turns_too() -> None:
    """Its catalogue changes by replay, and it has no transactions of its own."""
    kept = Kept()
    async with primary_of(NEWEST) as cluster:
        await cluster.prepare()
        async with cluster.fresh() as database, standby_of(database, cluster.server, NEWEST, name="copy") as server:
            await database.execute(PEOPLE)
            await follows(database, "copy")
            copy = on(server, cluster.server, database.name)
            async with copy.eye(PROBE) as eye, eye.server.visit(copy.name, stay=True) as session:
                await taken(kept, session)
                await database.execute("alter table people rename mood to temper; create index fresh on others (id)")
                await follows(database, "copy")
                read = await taken(kept, session)
    people = read.named("public", "people")
    assert people is not None
    assert ("temper" in people.by_name, "fresh" in names(read), read.in_recovery) == (True, True, True)
