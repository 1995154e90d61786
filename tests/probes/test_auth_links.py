"""Links to auth.users on real servers: who is accused, who is not, and what is said by who cannot see."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from monitor.cli.grants import Auth, Wanted, grants_sql
from monitor.demo.gotrue import older_level
from monitor.errors import Needs
from monitor.model import Confidence, Finding, NoVerdict, Object, Result, Severity, Target
from probes.auth_links import PROBE
from probes.auth_links_discovery import MOST
from probes.auth_links_options import AuthOptions, Link
from tests.database import Cluster, Database
from tests.probes.people import KINDS, found_auth, give_profiles, orphan, profiles, sign_up

ORPHANED, MISSING, BLIND, UNDECLARED = (
    "auth_links.orphaned_profile",
    "auth_links.missing_profile",
    "auth.cannot_see",
    "auth_links.undeclared",
)
LINK = Link(table="public.users", column="auth_user_id", created_at="created_at", every_user=True)
DECLARED = AuthOptions(links=(LINK,))
ROW_RULES = (ORPHANED, MISSING)
WAYS: tuple[Auth, ...] = ("functions", "policy", "bypassrls")


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        yield fresh


async def verdicts(
    database: Database, options: AuthOptions = DECLARED, *, snapshot: bool = True
) -> list[Finding | NoVerdict]:
    async with database.eye(PROBE, options=options, snapshot=snapshot) as eye:
        return eye.verdicts(await eye.look())


async def found(database: Database, options: AuthOptions = DECLARED, *, snapshot: bool = True) -> dict[str, Finding]:
    """Give the findings about rows and sight by rule; the tests have one link, so there is one of each."""
    said = await verdicts(database, options, snapshot=snapshot)
    assert [each for each in said if isinstance(each, NoVerdict) and each.needs in (Needs.TIME, Needs.REPAIR)] == []
    accused = [each for each in said if isinstance(each, Finding) and each.rule != UNDECLARED]
    assert len(accused) == len({each.rule for each in accused})
    return {each.rule: each for each in accused}


async def counts(database: Database, options: AuthOptions = DECLARED) -> dict[str, object]:
    """Give the count of each finding about rows."""
    return {rule: finding.evidence.get("count") for rule, finding in (await found(database, options)).items()}


async def unsaid(database: Database, options: AuthOptions = DECLARED) -> list[NoVerdict]:
    """Give what was not evaluated; what does not apply is left out."""
    return [each for each in await verdicts(database, options) if isinstance(each, NoVerdict) and each.applies]


async def seeing(database: Database, way: Auth, links: tuple[Link, ...] = (LINK,)) -> Database:
    """Give the monitor's role one way of sight."""
    role = await database.as_monitor()
    wanted = Wanted(role=str(role.user), auth=way, links=[(*link.place, link.created_at) for link in links])
    for statement in grants_sql(wanted):
        await database.execute(statement)
    return role


# Sight


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_of_sight_counts_the_same(any_database: Database, way: Auth) -> None:
    """Sick, seen through each way that is printed; the profiles have row level security too, as on Supabase."""
    await found_auth(any_database)
    await profiles(any_database)
    await orphan(any_database, 3)
    await sign_up(any_database, 2)
    await any_database.execute("alter table public.users enable row level security")
    assert await counts(await seeing(any_database, way)) == {ORPHANED: 3, MISSING: 2}


async def test_superuser_and_owner_see_too(auth: Database) -> None:
    """Neither is filtered by row level security."""
    await profiles(auth)
    await orphan(auth, 3)
    assert await counts(auth) == {ORPHANED: 3}
    owner = await auth.as_monitor()
    await auth.execute(f"grant supabase_auth_admin to {owner.user}; alter table public.users owner to {owner.user}")
    assert await counts(owner) == {ORPHANED: 3}


