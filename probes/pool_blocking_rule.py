"""The rule that judges who keeps others waiting for a lock."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    duration,
    literal,
    number,
    of_kind,
    plural,
)
from probes.pool_groups import PIDS, holder, pids, whose
from probes.pool_timeouts import IDLE, setting, together


@dataclass(frozen=True, kw_only=True)
class Blocking(Rule):
    """Sessions wait for locks that somebody else keeps.

    Why: who waits keeps a slot and the locks it has already, so others come to wait behind it: one forgotten
    transaction or one schema change in a queue can stop an application. Named is the root: who blocks and does not
    wait itself. A tree counts when its longest wait has reached `after` seconds, or when `blocked` sessions have each
    waited for a second, also by way of others.
    What to do: see what the root does. Idle in a transaction: end it with pg_terminate_backend(pid), mend the code that
    does not commit, and set the timeout. At work: let it end, or pg_cancel_backend(pid). A schema change that waits
    blocks all that come after it: run it with a lock_timeout of a few seconds and try again. A prepared transaction:
    commit it or roll it back by its name. One finding a database, role and application of the root.
    When it is wrong: jobs that take a lock so that only one of them runs (advisory locks), and migrations in their
    hour; silence them for that time. `create index concurrently` waits for all older transactions, and harms nobody
    meanwhile. Waits shorter than a second are not seen, and names of relations only in the
    database the monitor is connected to; at most the 100 longest waits are told apart.
    Cost: none while nobody waits for a second; then one more query, of a few milliseconds.
    """

    id: ClassVar[str] = "sessions.blocking"
    area: ClassVar[Area] = Area.CAPACITY
    hold: float = 10.0
    keep: float = 30.0
    after: float = 30.0
    blocked: float = 3.0
    idle_timeout: float = 300.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        unknown = seen.details.get("blocking")
        if unknown is not None:
            needs = unknown["needs"] if isinstance(unknown["needs"], Needs) else Needs.TIME
            yield NoVerdict(reason=str(unknown["reason"]), needs=needs)
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in of_kind(seen.rows, "blocker"):
            groups.setdefault((str(row["database"]), who(row)), []).append(row)
        for (database, subject), rows in groups.items():
            rows.sort(key=lambda row: -number(row, "waited_seconds"))
            if number(rows[0], "waited_seconds") >= self.after or len(waiting(rows)) >= self.blocked:
                yield self._accuse(seen, database, subject, rows)

    def _accuse(self, seen: Measurement, database: str, subject: str, rows: Sequence[Row]) -> Finding:
        chief, count = rows[0], len(waiting(rows))
        longest = number(chief, "waited_seconds")
        return self.finding(
            seen,
            in_database=database or None,
            subject=subject,
            object=Object("session", name=str(chief["role"]) or str(chief["backend_type"])),
            summary=f"{plural(count, 'session')} blocked by {doing(rows)}, the longest for {duration(longest)}",
            impact=harm(rows),
            remedy=self._remedy(database, rows),
            count=count,
            longest_wait_seconds=round(longest, 1),
            depth=round(max(number(row, "depth") for row in rows)),
            blocked_applications=words(rows, "blocked_applications"),
            locks=words(rows, "locks"),
            pids=pids(rows),
            prepared=[str(row["gid"]) for row in rows if row["gid"] is not None][:PIDS],
            states=sorted({state(row) for row in rows}),
            transaction_seconds=_rounded(chief["transaction_seconds"]),
            idle_seconds=_rounded(chief["idle_seconds"]),
            after=self.after,
            limit_count=self.blocked,
        )

    def _remedy(self, database: str, rows: Sequence[Row]) -> Remedy:
        idle = next((row for row in rows if state(row).startswith("idle in transaction")), None)
        caution = " ".join(dict.fromkeys(advice(row) for row in rows))
        if idle is None or not database or not idle["role"]:
            return Remedy(caution=caution)
        remedy = setting(str(idle["role"]), database, IDLE, self.idle_timeout, idle["timeout_before"])
        return together([remedy], f"{caution} The setting is for new sessions of the role, of whatever application.")


def who(row: Row) -> str:
    """Name the root: role and application, or what kind of process it is."""
    if row["backend_type"] == "client backend":
        return holder(row)
    role = str(row["role"])
    return whose(role, str(row["backend_type"])) if role else str(row["backend_type"])


def waiting(rows: Sequence[Row]) -> set[int]:
    """Give all who wait for these."""
    lists = (row["blocked_pids"] for row in rows)
    return {pid for pids in lists if isinstance(pids, list) for pid in pids}


def words(rows: Sequence[Row], column: str) -> list[str]:
    """Put the rows' lists together, each word once."""
    lists = (row[column] for row in rows)
    return list(dict.fromkeys(str(each) for many in lists if isinstance(many, list) for each in many))[:PIDS]


