"""Declared and observed pools on real servers, against real limits; the sum's lines, and the number to change."""

from dataclasses import replace

import pytest

from monitor.errors import Needs
from monitor.model import Confidence, Finding, Target
from probes.pool import PROBE
from probes.pool_budget import Budget, Marks, PoolBudget, PoolOptions, demands, kin
from tests.database import Database
from tests.probes.test_pool import application, undo

RULE = PoolBudget()


async def judged(database: Database, *budgets: Budget, rule: PoolBudget = RULE) -> list[Finding]:
    return await database.judge(PROBE, rule, options=PoolOptions(budgets=budgets))


async def test_more_declared_than_the_server_gives_is_found_on_a_quiet_day(any_database: Database) -> None:
    """Sick: 20 x 6 of 57 slots, while nobody is busy. Cured as the caution says: the pool takes what fits."""
    api = Budget(application="api", size=20, replicas=6)
    (finding,) = await judged(any_database, api)
    assert (finding.rule, finding.object.kind, finding.subject) == ("pool.budget", "pool", "max_connections")
    assert finding.evidence["lines"][0] == "api: 20 x 6 = 120 (declared)"  # type: ignore[index]
    assert (finding.evidence["limit_count"], finding.confidence) == (57, Confidence.HIGH)
    assert finding.remedy.sql == ()
    others = int(finding.evidence["count"]) - 120  # type: ignore[arg-type]
    assert f"Let api take {57 - others} instead of 120" in finding.remedy.caution
    assert await judged(any_database, replace(api, size=57 - others, replicas=1)) == []


async def test_a_sum_that_equals_the_limit_fits(database: Database) -> None:
    """Exactly at the limit there is room for all; one more, and there is not."""
    (finding,) = await judged(database, Budget(application="api", size=500))
    others = int(finding.evidence["count"]) - 500  # type: ignore[arg-type]
    assert await judged(database, Budget(application="api", size=57 - others)) == []
    assert len(await judged(database, Budget(application="api", size=58 - others))) == 1


async def test_a_roles_limit_below_its_pools_is_found_and_the_remedy_mends_it(any_database: Database) -> None:
    """Sick: the pool may ask for 8, the role may have 5. Cured by running the remedy; undone by its rollback."""
    async with application(any_database, "connection limit 5", suffix="-Ä") as app:
        await app.connect("worker-17")
        pool = Budget(application="worker-3", size=4, replicas=2)
        (finding,) = await judged(any_database, pool)
        assert (finding.object.kind, finding.object.name) == ("role", app.role)
        assert (finding.evidence["count"], finding.evidence["limit_count"]) == (8, 5)
        await any_database.apply(finding.remedy)
        assert await judged(any_database, pool) == []
        await undo(any_database, finding)
        assert len(await judged(any_database, pool)) == 1


async def test_a_databases_limit_is_judged_as_well(database: Database) -> None:
    """Named in the budget, so that nobody needs to have been seen in it."""
    await database.execute(f"alter database {database.name} connection limit 12")
    (finding,) = await judged(database, Budget(application="api", size=15, database=database.name))
    assert (finding.object.kind, finding.target.database) == ("database", database.name)
    await database.apply(finding.remedy)
    assert await judged(database, Budget(application="api", size=15, database=database.name)) == []


async def test_what_was_seen_counts_after_an_hour_only(database: Database) -> None:
    """Too little: one look, nothing declared. Near miss, once an hour has passed: what was seen fits."""
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        (verdict,) = eye.unsaid(seen, RULE)
        assert verdict.needs is Needs.HISTORY
        assert eye.verdicts(seen, replace(RULE, min_watched=0)) == []


def groups(**sessions: int) -> list[dict[str, object]]:
    place = {"database": "shop", "role": "web", "state": "idle", "own_sessions": 0}
    return [{**place, "application": name.replace("_", " "), "sessions": count} for name, count in sessions.items()]


def test_the_most_seen_is_remembered_for_a_day() -> None:
    """Two applications that were busy at different times are counted with their most; after a day they are not."""
    marks = Marks()
    marks.take(0, groups(api=30, report=1))
    watched, most = marks.take(3600, groups(api=2, report=40))
    assert (watched, most) == (3600, {("shop", "web", "api"): 30, ("shop", "web", "report"): 40})
    _, later = marks.take(86400 + 10, groups(api=3))
    assert later == {("shop", "web", "api"): 3, ("shop", "web", "report"): 40}


def test_processes_with_a_number_of_their_own_are_one_application() -> None:
    """Else each restart would count once more."""
    marks = Marks()
    marks.take(0, groups(worker_1=3))
    _, most = marks.take(15, groups(worker_2=3))
    assert most == {("shop", "web", "worker #"): 3}
    (line,) = demands([Budget(application="worker 9", size=2)], most)
    assert (line.line, line.role) == ("worker 9: 2 x 1 = 2 (declared)", "web")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("api-7d9f8b6c5-x2x9k", "api-5b4c9d7f6-qvbnm"),
        ("api-7d9f8b6c5-x2x9k", "api-6fdbcbdfd-zkxwl"),
        ("job 550e8400-e29b-41d4-a716-446655440000", "job 1b4e28ba-2fa1-11d2-883f-0016d3cca427"),
        ("api@3f9a1bc", "api@77e0d21"),
    ],
)
def test_pods_and_commits_are_one_application(one: str, other: str) -> None:
    """Else each deployment of a day would count beside the last one, and five of them exceed any limit."""
    assert kin(one) == kin(other)
    assert kin("checkout-worker") == "checkout-worker"
    assert kin("ledger-service-admin") == "ledger-service-admin"


def test_a_poolers_pool_covers_whoever_comes_by_it() -> None:
    """Applications keep their names through PgBouncer; its pool of role and database is the bound of them all."""
    marks = {("shop", "web", "api"): 15.0, ("shop", "web", ""): 4.0, ("shop", "etl", "load"): 3.0}
    pool = Budget(role="web", database="shop", size=20, replicas=2)
    lines = demands([pool], marks)
    assert [each.line for each in lines] == ["pool of web in shop: 20 x 2 = 40 (declared)", "etl (load): 3 (most seen)"]
    assert (lines[0].role, lines[0].database) == ("web", "shop")


def test_a_pool_of_nobody_is_refused() -> None:
    """It would cover everybody."""
    with pytest.raises(ValueError, match="named"):
        Budget(size=3)


def test_marks_are_bounded() -> None:
    """However many applications come by, the largest stay."""
    marks = Marks()
    _, most = marks.take(0, [])
    for place in range(300):
        name = "".join(chr(97 + int(digit)) for digit in str(place))
        _, most = marks.take(place, groups(**{f"app_{name}": place + 1}))
    assert len(most) == 200


def test_budgets_concern_the_server_they_name() -> None:
    """Or all, when they name none."""
    options = PoolOptions(budgets=(Budget(application="a", size=1), Budget(application="b", size=1, target="shop")))
    assert [each.application for each in options.for_target(Target("shop")).budgets] == ["a", "b"]
    assert [each.application for each in options.for_target(Target("other")).budgets] == ["a"]


def test_a_negative_pool_is_refused() -> None:
    """A slip in the configuration is no pool."""
    with pytest.raises(ValueError, match="negative"):
        Budget(application="a", size=-1)
