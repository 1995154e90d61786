"""Pools of PgBouncers in the sum of pool.budget: read from real consoles, added to the real server behind them."""

import asyncpg

from monitor.collect.joints import Joints
from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.collect.way import way_to
from monitor.lasting import Memory
from monitor.model import Confidence, Finding, Secret, Server, Target
from monitor.rules.evaluate import evaluate
from probes import pgbouncer, pool
from probes.pool_behind import DAY, Pool, Poolers, of_console
from probes.pool_budget import Budget, PoolBudget, demands
from tests.database import Database
from tests.poolers import pooler

USERS = {"app": "pwapp", "eye": "pweye"}


def row(database: str = "shop", user: str = "app", **limits: object) -> dict[str, object]:
    return {
        "database": database,
        "user": user,
        "pool_size": 20.0,
        "reserve_pool": 0.0,
        "max_connections": 0.0,
        **limits,
    }


def lines(*rows: dict[str, object], per_user: int = 0, **databases: object) -> list[tuple[str, float, str]]:
    """Give name, most and how of what the console's rows come to."""
    shown = [{"name": name, "database": name, **dict(more)} for name, more in databases.items()]  # type: ignore[call-overload]
    return [(each.name, each.most, each.how) for each in of_console(rows, shown, per_user)]


def test_a_pool_may_open_its_size_and_its_reserve() -> None:
    """One line a pool; the console's own pool opens nothing."""
    assert lines(row(), row(user="api", reserve_pool=5.0), row("pgbouncer", "pgbouncer")) == [
        ("pool of app in shop", 20, "20"),
        ("pool of api in shop", 25, "20 + 5"),
    ]


def test_limits_of_users_and_databases_hold_as_well() -> None:
    """max_user_connections for each pool, max_db_connections for all pools of a database, where it is the lower."""
    assert lines(row(), per_user=12) == [("pool of app in shop", 12, "12, max_user_connections")]
    both = [row(max_connections=30.0), row(user="api", max_connections=30.0)]
    assert lines(*both) == [("pool in shop", 30, "30, its max_db_connections")]
    assert len(lines(row(max_connections=20.0))) == 1
    assert lines(row(max_connections=20.0))[0][2] == "20"


def test_names_are_those_of_the_server() -> None:
    """An alias counts to the database it leads to, a forced user to whom it logs in as."""
    assert lines(row("shop_ro"), shop_ro={"database": "shop", "force_user": "reader"}) == [
        ("pool of reader in shop", 20, "20")
    ]


def test_a_pool_is_added_up_once() -> None:
    """Not beside the same pool declared, nor beside its own sessions; other roles count as they were seen."""
    shop = Pool(pooler="p", database="shop", role="app", most=20, how="20 (p)")
    marks = {("shop", "app", "web"): 9.0, ("shop", "boss", "psql"): 2.0}
    assert [each.most for each in demands((), marks, [shop])] == [20, 2]
    declared = Budget(role="app", database="shop", size=40)
    assert [each.most for each in demands((declared,), marks, [shop])] == [40, 2]
    assert [each.most for each in demands((Budget(application="api", size=5),), marks, [shop])] == [5, 20, 2]


def test_what_a_pooler_told_stays_for_a_day() -> None:
    """It may be restarted meanwhile; one that is gone for good counts no longer."""
    now = [0.0]
    poolers = Poolers(lambda: now[0])
    poolers.tell("a", of_console([row()], [], 0))
    poolers.tell("b", of_console([row(user="api")], [], 0))
    assert [each.how for each in poolers.pools()] == ["20 (a)", "20 (b)"]
    now[0] = DAY
    poolers.tell("b", [])
    assert len(poolers.pools()) == 1
    now[0] = DAY + 1
    assert poolers.pools() == []


def test_only_who_serves_a_server_shares_with_it() -> None:
    """And what is forgotten of a target is begun anew."""
    joints = Joints()
    joints.join("pool", "shop")
    joints.join("other", None)
    assert joints.of("pool") is joints.of("shop")
    assert joints.of("other") is not joints.of("shop")
    before = joints.of("shop")
    joints.forget("shop")
    assert joints.of("shop") is not before
    joints.forget("pool")
    assert joints.of("pool") is not joints.of("shop")
    assert Memory().joint is not None


async def test_a_pgbouncer_that_may_open_too_much_is_found_on_a_quiet_day(database: Database) -> None:
    """Sick: pool_size 90 of 57 slots, and nobody is busy. Near miss: the same PgBouncer serves another server."""
    await database.execute("create role app login password 'pwapp'")
    try:
        (finding,) = await judged(database, "90", serves="shop")
        assert (finding.rule, finding.confidence) == ("pool.budget", Confidence.HIGH)
        assert f"pool of app in {database.name}: 90 (pool)" in finding.summary
        assert await judged(database, "90", serves="elsewhere") == []
        assert await judged(database, "20", serves="shop") == []
    finally:
        await database.execute("drop role app")


async def judged(database: Database, size: str, *, serves: str) -> list[Finding]:
    """Look at a PgBouncer with a client, and then at the server behind it."""
    joints = Joints()
    joints.join("pool", serves)
    runner = Runner(joints=joints)
    async with pooler(database.server.port, "transaction", USERS, stats_users="eye", default_pool_size=size) as bouncer:
        console = way_to(Server(name="pool", dsn=Secret(bouncer.dsn("eye")), kind="pgbouncer"))
        server = PostgresServer(Server(name="shop", dsn=Secret(database.dsn)), environ={})
        client = await asyncpg.connect(bouncer.dsn("app", database.name), statement_cache_size=0, timeout=20)
        try:
            async with console.home() as session:
                await runner.run(pgbouncer.PROBE, Target("pool"), session)
            async with server.home() as session:
                seen = await runner.run(pool.PROBE, Target("shop"), session)
        finally:
            await client.close()
            await console.close()
            await server.close()
    said = [verdict for each in evaluate((PoolBudget(),), seen) for verdict in each.verdicts]
    return [each for each in said if isinstance(each, Finding)]
