"""statements.secret_in_text on real servers: clear passwords wherever they stand, what is none, and the cure."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, Result, Severity, as_document
from probes.statement_secrets import IN_A_CONNECTION, IN_A_SETTING, IN_AN_ADDRESS, MAY, OF_A_ROLE, ON_ROWS, PROBE
from tests.database import Cluster, Database
from tests.looking import Eye

CANARY = "correct-horse-battery"
VERIFIER = (
    "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$4FzJiTbL2gDTd0BqMvSgBjyyOYAt6pNkUPFqGNB0PFY=:"
    "HpX1kGkAIzPpoBgCYrZXTj9vXvlUPMdTB8KLtyGOQPM="
)
TEXTS = "select userid, queryid, query from pg_stat_statements"


@asynccontextmanager
async def looking(database: Database) -> AsyncIterator[Eye]:
    """The eye of the monitor's own role, on statistics without what other tests left there."""
    monitor = await database.as_monitor()
    await database.execute("select pg_stat_statements_reset()")
    async with monitor.eye(PROBE) as eye:
        yield eye


async def found(eye: Eye, place: str = "pg_stat_statements") -> tuple[Measurement, Sequence[Finding]]:
    seen = await eye.look()
    assert seen.result is Result.OK, seen.reason
    return seen, [finding for finding in eye.findings(seen) if finding.evidence["place"] == place]


async def test_a_roles_clear_password_is_found_and_the_remedy_clears_it(any_database: Database) -> None:
    """Sick, on every version; cured by running what it printed; never the password."""
    role = f"kept_{any_database.name}"
    async with looking(any_database) as eye:
        await any_database.execute(f"create role {role} login password '{CANARY}'")
        await any_database.execute(f"drop role {role}")
        seen, (finding,) = await found(eye)
        assert (finding.rule, finding.severity) == ("statements.secret_in_text", Severity.CRITICAL)
        assert (finding.object.kind, finding.target.database) == ("statement", any_database.name)
        assert finding.object.name == finding.subject
        assert finding.subject.startswith("queryid-")
        assert (finding.evidence["sorts"], finding.evidence["roles"]) == (["role"], ["postgres"])
        assert len(finding.remedy.sql) == 1
        assert finding.remedy.rollback == ()
        assert "Change the password" in finding.remedy.caution
        assert CANARY not in json.dumps(as_document(finding)) + repr((seen, finding))
        await any_database.apply(finding.remedy)
        _, later = await found(eye)
    assert later == []


