"""The shape of a test's database, as the probe reads it."""

from dataclasses import replace
from typing import Any

from monitor.shape import Shape
from monitor.shaped import shape_of as shape_in
from probes.shape import PROBE
from tests.database import Database


async def shape_of(database: Database, **more: Any) -> Shape:
    """Read it; `more` are fields put in the place of what was read."""
    async with database.eye(PROBE) as eye:
        return replace(shape_in(await eye.look()), **more)
