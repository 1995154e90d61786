"""Which indexes are chosen of those that were proposed, where a planner's costs are easy to reckon."""

from dataclasses import replace

import pytest

from monitor.advisors.index.choices import Terms, covers, needed
from monitor.planning import Candidate
from monitor.shape import IndexKey, Writes
from tests.unit.indexes import shape, table
from tests.unit.whatif import DISTINCT, ROWS, Scene, alone, candidate, inserts, look, names, saved, updates

HOT = Writes(updated=1000, hot_updated=1000)
A, B, AB, BA, ABC = (candidate(*columns) for columns in ("a", "b", "ab", "ba", "abc"))


def scene(*looks: str, **given: object) -> Scene:
    """One statement for each word of columns that are asked for, and all of A, B, AB, BA, ABC proposed for each."""
    plain = Scene(
        statements={each: ((look(*each),),) for each in looks},
        groups={each: alone(A, B, AB, BA, ABC) for each in looks},
    )
    return replace(plain, **given)  # type: ignore[arg-type]


async def test_the_index_that_saves_most_is_chosen_and_the_statement_told() -> None:
    """With its costs before and after, and the part of its time that it is spared."""
    chosen = await scene("ab").choose()
    (choice,) = chosen.choices
    (helped,) = choice.helped
    assert choice.candidate in {AB, BA}
    assert helped.query.name == "ab"
    assert helped.before == 20_000
    assert helped.after == pytest.approx(10 + ROWS / DISTINCT**2 * 4.1)
    assert choice.saved_ms_per_day == pytest.approx(100_000 * (1 - helped.after / 20_000))
    assert {*chosen.rejected} == {A, B, AB, BA, ABC} - {choice.candidate}


async def test_one_wide_index_serves_those_who_ask_for_less() -> None:
    """The other order would serve but one of the two."""
    assert names(await scene("a", "ab").choose()) == ["t1 a b"]
    assert names(await scene("b", "ab").choose()) == ["t1 b a"]


async def test_a_chosen_index_gives_way_to_a_wider_one() -> None:
    """The narrow one is best first, for many ask for it; the wide one then does its work as well."""
    chosen = await scene("a", "ab", seconds={"a": 10_000}).choose()
    assert names(chosen) == ["t1 a b"]
    assert {each.query.name for each in chosen.choices[0].helped} == {"a", "ab"}


async def test_of_those_that_save_nearly_as_much_the_smallest_is_taken() -> None:
    """A third column would spare a few rows more."""
    assert names(await scene("abc").choose()) == ["t1 a b"]


async def test_what_everybody_reads_is_worth_no_index() -> None:
    """Nothing is proposed, nothing is chosen, and nothing is asked in vain."""
    quiet = scene("c")
    source = quiet.source()
    assert (await quiet.choose(source)).choices == ()
    assert source.plans == 2, "today's plan, and the one with all candidates"


@pytest.mark.parametrize(("rows", "wanted"), [(0, 1), (8.2e6, 1), (8.4e6, 0), (1e9, 0)])
async def test_writers_may_pay_half_of_what_is_saved(rows: float, wanted: int) -> None:
    """100 s a day are saved: 6 us for each row inserted are 50 s at 8.3 million rows."""
    assert len((await scene("ab", writings=(inserts(rows),)).choose()).choices) == wanted


async def test_another_tables_writes_cost_nothing() -> None:
    """Only those of the index's own."""
    (choice,) = (await scene("ab", writings=(inserts(1e9, table=2),)).choose()).choices
    assert choice.spent_ms_per_day == 0


async def test_where_the_best_is_too_dear_to_keep_the_second_best_is_taken() -> None:
    """Each update sets b, which no index holds so far: an index on a alone costs them nothing."""
    busy = scene("ab", writings=(updates(5e7, "b"),))
    hot = shape(table(oid=1, name="t1", writes=HOT))
    assert names(await replace(busy, shape=hot).choose()) == ["t1 a"]


