"""What an index costs those who write, by hand-made figures."""

from dataclasses import replace

import pytest

from monitor.advisors.index.workload import Workload, Writing
from monitor.advisors.index.writes import hot_share, price_ms_per_day
from monitor.planning import Candidate
from monitor.shape import IndexKey, Shape, Table, Writes
from monitor.sql.writes import Change
from tests.unit.indexes import DAY, index, shape, table
from tests.unit.whatif import candidate, inserts, updates

HOT = Writes(updated=1000, hot_updated=1000)
COLD = Writes(updated=1000)
MILLION = 1e6
A = candidate("a")


def price(
    one: Candidate, *writings: Writing, own: Table | None = None, others: tuple[Table, ...] = (), days: float = 6.9
) -> float:
    """Give the ms a day, where tables' writes are counted since so many days."""
    seen = shape(own or table(writes=HOT), *others, counted=days * DAY)
    return price_ms_per_day(one, seen, Workload(queries=(), writings=writings, seconds=DAY))


def expression(text: str, **given: str) -> Candidate:
    return Candidate(table=1, schema="public", name="t", keys=(IndexKey(expression=text),), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "milliseconds"), [("btree", 6000), ("hash", 6000), ("gin", 25000), ("gist", 15000), ("brin", 500)]
)
def test_each_inserted_row_costs_an_entry(method: str, milliseconds: float) -> None:
    """Microseconds by method, for a million rows."""
    assert price(replace(A, method=method), inserts(MILLION)) == pytest.approx(milliseconds)


def test_a_deleted_row_costs_a_part_of_one() -> None:
    """Vacuum takes many at once."""
    assert price(A, Writing(table=1, change=Change.DELETE, rows=MILLION)) == pytest.approx(1800)


def test_all_that_write_are_summed_up() -> None:
    """Of several statements."""
    assert price(A, inserts(MILLION), inserts(2 * MILLION), inserts(MILLION, table=2)) == pytest.approx(18000)


@pytest.mark.parametrize(("writes", "milliseconds"), [(HOT, 0), (COLD, 6000), (Writes(), 3000)])
def test_an_update_elsewhere_costs_an_entry_unless_it_is_hot(writes: Writes, milliseconds: float) -> None:
    """By the share of the table's updates that touched no index so far; half where none was counted."""
    assert price(A, updates(MILLION, "b"), own=table(writes=writes)) == pytest.approx(milliseconds)


@pytest.mark.parametrize(("writes", "milliseconds"), [(HOT, 18000), (COLD, 6000)])
def test_an_update_of_a_key_is_hot_no_more(writes: Writes, milliseconds: float) -> None:
    """Each then writes to this index and to the two that stand; those that were not hot did so already."""
    own = table(index("one", "c"), index("two", "d"), writes=writes)
    assert price(A, updates(MILLION, "a", "b"), own=own) == pytest.approx(milliseconds)


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (candidate("b", "a"), True),
        (candidate("b", include=["a"]), True),
        (candidate("b"), False),
        (expression("(lower(a))"), True),
        (expression('(lower("Weird, name"))'), False),
        (replace(candidate("b"), where="(a IS NOT NULL)"), True),
        (replace(candidate("b"), where="((b)::text = 'a'::text)"), False),
        (replace(candidate("b"), where="(date_part('day'::text, c) > 1)"), False),
        (replace(candidate("b"), where="(abc > 1)"), False),
    ],
)
def test_columns_of_keys_includes_expressions_and_predicates_count(one: Candidate, wanted: bool) -> None:  # noqa: FBT001
    """Each column that is named, no more: a letter of a function's or a type's name is no column."""
    own = table(index("other", "c"), writes=HOT)
    assert price(one, updates(MILLION, "a"), own=own) == pytest.approx(12000 if wanted else 0)


def test_quoted_names_are_columns() -> None:
    """However they are written."""
    odd = replace(table(writes=HOT).columns[1], name='ü."é" x')
    own = table(writes=HOT, columns=(odd,))
    writing = updates(MILLION, odd.name)
    assert price(expression('(lower("ü.""é"" x"))'), writing, own=own) == pytest.approx(6000)
    assert price(replace(candidate("b"), where='("ü.""é"" x" > 1)'), writing, own=own) == pytest.approx(6000)


