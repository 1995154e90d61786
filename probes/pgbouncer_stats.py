"""PgBouncer's own counters (SHOW STATS): queries, transactions, bytes, and the time clients waited.

Metrics are named as pgbouncer_exporter names them, after our own prefix. Cost: one short command.
Limits: the 100 databases with the most queries are told apart; the others are one, `other`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.probe import Kind, Measurement, Memory, Metric, Probe, Row, Scope, Session
from probes.pool_groups import safe

TOLD = 100
MICRO = 1e-6

COUNTERS: Mapping[str, tuple[str, float, str]] = {
    "queries_pooled": ("total_query_count", 1, "Queries that went through."),
    "sql_transactions_pooled": ("total_xact_count", 1, "Transactions that went through."),
    "queries_duration_seconds": ("total_query_time", MICRO, "Time that queries ran, as PgBouncer saw it."),
    "server_in_transaction_seconds": ("total_xact_time", MICRO, "Time that server connections were in a transaction."),
    "client_wait_seconds": ("total_wait_time", MICRO, "Time that clients waited for a server connection."),
    "received_bytes": ("total_received", 1, "Bytes that came in."),
    "sent_bytes": ("total_sent", 1, "Bytes that went out."),
}
"""Metrics by name: the column, what makes base units of it, and the help."""


class Told:
    """The databases that are told apart: who is among them stays."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def grow(self, rows: Sequence[Row]) -> None:
        """Fill what is free with those that have the most queries."""
        self.names &= {str(row["database"]) for row in rows}
        for row in sorted(rows, key=lambda row: -float(str(row["queries_pooled"]))):
            if len(self.names) >= TOLD:
                return
            self.names.add(str(row["database"]))


async def observe(session: Session, _memory: Memory, _options: object) -> Sequence[Row]:
    """Give each database's totals in base units."""
    rows = await session.fetch("SHOW STATS")
    return [{"database": safe(row.get("database")), **_totals(row)} for row in rows]


def _totals(row: Row) -> Row:
    return {name: float(str(row.get(column) or 0)) * unit for name, (column, unit, _) in COUNTERS.items()}


async def detail(_session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Where there are many databases, give the exporter the growth of the busiest, and of all others together."""
    told = memory.of(Told)
    told.grow(seen.rows)
    if len(seen.rows) <= TOLD:
        return seen
    sums: dict[str, dict[str, float]] = {}
    for row in seen.grown or ():
        name = str(row["database"]) if row["database"] in told.names else "other"
        here = sums.setdefault(name, dict.fromkeys(COUNTERS, 0.0))
        for counter in COUNTERS:
            here[counter] += float(str(row[counter]))
    return replace(seen, exposed=[{"database": name, **values} for name, values in sums.items()])


PROBE = Probe(
    name="pgbouncer_stats",
    scope=Scope.POOLER,
    every=15,
    observe=observe,
    detail=detail,
    key=("database",),
    labels=("database",),
    complete=True,
    metrics=tuple(Metric(name, Kind.COUNTER, text) for name, (_, _, text) in COUNTERS.items()),
)