async def test_who_reads_all_data_under_row_security_is_blind_and_accuses_nobody(auth: Database) -> None:
    """pg_read_all_data sees no row of auth.users and no error; a naive anti-join would call every profile an orphan."""
    await profiles(auth)
    await orphan(auth, 3)
    blind = await auth.as_monitor()
    await auth.execute(f"grant pg_read_all_data to {blind.user}")
    assert set(await found(blind)) == {BLIND}
    reason = f'role "{blind.user}" sees no row of auth.users (row level security). Run: monitor grants --auth functions'
    said = await unsaid(blind)
    assert {(each.reason, each.needs) for each in said} == {(reason, Needs.RIGHTS)}
    assert len(said) == 2


RESTRICTED = """
    grant pg_read_all_data to {role};
    create policy p on auth.users using (true);
    create policy q on auth.users as restrictive using (not is_anonymous)
"""


@pytest.mark.parametrize(
    ("grant", "reason"),
    [
        ("select", "no USAGE on schema auth"),
        ("grant usage on schema auth to {role}", "no SELECT on id, created_at"),
        ("grant usage on schema auth to {role}; grant select (id) on auth.users to {role}", "no SELECT on created_at"),
        ("grant pg_read_all_data to {role}; create policy part on auth.users using (is_anonymous)", "not every row"),
        (RESTRICTED, "not every row"),
        ("grant pg_read_all_data to {role}; create policy w on auth.users for update using (true)", "no row"),
        (
            "grant pg_read_all_data to {role}; create policy o on auth.users to supabase_auth_admin using (true)",
            "no row",
        ),
    ],
    ids=["nothing", "usage", "one column", "some rows", "restricted", "another command", "another role"],
)
async def test_every_blindness_is_named_and_cured_by_what_is_printed(auth: Database, grant: str, reason: str) -> None:
    """Cured by running the remedy of the finding; the rollback takes it back."""
    await profiles(auth)
    await orphan(auth, 3)
    blind = await auth.as_monitor()
    await auth.execute(grant.format(role=blind.user))
    (finding,) = (await found(blind)).values()
    assert (finding.rule, finding.subject, finding.severity) == (BLIND, "auth.users", Severity.CRITICAL)
    assert finding.object == Object("table", schema="auth", name="users")
    assert reason in finding.summary
    await auth.apply(finding.remedy)
    assert await counts(blind) == {ORPHANED: 3}
    for statement in finding.remedy.rollback:
        await auth.execute(statement)
    assert set(await found(blind)) == {BLIND}


async def test_a_profile_table_that_hides_its_rows_is_named(auth: Database) -> None:
    """auth.users seen whole, the profiles not: no user is called without profile."""
    await profiles(auth)
    await orphan(auth, 3)
    half = await seeing(auth, "policy", ())
    (finding,) = (await found(half)).values()
    assert (finding.rule, finding.subject) == (BLIND, "public.users")
    assert {(each.needs, each.subject) for each in await unsaid(half)} == {
        (Needs.RIGHTS, "public.users (auth_user_id)")
    }
    await auth.execute(
        f"alter table public.users enable row level security; grant select on public.users to {half.user}"
    )
    (finding,) = (await found(half)).values()
    assert "sees no row of public.users" in finding.summary
    await auth.apply(finding.remedy)
    assert await counts(half) == {ORPHANED: 3}


async def test_functions_of_a_blind_owner_do_not_count_as_sight(auth: Database) -> None:
    """Made by a role that row level security filters, they would lend blindness."""
    await profiles(auth)
    await orphan(auth, 3)
    role = await seeing(auth, "functions")
    owner = await auth.as_monitor()
    await auth.execute(f"grant pg_read_all_data to {owner.user}; grant create on schema pgarchitect to {owner.user}")
    for row in await auth.fetch("select oid::regprocedure::text as f from pg_proc where proname like 'auth\\_%'"):
        await auth.execute(f"alter function {row['f']} owner to {owner.user}")
    (finding,) = (await found(role)).values()
    assert finding.rule == BLIND
    assert "functions of schema pgarchitect do not help" in finding.summary
    await auth.apply(finding.remedy)
    assert await counts(role) == {ORPHANED: 3}


