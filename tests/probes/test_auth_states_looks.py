"""When a link's rows are read: a dear turn rests while nothing changed; a long one goes on slice by slice."""

import json
import math
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from monitor.errors import Needs, ProbeTimeout
from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Target
from monitor.probe import sight_states
from probes.auth_links_discovery import Column, Origin
from probes.auth_links_known import Known
from probes.auth_links_options import Link as Declared
from probes.auth_sight import Way
from probes.auth_states import PROBE, SoftDeletedUser
from probes.auth_states_looks import LEAST_REST, REST, SMALL, Eye, Reader, States
from probes.auth_states_traits import Link, StateReading, links_of
from probes.auth_sweep import Sweeps
from tests.database import Cluster, Database
from tests.probes.people import found_auth, profiles
from tests.probes.test_auth_looks import PlainSession

DECLARED = Declared(table="public.users", column="auth_user_id", one_per_user=True)
COLUMN = Column(schema="public", table="users", column="auth_user_id", declared=DECLARED)


class Bench:
    """A reader over one memory, on a real table; each run has time for one slice unless told otherwise."""

    def __init__(self, session: PlainSession, sweeps: Sweeps | None = None) -> None:
        self.session, self.sweeps, self.states = session, sweeps or Sweeps(), States()

    async def link(self) -> Link:
        (link,) = await links_of(self.session, "auth", [Known(column=COLUMN, origin=Origin.DECLARED)])
        return link

    async def run(self, seconds: float = 0.0) -> StateReading:
        way = Way(self.session, "auth", lent=False)
        reader = Reader(
            session=self.session, grace=300.0, eyes=[Eye(way=way, blind="")], sweeps=self.sweeps, states=self.states,
            has_deletion=True, first_seconds=seconds, seconds=seconds,
        )  # fmt: skip
        (reading,) = await reader.all([await self.link()])
        return reading

    async def slices(self) -> int:
        """Run once more and tell how many slices were read."""
        before = len(self.session.asked)
        await self.run(60)
        return sum("with head as" in sql and "format(" not in sql for sql in self.session.asked[before:])


@pytest.fixture
async def people(cluster: Cluster) -> AsyncIterator[Database]:
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        yield fresh


async def bench(database: Database, many: int = 30) -> Bench:
    await profiles(database, many, "unique")
    await database.execute(
        "update auth.users set deleted_at = now() - interval '3 days' where id in"
        " (select auth_user_id from public.users where id % 10 = 0)"
    )
    return Bench(PlainSession(await database.connect()))


async def test_a_small_table_is_read_each_time(people: Database) -> None:
    """Nothing stale where nothing is saved."""
    looks = await bench(people)
    assert [await looks.slices() for _ in range(3)] == [1, 1, 1]


async def test_a_dear_turn_rests_while_nothing_changed(people: Database) -> None:
    """In proportion to what it took; a change, a ban that ends, or a standby without counters ends the rest."""
    looks = await bench(people, SMALL + 1)
    await people.execute("select pg_stat_force_next_flush()")
    await looks.run(60)
    kept = looks.states.of(await looks.link())
    kept.took = 0.2
    assert await looks.slices() == 0
    kept.at -= max(LEAST_REST, REST * 0.2) - 5
    assert await looks.slices() == 0
    kept.at -= 10
    assert await looks.slices() > 0
    kept.took, kept.changes_at = 0.2, time.time() - 1
    assert await looks.slices() > 0
    kept.took, kept.changes_at = 0.2, math.inf
    looks.session.in_recovery = True
    assert await looks.slices() > 0
    looks.session.in_recovery, kept.took = False, 0.2
    await people.execute("update public.users set name = 'x' where id = 1")
    await people.execute("select pg_stat_force_next_flush()")
    assert await looks.slices() > 0


async def test_a_ban_that_ends_is_read_anew_when_it_ends(people: Database) -> None:
    """Time alone changes states; one without end does not."""
    looks = await bench(people)
    await people.execute("update auth.users set banned_until = 'infinity'")
    await looks.run()
    kept = looks.states.of(await looks.link())
    assert kept.changes_at == math.inf
    await people.execute(
        "update auth.users set banned_until = now() + interval '1 hour' where id ="
        " (select auth_user_id from public.users where id = 1)"
    )
    await looks.run()
    assert 3500 < kept.changes_at - time.time() < 3700


async def test_a_big_table_is_judged_in_part_and_exact_when_the_turn_is_over(people: Database) -> None:
    """Each run goes on where the last one stopped, also after a restart; what was not looked at is said."""
    looks = await bench(people, 12_000)
    reading = await looks.run()
    assert 0 < reading.share < 1
    assert not reading.whole
    said = list(SoftDeletedUser().check(measured(reading)))
    assert [each.evidence["count"] for each in said if isinstance(each, Finding)] == [reading.count("deleted")]
    (unsaid,) = (each for each in said if isinstance(each, NoVerdict))
    assert (unsaid.needs, unsaid.reason) == (
        Needs.TIME, f"{reading.share:.0%} of public.users was looked at so far"
    )  # fmt: skip
    restarted = Sweeps()
    restarted.restore(json.loads(json.dumps(looks.sweeps.document())))
    looks = Bench(looks.session, restarted)
    while not (reading := await looks.run()).whole:
        assert 0 < reading.share < 1
    assert (reading.count("deleted"), reading.count("users")) == (1200, 12_000)
    said = list(SoftDeletedUser(after_days=2).check(measured(reading)))
    assert [each.needs for each in said if isinstance(each, NoVerdict)] in ([], [Needs.TIME])


def measured(reading: StateReading) -> Measurement:
    """Make a measurement of one link's reading."""
    row = {"link": reading.column.subject, "state": "malformed", "rows": 0, "reading": reading}
    return Measurement(
        target=Target("test", "shop"), probe=PROBE.name, taken_at=datetime.now(UTC), rows=[row], options=PROBE.options
    )


async def test_a_lock_in_the_way_is_said_and_the_next_run_tries_again(people: Database) -> None:
    """A failure is the link's alone, and no verdict."""
    looks = await bench(people)
    await looks.run()
    held = await people.connect()
    await held.execute("begin; lock table public.users")
    await looks.session.connection.execute("set lock_timeout = '50ms'")
    reading = await Bench(LockedSession(looks.session.connection), looks.sweeps).run()
    assert (reading.needs, reading.counts) == (Needs.TIME, None)
    await held.execute("rollback")
    assert (await looks.run()).count("deleted") == 3


class LockedSession(PlainSession):
    """Says of a lock what the guarded session says."""

    async def fetch(self, sql: str, *arguments: object) -> list[dict[str, object]]:
        try:
            return [dict(row) for row in await self.connection.fetch(sql, *arguments)]
        except asyncpg.PostgresError as error:
            raise ProbeTimeout("would have waited for a lock") from error


async def test_the_text_that_is_run_and_the_function_ask_for_the_same(people: Database) -> None:
    """Names of the answer's columns, in their order."""
    await bench(people)
    session = await people.connect()
    written = await session.fetchval(sight_states.SLICE.write, "auth", "public", "users", "auth_user_id", "name")
    names = [each.name for each in (await session.prepare(written)).get_attributes()]
    assert names == [each.split()[0] for each in sight_states.SLICE.columns.split(", ")]
    assert sight_states.SLICE.types.count(",") == 9
