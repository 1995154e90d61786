"""Choosing over random workloads: what is chosen is worth its price, fits, and holds nothing twice."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as some

from monitor.advisors.index.choices import Chosen, Terms, covers
from monitor.planning import Candidate
from tests.unit.whatif import Look, Scene, Statement, candidate, inserts, look, saved, updates

COLUMNS = ("a", "b", "c", "d")
TABLES = (1, 1, 2)
PRICELESS = 1e12


def _columns(chance: Random) -> list[str]:
    return chance.sample(COLUMNS, chance.randint(1, 3))


def _look(chance: Random) -> Look:
    """A look for rows by one to three columns, few or many of which are alike."""
    columns = _columns(chance)
    needed = chance.choice([("*",), tuple(columns), ("a", "d")])
    return look(*columns, table=chance.choice(TABLES), needed=needed, distinct=chance.choice([3, 30, 1000, 10**6]))


def _statement(chance: Random) -> Statement:
    """Looks that add up, some of them joined by OR."""
    return tuple(tuple(_look(chance) for _ in range(chance.choice([1, 1, 2]))) for _ in range(chance.choice([1, 1, 2])))


def _candidate(chance: Random) -> Candidate:
    """An index on one to three columns, now and then with others beside."""
    columns = _columns(chance)
    rest = sorted({*COLUMNS} - {*columns})
    include = chance.sample(rest, chance.choice([0, 0, 1]))
    return candidate(*columns, table=chance.choice(TABLES), include=include)


def _scene(chance: Random) -> Scene:
    """A few statements; candidates for them alone and in groups; some writes."""
    names = [f"q{number}" for number in range(chance.randint(1, 6))]
    pool = [_candidate(chance) for _ in range(chance.randint(1, 9))]
    groups = {
        name: [frozenset(chance.choices(pool, k=chance.choice([1, 1, 2, 3]))) for _ in range(chance.randint(0, 7))]
        for name in names
    }
    inserted = [inserts(10 ** chance.uniform(0, 9), chance.choice(TABLES)) for _ in range(chance.randint(0, 2))]
    updated = [updates(10 ** chance.uniform(0, 9), chance.choice(COLUMNS)) for _ in range(chance.randint(0, 2))]
    return Scene(
        statements={name: _statement(chance) for name in names},
        groups=groups,
        seconds={name: 10 ** chance.uniform(-1, 5) for name in names},
        writings=(*inserted, *updated),
    )


# Drawn from a seed: a workload drawn piece by piece takes ten times as long as its choice.
scenes = some.integers(0, 2**32).map(lambda seed: _scene(Random(seed)))


def _check(scene: Scene, chosen: Chosen) -> None:
    terms, indexes = scene.terms, [each.candidate for each in chosen.choices]
    proposed = {each for groups in scene.groups.values() for group in groups for each in group}
    assert {*indexes} <= proposed
    assert {*indexes} | {*chosen.rejected} == proposed
    assert not {*indexes} & {*chosen.rejected}
    assert not [(one, other) for one in indexes for other in indexes if one != other and covers(one, other)]
    assert sum(each.size_bytes for each in chosen.choices) <= terms.budget_bytes
    for oid in scene.shape.tables:
        assert sum(1 for each in indexes if each.table == oid) <= terms.per_table
    for choice in chosen.choices:
        assert choice.helped
        assert choice.saved_ms_per_day > 0
        for helped in choice.helped:
            assert helped.after <= terms.part * helped.before
            assert helped.before - helped.after >= terms.units
    whole = sum(scene.seconds.values()) * 1000
    spent = sum(each.spent_ms_per_day for each in chosen.choices)
    assert saved(chosen) <= whole * (1 + 1e-9)
    assert not chosen.choices or saved(chosen) > terms.times_price * spent


@settings(max_examples=200, deadline=None)
@given(scenes)
async def test_what_is_chosen_is_worth_it_and_nothing_twice(scene: Scene) -> None:
    """Each helps somebody much, none does another's work, and all together save more than twice their price."""
    chosen = await scene.choose()
    _check(scene, chosen)
    assert not chosen.cut


@settings(max_examples=150, deadline=None)
@given(scenes, some.integers(0, 60), some.integers(0, 12), some.integers(0, 3))
async def test_limits_are_kept_wherever_the_search_ends(scene: Scene, plans: int, units: int, most: int) -> None:
    """However few plans, however little storage: fewer indexes, never one that is not worth it."""
    bound = replace(scene, terms=Terms(budget_bytes=units * 8e6, per_table=most))
    source = bound.source(limit=len(scene.statements) + plans)
    _check(bound, await bound.choose(source))
    assert source.plans <= len(scene.statements) + plans


@settings(max_examples=150, deadline=None)
@given(scenes)
async def test_storage_that_is_enough_decides_nothing(scene: Scene) -> None:
    """A budget that holds all that would be chosen without one changes nothing of it, nor does asking again."""
    free = await scene.choose()
    assert await scene.choose() == free
    largest = sum(scene.source().size_bytes(each) for each in _proposed(scene))
    assert await replace(scene, terms=Terms(budget_bytes=largest)).choose() == free


@settings(max_examples=150, deadline=None)
@given(scenes)
async def test_tables_that_are_written_all_day_get_none(scene: Scene) -> None:
    """Where each index costs more than could ever be saved."""
    busy = replace(scene, writings=tuple(inserts(PRICELESS, table=oid) for oid in scene.shape.tables))
    assert (await busy.choose()).choices == ()


@settings(max_examples=200, deadline=None)
@given(scenes)
async def test_the_order_in_which_they_are_proposed_decides_nothing(scene: Scene) -> None:
    """A finding must not come and go by chance."""
    turned = replace(scene, groups={name: [*reversed(own)] for name, own in scene.groups.items()})
    assert (await turned.choose()).choices == (await scene.choose()).choices


def _proposed(scene: Scene) -> Sequence[Candidate]:
    return [*{each for groups in scene.groups.values() for group in groups for each in group}]
