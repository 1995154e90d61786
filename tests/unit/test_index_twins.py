"""What statements look up and what a foreign key lacks are one index where one can be both."""

from dataclasses import replace

import pytest

from monitor.advisors.index.choices import Terms
from monitor.advisors.index.twins import twin
from monitor.shape import ForeignKey, Shape
from tests.unit.indexes import index, shape, table
from tests.unit.whatif import Scene, alone, candidate, look, names, updates

A = candidate("a")
KEY = ForeignKey(name="t1_fkey", table=1, columns=(3, 2), parent=2, parent_columns=(1, 2))
"""On (b, a)."""


def keyed(*keys: ForeignKey) -> Shape:
    return shape(table(oid=1, name="t1"), table(oid=2, name="t2"), keys=keys)


def scene(seen: Shape) -> Scene:
    """One statement that looks up a, of which a is proposed."""
    return Scene(statements={"a": ((look("a"),),)}, groups={"a": alone(A)}, shape=seen)


async def test_an_index_is_widened_to_the_foreign_key_that_has_none() -> None:
    """Both rules would ask for one, of which the narrow one were redundant as soon as both stand."""
    chosen = await scene(keyed(KEY)).choose()
    assert names(chosen) == ["t1 a b"]
    assert [each.query.name for each in chosen.choices[0].helped] == ["a"]
    assert names(await scene(keyed()).choose()) == ["t1 a"]


async def test_one_index_for_a_foreign_key_is_enough() -> None:
    """Statements ask by either of its columns: one of the two indexes is widened."""
    both = {"a": ((look("a"),),), "b": ((look("b"),),)}
    asked = Scene(statements=both, groups={each: alone(candidate(each)) for each in both}, shape=keyed(KEY))
    assert sorted(names(await asked.choose())) == ["t1 a b", "t1 b"]


async def test_it_stays_narrow_where_the_other_column_is_updated() -> None:
    """Updates of b write to no index so far."""
    busy = replace(scene(keyed(KEY)), writings=(updates(1000, "b"),))
    assert names(await busy.choose()) == ["t1 a"]


async def test_it_stays_narrow_where_the_planner_refuses_the_wider_one() -> None:
    """What cannot be built is not chosen."""
    seen = scene(keyed(KEY))
    assert names(await seen.choose(seen.source(refused=[candidate("a", "b")]))) == ["t1 a"]


async def test_it_is_widened_though_no_more_plans_are_to_be_had() -> None:
    """What is known of the narrow one is supposed of the wider one."""
    seen = scene(keyed(KEY))
    for limit in range(2, 5):
        chosen = await seen.choose(seen.source(limit=limit))
        assert names(chosen) == ["t1 a b"], limit


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, table=2),
        replace(KEY, columns=(2,), parent_columns=(1,)),
        replace(KEY, columns=(3, 4)),
    ],
    ids=["another table's", "the same column", "other columns"],
)
def test_other_foreign_keys_change_nothing(other: ForeignKey) -> None:
    """Only one that the index leads into, and that is longer."""
    assert twin(A, keyed(other)) is None


def test_a_foreign_key_that_is_served_changes_nothing() -> None:
    """In whichever order."""
    served = shape(table(index("t1_b_a", "b", "a"), oid=1, name="t1"), keys=[KEY])
    assert twin(A, served) is None


def test_only_a_plain_index_is_widened() -> None:
    """One with columns beside its keys, partial or of another method serves no foreign key."""
    seen = keyed(KEY)
    for odd in (candidate("a", include=("c",)), candidate("a", method="gin"), replace(A, where="a is not null")):
        assert twin(odd, seen) is None
    assert twin(A, seen) == candidate("a", "b")


async def test_the_budget_holds_for_the_wider_one_too() -> None:
    """Where it is too big the narrow one is proposed as before."""
    seen = scene(keyed(KEY))
    source = seen.source()
    narrow, wide = source.size_bytes(A), source.size_bytes(candidate("a", "b"))
    assert narrow < wide
    assert names(await replace(seen, terms=Terms(budget_bytes=(narrow + wide) / 2)).choose()) == ["t1 a"]
