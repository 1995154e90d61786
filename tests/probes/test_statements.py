"""The statements probe on real servers: its figures, what it never shows, and both rules in their five cases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from monitor.errors import Needs
from monitor.findings.ledger import Ledger
from monitor.measurement import Measurement, Row
from monitor.model import Confidence, Judgement, Result, Severity, State
from monitor.rules.evaluate import evaluate
from probes.statements import PROBE, Load, Slow, StatementsOptions
from tests.database import Cluster, Database
from tests.looking import Eye

CANARY = "correct-horse-battery"
ALL = Slow(simple_ms=0, complex_ms=0, min_calls=1, settled=0)
NAP = "select pg_sleep($1), count(*) from nap where id = $2"


async def naps(database: Database, times: int, seconds: float = 0.02) -> None:
    """A simple statement and a complex one that take the same time."""
    session = await database.connect()
    await session.execute("create table if not exists nap (id int)")
    for _ in range(times):
        await session.fetch("select pg_sleep($1), $2::int as simple", seconds, 1)
        await session.fetch(NAP, seconds, 1)
    await session.close()


@asynccontextmanager
async def watching(database: Database, options: StatementsOptions | None = None) -> AsyncIterator[Eye]:
    """The eye of the monitor's own role, after its first reading."""
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE, options=options) as eye:
        await eye.look()
        yield eye


def statements(seen: Measurement, database: Database) -> list[Row]:
    rows = [row for key, row in seen.details.items() if isinstance(key, tuple) and key[0] == "statement"]
    return [row for row in rows if row["database"] == database.name]


def naming(seen: Measurement, database: Database, table: str) -> Row:
    """The one statement of this database that works on a table."""
    (row,) = working_on(seen, database, table)
    return row


def working_on(seen: Measurement, database: Database, table: str) -> list[Row]:
    rows = [row for row in statements(seen, database) if row["kind"] != "utility"]
    return [row for row in rows if (None, table) in cast("tuple[object, ...]", row["tables"])]


def figure(row: Row, column: str) -> float:
    return float(str(row[column]))


async def test_it_reads_every_version_as_the_monitors_own_role(any_database: Database) -> None:
    """Growth, kind, tables, role and redacted text of what ran between two readings."""
    await any_database.execute("create table parts (id int, name text)")
    async with watching(any_database) as eye:
        for name in ("a", "b", "c"):
            await any_database.fetch(f"select id from parts where name = '{name}' /* {CANARY} */")
        seen = await eye.look()
    assert seen.result is Result.OK
    row = naming(seen, any_database, "parts")
    assert (row["calls"], row["kind"], row["filtered"]) == (3, "simple", True)
    assert row["text"] == "select id from parts where name = $1"
    assert row["roles"] == ("postgres",)
    assert CANARY not in repr((seen.details, seen.exposed))


async def test_a_role_that_owns_tables_is_an_applications(any_database: Database) -> None:
    """Whoever looks with the application's own role sees its statements, though nobody else is connected."""
    monitor = await any_database.as_monitor()
    for owns in (False, True):
        async with monitor.eye(PROBE) as eye:
            await eye.look()
            session = await monitor.connect()
            await session.execute("set application_name = 'pgarchitect'")
            await session.fetch("select 1 as one where $1 = 2", 1)
            if owns:
                await any_database.execute(f'create table theirs (); alter table theirs owner to "{monitor.user}"')
            seen = await eye.look()
            await session.close()
        assert bool([row for row in statements(seen, any_database) if row["filtered"]]) is owns


async def test_growth_is_neither_lost_nor_counted_twice(database: Database) -> None:
    """Over many readings, full and partial ones, the growth adds up to what was called."""
    await database.execute("create table counted (id int)")
    session, called, last, shown = await database.connect(), 0, 0.0, 0.0
    async with watching(database) as eye:
        for turn in range(90):
            for _ in range((turn + 1) % 3):
                await session.fetch("select id from counted")
                called += 1
            await session.execute(f"select {', '.join('1' * (turn % 30 + 1))} as turn")
            seen = await eye.look()
            labels = [row["statement"] for row in working_on(seen, database, "counted")]
            shown += sum(figure(row, "calls") for row in seen.exposed or () if row["query"] in labels)
            last = sum(figure(row, "calls") for row in working_on(seen, database, "counted"))
    assert last == shown == called


