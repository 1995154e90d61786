"""The rule about statements that keep an index from being used by the way they are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.advisors.index.advice import plans_of, statements_of
from monitor.advisors.index.reading import KEEP, read
from monitor.advisors.index.rewrite import Kind, Rewrite, rewrites
from monitor.advisors.index.workload import Workload, workload
from monitor.measurement import Measurement, number, plural
from monitor.model import Area, Confidence, Finding, NoVerdict, Object, Remedy, Severity
from monitor.planning import Planned, Query
from monitor.rule import Advisor, Book
from monitor.shape import Shape
from monitor.shaped import PROBE
from monitor.sql.text import identifier
from monitor.summed import summed

NAMED = 3
SHOWN = 10
_HOW: Mapping[Kind, str] = {
    Kind.CAST: "{column} is cast to {by}, so {index} cannot be used",
    Kind.TIME: "{by} is called with {column}, so {index} cannot be used",
    Kind.COALESCE: "{by} is called with {column}, so {index} cannot be used",
    Kind.ARITHMETIC: "{column} is reckoned with ({by}), so {index} cannot be used",
    Kind.PATTERN: "{column} is compared with a pattern that begins with a wildcard, which no ordinary index serves",
    Kind.OFFSET: "rows are counted off by OFFSET: far more are read than come back",
    Kind.NOT_IN: "NOT IN (SELECT …) goes through the whole list again for each row",
    Kind.KEY: "{column} is looked into ({by}) by a key that no recorded text tells, so no index can be proposed",
}
_ADVICE: Mapping[Kind, str] = {
    Kind.CAST: "Compare the column itself, and cast the value to its type ({type}); often the application sends the "
    "value as another type. For a day of a time, ask for the range from its beginning to the next day's.",
    Kind.TIME: "Compare the column itself with a range: from where the time that is meant begins to where the next one "
    "does, without the latter.",
    Kind.COALESCE: "Compare the column itself; what shall hold where it is NULL can stand beside, behind an OR.",
    Kind.ARITHMETIC: "Leave the column alone on its side, and reckon on the other.",
    Kind.PATTERN: "Have the extension pg_trgm installed, whose indexes serve such patterns, or use full text search.",
    Kind.OFFSET: "Ask for what comes behind the last row that was shown, by the columns of ORDER BY, instead of "
    "counting rows off; mind that this needs an order in which no two rows are alike.",
    Kind.NOT_IN: "Write NOT EXISTS with the comparison in it. Mind NULL: where the list holds one, NOT IN gives no row "
    "at all, NOT EXISTS does.",
    Kind.KEY: "Look up in the application which key it asks for, and index the expression with it as it stands in the "
    "statement; or compare with @> and have a GIN index (jsonb_path_ops) on the column, which serves every key.",
}


@dataclass(frozen=True, kw_only=True)
class IndexRewrite(Advisor):
    """A statement is written so that the index which is there cannot be used.

    Why: a cast, a function or a sum around a column hides it from its index; OFFSET reads the rows that it skips; NOT
    IN goes through its list once for each row. The table is read whole although an index stands ready. Of a document
    that is looked into by a key (`custom ->> 'key'`) the key is a constant, which no text of ours has: an index would
    help, and only who knows the application can say which.
    What to do: write the statement as the finding says; the plan shows at once whether the index is used.
    When it is wrong: where the application cannot be changed, or where an index on the expression is wanted; then make
    that, or silence this. It is told only of statements that take `least_ms_per_day` and are `mean_ms` slow, of scans
    that make up half of the plan's cost, and of what an index of its own would not serve as well. Whether the other
    way of writing is quicker was not tried.
    Cost: none on the server beyond the readings of the probes shape and statements.
    """

    id: ClassVar[str] = "index.rewrite"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = (PROBE, "statements")
    severity: Severity = Severity.INFO
    every: float = 1800.0
    hold: float = 1200.0
    keep: float = KEEP
    least_ms_per_day: float = 1000.0
    mean_ms: float = 2.0

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        _, shape = read(book)
        seen = statements_of(book)
        queries = self._slow(workload(seen, shape, str(book.target.database)))
        planned = await _planned(book, shape, queries) if queries else {}
        blocks = _blocks(seen)
        found = [
            each
            for query in queries
            if query.name in planned
            for each in rewrites(query, planned[query.name], shape, blocks=blocks.get(query.name, 0.0))
        ]
        return [self._accuse(book, seen, each) for each in _by_place(found)]

    def _slow(self, work: Workload) -> Sequence[Query]:
        """Give the statements that are worth rewriting."""
        slow = (query for query in work.queries if 1000 * query.seconds >= self.mean_ms * query.calls)
        return [query for query in slow if work.ms_per_day(query) >= self.least_ms_per_day]

    def _accuse(self, book: Book, seen: Measurement, found: Sequence[Rewrite]) -> Finding:
        first = found[0]
        table, column = first.table, first.column
        names = list(dict.fromkeys(each.query.name for each in found))
        written = identifier(column) if column else ""
        own = table.by_name.get(column)
        subject = f"{table.full_name} ({written})" if column else table.full_name
        how = _HOW[first.kind].format(column=written, by=first.by, index=first.hidden)
        return self.finding(
            seen,
            in_database=book.target.database,
            subject=subject,
            object=Object("table", schema=table.schema, name=table.name, columns=(column,) if column else ()),
            summary=f"{plural(len(names), 'statement')} on {table.full_name} ({', '.join(names[:NAMED])}): {how}",
            impact="far more rows are read than are asked for, more with each row that is added",
            remedy=Remedy(caution=_ADVICE[first.kind].format(type=own.type if own else "")),
            confidence=Confidence.MEDIUM,
            count=len(names),
            statements=names[:SHOWN],
            statement=first.query.text,
            kind=first.kind.value,
            index=first.hidden or None,
            mean_ms=round(1000 * first.query.seconds / first.query.calls, 3),
            rows_per_call=round(first.query.rows_per_call, 2),
        )


async def _planned(book: Book, shape: Shape, queries: Sequence[Query]) -> Mapping[str, Planned]:
    async with plans_of(book, shape) as source:
        return (await source.cost(queries)).planned


def _blocks(seen: Measurement) -> Mapping[str, float]:
    """Give the blocks that a call of each statement touches."""
    return {
        str(row["statement"]): (number(row, "shared_blks_hit") + number(row, "shared_blks_read")) / number(row, "calls")
        for row in summed(seen)
        if number(row, "calls") > 0
    }


def _by_place(found: Iterable[Rewrite]) -> Iterable[Sequence[Rewrite]]:
    """Put together what is about one column, the dearest statement first."""
    places: dict[tuple[int, str], list[Rewrite]] = {}
    for each in sorted(found, key=lambda one: -one.query.seconds):
        places.setdefault((each.table.oid, each.column), []).append(each)
    return places.values()
