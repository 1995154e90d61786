"""The newest rows and users of a big link are looked at before the sweep comes by, where an index leads with time."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from monitor.measurement import number
from probes.auth_links import PROBE
from probes.auth_links_advice import Checked, orphan_remedy
from probes.auth_links_discovery import Origin
from probes.auth_links_looks import Seen
from probes.auth_links_newest import OLDEST, Newest, Side
from probes.auth_links_options import AuthOptions
from probes.auth_links_reading import LinkReading
from probes.auth_links_sweep import LinkSweep
from tests.database import Cluster, Database
from tests.probes.people import found_auth, orphan, profiles, sign_up
from tests.probes.sweeps import A_LONG_TIME, COLUMN, LINK, Recorder, asking, lent_to

MANY = 3500
GRACE = 3.0
INDEXES = "create index on auth.users (created_at desc); create index on public.users (created_at)"
RIPE = "now() - interval '6 minutes'"


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level, many people, and both indexes."""
    async with cluster.fresh() as fresh:
        await peopled(fresh)
        yield fresh


async def peopled(database: Database, type_: str = "uuid") -> None:
    """Make many people of two hours ago."""
    await found_auth(database)
    await profiles(database, MANY, "")
    await database.execute(
        f"alter table public.users alter auth_user_id type {type_} using auth_user_id::text::{type_}"
    )
    for table in ("auth.users", "public.users"):
        await database.execute(f"update {table} set created_at = now() - interval '2 hours'")
    await database.execute(f"create index on public.users (auth_user_id); {INDEXES}")
    await database.execute("vacuum analyze")


async def strangers(database: Database) -> None:
    """Add one orphan and one user without a row who are old enough, and as many who are not."""
    for born in (RIPE, "now()"):
        await orphan(database, 1, created_at=born)
        await sign_up(database, 1, f"created_at = {born}, email_confirmed_at = {born}")


async def passes(session: Recorder, known: LinkSweep, many: int, *, lent: bool = False, state: object = None) -> Seen:
    """Go through the newest so often, a second between, without the sweep; give what is known then."""
    for turn in range(many):
        await asyncio.sleep(min(turn, 1))
        await known.new(await asking(session, lent=lent), A_LONG_TIME, state)
    return known.seen(await asking(session, lent=lent))


async def counts(database: Database, *, lent: bool = False) -> tuple[int, int]:
    session = Recorder(database)
    seen = await passes(session, LinkSweep((await asking(session, lent=lent)).ways), 2, lent=lent)
    return seen.orphans, seen.missing


async def test_every_version_finds_the_newest_both_ways_of_sight(any_database: Database) -> None:
    """In two runs, by our own role and through the functions; the young are nobody's concern."""
    await peopled(any_database)
    await strangers(any_database)
    assert await counts(any_database) == (1, 1)
    assert await counts(await lent_to(any_database), lent=True) == (1, 1)


@pytest.mark.soak
async def test_every_version_finds_the_newest_rows_of_a_text(any_database: Database) -> None:
    """By place; users without a row are left to the sweep, which knows their stranger spellings."""
    await peopled(any_database, "text")
    await strangers(any_database)
    assert await counts(any_database) == (1, 0)
    assert await counts(await lent_to(any_database), lent=True) == (1, 0)


async def test_one_look_accuses_nobody(auth: Database) -> None:
    """Nor do any number of looks at the young; who is cured between two looks is forgotten."""
    await strangers(auth)
    session = Recorder(auth)
    known = LinkSweep((await asking(session)).ways)
    seen = await passes(session, known, 1)
    assert (seen.orphans, seen.missing, seen.missing_once) == (0, 0, 1)
    await auth.execute("delete from public.users p where not exists (select from auth.users where id = auth_user_id)")
    await asyncio.sleep(1)
    await known.again(await asking(session), A_LONG_TIME)
    assert (known.seen(await asking(session)).orphans, len(known.orphans.held)) == (0, 0)


