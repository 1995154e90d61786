"""Sweeping big links: slices add up to what a whole look sees, none is read for nothing, no key is shown."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.errors import Needs, ProbeSkipped
from monitor.measurement import Measurement, number
from monitor.model import Finding, NoVerdict, Target
from probes.auth_links import PROBE, MissingProfile, OrphanedProfile
from probes.auth_links_discovery import Column, Origin
from probes.auth_links_looks import Seen
from probes.auth_links_options import AuthOptions, Link
from probes.auth_links_reading import LinkReading
from probes.auth_links_sweep import LinkSweep
from probes.auth_links_sweeps import LinkSweeps
from tests.database import Cluster, Database
from tests.probes.people import found_auth, give_profiles, orphan, profiles, sign_up
from tests.probes.sweeps import A_LONG_TIME, COLUMN, FEW_KEYS, Recorder, asking, lent_to, sweep, swept

MANY = 3500


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        yield fresh


async def peopled(database: Database, many: int = MANY, rest: str = "unique") -> None:
    """Make many with a profile, 4 orphans, one of them young, guests, and 2 users without a row."""
    await profiles(database, many, rest)
    await orphan(database, 3)
    await orphan(database, 1, created_at="now()")
    await sign_up(database, 2)
    await database.execute("insert into public.users (auth_user_id) values (null), (null)")
    await database.execute("analyze auth.users, public.users")


async def test_every_version_sweeps_both_ways_of_sight(any_database: Database) -> None:
    """By our own role, and through the functions by a role that can read nothing: the same counts."""
    await found_auth(any_database)
    await peopled(any_database)
    for database, lent in ((any_database, False), (await lent_to(any_database), True)):
        seen = await swept(database, lent=lent)
        assert (seen.orphans, seen.missing, seen.unaged, seen.looked) == (3, 2, 0, 1.0)


SPELLED = """
    update public.users set auth_user_id = case id % 6
        when 0 then upper(auth_user_id) when 1 then '{' || upper(auth_user_id) || '}'
        when 2 then replace(auth_user_id, '-', '') when 3 then '{' || replace(auth_user_id, '-', '') || '}'
        when 4 then left(auth_user_id, 4) || '-' || upper(substr(auth_user_id, 5)) else auth_user_id end
"""
STRANGERS = """
    insert into public.users (auth_user_id)
    values (''), ('none'), ('12345678'), ('ffffffff'), (upper(gen_random_uuid()::text)), (null),
           ('{' || replace(gen_random_uuid()::text, '-', '') || '}')
"""


async def spelled_out(
    database: Database, type_: str, index: str = "create index on public.users (auth_user_id)"
) -> None:
    """Make the link a text, spelled in six ways, with two strangers and two users without a row."""
    await profiles(database, MANY, "")
    await database.execute(f"alter table public.users alter auth_user_id type {type_} using auth_user_id::text")
    await database.execute(SPELLED)
    await database.execute(STRANGERS)
    await sign_up(database, 2)
    await database.execute(index)
    await database.execute("analyze auth.users, public.users")


@pytest.mark.parametrize("type_", ["varchar(80)", "char(40)", 'text collate "C"'])
async def test_texts_are_swept_in_any_spelling(auth: Database, type_: str) -> None:
    """By blocks, then by users; malformed ones are nobody's."""
    await spelled_out(auth, type_)
    seen = await swept(auth)
    assert (seen.orphans, seen.missing, seen.users_unseen) == (2, 2, "")


async def test_every_version_sweeps_texts(any_database: Database) -> None:
    """Also through the functions."""
    await found_auth(any_database)
    await spelled_out(any_database, "text")
    seen = await swept(await lent_to(any_database), lent=True)
    assert (seen.orphans, seen.missing) == (2, 2)


async def test_an_unindexed_text_is_swept_by_blocks_only(auth: Database) -> None:
    """And that users without a row are not looked for is said, with the index that is missing."""
    await spelled_out(auth, "text", "select")
    seen = await swept(auth)
    assert (seen.orphans, seen.missing) == (2, 0)
    assert "no index begins with public.users (auth_user_id)" in seen.users_unseen


async def test_a_link_without_index_is_swept_by_blocks(auth: Database) -> None:
    """Rows of one user may stand in several slices, and are counted each once; guests are none."""
    await peopled(auth, rest="")
    await auth.execute("insert into public.users (auth_user_id) select auth_user_id from public.users")
    await auth.execute("analyze public.users")
    session = Recorder(auth)
    ask = await asking(session)
    seen = (await sweep(ask)).seen(ask)
    assert (seen.orphans, seen.missing, "no index" in seen.users_unseen) == (7, 0, True)
    assert len(session.slices) > 4


