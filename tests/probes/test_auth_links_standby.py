"""Links on a standby: what stands there is found, what has not arrived yet is nobody's fault."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from probes.auth_links import PROBE
from probes.auth_links_options import AuthOptions, Link
from probes.auth_links_shape import lag
from tests.conftest import absent
from tests.database import Database
from tests.probes.people import found_auth, orphan, profiles, sign_up
from tests.probes.sweeps import Recorder, asking, sweep
from tests.standby import follows, on, primary_of, standby_of, until
from tests.versions import NEWEST, binaries

LINK = Link(table="public.users", column="auth_user_id", created_at="created_at", every_user=True)
GRACE = 1.0


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Database, Database]]:
    """A primary and its standby, in step, with people."""
    if binaries(NEWEST) is None:
        absent(f"PostgreSQL {NEWEST} is not fetched: python -m tests.versions fetch")
    async with primary_of(NEWEST) as cluster:
        primary = on(cluster.server, cluster.server)
        await found_auth(primary)
        await profiles(primary, 2500)
        async with standby_of(primary, cluster.server, NEWEST, name="one") as server:
            standby = on(server, cluster.server)
            await follows(primary, "one")
            yield primary, standby
            await standby.close()
        await primary.close()


async def counts(database: Database, grace: float) -> dict[str, object]:
    options = AuthOptions(links=(LINK,), grace=grace)
    async with database.eye(PROBE, options=options, snapshot=True) as eye:
        found = eye.findings(await eye.look())
        return {each.rule: each.evidence["count"] for each in found if "count" in each.evidence}


@pytest.mark.soak
async def test_a_standby_tells_the_same_and_invents_nothing_while_it_lags(pair: tuple[Database, Database]) -> None:
    """In step it finds what the primary finds. While its replay is paused, its rows are as young as they look there."""
    primary, standby = pair
    assert await counts(standby, GRACE) == {}
    await orphan(primary, 3)
    await sign_up(primary, 2)
    await follows(primary, "one")
    wanted = {"auth_links.orphaned_profile": 3, "auth_links.missing_profile": 2}
    assert await counts(primary, GRACE) == wanted
    assert await counts(standby, GRACE) == wanted
    session = Recorder(standby, in_recovery=True)
    ask = await asking(session)
    known = await sweep(ask)
    assert (known.seen(ask).orphans, known.seen(ask).missing) == (3, 2)
    many = len(session.slices)
    await known.run(ask, 1.0)
    assert len(session.slices) in (many, many + 3)  # a checkpoint may have come along
    await delayed(primary, standby)
    assert await lag(session) > GRACE
    assert await counts(standby, GRACE) == wanted
    await standby.execute("select pg_wal_replay_resume()")


async def delayed(primary: Database, standby: Database) -> None:
    """Let the standby stop between a profile and its user: the profile comes first, the user is received only."""
    await orphan(primary, 1, created_at="now()")
    await follows(primary, "one")
    await standby.execute("select pg_wal_replay_pause()")

    async def paused() -> bool:
        return bool(await standby.value("select pg_get_wal_replay_pause_state() = 'paused'"))

    await until(paused)
    await primary.execute("insert into auth.users (id) select auth_user_id from public.users order by id desc limit 1")

    async def received() -> bool:
        return bool(await standby.value("select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"))

    await until(received)
    await asyncio.sleep(2 * GRACE)
