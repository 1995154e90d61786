"""Rows against the state of their user on real servers: who is accused, who is not, what mends it, who cannot see."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from monitor.cli.grants import Auth, Wanted, grants_sql
from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.demo.gotrue import older_level
from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Confidence, Finding, NoVerdict, Object, Result, Secret, Server, Severity
from probes import auth_links
from probes.auth_links_options import AuthOptions, Link
from probes.auth_states import PROBE, SoftDeletedUser
from tests.database import Cluster, Database
from tests.looking import Eye
from tests.probes.people import found_auth, give_profiles, orphan, profiles, sign_up

MALFORMED, DUPLICATE, DELETED, BANNED, COPY, DRIFT = (
    "auth_links.malformed",
    "auth_links.duplicate",
    "auth_links.soft_deleted_user",
    "auth_links.banned_user",
    "auth_links.email_copy",
    "auth_links.email_drift",
)
ROW_RULES = {MALFORMED, DUPLICATE, DELETED, BANNED, DRIFT}
LINK = Link(table="public.users", column="auth_user_id", email="email", one_per_user=True)
DECLARED = AuthOptions(links=(LINK,))
PLAIN = AuthOptions(links=(Link(table="public.users", column="auth_user_id"),))
WAYS: tuple[Auth, ...] = ("functions", "policy", "bypassrls")
SUBJECT = "public.users (auth_user_id)"


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        yield fresh


@asynccontextmanager
async def opened(database: Database, options: AuthOptions) -> AsyncIterator[tuple[Eye, Eye]]:
    """Open the eye of auth_links, which finds the links, and that of auth_states, over one memory."""
    server = PostgresServer(Server(name="test", dsn=Secret(database.dsn), only=database.name), environ={})
    runner = Runner(snapshot=True)
    try:
        links = Eye(server, runner, replace(auth_links.PROBE, options=options), database.name)
        yield links, Eye(server, runner, replace(PROBE, options=options), database.name)
    finally:
        await server.close()


async def look(database: Database, options: AuthOptions = DECLARED) -> Measurement:
    async with opened(database, options) as (links, states):
        await links.look()
        return await states.look()


async def verdicts(database: Database, options: AuthOptions = DECLARED) -> list[Finding | NoVerdict]:
    async with opened(database, options) as (links, states):
        await links.look()
        seen = await states.look()
        assert seen.result is Result.OK, seen.reason
        return states.verdicts(seen)


async def found(database: Database, options: AuthOptions = DECLARED) -> dict[str, Finding]:
    """Give the findings by rule; the tests have one link, so there is one of each."""
    accused = [each for each in await verdicts(database, options) if isinstance(each, Finding)]
    assert len(accused) == len({each.rule for each in accused})
    return {each.rule: each for each in accused}


async def counts(database: Database, options: AuthOptions = DECLARED) -> dict[str, object]:
    """Give the count of each finding about rows."""
    accused = await found(database, options)
    return {rule: finding.evidence["count"] for rule, finding in accused.items() if rule in ROW_RULES}


async def unsaid(database: Database, options: AuthOptions = DECLARED) -> list[NoVerdict]:
    """Give what was not evaluated; what does not apply is left out."""
    return [each for each in await verdicts(database, options) if isinstance(each, NoVerdict) and each.applies]


async def seeing(database: Database, way: Auth, options: AuthOptions = DECLARED) -> Database:
    """Give the monitor's role one way of sight."""
    role = await database.as_monitor()
    links = [(*link.place, link.created_at) for link in options.links]
    for statement in grants_sql(Wanted(role=str(role.user), auth=way, links=links)):
        await database.execute(statement)
    return role


async def addresses(database: Database, many: int = 25, rest: str = "") -> None:
    """Make profiles with a copy of the address and a mark of deletion; every user has one."""
    await profiles(database, many, rest)
    await database.execute("alter table public.users add email text, add deleted_at timestamptz")
    await database.execute("update public.users p set email = u.email from auth.users u where u.id = p.auth_user_id")


async def of_the_first(database: Database, many: int, changes: str) -> None:
    """Change the users of the first rows; `changes` is a SET list."""
    await database.execute(
        f"update auth.users set {changes} where id in (select auth_user_id from public.users order by id limit {many})"
    )


