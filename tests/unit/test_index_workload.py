"""The workload out of a reading of the statements: what is to be planned, what is written, what is left out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from monitor.advisors.index.workload import BULK, MOST, Workload, Writing, workload
from monitor.errors import ProbeSkipped
from monitor.measurement import Measurement
from monitor.model import Target
from monitor.shape import Shape, View
from monitor.sql.text import read_statement
from monitor.sql.writes import Change
from tests.unit.indexes import shape, table

HOUR = 3600.0
HERE = "shop"
VIEW = View(schema="public", name="v", definition=" SELECT 1;")
TABLES = (table(oid=1, name="t"), table(oid=2, name="u"), table(oid=3, name="t", schema="old"))


def statement(name: str, text: str, **given: object) -> dict[str, object]:
    """A statement as the probe sums it up: 100 calls of 10 ms and one row each."""
    read = read_statement(text)
    return {
        "statement": name,
        "database": HERE,
        "kind": str(read.kind) if read else "unknown",
        "tables": read.tables if read else (),
        "text": text,
        "calls": 100.0,
        "exec_seconds": 1.0,
        "rows": 100.0,
        **given,
    }


def work(*statements: Mapping[str, object], seconds: float = HOUR, lifetime: bool = False) -> Workload:
    details: dict[object, Mapping[str, object]] = {
        ("statement", row["statement"], row["database"]): row for row in statements
    }
    seen = _reading(details, seconds=seconds, lifetime=lifetime)
    return workload(seen, shape_of_all(), HERE)


def shape_of_all() -> Shape:
    made = shape(*TABLES)
    return Shape(version_num=made.version_num, tables=made.tables, views=(VIEW,))


def _reading(
    details: Mapping[object, Mapping[str, object]], *, seconds: float = HOUR, lifetime: bool = False
) -> Measurement:
    return Measurement(
        target=Target("test"),
        probe="statements",
        taken_at=datetime(2026, 11, 23, tzinfo=UTC),
        window_growth=(),
        window_seconds=seconds,
        lifetime=lifetime,
        details={"whole": {"exec_seconds": 1.0}, **details},
    )


def names(of: Workload) -> list[str]:
    return [query.name for query in of.queries]


def test_a_statement_comes_with_its_figures() -> None:
    """Of the window; and as so many milliseconds a day."""
    found = work(statement("q", "select * from u where a = $1", calls=10.0, exec_seconds=2.5, rows=30.0))
    (query,) = found.queries
    assert (query.name, query.text) == ("q", "select * from u where a = $1")
    assert (query.calls, query.seconds, query.rows_per_call) == (10, 2.5, 3)
    assert found.ms_per_day(query) == pytest.approx(2500 * 24)


def test_without_a_known_window_figures_are_those_of_all_time() -> None:
    """Counters' whole life, where the server does not tell how long that is."""
    found = work(statement("q", "select * from u"), seconds=0.0, lifetime=True)
    assert (found.lifetime, found.per_day) == (True, 1.0)
    assert found.ms_per_day(found.queries[0]) == pytest.approx(1000)


def test_counters_that_were_read_once_are_no_workload() -> None:
    """Nothing is known of what grew."""
    seen = Measurement(target=Target("test"), probe="statements", taken_at=datetime(2026, 11, 23, tzinfo=UTC))
    with pytest.raises(ProbeSkipped):
        workload(seen, shape_of_all(), HERE)


def test_only_this_databases_statements_that_were_called_count() -> None:
    """Another database has tables of the same names."""
    found = work(
        statement("mine", "select * from u"),
        statement("theirs", "select * from u", database="other"),
        statement("idle", "select * from u", calls=0.0),
    )
    assert (names(found), found.left_out) == (["mine"], {})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("select * from u where a = $1", True),
        ("select * from public.u where a = $1", True),
        ("select * from other.u where a = $1", False),
        ("select * from v where a = $1", True),
        ("select * from public.v", True),
        ("select * from other.v", False),
        ("select * from t", True),
        ("select * from pg_catalog.pg_class", False),
        ("select * from pg_stat_activity p join u on u.a = p.pid", True),
        ("select $1", False),
        ("select f($1)", False),
        ("insert into u values ($1)", True),
    ],
)
def test_statements_that_name_none_of_our_tables_or_views_want_no_index(text: str, wanted: bool) -> None:  # noqa: FBT001
    """They are no part of the workload, and nobody misses them."""
    found = work(statement("q", text))
    assert (names(found), found.left_out) == (["q"] if wanted else [], {})


