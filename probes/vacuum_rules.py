"""The rule on transaction ids and multixact ids: how near a database is to the point where the server stops writes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
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
    Severity,
    duration,
    identifier,
    number,
    of_kind,
    plural,
    share,
)
from probes.vacuum_burn import seconds_left
from probes.vacuum_tables import MOST

STOP = 2**31 - 1 - 3_000_000
"""So many ids after the oldest unfrozen one the server gives out no more (SetTransactionIdLimit, 14 and later)."""
FAR = 36500.0
"""Days: a later date is none."""
DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class Counter:
    """Ids of one kind in one database."""

    name: str
    age: float
    freeze_max_age: float
    per_second: float | None

    @property
    def used(self) -> float:
        """The part of the ids that is used up."""
        return self.age / STOP

    @property
    def left(self) -> float | None:
        """Seconds to the stop if nothing is frozen."""
        return seconds_left(self.age, STOP, self.per_second)


@dataclass(frozen=True, kw_only=True)
class Wraparound(Rule):
    """A database runs out of transaction ids or multixact ids; at their end the server stops writing.

    Why: an id is 32 bits wide, and rows keep theirs until vacuum freezes them. 3 million ids before the oldest would be
    taken for a new one, the server refuses every statement that writes, in all databases, until somebody vacuums.
    What to do: freeze the tables named, the oldest first, at a quiet hour: each is read once, and written as far as it
    is not frozen yet. First end what stands in the way: a transaction left open, a prepared one, a slot, a standby that
    hold back the horizon (sessions.long_transaction, server.prepared_transaction, replication.slot); temporary tables
    of long sessions; autovacuum that is switched off, too slow (autovacuum_vacuum_cost_delay) or always cancelled.
    When it is wrong: never; ages up to autovacuum_freeze_max_age (9 % of all ids unless set) are normal, and where that
    is set beyond `warning` the warning waits for `slack` times it. The date assumes that nothing is frozen until then,
    at the pace of up to a day. Members of multixacts have a limit of their own, which no view shows.
    Cost: none beyond the probes' queries.
    """

    id: ClassVar[str] = "tables.wraparound"
    area: ClassVar[Area] = Area.OPERATIONS
    hold: float = 120.0
    keep: float = 300.0
    warning: float = 0.5
    critical: float = 0.8
    slack: float = 1.05
    critical_within: float = DAY
    min_watched: float = 3600.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        (whole,) = of_kind(seen.rows, "server")
        if whole["in_recovery"]:
            yield NoVerdict(reason="a standby freezes nothing: its primary is judged", needs=None)
            return
        for row in of_kind(seen.rows, "database"):
            worst = max(_counters(whole, row), key=lambda each: each.used / self.bar(each))
            if worst.used >= self.bar(worst):
                yield self._accuse(seen, whole, row, worst)

    def bar(self, counter: Counter) -> float:
        """Give the part from which on it is said: more than autovacuum is told to leave, but never beyond critical."""
        return min(max(self.warning, self.slack * counter.freeze_max_age / STOP), self.critical)

    def _accuse(self, seen: Measurement, whole: Row, row: Row, worst: Counter) -> Finding:
        database, left = str(row["database"]), worst.left
        old = self._old(seen, database, self.bar(worst))
        vacuums = sum(each["database"] == database for each in of_kind(seen.rows, "vacuum"))
        return self.finding(
            seen,
            in_database=database,
            subject=identifier(database),
            object=Object("database", name=database),
            severity=self._severity(worst, number(whole, "paced_seconds")),
            confidence=Confidence.HIGH,
            summary=f"{share(worst.age, STOP)} of the {worst.name} are used ({worst.age:,.0f} of {STOP:,.0f})"
            f"{_pace(seen, left)}{_named(old)}",
            impact="at the limit the whole server refuses to write, until the database is vacuumed",
            remedy=self._remedy(row, whole, old, vacuums),
            count=len(old) if len(old) <= MOST else None,
            xid_age=round(number(row, "xid_age")),
            mxid_age=round(number(row, "mxid_age")),
            limit_age=STOP,
            used_ratio=round(worst.used, 6),
            warning_ratio=round(self.bar(worst), 6),
            critical_ratio=self.critical,
            freeze_max_age=round(worst.freeze_max_age),
            per_second=None if worst.per_second is None else round(worst.per_second, 3),
            seconds_left=round(left) if left is not None and math.isfinite(left) else None,
            stops_at=_date(seen, left),
            vacuums_running=vacuums,
            tables=[told(each) for each in old[:MOST]],
        )

    def _severity(self, worst: Counter, watched: float) -> Severity:
        """Judge by the part that is used, or by the time that is left where the pace is well known."""
        soon = watched >= self.min_watched and worst.left is not None and worst.left <= self.critical_within
        return Severity.CRITICAL if worst.used >= self.critical or soon else self.severity

    def _old(self, seen: Measurement, database: str, bar: float) -> Sequence[Row]:
        """Give the tables that are beyond the bar themselves."""
        rows = [row for key, row in seen.details.items() if isinstance(key, tuple) and key[:2] == ("table", database)]
        return [row for row in rows if max(number(row, "xid_age"), number(row, "mxid_age")) >= bar * STOP]

    def _remedy(self, row: Row, whole: Row, old: Sequence[Row], vacuums: int) -> Remedy:
        cautions = [*_obstacles(row, whole, old, vacuums), ORDER, RIGHTS]
        if not row["connectable"]:
            return Remedy(caution=f"{CLOSED} {' '.join(cautions)}")
        if not old:
            return Remedy(caution=f"{UNKNOWN} {' '.join(cautions)}")
        if len(old) > MOST:
            return Remedy(sql=("vacuum (freeze)",), caution=f"{MANY} {' '.join(cautions)}")
        ours = (each for each in old if not each["temporary"])
        return Remedy(sql=tuple(f"vacuum (freeze) {table(each)}" for each in ours), caution=" ".join(cautions))


ORDER = (
    "Freezing goes no further than the oldest transaction, prepared transaction, slot or standby lets it: end those "
    "first (pgarchitect_pool_oldest_xmin_age_transactions by holder)."
)
RIGHTS = (
    "It takes the tables' owner, or from 17 on a member of pg_maintain; system catalogues a superuser. Managed "
    "services freeze those themselves: there, ask the provider's support when a catalogue is the oldest."
)
CLOSED = (
    "Nobody may connect to this database, and autovacuum alone freezes it. To do it by hand: alter database … "
    "allow_connections true, vacuum (freeze) in it, and back."
)
UNKNOWN = (
    "Its tables were not read (yet). In that database: select oid::regclass, age(relfrozenxid), mxid_age(relminmxid) "
    "from pg_class where relfrozenxid <> '0' order by 2 desc limit 20; then vacuum (freeze) of each."
)
MANY = (
    f"More than {MOST} tables are that old, so all of the database: that is hours of reading where it is large. "
    "vacuumdb --freeze --jobs with --min-xid-age does several at once, and only those that need it."
)


def _counters(whole: Row, row: Row) -> Iterator[Counter]:
    for name, age, most, pace in (
        ("transaction ids", "xid_age", "freeze_max_age", "xids_per_second"),
        ("multixact ids", "mxid_age", "multixact_freeze_max_age", "mxids_per_second"),
    ):
        rate = whole.get(pace)
        yield Counter(
            name=name,
            age=number(row, age),
            freeze_max_age=number(whole, most),
            per_second=rate if isinstance(rate, float) else None,
        )


def _date(seen: Measurement, left: float | None) -> str | None:
    if left is None or left > FAR * DAY:
        return None
    return (seen.taken_at + timedelta(seconds=left)).isoformat(timespec="minutes")


def _pace(seen: Measurement, left: float | None) -> str:
    """Say when the rest is gone."""
    date = _date(seen, left)
    if left is None:
        return "; how fast they are used is not known yet"
    return f"; the rest lasts {duration(left)}, until {date}" if date else "; hardly any are used now"


def _named(old: Sequence[Row]) -> str:
    return f"; the oldest table is {told(old[0])}" if old else ""


def table(row: Row) -> str:
    """Name a table as SQL does."""
    return identifier(str(row["schema"]), str(row["name"]))


def told(row: Row) -> str:
    """Name a table with its age, and with what stands in the way."""
    why = [
        words
        for column, words in (
            ("temporary", "temporary"),
            ("switched_off", "autovacuum_enabled = off"),
            ("vacuumed_now", "being vacuumed"),
            ("locked", "locked against vacuum"),
        )
        if row[column]
    ]
    age = max(number(row, "xid_age"), number(row, "mxid_age"))
    return f"{table(row)} ({', '.join([f'{age:,.0f} old', *why])})"


def _obstacles(row: Row, whole: Row, old: Sequence[Row], vacuums: int) -> Iterator[str]:
    """Say what is known to stand in the way."""
    if vacuums:
        yield f"{plural(vacuums, 'vacuum')} run there now: see first whether the age falls when they are through."
    if not whole["autovacuum"]:
        yield "Autovacuum is off, and only works against the wraparound: alter system set autovacuum = on, and reload."
    if any(each["temporary"] for each in old):
        yield "Temporary tables can be vacuumed by their own session only: end the session, and they are gone."
    if any(each["locked"] for each in old):
        yield "Some are locked by a session against every vacuum: see sessions.long_transaction and sessions.blocking."
    busy, limit = whole.get("autovacuum_workers"), number(whole, "autovacuum_workers_limit")
    if isinstance(busy, int) and busy >= limit and row["connectable"]:
        yield f"All {limit:.0f} workers of autovacuum are busy."