async def all_faults(database: Database) -> dict[str, object]:
    """Plant one fault of each kind, each in its own number, and give the counts."""
    await addresses(database, 40)
    await of_the_first(database, 2, "deleted_at = now() - interval '1 hour', email = 'hashed' || id")
    await database.execute(
        "update auth.users set banned_until = now() + interval '1 day' where email in"
        " (select email from public.users where id between 11 and 13)"
    )
    await database.execute("update public.users set email = 'old' || email where id between 21 and 24")
    await database.execute(
        "insert into public.users (auth_user_id, email) select auth_user_id, email from public.users"
        " where id between 31 and 35"
    )
    return {DELETED: 2, BANNED: 3, DRIFT: 4, DUPLICATE: 5}


# Ways of sight


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_of_sight_counts_the_same(any_database: Database, way: Auth) -> None:
    """Sick, on each version, through each way that is printed; the profiles have row level security too."""
    await found_auth(any_database)
    planted = await all_faults(any_database)
    await any_database.execute("alter table public.users enable row level security")
    assert await counts(await seeing(any_database, way)) == planted


@pytest.mark.parametrize("way", ["functions", "policy"])
async def test_texts_are_told_apart_on_every_version(any_database: Database, way: Auth) -> None:
    """Every spelling the server takes for a uuid is one; empty and NULL are no link."""
    await found_auth(any_database)
    await texts(any_database, "text")
    assert await counts(await seeing(any_database, way)) == {MALFORMED: 3, DUPLICATE: 1}


async def test_who_sees_nothing_accuses_nobody_and_says_why(auth: Database) -> None:
    """Row level security hides auth.users without an error; the address' copy is seen in the catalogue."""
    await all_faults(auth)
    blind = await auth.as_monitor()
    await auth.execute(f"grant pg_read_all_data to {blind.user}")
    assert set(await found(blind)) == {COPY}
    said = await unsaid(blind)
    assert {(each.needs, bool(each.subject)) for each in said} == {(Needs.RIGHTS, False)}
    assert all("sees no row of auth.users" in each.reason and "monitor grants --auth" in each.reason for each in said)


async def test_without_sight_of_addresses_only_they_are_not_compared(auth: Database) -> None:
    """A role that may read the states and no address; near miss: the other rules go on."""
    planted = await all_faults(auth)
    role = await seeing(auth, "policy")
    await auth.execute(f"revoke select (email) on auth.users from {role.user}")
    assert await counts(role) == {rule: count for rule, count in planted.items() if rule != DRIFT}
    (said,) = await unsaid(role)
    assert (said.needs, said.subject) == (Needs.RIGHTS, SUBJECT)
    assert "no SELECT on email" in said.reason


async def test_a_profile_table_that_hides_its_rows_is_not_judged(auth: Database) -> None:
    """auth.users seen whole, the profiles not."""
    await all_faults(auth)
    half = await seeing(auth, "policy", AuthOptions())
    assert set(await found(half)) == {COPY}
    assert {each.needs for each in await unsaid(half)} == {Needs.RIGHTS}


async def test_the_function_shows_no_row_and_reads_no_other_table(auth: Database) -> None:
    """Counts only, whatever is asked."""
    await all_faults(auth)
    await auth.execute("create table public.secrets (token text, n int); insert into public.secrets values ('s3cr', 1)")
    role = await seeing(auth, "functions")
    asked = "select * from pgarchitect.auth_states($1, $2, $3, $4, $5, '(0,0)', '(9,0)', 0, true, true)"
    shown = str(await role.fetch(asked, "auth", "public", "users", "auth_user_id", "email"))
    shown += str(await role.fetch(asked, "auth", "public", "secrets", "token", "token"))
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|@example|s3cr", shown)
    for place in (("auth", "users", "id"), ("public", "secrets", "n"), ("pg_catalog", "pg_authid", "rolpassword")):
        with pytest.raises(Exception, match="pgarchitect: "):
            await role.fetch(asked, "auth", *place, None)


# Malformed


async def texts(database: Database, type_: str) -> None:
    """Make the link a text, spelled in five ways; three rows hold no uuid, and one user has two rows."""
    await profiles(database, 40, rest="")
    await database.execute(
        f"alter table public.users alter auth_user_id type {type_} using auth_user_id::text, add email text"
    )
    await database.execute(
        "update public.users set auth_user_id = case id % 5 when 0 then upper(auth_user_id)"
        " when 1 then '{' || upper(auth_user_id) || '}' when 2 then replace(auth_user_id, '-', '')"
        " when 3 then '{' || replace(auth_user_id, '-', '') || '}' else auth_user_id end"
    )
    await database.execute(
        "insert into public.users (auth_user_id) values (''), (null), ('n/a'), ('12345678'),"
        " ('--------------------------------0123')"
    )
    await database.execute(
        "insert into public.users (auth_user_id) select lower(auth_user_id) from public.users where id = 5"
    )


