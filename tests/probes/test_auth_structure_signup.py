"""The sign-up trigger and GoTrue's schema level: what breaks sign-ups, what is printed, what a restart keeps."""

import json
from collections.abc import AsyncIterator

import pytest

from monitor.cli.grants import Auth
from monitor.errors import Needs
from monitor.model import NoVerdict, Object, Severity
from monitor.probe import number
from probes.auth_structure import PROBE
from probes.auth_structure_level import Level, Levels, SchemaLevelChanged
from tests.database import Cluster, Database
from tests.probes.people import found_auth
from tests.probes.structures import UNDECLARED, accused, cured, faults, only, undone

LINKED = "create table public.users (auth_user_id uuid primary key references auth.users on delete cascade)"
TRIGGER = "create trigger on_signup {when} on auth.users for each row execute function public.welcome()"
HANDLED = "begin {} exception when others then raise warning 'no profile: %', sqlerrm; end; return new;"
INSERT = "insert into public.users (auth_user_id) values (new.id);"
UNQUALIFIED = "insert into users (auth_user_id) values (new.id);"
SOUND = "security definer set search_path = ''"


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level and a profile table."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        await fresh.execute(LINKED)
        yield fresh


async def trigger(
    database: Database, body: str = HANDLED.format(INSERT), options: str = SOUND, when: str = "after insert"
) -> None:
    """Let something happen at sign-up."""
    await database.execute(
        f"create or replace function public.welcome() returns trigger language plpgsql {options}"
        f" as $welcome$ begin {body} end $welcome$"
    )
    await database.execute(TRIGGER.format(when=when))


async def sign_up_as_gotrue(database: Database) -> int:
    """Insert a user as GoTrue does, with its role and its search_path; give how many profiles there are."""
    session = await database.connect(search_path="auth")
    await session.execute(
        "set role supabase_auth_admin; insert into users (id, email) values (gen_random_uuid(), 'a@example.org')"
    )
    return int(await database.value("select count(*) from public.users"))


async def test_a_trigger_that_is_disabled_is_enabled(any_database: Database) -> None:
    """Sick, cured by what is printed, put back; the subject is the table of users."""
    await found_auth(any_database)
    await any_database.execute(LINKED)
    await trigger(any_database)
    assert await faults(any_database, UNDECLARED) == set()
    await any_database.execute("alter table auth.users disable trigger on_signup")
    finding = await cured(any_database, "signup_trigger", UNDECLARED)
    assert finding.object == Object("column", schema="auth", name="users", column="id")
    assert (finding.severity, finding.evidence["count"]) == (Severity.WARNING, 1)
    assert await sign_up_as_gotrue(any_database) == 1
    await undone(any_database, finding, UNDECLARED)


async def test_a_function_without_rights_blocks_sign_ups_until_the_remedy(auth: Database) -> None:
    """Not SECURITY DEFINER, no search_path, nothing caught: sign-ups fail; with what is printed they work."""
    await trigger(auth, f"{INSERT} return new;", "")
    with pytest.raises(Exception, match="permission denied"):
        await sign_up_as_gotrue(auth)
    finding = await only(auth, "signup_trigger", UNDECLARED)
    assert finding.evidence["faults"] == ["can raise", "rights", "search_path"]
    await auth.apply(finding.remedy)
    assert await sign_up_as_gotrue(auth) == 1
    left = await only(auth, "signup_trigger", UNDECLARED)
    assert (left.evidence["faults"], left.severity, left.remedy.sql) == (["can raise"], Severity.INFO, ())
    await undone(auth, finding, UNDECLARED)


async def test_no_path_is_printed_that_would_lose_a_name(auth: Database) -> None:
    """Bare names of tables, functions and types of the application: said, to be written in full before."""
    await auth.execute("create type public.mood as enum ('well'); create function public.greet() returns int return 1")
    body = HANDLED.format(f"{UNQUALIFIED} perform greet(); perform 'well'::mood;")
    await trigger(auth, body, "security definer")
    remedy = (await only(auth, "signup_trigger", UNDECLARED)).remedy
    assert remedy.sql == ()
    assert "greet, mood, users in public.welcome()" in remedy.caution
    await auth.execute("drop trigger on_signup on auth.users")
    await trigger(auth, body, "")
    remedy = (await only(auth, "signup_trigger", UNDECLARED)).remedy
    assert remedy.sql == ()
    assert "Only after that: alter function public.welcome() security definer" in remedy.caution