async def test_a_slow_statement_is_found_and_an_index_mends_it(database: Database) -> None:
    """Sick: a lookup without an index. Cured as its plan would say. Near miss: at the limits."""
    await database.execute(
        "create table parts as select g as id, md5(g::text) as name from generate_series(1, 200000) g; analyze parts"
    )
    rule = Slow(simple_ms=2, min_calls=5)

    async def ask() -> None:
        session = await database.connect(max_parallel_workers_per_gather="0")
        for turn in range(6):
            await session.fetch("select id from parts where name = $1", str(turn))
        await session.close()

    async with watching(database) as eye:
        await ask()
        seen = await eye.look()
        (finding,) = eye.findings(seen, rule)
        assert (finding.rule, finding.target.database) == ("statements.slow", database.name)
        assert finding.object.kind == "statement"
        assert finding.subject == finding.object.name == naming(seen, database, "parts")["statement"]
        assert finding.evidence["tables"] == ["parts"]
        assert finding.evidence["statement"] == "select id from parts where name = $1"
        assert "generic_plan" in finding.remedy.caution
        mean = figure(naming(seen, database, "parts"), "exec_seconds") * 1000 / 6
        assert eye.findings(seen, replace(rule, simple_ms=mean)) == []
        assert len(eye.findings(seen, replace(rule, min_calls=6))) == 1
        assert eye.findings(seen, replace(rule, min_calls=7)) == []
    await database.execute("create index on parts (name)")
    async with watching(database) as eye:
        await ask()
        seen = await eye.look()
        assert naming(seen, database, "parts")["calls"] == 6
        assert eye.findings(seen, rule) == []


async def test_simple_and_complex_statements_have_their_own_limits(database: Database) -> None:
    """Near miss: what is slow for a simple statement is not for one that aggregates. Critical at ten times that."""
    async with watching(database) as eye:
        await naps(database, 4)
        seen = await eye.look()
    (simple,) = eye.findings(seen, Slow(simple_ms=10, complex_ms=500, min_calls=4))
    assert (simple.evidence["kind"], simple.severity) == ("simple", Severity.WARNING)
    both = eye.findings(seen, Slow(simple_ms=10, complex_ms=10, min_calls=4))
    assert {each.evidence["kind"] for each in both} == {
        "simple",
        "complex",
    }
    (urgent,) = eye.findings(seen, Slow(simple_ms=1, complex_ms=500, min_calls=4))
    assert urgent.severity is Severity.CRITICAL


async def test_after_a_restart_nothing_is_over_until_enough_was_watched(database: Database) -> None:
    """A statement that is called seldom neither ends nor fires anew; what is found is told at once."""
    rule, ledger, now = Slow(simple_ms=10, complex_ms=500, min_calls=4, hold=0, keep=60), Ledger(), datetime.now(UTC)

    def judged(seen: Measurement) -> list[Judgement]:
        return [said for said in evaluate([rule], seen) if said.rule == rule.id]

    async with watching(database) as eye:
        await naps(database, 4)
        seen = await eye.look()
        (fired,) = ledger.observe(judged(seen), now)
        assert fired.alert.state is State.FIRING
        assert [each.needs for each in eye.unsaid(seen, rule)] == [Needs.HISTORY]
    async with watching(database) as restarted:
        await naps(database, 1)
        seen = await restarted.look()
        assert ledger.observe(judged(seen), now + timedelta(seconds=90)) == []
        filled = replace(seen, window_seconds=rule.settled)
        (change,) = ledger.observe(judged(filled), now + timedelta(seconds=390))
        assert change.alert.state is State.RESOLVED
        assert restarted.unsaid(replace(seen, snapshot=True), rule) == []


async def test_few_calls_count_when_they_took_long_together(database: Database) -> None:
    """Three calls that took `min_seconds` are judged, two are not, nor three that took less."""
    async with watching(database) as eye:
        await naps(database, 3)
        seen = await eye.look()
        rule = Slow(simple_ms=1, complex_ms=500, min_seconds=0.05)
        assert len(eye.findings(seen, rule)) == 1
        assert eye.findings(seen, replace(rule, few_calls=4)) == []
        assert eye.findings(seen, replace(rule, min_seconds=5)) == []


async def test_one_reading_gives_no_verdict(database: Database) -> None:
    """Too little data: counters were read once; nothing is exposed for it."""
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
    assert {verdict.needs for verdict in eye.unsaid(seen)} == {Needs.HISTORY}
    assert list(seen.exposed or ()) == []