@pytest.mark.parametrize("text", ["vacuum u", "begin", "create ...", "truncate u", "copy ..."])
def test_utility_statements_are_left_out_without_a_word(text: str) -> None:
    """No index helps with them."""
    found = work(statement("q", text, kind="utility"))
    assert (names(found), found.writings, found.left_out) == ([], (), {})


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"kind": "unknown", "text": "", "tables": ()}, "not known"),
        ({"text": ""}, "not known"),
        ({"text": "select * from u where a in ($1, $2, …"}, "too long"),
    ],
)
def test_what_cannot_be_read_is_left_out_with_a_reason(given: dict[str, object], word: str) -> None:
    """It is not planned, and what it writes is not known."""
    found = work({**statement("q", "select * from u"), **given}, statement("other", "select * from u"))
    assert (names(found), [*found.left_out]) == (["other"], ["q"])
    assert word in found.left_out["q"]


def test_the_busiest_are_looked_at_but_all_that_write_are_counted() -> None:
    """As the probe gives them, the busiest first."""
    busy = [statement(f"q{number}", "select * from u") for number in range(MOST)]
    found = work(*busy, statement("last", "insert into u values ($1)"))
    assert names(found) == [str(row["statement"]) for row in busy]
    assert [each.table for each in found.writings] == [2]


def _writings(text: str, **given: object) -> Sequence[Writing]:
    return work(statement("q", text, **given)).writings


def test_what_is_written_is_rows_a_day() -> None:
    """A hundred in an hour."""
    assert _writings("insert into u values ($1)") == (Writing(table=2, change=Change.INSERT, rows=2400),)
    assert _writings("update public.u set a = $1, b = $2") == (
        Writing(table=2, change=Change.UPDATE, rows=2400, columns=frozenset({"a", "b"})),
    )
    assert _writings("delete from u where a = $1") == (Writing(table=2, change=Change.DELETE, rows=2400),)


def test_a_statement_that_writes_to_several_tables_counts_for_each() -> None:
    """In WITH as well."""
    found = _writings("with gone as (delete from u returning *) insert into old.t select * from gone")
    assert {(each.table, each.change) for each in found} == {(2, Change.DELETE), (3, Change.INSERT)}


def test_a_name_that_could_be_any_of_several_tables_is_nobodys_write() -> None:
    """With its schema it is clear."""
    assert _writings("insert into t values ($1)") == ()
    assert [each.table for each in _writings("insert into old.t values ($1)")] == [3]
    assert _writings("insert into nowhere values ($1)") == ()


@pytest.mark.parametrize(("rows", "counted"), [(BULK - 1, True), (BULK, False), (10 * BULK, False)])
def test_bulk_loads_are_no_steady_traffic(rows: float, counted: bool) -> None:  # noqa: FBT001
    """By the rows of a call; an UPDATE or DELETE of as many counts."""
    given = {"calls": 2.0, "rows": 2.0 * rows}
    assert bool(_writings("insert into u select * from old.t", **given)) == counted
    assert _writings("update u set a = $1", **given)
    assert _writings("delete from u", **given)


@pytest.mark.parametrize(
    ("calls", "seconds", "wanted"), [(3.0, 0.01, True), (2.0, 0.99, False), (2.0, 1.0, True), (1.0, 60.0, True)]
)
def test_what_somebody_tried_once_is_no_workload(calls: float, seconds: float, *, wanted: bool) -> None:
    """Few calls count where they took long: a nightly job."""
    found = work(statement("q", "select * from u where a = $1", calls=calls, exec_seconds=seconds))
    assert (names(found), found.left_out) == (["q"] if wanted else [], {})


def test_a_text_longer_than_is_shown_is_read_as_a_whole() -> None:
    """It is planned, and what it writes counts; only its beginning is for people."""
    whole = f"update u set b = $1 where a in ({', '.join(f'${at}' for at in range(2, 900))})"
    found = work({**statement("long", whole), "text": whole[:1999] + "…", "whole": whole})
    assert [query.text for query in found.queries] == [whole]
    assert [(each.table, each.change) for each in found.writings] == [(2, Change.UPDATE)]
    assert found.left_out == {}
