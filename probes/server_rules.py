"""What is judged of a server and of its databases: errors by their growth, and the restart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    MIB,
    Area,
    Confidence,
    Finding,
    Measurement,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Scalar,
    Severity,
    duration,
    identifier,
    number,
    plural,
    share,
    size,
)


def of_databases(rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Give each database's row with its name; the server's own row is left out."""
    yield from ((str(row["database"]), row) for row in rows if row["database"])


@dataclass(frozen=True, kw_only=True)
class DatabaseRule(Rule):
    """What the rules on one database share: how they accuse it."""

    area: ClassVar[Area] = Area.OPERATIONS

    def accuse(
        self, seen: Measurement, database: str, *, summary: str, impact: str, caution: str, **evidence: Scalar
    ) -> Finding:
        """Accuse a database by its growth over the window."""
        return self.finding(
            seen,
            in_database=database,
            subject=identifier(database),
            object=Object("database", name=database),
            summary=summary,
            impact=impact,
            remedy=Remedy(caution=caution),
            severity=self.severity,
            confidence=Confidence.HIGH,
            **evidence,
        )


@dataclass(frozen=True, kw_only=True)
class RollbackRatio(DatabaseRule):
    """Too many of a database's transactions roll back.

    Why: work is done and thrown away, and each rollback is an error that somebody's request met.
    What to do: look for the error in the application's or the server's log; unique violations and serialisation
    failures used as control flow are cheaper as `on conflict` or with a retry.
    When it is wrong: test suites that roll back every transaction, and frameworks that end read-only work by rollback.
    Raise `ratio`, or silence it there.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "errors.rollback_ratio"
    hold: float = 60.0
    keep: float = 60.0
    ratio: float = 0.10
    min_rollbacks: float = 50.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for database, row in of_databases(seen.changes):
            rollbacks, commits = number(row, "rollbacks"), number(row, "commits")
            if rollbacks < self.min_rollbacks or rollbacks <= self.ratio * (rollbacks + commits):
                continue
            yield self.accuse(
                seen,
                database,
                summary=f"{share(rollbacks, rollbacks + commits)} of the transactions rolled back "
                f"({plural(rollbacks, 'rollback')} in {duration(seen.window_seconds)})",
                impact="users meet errors, and the server does work that is thrown away",
                caution="The server's log names the failing statements. Where an insert meets a row that may be there "
                "already, on conflict do nothing costs no rollback.",
                count=round(rollbacks),
                commits=round(commits),
                ratio=round(rollbacks / (rollbacks + commits), 3),
                limit_ratio=self.ratio,
                window_seconds=round(seen.window_seconds),
            )


@dataclass(frozen=True, kw_only=True)
class Deadlocks(DatabaseRule):
    """Transactions deadlock.

    Why: the server kills one of the two after deadlock_timeout; that request fails, and all waited a second for it.
    What to do: take locks in one order everywhere (sort the keys before updating), keep transactions short, and retry
    SQLSTATE 40P01. The server's log names both statements.
    When it is wrong: a batch that is known to deadlock now and then and retries. Raise `count`.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "errors.deadlocks"
    keep: float = 60.0
    count: float = 1.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for database, row in of_databases(seen.changes):
            deadlocks = number(row, "deadlocks")
            if deadlocks < self.count:
                continue
            yield self.accuse(
                seen,
                database,
                summary=f"{plural(deadlocks, 'deadlock')} in {duration(seen.window_seconds)}",
                impact="one transaction of each deadlock was killed, after holding everybody up for deadlock_timeout",
                caution="Take locks in one order; the server's log names the two statements.",
                count=round(deadlocks),
                limit_count=self.count,
                window_seconds=round(seen.window_seconds),
            )


