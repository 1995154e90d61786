"""Advice followed on real servers, 14 to 18: what it names becomes quicker, and there is nothing left to say."""

from itertools import product

import pytest

from tests.conftest import absent
from tests.exam import world
from tests.exam.advising import advice
from tests.exam.carrying import carried, fingerprint, followed
from tests.exam.worlds import WORLDS
from tests.versions import MAJORS, NEWEST, binaries

SCALES = {"exam": 0.25, "bank": 0.25, "busy_bank": 1.0, "keyless_bank": 0.25}
HALF, FEW = 0.5, 0.17
ENDS = (MAJORS[0], NEWEST)
"""Here each world is followed, and works on with its new indexes; between them one a version, only asked once more."""
FOLLOWED = [*product(WORLDS, ENDS), ("wholesale", 15), ("trade", 16), ("exam", 17)]
MISSED = {"trade": 1, "exam": 2}
"""Of the right indexes so many may be missed; README.md says which, and why."""


def fetched(major: int) -> None:
    if binaries(major) is None:
        absent(f"PostgreSQL {major} is not fetched: python -m tests.versions fetch")


def quiet(_: str) -> None:
    """Nobody looks."""


@pytest.mark.parametrize("name", WORLDS)
def test_findings_can_be_told_from_each_other(name: str) -> None:
    """Each statement of a world has a fingerprint of its own, and each right index is for one of them."""
    exam = WORLDS[name].exam
    prints = [fingerprint(shape) for shape in exam.shapes]
    assert "" not in prints
    assert len(set(prints)) == len(prints)
    assert {right.shape for right in exam.rights} <= {shape.name for shape in exam.shapes}


@pytest.mark.parametrize("major", [pytest.param(MAJORS[0], marks=pytest.mark.soak), NEWEST])
async def test_an_index_that_is_advised_makes_its_statements_quicker(major: int) -> None:
    """The bank without its primary keys: the one that is proposed is made as printed, and asked for no more."""
    fetched(major)
    place = WORLDS["keyless_bank"]
    async with world.server(major) as running:
        dsn = await place.load(running, FEW)
        await place.work(dsn, quiet)
        done = await carried(dsn, place.exam, await advice(dsn, aged=False))
    assert done.timed
    assert done.holds, done.text()


@pytest.mark.soak
@pytest.mark.parametrize(("name", "major"), FOLLOWED)
async def test_advice_is_right_and_helps(name: str, major: int) -> None:
    """What is proposed is what was written down before; it is made; statements are quicker; no more is proposed.

    Nor when the world works on with its indexes: then it is healthy.
    """
    fetched(major)
    async with world.server(major) as running:
        done = await followed(WORLDS[name], running, SCALES.get(name, HALF), quiet, whole=major in ENDS)
    assert done.holds, done.text()
    assert len(done.grade.missed) <= MISSED.get(name, 0), done.text()
