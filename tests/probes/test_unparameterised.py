"""statements.unparameterised on real servers, with asyncpg and psycopg: three grades, near misses, limits."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import asyncpg
import psycopg
import pytest

from monitor.advisors.unparameterised import Unparameterised
from monitor.errors import Needs
from monitor.model import Confidence, Finding, NoVerdict, Result, Severity, Target, as_document
from monitor.report.pages import Pages
from monitor.rules.evaluate import advise
from probes.activity import PROBE as ACTIVITY
from probes.activity import ActivityOptions
from probes.statements import PROBE as STATEMENTS
from tests.database import Database
from tests.looking import Eye, book_of, reading, rewritten
from tests.probes.test_activity import application

RULE = Unparameterised(min_samples=0)
CANARY = "correct-horse-battery"
ROOMS = "create table rooms (id int, name text, open bool default true); insert into rooms values (1, 'a'), (2, 'b')"


@dataclass(frozen=True)
class Watch:
    """An application's session, and both probes."""

    database: Database
    app: Database
    session: asyncpg.Connection
    activity: Eye
    statements: Eye

    async def run(self, texts: Iterable[str], session: asyncpg.Connection | None = None) -> None:
        """Send each text as it is, and sample after it; one that the server refuses was sent as well."""
        for text in texts:
            with suppress(asyncpg.PostgresError):
                await (session or self.session).execute(text)
            await self.activity.look()

    async def book(self) -> Pages:
        return book_of(self.database.name, await self.activity.look(), await self.statements.look())

    async def findings(self, rule: Unparameterised = RULE) -> list[Finding]:
        said = (await advise(rule, await self.book())).verdicts
        return [verdict for verdict in said if isinstance(verdict, Finding)]


@asynccontextmanager
async def watching(database: Database, options: ActivityOptions | None = None) -> AsyncIterator[Watch]:
    monitor, app = await database.as_monitor(), await application(database)
    await database.execute(f"{ROOMS}; grant all on rooms to {app.user}")
    session = await app.connect(application_name="shop")
    async with monitor.eye(ACTIVITY, options=options) as activity, monitor.eye(STATEMENTS) as statements:
        await activity.look()
        await statements.look()
        yield Watch(database, app, session, activity, statements)


@pytest.fixture
async def watch(database: Database) -> AsyncIterator[Watch]:
    async with watching(database) as watch:
        yield watch


def lookups(times: int, text: str = "select id from rooms where name = '{}'") -> list[str]:
    return [text.format(f"{CANARY}-{turn}") for turn in range(times)]


async def test_values_in_the_text_are_proved_and_binding_them_mends_it(any_database: Database) -> None:
    """Sick: asyncpg with values formatted into the text. Cured: bound, as the caution says, after a while."""
    async with watching(any_database, ActivityOptions(remember=1.5)) as watch:
        await watch.run(lookups(5))
        (finding,) = await watch.findings()
        assert (finding.rule, finding.severity) == ("statements.unparameterised", Severity.WARNING)
        assert (finding.object.kind, finding.object.name) == ("statement", finding.subject)
        assert (finding.target.database, finding.confidence) == (any_database.name, Confidence.HIGH)
        assert (finding.evidence["grade"], finding.evidence["count"]) == ("proved", 5)
        assert (finding.evidence["applications"], finding.evidence["classes"]) == (["shop"], ["text"])
        assert finding.evidence["role_binds_elsewhere"] is False
        assert "to send a simple statement on rooms with 5 different sets" in finding.summary
        assert (finding.evidence["tables"], finding.evidence["statement"]) == (
            ["rooms"],
            "select id from rooms where name = $1",
        )
        assert "parameters" in finding.remedy.caution
        labels = [
            row["statement"] for row in reading(await watch.book(), "statements").details.values() if "statement" in row
        ]
        assert finding.subject in labels
        await any_database.execute("select pg_sleep(2.5)")
        for turn in range(6):
            await watch.session.fetch("select id from rooms where name = $1", f"{CANARY}-{turn}")
            await watch.activity.look()
        assert await watch.findings() == []


