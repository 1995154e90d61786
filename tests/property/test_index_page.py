"""The page of indexes and the rules agree, whatever the indexes: it shows what they found, and finds nothing itself."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as some

from monitor.advisors.index.redundant import Duplicate, RedundantPrefix
from monitor.advisors.index.unused import Unused
from monitor.draw.asked import Asked
from monitor.draw.indexes import JUDGES, Mark, listing
from monitor.findings.ledger import Ledger
from monitor.measurement import Measurement
from monitor.model import Alert
from monitor.report.pages import Pages
from monitor.rules.evaluate import advise
from monitor.shape import Index
from monitor.shaped import with_shape
from tests.property.test_index_drops import indexes
from tests.unit.figures import Figures
from tests.unit.indexes import NOW, shape, table
from tests.unit.shelf import SHOP, Pile, glance, server

RULES = (Unused(min_bytes=0), Duplicate(), RedundantPrefix())


async def said(own: Sequence[Index]) -> Sequence[Alert]:
    """What the ledger holds once all have spoken."""
    reading = Measurement(target=SHOP, probe="shape", taken_at=NOW, details=with_shape(shape(table(*own))))
    book, ledger = Pages(SHOP, {(SHOP, "shape"): reading}), Ledger()
    ledger.observe([await advise(rule, book) for rule in RULES], NOW)
    return ledger.alerts


def rows(own: Sequence[Index]) -> Iterator[Mapping[str, object]]:
    for each in own:
        need = "constraint" if each.constraint else "unique" if each.unique else ""
        yield {
            "database": "shop", "schema": each.schema, "table": "t", "name": each.name, "size_bytes": each.pages,
            "uses": each.scans, "works": each.valid, "building": False, "need": need, "since": 1.0, "last_scan": None,
        }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(some.lists(indexes(), min_size=1, max_size=9))
def test_page_and_rules_agree(own: Sequence[Index]) -> None:
    """Each finding is a mark of its index, and each mark that an index could go is a finding."""
    alerts = asyncio.run(said(own))
    shelf = glance(Pile(targets_=[server()], alerts_=alerts))
    found = listing(shelf, Figures(), Asked(path="/tables", target="shop"), lambda _: [*rows(own)])
    assert found is not None
    shown = {(each.row["name"], mark) for each in found.sheet.rows for mark, _ in each.marks}
    judged = {(name, mark) for name, mark in shown if mark in JUDGES.values()}
    assert judged == {(alert.finding.object.name, JUDGES[alert.finding.rule]) for alert in alerts}
    assert {name for name, mark in shown if mark is Mark.INVALID} == {each.name for each in own if not each.valid}