async def test_who_is_no_danger_to_sign_ups(auth: Database) -> None:
    """Near misses: none, one of updates, one that only shapes the row, a webhook, a role that may write."""
    async with auth.eye(PROBE) as eye:
        said = eye.unsaid(await eye.look())
        assert ["no trigger" in each.reason for each in said if each.needs is None] == [True]
    await trigger(auth, INSERT + " return new;", "", "after update")
    assert await faults(auth, UNDECLARED) == set()
    await auth.execute("drop trigger on_signup on auth.users")
    await trigger(auth, "new.role := 'authenticated'; return new;", "", "before insert")
    assert await faults(auth, UNDECLARED) == set()
    await auth.execute(
        "create schema supabase_functions; create function supabase_functions.http_request() returns trigger"
        " language plpgsql as 'begin perform 1; return new; end';"
        "create trigger hook after insert on auth.users for each row execute function supabase_functions.http_request()"
    )
    assert await faults(auth, UNDECLARED) == set()
    await auth.execute("drop trigger on_signup on auth.users")
    await trigger(auth, options="set search_path = ''")
    assert (await only(auth, "signup_trigger", UNDECLARED)).evidence["faults"] == ["rights"]
    await auth.execute("grant insert on public.users to supabase_auth_admin")
    assert await faults(auth, UNDECLARED) == set()
    assert await sign_up_as_gotrue(auth) == 1


async def test_all_triggers_stand_in_one_finding(auth: Database) -> None:
    """One finding for the table, with their number."""
    await trigger(auth)
    await auth.execute(
        "create function public.log() returns trigger language plpgsql set search_path = '' as"
        " 'begin perform 1; return new; end';"
        "create trigger log before insert on auth.users for each row execute function public.log();"
        "alter table auth.users disable trigger on_signup"
    )
    (finding,) = await accused(auth, UNDECLARED)
    assert finding.evidence["count"] == 2
    assert finding.evidence["triggers"] == ["log", "on_signup"]


# GoTrue's schema level

LEVELS = ("20240101000000", "20250717082212")


@pytest.mark.parametrize("way", ["functions", "policy", "bypassrls", "none"])
async def test_the_level_is_read_each_way_and_a_change_is_told(auth: Database, way: Auth) -> None:
    """Without any sight the columns of schema auth stand for it; with one, its number is exported."""
    await auth.execute(f"insert into auth.schema_migrations values ('{LEVELS[0]}'), ('first')")
    monitor = await auth.as_monitor(way)
    async with monitor.eye(PROBE) as eye:
        first = await eye.look()
        assert [row["schema_level"] for row in first.exposed or ()] == [None if way == "none" else int(LEVELS[0])]
        assert [each.needs for each in eye.unsaid(first, SchemaLevelChanged())] == [Needs.HISTORY]
        assert eye.verdicts(await eye.look(), SchemaLevelChanged()) == []
        await auth.execute(f"insert into auth.schema_migrations values ('{LEVELS[1]}')")
        if way == "none":
            await auth.execute("alter table auth.users add column quirk text")
        (finding,) = eye.findings(await eye.look(), SchemaLevelChanged())
        assert finding.object == Object("table", schema="auth", name="schema_migrations")
        assert finding.evidence["level"] == (None if way == "none" else int(LEVELS[1]))
        assert eye.findings(await eye.look(), SchemaLevelChanged()) != []
        assert eye.findings(await eye.look(), SchemaLevelChanged(shown=0)) == []


def test_what_is_remembered_of_the_level_outlives_a_restart() -> None:
    """Written as JSON and taken up; anything else is ignored."""
    kept = Levels()
    assert kept.document() is None
    assert kept.take(Level(version=1, digest="a"), 100)["known"] is False
    later = Levels()
    later.restore(json.loads(json.dumps(kept.document())))
    assert number(later.take(Level(version=2, digest="b"), 200), "since") == 0
    again = Levels()
    again.restore(json.loads(json.dumps(later.document())))
    assert number(again.take(Level(version=2, digest="b"), 260), "since") == 60
    broken: list[object] = [{"last": {"version": "x"}}, {"changed_at": "then", "last": {"digest": 1}}]
    for rubbish in (None, [], {"last": 3}, *broken):
        empty = Levels()
        empty.restore(rubbish)
        assert empty.take(Level(version=1, digest="a"), 0)["known"] is False


def test_sight_that_comes_and_goes_is_no_change() -> None:
    """Like is compared with like: versions where both are known, else the columns."""
    levels = Levels()
    for version, digest in ((None, "a"), (7, "a"), (None, "a"), (7, "a"), (7, "by hand")):
        assert levels.take(Level(version=version, digest=digest), 0)["since"] is None
    assert levels.take(Level(version=None, digest="b"), 0)["since"] == 0


async def test_without_a_table_of_migrations_the_columns_stand_for_it(auth: Database) -> None:
    """A level that cannot be read is no failure."""
    await auth.execute("drop table auth.schema_migrations")
    async with auth.eye(PROBE) as eye:
        seen = await eye.look()
        assert [each for each in eye.verdicts(seen) if isinstance(each, NoVerdict) and each.needs is Needs.REPAIR] == []
        assert [row["schema_level"] for row in seen.exposed or ()] == [None]
