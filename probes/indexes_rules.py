"""The rule about foreign keys that no index serves."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    NoVerdict,
    Object,
    Row,
    Rule,
    Severity,
    Sign,
    identifier,
    index_names,
    number,
    of_kind,
    plural,
)
from probes.indexes_remedy import by_table, columns_of, described, members, remedy, unserved, widest
from probes.indexes_standing import things


@dataclass(frozen=True, kw_only=True)
class MissingForeignKey(Rule):
    """A foreign key has no index that serves it.

    Why: each delete of a referenced row, and each change of its key, looks for rows that point to it. Without an index
    that reads the whole referencing table, inside the same transaction, for every single row; joins along the key
    read it whole as well.
    What to do: create an index whose leading columns are the key's. One for a longer key that begins with the same
    columns serves both, and is what is printed where there is such a key.
    When it is wrong: the parent's rows are never deleted, and nobody joins along the key. It is info when the child
    has fewer than `small_rows` rows and no delete of the parent has been counted. Tables of a managed service
    (Supabase's own, GoTrue's) are left out: their owner alone could mend them. Which updates change a key is not
    counted by the server. An index that is invalid, partial (except `where column is not null`), on expressions, of
    another method than btree or hash, or in another collation serves no key.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "index.missing_foreign_key"
    area: ClassVar[Area] = Area.PERFORMANCE
    small_rows: float = 2000.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        if not any(number(row, "foreign_keys") for row in of_kind(seen.rows, "total")):
            yield NoVerdict(reason="the database has no foreign key", needs=None)
        names = index_names.Names({key for key in seen.details if isinstance(key, tuple)})
        there = indexes(seen)
        for siblings in by_table(seen.rows).values():
            for row in siblings:
                if row["managed"]:
                    continue
                finding = self._accuse(seen, row, siblings, names)
                yield replace(finding, remedy=replace(finding.remedy, sign=sign(row, there)))

    def _accuse(self, seen: Measurement, row: Row, siblings: Sequence[Row], names: index_names.Names) -> Finding:
        child, columns, rows = (str(row["schema"]), str(row["table"])), columns_of(row), child_rows(row)
        parent = identifier(str(row["parent_schema"]), str(row["parent_table"]))
        deletes = number(row, "parent_deletes")
        return self.finding(
            seen,
            subject=described(index_names.Place(*child, columns)),
            object=Object("table", schema=child[0], name=child[1], columns=columns),
            severity=self._severity(row, rows, deletes),
            confidence=Confidence.HIGH if rows is not None else Confidence.MEDIUM,
            summary=f"{identifier(str(row['constraint_name']))} refers to {parent}; "
            f"{identifier(*child)} has {told(rows)} and no index that begins with its columns",
            impact=f"a delete or key change in {parent} reads all of {identifier(*child)} for each row"
            + (f" ({plural(deletes, 'delete')} counted so far)" if deletes else ""),
            remedy=remedy(row, siblings, names),
            constraints=[str(name) for name in names_of(row)],
            parent=parent,
            child_rows=rows,
            parent_deletes=round(deletes),
            parent_updates=round(number(row, "parent_updates")),
            size_bytes=round(number(row, "size_bytes")),
            partitions=round(number(row, "partitions")) or None,
            index_columns=list(widest(row, siblings)),
            limit_small_rows=self.small_rows,
        )

    def _severity(self, row: Row, rows: int | None, deletes: float) -> Severity:
        small = rows is not None and rows < self.small_rows
        return Severity.INFO if small and not deletes else self.severity


def indexes(seen: Measurement) -> Mapping[str, Sequence[str]]:
    """Give the names of the indexes that work, by table, of tables with a key that none serves."""
    relations = {table for row in of_kind(seen.rows, "foreign_key") for table in indexed(row)}
    there = defaultdict(list)
    for thing in things(seen, relations):
        there[thing.relation].append(thing.name)
    return there


def sign(row: Row, there: Mapping[str, Sequence[str]]) -> Sign:
    """Say what shows that the key got its index: one that begins with its columns and was not there."""
    first, *others = indexed(row)
    before = sorted(name for table in (first, *others) for name in there.get(table, ()))
    return Sign(kind="index", relation=first, columns=columns_of(row), before=tuple(before), others=tuple(others))


def indexed(row: Row) -> Sequence[str]:
    """Give the tables that the remedy gives an index: the key's own, or those partitions that have none."""
    lone = [identifier(member.schema, member.table) for member in unserved(members(row))]
    return lone or [identifier(str(row["schema"]), str(row["table"]))]


def child_rows(row: Row) -> int | None:
    """Estimate the child's rows by the larger of two figures; None while neither analyze nor statistics know any."""
    analyzed, live = number(row, "reltuples"), number(row, "n_live_tup")
    unknown = analyzed < 0 and not live and not number(row, "inserted")
    return None if unknown else round(max(analyzed, live))


def told(rows: int | None) -> str:
    """Write the estimate."""
    return "an unknown number of rows" if rows is None else f"about {plural(rows, 'row')}"


def names_of(row: Row) -> Sequence[object]:
    """Give the constraints on the same columns."""
    return row["constraints"] if isinstance(row["constraints"], list) else ()
