"""Going through big tables of sessions on real servers: exact, seen twice, and soon where it is new."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Target
from monitor.probe import Memory, sight_sessions
from monitor.rules.evaluate import evaluate
from probes.auth_sessions import PROBE
from probes.auth_sessions_reading import CHEAP, STALE, Gate, Part
from probes.auth_sweep import Sweeps
from probes.auth_sweep_kept import SLICES
from tests.database import Cluster, Database
from tests.looking import Eye
from tests.patience import PATIENCE
from tests.probes.people import found_auth, sign_up
from tests.probes.people_sessions import sign_in, token

MANY_PEOPLE = """
    insert into auth.users (id, email, created_at, email_confirmed_at, banned_until)
    select gen_random_uuid(), n || '@example.org', now(), now(),
           case when n % 2000 = 0 then now() + interval '1 day' end
      from generate_series(1, 8000) n;
    insert into auth.sessions (id, user_id, created_at, updated_at, aal)
    select gen_random_uuid(), id, now(), now(), case when row_number() over () % 1600 = 0 then 'aal2' else 'aal1' end
           ::auth.aal_level
      from auth.users;
    insert into auth.refresh_tokens (token, user_id, session_id, revoked, created_at, updated_at)
    select gen_random_uuid()::text, user_id::text, id, n = 1, now() - interval '1 hour', now() - interval '1 hour'
      from auth.sessions, generate_series(1, 2) n;
    insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at)
    select gen_random_uuid()::text, gen_random_uuid()::text, true, now(), now() from generate_series(1, 7);
    update auth.refresh_tokens set user_id = gen_random_uuid()::text where id % 4000 = 0;
    analyze