async def test_whom_the_sweep_meets_too_counts_once(auth: Database) -> None:
    """Two rows of one stranger, a new one and an old one: the same before and after the sweep came by."""
    await strangers(auth)
    await auth.execute(
        "insert into public.users (auth_user_id) select auth_user_id from public.users p"
        f" where created_at < {RIPE} + interval '1 s' and not exists (select from auth.users where id = auth_user_id)"
    )
    session = Recorder(auth)
    ask = await asking(session)
    known = LinkSweep(ask.ways)
    seen = await passes(session, known, 2)
    assert (seen.orphans, seen.missing) == (2, 1)
    await known.run(ask, A_LONG_TIME)
    await passes(session, known, 1)
    assert (known.seen(ask).orphans, known.seen(ask).missing, known.seen(ask).looked) == (2, 1, 1.0)


async def test_unchanged_tables_are_not_asked_for_newest(auth: Database) -> None:
    """Once all rows were looked at twice since the counters moved last; the next change begins anew."""
    session = Recorder(auth)
    ask = replace(await asking(session), grace=0.0)
    known = LinkSweep(ask.ways)

    async def looks(state: str, many: int) -> int:
        before = len(session.slices)
        for _ in range(many):
            await known.new(replace(await asking(session), grace=0.0), A_LONG_TIME, state)
            await asyncio.sleep(1.1)
        return len(session.slices) - before

    assert await looks("one", 4) > 2
    assert await looks("one", 2) == 0
    await orphan(auth, 1, created_at="now() - interval '10 s'")
    assert await looks("two", 2) == 4
    assert known.seen(ask).orphans == 1


@pytest.mark.parametrize("gone", ["drop index public.users_created_at_idx", "alter table public.users drop created_at"])
async def test_without_an_index_new_rows_wait_for_the_sweep(auth: Database, gone: str) -> None:
    """No statement reads a table for want of one; suspects found before stay until the sweep has come by."""
    await strangers(auth)
    session = Recorder(auth)
    known = LinkSweep((await asking(session)).ways)
    await passes(session, known, 2)
    await auth.execute(gone)
    await asyncio.sleep(1)
    column = COLUMN if "index" in gone else replace(COLUMN, created=None)
    ask = await asking(session, column=column)
    many = len(session.slices)
    await known.new(ask, A_LONG_TIME, None)
    assert (list(ask.clocks), len(session.slices) - many) == (["new_users"], 1)
    wanted = "no index begins with created_at" if "index" in gone else "no time is known"
    assert ask.new_wait == f"new rows wait for the sweep: {wanted}"
    await known.again(ask, A_LONG_TIME)
    seen = known.seen(ask)
    assert (seen.orphans, seen.index_helps, list(seen.new_ages)) == (1, False, ["new_users"])
    reading = LinkReading(column=column, origin=Origin.DECLARED, seen=replace(seen, index_helps=True))
    advice = orphan_remedy(reading, "auth.users", Checked(1, 300.0)).caution
    assert ("create index concurrently on public.users (created_at)" in advice) is ("index" in gone)
    await auth.execute("delete from public.users p where not exists (select from auth.users where id = auth_user_id)")
    await known.run(ask, A_LONG_TIME)
    assert known.seen(ask).orphans == 0


@pytest.mark.parametrize(
    "index",
    ["(created_at) where name is not null", "(name, created_at)", "using hash (created_at)", "((created_at is null))"],
)
async def test_an_index_that_does_not_serve_is_none(auth: Database, index: str) -> None:
    """Partial, led by another column, without order."""
    using = index if index.startswith("using") else f"using btree {index}"
    await auth.execute(f"drop index public.users_created_at_idx; create index on public.users {using}")
    assert list((await asking(Recorder(auth))).clocks) == ["new_users"]


async def test_a_time_without_zone_is_read_as_utc_or_later(auth: Database) -> None:
    """A new row is met in time, wherever the session is."""
    await auth.execute("alter table public.users alter created_at type timestamp using created_at at time zone 'UTC'")
    await orphan(auth, 1, created_at="now() at time zone 'UTC' - interval '6 minutes'")
    assert await counts(auth) == (1, 0)