async def test_utility_statements_are_not_judged_and_their_secrets_never_shown(database: Database) -> None:
    """A clear password of `create role` stands in pg_stat_statements, and nowhere with us."""
    async with watching(database) as eye:
        for _ in range(3):
            await database.execute(f"create role canary password '{CANARY}'")
            await database.execute("drop role canary")
            await database.execute("vacuum")
        seen = await eye.look()
    kinds = {row["text"]: row["kind"] for row in statements(seen, database)}
    assert kinds["create role ..."] == kinds["vacuum ..."] == "utility"
    assert not [finding for finding in eye.findings(seen, ALL) if finding.evidence["kind"] == "utility"]
    told = [eye.findings(seen, ALL), eye.findings(seen, Load(min_window=0, share=0, cores=0))]
    assert told[1]
    assert CANARY not in repr((seen.details, seen.exposed, told))


async def test_text_off_shows_no_text(database: Database) -> None:
    """Kind and fingerprint stay."""
    async with watching(database, StatementsOptions(text="off")) as eye:
        await naps(database, 3)
        seen = await eye.look()
    row = naming(seen, database, "nap")
    assert (row["text"], row["kind"]) == ("", "complex")
    assert not [finding for finding in eye.findings(seen, ALL) if "statement" in finding.evidence]


def roles_seen(seen: Measurement, database: Database, who: Database) -> bool:
    return any(who.user in cast("tuple[object, ...]", row["roles"]) for row in statements(seen, database))


async def test_what_the_monitor_runs_itself_is_left_out(database: Database) -> None:
    """Its role's statements are no news, unless somebody else uses that role too."""
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        for _ in range(3):
            await eye.look()
        seen = await eye.look()
        assert not roles_seen(seen, database, monitor)
        await monitor.fetch("select 1 as somebody_else")
        await eye.look()
        seen = await eye.look()
        assert roles_seen(seen, database, monitor)


async def test_the_top_is_bounded_and_the_rest_is_summed_up(database: Database) -> None:
    """Two members at most, and one row of a database for all others, with nothing lost."""
    async with watching(database, StatementsOptions(top=2)) as eye:
        for number in range(2, 9):
            await database.fetch(f"select {', '.join('1' * number)} as number")
        await naps(database, 2)
        seen = await eye.look()
    rows = [row for row in seen.exposed or () if row["database"] == database.name]
    assert len([row for row in rows if row["query"] != "other"]) <= 2
    (other,) = (row for row in rows if row["query"] == "other")
    assert other["role"] == ""
    assert figure(other, "calls") >= 7


async def test_maintenance_may_be_the_load_and_has_no_plan(database: Database) -> None:
    """What it says to do can be done: nobody can explain a VACUUM."""
    async with watching(database) as eye:
        for _ in range(3):
            await database.execute("vacuum full pg_class")
        (finding,) = (
            each
            for each in eye.findings(await eye.look(), Load(min_window=0, share=0, cores=0))
            if each.evidence["kind"] == "utility"
        )
    assert "a utility statement on pg_class takes" in finding.summary
    assert "explain" not in finding.remedy.caution
    assert "no plan" in finding.remedy.caution


async def test_a_reset_begins_anew(database: Database) -> None:
    """After pg_stat_statements_reset() there is no growth to judge until the next reading."""
    async with watching(database) as eye:
        await naps(database, 3)
        await eye.look()
        await database.execute("select pg_stat_statements_reset()")
        await naps(database, 1)
        seen = await eye.look()
        assert {verdict.needs for verdict in eye.unsaid(seen)} == {Needs.HISTORY}
        await naps(database, 2)
        assert naming(await eye.look(), database, "nap")["calls"] == 2


async def test_statistics_that_are_reset_before_every_reading_are_no_lack_of_history(database: Database) -> None:
    """Waiting would not help: from the third time on the reason names what has to end; then it is judged again."""
    async with watching(database) as eye:
        said = []
        for _ in range(3):
            await database.execute("select pg_stat_statements_reset()")
            said.append(eye.unsaid(await eye.look(), ALL))
        assert [each.needs for (each,) in said] == [Needs.HISTORY, Needs.HISTORY, Needs.SETTING]
        assert "were reset;" in said[0][0].reason
        assert "before each of the last 3 readings" in said[2][0].reason
        await naps(database, 2)
        assert eye.unsaid(await eye.look(), ALL) == []


