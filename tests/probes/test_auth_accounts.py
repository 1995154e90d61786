"""Accounts on real servers: which are counted as stuck, doubled or broken, which are not, and who can see it."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import time_machine

from monitor.cli.grants import Auth
from monitor.demo.gotrue import older_level
from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Object, Severity, Target
from monitor.rule import Rule
from monitor.rules.evaluate import evaluate
from probes.auth_accounts import PROBE
from probes.auth_accounts_faults import PrivilegedRole
from probes.auth_accounts_kept import Kept
from probes.auth_accounts_reading import Accounts, accounts_of, rows_of
from probes.auth_accounts_rules import AnonymousStale, InviteExpired, Unconfirmed
from probes.auth_sweep import Span, Visit
from tests.database import Cluster, Database
from tests.probes.accounts import TOKENS, accounts, days_ago
from tests.probes.people import found_auth

UNCONFIRMED, INVITES, ANONYMOUS = "auth.unconfirmed", "auth.invite_expired", "auth.anonymous_stale"
CASES, WITHOUT, MISMATCH = "auth.email_case_duplicate", "auth.user_without_identity", "auth.identity_email_mismatch"
NULLS, ROLES, ADMINS = "auth.null_token_columns", "auth.privileged_role", "auth.super_admin"
RULES = {UNCONFIRMED, INVITES, ANONYMOUS, CASES, WITHOUT, MISMATCH, NULLS, ROLES, ADMINS}
GRANTED: tuple[Auth, ...] = ("functions", "policy", "bypassrls")


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level, and some accounts as they should be."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        await accounts(fresh, 5)
        yield fresh


async def verdicts(database: Database, *rules: Rule) -> list[Finding | NoVerdict]:
    async with database.eye(PROBE, snapshot=True) as eye:
        return eye.verdicts(await eye.look(), *rules)


async def found(database: Database, *rules: Rule) -> dict[str, Finding]:
    """Give the findings by rule, of which each may make one."""
    said = await verdicts(database, *rules)
    accused = [each for each in said if isinstance(each, Finding)]
    assert [each for each in said if isinstance(each, NoVerdict) and each.needs is not Needs.RIGHTS] == []
    assert len(accused) == len({each.rule for each in accused})
    return {each.rule: each for each in accused}


async def counts(database: Database, *rules: Rule) -> dict[str, object]:
    return {rule: finding.evidence["count"] for rule, finding in (await found(database, *rules)).items()}


async def sicken(database: Database) -> dict[str, object]:
    """Make accounts with every fault, and give the counts that are to be found."""
    await accounts(database, 3, days_ago(10))
    await accounts(database, 2, f"{days_ago(20)}, invited_at = now() - interval '20 days'")
    await accounts(database, 4, "is_anonymous = true, email = null", identity=False)
    await doubled(database, "Ann.Lee@example.org", "ann.lee@example.org", "ANN.LEE@example.org")
    await doubled(database, "Bob@example.org", "bOB@example.org")
    await accounts(database, 6, identity=False)
    await accounts(database, 7, "email = 'x' || email")
    for column in TOKENS:
        await accounts(database, 1, f"{column} = null")
    await accounts(database, 2, "role = 'service_role'")
    await accounts(database, 1, "role = 'chief'")
    await accounts(database, 2, "is_super_admin = true")
    return {
        UNCONFIRMED: 3, INVITES: 2, ANONYMOUS: 4, CASES: 2, WITHOUT: 6, MISMATCH: 7, NULLS: 8, ROLES: 3, ADMINS: 2,
    }  # fmt: skip


async def doubled(database: Database, *addresses: str) -> None:
    for address in addresses:
        (made,) = await accounts(database, 1, f"email = '{address}'", identity=False)
        await database.execute(
            "insert into auth.identities (provider_id, user_id, identity_data, provider) select id::text, id,"
            f" jsonb_build_object('email', lower(email)), 'email' from auth.users where id = '{made}'"
        )


async def test_every_fault_is_counted_on_every_version(any_database: Database) -> None:
    """Sick, all nine, as superuser."""
    await found_auth(any_database)
    expected = await sicken(any_database)
    assert await counts(any_database) == expected


async def test_accounts_as_they_should_be_are_not_accused(auth: Database) -> None:
    """Near misses of every rule."""
    await accounts(auth, 2, days_ago(6.9))
    await accounts(auth, 1, f"{days_ago(6)}, invited_at = now() - interval '6 days'")
    await accounts(
        auth, 2, "is_anonymous = true, email = null, created_at = now() - interval '29 days'", identity=False
    )
    await accounts(auth, 2, f"{days_ago(60)}, deleted_at = now()", identity=False)
    await accounts(auth, 1, "email_confirmed_at = null, phone = '4930901', phone_confirmed_at = now(), email = null")
    await accounts(auth, 1, "email = 'Once@example.org', deleted_at = now()")
    await accounts(auth, 2, "email = 'Shared@example.org', is_sso_user = true", identity=False)
    await doubled(auth, "once@example.org", "Alone@example.org", "shared@example.org")
    await accounts(auth, 1, "email = 'new' || email, email_change = 'other@example.org'")
    await accounts(auth, 1, "email = upper(email)")
    await accounts(auth, 1, "created_at = now()", identity=False)
    await accounts(auth, 1, "role = ''")
    await accounts(auth, 1, "role = 'anon'")
    await accounts(auth, 1, "is_super_admin = false, banned_until = now() + interval '1 day'")
    await auth.execute(
        "insert into auth.identities (provider_id, user_id, identity_data, provider) select id::text || 'g', id,"
        " jsonb_build_object('email', 'private@example.org'), 'google' from auth.users where deleted_at is null limit 3"
    )
    sso = {WITHOUT: 2}  # made without identity just above, to share an address
    assert await counts(auth) == sso


async def test_an_empty_table_is_well(auth: Database) -> None:
    """Too little data: nobody signed up, and every rule has looked."""
    await auth.execute("delete from auth.users")
    assert await verdicts(auth) == []
    async with auth.eye(PROBE) as eye:
        seen = await eye.look()
    assert {row["state"]: row["users"] for row in seen.rows} == dict.fromkeys(
        ("confirmed", "unconfirmed", "invited", "anonymous", "banned", "deleted"), 0
    )


async def test_each_account_is_in_one_state(auth: Database) -> None:
    """Deleted beats banned beats anonymous; a ban that is over is none."""
    await accounts(auth, 2, f"{days_ago(3)}, deleted_at = now(), banned_until = now() + interval '1 day'")
    await accounts(auth, 3, "banned_until = now() + interval '1 day', is_anonymous = true")
    await accounts(auth, 4, "is_anonymous = true", identity=False)
    await accounts(auth, 1, days_ago(3))
    await accounts(auth, 1, f"{days_ago(3)}, invited_at = now()")
    await accounts(auth, 1, "banned_until = now() - interval '1 day'")
    async with auth.eye(PROBE) as eye:
        seen = await eye.look()
    states = {row["state"]: row["users"] for row in seen.rows}
    assert states == {"confirmed": 6, "unconfirmed": 1, "invited": 1, "anonymous": 4, "banned": 3, "deleted": 2}
    (whole,) = seen.asides["whole"]
    assert (whole["identities"], whole["sweep_progress_ratio"]) == (13, 1.0)


# Sight


@pytest.mark.parametrize("way", GRANTED)
async def test_each_way_of_sight_counts_the_same(auth: Database, way: Auth) -> None:
    """Also what stands in the secret token columns, which no way grants: a function counts it."""
    expected = await sicken(auth)
    role = await auth.as_monitor(way)
    assert await counts(role) == expected
    assert [each for each in await verdicts(role) if isinstance(each, NoVerdict)] == []
    with pytest.raises(Exception, match="permission denied"):
        await role.fetch("select recovery_token from auth.users")


async def test_columns_alone_leave_secrets_unjudged(auth: Database) -> None:
    """A role that was granted columns and a policy, and no function."""
    expected = await sicken(auth)
    role = await auth.as_monitor("policy")
    await auth.execute("drop schema pgarchitect cascade")
    for rule in (NULLS, CASES, MISMATCH):
        del expected[rule]
    assert await counts(role) == expected
    unsaid = [each for each in await verdicts(role) if isinstance(each, NoVerdict)]
    assert [each.needs for each in unsaid] == [Needs.RIGHTS] * 3
    (reason,) = {each.reason for each in unsaid}
    assert "no SELECT on confirmation_token, recovery_token, " in reason
    assert reason.endswith("Run: monitor grants --auth functions")


async def test_the_functions_count_on_every_version(any_database: Database) -> None:
    """As the role that has nothing else, at GoTrue's older level."""
    await found_auth(any_database)
    await any_database.execute(older_level())
    expected = await sicken(any_database)
    assert await counts(await any_database.as_monitor("functions")) == expected


