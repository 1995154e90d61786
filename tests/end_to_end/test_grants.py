"""`monitor grants` from the command line to the report: what it prints is enough, and is taken back."""

import json
import secrets
from functools import partial

import pytest

from monitor.demo.gotrue import gotrue
from tests.database import Database
from tests.end_to_end.command import monitor

SOAKED = partial(pytest.param, marks=pytest.mark.soak)

PEOPLE = """
    create table public.users (
        id bigserial primary key, auth_user_id uuid, created_at timestamptz default now() - interval '1 day'
    );
    insert into auth.users (id, email, email_confirmed_at, created_at, is_anonymous, is_sso_user)
    select gen_random_uuid(), 'p' || g || '@example.org', born, born, false, false
      from generate_series(1, 50) g, (values (now() - interval '1 day')) as birth (born);
    insert into public.users (auth_user_id) select id from auth.users;
    insert into public.users (auth_user_id) select gen_random_uuid() from generate_series(1, 3);
    alter table public.users enable row level security;
"""


async def newcomer(database: Database) -> tuple[str, str]:
    """Make a role as the printed comment says; give it with its DSN."""
    role, password = f"monitor_{secrets.token_hex(4)}", secrets.token_hex(8)
    await database.execute(f"create role {role} login password '{password}' connection limit 4")
    return role, database.server.dsn(database.name, role, password)


async def printed(database: Database, *words: str) -> str:
    done = await monitor("grants", "--dsn", "env:ADMIN", *words, env={"ADMIN": database.dsn})
    assert (done.status, done.err) == (0, "")
    return done.out


async def report(dsn: str) -> dict[str, list[dict[str, object]]]:
    done = await monitor(
        *("snapshot", "--dsn", "env:SHOP", "--format", "json", "--window", "1", "--area", "auth"), env={"SHOP": dsn}
    )
    assert done.status == 0, done.err
    return dict(json.loads(done.out))


@pytest.mark.parametrize("auth", ["functions", SOAKED("policy"), SOAKED("bypassrls")])
async def test_what_is_printed_lends_sight_and_is_taken_back(database: Database, auth: str) -> None:
    """Blind before, exact with the grants, blind after the undo."""
    await database.execute(gotrue())
    await database.execute(PEOPLE)
    role, dsn = await newcomer(database)
    words = ("--role", role, "--auth", auth)
    try:
        blind = await report(dsn)
        assert [each for each in blind["findings"] if str(each["rule"]).startswith("auth_links.orphan")] == []
        assert "auth.cannot_see" in {each["rule"] for each in blind["findings"]}

        await database.execute(await printed(database, *words))
        if auth != "functions":  # the link has no foreign key yet, so grants cannot know of it
            await database.execute(f"grant select on public.users to {role}")
            await database.execute(f"create policy seen on public.users for select to {role} using (true)")
        seen = await report(dsn)
        (orphans,) = [each for each in seen["findings"] if each["rule"] == "auth_links.orphaned_profile"]
        assert (orphans["subject"], orphans["evidence"]["count"]) == ("public.users (auth_user_id)", 3)  # type: ignore[index]

        await database.execute(await printed(database, *words, "--undo"))
        assert "auth.cannot_see" in {each["rule"] for each in (await report(dsn))["findings"]}
    finally:
        await database.execute(f"drop owned by {role}; drop role {role}")


@pytest.mark.parametrize("auth", ["functions", "policy"])
async def test_a_tables_name_cannot_end_the_code_it_stands_in(database: Database, auth: str) -> None:
    """Somebody who may make a table makes nobody run his own SQL by it."""
    await database.execute(gotrue())
    evil = "x$pgarchitect$; create table public.taken(); do $pgarchitect$begin end$pgarchitect$"
    await database.execute(f'create table public."{evil}" (id uuid references auth.users)')
    await database.execute(f'alter table public."{evil}" enable row level security')
    role, _ = await newcomer(database)
    try:
        await database.execute(await printed(database, "--role", role, "--auth", auth))
        assert await database.value("select to_regclass('public.taken') is null")
        seen = await database.value(
            "select has_column_privilege($1, $2::text::regclass, 'id', 'select')", role, f'"{evil}"'
        )
        assert seen is (auth == "policy")
        await database.execute(await printed(database, "--role", role, "--auth", auth, "--undo"))
    finally:
        await database.execute(f"drop owned by {role}; drop role {role}")


async def test_without_a_server_the_script_is_general() -> None:
    """For whoever pipes it to psql in each database."""
    done = await monitor("grants", "--role", "Watch Man")
    assert done.status == 0
    assert 'grant pg_monitor to "Watch Man";' in done.out
    assert "security definer" in done.out
