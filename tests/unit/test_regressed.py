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


async def test_when_most_are_slower_at_once_it_points_to_the_server() -> None:
    """Disks, CPU or a backup: each is said, less surely, and with the number of the others."""
    found = await verdicts(book(3, 3, 3, 1))
    assert [finding.confidence for finding in found if isinstance(finding, Finding)] == [Confidence.MEDIUM] * 3
    assert all("so do 3 of 4 statements" in finding.summary for finding in found if isinstance(finding, Finding))


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
