"""The exam examined: it is large enough, it grades as it says, and `monitor advise` passes it (a long run)."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.conftest import absent
from tests.exam import world
from tests.exam.advising import advice
from tests.exam.built import indexes
from tests.exam.grade import Grade, Kind
from tests.exam.grading import graded
from tests.exam.ledger import STATEMENT
from tests.exam.ledger_work import ENTRIES
from tests.exam.model import Drop, Index, Right
from tests.exam.world import EXAM
from tests.versions import NEWEST, binaries

SMALL = 0.01
UNBUILDABLE = {"shop.bucket(id)", "date_trunc('month', booked_at)"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small() -> AsyncIterator[str]:
    """The exam's database with a hundredth of its rows, at which nobody has worked."""
    if binaries(NEWEST) is None:
        absent(f"PostgreSQL {NEWEST} is not fetched: python -m tests.versions fetch")
    async with world.server() as running:
        yield await world.load(running, SMALL)


def finding(rule: str, named: str, sql: Sequence[str], rollback: Sequence[str] = (), **thing: Any) -> dict[str, Any]:
    """One finding of a report, with what the grader reads of it."""
    schema, name = named.split(".", 1)
    return {
        "rule": rule,
        "severity": "warning",
        "subject": named,
        "object": {"kind": "index", "schema": schema, "name": name, **thing},
        "remedy": {"sql": sql, "rollback": rollback},
    }


def missing(table: str, index: Index, name: str = "proposed", rule: str = "index.missing") -> dict[str, Any]:
    schema = table.split(".", maxsplit=1)[0]
    return finding(rule, table, [index.sql(table, name)], [f"drop index {schema}.{name}"], kind="table")


async def unneeded(dsn: str, *names: str) -> list[dict[str, Any]]:
    """Findings that drop these, and build them again."""
    session = await asyncpg.connect(dsn)
    try:
        known = await indexes(session)
    finally:
        await session.close()
    rule = "index.redundant_prefix"
    return [finding(rule, name, [f"drop index {name}"], [known[name].definition]) for name in names]


async def grade(dsn: str, *findings: Mapping[str, Any], aged: bool = True) -> Grade:
    return await graded(dsn, {"findings": findings}, build=False, aged=aged)


def answers(place: int) -> Iterator[dict[str, Any]]:
    """Findings with the right answer at this place of each list (the last one of a shorter list)."""
    for number, right in enumerate(EXAM.rights):
        answer = right.answers[min(place, len(right.answers) - 1)]
        yield missing(right.table, answer, f"answer_{number}")


def test_the_exam_is_as_large_as_was_asked_for() -> None:
    """Statements, right indexes, wrong ones and those to drop, over three schemas."""
    assert len(EXAM.schools) >= 3
    assert len(EXAM.shapes) >= 42
    assert len(EXAM.rights) >= 20
    assert len(EXAM.wrongs) >= 20
    assert len([drop for drop in EXAM.drops if not drop.aged]) >= 4
    assert len(EXAM.keeps) >= 4


def test_names_are_told_once() -> None:
    """Shapes are known by their names; what may go and what has to stay are different indexes."""
    names = [shape.name for shape in EXAM.shapes]
    assert len(set(names)) == len(names)
    droppable = [name for drop in EXAM.drops for name in drop.any_of]
    assert len(set(droppable)) == len(droppable)
    assert not {keep.name for keep in EXAM.keeps} & set(droppable)


@pytest.mark.parametrize("right", EXAM.rights, ids=lambda right: f"{right.table} {right.answers[0]}")
def test_a_right_index_is_right_for_a_statement_on_its_table(right: Right) -> None:
    """The shape exists, and it is said to read the table."""
    (shape,) = [shape for shape in EXAM.shapes if shape.name == right.shape]
    assert right.table in shape.tables


@pytest.mark.parametrize("place", [0, 1, 5])
async def test_right_answers_pass(small: str, place: int) -> None:
    """Whichever of the answers is given: each is found, none is wrong, and nothing is left behind."""
    names = [drop.any_of[min(place, len(drop.any_of) - 1)] for drop in EXAM.drops]
    result = await grade(small, *answers(place), *await unneeded(small, *names))
    assert result.missed == []
    assert {each.kind for each in result.marks} == {Kind.RIGHT, Kind.DROPPED}
    assert (result.recall, result.precision, result.passed) == (1.0, 1.0, True)


async def test_wrong_indexes_are_forbidden(small: str) -> None:
    """One forbidden proposal spoils the exam; what cannot be built does so as well."""
    wrongs = [missing(wrong.table, wrong.index) for wrong in EXAM.wrongs]
    result = await grade(small, *wrongs, *answers(0))
    unbuildable = [UNBUILDABLE & set(wrong.index.keys) for wrong in EXAM.wrongs]
    expected = [Kind.BROKEN if each else Kind.FORBIDDEN for each in unbuildable]
    assert [each.kind for each in result.marks] == [*expected, *[Kind.RIGHT] * len(EXAM.rights)]
    assert not result.passed


async def test_half_an_answer_is_forbidden_only_beside_the_whole_one(small: str) -> None:
    """By itself it helps, so it is an extra that may be proved; beside the right one it is a waste."""
    half = missing(ENTRIES, Index(keys=("account_id",)))
    whole = missing(ENTRIES, STATEMENT)
    assert [each.kind for each in (await grade(small, half)).marks] == [Kind.EXTRA]
    assert [each.kind for each in (await grade(small, half, whole)).marks] == [Kind.FORBIDDEN, Kind.RIGHT]


