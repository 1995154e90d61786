"""The rules about ourselves: each sick, cured, near miss and at the limit, on rows as the desk writes them.

Those about `ignore:` are in test_ignore_rules.py.
"""

from datetime import UTC, datetime

import pytest

from monitor.measurement import Measurement
from monitor.model import Target
from monitor.rule import Rule
from monitor.rules.daemon import MONITOR_RULES, ReceiverFailing, ReloadFailed, StoreDegraded
from monitor.rules.evaluate import evaluate
from monitor.rules.own import OWN, TARGET_RULES, Broken, Denied, OverBudget, SeriesDropped, Slow, Unreachable


def found(rule: Rule, **row: object) -> list[str]:
    seen = Measurement(target=Target("shop"), probe=OWN, taken_at=datetime.now(UTC), rows=[row])
    (judged,) = evaluate([rule], seen)
    assert judged.no_verdicts == ()
    return [finding.subject for finding in judged.findings]


def run(result: str, took: float = 0.1) -> dict[str, object]:
    return {
        "kind": "probe",
        "probe": "pool",
        "database": None,
        "result": result,
        "reason": "why",
        "duration_seconds": took,
        "timeout_seconds": 5.0,
    }


@pytest.mark.parametrize(
    ("rule", "sick", "well", "subject"),
    [
        (
            Unreachable(),
            {"kind": "target", "up": False, "reason": "refused", "down_seconds": 1.0},
            {"kind": "target", "up": True, "reason": "", "down_seconds": 1.0},
            "shop",
        ),
        (Denied(), run("denied"), run("skipped"), "shop"),
        (Broken(), run("broken"), run("timeout"), "pool"),
        (Slow(), run("ok", 2.5), run("ok", 2.49), "pool"),
        (Slow(), run("timeout", 5.0), run("timeout", 0.1), "pool"),
        (SeriesDropped(), {"kind": "series", "dropped": 1}, {"kind": "series", "dropped": 0}, "limits.series"),
        (
            OverBudget(),
            {"kind": "cost", "busy_ratio": 0.051},
            {"kind": "cost", "busy_ratio": 0.05},
            "defaults.interval",
        ),
        (
            ReceiverFailing(),
            {"kind": "receiver", "receiver": "ops", "reason": "404"},
            {"kind": "store", "reason": ""},
            "ops",
        ),
        (StoreDegraded(), {"kind": "store", "reason": "disk full"}, {"kind": "config", "reason": ""}, "store"),
        (ReloadFailed(), {"kind": "config", "reason": "line 3"}, {"kind": "store", "reason": ""}, "config"),
    ],
)
def test_each_fires_on_its_fact_and_on_nothing_else(
    rule: Rule, sick: dict[str, object], well: dict[str, object], subject: str
) -> None:
    """Sick, and the nearest thing that is not."""
    assert found(rule, **sick) == [subject]
    assert found(rule, **well) == []


def test_every_rule_about_ourselves_is_in_one_list() -> None:
    """None is forgotten, none judges twice."""
    ids = [rule.id for rule in (*TARGET_RULES, *MONITOR_RULES)]
    assert len(ids) == len(set(ids)) == 11