async def test_a_managed_services_administrator_can_lend_sight(auth: Database) -> None:
    """No superuser: BYPASSRLS, rights on schema auth, and its own tables, as `postgres` has on Supabase."""
    await profiles(auth)
    await orphan(auth, 3)
    chief, role = await auth.as_monitor(), await auth.as_monitor()
    await auth.execute(
        f"drop schema pgarchitect cascade; alter role {chief.user} bypassrls;"
        f"grant create on database {auth.name} to {chief.user};"
        f"grant usage on schema auth to {chief.user}; grant all on all tables in schema auth to {chief.user};"
        f"alter table public.users owner to {chief.user}; alter table public.users enable row level security"
    )
    await chief.apply((await found(role))[BLIND].remedy)
    assert await counts(role) == {ORPHANED: 3}


async def test_blindness_without_links_is_a_warning(auth: Database) -> None:
    """Nothing is configured, so nothing asked for is lost; the row rules do not apply."""
    blind = await auth.as_monitor()
    finding = (await found(blind, AuthOptions()))[BLIND]
    assert finding.severity is Severity.WARNING
    assert await unsaid(blind, AuthOptions()) == []


async def test_the_functions_show_nothing_else(auth: Database) -> None:
    """No table can be read, no key comes out, only the one schema and only columns of ids are looked at."""
    made = await profiles(auth)
    await orphan(auth, 3)
    await auth.execute(
        "create table public.secrets (token text, amount int); insert into public.secrets values ('s3cret')"
    )
    role = await seeing(auth, "functions")
    for statement in ("select id from auth.users", "select * from public.users", "select * from public.secrets"):
        with pytest.raises(Exception, match="permission denied"):
            await role.fetch(statement)
    look = "select * from pgarchitect.auth_look($1, $2, $3, $4, 'created_at', 0, true)"
    shown = str(await role.fetch(look, "auth", "public", "users", "auth_user_id"))
    shown += str(await role.fetch(look, "auth", "public", "secrets", "token"))
    shown += str(await role.fetch("select * from pgarchitect.auth_sample('auth', 'public', 'secrets', 'token')"))
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", shown)
    assert "s3cret" not in shown
    assert all(user[:8] not in shown for user in made)
    for arguments in (
        ("public", "public", "users", "auth_user_id"),
        ("auth", "public", "secrets", "amount"),
        ("auth", "auth", "sessions", "id"),
        ("auth", "pg_catalog", "pg_authid", "rolpassword"),
        ("auth", "public", "users; drop table users", "id"),
    ):
        with pytest.raises(Exception, match="pgarchitect: "):
            await role.fetch(look, *arguments)
    stranger = await auth.as_monitor()
    with pytest.raises(Exception, match="permission denied for function auth_look"):
        await stranger.fetch(look, "auth", "public", "users", "auth_user_id")


# Orphans


async def test_orphans_are_found_and_gone_when_mended(auth: Database) -> None:
    """Sick; then cured by what the caution says: unlink one, delete the others."""
    await profiles(auth)
    await orphan(auth, 3)
    finding = (await found(auth))[ORPHANED]
    assert finding.subject == "public.users (auth_user_id)"
    assert finding.object == Object("column", schema="public", name="users", column="auth_user_id")
    assert (finding.severity, finding.confidence) == (Severity.CRITICAL, Confidence.HIGH)
    assert finding.evidence["count"] == 3
    assert finding.remedy.sql == ()
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|@example", str(finding))
    query = finding.remedy.caution.partition("To see them: ")[2].partition(". Set")[0]
    assert len(await auth.fetch(query)) == 3
    await auth.execute("update public.users set auth_user_id = null where id = (select max(id) from public.users)")
    await auth.execute(f"delete from public.users where id in (select id from ({query}) as orphans)")
    assert await counts(auth) == {}


