"""The rule that judges whether PgBouncer's clients wait for a server connection, and what keeps it from them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    duration,
    identifier,
    number,
    of_kind,
    plural,
)


@dataclass(frozen=True, kw_only=True)
class Waiting(Rule):
    """Clients wait for a PgBouncer pool.

    Why: a client that waits is a request that stands still; after query_wait_timeout (120 s) PgBouncer throws it out.
    Nothing of it is seen in the server, which may look idle. Judged is the longest wait in each pool (database and
    user), while the pool has all the server connections it may have, cannot get any, or its database is paused.
    What to do: with a full pool, first shorten what holds its connections (slow statements, transactions left open; in
    session mode a client keeps its connection until it leaves). Then raise pool_size in pgbouncer.ini, as far as the
    server has slots. Paused: RESUME. No server connection: see whether the server is up and takes PgBouncer's login.
    When it is wrong: a PAUSE for planned work (silence it); batch clients that may wait: raise `max_wait` (seconds).
    Cost: none beyond the probe's commands.
    """

    id: ClassVar[str] = "pool.waiting"
    area: ClassVar[Area] = Area.CAPACITY
    hold: float = 15.0
    keep: float = 60.0
    max_wait: float = 1.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "pool"):
            if number(row, "cl_waiting") > 0 and number(row, "waited_seconds") > self.max_wait:
                yield self._accuse(seen, row)

    def _accuse(self, seen: Measurement, row: Row) -> Finding:
        waiting, wait = number(row, "cl_waiting"), number(row, "waited_seconds")
        cause = cause_of(row)
        subject = f"{identifier(str(row['database']))} ({identifier(str(row['user']))})"
        return self.finding(
            seen,
            subject=subject,
            object=Object("pool", name=f"{row['database']}/{row['user']}"),
            summary=f"{plural(waiting, 'client')} wait{'s' if waiting == 1 else ''}, the first for {duration(wait)}: "
            + SAID[cause].format(**words(row)),
            impact="requests of these applications stand still; after query_wait_timeout PgBouncer throws them out",
            remedy=Remedy(caution=ADVICE[cause].format(**words(row)) + more(row, cause)),
            confidence=Confidence.MEDIUM if cause in {"unknown", "unlisted"} else Confidence.HIGH,
            count=round(waiting),
            cause=cause,
            waited_seconds=round(wait, 3),
            max_wait=self.max_wait,
            servers=round(number(row, "servers")),
            pool_size=known(row, "pool_size"),
            pool_mode=str(row["pool_mode"]),
            applications=applications(seen, row),
        )


SAID = {
    "paused": "database {database} is paused",
    "disabled": "database {database} is disabled",
    "down": "there is no connection to the server behind it",
    "full": "all {servers} server connections are taken (pool_size {pool_size})",
    "database full": "database {database} has the {max_connections} server connections it may have",
    "unlisted": "there is no connection to the server, and PgBouncer does not list database {database}",
    "unknown": "{servers} of {pool_size} server connections are open",
}

ADVICE = {
    "paused": "When the work it was paused for is done, run in PgBouncer's console: RESUME {database};",
    "disabled": "When it may be used again, run in PgBouncer's console: ENABLE {database};",
    "down": "See whether the server behind database {database} is up and takes PgBouncer's login (PgBouncer's log says "
    "why it was refused), and whether PgBouncer as a whole is paused (RESUME;).",
    "full": "In pgbouncer.ini, [databases]: give {database} pool_size={more} (now {pool_size}), or raise "
    "default_pool_size; then run RELOAD; in its console. The server needs as many more free slots "
    "(max_connections).",
    "database full": "In pgbouncer.ini raise max_db_connections, or max_db_connections= of {database} "
    "(now {max_connections}); then run RELOAD; in its console. The server needs as many more free slots.",
    "unlisted": "PgBouncer 1.18 may leave a database out of its list that the line * of [databases] made: it may be "
    "paused (RESUME {database}; in its console), or the server behind it does not answer (see PgBouncer's log).",
    "unknown": "See max_user_connections in pgbouncer.ini, and PgBouncer's log for server connections that are slow to "
    "open.",
}

HELD = {
    "session": " In session mode a client keeps its connection until it leaves: pool_mode = transaction serves far "
    "more clients, if the application needs no session state.",
    "transaction": " First see what holds them: transactions left open (sessions.idle_in_transaction) and slow "
    "statements.",
    "statement": " First see which slow statements hold them.",
}


def cause_of(row: Row) -> str:
    """Say what keeps a pool's clients waiting."""
    if known(row, "paused"):
        return "paused"
    if known(row, "disabled"):
        return "disabled"
    servers, limit = number(row, "servers"), known(row, "max_connections")
    if not servers and row.get("paused") is None:
        return "unlisted"
    if not servers:
        return "down" if not limit or (known(row, "current_connections") or 0) < limit else "database full"
    size = known(row, "pool_size")
    if size is not None and servers + number(row, "sv_login") >= size:
        return "full"
    return "database full" if limit and (known(row, "current_connections") or 0) >= limit else "unknown"


def known(row: Row, column: str) -> int | None:
    """Read a count that a version of PgBouncer may not give."""
    value = row.get(column)
    return round(value) if isinstance(value, int | float) else None


def words(row: Row) -> dict[str, object]:
    """Give what the texts name."""
    size, waiting = known(row, "pool_size") or 0, round(number(row, "cl_waiting"))
    return {
        "database": identifier(str(row["database"])),
        "servers": round(number(row, "servers")),
        "pool_size": size,
        "more": min(size + waiting, 2 * size),
        "max_connections": known(row, "max_connections"),
    }


def more(row: Row, cause: str) -> str:
    """Add what to look at first, where connections are taken."""
    return HELD.get(str(row["pool_mode"]), "") if cause == "full" else ""


def applications(seen: Measurement, pool: Row) -> Sequence[str]:
    """Name the applications with the most clients waiting for this pool.

    A database line with `user=` has one pool of that user, whoever its clients log in as.
    """
    queued = [
        row for row in of_kind(seen.rows, "client") if row["state"] == "waiting" and row["database"] == pool["database"]
    ]
    counts: Counter[str] = Counter()
    for row in [row for row in queued if row["user"] == pool["user"]] or queued:
        counts[str(row["application"])] += round(number(row, "clients"))
    return [f"{name or '(no name)'}: {count}" for name, count in counts.most_common(5)]