@pytest.mark.parametrize("index", ["create index on public.visits (auth_user_id)", "select"])
async def test_a_partitioned_table_is_swept_through_its_root(any_database: Database, index: str) -> None:
    """By its index, and by the blocks of all its leaves."""
    await found_auth(any_database)
    await any_database.execute(
        "create table public.visits (auth_user_id uuid, day int, created_at timestamptz"
        " default now() - interval '1 hour') partition by range (day);"
        "create table public.visits_1 partition of public.visits for values from (0) to (10);"
        "create table public.visits_2 partition of public.visits for values from (10) to (20)"
    )
    await any_database.execute(index)
    await sign_up(any_database, MANY)
    await any_database.execute("insert into public.visits select id, 1 from auth.users")
    await any_database.execute(
        "insert into public.visits select gen_random_uuid(), day from generate_series(0, 19) day"
    )
    await any_database.execute("analyze")
    column = Column(schema="public", table="visits", column="auth_user_id", created="created_at")
    assert (await swept(any_database, column=column)).orphans == 20


@pytest.mark.parametrize("first", ["00000000-0000-0000-0000-00000000%s", "ffffffff-ffff-ffff-ffff-ffffffff%s"])
async def test_ids_that_begin_alike_are_swept_too(auth: Database, first: str) -> None:
    """Counted up by hand; the least and the greatest uuid belong to a slice; one user has rows for two slices."""
    await profiles(auth, 0, "")
    await auth.execute("create index on public.users (auth_user_id)")
    ids = [first.replace("%s", f"{number:04x}") for number in (*range(3000), 65535)]
    await give_profiles(auth, ids)
    await give_profiles(auth, [ids[2000]] * 2500)
    await auth.execute(
        "insert into auth.users (id) select auth_user_id from public.users where id % 1000 > 0 group by 1"
    )
    await auth.execute("analyze auth.users, public.users")
    session = Recorder(auth)
    ask = await asking(session)
    assert (await sweep(ask)).seen(ask).orphans == 3
    assert len(session.slices) >= 3


async def test_slices_show_no_key(auth: Database) -> None:
    """Neither a user's id, nor even eight digits of it, nor a text."""
    await profiles(auth, MANY, "")
    await auth.execute("create index on public.users (auth_user_id)")
    made = {str(row["id"]) for row in await auth.fetch("select id from auth.users")}
    role = await lent_to(auth)
    session = Recorder(role)
    await sweep(await asking(session, lent=True))
    ends = [str(row["next"]) for row in session.slices if row["next"]]
    assert ends
    (row,) = await role.fetch(
        "select * from pgarchitect.auth_link_keys('auth', 'public', 'users', 'auth_user_id', null, 0,"
        " '00000000-0000-0000-0000-000000000000', 1, null, true)"
    )
    assert all(end[7:] == "0-0000-0000-0000-000000000000" for end in (*ends, str(row["next"])))
    rest = str({**row, "next": None})  # one id in sixteen has a 0 where an end has it
    assert not any(user[:8] in rest for user in made)
    await auth.execute("alter table public.users alter auth_user_id type text")
    await auth.execute("insert into public.users (auth_user_id) values ('a@example.org')")
    session = Recorder(role)
    await sweep(await asking(session, lent=True))
    assert "example" not in str(session.given)
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-9]", str(session.slices))


async def test_a_suspect_must_be_met_twice(auth: Database) -> None:
    """Met once, nobody is accused; and when a young one comes of age, it was met before."""
    await peopled(auth)
    ask = await asking(Recorder(auth))
    known = LinkSweep(ask.ways)
    await known.run(ask, A_LONG_TIME)
    seen = known.seen(ask)
    assert (seen.orphans, seen.missing, seen.missing_once, known.fresh) == (0, 0, 2, True)
    await asyncio.sleep(1)
    later = replace(ask, grace=0.5)
    await known.again(later, A_LONG_TIME)
    assert known.seen(later).orphans == 4


async def test_the_cured_are_noticed_before_the_next_turn_ends(auth: Database) -> None:
    """Their slices are looked at again."""
    await peopled(auth)
    ask = await asking(Recorder(auth))
    known = await sweep(ask)
    await auth.execute(
        "delete from public.users u where not exists (select from auth.users a where a.id = auth_user_id)"
    )
    await asyncio.sleep(1)
    await known.again(ask, A_LONG_TIME)
    assert (known.seen(ask).orphans, known.seen(ask).missing) == (0, 2)


async def test_unchanged_tables_are_not_swept_again(auth: Database) -> None:
    """While nothing changed and time alone changes nothing; the first change begins a turn."""
    await profiles(auth, MANY)
    await orphan(auth, 3)
    await asyncio.sleep(1.2)
    session = Recorder(auth)
    ask = await asking(session)
    known = await sweep(ask)
    swept_once = len(session.slices)
    assert known.progress(ask.shape) == 1.0
    await known.run(ask, A_LONG_TIME)
    assert len(session.slices) == swept_once
    await auth.execute("delete from auth.users where id in (select id from auth.users limit 1)")
    await asyncio.sleep(1.2)
    await auth.execute("select 1")
    await sweep(ask, known)
    assert len(session.slices) > swept_once
    assert known.seen(ask).orphans == 4