async def test_who_is_no_orphan(auth: Database) -> None:
    """Near misses: guests, users of every kind that still have a row, and rows of a sign-up under way."""
    await profiles(auth)
    for changes in KINDS.values():
        await give_profiles(auth, await sign_up(auth, 1, changes))
    await auth.execute("insert into public.users (auth_user_id) values (null), (null)")
    await orphan(auth, 1, created_at="now()")
    assert ORPHANED not in await counts(auth)


@pytest.mark.parametrize(
    ("type_", "young", "old"),
    [
        ("timestamptz", "now() - interval '295 s'", "now() - interval '305 s'"),
        ("timestamp", "now() at time zone 'UTC' - interval '295 s'", "now() at time zone 'UTC' - interval '305 s'"),
        ("date", "current_date", "current_date - 2"),
    ],
)
async def test_grace_ends_where_it_says(auth: Database, type_: str, young: str, old: str) -> None:
    """At the limit: five minutes by the row's own time, a day longer where only the day is known."""
    await profiles(auth)
    await auth.execute(f"alter table public.users alter created_at drop default, alter created_at type {type_}")
    await orphan(auth, 1, created_at=young)
    assert await counts(auth) == {}
    await orphan(auth, 1, created_at=old)
    assert await counts(auth) == {ORPHANED: 1}


async def test_without_a_time_of_creation_grace_runs_from_first_sight(auth: Database) -> None:
    """In a snapshot they are shown with less confidence; the daemon waits until it has known them for the grace."""
    await profiles(auth)
    await auth.execute("alter table public.users drop column created_at")
    await orphan(auth, 2)
    options = AuthOptions(links=(Link(table="public.users", column="auth_user_id"),), grace=1.5)
    assert (await found(auth, options))[ORPHANED].confidence is Confidence.MEDIUM
    async with auth.eye(PROBE, options=options) as eye:
        assert not any(each.rule == ORPHANED for each in eye.findings(await eye.look()))
        await asyncio.sleep(1.6)
        (finding,) = (each for each in eye.findings(await eye.look()) if each.rule == ORPHANED)
    assert finding.evidence["count"] == 2


async def test_an_orphan_must_survive_two_looks(auth: Database) -> None:
    """One that appears at the second look is suspected at the third only."""
    await profiles(auth)
    async with auth.eye(PROBE, options=DECLARED) as eye:
        assert eye.findings(await eye.look()) == []
        await orphan(auth, 1)
        await sign_up(auth, 1)
        assert eye.findings(await eye.look()) == []
        assert {each.rule for each in eye.findings(await eye.look())} == set(ROW_RULES)


async def test_one_that_is_mended_between_the_two_looks_is_not_reported(auth: Database) -> None:
    """The first reading looks twice, a second apart."""
    await profiles(auth)
    await orphan(auth, 1)

    async def mend() -> None:
        await asyncio.sleep(0.5)
        await auth.execute(
            "delete from public.users u where not exists (select from auth.users a where a.id = auth_user_id)"
        )

    _, said = await asyncio.gather(mend(), counts(auth))
    assert said == {}


STRANGERS = """
    insert into public.users (auth_user_id)
    values (''), ('none'), ('12345678'), (null), (upper(gen_random_uuid()::text)),
           ('{' || replace(gen_random_uuid()::text, '-', '') || '}')
"""


@pytest.mark.parametrize("type_", ["text", "varchar(80)", "char(40)"])
async def test_ids_in_any_spelling_are_the_same(auth: Database, type_: str) -> None:
    """Upper case, braces, no hyphens are users; an empty or malformed text is no orphan; a spelled-out stranger is."""
    await spelled_out(auth, type_)
    assert await counts(auth) == {ORPHANED: 2, MISSING: 1}
    assert await counts(await seeing(auth, "functions")) == {ORPHANED: 2, MISSING: 1}
    query = (await found(auth))[MISSING].remedy.caution.partition("see the users: ")[2].partition(". Insert")[0]
    assert await auth.fetch(query)


