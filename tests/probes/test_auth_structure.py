"""The keys of links to auth.users, on real servers: each fault, its near misses, and its printed remedy run."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from monitor.errors import Needs
from monitor.model import Confidence, NoVerdict, Object, Result, Severity
from probes.auth_links_options import AuthOptions
from probes.auth_structure import PROBE
from tests.database import Cluster, Database
from tests.probes.people import found_auth, orphan, profiles, sign_up
from tests.probes.structures import (
    UNDECLARED,
    accused,
    cured,
    declared,
    faults,
    only,
    undone,
    with_samples,
)

POSTS = declared("public.posts")


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        yield fresh


async def test_each_version_is_read_by_a_role_without_any_right(any_database: Database) -> None:
    """Catalogue only. Sick; then cured, one by one, by running what is printed."""
    await found_auth(any_database)
    await any_database.execute("create table public.users (auth_user_id uuid)")
    monitor = await any_database.as_monitor()
    assert await faults(monitor) == {"no_foreign_key", "no_unique", "nullable"}
    for rule in ("no_foreign_key", "no_unique", "nullable"):
        await any_database.apply((await only(monitor, rule)).remedy)
        assert rule not in await faults(monitor)
    assert await faults(monitor) == set()


async def test_without_gotrue_or_without_links_nothing_applies(database: Database) -> None:
    """No schema auth: skipped, without a need. No link: each rule about links says so."""
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        assert (seen.result, seen.needs) == (Result.SKIPPED, None)
    await found_auth(database)
    async with database.eye(PROBE) as eye:
        said = eye.verdicts(await eye.look())
    assert all(isinstance(each, NoVerdict) and each.needs in (None, Needs.HISTORY) for each in said)
    assert len(said) == 10


# Foreign keys


async def test_a_profile_goes_with_its_user(auth: Database) -> None:
    """The printed key cascades; what is accused is the link, by its contract."""
    await auth.execute("create table public.users (auth_user_id uuid not null unique)")
    finding = await cured(auth, "no_foreign_key")
    assert (finding.rule, finding.severity) == ("auth_links.no_foreign_key", Severity.CRITICAL)
    assert finding.object == Object("column", schema="public", name="users", column="auth_user_id")
    assert finding.subject == "public.users (auth_user_id)"
    (made,) = await sign_up(auth)
    await auth.execute("insert into public.users values ($1::text::uuid)", made)
    await auth.execute("delete from auth.users")
    assert await auth.value("select count(*) from public.users") == 0
    await undone(auth, finding)


async def test_a_row_that_may_be_a_guests_stays(auth: Database) -> None:
    """A nullable link that is not the point of its row is set NULL."""
    await auth.execute("create table public.posts (user_id uuid)")
    finding = await cured(auth, "no_foreign_key", POSTS)
    assert "on delete set null not valid" in finding.remedy.sql[0]


@pytest.mark.parametrize("table", ["public.posts", "public.orders"])
async def test_where_neither_is_plain_a_person_decides(auth: Database, table: str) -> None:
    """NULL is forbidden, or the table keeps records: both ways are told, no SQL is printed."""
    await auth.execute(f"create table {table} (user_id uuid {'not null' if 'posts' in table else ''})")
    finding = await only(auth, "no_foreign_key", declared(table))
    assert finding.remedy.sql == ()
    assert "not valid" in finding.remedy.caution
    assert "restrict" in finding.remedy.caution


async def test_orphans_stop_the_second_statement_only(auth: Database) -> None:
    """The key is then there, NOT VALID: that is its own finding, and mended like it once the orphans are."""
    await profiles(auth, rest="not null unique")
    await orphan(auth)
    remedy = (await only(auth, "no_foreign_key")).remedy
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await auth.apply(remedy)
    assert await faults(auth) == {"foreign_key_not_valid"}
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await orphan(auth)
    await auth.execute(
        "delete from public.users u where not exists (select from auth.users a where a.id = auth_user_id)"
    )
    await cured(auth, "foreign_key_not_valid")
    assert await faults(auth) == set()


async def test_a_chain_of_keys_is_bond_enough(auth: Database) -> None:
    """Near miss: posts refer to profiles, which refer to auth.users. Sick: profiles do not."""
    await auth.execute(
        "create table public.profiles (id uuid primary key references auth.users on delete cascade);"
        "create table public.posts (user_id uuid references public.profiles)"
    )
    assert await faults(auth, POSTS) == set()
    await auth.execute("alter table public.profiles drop constraint profiles_id_fkey")
    assert await faults(auth, POSTS) == {"no_foreign_key"}


async def test_columns_nobody_took_for_links_are_left_alone(auth: Database) -> None:
    """Named like one, without key, not declared, not sampled; and a key that was excluded."""
    await auth.execute(
        "create table public.notes (user_id uuid); create table public.audit_log (user_id uuid references auth.users)"
    )
    assert await faults(auth, AuthOptions(not_links=("public.audit_*",))) == set()
    assert await faults(auth, UNDECLARED) == {"no_on_delete"}


async def test_a_link_known_by_its_values_is_accused_one_step_lower(auth: Database) -> None:
    """With medium confidence, and without SQL that would refuse rows of what may be no link."""
    await sign_up(auth, 25)
    await auth.execute("create table public.notes as select id as user_id from auth.users; analyze")
    found = {each.rule: each for each in await with_samples(auth)}
    assert set(found) == {"auth_links.no_foreign_key", "auth_links.no_index"}
    finding = found["auth_links.no_foreign_key"]
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert finding.remedy.sql == ()


async def test_a_key_that_is_not_enforced_keeps_nothing(auth: Database) -> None:
    """From PostgreSQL 18 on; cured by what is printed, and put back."""
    await auth.execute(
        "create table public.users ("
        " auth_user_id uuid not null unique references auth.users on delete cascade not enforced)"
    )
    finding = await cured(auth, "no_foreign_key")
    assert "NOT ENFORCED" in finding.summary
    await undone(auth, finding)


async def test_partitioned_tables(any_database: Database) -> None:
    """One step where the version knows no NOT VALID; keys of the leaves alone are enough."""
    await found_auth(any_database)
    await any_database.execute(
        "create table public.posts (user_id uuid, nr int) partition by list (nr);"
        "create table public.posts_1 partition of public.posts for values in (1);"
    )
    assert await faults(any_database, POSTS) == {"no_foreign_key", "no_index"}
    await any_database.execute(
        "alter table public.posts_1 add foreign key (user_id) references auth.users;"
        "create index on public.posts_1 (user_id)"
    )
    assert await faults(any_database, POSTS) == set()
    await any_database.execute("alter table public.posts_1 drop constraint posts_1_user_id_fkey")
    await cured(any_database, "no_foreign_key", POSTS)
    assert await faults(any_database, POSTS) == set()
    assert await faults(any_database, UNDECLARED) == set()


@pytest.mark.parametrize("action", ["", "on delete restrict"])
async def test_a_key_that_forbids_deletion_is_replaced(auth: Database, action: str) -> None:
    """Sick: no action, restrict. Cured; what else the key says stays; and put back."""
    await auth.execute(
        "create table public.users (auth_user_id uuid not null unique references auth.users match full"
        f" on update cascade {action} deferrable initially deferred)"
    )
    finding = await cured(auth, "no_on_delete")
    definition = (
        "select pg_get_constraintdef(oid) from pg_constraint where contype = 'f' and conrelid = 'users'::regclass"
    )
    expected = (
        "FOREIGN KEY (auth_user_id) REFERENCES auth.users(id) MATCH FULL ON UPDATE CASCADE{} "
        "DEFERRABLE INITIALLY DEFERRED"
    )
    assert await auth.value(definition) == expected.format(" ON DELETE CASCADE")
    assert await faults(auth) == set()
    await undone(auth, finding)
    assert await auth.value(definition) == expected.format(" ON DELETE RESTRICT" if action else "")


@pytest.mark.parametrize("action", ["cascade", "set null", "set default"])
async def test_a_key_that_says_what_becomes_of_the_rows_is_well(auth: Database, action: str) -> None:
    """Near misses."""
    await auth.execute(f"create table public.posts (user_id uuid references auth.users on delete {action})")
    assert await faults(auth, POSTS) == set()


async def test_a_cascade_on_records_is_told(auth: Database) -> None:
    """Sick: invoices. Near misses: payment methods, and invoices that lose their user. Cured by set null."""
    await auth.execute(
        "create table public.payment_methods (user_id uuid references auth.users on delete cascade);"
        "create table public.invoices (user_id uuid references auth.users on delete cascade)"
    )
    finding = await only(auth, "cascade_risk", UNDECLARED)
    assert (finding.subject, finding.severity) == ("public.invoices (user_id)", Severity.INFO)
    assert finding.remedy.sql == ()
    await auth.execute(
        "alter table public.invoices drop constraint invoices_user_id_fkey,"
        " add foreign key (user_id) references auth.users on delete set null"
    )
    assert await faults(auth, UNDECLARED) == set()


async def test_a_key_to_another_unique_column_is_told(auth: Database) -> None:
    """Of splinter, lint 0021's cases: none, one, still one beside a key to the id, none when the table is gone."""
    assert await faults(auth, UNDECLARED) == set()
    await auth.execute("create table public.foo (id uuid primary key, un text not null references auth.users (phone))")
    finding = await only(auth, "not_primary_key", UNDECLARED)
    assert finding.object == Object("column", schema="public", name="foo", column="un")
    await auth.execute("alter table public.foo add foreign key (id) references auth.users (id) on delete cascade")
    assert await faults(auth, UNDECLARED) == {"not_primary_key"}
    assert (await only(auth, "not_primary_key", UNDECLARED)).subject == "public.foo (un)"
    await auth.execute("drop table public.foo")
    assert await faults(auth, UNDECLARED) == set()


async def test_keys_of_several_columns(auth: Database) -> None:
    """One to (id, is_sso_user) is a link, is not on the primary key, and its rule of deletion is left to a person."""
    await auth.execute(
        "alter table auth.users add unique (id, is_sso_user);"
        "create table public.posts (user_id uuid, sso boolean,"
        " foreign key (user_id, sso) references auth.users (id, is_sso_user))"
    )
    found = {each.rule: each for each in await accused(auth, UNDECLARED)}
    assert set(found) == {"auth_links.no_on_delete", "auth_links.not_primary_key"}
    assert found["auth_links.no_on_delete"].subject == "public.posts (user_id)"
    assert found["auth_links.no_on_delete"].remedy.sql == ()
