"""A counter that is computed anew each time may seem to fall by its rounding: that costs no row its growth."""

from array import array

import pytest

from monitor.collect.rates import ROUNDING, Rates
from monitor.collect.table import as_table
from monitor.measurement import Row
from monitor.probe import Probe, Scope, Shape


def probe(shape: Shape) -> Probe:
    return Probe(name="counted", scope=Scope.SERVER, every=15, key=("key",), counts=("calls", "squares"), shape=shape)


def grown(shape: Shape, *readings: tuple[int, float]) -> list[object]:
    """Give what the last reading grew by: calls and squares of the one row, or nothing."""
    rates, growth = Rates(probe(shape)), None
    for at, (calls, squares) in enumerate(readings):
        row: Row = {"key": "a", "calls": calls, "squares": squares}
        if shape is Shape.COLUMNS:
            row = {"key": array("q", [1]), "calls": array("q", [calls]), "squares": array("d", [squares])}
        growth = rates.take(as_table(probe(shape), [row]), float(at))
    rows = growth.since_last if growth else None
    return [(each["calls"], each["squares"]) for each in rows or ()]


@pytest.mark.parametrize("shape", Shape)
def test_what_falls_by_its_rounding_has_not_fallen(shape: Shape) -> None:
    """At the limit; beyond it, it has, and so has a whole number that falls by one."""
    assert grown(shape, (5, 2.0), (6, 2.0 - 2.0 * ROUNDING)) == [(1, 0.0)]
    assert grown(shape, (5, 2.0), (6, 2.0 - 2.1 * ROUNDING)) == []
    assert grown(shape, (10**10, 2.0), (10**10 - 1, 3.0)) == []
    assert grown(shape, (5, 2.0), (6, 2.5)) == [(1, 0.5)]
