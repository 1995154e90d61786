"""statements.regressed by hand: what it says of many at once, of cold caches, and of what is not its business."""

from collections.abc import Sequence
from random import Random

import pytest

from monitor.advisors.statements_regressed import Regressed
from monitor.errors import Needs
from monitor.measurement import Row
from monitor.model import Confidence, Finding, NoVerdict
from monitor.rules.evaluate import advise
from tests.loads import CYCLE, DATABASE, Grown, Kept, Page, Statement, page

RULE = Regressed()


def book(*slow: float, kind: str = "simple", blocks: float = 0.0, started: float | None = None) -> Page:
    """Statements that took 10 ms for two days, and now take so many times as long, each of 200 calls."""
    statements = [Statement(name=f"s{n}", rate=10.0, mean=0.01, sigma=0.01, night=1.0) for n in range(len(slow))]
    kept = Kept(statements, days=2, random=Random(1))
    for each, times in zip(statements, slow, strict=True):
        mean = each.mean * times
        kept.add(each.key, CYCLE, Grown(calls=200, seconds=200 * mean, squares=200 * mean * mean, blocks=200 * blocks))
    rows: dict[object, Row] = {("statement", each.name, DATABASE): row(each.name, kind) for each in statements}
    return page(kept, CYCLE, started=started, details=rows)


def row(name: str, kind: str) -> Row:
    tables = (("public", "rooms"), (None, "Users"))
    return {
        "database": DATABASE,
        "statement": name,
        "kind": kind,
        "tables": tables,
        "roles": ("app",),
        "text": "select",
    }


async def verdicts(pages: Page) -> Sequence[Finding | NoVerdict]:
    return (await advise(RULE, pages)).verdicts


async def test_it_says_what_a_call_took_takes_and_where_to_look() -> None:
    """Numbers on both sides, names of tables, and no SQL that may be wrong."""
    (finding,) = await verdicts(book(3, 1, 1, 1))
    assert isinstance(finding, Finding)
    assert finding.subject == finding.object.name == "s0"
    assert finding.summary == (
        'a simple statement on public.rooms, "Users" takes 30 ms a call, 3.0 times the 10 ms it took '
        "(200 calls in 15 s)"
    )
    assert finding.confidence is Confidence.HIGH
    assert 'an index of public.rooms, "Users" that was dropped' in finding.remedy.caution
    assert finding.remedy.sql == ()
    evidence = finding.evidence
    assert (evidence["before_hours"], evidence["same_hour"], evidence["roles"]) == (48, False, ["app"])
    assert (evidence["slower_statements"], evidence["compared_statements"]) == (1, 4)
    assert evidence["excess_cores"] == pytest.approx(200 * 0.02 / 15, rel=0.01)


def readings(*slow: float, cycles: int = 2, tables: Sequence[str] = ()) -> Page:
    """Statements, each on a table of its own or on those named, that became so many times slower cycles ago."""
    statements = [Statement(name=f"s{n}", rate=10.0, mean=0.01, sigma=0.01, night=1.0) for n in range(len(slow))]
    kept = Kept(statements, days=2, random=Random(1))
    for cycle in range(1, cycles + 1):
        for each, times in zip(statements, slow, strict=True):
            mean = each.mean * times
            kept.add(each.key, cycle * CYCLE, Grown(calls=150, seconds=150 * mean, squares=150 * mean * mean))
        kept.tides(CYCLE)
    named = [*tables, *(f"t{n}" for n in range(len(tables), len(slow)))]
    rows: dict[object, Row] = {
        ("statement", each.name, DATABASE): {**row(each.name, "simple"), "tables": (("public", table),)}
        for each, table in zip(statements, named, strict=True)
    }
    return page(kept, cycles * CYCLE, details=rows)