async def test_an_entry_that_was_evicted_is_never_negative(database: Database) -> None:
    """One entry is dropped and comes back smaller: what it has is growth since then, as is what comes later."""
    async with watching(database) as eye:
        await naps(database, 5)
        await eye.look()
        await database.execute(
            "select pg_stat_statements_reset(userid, dbid, queryid) from pg_stat_statements "
            "where query like '%from nap%'"
        )
        await naps(database, 2)
        seen = await eye.look()
        assert naming(seen, database, "nap")["calls"] == 7
        await naps(database, 3)
        seen = await eye.look()
        assert naming(seen, database, "nap")["calls"] == 10
        assert all(figure(row, "calls") >= 0 for row in seen.exposed or ())


async def test_without_the_extension_it_says_what_to_run(database: Database) -> None:
    """Skipped, needs extension."""
    await database.execute("drop extension pg_stat_statements")
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
    assert (seen.result, seen.needs) == (Result.SKIPPED, Needs.EXTENSION)
    assert "create extension pg_stat_statements" in seen.reason


async def test_an_old_version_of_the_extension_is_named(database: Database) -> None:
    """What pg_upgrade leaves behind lacks columns: the remedy is its update."""
    await database.execute("drop extension pg_stat_statements; create extension pg_stat_statements version '1.8'")
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        assert (seen.result, seen.needs) == (Result.SKIPPED, Needs.EXTENSION)
        assert "alter extension pg_stat_statements update" in seen.reason
        await database.execute("alter extension pg_stat_statements update")
        assert (await eye.look()).result is Result.OK


async def test_without_rights_it_is_denied(database: Database) -> None:
    """A role that may not read statistics is told which role it lacks."""
    monitor = await database.as_monitor()
    await database.execute(f"revoke pg_monitor from {monitor.user}")
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
    assert (seen.result, seen.needs) == (Result.DENIED, Needs.RIGHTS)


async def test_nothing_recorded_is_no_all_clear(database: Database) -> None:
    """pg_stat_statements.track = none: not evaluated, needs a setting; for our own role alone it means nothing."""
    async with watching(database) as eye:
        await database.execute("alter system set pg_stat_statements.track = 'none'")
        try:
            await database.execute("select pg_reload_conf()")
            await database.execute("select pg_sleep(0.2)")
            await eye.look()
            seen = await eye.look()
        finally:
            await database.execute("alter system reset pg_stat_statements.track")
            await database.execute("select pg_reload_conf()")
    assert {verdict.needs for verdict in eye.unsaid(seen)} == {Needs.SETTING}


async def test_a_role_that_hides_itself_still_sees(database: Database) -> None:
    """`alter role monitor set pg_stat_statements.track = none` hides the monitor, not the application."""
    monitor = await database.as_monitor()
    await database.execute(f"alter role {monitor.user} set pg_stat_statements.track = 'none'")
    async with monitor.eye(PROBE) as eye:
        await eye.look()
        await naps(database, 3)
        seen = await eye.look()
    assert eye.unsaid(seen, Slow(settled=0)) == []
    assert naming(seen, database, "nap")["calls"] == 3


async def test_a_statement_without_a_text_is_judged_mildly(cluster: Cluster, database: Database) -> None:
    """One text in a broken encoding keeps the server from giving any: the complex limit then, and less confidence."""
    other = f"{database.name}_ascii"
    await cluster.run(
        "postgres", f"create database {other} template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'"
    )
    try:
        async with watching(database) as eye:
            await cluster.run(
                other,
                "set pg_stat_statements.track = 'all'; "
                r"do $$ begin execute convert_from('\x73656c6563742031206173202261ff6222'::bytea, 'SQL_ASCII'); end $$",
            )
            await naps(database, 3)
            seen = await eye.look()
        assert seen.result is Result.OK
        assert {row["kind"] for row in statements(seen, database)} == {"unknown"}
        findings = eye.findings(seen, Slow(simple_ms=0, complex_ms=10, min_calls=3))
        assert {finding.confidence for finding in findings} == {Confidence.MEDIUM}
        assert len(findings) == 2
    finally:
        await database.execute("select pg_stat_statements_reset()")
        await cluster.run("postgres", f"drop database {other} with (force)")


