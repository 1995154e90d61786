"""tables.sequential_scans on a real server: sick, cured by an index, near misses, at the limit, too little data."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from monitor.advisors.sequential_scans import SequentialScans
from monitor.errors import Needs
from monitor.model import Confidence, Finding, NoVerdict, Result, Severity
from monitor.report.pages import Pages
from monitor.rules.evaluate import advise
from probes.indexes import PROBE as INDEXES
from probes.statements import PROBE as STATEMENTS
from tests.database import Database
from tests.looking import Eye, book_of, reading, rewritten
from tests.probes.test_server import settled

RULE = SequentialScans(min_bytes=1, min_rows=10_000)
FEW = "select id from big where name = $1"
TABLE = """
    create table big as select g as id, md5(g::text) as name, g % 4 as quarter from generate_series(1, 60000) g;
    vacuum analyze big
"""


@dataclass(frozen=True)
class Watch:
    database: Database
    tables: Eye
    statements: Eye

    async def run(self, sql: str, times: int = 12, *arguments: object) -> None:
        session = await self.database.connect()
        for _ in range(times):
            await session.fetch(sql, *arguments)
        await session.close()
        await settled()

    async def book(self) -> Pages:
        return book_of(self.database.name, await self.tables.look(), await self.statements.look())


@pytest.fixture
async def watch(database: Database) -> AsyncIterator[Watch]:
    """Both probes, after their first reading of a database with one table of 60,000 rows."""
    for statement in TABLE.split(";"):
        await database.execute(statement)
    async with opened(database) as watch:
        yield watch


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Watch]:
    monitor = await database.as_monitor()
    async with monitor.eye(INDEXES) as tables, monitor.eye(STATEMENTS) as statements:
        await tables.look()
        await statements.look()
        yield Watch(database, tables, statements)


async def verdicts(book: Pages, rule: SequentialScans = RULE) -> Sequence[Finding | NoVerdict]:
    return (await advise(rule, book)).verdicts


async def test_a_table_read_whole_for_few_rows_is_found_and_an_index_mends_it(watch: Watch) -> None:
    """Sick: a lookup without an index. Cured: with one."""
    await watch.run(FEW, 12, "x")
    (finding,) = await verdicts(await watch.book())
    assert isinstance(finding, Finding)
    assert (finding.rule, finding.subject) == ("tables.sequential_scans", "public.big")
    assert (finding.object.kind, finding.confidence) == ("table", Confidence.LOW)
    assert finding.target.database == watch.database.name
    assert finding.evidence["whole_reads"] == pytest.approx(12, abs=0.5)
    assert finding.evidence["statement"] == FEW
    assert finding.remedy.sql == ()
    await watch.database.execute("create index on big (name)")
    async with opened(watch.database) as later:
        await later.run(FEW, 12, "x")
        assert await verdicts(await later.book()) == ()


async def test_whole_reads_with_a_purpose_are_no_finding(watch: Watch) -> None:
    """Near miss: statements that return much of the table, or ask for no part of it."""
    await watch.run("select id from big where quarter = 1")
    await watch.run("select count(*) from big")
    assert await verdicts(await watch.book()) == ()


async def test_what_counts_a_part_may_need_all_of_it(watch: Watch) -> None:
    """Its rows do not tell: info, and no words about a percentage; a warning if it counts what equals a value."""
    await watch.run("select avg(id) from big where quarter < 3")
    (finding,) = await verdicts(await watch.book())
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.INFO
    assert "1 statement counts or sums a part of it" in finding.summary
    assert "nothing is missing" in finding.remedy.caution
    async with opened(watch.database) as later:
        await later.run("select count(*) from big where name = $1", 12, "x")
        (finding,) = await verdicts(await later.book())
        assert isinstance(finding, Finding)
        assert finding.severity is Severity.WARNING
        assert "1 statement counts or sums a part of it" in finding.summary
    async with opened(watch.database) as later:
        await later.run("select avg(id) from big where quarter < 3")
        await later.run(FEW, 12, "x")
        (finding,) = await verdicts(await later.book())
        assert isinstance(finding, Finding)
        assert finding.severity is Severity.WARNING
        assert "2 statements asked for under 1 %" in finding.summary


async def test_a_statement_that_reads_little_of_the_table_is_not_accused(watch: Watch) -> None:
    """Near miss: the table is read whole for its own sake, and another statement uses an index."""
    await watch.database.execute("create index on big (id)")
    async with opened(watch.database) as later:
        await later.run("select name from big where id = $1", 50, 7)
        await later.run("select id from big where quarter = 1")
        assert await verdicts(await later.book()) == ()


async def test_limits_are_kept_exactly(watch: Watch) -> None:
    """Size, rows, reads and pace: at the limit it speaks, above it does not."""
    await watch.run(FEW, 12, "x")
    book = await watch.book()
    (row,) = (row for row in reading(book, "indexes").changes if row["table"] == "big")
    size, rows = float(str(row["size_bytes"])), float(str(row["reltuples"]))
    reads = float(str(row["seq_tup_read"])) / rows
    assert len(await verdicts(book, replace(RULE, min_bytes=size, min_rows=rows, whole_reads=reads))) == 1
    for stricter in (
        {"min_bytes": size + 1},
        {"min_rows": rows + 1},
        {"whole_reads": reads + 0.1},
        {"per_minute": 1e6},
    ):
        assert await verdicts(book, replace(RULE, **stricter)) == ()  # type: ignore[arg-type]


async def test_a_table_of_the_same_name_elsewhere_makes_a_bare_name_useless(watch: Watch) -> None:
    """Too little known: who is meant cannot be told."""
    await watch.database.execute("create schema other")
    await watch.database.execute("create table other.big (id int)")
    async with opened(watch.database) as later:
        await later.run(FEW, 12, "x")
        (unsaid,) = await verdicts(await later.book())
        assert isinstance(unsaid, NoVerdict)
        assert (unsaid.needs, unsaid.subject) == (Needs.HISTORY, "public.big")
    async with opened(watch.database) as later:
        await later.run("select quarter from public.big where name = $1", 12, "x")
        (finding,) = await verdicts(await later.book())
        assert isinstance(finding, Finding)


async def test_without_statements_it_says_why_it_cannot_tell(watch: Watch) -> None:
    """No pg_stat_statements, or none read yet: no verdict, and for each table that is read whole its name."""
    await watch.run(FEW, 12, "x")
    book = await watch.book()
    seen = reading(book, "statements")
    absent = replace(seen, result=Result.SKIPPED, reason="extension is missing", needs=Needs.EXTENSION)
    always = replace(seen, window_growth=None, resets=3)
    unread = book_of(watch.database.name, reading(book, "indexes"))
    (unsaid,) = await verdicts(unread)
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject) == (Needs.HISTORY, "public.big")
    assert "no statements were read" in unsaid.reason
    cases = (
        (absent, Needs.EXTENSION, "extension is missing"),
        (replace(always, resets=0), Needs.HISTORY, "were read once"),
        (always, Needs.SETTING, "reset before each of the last 3 readings"),
    )
    for statements, needs, words in cases:
        (unsaid,) = await verdicts(rewritten(book, statements))
        assert isinstance(unsaid, NoVerdict)
        assert (unsaid.needs, unsaid.subject) == (needs, "public.big")
        assert words in unsaid.reason


async def test_one_reading_gives_no_verdict(database: Database) -> None:
    """Too little data: counters were read once, or never."""
    async with database.eye(INDEXES) as tables, database.eye(STATEMENTS) as statements:
        once = book_of(database.name, await tables.look(), await statements.look())
    for book in (once, book_of(database.name)):
        (unsaid,) = await verdicts(book)
        assert isinstance(unsaid, NoVerdict)
        assert unsaid.needs is Needs.HISTORY