async def test_every_version_reads_texts(any_database: Database) -> None:
    """Also through the functions."""
    await found_auth(any_database)
    await spelled_out(any_database, "text")
    assert await counts(await seeing(any_database, "functions")) == {ORPHANED: 2, MISSING: 1}


async def spelled_out(database: Database, type_: str) -> None:
    """Make the link a text, spelled in five ways, with strangers and with one user who has no row."""
    await profiles(database, rest="")
    await database.execute(f"alter table public.users alter auth_user_id type {type_} using auth_user_id::text")
    await database.execute(
        "update public.users set auth_user_id = case id % 5 when 0 then upper(auth_user_id)"
        " when 1 then '{' || upper(auth_user_id) || '}' when 2 then replace(auth_user_id, '-', '')"
        " when 3 then '{' || replace(auth_user_id, '-', '') || '}' else auth_user_id end"
    )
    await database.execute(STRANGERS)
    await sign_up(database, 1)


async def test_a_key_that_was_never_validated_is_judged(auth: Database) -> None:
    """NOT VALID says nothing of the rows that were there; undeclared, it counts as much."""
    await profiles(auth)
    await orphan(auth, 2)
    await auth.execute("alter table public.users add foreign key (auth_user_id) references auth.users (id) not valid")
    finding = (await found(auth, AuthOptions()))[ORPHANED]
    assert (finding.evidence["count"], finding.severity, finding.confidence) == (2, Severity.CRITICAL, Confidence.HIGH)


async def test_partitioned_tables_are_read_through_their_root(auth: Database) -> None:
    """Leaves are no links of their own."""
    await auth.execute(
        "create table public.visits (auth_user_id uuid references auth.users (id), day int, created_at timestamptz"
        " default now() - interval '1 hour') partition by range (day);"
        "create table public.visits_1 partition of public.visits for values from (0) to (10);"
        "create table public.visits_2 partition of public.visits for values from (10) to (20)"
    )
    await auth.execute("set session_replication_role = replica")
    await auth.execute("insert into public.visits select gen_random_uuid(), day from generate_series(0, 19) day")
    accused = [each for each in await verdicts(auth, AuthOptions()) if isinstance(each, Finding)]
    assert [(each.rule, each.subject, each.evidence.get("count")) for each in accused] == [
        (ORPHANED, "public.visits (auth_user_id)", 20),
        (UNDECLARED, "public.visits (auth_user_id)", None),
    ]


async def test_quoted_names_second_schemas_and_several_links_are_told_apart(auth: Database) -> None:
    """Each link is judged by itself, under its own name."""
    made = await sign_up(auth, 2)
    await auth.execute(
        'create schema "Shop %s"; create table "Shop %s"."User ""Data""" ("Owner Id" uuid, "editor%I" text,'
        " \"createdAt\" timestamptz default now() - interval '1 hour')"
    )
    await auth.execute(
        f'insert into "Shop %s"."User ""Data""" values (\'{made[0]}\', null), (gen_random_uuid(), \'{made[1]}\'),'
        " (gen_random_uuid(), gen_random_uuid()::text)"
    )
    table = '"Shop %s"."User ""Data"""'
    options = AuthOptions(links=(Link(table=table, column="Owner Id"), Link(table=table, column="editor%I")))
    for role in (auth, await seeing(auth, "functions", options.links)):
        accused = [each for each in await verdicts(role, options) if isinstance(each, Finding)]
        assert {(each.subject, each.evidence["count"]) for each in accused} == {
            (f'{table} ("Owner Id")', 2),
            (f'{table} ("editor%I")', 1),
        }


async def test_another_auth_schema_is_read_where_it_is_said(auth: Database) -> None:
    """GoTrue may live elsewhere; schema auth is then nothing special."""
    await profiles(auth)
    await orphan(auth, 1)
    await auth.execute("alter schema auth rename to identity")
    options = AuthOptions(schema="identity", links=(LINK,))
    assert await counts(auth, options) == {ORPHANED: 1}
    role = await auth.as_monitor()
    for statement in grants_sql(Wanted(role=str(role.user), schema="identity")):
        await auth.execute(statement)
    assert await counts(role, options) == {ORPHANED: 1}


