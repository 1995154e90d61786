"""GoTrue's cleanup on real servers: it stalls only where much is left and people sign in."""

from collections.abc import AsyncIterator

import pytest

from monitor.errors import Needs
from monitor.model import Finding, NoVerdict, Object, Severity
from probes.auth_sessions import PROBE, CleanupStalled
from tests.database import Cluster, Database
from tests.probes.people import found_auth, sign_up
from tests.probes.people_sessions import flow, sign_in

MANY = 101
LEFT = {
    "refresh_tokens": (
        "insert into auth.refresh_tokens (token, user_id, session_id, revoked, created_at, updated_at)"
        " select gen_random_uuid()::text, s.user_id::text, s.id, true, now() - interval '3 days', now() - {age}"
        " from (select * from auth.sessions limit 1) s, generate_series(1, {many})"
    ),
    "mfa_factors": (
        "insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at)"
        " select gen_random_uuid(), u.id, gen_random_uuid()::text, 'totp', 'unverified', now() - {age}, now()"
        " from (select * from auth.users limit 1) u, generate_series(1, {many}) n"
    ),
    "one_time_tokens": (
        "with people as (insert into auth.users (id) select gen_random_uuid() from generate_series(1, {many})"
        " returning id)"
        " insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at)"
        " select gen_random_uuid(), id, 'confirmation_token', 'x', 'x', now() at time zone 'UTC' - {age} from people"
    ),
    "flow_state": (
        "insert into auth.flow_state (id, provider_type, authentication_method, created_at)"
        " select gen_random_uuid(), 'email', 'magiclink', now() - {age} from generate_series(1, {many})"
    ),
    "mfa_challenges": (
        "with f as (insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at)"
        " select gen_random_uuid(), id, 'phone', 'verified', now(), now() from auth.users limit 1 returning id)"
        " insert into auth.mfa_challenges (id, factor_id, created_at, ip_address)"
        " select gen_random_uuid(), f.id, now() - {age}, '127.0.0.1' from f, generate_series(1, {many})"
    ),
}
OLD = dict.fromkeys(LEFT, "interval '24 hours 1 minute'") | {"refresh_tokens": "interval '48 hours 1 minute'"}
YOUNG = dict.fromkeys(LEFT, "interval '23 hours 59 minutes'") | {"refresh_tokens": "interval '47 hours'"}
A_WEEK = {
    "refresh_tokens": CleanupStalled(refresh_tokens_hours=168),
    "mfa_factors": CleanupStalled(mfa_factors_hours=168),
    "one_time_tokens": CleanupStalled(one_time_tokens_hours=168),
    "flow_state": CleanupStalled(flow_state_hours=168),
    "mfa_challenges": CleanupStalled(mfa_challenges_hours=168),
}
TABLES = pytest.mark.parametrize("table", LEFT)


@pytest.fixture
async def busy(cluster: Cluster) -> AsyncIterator[Database]:
    """A database with GoTrue's newest level, in which a few people signed in today."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        for user in await sign_up(fresh, 10):
            await sign_in(fresh, user)
        yield fresh


async def leave(database: Database, table: str, age: str, many: int = MANY) -> None:
    await database.execute(LEFT[table].format(age=age, many=many))


async def said(database: Database, rule: CleanupStalled | None = None) -> list[Finding | NoVerdict]:
    async with database.eye(PROBE, snapshot=True) as eye:
        return eye.verdicts(await eye.look(), rule or CleanupStalled())


@TABLES
async def test_what_is_left_is_counted_where_people_sign_in(busy: Database, table: str) -> None:
    """More than one request clears; cured by clearing the table."""
    await leave(busy, table, OLD[table])
    (finding,) = await said(busy)
    assert isinstance(finding, Finding)
    assert (finding.evidence["count"], finding.severity) == (MANY, Severity.INFO)
    assert finding.object == Object("table", schema="auth", name=table)
    await busy.execute(f"delete from auth.{table}")
    assert await said(busy) == []


async def test_leftovers_and_what_is_young_are_no_matter(busy: Database) -> None:
    """As many as one request clears; and any number before its time."""
    for table in LEFT:
        await leave(busy, table, YOUNG[table])
        await leave(busy, table, OLD[table], 100)
    assert await said(busy) == []


@TABLES
async def test_the_age_of_what_is_left_is_a_threshold(busy: Database, table: str) -> None:
    """A week: a minute less is no matter, a minute more is."""
    await leave(busy, table, "interval '167 hours 59 minutes'")
    assert await said(busy, A_WEEK[table]) == []
    await leave(busy, table, "interval '168 hours 1 minute'")
    (finding,) = await said(busy, A_WEEK[table])
    assert isinstance(finding, Finding)
    assert (finding.evidence["count"], finding.evidence["older_than_hours"]) == (MANY, 168)


def test_an_age_that_is_not_counted_is_refused() -> None:
    """Between two classes nothing is known."""
    with pytest.raises(ValueError, match="flow_state_hours should be one of 24, 48, 72, 168, 336, 720"):
        CleanupStalled(flow_state_hours=36)


async def test_times_without_end_abort_nothing(busy: Database) -> None:
    """Tokens that were touched at infinity are young, those of the beginning of time old."""
    await leave(busy, "refresh_tokens", OLD["refresh_tokens"], 2 * MANY)
    await busy.execute(
        "update auth.refresh_tokens set updated_at ="
        " case id % 2 when 0 then 'infinity' else '-infinity' end::timestamptz where revoked"
    )
    (finding,) = await said(busy)
    assert isinstance(finding, Finding)
    assert finding.evidence["count"] == MANY


async def test_each_table_has_a_finding_of_its_own(busy: Database) -> None:
    """Five tables that are not cleared."""
    for table in LEFT:
        await leave(busy, table, OLD[table])
    assert {each.subject for each in await said(busy)} == {f"auth.{table}" for table in LEFT}


async def test_where_hardly_anybody_signs_in_nothing_can_be_told(busy: Database) -> None:
    """The cleanup rides on requests; more history may tell, and a report is not spoiled."""
    await leave(busy, "flow_state", OLD["flow_state"])
    assert isinstance((await said(busy))[0], Finding)
    await busy.execute("delete from auth.sessions where id <> (select id from auth.sessions limit 1)")
    (unsaid,) = await said(busy)
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject) == (Needs.HISTORY, "auth.flow_state")
    assert isinstance((await said(busy, CleanupStalled(min_traffic=1)))[0], Finding)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
async def test_times_without_zone_are_read_as_utc(busy: Database, zone: str) -> None:
    """One-time tokens and refreshes have no zone, and the session's must not matter."""
    await busy.execute(f"alter database {busy.name} set timezone = '{zone}'")
    await leave(busy, "one_time_tokens", YOUNG["one_time_tokens"])
    assert await said(busy) == []
    await leave(busy, "one_time_tokens", OLD["one_time_tokens"])
    (finding,) = await said(busy)
    assert isinstance(finding, Finding)
    assert finding.evidence["count"] == MANY
    await busy.execute(
        "update auth.sessions set updated_at = now() - interval '9 days',"
        " refreshed_at = now() at time zone 'UTC' - interval '23 hours';"
        " update auth.refresh_tokens set updated_at = now() - interval '25 hours'"
    )
    assert isinstance((await said(busy))[0], Finding)
    await busy.execute("update auth.sessions set refreshed_at = now() at time zone 'UTC' - interval '25 hours'")
    assert isinstance((await said(busy))[0], NoVerdict)


async def test_flows_of_today_are_no_pile(busy: Database) -> None:
    """However many there are."""
    await flow(busy, many=1000)
    assert await said(busy) == []
