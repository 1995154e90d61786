"""Rules about ourselves: the targets we cannot reach, the probes that fail, what we drop, what we cost.

They judge a measurement like any other; its rows are written by who runs the probes, one `kind` a fact: target (up,
reason, down_seconds), probe (probe, result, reason, duration_seconds, timeout_seconds), series (dropped), cost
(busy_ratio).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.measurement import Measurement, Row, duration, number, of_kind, plural, share
from monitor.model import Area, Finding, NoVerdict, Object, Remedy, Result, Severity
from monitor.rule import Rule

OWN = "self"
"""The name of the measurement that these rules judge."""


@dataclass(frozen=True, kw_only=True)
class Unreachable(Rule):
    """A server cannot be reached.

    Why: either the application cannot reach it too, or the monitor is blind; nothing else can be said of it meanwhile.
    What to do: read the reason; try the same address with psql (of an application's pool, with curl) from the monitor's
    machine.
    When it is wrong: a planned stop longer than `hold`. Silence the target for that time.
    Cost: none; it is known from the monitor's own attempts to connect.
    """

    id: ClassVar[str] = "target.unreachable"
    area: ClassVar[Area] = Area.OPERATIONS
    severity: Severity = Severity.CRITICAL
    hold: float = 10.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "target"):
            if row["up"]:
                continue
            yield self.finding(
                seen,
                subject=seen.target.server,
                object=Object("server", name=seen.target.server),
                summary=f"down for {duration(number(row, 'down_seconds'))}: {row['reason']}",
                impact="the application may be down as well; until it is back, nothing else here is known",
                remedy=Remedy(caution="Try the same address, with psql or curl, from the machine the monitor runs on."),
                reason=str(row["reason"]),
            )


@dataclass(frozen=True, kw_only=True)
class Denied(Rule):
    """The monitor's role lacks rights that probes need.

    Why: what a denied probe would find stays unseen.
    What to do: run what `monitor grants` prints, or turn the probe off in the configuration.
    When it is wrong: a right that is withheld on purpose; turn that probe off.
    Cost: none; it is known from the probes' own runs.
    """

    id: ClassVar[str] = "target.denied"
    area: ClassVar[Area] = Area.OPERATIONS

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        denied = [row for row in of_kind(seen.rows, "probe") if row["result"] == Result.DENIED]
        if not denied:
            return
        probes = sorted({str(row["probe"]) for row in denied})
        yield self.finding(
            seen,
            subject=seen.target.server,
            object=Object("server", name=seen.target.server),
            summary=f"{plural(len(probes), 'probe')} denied: {denied[0]['reason']}",
            impact="what these probes watch is not evaluated",
            remedy=Remedy(caution="Run what `monitor grants` prints as an administrator of the server."),
            count=len(probes),
            probes=probes,
        )


@dataclass(frozen=True, kw_only=True)
class Broken(Rule):
    """A probe of ours breaks.

    Why: what it watches is not evaluated; every other probe goes on.
    What to do: read the reason in the log; for a probe of your own, mend it; for one of ours, report it.
    When it is wrong: never; but a server's passing error can be the cause.
    Cost: none; it is known from the probes' own runs.
    """

    id: ClassVar[str] = "probe.broken"
    area: ClassVar[Area] = Area.OPERATIONS
    hold: float = 30.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "probe"):
            if row["result"] != Result.BROKEN:
                continue
            yield self.finding(
                seen,
                in_database=_database(row),
                subject=str(row["probe"]),
                object=Object("probe", name=str(row["probe"])),
                summary=str(row["reason"]),
                impact="what this probe watches is not evaluated",
                remedy=Remedy(caution="The log line `probe broke` says where; a SQLSTATE is the server's own word."),
                reason=str(row["reason"]),
            )


@dataclass(frozen=True, kw_only=True)
class Slow(Rule):
    """A probe takes a large part of its time limit, or runs into it.

    Why: a probe that is cut off gives no verdict, and a slow one costs the server.
    What to do: give it a longer `every`, or turn it off there.
    When it is wrong: a server that is busy for a moment.
    Cost: none; it is known from the probes' own runs.
    """

    id: ClassVar[str] = "probe.slow"
    area: ClassVar[Area] = Area.OPERATIONS
    severity: Severity = Severity.INFO
    hold: float = 60.0
    ratio: float = 0.5

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "probe"):
            took, limit = number(row, "duration_seconds"), number(row, "timeout_seconds")
            if took < self.ratio * limit:  # a lock that was not waited for is soon told, and no sign of slowness
                continue
            yield self.finding(
                seen,
                in_database=_database(row),
                subject=str(row["probe"]),
                object=Object("probe", name=str(row["probe"])),
                summary=f"took {duration(took)} of its {duration(limit)}",
                impact="it costs the server time, and is cut off without a verdict when it takes longer",
                remedy=Remedy(caution=f"Set probes.{row['probe']}.every higher, or enabled: false for it."),
                duration_seconds=round(took, 3),
                timeout_seconds=limit,
            )


@dataclass(frozen=True, kw_only=True)
class SeriesDropped(Rule):
    """More series than the limit: some are left out of the metrics.

    Why: the bound protects Prometheus; what is beyond it is missing there.
    What to do: raise `limits.series`, or leave out databases.
    When it is wrong: never.
    Cost: none.
    """

    id: ClassVar[str] = "series.dropped"
    area: ClassVar[Area] = Area.OPERATIONS
    severity: Severity = Severity.INFO

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "series"):
            dropped = number(row, "dropped")
            if dropped <= 0:
                continue
            yield self.finding(
                seen,
                subject="limits.series",
                object=Object("setting", name="limits.series"),
                summary=f"{plural(dropped, 'series', 'series')} left out of the metrics",
                impact="dashboards and alerts on them see nothing",
                remedy=Remedy(caution="Raise limits.series in the configuration, or leave out databases."),
                count=round(dropped),
            )


@dataclass(frozen=True, kw_only=True)
class OverBudget(Rule):
    """The monitor's own statements keep the server busy for too large a part of the time.

    Why: the monitor must never be the outage.
    What to do: raise `defaults.interval`, turn the dearest probe off (the page lists their durations).
    When it is wrong: the time is what we waited, not what the server worked: a far network looks like cost.
    Cost: none.
    """

    id: ClassVar[str] = "self.over_budget"
    area: ClassVar[Area] = Area.OPERATIONS
    hold: float = 300.0
    keep: float = 60.0
    ratio: float = 0.05

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "cost"):
            ratio = number(row, "busy_ratio")
            if ratio <= self.ratio:
                continue
            yield self.finding(
                seen,
                subject="defaults.interval",
                object=Object("setting", name="defaults.interval"),
                summary=f"our statements run {share(ratio, 1)} of the time",
                impact="the monitor costs the server more than it should",
                remedy=Remedy(caution="Raise defaults.interval, or turn off the probe that takes longest."),
                ratio=round(ratio, 4),
                limit_ratio=self.ratio,
            )


def _database(row: Row) -> str | None:
    return str(row["database"]) if row.get("database") else None


TARGET_RULES: tuple[Rule, ...] = (Unreachable(), Denied(), Broken(), Slow(), SeriesDropped(), OverBudget())
"""Judge each watched server."""
