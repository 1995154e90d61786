"""What of a reading is shown where some databases are not to be looked at."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.measurement import Measurement, Row
from monitor.model import Secret, Server, Target
from monitor.standing import shown

SHOP = Server(name="shop", dsn=Secret("postgresql://monitor@db/shop"), exclude=("scratch_.*",))


def reading(*rows: Row) -> Measurement:
    """A reading of the server as a whole, with an aside of the same rows."""
    return Measurement(
        target=Target("shop"), probe="pool", taken_at=datetime.now(UTC), rows=rows, exposed=rows, asides={"more": rows}
    )


def test_rows_of_unwanted_databases_are_left_out() -> None:
    """Of the rows, of what is exposed and of asides; what is of no database stays."""
    kept: list[Row] = [{"database": "shop"}, {"database": ""}, {"database": None}, {"database": "shop"}]
    seen = shown(SHOP, reading(*kept, {"database": "scratch_1"}))
    assert [*seen.rows] == [*(seen.exposed or ())] == [*seen.asides["more"]] == kept


def test_a_database_that_is_no_text_is_no_trouble() -> None:
    """A probe of somebody's own may give a list."""
    seen = shown(SHOP, reading({"database": ["shop"]}, {"database": "scratch_1"}))
    assert [*seen.rows] == [{"database": ["shop"]}]