async def test_a_client_side_cursor_looks_the_same_and_evidence_says_what_speaks_for_it(watch: Watch) -> None:
    """Of psycopg 3: its client-side cursor writes values into the text; the same role also binds, so its driver can."""
    async with await psycopg.AsyncConnection.connect(watch.app.dsn, autocommit=True) as connection:
        for turn in range(5):
            await psycopg.AsyncClientCursor(connection).execute("select id from rooms where id = %s", [turn + 10])
            await watch.activity.look()
            await connection.execute("select name from rooms where id = %s", [turn])
            await watch.activity.look()
        (finding,) = await watch.findings()
    assert (finding.evidence["grade"], finding.evidence["classes"]) == ("proved", ["number"])
    assert finding.evidence["role_binds_elsewhere"] is True


async def test_limits_are_kept_exactly(watch: Watch) -> None:
    """At `min_different` it speaks; one less it does not."""
    await watch.run(lookups(4))
    assert await watch.findings() == []
    assert len(await watch.findings(replace(RULE, min_different=4))) == 1
    await watch.run(lookups(5)[-1:])
    assert len(await watch.findings()) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ["select id from rooms where name = 'open'"] * 9,
        [f"select id from rooms where name = 'open' order by id limit {n} offset {n * 7}" for n in range(1, 9)],
        [f"select id from rooms where name in ({', '.join(['1'] * n)})".replace("1", "'a'") for n in range(1, 9)],
        [f"select id from rooms where open = {flag} and name is not null" for flag in ["true", "false", "null"] * 3],
        [f"set application_name = 'shop{n}'" for n in range(8)],
        [f"set local my.user = '{n}'" for n in range(8)],
        [f"create temp table t{n} as select {n} as n" for n in range(8)],
        [f"select {n} as column_{n}" for n in range(8)],
    ],
    ids=["constant", "pages", "lengths of a list", "truth", "set", "set local", "ddl", "another statement each time"],
)
async def test_what_proves_nothing_is_no_finding(watch: Watch, texts: list[str]) -> None:
    """Near misses."""
    await watch.run(texts)
    found = [finding for finding in await watch.findings() if finding.evidence["grade"] == "proved"]
    if texts[0].startswith("select 0"):  # names of columns are no part of a query id: these are one statement
        assert len(found) == 1
    else:
        assert found == []


@pytest.mark.parametrize("name", ["psql", "pgAdmin 4 - DB:shop", "DBeaver 24.1", "flyway", "alembic", "prisma-migrate"])
async def test_peoples_and_migrations_tools_are_left_out(watch: Watch, name: str) -> None:
    """Not as attacks either; the JDBC driver is no such tool."""
    session = await watch.app.connect(application_name=name)
    await watch.run([*lookups(6), "select id from rooms where name = '' or '1'='1' --'"], session)
    assert await watch.findings() == []
    assert len(await watch.findings(replace(RULE, applications=("PostgreSQL JDBC Driver",)))) == 2


async def test_superusers_and_named_roles_are_left_out(watch: Watch) -> None:
    """Unless the configuration says that an application connects as superuser."""
    await watch.run(lookups(6), await watch.database.connect(application_name="shop"))
    assert await watch.findings() == []
    assert len(await watch.findings(replace(RULE, superusers=True))) == 1
    await watch.run(lookups(6))
    assert len(await watch.findings()) == 1
    assert await watch.findings(replace(RULE, roles=("app_*",))) == []


async def test_constants_that_repeat_lower_the_confidence(watch: Watch) -> None:
    """Some again: less sure. The same five again and again, and no sixth: perhaps the program's own, which is info."""
    await watch.run(lookups(5) * 2)
    (finding,) = await watch.findings()
    assert (finding.confidence, finding.evidence["sets_repeat"]) == (Confidence.MEDIUM, True)
    await watch.run(lookups(5))
    (finding,) = await watch.findings()
    assert finding.severity is Severity.WARNING
    await watch.run(lookups(5)[:1])
    (finding,) = await watch.findings()
    assert (finding.severity, finding.evidence["grade"]) == (Severity.INFO, "suspected")
    assert "again and again" in finding.summary


