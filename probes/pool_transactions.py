"""The two rules about transactions that stay open too long: idle ones, and those still at work."""

from collections.abc import Iterable, Iterator, Sequence
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
    Severity,
    duration,
    number,
    of_kind,
    plural,
)
from probes.pool_groups import holder, pids
from probes.pool_horizon import named, older
from probes.pool_timeouts import IDLE, setting, together


@dataclass(frozen=True, kw_only=True)
class OpenTransactions(Rule):
    """What the two rules about open transactions share: one finding a database, role and application."""

    area: ClassVar[Area] = Area.CAPACITY
    keep: float = 30.0
    warning_after: float = 300.0
    critical_after: float = 900.0
    except_applications: tuple[str, ...] = ("pg_dump",)

    def rows(self, seen: Measurement) -> Iterator[Row]:
        """Give the transactions that count."""
        return (row for row in of_kind(seen.rows, "transaction") if row["application"] not in self.except_applications)

    def verdicts(self, seen: Measurement, ages: Iterable[tuple[float, Row]]) -> Iterator[Finding | NoVerdict]:
        """Accuse each group's oldest; of sessions that do not report their state nothing is known."""
        groups: dict[tuple[str, str], list[tuple[float, Row]]] = {}
        for age, row in ages:
            if age >= self.warning_after:
                groups.setdefault((str(row["database"]), holder(row)), []).append((age, row))
        for (database, subject), found in groups.items():
            found.sort(key=lambda each: -each[0])
            yield self.accuse(seen, database, subject, found)
        for row in of_kind(seen.rows, "group"):
            if row["state"] == "disabled":
                reason = (
                    f"{plural(number(row, 'sessions'), 'session')} with track_activities off: ages are not reported"
                )
                yield NoVerdict(reason=reason, needs=Needs.SETTING, subject=holder(row))

    def accuse(self, seen: Measurement, database: str, subject: str, found: Sequence[tuple[float, Row]]) -> Finding:
        """Accuse one group; `found` is its transactions with their ages, the oldest first."""
        oldest, rows = found[0][0], [row for _, row in found]
        return self.finding(
            seen,
            in_database=database or None,
            subject=subject,
            object=Object("session", name=str(rows[0]["role"])),
            severity=Severity.CRITICAL if oldest >= self.critical_after else self.severity,
            summary=self.summary(oldest, rows),
            impact=harm(rows, older(seen, held(rows))),
            remedy=self.remedy(database, rows),
            count=len(rows),
            oldest_seconds=round(oldest, 1),
            oldest_transaction_seconds=round(max(number(row, "transaction_seconds") for row in rows), 1),
            pids=pids(rows),
            states=sorted({str(row["state"]) for row in rows}),
            blocked=blocked(rows),
            blocked_applications=victims(rows),
            held_transactions=held(rows),
            oldest_xmin=[
                f"{named(row)}: {plural(number(row, 'held_transactions'), 'transaction')}"
                for row in of_kind(seen.rows, "horizon")
            ],
            warning_after=self.warning_after,
            critical_after=self.critical_after,
        )

    def summary(self, oldest: float, rows: Sequence[Row]) -> str:
        """Say how many and how old."""
        raise NotImplementedError

    def remedy(self, database: str, rows: Sequence[Row]) -> Remedy:
        """Say how to end them and how to keep them from coming back."""
        raise NotImplementedError


def numbers(rows: Sequence[Row]) -> str:
    """Write the process ids."""
    return ", ".join(map(str, pids(rows)))


def blocked(rows: Sequence[Row]) -> int:
    """Count the sessions that wait for these."""
    return round(sum(number(row, "blocked") for row in rows))


def victims(rows: Sequence[Row]) -> Sequence[str]:
    """Name the applications whose sessions wait for these."""
    lists = (row["blocked_applications"] for row in rows)
    return sorted({str(name) for names in lists if isinstance(names, list) for name in names})[:10]


def held(rows: Sequence[Row]) -> int | None:
    """Count the transactions since the oldest snapshot or id these keep; None when they keep none."""
    return max(
        (round(number(row, "held_transactions")) for row in rows if row["held_transactions"] is not None), default=None
    )


def harm(rows: Sequence[Row], other: Row | None = None) -> str:
    """Name what open transactions block and hold back; `other` holds back as much and stays when they end."""
    waiting, behind, names = blocked(rows), held(rows), ", ".join(filter(None, victims(rows)))
    parts = []
    if waiting:
        whose = f" of {names}" if names else ""
        parts.append(f"{plural(waiting, 'session')}{whose} {'waits' if waiting == 1 else 'wait'} for its locks")
    if behind is not None:
        parts.append(f"vacuum keeps every row that died in the last {plural(behind, 'transaction')} of its database")
    if other is not None:
        parts.append(f"so does {named(other)}, also once they have ended")
    return "; ".join(parts) or HARMLESS_YET


