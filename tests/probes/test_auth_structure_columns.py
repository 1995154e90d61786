"""The columns of links to auth.users, on real servers: each fault, its near misses, and its printed remedy run."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from monitor.model import Confidence, Severity
from probes.auth_links_options import AuthOptions, Link
from probes.auth_structure import PROBE
from probes.auth_structure_columns import NoIndex
from tests.database import Cluster, Database
from tests.probes.people import found_auth, profiles, sign_up
from tests.probes.structures import (
    UNDECLARED,
    cured,
    declared,
    faults,
    only,
    shape,
    undone,
)

POSTS = declared("public.posts")
UNIQUE = "create unique index on public.users (auth_user_id)"


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        yield fresh


@pytest.mark.parametrize("near", ["", "where auth_user_id is not null", "where deleted_at is null"])
async def test_a_user_has_one_profile(auth: Database, near: str) -> None:
    """Sick: a plain index, a partial one on something else, one that is invalid, one on more columns. Near misses."""
    await auth.execute(
        "create table public.users ("
        " auth_user_id uuid not null references auth.users on delete cascade, deleted_at date);"
        "create index on public.users (auth_user_id);"
        "create unique index on public.users (auth_user_id) where deleted_at > '2020-01-01';"
        "create unique index on public.users (auth_user_id, deleted_at)"
    )
    finding = await only(auth, "no_unique")
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.HIGH)
    await auth.execute(f"{UNIQUE} {near}")
    assert await faults(auth) == set()


async def test_two_profiles_stop_the_unique_index(auth: Database) -> None:
    """It stays behind invalid, which is no cure; after merging, the rollback and a second try are."""
    await profiles(auth, rest="not null references auth.users on delete cascade")
    await auth.execute("insert into public.users (auth_user_id) select auth_user_id from public.users limit 1")
    finding = await only(auth, "no_unique")
    with pytest.raises(asyncpg.UniqueViolationError):
        await auth.apply(finding.remedy)
    assert await faults(auth) == {"no_unique"}
    await auth.execute("delete from public.users where id = (select max(id) from public.users)")
    await undone(auth, finding)
    await cured(auth, "no_unique")


async def test_only_what_is_named_like_a_profile_must_be_unique(auth: Database) -> None:
    """Undeclared: with medium confidence; near misses: members, who made it, one a team, declared without a word."""
    for table, column in (("members", "user_id"), ("accounts", "user_id"), ("profiles", "created_by")):
        await auth.execute(f"create table public.{table} ({column} uuid references auth.users on delete cascade);")
    await auth.execute(
        "create table public.users ("
        " team int, user_id uuid references auth.users on delete cascade, primary key (team, user_id))"
    )
    assert await faults(auth, UNDECLARED) == set()
    await auth.execute(
        "create table public.user_profiles (user_id uuid not null references auth.users on delete cascade)"
    )
    finding = await only(auth, "no_unique", UNDECLARED)
    assert (finding.subject, finding.confidence) == ("public.user_profiles (user_id)", Confidence.MEDIUM)
    assert await faults(auth, declared("public.user_profiles")) == set()


INDEXES = {
    "on public.posts (user_id)": True,
    "on public.posts (user_id, nr)": True,
    "on public.posts (user_id) where user_id is not null": True,
    "on public.posts (nr, user_id)": False,
    "on public.posts (nr) include (user_id)": False,
    "on public.posts (user_id) where nr > 0": False,
    "on public.posts using hash (user_id)": False,
    "on public.posts (lower(user_id))": False,
}


async def test_an_index_must_begin_with_the_link_and_hold_every_row(auth: Database) -> None:
    """Sick and near misses; cured by what is printed."""
    for index, serves in INDEXES.items():
        await auth.execute(f"create table public.posts (nr int, user_id text); create index {index}")
        assert ("no_index" in await faults(auth, POSTS)) is not serves, index
        if not serves:
            await undone(auth, await cured(auth, "no_index", POSTS), POSTS)
        await auth.execute("drop table public.posts")


async def test_small_tables_and_bound_links_need_no_word_of_ours(auth: Database) -> None:
    """At the limit: fewer rows than `small_rows` are info, as many a warning, unknown ones too. With a foreign key
    probe indexes speaks.
    """
    await auth.execute("create table public.posts (user_id uuid)")
    assert (await only(auth, "no_index", POSTS)).severity is Severity.WARNING
    await auth.execute(
        "insert into public.posts select gen_random_uuid() from generate_series(1, 10); analyze public.posts"
    )
    async with auth.eye(PROBE, options=POSTS) as eye:
        seen = await eye.look()
        said = [eye.findings(seen, NoIndex(small_rows=rows))[0].severity for rows in (10, 11)]
    assert said == [Severity.WARNING, Severity.INFO]
    await auth.execute(
        "truncate public.posts; alter table public.posts add foreign key (user_id) references auth.users"
    )
    assert await faults(auth, POSTS) == {"no_on_delete"}


async def test_a_text_becomes_a_uuid(auth: Database) -> None:
    """Sick: varchar, with every spelling and an empty one. Cured, the ids are the same; then the key can be added."""
    made = await sign_up(auth, 3)
    await auth.execute("create table public.posts (user_id varchar(40)); create index on public.posts (user_id)")
    for spelled in (made[0].upper(), "{" + made[1] + "}", made[2].replace("-", ""), "", None):
        await auth.execute("insert into public.posts values ($1)", spelled)
    assert await faults(auth, POSTS) == {"wrong_type", "no_foreign_key"}
    assert (await only(auth, "no_foreign_key", POSTS)).remedy.sql == ()
    finding = await cured(auth, "wrong_type", POSTS)
    assert await auth.value("select count(*) from posts join auth.users u on u.id = user_id") == 3
    await undone(auth, finding, POSTS)
    await auth.apply(finding.remedy)
    await cured(auth, "no_foreign_key", POSTS)
    assert await faults(auth, POSTS) == set()


async def test_types(auth: Database) -> None:
    """Near miss: a domain over uuid. Sick: a domain over text; a number, which nothing mends."""
    await auth.execute("create domain public.uid as uuid; create domain public.name_of as text")
    await auth.execute("create table public.posts (user_id public.uid references auth.users on delete cascade)")
    assert await faults(auth, POSTS) == set()
    await auth.execute("drop table public.posts; create table public.posts (user_id public.name_of)")
    await cured(auth, "wrong_type", POSTS)
    await auth.execute("drop table public.posts; create table public.posts (user_id bigint)")
    assert (await only(auth, "wrong_type", POSTS)).remedy.sql == ()


async def test_a_profile_without_user_is_told(auth: Database) -> None:
    """Sick: NULL is allowed. Near misses: the key sets NULL; a post. Guests stop the second statement; rolled back."""
    await auth.execute("create table public.users (auth_user_id uuid unique references auth.users on delete cascade)")
    finding = await only(auth, "nullable")
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.MEDIUM)
    await auth.execute("insert into public.users values (null)")
    with pytest.raises(asyncpg.CheckViolationError):
        await auth.apply(finding.remedy)
    for statement in finding.remedy.rollback:
        await auth.execute(statement)
    await auth.execute("delete from public.users")
    await undone(auth, await cured(auth, "nullable"))
    await auth.execute(
        "alter table public.users drop constraint users_auth_user_id_fkey,"
        " add foreign key (auth_user_id) references auth.users on delete set null"
    )
    assert await faults(auth) == set()


async def test_any_name_is_quoted(auth: Database) -> None:
    """Every remedy runs on names that need quotes, and beside names that are taken."""
    await auth.execute(
        'create schema "We ird"; create table "We ird"."T.""x" ("User Id" text);'
        'alter table "We ird"."T.""x" add constraint "T.""x_User Id_fkey" check (true);'
        'create table "We ird"."T.""x_User Id_idx" ()'
    )
    options = AuthOptions(links=(Link(table='"We ird"."T.""x"', column='"User Id"', one_per_user=True),))
    for rule in ("wrong_type", "no_unique", "nullable", "no_foreign_key"):
        await undone(auth, await cured(auth, rule, options), options)
        await cured(auth, rule, options)
    assert await faults(auth, options) == set()


async def test_what_the_configuration_names_wrongly_invents_nothing(auth: Database) -> None:
    """A table, column or view that is not there: auth_links says so, nobody is accused here."""
    await auth.execute("create table public.posts (nr int); create view public.seen as select 1 as user_id")
    links = tuple(Link(table=f"public.{name}", column="user_id") for name in ("posts", "seen", "gone"))
    assert await faults(auth, AuthOptions(links=links)) == set()


def test_which_tables_keep_records() -> None:
    """By whole words, in any spelling; a word that stands last may make it something else."""
    records = "orders order_items invoices2024 Payments userTransactions audit_log audit_logs AuditLog billing_events"
    others = "payment_methods order_settings subscription_plans billing_addresses border_crossings wholesalers profiles"
    assert [name for name in records.split() if not shape(name).of_record] == []
    assert [name for name in others.split() if shape(name).of_record] == []


def test_which_links_are_a_persons_own() -> None:
    """Undeclared: the names of table and column together."""
    own = (("users", "id"), ("profiles", "user_id"), ("UserProfiles", "authUserId"), ("app_users", "supabase_uid"))
    others = (("profiles", "invited_by"), ("members", "user_id"), ("customers", "user_id"), ("orders", "user_id"))
    assert [names for names in own if not shape(*names).of_person] == []
    assert [names for names in others if shape(*names).of_person] == []


async def test_tables_of_managed_services_are_left_alone(auth: Database) -> None:
    """Supabase's storage refers to auth.users, and only its owner could mend it; one's own schema counts."""
    await auth.execute(
        "create schema storage; create table storage.objects (owner uuid references auth.users);"
        "alter table storage.objects owner to supabase_auth_admin"
    )
    assert await faults(auth, UNDECLARED) == set()
    await auth.execute("alter table storage.objects owner to current_user")
    assert await faults(auth, UNDECLARED) == {"no_on_delete"}