async def test_when_many_are_slower_at_once_none_is_accused() -> None:
    """A checkpoint, a backup: no verdict about any of them, neither at once nor while it goes on."""
    for cycles in (1, 2, 80):
        found = await verdicts(readings(3, 3.5, 2.8, 2.6, 1.6, 1, 1, 1, cycles=cycles))
        assert [verdict.subject for verdict in found if isinstance(verdict, NoVerdict)] == ["s0", "s1", "s2", "s3"]
        assert len(found) == 4


async def test_when_many_stay_slower_it_is_said_once_and_of_the_server() -> None:
    """After half an hour, in one finding with the number of them."""
    found = await verdicts(readings(3, 3.5, 2.8, 2.6, 1, 1, 1, 1, cycles=120))
    (finding,) = [verdict for verdict in found if isinstance(verdict, Finding)]
    assert (finding.subject, finding.object.kind, finding.evidence["count"]) == (DATABASE, "database", 4)
    assert finding.confidence is Confidence.MEDIUM
    assert "look at the server" in finding.remedy.caution


async def test_who_stands_out_among_the_slower_is_accused_in_the_second_reading() -> None:
    """Ten times slower, while all others are 1.7 times slower."""
    slow = (10, 1.7, 1.7, 1.7, 1.7, 1.7)
    assert not any(isinstance(verdict, Finding) for verdict in await verdicts(readings(*slow, cycles=1)))
    (finding,) = await verdicts(readings(*slow))
    assert isinstance(finding, Finding)
    assert (finding.subject, finding.confidence) == ("s0", Confidence.MEDIUM)
    assert finding.evidence["common_times"] == pytest.approx(1.7, rel=0.01)


async def test_one_that_is_three_times_slower_is_found_while_all_are_a_little_slower() -> None:
    """All others take 1.3 times as long: that is not many at once, and it is found in the first reading."""
    (finding,) = await verdicts(readings(3, 1.3, 1.3, 1.3, 1.3, 1.3, cycles=1))
    assert isinstance(finding, Finding)
    assert (finding.subject, finding.confidence) == ("s0", Confidence.HIGH)


async def test_a_table_that_all_the_slower_name_is_to_blame() -> None:
    """An index of it was dropped: each is accused, for statements on other tables are as they were."""
    found = await verdicts(readings(3, 3, 3, 3, 1, 1, tables=["rooms"] * 4))
    assert [verdict.subject for verdict in found if isinstance(verdict, Finding)] == ["s0", "s1", "s2", "s3"]
    assert not any(
        isinstance(verdict, Finding) for verdict in await verdicts(readings(3, 3, 3, 3, tables=["rooms"] * 4))
    )


async def test_a_little_more_than_twice_needs_a_second_reading() -> None:
    """2.2 times may be one bad moment; three times is said at once."""
    assert await verdicts(readings(2.2, cycles=1)) == ()
    assert len(await verdicts(readings(2.2, cycles=2))) == 1
    assert len(await verdicts(readings(3, cycles=1))) == 1


async def test_cold_caches_are_no_verdict() -> None:
    """Soon after the server's start, of what reads blocks; of what reads none, and later, it speaks."""
    (unsaid,) = await verdicts(book(3, blocks=30, started=-600))
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.subject, unsaid.needs) == ("s0", Needs.HISTORY)
    for sure in (book(3, blocks=1, started=-600), book(3, blocks=30, started=-1800), book(3, blocks=30)):
        (finding,) = await verdicts(sure)
        assert isinstance(finding, Finding)


async def test_utility_statements_and_other_databases_are_not_judged() -> None:
    """VACUUM has no plan; each database is asked about by itself."""
    assert await verdicts(book(3, kind="utility")) == ()
    other = book(3)
    elsewhere = Page(kept=other.kept, seen=other.seen, target=type(other.target)("test", "other"))
    assert await verdicts(elsewhere) == ()


async def test_a_statement_without_its_text_is_less_sure() -> None:
    (finding,) = await verdicts(book(3, kind="unknown"))
    assert isinstance(finding, Finding)
    assert "whose text is not known" in finding.summary
