"""Rules on how much statements move: temporary files, and rows and blocks out of proportion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    MIB,
    Area,
    Finding,
    Measurement,
    NoVerdict,
    Row,
    Severity,
    StatementKind,
    described,
    identifier,
    number,
    plural,
    share,
    size,
)
from probes.statements_rules import StatementRule, judged, look, over, too_short


@dataclass(frozen=True, kw_only=True)
class TempSpill(StatementRule):
    """A statement writes temporary files with every call.

    Why: what does not fit into work_mem (a sort, a hash, a materialised list) goes to disk and is read back: the call
    waits for it, and the disk is everybody's. 1 MiB/s is 84 GiB a day; less than 1 MiB a call stays in the system's
    cache and is gone before it is written.
    What to do: an index that gives the rows in the order they are wanted needs no sort at all; fewer or narrower rows
    need a smaller one. Else raise work_mem for this role or this transaction only: every sort and hash of every
    session may take that much, so not for the whole server.
    When it is wrong: reports and batches that run when nobody waits. Raise `bytes_per_call`, or ignore the fingerprint.
    Utility statements (index builds use maintenance_work_mem) and less than `min_calls` calls are not judged.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "statements.temp_spill"
    area: ClassVar[Area] = Area.PERFORMANCE
    hold: float = 60.0
    keep: float = 300.0
    bytes_per_call: float = 1.0 * MIB
    bytes_per_second: float = 1.0 * MIB
    min_calls: float = 3.0
    min_window: float = 9.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        rows = [*judged(seen)]
        if short := [*too_short(seen, self.min_window)]:
            yield from short
            return
        block = number(seen.details["whole"], "block_size")
        for row in rows:
            calls, written = number(row, "calls"), block * number(row, "temp_blks_written")
            if row["kind"] == StatementKind.UTILITY or calls < self.min_calls:
                continue
            if written >= self.bytes_per_call * calls and written >= self.bytes_per_second * seen.window_seconds:
                yield self._accusation(seen, row, written)

    def _accusation(self, seen: Measurement, row: Row, written: float) -> Finding:
        each, rate = written / number(row, "calls"), written / max(seen.window_seconds, 0.001)
        enough = _work_mem(each)
        return self.accusing(
            seen,
            row,
            summary=f"a {described(row)} writes {size(each)} of temporary files a call, {size(rate)}/s "
            f"({plural(number(row, 'calls'), 'call')} {over(seen)})",
            impact="each call waits for the disk, which is slower than memory and shared with everybody",
            caution=_spill_caution(row, enough),
            temp_bytes_per_call=round(each),
            temp_bytes_per_second=round(rate),
            work_mem_mib=enough,
            limit_bytes_per_call=round(self.bytes_per_call),
            limit_bytes_per_second=round(self.bytes_per_second),
        )


MOST_WORK_MEM = 256
"""MiB; beyond that more memory is no cure."""


def _work_mem(each: float) -> int:
    """Give the MiB that would do: in memory rows take two to three times what they take in a file; a power of two."""
    enough = 4
    while enough * MIB < 3 * each:
        enough *= 2
    return enough


def _spill_caution(row: Row, enough: int) -> str:
    index = "Look whether an index can give the rows in order, or fewer rows be asked for."
    if enough > MOST_WORK_MEM:
        return f"{index} work_mem would have to be about {enough} MB, which is too much for every session. {look(row)}"
    roles = row["roles"] if isinstance(row["roles"], tuple) else ()
    role = identifier(str(roles[0])) if len(roles) == 1 else "ROLE"
    return (
        f"{index} Else more memory for this statement alone: set local work_mem = '{enough}MB' in its transaction, or "
        f"for its role: alter role {role} set work_mem = '{enough}MB'. Each sort and hash of each session may take "
        f"that much: see that the memory is there. {look(row)}"
    )


@dataclass(frozen=True, kw_only=True)
class RowsWaste(StatementRule):
    """A statement returns, or reads, far more rows than a call can need.

    Why: nobody looks at ten thousand rows of one call: they are sent, parsed and mostly thrown away. And a filter that
    reads a thousand blocks (8 MiB) for each row it returns goes through what an index would have skipped.
    What to do: for many rows, ask for a page (`limit`, keyset pagination), fewer columns, or let the server count and
    sum. For many blocks, an index on what it filters by.
    When it is wrong: exports, and caches that are filled at once. Raise `rows_per_call`, or ignore the fingerprint.
    Statements with aggregates return few rows by design: their blocks are not judged; only selects are.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "statements.rows_waste"
    area: ClassVar[Area] = Area.PERFORMANCE
    severity: Severity = Severity.INFO
    hold: float = 120.0
    keep: float = 300.0
    rows_per_call: float = 10_000.0
    rows_per_second: float = 1000.0
    share: float = 0.05
    blocks_per_row: float = 1000.0
    blocks_per_second: float = 1000.0
    min_calls: float = 10.0
    min_window: float = 9.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        rows = [*judged(seen)]
        if short := [*too_short(seen, self.min_window)]:
            yield from short
            return
        for row in rows:
            if row["selects"] and number(row, "calls") >= self.min_calls:
                if self._returns_much(seen, row):
                    yield self._accusation(seen, row, "returns", PAGES)
                elif self._reads_much(seen, row):
                    yield self._accusation(seen, row, "reads", f"It wants an index on what it filters by. {look(row)}")

    def _returns_much(self, seen: Measurement, row: Row) -> bool:
        whole, returned = number(seen.details["whole"], "exec_seconds"), number(row, "rows")
        return (
            returned > self.rows_per_call * number(row, "calls")
            and returned > self.rows_per_second * seen.window_seconds
            and number(row, "exec_seconds") > self.share * whole
        )

    def _reads_much(self, seen: Measurement, row: Row) -> bool:
        if not row["filtered"] or row["aggregates"]:
            return False
        read = _blocks(row)
        return read > self.blocks_per_row * _worth(row) and read > self.blocks_per_second * seen.window_seconds

    def _accusation(self, seen: Measurement, row: Row, what: str, caution: str) -> Finding:
        calls, returned = number(row, "calls"), number(row, "rows")
        per_row = _blocks(row) / _worth(row)
        much = f"{plural(returned / calls, 'row')} a call" if what == "returns" else f"{per_row:,.0f} blocks a row"
        return self.accusing(
            seen,
            row,
            summary=f"a {described(row)} {what} {much} ({plural(calls, 'call')} {over(seen)}, "
            f"{share(number(row, 'exec_seconds'), number(seen.details['whole'], 'exec_seconds'))} of execution time)",
            impact="rows nobody looks at cost the server, the network and the application",
            caution=caution,
            blocks_per_row=round(per_row, 1),
            limit_rows_per_call=self.rows_per_call,
            limit_blocks_per_row=self.blocks_per_row,
        )


PAGES = (
    "Ask for a page at a time (order by a key, where key > the last one, limit), for the columns that are used, or "
    "let the server count and sum."
)


def _blocks(row: Row) -> float:
    return number(row, "shared_blks_hit") + number(row, "shared_blks_read")


def _worth(row: Row) -> float:
    """Give the rows returned; a call that returns none is worth one."""
    return max(number(row, "rows"), number(row, "calls"), 1.0)
