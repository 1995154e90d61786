"""The rules on statements: which are slow by themselves, and which takes most of the server's time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Scalar,
    Severity,
    StatementKind,
    check_recording,
    described,
    duration,
    number,
    plural,
    share,
    summed,
    table_names,
)
from probes.statements_executor import executed, slowed

FEW_ENTRIES = 1000
"""A limit of pg_stat_statements below this, when reached, loses the figures of what is called less often."""

SEEN = (
    "The evidence has its plan. Where that reads far more rows than the statement returns, it wants an index on what "
    "it compares, or a narrower question."
)
PLAN = (
    "Look at its plan: explain (generic_plan) with the text above on PostgreSQL 16 or newer; before that, prepare it, "
    "set plan_cache_mode = force_generic_plan, and explain execute."
)

NO_PLAN = (
    "It has no plan to look at: maintenance and loading cost what they cost. See that they run when the load is low; "
    "of a procedure, look at the statements in it (pg_stat_statements.track = all counts them)."
)


def judged(seen: Measurement) -> Iterator[Row]:
    """Give the summed statements; raises ProbeSkipped where nothing is recorded, or nothing grew yet."""
    _ = seen.changes
    check_recording(seen)
    yield from summed(seen)


def too_short(seen: Measurement, at_least: float) -> Iterator[NoVerdict]:
    """Say that the window is too short for a rate."""
    if seen.window_seconds < at_least:
        reason = f"watched for {duration(seen.window_seconds)} only; {duration(at_least)} are needed"
        yield NoVerdict(reason=reason, needs=Needs.HISTORY)


def mean_ms(row: Row) -> float:
    """Give the mean time of a call."""
    calls = number(row, "calls")
    return 1000 * number(row, "exec_seconds") / calls if calls else 0.0


def figures(seen: Measurement, row: Row) -> dict[str, Scalar | list[Scalar]]:
    """Give the evidence both rules share."""
    calls, roles = number(row, "calls"), row["roles"]
    evidence: dict[str, Scalar | list[Scalar]] = {
        "calls": round(calls),
        "mean_ms": round(mean_ms(row), 3),
        "total_seconds": round(number(row, "exec_seconds"), 3),
        "share": round(_part(seen, row), 3),
        "rows_per_call": round(number(row, "rows") / calls, 2) if calls else 0.0,
        "roles": [str(role) for role in roles] if isinstance(roles, tuple) else [],
        "tables": [*table_names(row)],
        "kind": str(row["kind"]),
        "window_seconds": round(seen.window_seconds, 1),
    }
    if seen.lifetime:
        evidence["basis"] = "lifetime totals since the statistics were reset"
    if isinstance(tags := row["tags"], tuple) and tags:
        evidence["tags"] = [*tags]
    if row["text"]:
        evidence["statement"] = str(row["text"])
    return evidence


def planned(row: Row) -> dict[str, Scalar]:
    """Give what is known of a statement's plan, for rules that it explains something to."""
    said = {key: row.get(key) for key in ("plan", "plan_cost", "plan_skipped")}
    return {key: value for key, value in said.items() if isinstance(value, str | float)}


def look(row: Row) -> str:
    """Say how to come by the plan, or, once it was had, what to read it for."""
    return SEEN if row.get("plan") else PLAN


def _part(seen: Measurement, row: Row) -> float:
    """Give the statement's part of all execution time."""
    whole = number(seen.details["whole"], "exec_seconds")
    return min(number(row, "exec_seconds") / whole, 1.0) if whole else 0.0


def confidence(seen: Measurement, row: Row) -> Confidence:
    """Lifetime totals mix good and bad times; without a text the kind is a guess."""
    if seen.lifetime:
        return Confidence.LOW
    return Confidence.MEDIUM if row["kind"] == "unknown" else Confidence.HIGH


def over(seen: Measurement) -> str:
    """Say which time the figures are of."""
    return "since the statistics were reset" if seen.lifetime else f"in {duration(seen.window_seconds)}"


@dataclass(frozen=True, kw_only=True)
class StatementRule(Rule):
    """A rule that accuses one statement at a time."""

    def accusing(
        self,
        seen: Measurement,
        row: Row,
        *,
        summary: str,
        impact: str,
        caution: str,
        severity: Severity | None = None,
        **limits: Scalar,
    ) -> Finding:
        """Accuse a statement; its figures and its plan stand in the evidence before what is given here."""
        return self.finding(
            seen,
            in_database=str(row["database"]),
            subject=str(row["statement"]),
            object=Object("statement", name=str(row["statement"])),
            summary=summary,
            impact=impact,
            remedy=Remedy(caution=caution),
            severity=severity or self.severity,
            confidence=confidence(seen, row),
            **figures(seen, row),
            **planned(row),
            **limits,
        )