"""


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        yield fresh


async def findings(eye: Eye) -> dict[str, object]:
    return {each.rule: each.evidence["count"] for each in eye.findings(await eye.look())}


async def test_a_big_table_is_counted_exactly_over_its_turn(auth: Database) -> None:
    """Eight thousand people; what is new is found in the next run, what is cured is gone by the turn after."""
    await auth.execute(MANY_PEOPLE)
    planted: dict[str, object] = {
        "auth.banned_live_session": 4,
        "auth.refresh_token_orphan": 11,
        "auth.refresh_token_mismatch": 4,
        "auth.aal2_without_factor": 5,
    }
    async with auth.eye(PROBE) as eye:
        await until(eye, planted)
        (user,) = await sign_up(auth)
        await token(auth, f"'{user}'", str(await auth.value("select id from auth.sessions limit 1")))
        seen = await findings(eye)
        assert seen["auth.refresh_token_mismatch"] == 5
        await until(eye, {**planted, "auth.refresh_token_mismatch": 5, "auth.many_live_tokens": 1})
        for finding in eye.findings(await eye.look()):
            await auth.apply(finding.remedy)
        await auth.execute(
            "delete from auth.refresh_tokens t using auth.sessions s"
            " where s.id = t.session_id and t.user_id <> s.user_id::text"
        )
        await until(eye, {})


async def until(eye: Eye, wanted: dict[str, object]) -> None:
    """Look until all tables were gone through and these findings stand."""
    async with asyncio.timeout(30 * PATIENCE):
        while True:
            seen = await eye.look()
            said = eye.verdicts(seen)
            found = {each.rule: each.evidence["count"] for each in said if isinstance(each, Finding)}
            unsure = [each for each in said if isinstance(each, NoVerdict) and each.applies]
            if not unsure and found == wanted:
                return


async def test_who_is_suspect_once_only_is_not_accused(auth: Database) -> None:
    """A ban and the end of the sessions come one after the other."""
    (user,) = await sign_up(auth, changes="banned_until = now() + interval '1 day'")
    await sign_in(auth, user)
    async with auth.eye(PROBE) as eye:
        look = asyncio.create_task(eye.look())
        await until_looked(auth)
        await auth.execute("delete from auth.sessions")
        assert eye.findings(await look) == []


async def until_looked(auth: Database) -> None:
    """Wait until the probe's session has looked at everything, and pauses before it looks again."""
    async with asyncio.timeout(10 * PATIENCE):
        while not await auth.value(  # noqa: ASYNC110 - a server tells nobody
            "select true from pg_stat_activity where datname = current_database() and state = 'idle'"
            " and query like '%mfa_challenges%' and pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.01)


async def test_writers_as_gotrue_writes_invent_nothing(auth: Database) -> None:
    """People sign in, refresh, sign out, are banned and deleted, each as GoTrue does it, while we look."""
    await sign_up(auth, 50)
    stop = asyncio.Event()
    writers = [asyncio.create_task(live(auth, stop, seed)) for seed in range(3)]
    try:
        async with auth.eye(PROBE) as eye:
            for _ in range(6):
                assert await findings(eye) == {}
    finally:
        stop.set()
        await asyncio.gather(*writers)


LIFE = (
    """with s as (insert into auth.sessions (id, user_id, created_at, updated_at, aal)
                  select gen_random_uuid(), id, now(), now(), 'aal1' from auth.users where deleted_at is null
                     and banned_until is null order by random() limit 1 returning id, user_id)
       insert into auth.refresh_tokens (token, user_id, session_id, revoked, created_at, updated_at)
       select gen_random_uuid()::text, user_id::text, id, false, now(), now() from s""",
    """with old as (update auth.refresh_tokens set revoked = true, updated_at = now() where id = (select id
                      from auth.refresh_tokens where not revoked order by random() limit 1 for update skip locked)
                    returning user_id, session_id)
       insert into auth.refresh_tokens (token, user_id, session_id, revoked, created_at, updated_at)
       select gen_random_uuid()::text, user_id, session_id, false, now() - interval '2 minutes', now() from old""",
    "delete from auth.sessions where id = (select id from auth.sessions order by random() limit 1)",
    """begin; create temporary table gone on commit drop as select id from auth.users order by random() limit 1;
       update auth.users set deleted_at = now() where id in (select id from gone);
       delete from auth.sessions where user_id in (select id from gone); commit""",
    """begin; create temporary table gone on commit drop as select id from auth.users order by random() limit 1;
       insert into auth.users (id, created_at) values (gen_random_uuid(), now());
       delete from auth.users where id in (select id from gone); commit""",
)


async def live(auth: Database, stop: asyncio.Event, seed: int) -> None:
    choose = random.Random(seed)
    session = await auth.connect(lock_timeout="1s", deadlock_timeout="50ms")
    while not stop.is_set():
        with contextlib.suppress(asyncpg.PostgresError):  # writers may meet; a sign-in just then fails
            await session.execute(choose.choices(LIFE, (8, 8, 2, 1, 1))[0])
        await session.execute("rollback")


# What is remembered


async def test_a_restart_goes_on_where_it_was(auth: Database) -> None:
    """Counts, bounds and the age of the last turn are kept as JSON."""
    await auth.execute(MANY_PEOPLE)
    memory = Memory()
    sweeps = memory.of(Sweeps)
    async with auth.eye(PROBE) as eye, eye.server.visit(auth.name, stay=True) as session:
        assert PROBE.observe is not None
        while not all(sweeps.of(table).whole for table in sight_sessions.PARTS):
            await PROBE.observe(session, memory, PROBE.options)
        after = Memory()
        after.of(Sweeps).restore(json.loads(json.dumps(sweeps.document())))
        rows = await PROBE.observe(session, after, PROBE.options)
    tokens = next(row for row in rows if row["table"] == "refresh_tokens")
    assert (tokens["live"], tokens["revoked"]) == (8_000, 8_007)


def test_an_unchanged_dear_table_is_left_alone_for_a_while() -> None:
    """Cheap ones never; nor where counters moved, are not kept, or much time went by."""
    gate = Gate(states=["a", "b"], at=100.0, took=CHEAP)
    assert gate.shut(["a", "b"], 101.0)
    assert not gate.shut(["a", "c"], 101.0)
    assert not Gate(states=[None, "b"], at=100.0, took=CHEAP).shut([None, "b"], 101.0)
    assert not gate.shut(["a", "b"], 100.0 + STALE)
    assert not replace(gate, took=CHEAP / 2).shut(["a", "b"], 101.0)


def seen(part: Part) -> Measurement:
    """Give a reading in which one table is as said, and the others are empty and whole."""
    others = [Part(table=table, counts=dict.fromkeys(counts, 0), progress=1.0)
              for table, counts in sight_sessions.PARTS.items() if table != part.table]  # fmt: skip
    rows = [{"part": each} for each in [part, *others]]
    return Measurement(target=Target("shop", "shop"), probe="auth_sessions", taken_at=datetime.now(UTC), rows=rows)


def said(measurement: Measurement) -> list[Finding | NoVerdict]:
    return [verdict for judgement in evaluate(PROBE.rules, measurement) for verdict in judgement.verdicts]


def test_a_part_of_a_table_accuses_and_says_how_much_was_looked_at() -> None:
    """First results early; what was not seen yet is not evaluated for want of time."""
    counts = {**dict.fromkeys(sight_sessions.PARTS["refresh_tokens"], 0), "orphans": 3}
    verdicts = said(seen(Part(table="refresh_tokens", counts=counts, progress=0.4)))
    (finding,) = [each for each in verdicts if isinstance(each, Finding)]
    assert (finding.remedy.sql, "once all of auth.refresh_tokens" in finding.remedy.caution) == ((), True)
    assert finding.summary == "3 refresh tokens belong to no user, in the part looked at so far"
    reasons = {each.reason for each in verdicts if isinstance(each, NoVerdict) and each.needs is Needs.TIME}
    assert reasons == {"40 % of auth.refresh_tokens looked at so far"}


def test_a_table_that_was_not_read_accuses_nobody() -> None:
    """A statement that was cancelled is no verdict."""
    part = Part(table="users", reason="auth.users: it took longer than 5 s", needs=Needs.TIME)
    verdicts = said(seen(part))
    assert [each for each in verdicts if isinstance(each, Finding)] == []
    assert {each.needs for each in verdicts if isinstance(each, NoVerdict)} == {Needs.TIME}


@pytest.mark.parametrize("at", [0, 1, 4321, 9999])
def test_what_is_kept_is_coarse_and_counts_the_same(at: int) -> None:
    """Ten thousand slices become about a thousand; the turn goes on at the same place."""
    slices: list[object] = [[str(nr), 2, {"live": nr % 3} if nr % 3 else {}, 2 if nr <= at else 1]
                            for nr in range(1, 10_000)]  # fmt: skip
    sweeps, lately = Sweeps(), time.time()
    sweeps.restore(
        {"users": {"turned_at": lately, "turn": 2, "at": at, "slices": [*slices, [None, 5, {"live": 7}, 1]]}}
    )
    sweep, kept = sweeps.of("users"), sweeps.document()
    text = json.dumps(kept)
    again = Sweeps()
    again.restore(json.loads(text))
    after = again.of("users")
    assert (after.total("live"), after.rows, after.progress(), after.turned_at) == (
        sweep.total("live"), sweep.rows, sweep.progress(), lately,
    )  # fmt: skip
    assert len(json.loads(text)["users"]["slices"]) <= SLICES + 2


def test_no_sweep_is_no_document() -> None:
    """Nothing to keep."""
    assert Sweeps().document() is None
