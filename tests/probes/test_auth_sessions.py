"""Sessions and refresh tokens on real servers: what must not be among them is counted, by each way of sight."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from monitor.cli.grants import Auth, Wanted, grants_sql
from monitor.demo.gotrue import older_level
from monitor.errors import Needs
from monitor.model import Confidence, Finding, NoVerdict, Object, Severity
from monitor.probe import sight_sessions
from probes.auth_sessions import PROBE
from tests.database import Cluster, Database
from tests.probes.people import found_auth, sign_up
from tests.probes.people_sessions import factor, flow, one_of_each_fault, sign_in, token
from tests.standby import follows, on, primary_of, standby_of
from tests.versions import NEWEST

BANNED, DELETED, ORPHAN, MISMATCH, MANY, EXPIRED, AAL2, FACTOR, FLOW, STALLED = (
    "auth.banned_live_session", "auth.soft_deleted_live_session", "auth.refresh_token_orphan",
    "auth.refresh_token_mismatch", "auth.many_live_tokens", "auth.live_token_expired_session",
    "auth.aal2_without_factor", "auth.session_factor_missing", "auth.flow_state_orphan", "auth.cleanup_stalled",
)  # fmt: skip
ALL = {BANNED: 2, DELETED: 1, ORPHAN: 1, MISMATCH: 1, MANY: 1, EXPIRED: 1, AAL2: 1, FACTOR: 1, FLOW: 1}
ACCUSED = {
    BANNED: "sessions", DELETED: "sessions", ORPHAN: "refresh_tokens", MISMATCH: "refresh_tokens", MANY: "sessions",
    EXPIRED: "refresh_tokens", AAL2: "sessions", FACTOR: "sessions", FLOW: "flow_state",
}  # fmt: skip
WAYS: tuple[Auth, ...] = ("functions", "policy", "bypassrls")


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        yield fresh


async def verdicts(database: Database) -> list[Finding | NoVerdict]:
    async with database.eye(PROBE, snapshot=True) as eye:
        return eye.verdicts(await eye.look())


async def found(database: Database) -> dict[str, Finding]:
    """Give the findings by rule, of tests in which each accuses one table; nothing may be left unsaid."""
    said = await verdicts(database)
    assert [each for each in said if isinstance(each, NoVerdict) and each.applies] == []
    accused = [each for each in said if isinstance(each, Finding)]
    assert len(accused) == len({each.rule for each in accused})
    return {each.rule: each for each in accused}


async def counts(database: Database) -> dict[str, object]:
    return {rule: finding.evidence["count"] for rule, finding in (await found(database)).items()}


async def everything(database: Database) -> list[str]:
    """Give all rows that a remedy may change."""
    tables = ("sessions", "refresh_tokens", "flow_state")
    rows = [await database.fetch(f"select t::text as row from auth.{table} t order by 1") for table in tables]
    return [str(row["row"]) for table in rows for row in table]


async def seeing(database: Database, way: Auth) -> Database:
    """Give the monitor's role one way of sight."""
    role = await database.as_monitor()
    for statement in grants_sql(Wanted(role=str(role.user), auth=way)):
        await database.execute(statement)
    return role


# Sight


@pytest.mark.parametrize("way", WAYS)
async def test_every_fault_is_counted_by_each_way_of_sight(any_database: Database, way: Auth) -> None:
    """Sick, on each version, through each way that is printed."""
    await found_auth(any_database)
    await one_of_each_fault(any_database)
    assert await counts(await seeing(any_database, way)) == ALL


async def test_who_cannot_see_accuses_nobody(auth: Database) -> None:
    """pg_read_all_data sees no row and no error; each rule is not evaluated, and says how to see."""
    await one_of_each_fault(auth)
    blind = await auth.as_monitor()
    await auth.execute(f"grant pg_read_all_data to {blind.user}")
    said = await verdicts(blind)
    assert {each.needs for each in said if isinstance(each, NoVerdict)} == {Needs.RIGHTS}
    assert [each for each in said if isinstance(each, Finding)] == []
    assert all("Run: monitor grants" in each.reason for each in said if isinstance(each, NoVerdict))


async def test_one_hidden_table_silences_only_what_is_read_from_it(auth: Database) -> None:
    """Tokens are hidden, factors are not."""
    await one_of_each_fault(auth)
    role = await seeing(auth, "policy")
    await auth.execute("drop policy pgarchitect_monitor on auth.refresh_tokens")
    said = await verdicts(role)
    assert {each.rule for each in said if isinstance(each, Finding)} == {AAL2, FACTOR, FLOW}, said
    reasons = {each.reason for each in said if isinstance(each, NoVerdict)}
    hidden = f'role "{role.user}" sees no row of auth.refresh_tokens (row level security)'
    assert reasons == {f"{hidden}. Run: monitor grants --auth functions"}


