"""Drops over random sets of indexes: nothing that was served, unique or relied on is lost, whatever the set."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from monitor.advisors.index.choices import Choice
from monitor.advisors.index.drops import Decision, Fate, decide
from monitor.advisors.index.redundant import Duplicate, RedundantPrefix
from monitor.advisors.index.served import served
from monitor.advisors.index.spared import as_index, spared
from monitor.advisors.index.unused import Unused
from monitor.advisors.index.uses import uses_of
from monitor.model import Finding
from monitor.planning import Candidate
from monitor.rules.evaluate import advise
from monitor.shape import ForeignKey, Index, Shape
from probes.shape import PROBE
from tests.database import Database
from tests.looking import book_of
from tests.unit.indexes import LIMITS, NAMES, NOW, index, key, shape, table

keys = some.builds(
    key,
    some.sampled_from(NAMES[1:4]),
    descending=some.booleans(),
    opclass=some.sampled_from(["", "", "", "text_pattern_ops"]),
)
unlike = some.lists(keys, min_size=1, max_size=3, unique_by=lambda each: each.column)


@some.composite
def indexes(draw: some.DrawFn) -> Index:
    """An index on few columns, so that sets of them are full of duplicates and prefixes."""
    unique = draw(some.integers(0, 4)) == 0
    columns = draw(unlike)
    rest = [name for name in NAMES[1:] if name not in {each.expression for each in columns}]
    made = index(
        "x",
        *columns,
        unique=unique,
        constraint="k" if unique and draw(some.booleans()) else "",
        deferrable=unique and draw(some.booleans()),
        include=tuple(draw(some.lists(some.sampled_from(rest), max_size=2, unique=True))),
        where=draw(some.sampled_from(["", "", "", "(d > 1)"])),
        valid=draw(some.integers(0, 9)) > 0,
        scans=draw(some.sampled_from([0, 0, 7, 10**9])),
        pages=draw(some.sampled_from([1, 100, 5000])),
    )
    return replace(made, name=f"x{made.oid}", deferrable=made.deferrable and bool(made.constraint))


foreign = some.builds(
    lambda columns, outward: ForeignKey(
        name="k",
        table=1 if outward else 9,
        columns=tuple(columns),
        parent=9 if outward else 1,
        parent_columns=tuple(columns),
    ),
    some.lists(some.integers(2, 4), min_size=1, max_size=2, unique=True),
    some.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(some.lists(indexes(), min_size=1, max_size=9), some.lists(foreign, max_size=3))
def test_nothing_is_lost(own: Sequence[Index], references: Sequence[ForeignKey]) -> None:
    """Each dropped index has a cover that stays, or nobody who needs it; all that is unique stays so."""
    seen = shape(table(*own), keys=references)
    decided = decide(seen, uses_of(seen, NOW), limits=LIMITS)
    gone = {oid for oid, each in decided.items() if each.fate not in {Fate.KEPT, Fate.YOUNG}}
    left = [each for each in own if each.oid not in gone]
    for oid in gone:
        _check(decided[oid], gone)
    for unique in (each for each in own if each.unique and each.valid):
        assert any(each.unique and _set(each) == _set(unique) for each in left if each.valid)
    for reference in references:
        columns = reference.columns if reference.table == 1 else reference.parent_columns
        assert _serving(left, columns, reference.table != 1) or not _serving(own, columns, reference.table != 1)
    again = shape(table(*left), keys=references)
    assert {each.fate for each in decide(again, uses_of(again, NOW), limits=LIMITS).values()} <= {
        Fate.KEPT,
        Fate.YOUNG,
        Fate.UNUSED,
    }


@settings(max_examples=300, deadline=None)
@given(some.lists(indexes(), min_size=1, max_size=9), some.data())
def test_drops_leave_what_additions_rely_on(own: Sequence[Index], data: some.DataObject) -> None:
    """Of the same cycle: it stays, or what covers it does. And whatever goes as covered is not proposed anew."""
    there = table(*own)
    seen = shape(there)
    relied = data.draw(some.sets(some.sampled_from([each.oid for each in own if each.valid] or [0])))
    decided = decide(seen, uses_of(seen, NOW), relied, LIMITS)
    gone = {oid for oid, each in decided.items() if each.fate not in {Fate.KEPT, Fate.YOUNG}}
    left = replace(there, indexes=tuple(each for each in own if each.oid not in gone))
    for oid in relied & gone:
        cover = decided[oid].cover
        assert cover is not None
        assert cover.oid not in gone
    for oid in gone:
        assert served(_candidate(decided[oid].index), there)
        assert decided[oid].fate is Fate.UNUSED or served(_candidate(decided[oid].index), left)


@settings(max_examples=300, deadline=None)
@given(some.lists(indexes(), max_size=7), indexes())
def test_what_an_addition_spares_goes_once_it_stands(own: Sequence[Index], wanted: Index) -> None:
    """The proposal and the drops afterwards are one judge's word, and nobody else's work is called spared."""
    there = table(*own)
    choice = Choice(candidate=_candidate(wanted), helped=(), spent_ms_per_day=0, size_bytes=8192.0 * wanted.pages)
    told = {each.oid for each in spared(choice, shape(there), NOW)}
    made = replace(as_index(choice.candidate, wanted.pages), oid=10**6)
    after = shape(replace(there, indexes=(*own, made)))
    decided = decide(after, uses_of(after, NOW)).values()
    assert told == {each.index.oid for each in decided if each.cover and each.cover.oid == made.oid}
    assert not told & {each.oid for each in own if each.constraint or each.unique or not each.valid}


def _candidate(own: Index) -> Candidate:
    keys, include = own.keys, own.include
    return Candidate(table=1, schema="public", name="t", keys=keys, include=include, where=own.where)


@settings(max_examples=100, deadline=None)
@given(some.lists(indexes(), min_size=1, max_size=9), some.randoms())
def test_the_order_of_the_catalogue_decides_nothing(own: list[Index], chance: Random) -> None:
    """The same set, the same answer: a finding must not come and go by chance."""
    mixed = [*own]
    chance.shuffle(mixed)
    assert _fates(shape(table(*own))) == _fates(shape(table(*mixed)))


def _fates(seen: Shape) -> dict[int, tuple[Fate, int]]:
    decided = decide(seen, uses_of(seen, NOW), limits=LIMITS)
    return {oid: (each.fate, each.cover.oid if each.cover else 0) for oid, each in decided.items()}


def _check(decision: Decision, gone: Collection[int]) -> None:
    dropped, cover = decision.index, decision.cover
    assert dropped.valid
    assert not dropped.constraint
    if decision.fate is Fate.UNUSED:
        assert not dropped.unique
        assert not dropped.scans
        return
    assert cover is not None
    assert cover.oid not in gone
    assert cover.valid
    assert [each.column for each in cover.keys[: len(dropped.keys)]] == [each.column for each in dropped.keys]
    assert [each.opclass for each in cover.keys[: len(dropped.keys)]] == [each.opclass for each in dropped.keys]
    assert cover.where == dropped.where
    assert set(dropped.include) <= {*cover.include, *(each.expression for each in cover.keys)}


def _set(unique: Index) -> tuple[set[int], str]:
    return {each.column for each in unique.keys}, unique.where


def _serving(own: Sequence[Index], columns: Sequence[int], unique: bool) -> bool:  # noqa: FBT001
    wanted = set(columns)
    if unique:
        return any(each.unique and each.valid and {key.column for key in each.keys} == wanted for each in own)
    return any(each.valid and {key.column for key in each.keys[: len(wanted)]} == wanted for each in own)


COLUMNS = ("a", "b", "c", "lower(c)")
ORDERS = ("", "", "", " desc", " nulls first", " desc nulls last")


def _random_index(chance: Random, number: int) -> str:
    columns = chance.sample(COLUMNS, chance.randint(1, 3))
    ordered = ", ".join(column + chance.choice(ORDERS) for column in columns)
    unique = "unique " if chance.random() < 0.15 else ""
    include = chance.choice(["", "", " include (d)", " include (d, id)"])
    where = chance.choice(["", "", "", " where d > 5"])
    return f"create {unique}index x{number} on t ({ordered}){include}{where}"


SERVED = """
    select i.indexrelid::regclass::text as name, i.indkey::text as columns, i.indisunique as unique,
           i.indnkeyatts as keys, coalesce(pg_get_expr(i.indpred, i.indrelid), '') as where
      from pg_index i where i.indrelid = 't'::regclass