SECRETS = [
    ("alter role {role} password '{canary}'", "role"),
    ("alter user {role} with encrypted password '{canary}'", "role"),
    ("alter role {role} password E'{canary}'", "role"),
    ("alter role {role} password $${canary}$$", "role"),
    ("alter role {role} password $word${canary}$word$", "role"),
    ("do $$ begin execute 'alter role {role} password ''{canary}'''; end $$", "role"),
    ("do $$ begin alter role {role} password '{canary}'; end $$", "role"),
    ("/* deploy */ alter role {role} password '{canary}'", "role"),
    ("create user mapping for {role} server far options (user 'u', password '{canary}')", "user mapping"),
    ("create subscription {role} connection 'host=127.0.0.1 password={canary}' publication p with (connect=false)",
     "subscription"),
    ("create subscription {role} connection 'postgresql://u:{canary}@127.0.0.1/x' publication p with (connect=false)",
     "subscription"),
    ("do $$ begin perform dblink_connect('x', 'host=127.0.0.1 password={canary}'); exception when others then end $$",
     "dblink connection"),
    ("alter role {role} password /* of today */ '{canary}'", "role"),
    ("alter role {role} password -- of today\n '{canary}'", "role"),
    ("create user mapping for {role} server far options (user 'u', passwd '{canary}')", "user mapping"),
    ("create user mapping for {role} server far options (user 'u', \"password\" '{canary}')", "user mapping"),
    ("create server farther foreign data wrapper wrapper options (passwd '{canary}')", "role"),
    (("create subscription {role} connection /* of today */ 'host=127.0.0.1 password=''{canary}''' publication p "
     "with (connect=false)"), "subscription"),
    ("do $$ begin perform dblink_connect('host=127.0.0.1 passwd={canary}'); exception when others then end $$",
     "dblink connection"),
    ("alter role {role} /* postgresql://ann:{canary}@db.example/x */ login", "address"),
    ("select count(*) /* redis://:{canary}@cache:6379/0 */ from pg_class", "address"),
    ("comment on role {role} is 'see https://ann:{canary}@db.example/'", "address"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sort"), SECRETS, ids=[text for text, _ in SECRETS])
async def test_it_is_found_wherever_it_stands(database: Database, text: str, sort: str) -> None:
    """Roles, user mappings, subscriptions, blocks; each is cleared by its remedy."""
    role = f"held_{database.name}"
    await database.execute(f"create role {role}; create foreign data wrapper wrapper")
    await database.execute("create server far foreign data wrapper wrapper")
    async with looking(database) as eye:
        await database.execute(text.format(role=role, canary=CANARY))
        _, findings = await found(eye)
        for finding in findings:
            await database.apply(finding.remedy)
        _, later = await found(eye)
    await database.execute(f"drop foreign data wrapper wrapper cascade; drop role {role}")
    with suppress(asyncpg.PostgresError):
        await database.execute(f"alter subscription {role} set (slot_name = none)")
        await database.execute(f"drop subscription {role}")
    assert [finding.evidence["sorts"] for finding in findings] == [[sort]]
    assert CANARY not in repr(findings)
    assert later == []


async def test_a_secret_in_a_setting_is_found_where_its_value_is_kept(any_database: Database) -> None:
    """PostgreSQL 18 keeps `$1` instead; a session's last text shows it on all versions."""
    role = f"set_{any_database.name}"
    await any_database.execute(f"create role {role}")
    session = await any_database.connect()
    async with looking(any_database) as eye:
        for text in (f"alter role {role} set app.settings.jwt_secret to '{CANARY}'", f"set app.password = '{CANARY}'"):
            await session.execute(text)
            _, kept = await found(eye)
            _, (shown,) = await found(eye, "pg_stat_activity")
            assert shown.evidence["sorts"] == ["setting"]
            assert [finding.evidence["sorts"] for finding in kept] == ([["setting"]] if session_keeps(session) else [])
            for finding in kept:
                await any_database.apply(finding.remedy)
            assert (await found(eye))[1] == []
        await session.execute(f"drop role {role}")


def session_keeps(session: asyncpg.Connection) -> bool:
    """Before 18 the values of settings are kept."""
    return session.get_server_version().major < 18  # type: ignore[no-any-return]


async def test_two_roles_with_one_query_id_are_both_cleared(database: Database) -> None:
    """One finding, one statement for each entry."""
    async with looking(database) as eye:
        other = await database.connect()
        await database.execute(f"create role maker_{database.name} superuser")
        await other.execute(f"set session authorization maker_{database.name}")
        for session in (database, other):
            await session.execute("do $$ begin perform 'create role x password ''pw'''; end $$")
        _, findings = await found(eye)
        for finding in findings:
            await database.apply(finding.remedy)
        _, later = await found(eye)
        await other.close()
        await database.execute(f"drop role maker_{database.name}")
    assert [len(finding.remedy.sql) for finding in findings] == [2]
    assert later == []


HARMLESS = [
    f"alter role {{role}} password '{VERIFIER}'",
    "alter role {role} password 'md5a3556571e93b0d20722ba62be61e8c2d'",
    "alter role {role} password null",
    "alter role {role} password ''",
    "alter role {role} password $$$$",
    "do $$ begin execute 'alter role {role} password '''' login'; end $$",
    "do $$ begin raise notice 'alter role x password ''?'''; end $$",
    "set app.has_secret = 'on'",
    "set app.reset_password = ''",
    "do $$ begin perform 'set app.api_key = $1'; end $$",
    "alter role {role} valid until '2030-01-01'",
    "do $$ begin execute format('alter role {role} password %L', md5('x')); end $$",
    "do $$ begin execute 'alter role {role} password ' || quote_literal(md5('x')) || ' login'; end $$",
    "do $$ begin raise notice 'alter role x password ''%''', 1; end $$",
    "create table accounts (password text default 'none')",
    "create view v_accounts as select 'a' as password, 'b' as b",
    "select 'alter role x password ''y''' as advice",
    "create subscription {role} connection 'host=127.0.0.1 user=u' publication p with (connect = false)",
    "comment on role {role} is 'postgresql://ann@db.example/x, https://db.example:8080/@ann, mailto:ann@db.example'",
    "comment on role {role} is 'postgresql://user:password@host/x, redis://:***@h, amqp://u:$PW@h, ftp://u:<pw>@h'",
    "select count(*) /* http://localhost:3000/rooms?mail=a:b@c */ from pg_class",
    "alter role {role} login /* password */ connection limit 5",
    "alter role {role} /* the password: later */ connection limit 6",
    "create server far3 foreign data wrapper wrapper options (passwd_file '/run/pw')",
    "create server far2 foreign data wrapper wrapper options (host 'password.example.com')",
]


async def test_what_is_no_clear_password_is_not_told(database: Database) -> None:
    """Near misses: verifiers, null, placeholders, columns of that name, texts about it."""
    role = f"bare_{database.name}"
    await database.execute(f"create role {role}; create foreign data wrapper wrapper")
    async with looking(database) as eye:
        for text in HARMLESS:
            await database.execute(text.format(role=role))
        await database.fetch("select 1 where 'x' = $1 and current_user = $2 -- password = $1", CANARY, "postgres")
        _, kept = await found(eye)
        _, shown = await found(eye, "pg_stat_activity")
        await database.execute(f"alter subscription {role} set (slot_name = none)")
        await database.execute(f"drop subscription {role}; drop foreign data wrapper wrapper cascade; drop role {role}")
    assert [kept, shown] == [[], []]


async def test_a_session_that_shows_one_is_told_until_its_next_statement(database: Database) -> None:
    """Cured as the caution says: its next statement takes the text out of sight."""
    role = f"seen_{database.name}"
    session = await database.connect()
    async with looking(database) as eye:
        await session.execute(f"create role {role} password '{CANARY}'")
        _, (finding,) = await found(eye, "pg_stat_activity")
        assert finding.remedy.sql == ()
        assert (finding.subject, finding.evidence["sorts"]) == ("sessions of postgres", ["role"])
        assert CANARY not in repr(finding)
        await session.execute(f"drop role {role}")
        _, later = await found(eye, "pg_stat_activity")
    assert later == []


async def test_nothing_recorded_is_no_finding(database: Database) -> None:
    """Too little data: statistics that were just reset."""
    async with looking(database) as eye:
        seen, kept = await found(eye)
    assert kept == []
    assert seen.rows


async def test_without_rights_or_extension_it_says_so(database: Database) -> None:
    monitor = await database.as_monitor()
    await database.execute(f"revoke pg_monitor from {monitor.user}")
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
    assert (seen.result, seen.needs) == (Result.DENIED, Needs.RIGHTS)
    await database.execute("drop extension pg_stat_statements")
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
    assert (seen.result, seen.needs) == (Result.SKIPPED, Needs.EXTENSION)


async def test_a_text_the_server_cannot_read_is_no_all_clear(cluster: Cluster, database: Database) -> None:
    """One in a broken encoding keeps it from giving any: not evaluated, and why."""
    other = f"{database.name}_ascii"
    await cluster.run(
        "postgres", f"create database {other} template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'"
    )
    try:
        async with looking(database) as eye:
            session = await asyncpg.connect(cluster.server.dsn(other), server_settings={"client_encoding": "LATIN1"})
            await session.execute("select 'é' as bytes_that_are_no_characters")
            _, shown = await found(eye, "pg_stat_activity")
            await session.close()
            broken = (
                r"do $$ begin execute convert_from('\x73656c6563742031206173202261ff6222'::bytea, 'SQL_ASCII'); end $$"
            )
            await cluster.run(other, f"set pg_stat_statements.track = 'all'; {broken}")
            seen = await eye.look()
    finally:
        await database.execute("select pg_stat_statements_reset()")
        await cluster.run("postgres", f"drop database {other} with (force)")
    assert shown == []
    assert (seen.result, seen.needs) == (Result.SKIPPED, Needs.SETTING)
    assert "encoding" in seen.reason


async def test_our_own_question_is_no_secret(database: Database) -> None:
    """Its patterns are parameters, in no text."""
    async with looking(database) as eye:
        await found(eye)
        _, kept = await found(eye)
    assert kept == []
    assert await database.value("select 'select $1' ~* $1", MAY) is False


@pytest.mark.soak
async def test_twenty_megabytes_of_text_are_read_in_time(database: Database) -> None:
    """Four hundred entries of 50 kB: well within the timeout."""
    session = await database.connect()
    async with looking(database) as eye:
        for turn in range(400):
            conditions = ["c is not null"] * 3_000 + ["c = 1"] * turn
            await session.execute("select 1 from (select 1 as c) t where " + " or ".join(conditions))
        began = time.monotonic()
        seen, _ = await found(eye)
        assert time.monotonic() - began < PROBE.timeout / 2
    assert seen.result is Result.OK


def test_the_patterns_are_for_the_server_only() -> None:
    """The conditions and what restricts them: all are sent as parameters."""
    assert all(isinstance(each, str) for each in (OF_A_ROLE, IN_A_CONNECTION, IN_A_SETTING, IN_AN_ADDRESS, ON_ROWS))
