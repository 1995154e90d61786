"""What `monitor grants` prints: it runs, also twice; it gives the least; and it takes exactly all of it back."""

import pgparse
import pytest

from monitor.cli.grants import Auth, Linked, Wanted, grants_sql
from monitor.sight import lent as sight
from tests.database import Database
from tests.probes.people import found_auth, profiles

WAYS: tuple[Auth, ...] = ("functions", "policy", "bypassrls", "none")
LINKS: tuple[Linked, ...] = (("public", "users", "auth_user_id", "created_at"),)
RIGHTS = """
    select 'class ' || oid::regclass || coalesce(relacl::text, '') as fact from pg_class where relacl is not null
     union all
    select 'column ' || attrelid::regclass || attname || attacl::text from pg_attribute where attacl is not null
     union all
    select 'schema ' || nspname || coalesce(nspacl::text, '') from pg_namespace where nspname !~ '^pg_(toast_)?temp'
     union all
    select 'database ' || coalesce(datacl::text, '') from pg_database where datname = current_database()
     union all
    select 'function ' || oid::regprocedure || coalesce(proacl::text, '') from pg_proc where oid >= 16384
     union all
    select 'policy ' || polname || polrelid::regclass from pg_policy
     union all
    select 'role ' || rolbypassrls from pg_roles where rolname = $1
     union all
    select 'default ' || defaclrole::regrole || defaclobjtype::text || defaclacl::text from pg_default_acl
     union all
    select 'member ' || roleid::regrole from pg_auth_members where member = to_regrole(quote_ident($1))
     order by 1
"""


async def rights(database: Database, role: str) -> list[str]:
    return [str(row["fact"]) for row in await database.fetch(RIGHTS, role)]


@pytest.mark.parametrize("way", WAYS)
async def test_it_runs_twice_and_undo_takes_exactly_all_of_it_back(any_database: Database, way: Auth) -> None:
    """The catalogue after the undo is the one before; a second run changes nothing."""
    await found_auth(any_database)
    await profiles(any_database)
    await any_database.execute("create schema extensions; alter table public.users enable row level security")
    # A first right writes a table's list of rights out, which revoking does not unwrite.
    await any_database.execute(
        "grant select on public.users to anon; grant select (id, auth_user_id, created_at) on public.users to anon;"
        "grant usage on schema public, extensions, auth to anon; grant select on auth.users to service_role"
    )
    role = (await any_database.as_monitor()).user
    assert role is not None
    for statement in grants_sql(Wanted(role=role, auth="none"), undo=True):
        await any_database.execute(statement)
    wanted = Wanted(role=role, auth=way, links=LINKS, database=any_database.name, extension_schemas=("extensions",))
    await any_database.execute(f"grant connect on database {any_database.name} to anon")
    before = await rights(any_database, role)
    for statement in grants_sql(wanted):
        await any_database.execute(statement)
    given = await rights(any_database, role)
    assert given != before
    for statement in grants_sql(wanted):
        await any_database.execute(statement)
    assert await rights(any_database, role) == given
    for statement in grants_sql(wanted, undo=True):
        await any_database.execute(statement)
    assert await rights(any_database, role) == before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("undo", [False, True])
def test_every_statement_is_one_and_whole(way: Auth, *, undo: bool) -> None:
    """Hostile names are quoted, nothing is a placeholder, each element parses as one statement."""
    wanted = Wanted(
        role='mon"; drop table x; --',
        auth=way,
        schema="a'b\\c",
        links=(("Ünder", "t'\"", "c%I", None),),
        database="my db",
        extension_schemas=("Ext",),
    )
    for statement in grants_sql(wanted, undo=undo):
        assert len(pgparse.parse(statement)) == 1, statement


async def test_policies_are_made_only_where_rows_are_hidden(database: Database) -> None:
    """On a table without row level security a policy would only confuse."""
    await found_auth(database)
    await profiles(database)
    await database.as_monitor("policy", LINKS)
    made = await database.fetch("select schemaname::text as schema, tablename::text as name from pg_policies")
    hiding = await database.fetch(
        "select c.relname::text as name from pg_class c where c.relnamespace = 'auth'::regnamespace"
        " and c.relrowsecurity and c.relname = any ($1::text[])",
        [*sight.needed()],
    )
    assert sorted((row["schema"], row["name"]) for row in made) == sorted(("auth", row["name"]) for row in hiding)
    assert len(made) < len(sight.needed())


async def test_columns_are_granted_not_tables(database: Database) -> None:
    """No password, token, phone or metadata of auth.users can be read; addresses can, to be compared."""
    await found_auth(database)
    await profiles(database)
    role = await database.as_monitor("bypassrls", LINKS)
    assert await role.fetch("select id, created_at, confirmed_at, deleted_at, banned_until from auth.users")
    for column in ("encrypted_password", "recovery_token", "raw_user_meta_data", "phone"):
        with pytest.raises(Exception, match="permission denied for table users"):
            await role.fetch(f"select {column} from auth.users")
    with pytest.raises(Exception, match="permission denied for table users"):
        await role.fetch("select name from public.users")