STATES = ["new", "paid", "in transit", "done", "given_back", "", "Zurückgestellt", "order.lost"]


@pytest.mark.parametrize("times", [1, 3])
async def test_words_of_the_program_are_no_proof(watch: Watch, times: int) -> None:
    """Names of states, met once or again: nothing is told."""
    await watch.run([f"select id from rooms where id = 7 and name = '{state}'" for state in STATES] * times)
    assert await watch.findings() == []


async def test_digits_of_the_program_are_no_proof(watch: Watch) -> None:
    """Seven levels are silent; an eighth number is one too many for them."""
    await watch.run([f"select name from rooms where id = {level}" for level in range(1, 8)] * 2)
    assert await watch.findings() == []
    await watch.run(["select name from rooms where id = 8"])
    (finding,) = await watch.findings()
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.MEDIUM)


async def test_words_beside_a_value_that_varies_are_values(watch: Watch) -> None:
    await watch.run([f"select name from rooms where id = {turn + 10} and name = '{STATES[turn]}'" for turn in range(5)])
    (finding,) = await watch.findings()
    assert finding.severity is Severity.WARNING


async def test_words_that_go_on_being_new_are_suspected_and_twenty_prove(watch: Watch) -> None:
    """People's names are words as well, but there is no end to them."""
    names = [f"{first}{last}" for first in ("An", "Bo", "Cy", "Di") for last in ("na", "ra", "la", "ta", "sa")]
    texts = [f"select id from rooms where name = '{name}'" for name in names]
    await watch.run(texts[:9])
    assert await watch.findings() == []
    await watch.run(texts[9:19])
    (finding,) = await watch.findings()
    assert (finding.severity, finding.evidence["grade"]) == (Severity.INFO, "suspected")
    await watch.run(texts[19:])
    (finding,) = await watch.findings()
    assert (finding.severity, finding.evidence["grade"]) == (Severity.WARNING, "proved")


async def test_a_bound_and_a_literal_form_are_suspected(watch: Watch) -> None:
    """Info, with little confidence: too few constants to prove it, but a twin under another query id."""
    for turn in range(3):
        await watch.session.fetch("select id from rooms where name = $1", f"name {turn}")
        await watch.activity.look()
    await watch.run(lookups(2))
    (finding,) = await watch.findings()
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.LOW)
    assert (finding.evidence["grade"], finding.evidence["twin_is_bound"]) == ("suspected", True)
    assert finding.evidence["twin_calls"] == 3
    assert await watch.findings(replace(RULE, min_suspected=3)) == []


async def test_a_twin_of_another_type_is_not_suspected(watch: Watch) -> None:
    """Near miss: one statement with parameters of two types has two query ids, and no constant."""
    for turn in range(6):
        await watch.session.fetch("select id from rooms where id = $1::int4", turn)
        await watch.activity.look()
        await watch.session.fetch("select id from rooms where id = $1::int8", turn)
        await watch.activity.look()
    assert await watch.findings() == []


async def test_too_few_constants_without_a_twin_are_not_suspected(watch: Watch) -> None:
    await watch.run(lookups(4))
    assert await watch.findings() == []


ATTACKED = "select id from rooms where name = '{}' and open"
PAYLOADS = {
    "tautology": f"{CANARY}' or '1'='1",
    "stacked statement": f"{CANARY}'; drop table rooms; --",
    "union": f"{CANARY}' union select usesysid::int from pg_user --",
    "comment truncation": f"{CANARY}' --",
    "time delay": f"{CANARY}' and 1 = (select 1 from pg_sleep(0.1)) --",
    "blind extraction": f"{CANARY}' and 1=length(pg_read_file('{CANARY}')) --",
}