async def test_who_sees_no_row_judges_nothing(auth: Database) -> None:
    """Row level security shows pg_read_all_data an empty table."""
    await sicken(auth)
    blind = await auth.as_monitor()
    await auth.execute(f"grant pg_read_all_data to {blind.user}")
    said = await verdicts(blind)
    reason = f'role "{blind.user}" sees no row of auth.users (row level security). Run: monitor grants --auth functions'
    assert [(each.reason, each.needs) for each in said if isinstance(each, NoVerdict)] == [(reason, Needs.RIGHTS)] * 9
    async with blind.eye(PROBE) as eye:
        assert {row["users"] for row in (await eye.look()).rows} == {None}


async def test_hidden_identities_leave_the_rest_judged(auth: Database) -> None:
    """Users shown by a policy, identities not."""
    expected = await sicken(auth)
    role = await auth.as_monitor("policy")
    await auth.execute("drop schema pgarchitect cascade; drop policy pgarchitect_monitor on auth.identities")
    for rule in (WITHOUT, MISMATCH, NULLS, CASES):
        del expected[rule]
    assert await counts(role) == expected


async def test_no_person_leaves_the_server(auth: Database) -> None:
    """Neither by the lent function nor in a finding: no id, address or token, nor a role unknown to the server."""
    await sicken(auth)
    role = await auth.as_monitor("functions")
    shown = str(
        await role.fetch("select * from pgarchitect.auth_accounts('auth', true, true, '', '', 100, 300.0)")
    ) + str(await found(role))
    ids = [str(row["id"]) for row in await auth.fetch("select id from auth.users")]
    assert [each for each in ids if each[:13] in shown] == []
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", shown)
    assert "@example" not in shown
    assert "chief" not in shown
    with pytest.raises(Exception, match="made for one auth schema only"):
        await role.fetch("select * from pgarchitect.auth_accounts('public', true, true, '', '', 100, 300.0)")