def _for(oldest: float, rows: Sequence[Row]) -> str:
    return f" for {duration(oldest)}" if len(rows) == 1 else f", the oldest for {duration(oldest)}"


HARMLESS_YET = "it keeps a slot and its locks: a schema change would wait for it, and everybody else behind that"


@dataclass(frozen=True, kw_only=True)
class IdleInTransaction(OpenTransactions):
    """Sessions sit idle inside an open transaction.

    Why: the transaction keeps its locks and its snapshot while its owner does something else or forgot it: others wait,
    vacuum cannot clean up, the slot is lost. Age is the time since its last statement ended; a level counts as
    reached when the age equals it.
    What to do: find the code path that does not commit or roll back (an exception, a network call inside the
    transaction). End the sessions in the evidence with pg_terminate_backend(pid), and give the role an
    idle_in_transaction_session_timeout so that the server ends the next ones. One finding a database, role and
    application, so that it stays the same finding when the process ids change.
    When it is wrong: a person in psql with a transaction open on purpose, or a migration that waits for an answer.
    `except_applications` leaves out pg_dump: with several jobs, its first session rests until the last one is done.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "sessions.idle_in_transaction"

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        idle = (row for row in self.rows(seen) if row["idle_seconds"] is not None)
        yield from self.verdicts(seen, ((number(row, "idle_seconds"), row) for row in idle))

    def summary(self, oldest: float, rows: Sequence[Row]) -> str:
        """Say how many and how old."""
        return f"{plural(len(rows), 'session')} idle in a transaction{_for(oldest, rows)}"

    def remedy(self, database: str, rows: Sequence[Row]) -> Remedy:
        """Keep the next ones short by a timeout of the role; the present ones are ended by hand."""
        caution = (
            f"The setting is for new sessions of the role, of whatever application; end the present ones with "
            f"select pg_terminate_backend(pid), one by one: {numbers(rows)}. Both need the role itself, or an owner of "
            "it (pg_signal_backend to end a session)."
        )
        role = str(rows[0]["role"])
        if not role or not database:
            return Remedy(caution=caution)
        return together([setting(role, database, IDLE, self.warning_after, rows[0].get("timeout_before"))], caution)


@dataclass(frozen=True, kw_only=True)
class LongTransaction(OpenTransactions):
    """A transaction runs for very long.

    Why: as long as it is open, vacuum keeps every row version it might still see, in every table of the database (on
    a standby with hot_standby_feedback: on the primary), and its locks stand. Tables and indexes grow meanwhile.
    What to do: if nobody waits for its result, end it: pg_cancel_backend(pid), then pg_terminate_backend(pid). Cut
    batches into parts that commit; let reports run on a standby; give the role a statement_timeout, from PostgreSQL
    17 on a transaction_timeout.
    When it is wrong: backups and reports that are meant to be long. `except_applications` leaves out pg_dump, which
    nobody would end; `vacuum` and `create index concurrently` of a person are not told from other work, as no
    statement's text is read. Autovacuum and replication are never counted. A session that has been idle in its
    transaction for `idle_after` seconds, or for half of the transaction's age, belongs to sessions.idle_in_transaction.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "sessions.long_transaction"
    warning_after: float = 1800.0
    critical_after: float = 3600.0
    idle_after: float = 300.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        rows = (row for row in self.rows(seen) if not self._idle(row))
        yield from self.verdicts(seen, ((number(row, "transaction_seconds"), row) for row in rows))

    def _idle(self, row: Row) -> bool:
        if row["idle_seconds"] is None:
            return False
        return number(row, "idle_seconds") >= min(self.idle_after, number(row, "transaction_seconds") / 2)

    def summary(self, oldest: float, rows: Sequence[Row]) -> str:
        """Say how many and how old."""
        return f"{plural(len(rows), 'transaction')} open{_for(oldest, rows)}"

    def remedy(self, database: str, rows: Sequence[Row]) -> Remedy:
        """Leave it to a person: nobody knows here whether its result is waited for."""
        return Remedy(
            caution=f"If nobody waits for the result, end it: select pg_cancel_backend(pid), then "
            f"select pg_terminate_backend(pid), with pid one of {numbers(rows)}; its work so far is rolled back."
        )