async def test_secrets_are_never_granted(auth: Database) -> None:
    """The columns the ways of our own role show hold no token, hash or key."""
    role = await seeing(auth, "bypassrls")
    rows = await auth.fetch(
        "select table_name || '.' || column_name as name from information_schema.column_privileges"
        " where grantee = $1 and table_schema = 'auth'",
        role.user,
    )
    assert rows
    shown = {str(row["name"]) for row in rows}
    assert shown.isdisjoint(
        {"sessions.refresh_token_hmac_key", "sessions.ip", "sessions.user_agent", "refresh_tokens.token",
         "refresh_tokens.parent", "mfa_factors.secret", "mfa_factors.phone", "mfa_challenges.otp_code",
         "one_time_tokens.token_hash", "one_time_tokens.relates_to", "flow_state.auth_code",
         "flow_state.provider_access_token", "users.encrypted_password"}
    )  # fmt: skip


async def test_the_lent_function_gives_numbers_only(auth: Database) -> None:
    """Where a slice ends is a number of a block or of a token; other schemas and tables are refused."""
    await one_of_each_fault(auth)
    role = await seeing(auth, "functions")
    for part in sight_sessions.PARTS:
        (row,) = await role.fetch("select * from pgarchitect.auth_sessions('auth', $1, null, null, 100)", part)
        assert row["upto"] is None or str(row["upto"]).isdigit()
        assert (isinstance(row["held"], int), {type(count) for count in row["counts"]}) == (True, {int})
    for schema, part in (("public", "users"), ("auth", "identities"), ("auth", "users; drop table auth.users")):
        with pytest.raises(asyncpg.RaiseError):
            await role.fetch("select * from pgarchitect.auth_sessions($1, $2, null, null, 100)", schema, part)


@pytest.mark.soak
async def test_a_standby_is_read_like_its_primary() -> None:
    """It keeps no counters of writes, and needs none."""
    async with primary_of(NEWEST) as cluster:
        primary = on(cluster.server, cluster.server)
        await found_auth(primary)
        await one_of_each_fault(primary)
        async with standby_of(primary, cluster.server, NEWEST, name="copy") as server:
            await follows(primary, "copy")
            standby = on(server, cluster.server)
            assert await counts(standby) == ALL
            await standby.close()
        await primary.close()


# What is said


async def test_a_finding_names_table_and_count_and_nobody(auth: Database) -> None:
    """Kind `table` in GoTrue's schema; no id of anybody anywhere."""
    await one_of_each_fault(auth)
    said = await found(auth)
    assert {rule: finding.object for rule, finding in said.items()} == {
        rule: Object("table", schema="auth", name=table) for rule, table in ACCUSED.items()
    }
    assert {rule: finding.severity for rule, finding in said.items()} == {
        BANNED: Severity.CRITICAL, DELETED: Severity.CRITICAL, ORPHAN: Severity.WARNING, MISMATCH: Severity.CRITICAL,
        MANY: Severity.WARNING, EXPIRED: Severity.WARNING, AAL2: Severity.CRITICAL, FACTOR: Severity.WARNING,
        FLOW: Severity.INFO,
    }  # fmt: skip
    unsure = {rule for rule, finding in said.items() if finding.confidence is not Confidence.HIGH}
    assert unsure == {AAL2, FACTOR}
    ids = [str(row["id"]) for row in await auth.fetch("select id from auth.users union select id from auth.sessions")]
    assert ids
    assert [each for each in ids if each in str(said)] == []


async def test_what_is_printed_cures_all(auth: Database) -> None:
    """The remedies are run as they stand, one after the other; sessions of the well stay."""
    await one_of_each_fault(auth)
    for finding in (await found(auth)).values():
        await auth.apply(finding.remedy)
    assert await counts(auth) == {}
    assert await auth.value("select count(*) from auth.sessions") > 0


async def test_where_more_is_met_than_was_counted_nothing_is_changed(auth: Database) -> None:
    """Each remedy meets twice as much; once what came is gone again, all of them mend."""
    await one_of_each_fault(auth)
    said = await found(auth)
    last = await auth.value("select max(id) from auth.refresh_tokens")
    old = await auth.fetch("select id from auth.sessions union select id from auth.flow_state")
    await one_of_each_fault(auth)
    before = await everything(auth)
    for finding in said.values():
        with pytest.raises(asyncpg.RaiseError, match="as were counted: nothing was changed"):
            await auth.apply(finding.remedy)
    assert await everything(auth) == before
    known = [row["id"] for row in old]
    await auth.execute(f"delete from auth.refresh_tokens where id > {last}")
    await auth.fetch("delete from auth.sessions where id <> all ($1::uuid[])", known)
    await auth.fetch("delete from auth.flow_state where id <> all ($1::uuid[])", known)
    for finding in said.values():
        await auth.apply(finding.remedy)
    assert await counts(auth) == {}