async def test_slices_add_up_and_end_between_two_ids(auth: Database) -> None:
    """Five hundred accounts at a time, by ids that differ in the last digits only, and by random ones."""
    await accounts(auth, 320, days_ago(10))
    await auth.execute(
        "insert into auth.users (id, created_at)"
        " select ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, now() from generate_series(0, 1229) n"
    )
    role = await auth.as_monitor("functions")
    total, stuck, slices, after = 0, 0, 0, ""
    ids = {str(row["id"]).replace("-", "") for row in await auth.fetch("select id from auth.users")}
    while slices == 0 or after:
        (row,) = await role.fetch(
            "select * from pgarchitect.auth_accounts('auth', true, true, $1, '', 100, 300.0)", after
        )
        total, slices, after = total + row["users"], slices + 1, row["upto"]
        stuck += sum(n for name, n in zip(row["names"], row["numbers"], strict=True) if name.startswith("unconfirmed:"))
        assert after not in ids
    assert (total, stuck, slices) == (1555, 320, 4)


# One rule each


async def test_nulls_in_token_columns_are_mended_by_what_is_printed(auth: Database) -> None:
    """Cured by running the remedy; soft-deleted accounts count too: lists of users fail on them."""
    for column in TOKENS:
        await accounts(auth, 1, f"{column} = null")
    await accounts(auth, 1, "confirmation_token = null, deleted_at = now()")
    finding = (await found(auth))[NULLS]
    assert (finding.severity, finding.subject, finding.evidence["count"]) == (Severity.CRITICAL, "auth.users", 9)
    assert finding.object == Object("table", schema="auth", name="users")
    (last,) = await accounts(auth, 1, "email_change = null")
    with pytest.raises(asyncpg.RaiseError, match="10 rows differ by now, not 9 as were counted: nothing was changed"):
        await auth.apply(finding.remedy)
    await auth.execute(f"delete from auth.users where id = '{last}'")
    await auth.apply(finding.remedy)
    assert await counts(auth) == {}


async def test_an_older_level_without_some_columns_is_read(auth: Database) -> None:
    """What GoTrue had not yet is left out, also from the remedy."""
    await auth.execute(
        "alter table auth.users drop column reauthentication_token, drop column is_anonymous, drop column deleted_at,"
        " drop column is_sso_user cascade, drop column banned_until; alter table auth.identities drop column email"
    )
    await accounts_without(auth)
    async with auth.eye(PROBE) as eye:
        seen = await eye.look()
        said = eye.verdicts(seen)
    findings = {each.rule: each for each in said if isinstance(each, Finding)}
    assert {rule: each.evidence["count"] for rule, each in findings.items()} == {NULLS: 2, WITHOUT: 2}
    assert [(each.needs, each.applies) for each in said if isinstance(each, NoVerdict)] == [(None, False)]
    await auth.apply(findings[NULLS].remedy)