async def test_where_the_best_begins_differently_its_rival_is_asked_as_well() -> None:
    """The planner likes one that begins with a best, but all that hold a are too dear."""
    busy = scene("ab", writings=(updates(5e7, "a"),), shape=shape(table(oid=1, name="t1", writes=HOT)))
    assert names(await busy.choose()) == ["t1 b"]


async def test_two_that_help_only_together_are_taken_together() -> None:
    """The arms of an OR: with one of them the table is still read whole."""
    either = Scene(
        statements={"either": ((look("a"), look("b")),)},
        groups={"either": [*alone(A, B), frozenset({A, B})]},
    )
    chosen = await either.choose()
    assert sorted(names(chosen)) == ["t1 a", "t1 b"]
    assert saved(chosen) == pytest.approx(100_000 * (1 - 2 * (10 + ROWS / DISTINCT * 4.1) / 30_000))
    assert [len(each.helped) for each in chosen.choices] == [1, 1]


async def test_two_arms_that_one_index_serves_get_one() -> None:
    """A group may hold an index and its beginning."""
    either = Scene(
        statements={"either": ((look("a"), look("a", "b")),)},
        groups={"either": [frozenset({A, AB})]},
        terms=Terms(part=0.9),
    )
    assert names(await either.choose()) == ["t1 a b"]


async def test_an_arm_that_is_served_by_what_is_chosen_is_not_chosen_again() -> None:
    """AB is worth most; then the OR wants b, and has a in AB."""
    both = Scene(
        statements={"ab": ((look("a", "b"),),), "either": ((look("a"), look("b")),)},
        groups={"ab": alone(AB), "either": [frozenset({A, B})]},
        seconds={"ab": 1000},
    )
    assert sorted(names(await both.choose())) == ["t1 a b", "t1 b"]


async def test_both_sides_of_a_join_get_one_where_each_is_worth_it() -> None:
    """Neither alone spares so much of the statement's cost, and the second is of use beside the first."""
    other = candidate("a", table=2)
    join = Scene(
        statements={"join": ((look("a", "b"),), (look("a", "b", table=2),))},
        groups={"join": [*alone(AB, other), frozenset({AB, other})]},
    )
    assert sorted(names(await join.choose())) == ["t1 a b", "t2 a"]


@pytest.mark.parametrize(("budget", "wanted"), [(24e6, ["t1 a b"]), (23.9e6, ["t1 a"]), (16e6, ["t1 a"]), (15e6, [])])
async def test_the_budget_is_kept(budget: float, wanted: list[str]) -> None:
    """An index on two columns takes 24 MB, on one 16 MB: what fits is better than nothing."""
    assert names(await scene("a", "ab", terms=Terms(budget_bytes=budget)).choose()) == wanted


@pytest.mark.parametrize(("most", "wanted"), [(2, 2), (1, 1), (0, 0)])
async def test_no_table_gets_too_many(most: int, wanted: int) -> None:
    """However much each saves."""
    assert len((await scene("a", "b", terms=Terms(per_table=most)).choose()).choices) == wanted


async def test_columns_beside_the_keys_must_spare_much() -> None:
    """They make every write dearer: a few visits spared are not worth them, the better part of the cost is."""
    wide = candidate("a", include=["b"])
    few, many = (look("a", needed=["a", "b"], distinct=each) for each in (1000, 250))
    for asked, wanted in ((few, ["t1 a"]), (many, ["t1 a + b"])):
        assert names(await Scene(statements={"q": ((asked,),)}, groups={"q": alone(A, wide)}).choose()) == wanted


async def test_what_the_planner_refuses_is_not_chosen_and_the_reason_kept() -> None:
    """Whole groups fall with it."""
    either = Scene(
        statements={"either": ((look("a"), look("b")),)},
        groups={"either": [frozenset({A, B})]},
    )
    chosen = await either.choose(either.source(refused=[B]))
    assert chosen.choices == ()
    assert chosen.rejected[B] == "no such operator class"