async def test_an_older_gotrue_is_judged_too(auth: Database) -> None:
    """Without the newest tables, and without columns that came late."""
    await auth.execute(older_level())
    await auth.execute(
        "alter table auth.users drop column is_anonymous, drop column is_sso_user, drop column deleted_at"
    )
    await profiles(auth)
    await orphan(auth, 1)
    await sign_up(auth, 2)
    for way in WAYS:
        assert await counts(await seeing(auth, way)) == {ORPHANED: 1, MISSING: 2}


async def test_counts_are_exact_beyond_the_keys_that_come_back(auth: Database) -> None:
    """More than 10,000 orphans, and as many users without row, are all counted."""
    await profiles(auth)
    await orphan(auth, 10_500)
    await sign_up(auth, 10_700)
    await sign_up(auth, 11_000, KINDS["anonymous"])
    assert await counts(auth) == {ORPHANED: 10_500, MISSING: 10_700}


# Users without row


async def test_users_without_a_row_are_found_and_gone_when_they_have_one(auth: Database) -> None:
    """Sick, then cured by giving each a row; users of other kinds never need one."""
    await profiles(auth)
    for changes in KINDS.values():
        await sign_up(auth, 1, changes)
    assert await counts(auth) == {}
    lost = await sign_up(auth, 2)
    banned = await sign_up(auth, 1, "banned_until = now() + interval '1 day'")
    by_phone = await sign_up(auth, 1, "email = null, email_confirmed_at = null, phone_confirmed_at = created_at")
    finding = (await found(auth))[MISSING]
    assert (finding.evidence["count"], finding.severity) == (4, Severity.WARNING)
    query = finding.remedy.caution.partition("see the users: ")[2].partition(". Insert")[0]
    assert {str(row["id"]) for row in await auth.fetch(query)} >= {*lost, *banned, *by_phone}
    await give_profiles(auth, [*lost, *banned, *by_phone])
    assert await counts(auth) == {}


async def test_grace_of_a_user_runs_from_sign_up_or_confirmation(auth: Database) -> None:
    """At the limit: the later of the two counts."""
    await profiles(auth)
    await sign_up(auth, 1, "email_confirmed_at = now() - interval '295 s'")
    assert await counts(auth) == {}
    await sign_up(auth, 1, "email_confirmed_at = now() - interval '305 s'")
    assert await counts(auth) == {MISSING: 1}


async def test_not_every_link_holds_every_user(auth: Database) -> None:
    """Declared without every_user, a user without row is nothing."""
    await profiles(auth)
    await sign_up(auth, 30)
    options = AuthOptions(links=(Link(table="public.users", column="auth_user_id"),))
    assert await counts(auth, options) == {}
    assert await unsaid(auth, options) == []


KEYED = "unique references auth.users (id)"


@pytest.mark.parametrize(
    ("with_row", "without", "accused", "asked"),
    [(18, 2, 2, False), (18, 1, 0, False), (89, 11, 0, True), (90, 10, 10, False), (100, 0, 0, False)],
    ids=["just enough", "too few users", "too many without", "at the limit", "well"],
)
async def test_an_undeclared_profile_table_is_judged_by_custom(
    auth: Database, with_row: int, without: int, accused: int, *, asked: bool
) -> None:
    """A unique key, a profile table's name, 20 users, nine in ten with a row; else somebody must say."""
    await profiles(auth, with_row, KEYED)
    await sign_up(auth, without)
    said = await counts(auth, AuthOptions())
    assert said == ({MISSING: accused} if accused else {})
    needs = {(each.needs, each.subject) for each in await unsaid(auth, AuthOptions())}
    assert needs == ({(Needs.SETTING, "public.users (auth_user_id)")} if asked else set())


