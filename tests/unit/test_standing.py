"""What a server-wide reading shows: nothing of databases that are not to be looked at."""

from monitor.measurement import Measurement
from monitor.model import Secret, Server, Target
from monitor.probe import Row
from monitor.standing import shown
from tests.unit.shelf import NOW

SHOP = Server(name="shop", dsn=Secret("postgresql://db"), exclude=("scratch",))


def row(database: str | None) -> Row:
    return {"database": database, "calls": 1}


def test_rows_of_excluded_databases_are_left_out_everywhere() -> None:
    """Of the rows, of what is exposed in their place, and of asides; what is of no database stays."""
    rows = [row("shop"), row("scratch"), row(""), row(None)]
    seen = Measurement(target=Target("shop"), probe="statements", taken_at=NOW, rows=rows, exposed=rows)
    left = shown(SHOP, seen)
    assert left.rows == left.exposed == [row("shop"), row(""), row(None)]


def test_what_is_exposed_is_sifted_also_where_the_rows_name_no_database() -> None:
    """Rows of pg_stat_statements have an oid only; the series made of them have a name."""
    seen = Measurement(
        target=Target("shop"),
        probe="statements",
        taken_at=NOW,
        rows=[{"dbid": 1}],
        exposed=[row("shop"), row("scratch")],
        asides={"classes": [row("scratch"), row("shop")]},
    )
    left = shown(SHOP, seen)
    assert left.rows == [{"dbid": 1}]
    assert left.exposed == left.asides["classes"] == [row("shop")]