@pytest.mark.parametrize(("version", "milliseconds"), [(150000, 500 + 6000), (160000, 0)])
def test_brin_spares_hot_updates_from_16_on(version: int, milliseconds: float) -> None:
    """What only it holds may change without a new entry elsewhere."""
    own = table(index("other", "c"), writes=HOT)
    seen = replace(shape(own, counted=None), version_num=version)
    work = Workload(queries=(), writings=(updates(MILLION, "a"),), seconds=DAY)
    assert price_ms_per_day(replace(A, method="brin"), seen, work) == pytest.approx(milliseconds)


@pytest.mark.parametrize(
    ("writes", "milliseconds"),
    [
        (Writes(inserted=10_000_000), 6000),
        (Writes(deleted=10_000_000), 1800),
        (Writes(updated=10_000_000, hot_updated=5_000_000), 3000),
        (Writes(updated=10_000_000, hot_updated=10_000_000), 0),
    ],
)
def test_writes_that_no_statement_tells_of_are_known_from_old_counters(writes: Writes, milliseconds: float) -> None:
    """Of functions and triggers, and statements too quick to be looked at; a young table's hold its first load."""
    own = table(index("other", "c"), writes=writes)
    assert price(A, own=own, days=10) == pytest.approx(milliseconds)
    assert price(A, own=own, days=6.9) == 0


def test_what_statements_tell_of_is_counted_once() -> None:
    """The larger of the two counts, by kind of change; what an UPDATE sets is known of those that were told."""
    own = table(index("other", "c"), writes=Writes(inserted=10_000_000, updated=20_000_000, hot_updated=20_000_000))
    assert price(A, inserts(MILLION / 2), own=own, days=10) == pytest.approx(6000)
    assert price(A, inserts(MILLION * 2), own=own, days=10) == pytest.approx(12000)
    assert price(A, updates(MILLION, "a"), own=own, days=10) == pytest.approx(6000 + 12000)


def test_old_counters_of_partitions_are_those_of_the_whole() -> None:
    """Of which the partitioned table itself has none."""
    whole, *parts = _parted()
    many = [replace(each, writes=Writes(inserted=5_000_000)) for each in parts]
    assert price(A, own=whole, others=(*many,), days=10) == pytest.approx(6000)


def _parted() -> tuple[Table, Table, Table]:
    """A partitioned table, a partition that gets three of four rows, and one that gets the rest."""
    whole = table(kind="p", partition_key="RANGE (a)", rows=-1)
    busy = table(index("x", "b"), oid=2, name="t_1", parent=1, writes=Writes(inserted=300, updated=30, hot_updated=30))
    calm = table(index("y", "b"), oid=3, name="t_2", parent=1, writes=Writes(inserted=100, updated=10, hot_updated=10))
    return whole, busy, calm


def test_a_partitioned_tables_writes_are_its_partitions_too() -> None:
    """By either's name, and each row is written once."""
    whole, *parts = _parted()
    writings = [inserts(MILLION), inserts(MILLION, table=2)]
    assert price(A, *writings, own=whole, others=(*parts,)) == pytest.approx(12000)


def test_what_is_written_to_the_whole_is_written_to_its_partitions() -> None:
    """To each its share, by what was counted."""
    whole, *parts = _parted()
    one, two = (candidate("a", table=oid) for oid in (2, 3))
    assert price(one, inserts(MILLION), own=whole, others=(*parts,)) == pytest.approx(4500)
    assert price(two, inserts(MILLION), own=whole, others=(*parts,)) == pytest.approx(1500)


def test_updates_of_a_partitioned_table_write_to_its_partitions_indexes() -> None:
    """Which may be there without one on the whole."""
    whole, *parts = _parted()
    assert price(A, updates(MILLION, "a"), own=whole, others=(*parts,)) == pytest.approx(12000)


def test_the_share_of_hot_updates_is_that_of_all_partitions() -> None:
    """A partitioned table itself counts nothing."""
    whole, busy, calm = _parted()
    assert hot_share(whole, shape(whole, busy, replace(calm, writes=Writes(updated=30)))) == pytest.approx(0.5)
    assert hot_share(whole, _empty(whole)) == 0.5


def _empty(whole: Table) -> Shape:
    return shape(whole)