async def test_small_gains_are_not_told() -> None:
    """Less than a share of the workload, or than so many ms a day."""
    busy = scene("ab", "c", seconds={"c": 1e6})
    assert names(await busy.choose()) == []
    assert names(await replace(busy, seconds={"c": 1e5}).choose()) == ["t1 a b"]
    assert names(await scene("ab", terms=Terms(least_ms_per_day=100_000)).choose()) == []


async def test_a_statement_must_get_much_cheaper() -> None:
    """Half of its cost is in a table that has no use for an index: more than 0.6 of it stay."""
    halved = scene("ab", statements={"ab": ((look("a", "b"),), (look("c", table=2),))})
    assert len((await halved.choose()).choices) == 1
    more = replace(halved, statements={"ab": ((look("a", "b"),), (look("c", table=2),), (look("c", table=2),))})
    assert (await more.choose()).choices == ()


async def test_an_index_that_others_made_needless_goes() -> None:
    """A was best for many; those who made it so are better served since, and the rest is not worth it."""
    three = Scene(
        statements={"ab": ((look("a", "b"),),), "ac": ((look("a", "c"),),)},
        groups={"ab": alone(A, BA), "ac": alone(A, candidate("c", "a"))},
    )
    assert sorted(names(await three.choose())) == ["t1 b a", "t1 c a"]


async def test_nothing_proposed_is_nothing_chosen() -> None:
    """No statement, no group, no plan of today: no error."""
    assert (await Scene(statements={}, groups={}).choose()).choices == ()
    assert (await Scene(statements={"q": ((look("a"),),)}, groups={"q": []}).choose()).choices == ()
    assert (await Scene(statements={}, groups={"q": alone(A)}).choose()).choices == ()


ROOM = scene("a", "b", "ab", "ba", "abc")
ROOM = replace(ROOM, statements={**ROOM.statements, "far": ((look("a", table=2),),)})
ROOM = replace(ROOM, groups={**ROOM.groups, "far": alone(candidate("a", table=2))}, seconds={"far": 9.0})


@pytest.mark.parametrize("limit", range(6, 40))
async def test_when_plans_run_out_what_is_known_is_told(limit: int) -> None:
    """From the first plans with candidates on something is proposed, as good as was seen; and that it was cut short."""
    source = ROOM.source(limit=limit)
    chosen = await ROOM.choose(source)
    whole = await ROOM.choose()
    assert source.plans <= limit
    assert bool(chosen.choices) == (limit > 6)
    assert saved(chosen) <= saved(whole) * 1.01
    assert source.plans == limit or not chosen.cut
    if not chosen.cut:
        assert chosen == whole


async def test_a_search_cut_short_says_so_of_what_was_not_taken() -> None:
    """Not that it is not worth it."""
    chosen = await ROOM.choose(ROOM.source(limit=9))
    assert all("may not have been looked at" in why for why in chosen.rejected.values())


def test_what_begins_with_anothers_keys_covers_it() -> None:
    """Of the same method and predicate, and with the same columns beside."""
    assert covers(AB, A)
    assert covers(A, A)
    assert not covers(A, AB)
    assert not covers(BA, A)
    assert not covers(AB, candidate("a", table=2))
    assert covers(ABC, candidate("a", include=["b"]))
    assert not covers(AB, candidate("a", include=["c"]))
    assert covers(candidate("a", "b", include=["c"]), candidate("a", include=["c", "b"]))
    assert not covers(replace(AB, where="a > 0"), A)
    assert not covers(A, replace(A, where="a > 0"))
    assert not covers(candidate("a", "b", method="brin"), candidate("a", method="brin"))


def test_the_order_of_keys_matters_to_a_cover() -> None:
    """A descending key is another."""
    down = Candidate(table=1, schema="public", name="t1", keys=(IndexKey(expression="a", column=2, descending=True),))
    assert not covers(AB, down)


def test_a_group_is_told_without_what_another_of_it_covers() -> None:
    """Of two that do the same, one is left."""
    assert needed(frozenset({A, AB, B})) == {AB, B}
    twins = frozenset({candidate("a", include=["b", "c"]), candidate("a", include=["c", "b"])})
    assert len(needed(twins)) == 1