async def test_indexes_that_are_needed_may_not_go(small: str) -> None:
    """Also where the server itself would refuse."""
    result = await grade(small, *await unneeded(small, *(keep.name for keep in EXAM.keeps)))
    assert result.count(Kind.WRONGLY_DROPPED) == len(EXAM.keeps)


@pytest.mark.parametrize("drop", [drop for drop in EXAM.drops if len(drop.any_of) > 1], ids=lambda drop: drop.why)
async def test_of_a_pair_only_one_may_go(small: str, drop: Drop) -> None:
    """The second one is a wrong drop, whichever it is; to say the first one twice is none."""
    first, second = await unneeded(small, *drop.any_of)
    result = await grade(small, first, {**first, "rule": "index.unused"}, second)
    assert [each.kind for each in result.marks] == [Kind.DROPPED, Kind.AGREED, Kind.WRONGLY_DROPPED]


async def test_unused_indexes_count_only_when_asked_for(small: str) -> None:
    """The server's statistics are minutes old: without `aged` nobody is blamed for leaving them, or for naming them."""
    (aged, *_) = [drop for drop in EXAM.drops if drop.aged]
    result = await grade(small, *await unneeded(small, aged.any_of[0]), aged=False)
    assert [each.kind for each in result.marks] == [Kind.AGED]
    assert result.expected == len(EXAM.rights) + len([drop for drop in EXAM.drops if not drop.aged])


async def test_what_the_sql_does_counts_and_not_what_is_said(small: str) -> None:
    """A statement that fails, that builds something else, that builds nothing or half, or that cannot be undone."""
    title = Index(keys=("title", "id"))
    good = missing("saas.tasks", title)
    nothing = {**good, "remedy": {"sql": [], "rollback": []}}
    lasting = {**good, "remedy": {**good["remedy"], "rollback": []}}
    refused = missing("saas.tasks", Index(keys=("no_such_column",)))
    other = {**good, "object": {**good["object"], "columns": ["state"]}}
    partial = {**good, "remedy": {**good["remedy"], "sql": ["create index proposed on only saas.activity (action)"]}}
    broken = (nothing, lasting, refused, other, partial)
    result = await grade(small, good, *broken, good)
    assert result.count(Kind.BROKEN) == len(broken)
    assert result.marks[0] == result.marks[-1]
    assert result.marks[0].kind is Kind.EXTRA


async def test_an_extra_is_built_and_timed(small: str) -> None:
    """Here it gains nothing; statements that name a partition's parent are asked."""
    lone = missing("saas.activity_5", Index(keys=("action",)))
    result = await graded(small, {"findings": [lone]}, build=True, aged=True)
    (mark,) = result.marks
    assert (mark.kind, mark.about != "") == (Kind.EXTRA, True)


async def test_two_rules_may_agree_but_not_differ(small: str) -> None:
    """The same index under the same name is one; under another name it would be built twice."""
    index = Index(keys=("product_id",))
    first = missing("shop.order_lines", index)
    same = missing("shop.order_lines", index, rule="index.missing_foreign_key")
    differing = missing("shop.order_lines", index, "another", rule="index.missing_foreign_key")
    assert [each.kind for each in (await grade(small, first, same)).marks] == [Kind.RIGHT, Kind.AGREED]
    assert [each.kind for each in (await grade(small, first, differing)).marks] == [Kind.RIGHT, Kind.REPEATED]


async def test_a_remark_about_a_foreign_key_is_no_proposal(small: str) -> None:
    """Severity info: a small child of a parent that never changes."""
    remark = missing("saas.notes", Index(keys=("about",)), rule="index.missing_foreign_key")
    assert (await grade(small, {**remark, "severity": "info"})).marks == []


async def test_directions_count_where_rows_are_asked_for_in_mixed_order(small: str) -> None:
    """Turning all of them round changes nothing; turning one does."""
    turned = missing("ledger.tickets", Index(keys=("priority", "opened_at desc")))
    plain = missing("ledger.tickets", Index(keys=("priority", "opened_at")))
    assert [each.kind for each in (await grade(small, plain, turned)).marks] == [Kind.EXTRA, Kind.RIGHT]


async def test_every_statement_of_the_workload_runs(small: str) -> None:
    """Each shape once, in the role and with the setting it asks for, rolled back."""
    session = await asyncpg.connect(small)
    try:
        for shape in EXAM.shapes:
            rows = await world.values(session, shape)
            async with world.at_work(small, shape, await world.setting(session, shape)) as own:
                change = own.transaction()
                await change.start()
                await own.executemany(shape.sql, rows[:1])
                await change.rollback()
    finally:
        await session.close()


@pytest.mark.soak
@pytest.mark.parametrize("scale", [1.0, 0.25])
async def test_the_advice_passes_the_exam(scale: float) -> None:
    """Recall and precision of 95 %, nothing forbidden, no wrong drop: at full and at quarter scale."""
    async with world.server() as running:
        dsn = await world.load(running, scale)
        await world.work(dsn, lambda _: None)
        result = await graded(dsn, await advice(dsn, aged=True), build=True, aged=True)
    assert result.passed, result.text()