"""


@pytest.mark.parametrize("seed", range(3))
async def test_all_that_is_printed_can_be_run(database: Database, seed: int) -> None:
    """On a real server: no remedy fails, constraints and foreign keys stand, and a second look finds nothing more."""
    chance = Random(seed)
    for statement in (
        "create table t (id bigint primary key, a bigint not null, b bigint not null, c text, d int, unique (a, b))",
        "insert into t select g, g, g * 2, 'c' || g, g % 9 from generate_series(1, 500) g",
        *(_random_index(chance, number) for number in range(40)),
        "create unique index referenced on t (b, a)",
        "create table child (id bigint primary key, b bigint, a bigint, foreign key (b, a) references t (b, a))",
        "create index child_key on child (b)",
        "create index child_wide on child (b, a)",
        "alter table t replica identity using index t_a_b_key",
    ):
        await database.execute(statement)
    rules = (Duplicate(), RedundantPrefix(), Unused(min_age=0, min_bytes=0))
    before = {row["name"]: row for row in await database.fetch(SERVED)}
    found = await _found(database, *rules)
    assert len({each.subject for each in found}) == len(found) > 5
    for finding in found:
        await database.apply(finding.remedy)
    after = await database.fetch(SERVED)
    for finding in (each for each in found if each.rule != "index.unused" and each.evidence["table"] == "public.t"):
        gone = before[finding.subject.removeprefix("public.")]
        columns = gone["columns"].split()[: gone["keys"]]
        assert any(row["columns"].split()[: gone["keys"]] == columns and row["where"] == gone["where"] for row in after)
    uniques = {frozenset(row["columns"].split()[: row["keys"]]) for row in after if row["unique"]}
    assert {frozenset(row["columns"].split()[: row["keys"]]) for row in before.values() if row["unique"]} == uniques
    assert await database.value("select count(*) from pg_constraint where conrelid = 'child'::regclass") >= 2
    assert await database.value("select count(*) from pg_indexes where tablename = 'child'") == 2
    assert await _found(database, *rules[:2]) == []


async def _found(database: Database, *rules: Duplicate | RedundantPrefix | Unused) -> list[Finding]:
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        book = book_of(database.name, await eye.look())
    said = [verdict for rule in rules for verdict in (await advise(rule, book)).verdicts]
    return [verdict for verdict in said if isinstance(verdict, Finding)]