@dataclass(frozen=True, kw_only=True)
class Slow(StatementRule):
    """A statement is slow.

    Why: every call keeps a user waiting and a connection busy; a simple statement (one table, no join, no aggregate,
    no function but the server's own cheap ones) that takes longer than `simple_ms` on average nearly always lacks an
    index, or waits for a lock.
    What to do: look at its plan (explain (generic_plan) on PostgreSQL 16 or newer) and at the tables it names; if it
    reads much to return little, it wants an index or a narrower question.
    When it is wrong: reports and batches that may take their time. Raise `complex_ms`, or ignore the fingerprint.
    Utility statements, the monitor's own role, and what was called less than `min_calls` times are not judged, unless
    three calls or more took `min_seconds` together. Until `settled` seconds were watched (a restart, a failover, a
    reset) what is found is told, and what is not found is not over: it may only not have been called often yet.
    What to do names jit compilation (PostgreSQL 15 on) above `jit_share` of all time so far, and parallel workers (18
    on) where less than `workers_share` of those wanted were had; these are lifetime totals, read every few minutes.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "statements.slow"
    area: ClassVar[Area] = Area.PERFORMANCE
    hold: float = 60.0
    keep: float = 60.0
    simple_ms: float = 100.0
    complex_ms: float = 500.0
    min_calls: float = 50.0
    few_calls: float = 3.0
    min_seconds: float = 5.0
    critical_factor: float = 10.0
    settled: float = 300.0
    jit_share: float = 0.3
    workers_share: float = 0.5

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in judged(seen):
            limit = self.simple_ms if row["kind"] == StatementKind.SIMPLE else self.complex_ms
            if row["kind"] != StatementKind.UTILITY and mean_ms(row) > limit and self._counts(row):
                yield self._accusation(seen, row, limit)
        if not (seen.snapshot or seen.lifetime):
            yield from too_short(seen, self.settled)
        whole = seen.details["whole"]
        if number(whole, "entries") >= 0.9 * number(whole, "entries_limit") < 0.9 * FEW_ENTRIES:
            yield NoVerdict(
                reason=f"pg_stat_statements.max is {number(whole, 'entries_limit'):.0f} and reached: statements called "
                "less often are forgotten; raise it to 5000 or more",
                needs=Needs.SETTING,
                subject="pg_stat_statements.max",
            )

    def _counts(self, row: Row) -> bool:
        """A threshold on calls must not hide what is slow by time."""
        calls = number(row, "calls")
        return calls >= self.min_calls or (calls >= self.few_calls and number(row, "exec_seconds") >= self.min_seconds)

    def _accusation(self, seen: Measurement, row: Row, limit: float) -> Finding:
        mean = mean_ms(row)
        return self.accusing(
            seen,
            row,
            summary=f"a {described(row)} takes {duration(mean / 1000)} a call "
            f"({plural(number(row, 'calls'), 'call')} {over(seen)}; limit {duration(limit / 1000)})",
            impact="each call keeps a user waiting and a connection busy",
            caution=slowed(row, jit_share=self.jit_share, workers_share=self.workers_share) + look(row),
            severity=Severity.CRITICAL if mean > self.critical_factor * limit else self.severity,
            limit_ms=limit,
            **executed(row),
        )


@dataclass(frozen=True, kw_only=True)
class Load(StatementRule):
    """One statement takes most of the server's time.

    Why: whatever is gained on this one statement is gained for the whole server; nothing else is worth as much work.
    What to do: see whether it is called more often than needed (a cache, one call for many keys), then look at its
    plan (explain (generic_plan) on PostgreSQL 16 or newer).
    When it is wrong: a server whose purpose is that one statement. It is news of no weight, hence only info.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "statements.load"
    area: ClassVar[Area] = Area.PERFORMANCE
    severity: Severity = Severity.INFO
    hold: float = 120.0
    keep: float = 120.0
    share: float = 0.30
    cores: float = 0.05
    min_window: float = 9.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        rows = [*judged(seen)]
        if short := [*too_short(seen, self.min_window)]:
            yield from short
            return
        whole = number(seen.details["whole"], "exec_seconds")
        for row in rows:
            spent = number(row, "exec_seconds")
            if spent > self.share * whole and spent > self.cores * seen.window_seconds:
                yield self._accusation(seen, row, spent, whole)

    def _accusation(self, seen: Measurement, row: Row, spent: float, whole: float) -> Finding:
        explained = row["kind"] != StatementKind.UTILITY
        return self.accusing(
            seen,
            row,
            summary=f"a {described(row)} takes {share(min(spent, whole), whole)} of all execution time, "
            f"{share(spent, seen.window_seconds)} of a core ({plural(number(row, 'calls'), 'call')} {over(seen)})",
            impact="the server's capacity is this one statement's: its growth is felt by everything else first",
            caution=f"Is it called more often than needed? {look(row) if explained else NO_PLAN}",
            cores=round(spent / seen.window_seconds, 3),
            limit_share=self.share,
            limit_cores=self.cores,
        )