async def test_one_session_more_with_two_tokens_is_one_too_many(auth: Database) -> None:
    """Sessions are counted where sessions were, though tokens are revoked; and tokens, though sessions are deleted."""
    (user, other) = await sign_up(auth, 2)
    session = await sign_in(auth, user, tokens=3)
    for _ in range(2):
        await token(auth, f"'{other}'", session, revoked="true")
    said = await found(auth)
    assert {rule: finding.evidence["count"] for rule, finding in said.items()} == {MANY: 1, MISMATCH: 2}
    more = await sign_in(auth, user, tokens=2)
    await token(auth, f"'{other}'", more, revoked="true")
    for rule, what in ((MANY, "2 sessions"), (MISMATCH, "3 tokens")):
        with pytest.raises(asyncpg.RaiseError, match=f"{what} differ by now"):
            await auth.apply(said[rule].remedy)
    assert await counts(auth) == {MANY: 2, MISMATCH: 3}


async def test_sessions_that_are_not_counted_are_not_touched(auth: Database) -> None:
    """Of a banned user, and without a second factor: those past their end, and those asleep, stay."""
    (banned, well) = await sign_up(auth, 2)
    await auth.execute(f"update auth.users set banned_until = now() + interval '1 day' where id = '{banned}'")
    over = "now() - interval '1 minute'"
    await sign_in(auth, banned, not_after=over)
    await sign_in(auth, banned, tokens=0)
    await sign_in(auth, well, not_after=over, aal="'aal2'", factor_id="gen_random_uuid()")
    for _ in range(2):
        await sign_in(auth, banned)
        await sign_in(auth, well, aal="'aal2'", factor_id="gen_random_uuid()")
    said = await found(auth)
    assert {rule: finding.evidence["count"] for rule, finding in said.items()} == {BANNED: 2, AAL2: 2, FACTOR: 2}
    for finding in said.values():
        await auth.apply(finding.remedy)
    assert await auth.value("select count(*) from auth.sessions") == 3


async def test_an_older_level_without_passkeys_is_judged_and_cured(auth: Database) -> None:
    """No webauthn tables, no counter of refreshes."""
    await auth.execute(older_level())
    await auth.execute(
        "alter table auth.sessions drop column refresh_token_counter, drop column refresh_token_hmac_key;"
        "drop table auth.one_time_tokens"
    )
    await one_of_each_fault(auth)
    said = await found(auth)
    assert {rule: finding.evidence["count"] for rule, finding in said.items()} == ALL
    for finding in said.values():
        await auth.apply(finding.remedy)
    assert await counts(auth) == {}


async def test_where_columns_or_tables_are_lacking_their_rules_do_not_apply(auth: Database) -> None:
    """A level before factors, bans and ends of sessions."""
    await auth.execute(
        "alter table auth.users drop column banned_until; alter table auth.sessions drop column not_after,"
        " drop column aal, drop column factor_id; drop table auth.mfa_challenges, auth.mfa_factors, auth.flow_state"
        " cascade"
    )
    (user,) = await sign_up(auth, changes="deleted_at = now()")
    await sign_in(auth, user)
    said = await verdicts(auth)
    assert {each.rule for each in said if isinstance(each, Finding)} == {DELETED}
    assert {each.needs for each in said if isinstance(each, NoVerdict)} == {None}


# Near misses and limits


async def test_sessions_that_are_over_or_asleep_are_not_live(auth: Database) -> None:
    """Past their end, without a token, with revoked ones only; and a ban that has ended is no ban."""
    banned, free = await sign_up(auth, 2)
    await auth.execute(
        "update auth.users set banned_until = now() + case id::text when $1::text then 1 else -1 end"
        " * interval '1 hour'",
        banned,
    )
    await sign_in(auth, banned, not_after="now() - interval '1 minute'")
    await sign_in(auth, banned, tokens=0)
    await token(auth, f"'{banned}'", await sign_in(auth, banned, tokens=0), revoked="true")
    await sign_in(auth, free)
    assert await counts(auth) == {}
    await sign_in(auth, banned, not_after="now() + interval '1 minute'")
    assert await counts(auth) == {BANNED: 1}


