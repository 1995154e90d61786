"""Ten thousand tables in the shadow: within the time, memory and disk that it may take."""

import os
import time
from pathlib import Path

import pytest

from monitor.collect.private import private_session
from monitor.planner.planners import Planners, disk_bytes
from monitor.planner.source import Limits
from monitor.shape import Column, ColumnStatistics, Index, IndexKey, Shape, Table
from tests.planner.real import queries

TABLES = 10_000
TYPES = ("bigint", "text", "timestamp with time zone", "integer")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def table(number: int) -> Table:
    schema = f"s{number % 10}"
    known = ColumnStatistics(avg_width=8, n_distinct=-0.1, correlation=0.1)
    columns = [Column(number=at, name=f"c{at}", type=TYPES[at % 4], statistics=known) for at in range(1, 11)]
    indexes = [
        Index(
            oid=number * 10 + at,
            schema=schema,
            name=f"t{number}_{at}",
            method="btree",
            keys=(IndexKey(expression=f"c{at}", column=at),),
            primary=at == 1,
            unique=at == 1,
            pages=100,
        )
        for at in (1, 4)
    ]
    return Table(
        oid=number,
        schema=schema,
        name=f"t{number}",
        rows=1e5,
        pages=2000 + number,
        columns=tuple(columns),
        indexes=tuple(indexes),
    )


def resident_bytes(parent: int) -> int:
    """What a process and its children hold, shared memory counted once each, as `ps` would."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES for pid in (parent, *children))


@pytest.mark.soak
async def test_ten_thousand_tables_stay_within_bounds() -> None:
    """All tables named by statements: 60 s, 300 MB of memory, 500 MB of disk."""
    shape = Shape(version_num=160000, tables={number: table(number) for number in range(1, TABLES + 1)})
    planners = Planners(private_session, limits=Limits(plans=TABLES, seconds=600))
    asked = queries(*(f"select * from t{number} where c2 = $1" for number in range(1, 5001)))
    rest = queries(*(f"select 1 from t{number}, t{number + 1}" for number in range(5001, TABLES, 2)))
    try:
        async with planners.opened(shape) as shadow:
            began = time.monotonic()
            first = await shadow.cost(asked)
            took = time.monotonic() - began
            answers = [first, await shadow.cost(rest)]
            server = planners.server
            assert server is not None
            resident, disk = resident_bytes(server.pid), disk_bytes(server.directory)
    finally:
        await planners.close()
    assert [len(each.planned) for each in answers] == [5000, 2500]
    assert resident < 300e6
    assert disk < 500e6
    assert took < 60