async def accounts_without(database: Database) -> None:
    await database.execute(
        "insert into auth.users (id, email, created_at, email_confirmed_at)"
        " select gen_random_uuid(), n || '@example.org', now() - interval '9 days', now() from generate_series(1, 2) n"
    )


@pytest.mark.parametrize(
    ("rule", "changes", "identity"),
    [
        (Unconfirmed(), "created_at = now() - interval '{}', email_confirmed_at = null", True),
        (
            InviteExpired(),
            "created_at = now() - interval '90 days', email_confirmed_at = null, invited_at = now() - interval '{}'",
            True,
        ),
        (AnonymousStale(), "is_anonymous = true, created_at = now() - interval '{}'", False),
    ],
    ids=lambda each: each.id if isinstance(each, Rule) else "",
)
async def test_waiting_begins_on_the_day(
    auth: Database, rule: Unconfirmed | InviteExpired | AnonymousStale, changes: str, *, identity: bool
) -> None:
    """At the limit; and cured by what the caution says: confirmed, or deleted."""
    await accounts(auth, 1, changes.format(f"{rule.days} days -1 minute"), identity=identity)
    assert await counts(auth) == {}
    made = await accounts(auth, 2, changes.format(f"{rule.days} days"), identity=identity)
    finding = (await found(auth))[rule.id]
    assert (finding.severity, finding.evidence["count"], finding.evidence["days"]) == (Severity.INFO, 2, rule.days)
    await auth.execute(f"delete from auth.users where id = any ('{{{','.join(made)}}}'::uuid[])")
    assert await counts(auth) == {}


def test_a_day_that_is_not_counted_is_refused() -> None:
    """Ages are counted by classes."""
    with pytest.raises(ValueError, match="days should be one of 1, 2, 3, 5, 7"):
        Unconfirmed(days=8)


async def test_more_unconfirmed_sign_ups_than_before_are_a_warning(auth: Database) -> None:
    """Sick: half of this week's, none of last month's; near miss: as before; too little: a handful."""
    await accounts(auth, 30, days_ago(20, confirmed=True))
    await accounts(auth, 10, days_ago(3, confirmed=True))
    await accounts(auth, 9, days_ago(3))
    assert await counts(auth) == {}, "19 sign-ups are too few"
    await accounts(auth, 1, days_ago(3))
    finding = (await found(auth))[UNCONFIRMED]
    assert (finding.severity, finding.evidence["count"]) == (Severity.WARNING, 0)
    assert "50 % of the last week's 20 sign-ups are unconfirmed, 0 % of" in finding.summary
    await accounts(auth, 15, days_ago(20))
    finding = (await found(auth))[UNCONFIRMED]
    assert (finding.severity, finding.evidence["count"]) == (Severity.INFO, 15)


async def test_an_address_is_one_whatever_instance_its_accounts_name(auth: Database) -> None:
    """Rows inserted by SQL often have no instance_id."""
    await doubled(auth, "Ann@example.org", "ann@example.org")
    await auth.execute("update auth.users set instance_id = null where email = 'ann@example.org'")
    finding = (await found(auth))[CASES]
    assert (finding.evidence["count"], finding.evidence["accounts"]) == (1, 2)
    query = finding.remedy.caution.partition("To see them: ")[2].partition(". Move")[0]
    (row,) = await auth.fetch(query)
    assert len(row["array_agg"]) == 2
    await auth.execute("delete from auth.users where email = 'ann@example.org'")
    assert await counts(auth) == {}


async def test_without_the_index_addresses_are_not_compared(auth: Database) -> None:
    """Each look-up would read the whole table."""
    await auth.execute("drop index auth.users_instance_id_email_idx; drop index auth.identities_user_id_idx")
    said = await verdicts(auth)
    assert {each.reason.partition(" as GoTrue")[0] for each in said if isinstance(each, NoVerdict)} == {
        "auth.users has no index on (instance_id, lower(email)),",
        "auth.identities has no index that begins with user_id,",
    }
    assert {each.needs for each in said if isinstance(each, NoVerdict)} == {Needs.SETTING}