async def test_an_undeclared_table_of_many_rows_a_user_is_not_asked_for_everybody(auth: Database) -> None:
    """Not unique, or not named like profiles: no custom."""
    await profiles(auth, 25, "references auth.users (id)")
    await sign_up(auth, 1)
    assert await counts(auth, AuthOptions()) == {}
    await auth.execute("alter table public.users add unique (auth_user_id); alter table public.users rename to rooms")
    assert await counts(auth, AuthOptions()) == {}


# Discovery


async def test_a_column_of_ids_without_key_is_judged_on_a_sample(auth: Database) -> None:
    """Nine in ten of 20 values: a step less severe, medium confidence, and the YAML to confirm or exclude it."""
    await profiles(auth, 27)
    await orphan(auth, 3)
    said = {each.rule: each for each in await verdicts(auth, AuthOptions()) if isinstance(each, Finding)}
    assert (said[ORPHANED].severity, said[ORPHANED].confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert said[ORPHANED].evidence["count"] == 3
    yaml = said[UNDECLARED].remedy.caution
    assert '"table": "public.users", "column": "auth_user_id", "created_at": "created_at"' in yaml
    assert 'not_links: ["public.users.auth_user_id"]' in yaml
    excluded = AuthOptions(not_links=("public.users.*",))
    assert [each for each in await verdicts(auth, excluded) if isinstance(each, Finding)] == []


@pytest.mark.parametrize(("linked", "strangers"), [(19, 0), (26, 4)], ids=["too few", "too many strangers"])
async def test_a_weaker_likeness_is_only_proposed(auth: Database, linked: int, strangers: int) -> None:
    """Nobody is accused on it."""
    await profiles(auth, linked)
    await orphan(auth, strangers)
    (finding,) = [each for each in await verdicts(auth, AuthOptions()) if isinstance(each, Finding)]
    assert (finding.rule, finding.severity, finding.confidence) == (UNDECLARED, Severity.INFO, Confidence.LOW)


async def test_columns_of_other_ids_are_left_alone(auth: Database) -> None:
    """A key to another table, values that are no users, views, GoTrue's own tables."""
    await profiles(auth, 25, KEYED)
    await auth.execute("create table public.accounts (id uuid primary key default gen_random_uuid())")
    await auth.execute("insert into public.accounts select gen_random_uuid() from generate_series(1, 30)")
    await auth.execute("create table public.rooms (user_id uuid references public.accounts (id), owner_id uuid)")
    await auth.execute("insert into public.rooms select id, gen_random_uuid() from public.accounts")
    await auth.execute("create view public.people as select auth_user_id as user_id from public.users")
    subjects = {each.subject for each in await verdicts(auth, AuthOptions()) if isinstance(each, Finding)}
    assert subjects == {"public.users (auth_user_id)"}


# What is not there


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (Link(table="public.nobody", column="auth_user_id"), "public.nobody, which does not exist"),
        (Link(table="public.users", column="user_id"), "column user_id, which public.users does not have"),
        (Link(table="public.users", column="id"), "a bigint, which cannot hold"),
        (Link(table="public.watched", column="auth_user_id"), "public.watched, which is no table"),
        (
            Link(table="public.users", column="auth_user_id", created_at="born"),
            "created_at born, which public.users does",
        ),
        (
            Link(table="public.users", column="auth_user_id", created_at="name"),
            "created_at name, a text, which is no time",
        ),
    ],
)
async def test_a_link_that_cannot_be_is_named(auth: Database, link: Link, reason: str) -> None:
    """Never a silent all-clear for what was declared."""
    await profiles(auth)
    await auth.execute("create view public.watched as select * from public.users")
    said = await unsaid(auth, AuthOptions(links=(link,)))
    assert [(each.needs, each.subject is not None) for each in said] == [(Needs.SETTING, True)]
    assert reason in said[0].reason


async def test_a_dropped_table_is_named_at_the_next_look(auth: Database) -> None:
    """The look before knew it."""
    await profiles(auth)
    async with auth.eye(PROBE, options=DECLARED) as eye:
        assert eye.findings(await eye.look()) == []
        await auth.execute("drop table public.users")
        said = eye.unsaid(await eye.look())
    assert {each.needs for each in said if each.applies} == {Needs.SETTING}


