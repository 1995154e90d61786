"""A snapshot beside a daemon's store: its own window is what is recent, and earlier hours are the daemon's."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.cli.history import past
from monitor.config.load import Config, load_config
from monitor.history.earlier import beginning, hour_of
from monitor.measurement import Measurement, Row
from monitor.model import Secret, Server, Target
from monitor.report.glimpse import Earlier, Glimpse
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from monitor.whole import whole_catalog
from tests.unit.recording import NOON, PROBE, A, B

SHOP = Server(name="shop", dsn=Secret("postgresql://db"))


def row(key: tuple[str, str], calls: float) -> Row:
    return {"database": key[0], "query": key[1], "calls": calls, "seconds": calls / 10, "squares": calls / 100}


def looked(*rows: Row, grown: bool = True) -> Glimpse:
    seen = Measurement(
        target=Target("shop"),
        probe="statements",
        taken_at=NOON,
        grown=rows if grown else None,
        grown_seconds=10,
        exposed=rows,
    )
    assert PROBE.history is not None
    return Glimpse(PROBE.history, seen, Earlier(begins=None, baselines={}))


def test_what_is_recent_is_the_window() -> None:
    """Roles added up; who did nothing, and the rest in one row, are no keys; at the limit it is enough."""
    glimpse = looked(row(A, 3), row(A, 4), row(B, 0), row(("shop", "other"), 50))
    assert list(glimpse.keys()) == [A]
    found = glimpse.recent(A, 7)
    assert found is not None
    assert found.values == pytest.approx({"calls": 7, "seconds": 0.7, "squares": 0.07})
    assert (found.seconds, found.ends_at) == (10, NOON)
    assert glimpse.recent(A, 8) is None
    assert glimpse.recent(B, 1) is None


def test_lifetime_figures_are_no_window() -> None:
    assert list(looked(row(A, 3), grown=False).keys()) == []


def config(folder: Path) -> Config:
    file = folder / "monitor.yaml"
    file.write_text("targets: [{name: shop, dsn: postgresql://db/shop}]\nstore: sqlite:///state.db\n")
    return load_config(file, whole_catalog())


async def test_earlier_hours_are_looked_up_in_the_daemons_store(tmp_path: Path) -> None:
    """What it never saw is left out; the present hour does not count."""
    present = hour_of(datetime.now(UTC))
    store = await Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    for ago in (0, 1, 2):
        await StoredHours(store).write("shop", PROBE.name, present - ago, {A: (100, 1 + 98 * (ago == 0), 0.01)})
    await store.close()
    earlier = await past(config(tmp_path))(SHOP, PROBE, [A, B])
    assert earlier is not None
    assert earlier.begins == beginning(present - 2)
    assert earlier.baselines.keys() == {A}
    assert (earlier.baselines[A].hours, earlier.baselines[A].median) == (2, 0.01)
    assert await past(config(tmp_path))(Server(name="other", dsn=SHOP.dsn), PROBE, [A]) is None


async def test_a_store_that_is_not_there_is_no_history(tmp_path: Path) -> None:
    assert await past(config(tmp_path))(SHOP, PROBE, [A]) is None


def test_hours_are_counted_in_utc() -> None:
    hour = hour_of(NOON + timedelta(minutes=59, seconds=59))
    assert (hour, beginning(hour)) == (hour_of(NOON), NOON)
