"""Whatever names and numbers a server gives, the page can be read, never repeats a line, and no counter falls."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric as Read
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from monitor.expose.metrics import Exposition
from monitor.expose.text import LABEL_LENGTH
from monitor.model import Target
from monitor.probe import Kind, Measurement, Metric, Probe, Scope
from tests.unit.shelf import NOW

PROBE = Probe(
    name="hostile",
    scope=Scope.DATABASE,
    every=15,
    key=("name", "role"),
    labels=("name", "role"),
    metrics=(Metric("size", Kind.GAUGE, 'A "help"\nwith \\ all.'), Metric("calls", Kind.COUNTER, "Calls.")),
)

# Surrogates and controls included: PostgreSQL's SQL_ASCII databases and wrong drivers give both.
TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(
    ['"', "\\", "\n", "\\n", '\\"', "}", "x" * 300, "\ud800"]
)
VALUES = st.none() | st.integers() | st.floats() | st.decimals() | st.booleans() | st.text(max_size=2)
GROWTHS = st.none() | st.integers(0, 2**70) | st.floats(0, 1e300)
ROWS = st.lists(
    st.fixed_dictionaries({"name": TEXTS | st.none(), "role": TEXTS, "size": VALUES, "calls": GROWTHS}), max_size=8
)

Parser = Callable[[str], Iterable[Read]]


def read(exposition: Exposition, parse: Parser, *, openmetrics: bool) -> dict[tuple[str, str, str], float]:
    text = exposition.page(openmetrics=openmetrics).decode() + ("# EOF\n" if openmetrics else "")
    found = [sample for family in parse(text) for sample in family.samples]
    values = {(each.name, each.labels["name"], each.labels["role"]): each.value for each in found}
    assert len(values) == len(found)
    return values


def absorb(exposition: Exposition, rows: list[dict[str, object]], grown: list[dict[str, object]] | None) -> None:
    target = Target("a\ud800b", 'quo"ted')
    exposition.absorb(PROBE, Measurement(target=target, probe="hostile", taken_at=NOW, rows=rows, grown=grown))


@given(ROWS)
def test_both_parsers_read_whatever_was_shown(rows: list[dict[str, object]]) -> None:
    """One line of a hostile name would otherwise cost the whole page."""
    exposition = Exposition()
    absorb(exposition, rows, None)
    text = read(exposition, read_text, openmetrics=False)
    opened = read(exposition, read_openmetrics, openmetrics=True)
    assert text == opened
    assert all(len(label) <= LABEL_LENGTH for _, *labels in text for label in labels)


@given(st.lists(st.tuples(ROWS, st.booleans()), max_size=6))
def test_no_counter_ever_falls(readings: list[tuple[list[dict[str, object]], bool]]) -> None:
    """Through rows that go and return, resets of rows and of all."""
    exposition = Exposition()
    highest: dict[tuple[str, str, str], float] = {}
    for rows, whole in readings:
        absorb(exposition, rows, None if whole else rows[::2])
        for key, value in read(exposition, read_text, openmetrics=False).items():
            if key[0].endswith("_total"):
                assert value >= highest.get(key, 0)
                highest[key] = value


@given(ROWS, st.integers(0, 10))
def test_the_limit_holds_and_nothing_is_lost_uncounted(rows: list[dict[str, object]], limit: int) -> None:
    """Shown and left away together are what an unbounded page shows."""
    bounded, unbounded = Exposition(limit=limit), Exposition()
    for exposition in (bounded, unbounded):
        absorb(exposition, rows, None)
    shown = read(bounded, read_text, openmetrics=False)
    assert len(shown) <= limit
    assert len(shown) + bounded.dropped("a\ud800b") == len(read(unbounded, read_text, openmetrics=False))