async def test_without_gotrue_nothing_applies(database: Database) -> None:
    """No schema auth, or none of its users: counted as not applicable, unless a link names this very database."""
    for sql in ("select", "create schema auth", "create table auth.users (id bigint)"):
        await database.execute(sql)
        assert [each for each in await verdicts(database) if isinstance(each, Finding) or each.applies] == []
    link = Link(table="public.users", column="auth_user_id", database=database.name)
    assert {each.needs for each in await unsaid(database, AuthOptions(links=(link,)))} == {Needs.SETTING}


async def test_an_empty_users_table_makes_every_old_row_an_orphan(auth: Database) -> None:
    """And no row at all is well."""
    await auth.execute("create table public.users (auth_user_id uuid, created_at timestamptz default '2020-01-01')")
    assert await counts(auth) == {}
    await orphan(auth, 4)
    assert await counts(auth) == {ORPHANED: 4}


async def test_a_locked_table_is_not_waited_for(auth: Database) -> None:
    """Not evaluated for want of time; the other links are judged."""
    await profiles(auth)
    await auth.execute("create table public.rooms (owner_id uuid, created_at timestamptz default '2020-01-01')")
    await auth.execute("insert into public.rooms values (gen_random_uuid())")
    locker = await auth.connect()
    await locker.execute("begin; lock table public.users")
    options = AuthOptions(links=(LINK, Link(table="public.rooms", column="owner_id")))
    said = await verdicts(auth, options)
    assert [each.subject for each in said if isinstance(each, Finding)] == ["public.rooms (owner_id)"]
    assert {each.needs for each in said if isinstance(each, NoVerdict) and each.applies} == {Needs.TIME}


# Reading


async def test_the_metric_counts_both_directions(auth: Database) -> None:
    """Gauges by link and direction."""
    await profiles(auth)
    await orphan(auth, 2)
    await sign_up(auth, 1)
    async with auth.eye(PROBE, options=DECLARED) as eye:
        seen = await eye.look()
    assert seen.result is Result.OK
    assert [(row["link"], row["direction"], row["orphans"]) for row in seen.rows] == [
        ("public.users (auth_user_id)", "profile", 2),
        ("public.users (auth_user_id)", "user", 1),
    ]


def test_options_keep_to_their_target() -> None:
    """A link that names another target or database is not looked for here."""
    here = Link(table="a", column="b", target="shop", database="shop")
    links = (here, Link(table="a", column="c", target="other"), Link(table="a", column="d", database="other"), LINK)
    assert AuthOptions(links=links).for_target(Target("shop", "shop")).links == (here, LINK)


def test_a_links_table_is_read_as_sql_would() -> None:
    """Quotes, and public where no schema is named."""
    assert Link(table="users", column="c").place == ("public", "users", "c")
    assert Link(table='"My ""App"""."a.b"', column='"C"').place == ('My "App"', "a.b", "C")
    with pytest.raises(ValueError, match=r"SCHEMA\.TABLE"):
        Link(table="a.b.c", column="d")


async def test_more_columns_than_are_looked_at_are_not_passed_over_in_silence(database: Database) -> None:
    """A schema for each tenant: the thousand first are judged, and the cut is said; near miss: exactly as many."""
    await found_auth(database)
    await profiles(database)
    await database.execute(
        f"do $$ begin for n in 2 .. {MOST} loop execute format('create table t%s (user_id uuid)', n); end loop; end $$"
    )
    async with database.eye(PROBE) as eye:
        assert [each for each in eye.unsaid(await eye.look()) if "not looked at" in each.reason] == []
    await database.execute("create table t_one_more (user_id uuid)")
    async with database.eye(PROBE) as eye:
        unsaid = [each for each in eye.unsaid(await eye.look()) if "not looked at" in each.reason]
        assert {each.needs for each in unsaid} == {Needs.SETTING}