async def test_more_rows_than_a_slice_holds_are_looked_at_in_several(auth: Database) -> None:
    """Each bounded; what thousands of one second hide is the sweep's, and stops nobody."""
    await auth.execute("update public.users set created_at = now() - interval '20 minutes' - id * interval '100 ms'")
    await auth.execute(f"update auth.users set created_at = {RIPE} - interval '1 minute'")
    await strangers(auth)
    session = Recorder(auth)
    known = LinkSweep((await asking(session)).ways)
    seen = await passes(session, known, 2)
    assert (seen.orphans, seen.missing) == (1, 1)
    assert len([row for row in session.slices if row["next"]]) >= 6
    assert all(str(row["next"]).isdigit() for row in session.slices if row["next"])


async def test_a_restart_goes_on_where_it_was(auth: Database) -> None:
    """Kept as JSON with the sweep; a document of before is read as well."""
    await strangers(auth)
    session = Recorder(auth)
    ask = await asking(session)
    known = LinkSweep(ask.ways)
    await passes(session, known, 1)
    document = json.loads(json.dumps(known.document()))
    again = LinkSweep.restored(document)
    assert again.newest.document() == known.newest.document() != {}
    await asyncio.sleep(1)
    seen = await passes(session, again, 1)
    assert (seen.orphans, seen.missing) == (1, 1)
    del document["newest"]
    assert LinkSweep.restored(document).newest.sides == {}
    with pytest.raises(TypeError):
        Newest().restore([])


HUNDREDS_OF_THOUSANDS = """
    insert into auth.users (id, created_at, email_confirmed_at)
    select gen_random_uuid(), now() - interval '1 day', now() - interval '1 day' from generate_series(1, 200000);
    insert into public.users (auth_user_id, created_at) select id, created_at from auth.users;
    analyze auth.users, public.users
"""
LAST = "ffffffff-ffff-4fff-bfff-fffffffffff"


@pytest.mark.soak
async def test_one_new_orphan_is_reported_within_two_cycles_and_the_grace(auth: Database) -> None:
    """Among 200,000 users, by the probe, while the sweep, with hardly any time, is still far away; and a lone user."""
    await auth.execute(HUNDREDS_OF_THOUSANDS)
    options = AuthOptions(links=(LINK,), duty=0.0001, grace=GRACE)
    async with auth.eye(PROBE, options=options) as eye:
        while (await eye.look()).asides["sweep"][0]["sweep_progress_ratio"] != 1.0:  # noqa: ASYNC110 - it needs time
            await asyncio.sleep(1)
        await auth.execute(f"insert into public.users (auth_user_id, created_at) values ('{LAST}0', now())")
        await auth.execute(
            f"insert into auth.users (id, created_at, email_confirmed_at) values ('{LAST}1', now(), now())"
        )
        await asyncio.sleep(1.2)
        assert eye.findings(await eye.look()) == []
        await asyncio.sleep(GRACE)
        assert eye.findings(await eye.look()) == []
        await asyncio.sleep(1)
        seen = await eye.look()
        assert {each.rule: each.evidence["count"] for each in eye.findings(seen)} == {
            "auth_links.orphaned_profile": 1,
            "auth_links.missing_profile": 1,
        }
        (row,) = seen.asides["sweep"]
        assert number(row, "sweep_progress_ratio") < 0.9
        assert GRACE <= number(row, "new_rows_age_seconds") < GRACE + 2
        assert GRACE <= number(row, "new_users_age_seconds") < GRACE + 2


def test_a_pass_begins_where_the_one_before_began() -> None:
    """Each time lies in two passes; one left behind, or a clock set back, begins an hour ago."""
    side, now = Side(), 1_000_000.0
    spans = []
    for ripe in (now, now + 100, now + 200):
        assert side.begin(ripe)
        spans.append((side.at, side.until))
        side.passed(None)
    assert spans == [(now - OLDEST, now), (now - OLDEST + 100, now + 100), (now, now + 200)]
    assert not side.begin(now + 200)
    assert side.begin(now + 100_000)
    assert side.at == now + 100_000 - OLDEST
    side.passed(side.at + 1)
    assert side.begin(now + 200_000)
    assert side.at == now + 200_000 - OLDEST
    side.passed(None)
    assert side.begin(now)
    assert side.at == now - OLDEST