async def test_lifetime_totals_are_labelled_and_doubted(database: Database) -> None:
    """A snapshot with window 0 judges totals, and says so."""
    await naps(database, 4)
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE, snapshot=True, lifetime=True) as eye:
        seen = await eye.look()
    findings = eye.findings(seen, Slow(simple_ms=10, complex_ms=500, min_calls=4))
    (finding,) = (finding for finding in findings if finding.evidence["kind"] == "simple")
    assert finding.confidence is Confidence.LOW
    assert "lifetime" in str(finding.evidence["basis"])


async def test_the_statement_that_takes_the_load_is_named(database: Database) -> None:
    """Sick: most of the time. Near miss: a share or a core's part above it. At the limit: not more than it."""
    rule = Load(min_window=0, share=0.3, cores=0.001)
    async with watching(database) as eye:
        session = await database.connect()
        for _ in range(5):
            await session.fetch("select pg_sleep($1), $2::int as simple", 0.1, 1)
        await database.execute("select 1 as small")
        seen = await eye.look()
    (finding,) = eye.findings(seen, rule)
    assert (finding.rule, finding.severity, finding.evidence["calls"]) == ("statements.load", Severity.INFO, 5)
    spent = max(figure(row, "exec_seconds") for row in statements(seen, database))
    assert eye.findings(seen, replace(rule, cores=spent / seen.window_seconds)) == []
    assert eye.findings(seen, replace(rule, share=1.0)) == []


async def test_a_busy_statement_on_an_idle_server_is_no_load(database: Database) -> None:
    """Near miss: all of the time, but next to nothing of a core."""
    async with watching(database) as eye:
        await database.execute("select 1 as small")
        await database.execute("select pg_sleep(0.3)")
        seen = await eye.look()
    assert eye.findings(seen, Load(min_window=0, cores=1.1)) == []


async def test_a_short_look_gives_no_verdict_on_load(database: Database) -> None:
    """Too little data: a window of less than `min_window`."""
    async with watching(database) as eye:
        await naps(database, 1)
        (unsaid,) = eye.unsaid(await eye.look(), Load())
    assert unsaid.needs is Needs.HISTORY


async def test_the_report_lists_the_busiest_first(database: Database) -> None:
    """Plain values, the largest first."""
    async with watching(database) as eye:
        await naps(database, 3)
        seen = await eye.look()
    rows = [row for name, row in seen.listed() if name == "statements"]
    assert rows == sorted(rows, key=lambda row: -figure(row, "total_seconds"))
    assert all(isinstance(value, str | int | float) for row in rows for value in row.values())
    assert {"database", "roles", "statement", "calls", "mean_ms", "total_seconds", "share", "text"} <= {*rows[0]}


@pytest.mark.parametrize("top", [0, 501])
def test_a_senseless_top_is_refused(top: int) -> None:
    with pytest.raises(ValueError, match="top should be"):
        StatementsOptions(top=top)


async def test_an_entry_that_counts_anew_has_grown_by_all_it_has(any_database: Database) -> None:
    """Reset, and called more often than before, it looks as if it had gone on: PostgreSQL 17 tells since when."""
    session = await any_database.connect()
    await session.execute("create table tills (id int)")
    for _ in range(3):
        await session.fetch("select count(*) from tills where id = $1", 1)
    async with watching(any_database) as eye:
        await session.execute(
            "select pg_stat_statements_reset(0, dbid, queryid) from pg_stat_statements s "
            "join pg_database d on d.oid = s.dbid and d.datname = current_database() where query like '%from tills%'"
        )
        for _ in range(40):
            await session.fetch("select count(*) from tills where id = $1", 1)
        seen = await eye.look()
        version = await any_database.value("select current_setting('server_version_num')::int / 10000")
        calls = [figure(row, "calls") for row in working_on(seen, any_database, "tills")]
        assert calls == [40] if version >= 17 else calls in ([37], [])
    await session.close()


async def test_an_extension_that_tells_no_dates_is_read(database: Database) -> None:
    """What pg_upgrade leaves behind on PostgreSQL 17 lacks stats_since, and does without."""
    await database.execute("drop extension pg_stat_statements; create extension pg_stat_statements version '1.10'")
    async with watching(database) as eye:
        await naps(database, 3)
        seen = await eye.look()
    assert seen.result is Result.OK
    assert figure(naming(seen, database, "nap"), "calls") == 3
