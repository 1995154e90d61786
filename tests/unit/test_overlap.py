"""An index that is asked for twice is told once: by the rule that proved it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.advisors.index.missing import Missing
from monitor.daemon.advising import SOONEST
from monitor.errors import Needs
from monitor.findings.inhibition import Sources
from monitor.findings.ledger import Ledger
from monitor.model import Area, Finding, NoVerdict, Object, Severity, Target
from monitor.overlap import FOREIGN_KEY, MISSING, SCANS, Patience, told_beside, told_once
from tests.alerts import at, judgement

SHOP = Target("main", "shop")


def finding(rule: str, *columns: str, table: str = "orders", **evidence: object) -> Finding:
    """A finding about a table, as these rules make it."""
    return Finding(
        target=SHOP,
        rule=rule,
        area=Area.PERFORMANCE,
        severity=Severity.WARNING,
        subject=f"public.{table} ({', '.join(columns)})",
        object=Object("table", schema="public", name=table, columns=columns),
        title="",
        summary="",
        impact="",
        evidence=evidence,  # type: ignore[arg-type]
    )


WIDE = finding(MISSING, "customer_id", "placed_at", index_method="btree", index_where=None, statements=["a", "b"])
KEY = finding(FOREIGN_KEY, "customer_id")
SCANNED = finding(SCANS, statements=["b", "c"])


@pytest.mark.parametrize("other", [KEY, finding(FOREIGN_KEY, "placed_at", "customer_id"), SCANNED])
def test_what_the_wider_index_brings_is_left_out(other: Finding) -> None:
    assert told_once([other, WIDE]) == [WIDE]


def test_where_both_are_told_one_says_that_one_is_enough() -> None:
    """And which; nothing else changes, its fingerprint least of all."""
    key, wide = told_beside([KEY, WIDE])
    assert wide is WIDE
    assert "make that one" in key.remedy.caution
    assert WIDE.subject in key.remedy.caution
    assert replace(key, remedy=KEY.remedy) == KEY
    assert told_beside([KEY]) == [KEY]


@pytest.mark.parametrize(
    "other",
    [
        finding(FOREIGN_KEY, "placed_at"),
        finding(FOREIGN_KEY, "customer_id", table="lines"),
        finding(SCANS, statements=["c"]),
        finding("index.unused", "customer_id"),
        replace(KEY, target=Target("main", "other")),
    ],
)
def test_what_it_does_not_bring_is_told(other: Finding) -> None:
    assert told_once([other, WIDE]) == [other, WIDE]


@pytest.mark.parametrize("evidence", [{"index_where": "a > 1"}, {"index_method": "gin"}])
def test_an_index_that_holds_a_part_only_serves_no_key(evidence: dict[str, str]) -> None:
    wide = replace(WIDE, evidence={**WIDE.evidence, **evidence})
    assert told_once([KEY, wide]) == [KEY, wide]


UNTRIED = NoVerdict(reason="300 plans were made, which is the limit", needs=Needs.TIME, subject=KEY.subject)


def test_a_key_that_a_wider_index_may_serve_waits_for_the_search() -> None:
    """Not evaluated, of that key only; told again once the search says nothing of it, or is asked no more."""
    patience, other = Patience(), finding(FOREIGN_KEY, "shop_id")
    keys = judgement(KEY, other, rule=FOREIGN_KEY)
    assert [*patience.heeded([keys])] == [keys]
    patience.heeded([judgement(UNTRIED, rule=MISSING)])
    (held,) = patience.heeded([keys])
    assert held.findings == (other,)
    assert [(each.subject, each.needs) for each in held.no_verdicts] == [(KEY.subject, Needs.TIME)]
    assert "planner: {plans" in held.no_verdicts[0].reason
    patience.heeded([judgement(rule=MISSING)])
    assert [*patience.heeded([keys])] == [keys]
    patience.heeded([judgement(UNTRIED, rule=MISSING)])
    patience.forget("another")
    assert [*patience.heeded([keys])] != [keys]
    patience.forget(keys.source.server)
    assert [*patience.heeded([keys])] == [keys]


def test_in_the_daemon_it_is_muted_while_the_other_fires() -> None:
    ledger = Ledger()
    ledger.observe([judgement(WIDE), judgement(KEY), judgement(SCANNED)], at(0))
    sources = Sources((), [*ledger.alerts])
    muted = {alert.finding.rule: sources.inhibited_by(alert) for alert in ledger.alerts}
    assert {rule for rule, by in muted.items() if by and by.finding.rule == MISSING} == {FOREIGN_KEY, SCANS}
    assert muted[MISSING] is None


def test_an_index_is_announced_when_two_rounds_in_a_row_propose_it() -> None:
    """As the daemon asks, by the rule's own patience; what one round says, and the next does not, nobody hears of."""
    rule, ledger = Missing(), Ledger()
    heard = [
        [
            change.worth_telling
            for change in ledger.observe([judgement(*said, rule=MISSING, hold=rule.hold)], at(seconds))
        ]
        for seconds, said in ((0, [WIDE]), (rule.every, []), (2 * rule.every, [WIDE]), (3 * rule.every, [WIDE]))
    ]
    assert heard == [[False], [False], [False], [True]]
    assert rule.every - SOONEST > rule.hold
