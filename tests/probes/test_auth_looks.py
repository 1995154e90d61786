"""How often a link is looked at: a dear look rests, an unchanged clean one is believed for a while, no longer."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest

from monitor.errors import ProbeError, ProbeTimeout
from monitor.measurement import Row
from monitor.probe import Facts
from probes.auth_links_discovery import Column
from probes.auth_links_looks import STALE, Kept, Looks, Seen, look
from tests.database import Cluster, Database
from tests.probes.people import found_auth, profiles

COLUMN = Column(schema="public", table="users", column="auth_user_id")
NOTHING: Row = {
    **dict.fromkeys(("orphans", "unaged", "missing"), 0),
    **{name: [] for name in ("orphan_keys", "orphan_old", "orphan_unaged", "missing_keys", "missing_old")},
    "eligible": None,
}


@dataclass
class CountingEye:
    """Sees nothing wrong, takes its time about it, and counts; or fails."""

    takes: float = 0.0
    fails: ProbeError | None = None
    looks: int = 0
    schema: str = "auth"

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str:
        return ""

    async def look(self, column: Column, grace: float, *, eligible: bool) -> Row:
        self.looks += 1
        await asyncio.sleep(self.takes)
        if self.fails:
            raise self.fails
        return NOTHING

    async def sample(self, column: Column) -> Row:
        return {}


@dataclass
class PlainSession:
    """A session without guards."""

    connection: asyncpg.Connection
    in_recovery: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def facts(self) -> Facts:
        return Facts(
            version_num=180000, version="18", database="d", role="r", in_recovery=self.in_recovery, superuser=True,
            started_at=0.0,
        )  # fmt: skip

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        self.asked.append(sql)
        return [dict(row) for row in await self.connection.fetch(sql, *arguments)]


@pytest.fixture
async def people(cluster: Cluster) -> AsyncIterator[Database]:
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        await profiles(fresh)
        yield fresh


async def test_a_cheap_look_is_taken_each_time(people: Database) -> None:
    """Nothing stale where nothing is saved."""
    eye, kept, session = CountingEye(), Kept(), PlainSession(await people.connect())
    for _ in range(3):
        await look(session, eye, COLUMN, kept, 300.0)
    assert eye.looks == 3


async def test_a_dear_look_rests_a_hundred_times_as_long(people: Database) -> None:
    """One in a hundred seconds at most is spent looking."""
    eye, kept, session = CountingEye(takes=0.15), Kept(), PlainSession(await people.connect())
    first = await look(session, eye, COLUMN, kept, 300.0)
    assert await look(session, eye, COLUMN, kept, 300.0) is first
    kept.at -= 100 * kept.took + 1
    await look(session, eye, COLUMN, kept, 300.0)
    assert eye.looks == 2


async def test_a_dear_failure_rests_and_is_said_again(people: Database) -> None:
    """What timed out is not an old all-clear in between."""
    eye, kept, session = CountingEye(), Kept(), PlainSession(await people.connect())
    await look(session, eye, COLUMN, kept, 300.0)
    eye.takes, eye.fails = 0.15, ProbeTimeout("cancelled after 5 s")
    for _ in range(3):
        with pytest.raises(ProbeTimeout):
            await look(session, eye, COLUMN, kept, 300.0)
    assert eye.looks == 2


async def rested(session: PlainSession, eye: CountingEye, *, clean: bool = True) -> Kept:
    """Give a dear look of the past that may be repeated."""
    kept = Kept(took=0.2, at=time.monotonic() - 1000, seen=Seen(clean=clean))
    await look(session, eye, COLUMN, kept, 300.0)
    kept.took, kept.at = 0.2, time.monotonic() - 30
    return kept


@pytest.mark.parametrize(
    "change",
    [
        "insert into public.users (auth_user_id) values (null)",
        "delete from auth.users",
        "truncate public.users",
        "update auth.users set deleted_at = now()",
    ],
)
async def test_unchanged_tables_are_not_looked_at_again(people: Database, change: str) -> None:
    """Until any row of either came, went or changed."""
    await asyncio.sleep(1.2)
    eye, session = CountingEye(), PlainSession(await people.connect())
    kept = await rested(session, eye)
    await look(session, eye, COLUMN, kept, 300.0)
    assert eye.looks == 1
    changer = await people.connect()
    await changer.execute(change)
    await changer.close()
    await asyncio.sleep(1.2)
    await look(session, eye, COLUMN, kept, 300.0)
    assert eye.looks == 2


async def test_an_unchanged_table_is_looked_at_again_where_that_proves_nothing(people: Database) -> None:
    """After ten minutes, on a standby (which keeps no counters), and while something was left over."""
    session = PlainSession(await people.connect())
    standby = PlainSession(await people.connect(), in_recovery=True)
    for case, clean, age in ((session, True, STALE + 1), (standby, True, 30), (session, False, 30)):
        eye = CountingEye()
        kept = await rested(case, eye)
        kept.at, kept.seen = time.monotonic() - age, Seen(clean=clean)
        await look(case, eye, COLUMN, kept, 300.0)
        assert eye.looks == 2


def test_links_that_are_gone_are_forgotten() -> None:
    """Memory does not grow with tables that come and go."""
    looks = Looks()
    kept = looks.of(COLUMN)
    looks.only([COLUMN])
    assert looks.of(COLUMN) is kept
    looks.only([])
    assert looks.of(COLUMN) is not kept