async def test_the_printed_queries_give_those_that_were_counted(auth: Database) -> None:
    """And the accounts are well once it is done as the caution says."""
    await accounts(auth, 2, identity=False)
    await accounts(auth, 3, "email = 'x' || email")
    findings = await found(auth)
    assert findings[MISMATCH].object == Object("table", schema="auth", name="identities")
    for rule, count in ((WITHOUT, 2), (MISMATCH, 3)):
        query = findings[rule].remedy.caution.partition("To see them: ")[2].partition(". ")[0]
        assert len(await auth.fetch(query)) == count
    await auth.execute(
        "insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)"
        " select id::text, id, jsonb_build_object('sub', id, 'email', email), 'email', now(), now() from auth.users u"
        " where not exists (select from auth.identities i where i.user_id = u.id);"
        "update auth.users u set email = i.email from auth.identities i where i.user_id = u.id"
    )
    assert await counts(auth) == {}


async def test_accounts_that_nobody_has_used_are_mentioned_only(auth: Database) -> None:
    """An administrator makes accounts, too; one that is used beside them is what counts."""
    await accounts(auth, 4, "last_sign_in_at = null", identity=False)
    finding = (await found(auth))[WITHOUT]
    assert (finding.severity, finding.evidence["count"]) == (Severity.INFO, 4)
    await accounts(auth, 1, identity=False)
    finding = (await found(auth))[WITHOUT]
    assert (finding.severity, finding.evidence["count"], finding.evidence["never_signed_in"]) == (
        Severity.WARNING,
        1,
        4,
    )


async def test_purges_meet_no_more_than_was_counted(auth: Database) -> None:
    """Unconfirmed for months, and anonymous: one more refuses, and as many as were counted go; others stay."""
    long_ago = "created_at = now() - interval '91 days'"
    open_ = f"{long_ago}, email_confirmed_at = null"
    for changes in (open_, f"{long_ago}, is_anonymous = true"):
        await accounts(auth, 2, changes)
    for changes in ("is_sso_user = true", "deleted_at = now()", "invited_at = now()"):
        await accounts(auth, 1, f"{open_}, {changes}")
    await accounts(auth, 1, days_ago(89))
    said = await found(auth)
    purges = {
        said[UNCONFIRMED].remedy.caution.partition("may be deleted: ")[2].partition("; look at what")[0]: open_,
        said[ANONYMOUS].remedy.caution.partition("in batches: ")[2].partition(". It changes")[0]:
            f"{long_ago}, is_anonymous = true",
    }  # fmt: skip
    for purge, changes in purges.items():
        (last,) = await accounts(auth, 1, changes)
        with pytest.raises(
            asyncpg.RaiseError, match="3 rows differ by now, not 2 as were counted: nothing was changed"
        ):
            await auth.execute(purge)
        await auth.execute(f"delete from auth.users where id = '{last}'")
        await auth.execute(purge)
    assert await auth.value("select count(*) from auth.users") == 9


async def test_a_role_is_named_when_it_is_the_databases_and_may_be_allowed(auth: Database) -> None:
    """Sick, allowed in part, allowed, and cured by the update of the caution."""
    await accounts(auth, 2, "role = 'service_role'")
    await accounts(auth, 1, "role = 'chief'")
    await accounts(auth, 1, "role = 'service_role', deleted_at = now()")
    finding = (await found(auth))[ROLES]
    assert (finding.severity, finding.evidence["count"]) == (Severity.CRITICAL, 3)
    assert finding.evidence["roles"] == ["service_role"]
    assert "chief" not in str(finding)
    assert await counts(auth, PrivilegedRole(allowed=("chief",))) == {ROLES: 2}
    assert await counts(auth, PrivilegedRole(allowed=("chief", "service_role"))) == {}
    update = finding.remedy.caution.partition("meant to have it: ")[2].partition(", which")[0]
    await accounts(auth, 1, "role = 'service_role'")
    with pytest.raises(asyncpg.RaiseError, match="4 rows differ by now, not 3 as were counted: nothing was changed"):
        await auth.execute(update)
    await auth.execute("delete from auth.users where created_at = (select max(created_at) from auth.users)")
    await auth.execute(update)
    assert await counts(auth) == {}