@pytest.mark.parametrize(("shape", "given"), PAYLOADS.items(), ids=PAYLOADS.keys())
async def test_a_text_shaped_like_an_attack_is_critical_at_once(watch: Watch, shape: str, given: str) -> None:
    """One sample is enough, also of a statement that the server refused; the same input as a bound value is none."""
    await watch.session.fetch("select id from rooms where name = $1 and open", given)
    await watch.run([ATTACKED.format(given.replace("'", "''"))])
    assert await watch.findings() == []
    await watch.run([ATTACKED.format(given)])
    (finding,) = await watch.findings()
    assert (finding.severity, RULE.hold) == (Severity.CRITICAL, 0)
    assert (finding.evidence["shape"], finding.evidence["count"]) == (shape, 1)
    assert finding.subject == f"{watch.app.user} ({shape})"
    assert (finding.object.kind, finding.target.database) == ("statement", watch.database.name)
    assert "incident" in finding.remedy.caution


async def test_an_attack_in_another_database_is_told_of_that_one(watch: Watch) -> None:
    await watch.run([ATTACKED.format(PAYLOADS["tautology"])])
    book = replace(await watch.book(), target=Target("test", "elsewhere"))
    assert (await advise(RULE, book)).verdicts == ()


async def test_no_constant_reaches_any_output(watch: Watch) -> None:
    """Findings of all grades, as JSON and as they are."""
    await watch.run([*lookups(6), *(ATTACKED.format(given) for given in PAYLOADS.values())])
    await watch.session.fetch("select name from rooms where name = $1", CANARY)
    await watch.run(lookups(2, "select name from rooms where name = '{}'"))
    found = await watch.findings()
    assert {finding.evidence["grade"] for finding in found} == {"proved", "attack-like", "suspected"}
    assert CANARY not in json.dumps([as_document(finding) for finding in found])
    assert CANARY not in repr((found, await watch.book()))


async def test_few_samples_are_no_all_clear(watch: Watch) -> None:
    """A snapshot takes two: what they meet is told, and that they are few as well."""
    await watch.run([ATTACKED.format(PAYLOADS["tautology"])])
    said = (await advise(Unparameterised(), await watch.book())).verdicts
    assert [type(verdict) for verdict in said] == [Finding, NoVerdict]
    assert isinstance(said[1], NoVerdict)
    assert (said[1].needs, said[1].reason[:31]) == (Needs.HISTORY, "sessions were sampled 3 times o")
    await watch.run(["select 1"] * 7)
    said = (await advise(Unparameterised(), await watch.book())).verdicts
    assert [type(verdict) for verdict in said] == [Finding]


async def test_without_a_sample_there_is_no_verdict(watch: Watch) -> None:
    """Too little data: nothing sampled; blind: what the probe said."""
    (unsaid,) = (await advise(RULE, book_of(watch.database.name, await watch.statements.look()))).verdicts
    assert isinstance(unsaid, NoVerdict)
    assert unsaid.needs is Needs.HISTORY
    book = await watch.book()
    blind = replace(
        reading(book, "activity"), result=Result.SKIPPED, reason="compute_query_id is off", needs=Needs.SETTING
    )
    (unsaid,) = (await advise(RULE, rewritten(book, blind))).verdicts
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.reason, unsaid.needs) == ("compute_query_id is off", Needs.SETTING)


async def test_without_statements_only_suspects_stay_unsaid(watch: Watch) -> None:
    """What is proved is said all the same."""
    await watch.run([*lookups(5), *lookups(2, "select name from rooms where name = '{}'")])
    book = await watch.book()
    lost = replace(reading(book, "statements"), result=Result.SKIPPED, reason="not installed", needs=Needs.EXTENSION)
    said = (await advise(RULE, rewritten(book, lost))).verdicts
    assert [type(verdict) for verdict in said] == [Finding, NoVerdict]