@dataclass(frozen=True, kw_only=True)
class SessionsLost(DatabaseRule):
    """Sessions end by being lost, killed, or by a fatal error.

    Why: clients vanish without goodbye (crashes, network, timeouts of a load balancer), or somebody kills them; each
    one was in the middle of something.
    What to do: look at which of the three kinds grows; abandoned points at clients and network, fatal at the server's
    log, killed at an operator or a supervisor.
    When it is wrong: a deployment that ends its workers hard. Silence it for that time.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "errors.sessions_lost"
    hold: float = 60.0
    keep: float = 60.0
    count: float = 10.0
    ratio: float = 0.05

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for database, row in of_databases(seen.changes):
            lost, begun = number(row, "sessions_lost"), number(row, "sessions_begun")
            if lost < self.count or lost <= self.ratio * begun:
                continue
            yield self.accuse(
                seen,
                database,
                summary=f"{plural(lost, 'session')} lost in {duration(seen.window_seconds)}",
                impact="requests broke off in the middle; their transactions were rolled back",
                caution="Abandoned: clients and network. Fatal: the server's log. Killed: who did it?",
                count=round(lost),
                abandoned=round(number(row, "sessions_abandoned")),
                fatal=round(number(row, "sessions_fatal")),
                killed=round(number(row, "sessions_killed")),
                begun=round(begun),
                limit_count=self.count,
                limit_ratio=self.ratio,
                window_seconds=round(seen.window_seconds),
            )


@dataclass(frozen=True, kw_only=True)
class TempFiles(DatabaseRule):
    """Statements spill to temporary files.

    Why: sorts and hashes that do not fit into work_mem go to disk; they are slow, and can fill the disk.
    What to do: see which statement spills (`monitor explain statements.temp_spill`), give it an index for its order,
    or raise work_mem for its role only.
    When it is wrong: nightly batches and index builds. Raise `bytes_per_minute`, or silence it for that time.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "errors.temp_files"
    area: ClassVar[Area] = Area.PERFORMANCE
    hold: float = 120.0
    keep: float = 120.0
    bytes_per_minute: float = 256 * MIB
    min_files: float = 10.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for database, row in of_databases(seen.changes):
            spilled, files = number(row, "temp_bytes"), number(row, "temp_files")
            rate = 60 * spilled / seen.window_seconds if seen.window_seconds else 0.0
            if files < self.min_files or rate <= self.bytes_per_minute:
                continue
            yield self.accuse(
                seen,
                database,
                summary=f"{size(rate)} a minute written to {plural(files, 'temporary file')}",
                impact="sorts and hashes run from disk, slowly, and compete for its space",
                caution="Mend the statement first; raise work_mem for its role only.",
                count=round(files),
                spilled_bytes=round(spilled),
                bytes_per_minute=round(rate),
                limit_bytes_per_minute=self.bytes_per_minute,
                window_seconds=round(seen.window_seconds),
            )


@dataclass(frozen=True, kw_only=True)
class ChecksumFailures(DatabaseRule):
    """Data pages fail their checksum.

    Why: what was read from disk is not what was written: storage or memory is corrupting data.
    What to do: stop writing if you can, look at the storage, restore the damaged relations from a backup; the server's
    log names file and block. pg_stat_reset() in that database ends the finding once the damage is repaired.
    When it is wrong: an old failure, repaired since, whose counter was not reset.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "errors.checksum"
    severity: Severity = Severity.CRITICAL

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for database, row in of_databases(seen.rows):
            failures = number(row, "checksum_failures")
            if failures <= 0:
                continue
            yield self.accuse(
                seen,
                database,
                summary=f"{plural(failures, 'page')} failed the checksum, last at {row['checksum_last_failure']}",
                impact="the data on disk is damaged; more may be, and backups may hold it too",
                caution="Check the storage and restore from a backup before anything else.",
                count=round(failures),
                last_failure=str(row["checksum_last_failure"]),
            )


@dataclass(frozen=True, kw_only=True)
class RecoveryConflicts(DatabaseRule):
    """Queries on a standby are cancelled by recovery.

    Why: replay needs rows or locks that a query on the standby still uses, and after max_standby_streaming_delay the
    query loses.
    What to do: turn on hot_standby_feedback (the primary then keeps rows longer), or raise
    max_standby_streaming_delay (the standby then lags longer): choose which one you can afford. Where it goes on,
    replication.conflicts names the cause and the setting.
    When it is wrong: a standby that is meant for failover only, on which queries may die.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "errors.conflicts"
    hold: float = 60.0
    keep: float = 60.0
    count: float = 5.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        if not any(row["in_recovery"] for row in seen.rows):
            yield NoVerdict(reason="the server is not a standby", needs=None)
            return
        for database, row in of_databases(seen.changes):
            conflicts = number(row, "conflicts")
            if conflicts < self.count:
                continue
            yield self.accuse(
                seen,
                database,
                summary=f"{plural(conflicts, 'query', 'queries')} cancelled in {duration(seen.window_seconds)}",
                impact="reads sent to this standby fail",
                caution="On the standby: hot_standby_feedback, or a longer streaming delay.",
                count=round(conflicts),
                limit_count=self.count,
                window_seconds=round(seen.window_seconds),
            )
