"""Rings: what was read lately of many keys, with gaps where nothing was, and sums of an hour."""

from __future__ import annotations

import math

import pytest

from monitor.history.ring import KEPT_SECONDS, Ring, finite, joined, summed

A, B = ("a",), ("b",)
HOUR = 1000 * 3600


def test_a_key_has_gaps_where_a_reading_lacks_it() -> None:
    ring = Ring(1, 5, 60)
    ring.add(HOUR, {A: (1.0,)})
    ring.add(HOUR + 60, {A: (2.0,), B: (5.0,)})
    ring.add(HOUR + 120, {B: (math.nan,)})
    assert [*ring.of(A, 0)] == [(HOUR, 1.0), (HOUR + 60, 2.0)]
    assert [*ring.of(B, 0)] == [(HOUR + 60, 5.0)]
    assert [*ring.of(("never",), 0)] == []


def test_what_is_old_goes_and_so_do_keys_of_which_nothing_is_left() -> None:
    """A ring of a minute's readings holds three hours and at most a quarter more."""
    ring = Ring(1, 5, 60)
    ring.add(HOUR, {B: (1.0,)})
    for place in range(1, 400):
        ring.add(HOUR + 60 * place, {A: (float(place),)})
    times = [at for at, _ in ring.of(A, 0)]
    assert KEPT_SECONDS <= times[-1] - times[0] + 60 <= KEPT_SECONDS * 1.26
    assert len(ring) == 1


def test_keys_that_come_and_go_do_not_pile_up() -> None:
    ring = Ring(1, 5, 60)
    for place in range(170):
        ring.add(HOUR + 60 * place, {(f"{place}-{each}",): (1.0,) for each in range(5)})
    assert len(ring) <= 10


def test_a_clock_that_is_set_back_begins_anew() -> None:
    """Moments must rise, or a chart would run backwards."""
    ring = Ring(1, 5, 60)
    ring.add(HOUR, {A: (1.0,)})
    ring.add(HOUR - 600, {A: (2.0,)})
    assert [*ring.of(A, 0)] == [(HOUR - 600, 2.0)]


def test_an_hour_is_summed_from_its_own_readings() -> None:
    ring = Ring(2, 5, 60)
    for at, value in ((-60, 9.0), (0, 1.0), (1800, 3.0), (3600, 9.0)):
        ring.add(HOUR + at, {A: (value, math.nan)})
    assert ring.hour(HOUR, HOUR + 3600) == {A: (2.0, 2.0, 3.0, 0.0, 0.0, 0.0)}


def test_two_parts_of_an_hour_are_put_together() -> None:
    """Means by how many readings they are of; what one part lacks the other has; older rows have fewer columns."""
    assert joined((2.0, 1.0, 2.0, 0.0, 0.0, 0.0), (6.0, 5.0, 9.0)) == (8.0, 4.0, 9.0, 0.0, 0.0, 0.0)
    assert joined(summed([math.nan]), (1.0, -3.0, -3.0)) == (1.0, -3.0, -3.0)
    assert joined((1.0, 2.0, 2.0), ()) == (1.0, 2.0, 2.0)


@pytest.mark.parametrize("odd", [None, "x", math.nan, math.inf, -math.inf, 1e39, 10**400, object()])
def test_what_cannot_be_kept_is_no_number(odd: object) -> None:
    assert math.isnan(finite(odd))