async def test_nothing_is_read_while_nothing_changes(auth: Database) -> None:
    """The second look costs no statement on auth.users; a change is seen."""
    async with auth.eye(PROBE) as eye:
        first = await eye.look()
        turned = first.rows[0]["reading"]
        again = await eye.look()
        assert again.rows[0]["reading"] == turned
        await accounts(auth, 1, identity=False)
        await auth.value("select pg_stat_force_next_flush()")
        assert {each.rule for each in eye.findings(await eye.look())} == {WITHOUT}


# Between two readings


def test_what_was_found_in_a_part_is_told_and_the_rest_is_not_judged() -> None:
    """A table too big for one look: what is there is there; what is not there may be further on."""
    reading = Accounts(
        schema="auth", total=12_000, part=0.12, counts={"null_tokens": 2, "recent": 99, "recent_open": 99}
    )
    seen = Measurement(
        target=Target("test", "shop"), probe=PROBE.name, taken_at=datetime.now(UTC), rows=rows_of(reading)
    )
    judged = {each.rule: each.verdicts for each in evaluate(PROBE.rules, seen)}
    (finding,) = judged.pop(NULLS)
    assert isinstance(finding, Finding)
    assert finding.summary.endswith("NULL in a token column, in the 12 % looked at so far")
    assert {(each.reason, each.needs) for (each,) in judged.values() if isinstance(each, NoVerdict)} == {
        ("12 % of auth.users was looked at so far", Needs.TIME)
    }
    assert len(judged) == len(RULES) - 1


async def test_counts_and_the_turn_survive_a_restart() -> None:
    """The document goes through JSON; after it a change is looked for at once."""

    async def visit(span: Span, _: Mapping[int, int]) -> Visit:
        return Visit(upto=None if span.after else "7", rows=100, counts={"deleted": 3, "role:ab": 1})

    kept, again = Kept(), Kept()
    await kept.turn(visit, {"changes of users": 5}, 0.3)
    assert kept.rests({"changes of users": 5})
    assert not kept.rests({"changes of users": 6})
    again.restore(json.loads(json.dumps(kept.document())))
    assert again.counts == {"deleted": 6, "role:ab": 2}
    assert (again.sweep.whole, again.sweep.rows, again.rests({"changes of users": 5})) == (True, 200, False)
    Kept().restore({"sweep": 7, "names": "x"})


async def test_an_unchanged_table_is_read_again_when_accounts_have_aged() -> None:
    """No counter tells that a day has passed."""

    async def visit(_span: Span, _: Mapping[int, int]) -> Visit:
        return Visit(upto=None, rows=1, counts={})

    kept = Kept()
    with time_machine.travel(datetime(2026, 11, 23, tzinfo=UTC), tick=False) as clock:
        await kept.turn(visit, {}, 0.3)
        clock.shift(timedelta(days=1, seconds=1))
        assert not kept.rests({})


async def test_sign_ups_are_compared_with_what_was_seen_before_the_purge() -> None:
    """Where the unconfirmed are deleted after a week, half of a week's is what is usual there, not a warning."""

    async def visit(_span: Span, _: Mapping[int, int]) -> Visit:
        return Visit(upto=None, rows=200, counts={"recent": 40, "recent_open": 20, "earlier": 100})

    kept, again = Kept(), Kept()
    with time_machine.travel(datetime(2026, 11, 1, tzinfo=UTC), tick=False) as clock:
        await kept.turn(visit, {}, 0.3)
        kept.note()
        assert (kept.usual(), severities(kept)) == (0.0, [Severity.WARNING])
        clock.shift(timedelta(days=8))
        again.restore(json.loads(json.dumps(kept.document())))
        assert (again.usual(), severities(again)) == (0.5, [])
        clock.shift(timedelta(days=40))
        assert again.usual() == 0.0


def severities(kept: Kept) -> list[Severity]:
    reading = Accounts(schema="auth", counts=kept.counts, total=200, whole=True, part=1.0, usual=kept.usual())
    seen = Measurement(
        target=Target("test", "shop"), probe=PROBE.name, taken_at=datetime.now(UTC), rows=rows_of(reading)
    )
    return [each.severity for each in Unconfirmed().check(seen) if isinstance(each, Finding)]


async def test_a_table_that_was_emptied_is_looked_at_anew(auth: Database) -> None:
    """TRUNCATE counts no rows: what changes is the file."""
    await sicken(auth)
    async with auth.eye(PROBE) as eye:
        assert accounts_of((await eye.look()).rows).total > 0
        await auth.execute("truncate auth.users cascade")
        assert accounts_of((await eye.look()).rows).total == 0