@pytest.mark.parametrize("type_", ["varchar(80)", "char(40)"])
async def test_what_is_no_uuid_is_found_and_gone_when_mended(auth: Database, type_: str) -> None:
    """Sick; cured by what the caution says: set to NULL, then make the column a uuid."""
    await auth.execute("create collation caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    await texts(auth, type_)
    finding = (await found(auth))[MALFORMED]
    assert (finding.severity, finding.confidence) == (Severity.CRITICAL, Confidence.HIGH)
    assert finding.object == Object("column", schema="public", name="users", column="auth_user_id")
    assert (finding.subject, finding.evidence["count"]) == (SUBJECT, 3)
    caution = finding.remedy.caution
    shown = caution.partition("see them: ")[2].partition(". Set")[0]
    assert len(await auth.fetch(shown)) == 3
    await auth.execute(f"update public.users set auth_user_id = null where id in (select id from ({shown}) bad)")
    await auth.execute(caution.partition("by the type: ")[2].partition(" (it")[0])
    assert set(await counts(auth)) == {DUPLICATE}


async def test_texts_under_a_collation_that_takes_no_patterns_are_read(auth: Database) -> None:
    """Nondeterministic collations refuse LIKE and regular expressions."""
    await auth.execute("create collation caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    await texts(auth, "text collate caseless")
    await auth.execute("alter table public.users alter email type text collate caseless")
    assert await counts(auth) == {MALFORMED: 3, DUPLICATE: 1}


async def test_a_uuid_cannot_be_malformed(auth: Database) -> None:
    """The rule does not apply; too little data: a table without a row is well."""
    await profiles(auth, 0)
    said = [each for each in await verdicts(auth, PLAIN) if isinstance(each, NoVerdict)]
    assert "no column of texts links to auth.users" in {each.reason for each in said if not each.applies}
    assert await counts(auth, PLAIN) == {}


# Duplicates


async def test_a_second_row_is_found_and_gone_when_merged(auth: Database) -> None:
    """Sick; cured by merging; then the index that is named keeps it so, and the rule does not apply."""
    await addresses(auth)
    await auth.execute(
        "insert into public.users (auth_user_id) select auth_user_id from public.users, generate_series(1, 2)"
        " where id <= 3"
    )
    finding = (await found(auth))[DUPLICATE]
    assert (finding.evidence["count"], finding.evidence["rows"]) == (3, 9)
    assert (finding.severity, finding.remedy.sql) == (Severity.CRITICAL, ())
    caution = finding.remedy.caution
    assert len(await auth.fetch(caution.partition("see them: ")[2].partition(". When")[0])) == 3
    await auth.execute("delete from public.users where email is null")
    assert DUPLICATE not in await counts(auth)
    await auth.execute(caution.partition("keep it so: ")[2].partition(";")[0])
    said = [each for each in await verdicts(auth) if isinstance(each, NoVerdict) and not each.applies]
    assert any("unique indexes keep them so" in each.reason for each in said)


async def test_who_is_no_duplicate(auth: Database) -> None:
    """Near misses: guests, a row that is marked as deleted, and links that were never said to be one a user."""
    await addresses(auth)
    await auth.execute("insert into public.users (auth_user_id) values (null), (null)")
    await auth.execute(
        "insert into public.users (auth_user_id, deleted_at) select auth_user_id, now() from public.users where id < 5"
    )
    assert await counts(auth) == {}
    await auth.execute("update public.users set deleted_at = null")
    assert await counts(auth) == {DUPLICATE: 4}
    assert await counts(auth, PLAIN) == {}


async def test_undeclared_profiles_are_judged_by_custom(auth: Database) -> None:
    """At the limit: one user in ten with a second row is accused, one more asks for a word; memberships never."""
    made = await profiles(auth, 20, "references auth.users")
    await give_profiles(auth, made[:2])
    finding = (await found(auth, AuthOptions()))[DUPLICATE]
    assert (finding.evidence["count"], finding.confidence) == (2, Confidence.MEDIUM)
    await give_profiles(auth, made[2:3])
    assert await counts(auth, AuthOptions()) == {}
    (said,) = await unsaid(auth, AuthOptions())
    assert (said.needs, said.subject) == (Needs.SETTING, SUBJECT)
    assert "3 of 20 users have several rows" in said.reason
    await auth.execute("alter table public.users add team int generated always as identity")
    await auth.execute("create unique index on public.users (team, auth_user_id)")
    assert await unsaid(auth, AuthOptions()) == []


# Soft-deleted and banned users


async def test_live_rows_of_deleted_users_are_found_until_they_are_anonymised(auth: Database) -> None:
    """Sick; cured by the profile's own mark; near misses: a deletion under way, and rows that are marked."""
    await addresses(auth, rest="unique")
    await of_the_first(auth, 3, "deleted_at = now() - interval '1 hour'")
    finding = (await found(auth))[DELETED]
    assert (finding.severity, finding.evidence["count"]) == (Severity.WARNING, 3)
    shown = finding.remedy.caution.partition("see them: ")[2].partition(". Make")[0]
    assert len(await auth.fetch(shown)) == 3
    await auth.execute("update public.users set deleted_at = now() where id < 3")
    assert await counts(auth) == {DELETED: 1}
    await of_the_first(auth, 3, "deleted_at = now() - interval '4 minutes 50 seconds'")
    assert await counts(auth) == {}


@pytest.mark.parametrize("mark", ["is_deleted boolean", "anonymised_at timestamp", '"deletedAt" date', "erased bool"])
async def test_a_profiles_own_mark_is_known_by_its_name(auth: Database, mark: str) -> None:
    """And by its type."""
    await profiles(auth, 5)
    await of_the_first(auth, 2, "deleted_at = now() - interval '1 hour'")
    await auth.execute(f"alter table public.users add {mark}")
    assert await counts(auth, PLAIN) == {DELETED: 2}
    column, type_ = mark.split()
    await auth.execute(f"update public.users set {column} = {'true' if type_.startswith('bool') else 'now()'}")
    assert await counts(auth, PLAIN) == {}


async def test_retention_is_counted_in_whole_days(auth: Database) -> None:
    """At the limit: thirty days ago is kept, thirty-one is too long."""
    await profiles(auth, 5)
    await of_the_first(auth, 2, "deleted_at = date_trunc('day', now(), 'UTC') - interval '30 days'")
    rule = SoftDeletedUser(after_days=30)
    async with opened(auth, PLAIN) as (links, states):
        await links.look()
        assert states.findings(await states.look(), rule) == []
        await of_the_first(auth, 1, "deleted_at = date_trunc('day', now(), 'UTC') - interval '30 days 1 minute'")
        (finding,) = states.findings(await states.look(), rule)
    assert (finding.evidence["count"], finding.evidence["after_days"]) == (1, 30)


async def test_banned_users_are_counted_while_the_ban_lasts(auth: Database) -> None:
    """Sick, for ever too; near miss: a ban that is over."""
    await profiles(auth, 5)
    await of_the_first(auth, 3, "banned_until = now() + interval '1 minute'")
    await of_the_first(auth, 1, "banned_until = 'infinity'")
    finding = (await found(auth, PLAIN))[BANNED]
    assert (finding.severity, finding.evidence["count"]) == (Severity.INFO, 3)
    assert len(await auth.fetch(finding.remedy.caution.partition("see them: ")[2].partition(". Nothing")[0])) == 3
    await of_the_first(auth, 3, "banned_until = now() - interval '1 second'")
    assert await counts(auth, PLAIN) == {}


async def test_rows_of_nobody_and_times_without_end_break_nothing(auth: Database) -> None:
    """Orphans are another rule's."""
    await profiles(auth, 5)
    await orphan(auth, 3)
    await of_the_first(auth, 2, "deleted_at = '-infinity', banned_until = '-infinity'")
    assert await counts(auth, PLAIN) == {DELETED: 2}
    await of_the_first(auth, 2, "deleted_at = 'infinity'")
    assert await counts(auth, PLAIN) == {}


# Addresses


async def test_stale_addresses_are_mended_by_the_printed_statement(auth: Database) -> None:
    """Sick; cured by running the remedy, which touches nobody else."""
    await addresses(auth, rest="unique")
    await auth.execute("update public.users set email = 'old' || email where id <= 4")
    await auth.execute("update public.users set email = upper(email) where id = 5")
    accused = await found(auth)
    finding = accused[DRIFT]
    assert (finding.severity, finding.confidence) == (Severity.CRITICAL, Confidence.HIGH)
    assert (finding.evidence["count"], finding.evidence["compared"]) == (4, 25)
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|@example", str(accused))
    await auth.apply(finding.remedy)
    assert set(await found(auth)) == {COPY}
    kept = await auth.value("select count(*) from public.users where email <> lower(email)")
    assert kept == 1


async def test_the_printed_statement_touches_nothing_when_more_differ_by_now(auth: Database) -> None:
    """It takes over what was counted, and no more."""
    await addresses(auth, rest="unique")
    await auth.execute("update public.users set email = 'old' || email where id <= 4")
    remedy = (await found(auth))[DRIFT].remedy
    await auth.execute("update public.users set email = 'old' || email where id = 9")
    with pytest.raises(Exception, match="5 rows differ by now, not 4"):
        await auth.apply(remedy)
    assert await counts(auth) == {DRIFT: 5}


@pytest.mark.parametrize(
    ("user", "profile"),
    [
        ("email = ' ' || upper(email)", "email = email || ' '"),
        (
            "email_change = 'new@example.org', email_change_sent_at = now() - interval '1 hour'",
            "email = 'new@example.org'",
        ),
        ("email_change = 'new@example.org'", "email = 'new@example.org'"),
        ("email = null", "email = 'a@example.org'"),
        ("email = 'b@example.org'", "email = null"),
        ("email = 'b@example.org'", "email = '  '"),
        ("deleted_at = now(), email = 'hash'", "name = 'x'"),
    ],
    ids=["case and blanks", "change under way", "change of unknown age", "no address", "no copy", "blank", "deleted"],
)
async def test_what_is_no_drift(auth: Database, user: str, profile: str) -> None:
    """Near misses, each one alone; at the limit: a change that was begun more than a day ago is over."""
    await addresses(auth, rest="unique")
    await auth.execute(f"update public.users set {profile} where id = 1")
    await of_the_first(auth, 1, user)
    assert await counts(auth) == {}
    if "sent_at" in user:
        await of_the_first(auth, 1, "email_change_sent_at = now() - interval '25 hours'")
        assert await counts(auth) == {DRIFT: 1}


async def test_an_undeclared_copy_is_found_by_its_name(auth: Database) -> None:
    """Less sure, and no SQL: it may be another address on purpose; where most differ it is not judged."""
    await addresses(auth, rest="unique")
    await auth.execute('alter table public.users rename email to "Email_Address"')
    await auth.execute("update public.users set \"Email_Address\" = 'x@example.org' where id <= 12")
    every = AuthOptions(links=(Link(table="public.users", column="auth_user_id", every_user=True),))
    accused = await found(auth, every)
    assert (accused[DRIFT].evidence["count"], accused[DRIFT].confidence) == (12, Confidence.MEDIUM)
    assert (accused[COPY].confidence, accused[COPY].severity) == (Confidence.MEDIUM, Severity.WARNING)
    assert accused[DRIFT].remedy.sql == ()
    assert (
        len(await auth.fetch(accused[DRIFT].remedy.caution.partition("see the rows: ")[2].partition(". People")[0]))
        == 12
    )
    await auth.execute("update public.users set \"Email_Address\" = 'x@example.org' where id = 13")
    assert await counts(auth, every) == {}
    (said,) = await unsaid(auth, every)
    assert (said.needs, "13 of 25 addresses" in said.reason) == (Needs.SETTING, True)


async def test_an_address_of_somebody_else_is_no_copy(auth: Database) -> None:
    """Invitations name who invited and the address of who is invited."""
    made = await sign_up(auth, 25)
    await auth.execute(
        "create table public.invitations (inviter_id uuid references auth.users, email text, number int);"
        f"insert into public.invitations select '{made[0]}', n || '@example.org', n from generate_series(1, 30) n"
    )
    assert await found(auth, AuthOptions()) == {}


async def test_the_copy_goes_with_the_column(auth: Database) -> None:
    """Cured by what the caution says."""
    await addresses(auth, rest="unique")
    finding = (await found(auth))[COPY]
    assert finding.evidence["email_column"] == "email"
    await auth.execute(finding.remedy.caution.partition("drop the copy: ")[2].partition(". If")[0])
    (said,) = {(each.reason, each.needs) for each in await unsaid(auth)}
    assert said == ("auth.links names email email, which it does not have", Needs.SETTING)
    assert await found(auth, PLAIN) == {}


async def test_how_far_the_sweep_is_can_be_plotted(auth: Database) -> None:
    """One row a state, one a link's sweep; no value for a link that was not read."""
    await all_faults(auth)
    seen = await look(auth)
    assert {row["state"]: row["rows"] for row in seen.rows} == {
        "malformed": 0, "duplicate": 5, "soft_deleted": 2, "banned": 3, "email_drift": 4
    }  # fmt: skip
    ((row,),) = seen.asides.values()
    assert (row["link"], row["sweep_progress_ratio"]) == (SUBJECT, 1.0)
    blind = await auth.as_monitor()
    assert {row["rows"] for row in (await look(blind)).rows} == {None}


# Links of every kind


async def test_a_link_known_by_a_sample_is_accused_a_step_lower(auth: Database) -> None:
    """And less surely."""
    await profiles(auth, 30)
    await of_the_first(auth, 2, "deleted_at = now() - interval '1 hour'")
    finding = (await found(auth, AuthOptions()))[DELETED]
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.MEDIUM)
    assert finding.evidence["origin"] == "sample"


async def test_partitions_other_schemas_and_odd_names(auth: Database) -> None:
    """A partitioned table is read through its root; names are quoted by the server."""
    made = await sign_up(auth, 10)
    await auth.execute(
        'create schema "Shop %s";'
        'create table "Shop %s"."Da""ta" ("User %I" uuid, day int, email text) partition by range (day);'
        'create table "Shop %s".one partition of "Shop %s"."Da""ta" for values from (0) to (5);'
        'create table "Shop %s".two partition of "Shop %s"."Da""ta" for values from (5) to (10)'
    )
    for day, user in enumerate(made):
        await auth.execute(
            f'insert into "Shop %s"."Da""ta" select id, {day}, email from auth.users where id = \'{user}\''
        )
    await auth.execute(f'insert into "Shop %s"."Da""ta" values (\'{made[0]}\', 9, \'x@example.org\')')
    await auth.execute(f"update auth.users set banned_until = 'infinity' where id = '{made[1]}'")
    link = Link(table='"Shop %s"."Da""ta"', column="User %I", email="email", one_per_user=True)
    options = AuthOptions(links=(link,))
    for role in (auth, await seeing(auth, "functions", options)):
        assert await counts(role, options) == {DUPLICATE: 1, BANNED: 1, DRIFT: 1}


async def test_an_older_level_of_gotrue_is_read_too(auth: Database) -> None:
    """Without soft deletion that rule does not apply, and the others go on."""
    await all_faults(auth)
    await auth.execute(older_level())
    await auth.execute("alter table auth.users drop column deleted_at cascade")
    role = await seeing(auth, "functions")
    accused = await counts(role)
    assert (accused[BANNED], accused[DUPLICATE]) == (3, 5)
    assert DELETED not in accused
    assert await unsaid(role) == []


async def test_before_the_links_are_known_nothing_is_said(auth: Database) -> None:
    """Probe auth_links looks first; without GoTrue nothing applies."""
    await all_faults(auth)
    async with opened(auth, DECLARED) as (_, states):
        said = states.verdicts(await states.look())
    assert {each.needs for each in said if isinstance(each, NoVerdict)} == {Needs.TIME}
    assert len(said) == len(PROBE.rules)
    await auth.execute("drop schema auth cascade")
    assert (await look(auth, AuthOptions())).needs is None


# Scale


async def test_a_table_is_read_in_slices_and_counts_alike(auth: Database) -> None:
    """Exact when the turn is over, by index for second rows; without an index those are not judged."""
    await profiles(auth, 8000, "")
    await auth.execute("create index on public.users (auth_user_id)")
    await of_the_first(auth, 300, "deleted_at = now() - interval '1 hour'")
    await auth.execute("insert into public.users (auth_user_id) select auth_user_id from public.users where id > 7990")
    options = AuthOptions(links=(Link(table="public.users", column="auth_user_id", one_per_user=True),))
    assert await counts(auth, options) == {DELETED: 300, DUPLICATE: 10}
    await auth.execute("drop index public.users_auth_user_id_idx")
    assert await counts(auth, options) == {DELETED: 300}
    (said,) = await unsaid(auth, options)
    assert (said.needs, "no index of public.users begins with auth_user_id" in said.reason) == (Needs.SETTING, True)
