"""Two rules that ask for one index: what the workload lacks may serve a foreign key, too, and is told once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.model import Alert, Finding, State, Target

MISSING, FOREIGN_KEY = "index.missing", "index.missing_foreign_key"


def serves(wide: Finding, key: Finding) -> bool:
    """Tell whether the index that one finding asks for is what another one's foreign key lacks."""
    same = (wide.target, wide.object.schema, wide.object.name) == (key.target, key.object.schema, key.object.name)
    plain = wide.evidence.get("index_method") == "btree" and not wide.evidence.get("index_where")
    columns = key.object.columns
    begins = set(wide.object.columns[: len(columns)]) == set(columns)
    return (wide.rule, key.rule) == (MISSING, FOREIGN_KEY) and same and plain and begins


def told_once(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out what another finding's index brings."""
    wide = [each for each in findings if each.rule == MISSING]
    return [each for each in findings if not any(serves(one, each) for one in wide)]


class Wider:
    """The firing findings that ask for an index, by target."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self._by_target: dict[Target, list[Alert]] = {}
        for alert in alerts:
            if alert.finding.rule == MISSING and alert.state is State.FIRING:
                self._by_target.setdefault(alert.finding.target, []).append(alert)

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """Give the finding whose index serves this one's foreign key, if it is no milder."""
        found = alert.finding
        told = self._by_target.get(found.target, ()) if found.rule == FOREIGN_KEY else ()
        fitting = (each for each in told if serves(each.finding, found))
        return next((each for each in fitting if each.finding.severity.rank >= found.severity.rank), None)
