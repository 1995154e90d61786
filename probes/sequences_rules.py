"""The rule about sequences and integer keys near their end, and what can be done about each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
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
    Severity,
    duration,
    identifier,
    number,
    of_kind,
    plural,
    share,
)

DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class SequenceExhaustion(Rule):
    """A sequence, or the integer key it feeds, comes to the end of its range.

    Why: at the end every insert into the table fails, at once and for everybody. A key of type integer ends at
    2,147,483,647, and to widen it then means to rewrite the table while nobody can write.
    What to do: give a sequence that only its own maximum bounds a larger one. Where the column's type is the bound,
    begin now: a new bigint column, a trigger that fills it, a backfill in batches, and a swap of the names. Foreign
    keys of a smaller type than the key they point to end first, and have to be widened as well.
    When it is wrong: a maximum that was chosen on purpose, such as for numbers of six digits; name the schema in an
    `ignore`. Numbers that were skipped count as used: what is left is what matters. Sequences that cycle are accused
    only when their column would overflow first. Keys that the application numbers itself are not seen.
    The date is that of a trend (Theil and Sen's slope) since the monitor began to watch, at least an hour, and is
    left out when that is no stronger than noise. After a day of it, an end nearer than `critical_seconds` makes a
    warning critical.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "tables.sequence_exhaustion"
    area: ClassVar[Area] = Area.OPERATIONS
    keep: float = 600.0
    warning_ratio: float = 0.5
    critical_ratio: float = 0.8
    critical_seconds: float = 14 * DAY
    min_steps: float = 10000.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        rows = list(of_kind(seen.rows, "sequence"))
        if not rows:
            yield NoVerdict(reason="the database has no sequence that could end", needs=None)
        yield from _beyond(seen.rows)
        yield from _unseen([row for row in rows if row["unseen"]])
        accused: dict[str, Row] = {}
        for row in rows:
            if row["locked"] and not row["unseen"]:
                yield _locked(row)
            elif not row["unseen"] and self._near(row):
                fuller = accused.setdefault(_subject(row), row)
                accused[_subject(row)] = max(fuller, row, key=lambda each: number(each, "used_ratio"))
        yield from (self._accuse(seen, subject, row) for subject, row in accused.items())

    def _near(self, row: Row) -> bool:
        steps = abs(number(row, "limit_value") - number(row, "min_value" if row["ascending"] else "max_value"))
        return steps >= self.min_steps and number(row, "used_ratio") >= self.warning_ratio

    def _accuse(self, seen: Measurement, subject: str, row: Row) -> Finding:
        used, left = number(row, "used_ratio"), abs(number(row, "limit_value") - number(row, "last_value"))
        seconds = left / pace if (pace := _pace(row)) else None
        ends = seen.taken_at + timedelta(seconds=seconds) if seconds is not None and seconds < 36500 * DAY else None
        soon = seconds is not None and seconds <= self.critical_seconds and number(row, "watched") >= DAY
        what = f"{row['column_type']} column" if row["by_column"] else "sequence"
        when = f"; at its present pace full in {duration(seconds or 0)}, on {ends:%Y-%m-%d}" if ends else ""
        return self.finding(
            seen,
            subject=subject,
            object=_object(row),
            summary=f"{share(used, 1)} of the {what}'s range is used, {plural(left, 'number')} left{when}",
            impact="once the last number is given, every insert into the table fails",
            remedy=_remedy(row),
            severity=Severity.CRITICAL if used >= self.critical_ratio or soon else self.severity,
            confidence=Confidence.HIGH,
            used_ratio=round(used, 4),
            left=round(left),
            limit_value=int(str(row["limit_value"])),
            sequence=_sequence(row),
            bounded_by="column" if row["by_column"] else "sequence",
            type=str(row["column_type"] if row["by_column"] else row["sequence_type"]),
            per_day=round(DAY * pace) if pace else None,
            seconds_left=round(seconds) if seconds is not None else None,
            ends_on=f"{ends:%Y-%m-%d}" if ends else None,
            warning_ratio=self.warning_ratio,
            critical_ratio=self.critical_ratio,
        )


def _pace(row: Row) -> float | None:
    return None if row.get("pace") is None else number(row, "pace")


def _sequence(row: Row) -> str:
    return identifier(str(row["schema"]), str(row["sequence"]))


def _table(row: Row) -> str:
    return identifier(str(row["table_schema"]), str(row["table"]))


def _subject(row: Row) -> str:
    return f"{_table(row)} ({identifier(str(row['column']))})" if row["table"] else _sequence(row)


def _object(row: Row) -> Object:
    """Name the table and the column; of a sequence that feeds none, the sequence in the place of the table."""
    if not row["table"]:
        return Object("table", schema=str(row["schema"]), name=str(row["sequence"]))
    columns = (str(row["column"]),)
    return Object("table", schema=str(row["table_schema"]), name=str(row["table"]), columns=columns)


def _locked(row: Row) -> NoVerdict:
    reason = "the sequence is locked by a transaction that alters it; read again next time"
    return NoVerdict(reason=reason, needs=Needs.TIME, subject=_subject(row))


def _beyond(rows: Sequence[Row]) -> Iterator[NoVerdict]:
    """Say how many were not read, lest the locks that this takes become too many."""
    for row in of_kind(rows, "total"):
        if count := number(row, "beyond"):
            reason = f"only the 500 sequences with the shortest ranges are read: {plural(count, 'other')} were not"
            yield NoVerdict(reason=reason, needs=Needs.TIME, subject=plural(count, "other sequence"))


def _unseen(rows: Sequence[Row]) -> Iterator[NoVerdict]:
    """Say of each schema with which statement its sequences could be seen."""
    reader = identifier(str(rows[0]["reader"])) if rows else ""
    for schema in sorted({str(row["schema"]) for row in rows}):
        count = len({row["sequence"] for row in rows if row["schema"] == schema})
        reason = (
            f"the monitor's role may not read {plural(count, 'sequence')} of the schema {identifier(schema)}; their "
            f"owner runs: grant select on all sequences in schema {identifier(schema)} to {reader}"
        )
        yield NoVerdict(reason=reason, needs=Needs.RIGHTS, subject=identifier(schema))


def _remedy(row: Row) -> Remedy:
    if row["by_column"]:
        return Remedy(caution=f"{CHILD if row['referencing'] else ''}{_recipe(row)}")
    if number(row, "widest") <= number(row, "max_value" if row["ascending"] else "min_value"):
        return Remedy(caution=LAST)
    return _wider(row)


def _wider(row: Row) -> Remedy:
    """Let the sequence go as far as its column's type."""
    word, most = ("maxvalue", "max_value") if row["ascending"] else ("minvalue", "min_value")
    widest = int(str(row["widest"]))
    end = widest if row["ascending"] else -widest - 1
    kind = {32767: "smallint", 2147483647: "integer"}.get(widest, "bigint")
    return Remedy(
        sql=(f"alter sequence {_sequence(row)} as {kind} {word} {end}",),
        rollback=(f"alter sequence {_sequence(row)} as {row['sequence_type']} {word} {row[most]}",),
        caution="Takes a moment, in which nextval waits. If the bound was chosen on purpose, see first what depends on "
        "numbers of that length. The rollback fails once numbers beyond the old bound were given. The sequence's owner "
        "may run it, on managed services too.",
    )


LAST = (
    "There is no wider integer: somebody set the sequence far ahead, or counts in large steps. Set it back to the "
    "first number that is free (setval takes the sequence's owner), or let it count in steps of one."
)
CHILD = "This foreign key's column is of a smaller type than the key it points to, and overflows before it. "


def _recipe(row: Row) -> str:
    table, column = _table(row), identifier(str(row["column"]))
    return (
        f"alter table {table} alter column {column} type bigint rewrites the table and its indexes under an exclusive "
        "lock: only for a small table, or in a maintenance window. Otherwise: add a bigint column, fill it for new "
        "rows by a trigger, backfill in batches, build its unique index concurrently, then in one short transaction "
        "swap the names, the default and the constraints; widen foreign keys that point to it the same way, first. As "
        f"a stop-gap, where users accept negative numbers: let {_sequence(row)} begin at the type's smallest value, "
        "with maxvalue -1. It takes the table's owner, on managed services too."
    )
