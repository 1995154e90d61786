"""How many rows a comparison finds for the values that are likely asked for, where the planner supposes an average.

Of a generic plan `status = $1` finds one row in as many as there are values. Where few values have most of the rows,
statements ask for those more often: if they do so as often as the rows have them, one in `1 / sum(f²)` is found.
"""

from __future__ import annotations

from math import prod

from monitor.advisors.index.scans import Scan
from monitor.shape import ColumnStatistics
from monitor.sql.conditions import Match


def typical_rows(scan: Scan) -> float:
    """Give the rows of one reading, for typical values; never fewer than the planner supposes."""
    found = scan.kept / max(scan.loops, 1.0)
    return min(found * prod(_more(scan, name) for name in _equal(scan)), scan.rows)


def _equal(scan: Scan) -> set[str]:
    return {term.left.column for term in scan.terms if term.match is Match.EQUAL and term.left.column}


def _more(scan: Scan, name: str) -> float:
    column = scan.table.by_name.get(name)
    statistics = column.statistics if column else None
    if statistics is None or statistics.n_distinct <= 0 or not statistics.frequencies:
        return 1.0
    average = (1 - statistics.null_frac) / statistics.n_distinct
    return max(_expected(statistics) / average, 1.0) if average > 0 else 1.0


def _expected(statistics: ColumnStatistics) -> float:
    """Give the share of the rows that a value has, if it is asked for as often as it stands there."""
    given = sum(statistics.frequencies)
    others = statistics.n_distinct - len(statistics.frequencies)
    rest = max(1 - statistics.null_frac - given, 0.0)
    return sum(share * share for share in statistics.frequencies) + (rest * rest / others if others >= 1 else 0.0)