@pytest.mark.parametrize("way", WAYS)
async def test_a_session_that_makes_its_own_tokens_is_live_without_a_row(auth: Database, way: Auth) -> None:
    """Newer sessions keep a key and a counter, and have no row in refresh_tokens."""
    (banned,) = await sign_up(auth, changes="banned_until = now() + interval '1 hour'")
    own = {"refresh_token_hmac_key": "'secret'", "refresh_token_counter": "0"}
    await sign_in(auth, banned, tokens=0, **own)
    await sign_in(auth, banned, tokens=0, not_after="now() - interval '1 minute'", **own)
    assert await counts(await seeing(auth, way)) == {BANNED: 1}


async def test_a_token_without_user_is_found_however_its_user_is_spelled(auth: Database) -> None:
    """Upper case, braces and missing hyphens are still their user; what is no uuid is nobody, and aborts nothing."""
    (user,) = await sign_up(auth)
    session = await sign_in(auth, user)
    for spelling in (f"upper('{user}')", f"'{{{user}}}'", f"replace('{user}', '-', '')", "null"):
        await token(auth, spelling, session, revoked="true")
    await token(auth, f"'{user}'")
    assert await counts(auth) == {}
    for spelling in ("'nobody'", "''", "gen_random_uuid()::text", "upper(gen_random_uuid()::text)"):
        await token(auth, spelling)
    finding = (await found(auth))[ORPHAN]
    assert (finding.evidence["count"], finding.evidence["malformed"]) == (4, 2)
    await auth.apply(finding.remedy)
    assert await counts(auth) == {}


async def test_tokens_of_users_who_were_deleted_past_the_keys_are_orphans(auth: Database) -> None:
    """With triggers off a delete cascades nowhere."""
    user, _ = await sign_up(auth, 2)
    await sign_in(auth, user)
    await auth.execute(
        f"set session_replication_role = replica; delete from auth.users where id = '{user}';"
        " set session_replication_role = origin"
    )
    assert await counts(auth) == {ORPHAN: 1}


async def test_two_live_tokens_count_once_both_are_a_minute_old(auth: Database) -> None:
    """One of them may be exchanged just now; three tokens are still one session."""
    (user,) = await sign_up(auth)
    session = await sign_in(auth, user)
    await token(auth, f"'{user}'", session, created_at="now() - interval '30 seconds'")
    await token(auth, f"'{user}'", session, revoked="true")
    assert await counts(auth) == {}
    for _ in range(2):
        await token(auth, f"'{user}'", session, created_at="now() - interval '61 seconds'")
    assert await counts(auth) == {MANY: 1}


async def test_a_live_token_is_overdue_a_day_after_the_end(auth: Database) -> None:
    """Before that it is GoTrue's cleanup that is a little late."""
    (user,) = await sign_up(auth)
    await sign_in(auth, user, not_after="now() - interval '23 hours 59 minutes'")
    await sign_in(auth, user, tokens=0, not_after="now() - interval '9 days'")
    assert await counts(auth) == {}
    await sign_in(auth, user, tokens=2, not_after="now() - interval '24 hours 1 minute'")
    assert (await counts(auth))[EXPIRED] == 2


async def test_factors_and_passkeys_back_a_second_level(auth: Database) -> None:
    """A verified factor, whichever, or a passkey; an unverified one, or somebody else's, does not."""
    users = await sign_up(auth, 5)
    verified = await factor(auth, users[0])
    await factor(auth, users[2], "unverified")
    await auth.execute(
        "insert into auth.webauthn_credentials (user_id, credential_id, public_key) values ($1::text::uuid, '', '')",
        users[1],
    )
    await sign_in(auth, users[0], aal="'aal2'", factor_id=f"'{verified}'")
    await sign_in(auth, users[1], aal="'aal2'")
    await sign_in(auth, users[4], aal="'aal2'", not_after="now() - interval '1 minute'", factor_id="gen_random_uuid()")
    await sign_in(auth, users[4], aal="'aal1'")
    assert await counts(auth) == {}
    await sign_in(auth, users[2], aal="'aal2'")
    await sign_in(auth, users[3], aal="'aal2'", factor_id=f"'{verified}'")
    assert await counts(auth) == {AAL2: 2}


async def test_flows_without_user_are_no_orphans(auth: Database) -> None:
    """A flow has none before its sign-up."""
    (user,) = await sign_up(auth)
    await flow(auth)
    await flow(auth, f"'{user}'::uuid")
    assert await counts(auth) == {}


async def test_an_empty_schema_is_well(auth: Database) -> None:
    """Nobody ever signed in."""
    assert await counts(auth) == {}
