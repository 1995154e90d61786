"""Rules that ask for one index: what the workload lacks may serve a foreign key, or spare reading a table whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from monitor.errors import Needs
from monitor.model import Alert, Finding, Judgement, NoVerdict, State, Target

MISSING, FOREIGN_KEY, SCANS = "index.missing", "index.missing_foreign_key", "tables.sequential_scans"


def covers(wide: Finding, other: Finding) -> bool:
    """Tell whether the index that one finding asks for is what another one lacks; then one of them is enough."""
    if wide.rule != MISSING or other.rule not in {FOREIGN_KEY, SCANS} or wide.target != other.target:
        return False
    if (wide.object.schema, wide.object.name) != (other.object.schema, other.object.name):
        return False
    return _serves(wide, other) if other.rule == FOREIGN_KEY else bool(_statements(wide) & _statements(other))


def _serves(wide: Finding, key: Finding) -> bool:
    plain = wide.evidence.get("index_method") == "btree" and not wide.evidence.get("index_where")
    columns = key.object.columns
    return plain and set(wide.object.columns[: len(columns)]) == set(columns)


def _statements(finding: Finding) -> set[object]:
    named = finding.evidence.get("statements")
    return set(named) if isinstance(named, list | tuple) else set()


def told_once(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out what another finding's index brings."""
    wide = [each for each in findings if each.rule == MISSING]
    return [each for each in findings if not any(covers(one, each) for one in wide)]


def told_beside(findings: Sequence[Finding]) -> list[Finding]:
    """Say in what another finding's index brings that one index is enough, and which."""
    wide = [each for each in findings if each.rule == MISSING]
    return [_beside(each, next((one for one in wide if covers(one, each)), None)) for each in findings]


def _beside(finding: Finding, wide: Finding | None) -> Finding:
    if wide is None:
        return finding
    enough = f"One index is enough: what {MISSING} says of {wide.subject} is about this too; make that one."
    caution = f"{enough} {finding.remedy.caution}".strip()
    return replace(finding, remedy=replace(finding.remedy, caution=caution))


def awaited_by(judgements: Iterable[Judgement]) -> set[str | None]:
    """Give the foreign keys, as subjects, for which a search that was cut short may have a wider index yet."""
    own = (judgement for judgement in judgements if judgement.rule == MISSING)
    return {each.subject for judgement in own for each in judgement.no_verdicts if each.subject}


def held_back(judgement: Judgement, awaited: Collection[str | None]) -> Judgement:
    """Say nothing yet of the foreign keys that are awaited."""
    if judgement.rule != FOREIGN_KEY or not awaited:
        return judgement
    said = (_not_yet(each) if each.subject in awaited else each for each in judgement.verdicts)
    return replace(judgement, verdicts=tuple(said))


def _not_yet(verdict: Finding | NoVerdict) -> NoVerdict:
    return NoVerdict(
        reason="index.missing was cut short and may want a wider index, which serves this key too; give it more plans "
        "(planner: {plans: …}), or run: monitor advise",
        needs=Needs.TIME,
        subject=verdict.subject,
    )


class Patience:
    """What a daemon holds back of each database, by what the newest search said."""

    def __init__(self) -> None:
        self._awaited: dict[Target, set[str | None]] = {}

    def heeded(self, judgements: Sequence[Judgement]) -> Sequence[Judgement]:
        """Hold back what had better wait."""
        for judgement in judgements:
            if judgement.rule == MISSING:
                self._awaited[judgement.source] = awaited_by([judgement])
        return [held_back(judgement, self._awaited.get(judgement.source, ())) for judgement in judgements]

    def forget(self, server: str | None = None) -> None:
        """Hold nothing back any more, of one server or of all."""
        self._awaited = {
            target: awaited for target, awaited in self._awaited.items() if server not in {None, target.server}
        }


class Wider:
    """The firing findings that ask for an index, by target."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self._by_target: dict[Target, list[Alert]] = {}
        for alert in alerts:
            if alert.finding.rule == MISSING and alert.state is State.FIRING:
                self._by_target.setdefault(alert.finding.target, []).append(alert)

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """Give the finding whose index is what this one lacks, if it is no milder."""
        found = alert.finding
        told = self._by_target.get(found.target, ()) if self._by_target else ()
        fitting = (each for each in told if covers(each.finding, found))
        return next((each for each in fitting if each.finding.severity.rank >= found.severity.rank), None)
