"""The HTML report beside a daemon's history: charts where something was kept, and no empty frame where nothing was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.cli.over_time import traced
from monitor.config.load import Config, load_config
from monitor.history.earlier import hour_of
from monitor.history.past import Key
from monitor.history.trail import EVIDENCE
from monitor.model import Finding
from monitor.report.html import as_html
from monitor.report.review import Known, Review
from monitor.report.traced import Traced, line_of
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from monitor.whole import whole_catalog
from tests import reviews
from tests.documents import read

STATEMENT = {"target": "shop", "database": "app", "statement": "aaaa", "calls": 40, "mean_ms": 12.5, "text": "select 1"}
TABLE = {"target": "shop", "database": "app", "schema": "public", "table": "rooms", "total_bytes": 5_000_000}
SLOTS = {"target": "shop", "database": None, "kind": "server", "name": "", "used": 7, "limit": 97}
ROLE = {"target": "shop", "database": None, "kind": "role", "name": "web", "used": 5, "limit": 20}
OTHERS = {"target": "shop", "database": "app", "kind": "sessions", "role": "web", "sessions": 3}
SICK: Finding = reviews.NO_INDEX


@pytest.fixture
def review() -> Review:
    known = {SICK.fingerprint: Known(since=reviews.AT - timedelta(hours=30))}
    return replace(
        reviews.SICK,
        findings=[SICK],
        known=known,
        statements=[STATEMENT],
        tables=[TABLE],
        pools=[SLOTS, ROLE, OTHERS],
    )


async def kept(folder: Path, review: Review, *written: tuple[str, str, Key, list[float]]) -> Review:
    """Write two hours of each, and read back what is kept of the report."""
    store, present = await Store.open(f"sqlite:///{folder}/state.db"), hour_of(review.generated_at)
    for name, server, key, figures in written:
        for ago in (1, 2):
            await StoredHours(store).write(server, name, present - ago, {key: [each * ago for each in figures]})
    await store.close()
    return replace(review, traced=await traced(configured(folder), review))


def configured(folder: Path) -> Config:
    file = folder / "monitor.yaml"
    targets = [{"name": "shop", "dsn": "postgresql://monitor@127.0.0.1:1/app"}]
    file.write_text(json.dumps({"targets": targets, "store": "sqlite:///state.db"}))
    return load_config(file, whole_catalog())


def charts(text: str) -> Mapping[str, int]:
    return {name: text.count(f'<svg class="{name}"') for name in ("chart", "spark", "lines")}


async def test_what_was_kept_is_drawn_beside_its_row(tmp_path: Path, review: Review) -> None:
    """Bars of a statement, lines of a table and of limits, and the chart of a finding; as figures in words, too."""
    tables = [0.0, 0.0, 0.0, 60.0, 4_000_000.0, 5_000_000.0, *[0.0] * 21]
    full = await kept(
        tmp_path,
        review,
        ("statements", "shop", ("app", "aaaa"), [10.0, 0.25, 0.01, 10.0, 0.0, 0.0, 0.0, 0.0]),
        ("tables.tables", "shop", ("app", "public", "rooms"), tables),
        ("pool.slots", "shop", ("", "server", "", ""), [60.0, 7.0, 9.0, *[0.0] * 12]),
        ("pool.slots", "shop", ("", "role", "web", ""), [60.0, 5.0, 6.0, *[0.0] * 12]),
        (EVIDENCE, SICK.target.server, (SICK.fingerprint,), [1.0, 300.0, 310.0]),
    )
    text = as_html(full)
    assert charts(text) == {"chart": 1, "spark": 3, "lines": 1}
    told = read(text).text
    for words in ("mean, last 24 h", "size, last 24 h", "in use, last 24 h", "Evidence over time"):
        assert words in told
    assert "longest 25 ms" in text


async def test_where_nothing_was_kept_there_is_no_empty_frame(tmp_path: Path, review: Review) -> None:
    """No column, no heading, no chart."""
    text = as_html(await kept(tmp_path, review))
    assert charts(text) == {"chart": 0, "spark": 0, "lines": 0}
    assert "last 24 h" not in text
    assert "Evidence over time" not in text
    assert text == as_html(replace(review, traced=Traced()))


async def test_a_store_that_cannot_be_read_spoils_no_report(tmp_path: Path, review: Review) -> None:
    """There is none yet."""
    assert await traced(configured(tmp_path), review) == Traced()


def test_rows_are_known_by_the_name_that_the_recorder_gives_them() -> None:
    """Sessions of a group are kept by nobody."""
    bounced = {"target": "pool", "kind": "pgbouncer", "database": "app", "user": "web"}
    assert line_of(bounced) == ("pgbouncer.pools", "pool", ("", "app", "web"))
    application = {"target": "api", "kind": "application", "name": "main"}
    assert line_of(application) == ("app_pool.pools", "api", ("", "main"))
    whole = {**SLOTS, "kind": "database", "name": "app"}
    assert line_of(whole) == ("pool.slots", "shop", ("", "database", "", "app"))
    assert line_of(OTHERS) is None
