"""Puts a review together: what was found, worst first; where was looked, what was not evaluated, and what is listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from monitor.measurement import Measurement
from monitor.model import Finding, Target
from monitor.report.review import LookedAt, Review
from monitor.standing import ServerStanding
from monitor.status import NotEvaluated

Rows = list[Mapping[str, object]]


def compose(
    standings: Sequence[ServerStanding],
    findings: Sequence[Finding],
    *,
    window: float,
    readings: Sequence[Measurement] = (),
) -> Review:
    """Put a review together: worst findings first, then by area, target and subject."""
    lists = listed(standings, readings)
    return Review(
        generated_at=datetime.now(UTC),
        window_seconds=window,
        targets=[looked for standing in standings for looked in _looked_at(standing)],
        findings=sorted(findings, key=_order),
        not_evaluated=_each_reason([entry for standing in standings for entry in standing.not_evaluated()]),
        statements=lists["statements"],
        pools=lists["pools"],
        tables=lists["tables"],
    )


def _order(finding: Finding) -> tuple[int, str, str, str, str]:
    return -finding.severity.rank, finding.area, finding.rule, str(finding.target), finding.subject


def _each_reason(entries: Sequence[NotEvaluated]) -> list[NotEvaluated]:
    return sorted(set(entries), key=lambda entry: (str(entry.target), entry.needs, entry.rule, entry.reason))


def _looked_at(standing: ServerStanding) -> list[LookedAt]:
    """Give the server as a whole, then each of its databases; one that was refused is not up."""
    status = standing.status()
    targets = [Target(status.server), *(Target(status.server, name) for name in status.databases)]
    looked = []
    for target in targets:
        probes = [run for run in status.probes if run.target == target]
        refused = [run for run in probes if run.result == "unreachable" and target.database is not None]
        looked.append(
            LookedAt(
                target=target,
                kind=status.kind,
                up=status.up and not refused,
                reason=refused[0].reason if refused else status.reason,
                server_version=status.server_version,
                labels=status.labels,
                not_applicable=status.not_applicable.get(target.database, 0),
                probes=probes,
            )
        )
    return looked


def listed(standings: Sequence[ServerStanding], readings: Sequence[Measurement]) -> dict[str, Rows]:
    """Give what the report lists beside findings."""
    servers = {standing.server.name: standing.server for standing in standings}
    lists: dict[str, Rows] = {"statements": [], "pools": [], "tables": [], "indexes": []}
    for seen in readings:
        wants = cache(servers[seen.target.server].wants)  # thousands of rows are of few databases
        where = {"target": seen.target.server, "database": seen.target.database}
        for name, row in seen.listed():
            if not row.get("database") or wants(str(row["database"])):
                lists[name].append({**where, **row})
    return lists
