"""Where a reading keeps the shape of its database, for the probe that reads it and the advisors that judge it."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.errors import Needs, ProbeSkipped
from monitor.measurement import Measurement, Row
from monitor.shape import Shape

PROBE = "shape"
"""The probe, and the place in its measurement's details."""


def shape_of(seen: Measurement) -> Shape:
    """Give the shape that a measurement of the probe `shape` holds; raises ProbeSkipped where it holds none."""
    shape = seen.details.get(PROBE, {}).get(PROBE)
    if not isinstance(shape, Shape):
        raise ProbeSkipped(seen.reason or "the database's shape was not read yet", seen.needs or Needs.HISTORY)
    return shape


def with_shape(shape: Shape) -> Mapping[object, Row]:
    """Give a measurement's details that hold a shape."""
    return {PROBE: {PROBE: shape}}