def state(row: Row) -> str:
    """Say what a root does: a client's state, or what kind of process it is."""
    return str(row["state"]) if row["backend_type"] == "client backend" else str(row["backend_type"])


def _rounded(seconds: object) -> float | None:
    return round(seconds, 1) if isinstance(seconds, int | float) else None


def doing(rows: Sequence[Row]) -> str:
    """Say who blocks: `1 session idle in transaction`."""
    states = sorted({state(row) for row in rows})
    if len(states) > 1:
        return f"{len(rows)} others"
    if rows[0]["backend_type"] == "client backend":
        return f"{plural(len(rows), 'session')} {states[0] or 'of unknown state'}"
    return states[0] if len(rows) == 1 else f"{len(rows)} of kind {states[0]}"


def harm(rows: Sequence[Row]) -> str:
    """Name who waits, and for what."""
    names, locks = words(rows, "blocked_applications"), words(rows, "locks")
    deep = max(number(row, "depth") for row in rows)
    chain = f"; the chain is {deep:.0f} deep: who waits blocks others in turn" if deep > 1 else ""
    return f"{', '.join(names)} cannot go on: {'; '.join(locks)}{chain}"


END = "select pg_terminate_backend({pid})"
ADVICE: Mapping[str, str] = {
    "ring": "These wait for each other: a deadlock that nobody broke yet (deadlock_timeout); end one with {end}.",
    "idle in transaction": "It does nothing; if nobody comes back to it, end it: {end}; its work is rolled back. Mend "
    "the code that leaves the transaction open.",
    "idle": "It is in no transaction: what it keeps is an advisory lock of its session, until it unlocks or is ended: "
    "{end}.",
    "autovacuum worker": "Autovacuum gives way by itself, unless it prevents a wraparound of transaction ids: let it "
    "end (pg_stat_progress_vacuum says how far it is), and move the schema change to another hour.",
    "prepared": "It survives restarts and no session holds it. Who manages the transactions decides: "
    "rollback prepared {gid}, or commit prepared {gid}, in its database.",
    "startup": "It replays what was done on the primary; the queries that wait here go on once that ends.",
    "client": "If its work is not worth the wait, cancel it: select pg_cancel_backend({pid}), or end it: {end}; its "
    "work is rolled back. Run schema changes with a lock_timeout of a few seconds.",
    "": "End it only if you know what it does: {end}.",
}
"""What to do, by what the root does."""


def advice(row: Row) -> str:
    """Say what to do about one root; its number is evidence, to be looked up again before it is used."""
    pid = "" if row["pid"] is None else f"{number(row, 'pid'):.0f}"
    gid = "" if row["gid"] is None else literal(str(row["gid"]))
    return ADVICE[_case(row)].format(pid=pid, gid=gid, end=END.format(pid=pid))


def _case(row: Row) -> str:
    kind = str(row["backend_type"])
    if kind == "prepared transaction":
        return "prepared"
    if kind != "client backend":
        return kind if kind in ADVICE else ""
    if row["ring"]:
        return "ring"
    resting = str(row["state"]).startswith("idle in transaction")
    return "idle in transaction" if resting else "idle" if row["state"] == "idle" else "client"