async def test_a_sweep_goes_on_where_it_was_after_a_restart(auth: Database) -> None:
    """Kept as JSON; what is none raises what the memory understands."""
    await peopled(auth)
    ask, sweeps = await asking(Recorder(auth)), LinkSweeps()
    known = sweeps.of(COLUMN, ask.ways)
    known.keys = FEW_KEYS
    await known.run(ask, 0.0)
    assert 0 < known.progress(ask.shape) < 1
    assert known.seen(ask).looked < 1
    later = LinkSweeps()
    later.restore(json.loads(json.dumps(sweeps.document())))
    again = later.of(COLUMN, ask.ways)
    assert (again.at, again.orphans.held) == (known.at, known.orphans.held)
    await sweep(ask, again)
    assert (again.seen(ask).orphans, again.seen(ask).missing) == (3, 2)
    documents: tuple[object, ...] = ({}, [1], [[["a", "b"], {}]], [[["a", "b", "c"], {"ways": []}]])
    for nonsense in documents:
        with pytest.raises((ArithmeticError, LookupError, TypeError, ValueError)):
            LinkSweeps().restore(nonsense)


async def test_counts_are_exact_beyond_the_keys_that_are_held(auth: Database) -> None:
    """The sum of all slices, in the second turn as in the first."""
    await profiles(auth, MANY)
    await orphan(auth, 11_000)
    await auth.execute("analyze auth.users, public.users")
    ask = await asking(Recorder(auth))
    known = await sweep(ask)
    assert known.seen(ask).orphans == 11_000
    await sweep(ask, known)
    assert known.seen(ask).orphans == 11_000


@pytest.mark.parametrize(
    "change",
    [
        "alter table public.users drop column auth_user_id",
        "alter table public.users rename auth_user_id to owner",
        "drop table public.users",
        "alter table public.users alter auth_user_id type text",
    ],
)
async def test_a_link_that_changes_during_a_sweep_is_left_alone(auth: Database, change: str) -> None:
    """A clear state: it was changed just now."""
    await peopled(auth)
    ask = await asking(Recorder(auth))
    known = LinkSweep(ask.ways)
    known.keys = FEW_KEYS
    await known.run(ask, 0.0)
    await auth.execute(change)
    with pytest.raises(ProbeSkipped, match="changed just now"):
        await known.run(ask, A_LONG_TIME)


VISITS = """
    create table public.visits (auth_user_id uuid, created_at timestamptz default now() - interval '1 hour');
    insert into public.visits select u.id from (select id from auth.users limit 25) u, generate_series(1, 10400);
    create index on public.visits (auth_user_id);
    insert into public.visits select gen_random_uuid() from generate_series(1, 3);
    analyze public.visits
"""


async def test_the_probe_sweeps_what_is_too_big(auth: Database) -> None:
    """A quarter of a million keys: judged in the first look, by two looks at the suspects, with the sweep's metrics."""
    await sign_up(auth, 25)
    await auth.execute(VISITS)
    options = AuthOptions(links=(Link(table="public.visits", column="auth_user_id"),))
    async with auth.eye(PROBE, options=options, snapshot=True) as eye:
        seen = await eye.look()
        (finding,) = eye.findings(seen)
        assert (finding.evidence["count"], eye.unsaid(seen, OrphanedProfile())) == (3, [])
        (row,) = seen.asides["sweep"]
        assert row["sweep_progress_ratio"] == 1.0
        assert 0 <= number(row, "sweep_age_seconds") < 60
        await auth.execute("create table public.rooms (owner_id uuid); drop table public.visits")
        assert {each.needs for each in eye.unsaid(await eye.look()) if each.applies} == {Needs.SETTING}


def reading_of(looked: float, *, orphans: int) -> Measurement:
    """Give a reading of one link in its first sweep."""
    seen = Seen(orphans=orphans, missing=orphans, missing_once=orphans, looked=looked)
    reading = LinkReading(column=COLUMN, origin=Origin.DECLARED, seen=seen)
    row = {"link": "public.users (auth_user_id)", "direction": "profile", "orphans": orphans, "reading": reading}
    return Measurement(target=Target("t", "d"), probe="auth_links", taken_at=datetime.now(UTC), rows=[row])


@pytest.mark.parametrize("orphans", [0, 2])
def test_what_a_first_sweep_has_not_reached_is_not_well(orphans: int) -> None:
    """Who was found is told as `at least`; of the rest it is said which share was looked at."""
    for rule in (OrphanedProfile(), MissingProfile()):
        said = list(rule.check(reading_of(0.34, orphans=orphans)))
        accused = [each for each in said if isinstance(each, Finding)]
        assert [each.summary.startswith("at least 2 ") for each in accused] == [True] * bool(orphans)
        (unsaid,) = [each for each in said if isinstance(each, NoVerdict)]
        assert (unsaid.needs, unsaid.subject) == (Needs.TIME, "public.users (auth_user_id)")
        assert unsaid.reason.startswith("34 % of the keys")
        assert [each for each in rule.check(reading_of(1.0, orphans=0)) if isinstance(each, NoVerdict)] == []
