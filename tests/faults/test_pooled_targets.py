"""The daemon and the snapshot on a PgBouncer's console and an application's pool, beside a server: what happens to one
leaves the others alone.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from monitor.collect.pooler import Console
from monitor.errors import TargetDenied, TargetError, TargetUnreachable, TargetUnsupported
from monitor.model import Secret, Server
from tests.end_to_end.command import monitor
from tests.faults.conftest import Shop
from tests.faults.harness import daemon, one, series
from tests.faults.proxy import Way, proxy_to
from tests.poolers import Pooler, pooler
from tests.probes.test_app_pool import saying, serving

PASSWORD = "c4n4ryEye"
USERS = {"eye": PASSWORD, "boss": "pwboss", "app": "pwapp"}
POOL = "db_in_use 9\ndb_size 10\ndb_waiting 0\n"


@asynccontextmanager
async def before(shop: Shop, **settings: str) -> AsyncIterator[Pooler]:
    """A PgBouncer before the shop's server, through which the shop's own role goes as an application."""
    password = shop.monitor.dsn.partition("://")[2].partition(":")[2].partition("@")[0]
    users = {**USERS, shop.role: password}
    async with pooler(
        shop.server.port, "transaction", users, stats_users="eye", admin_users="boss", **settings
    ) as started:
        yield started


async def opened(dsn: str) -> str:
    """Open the console and give its version."""
    way = Console(Server(name="pool", dsn=Secret(dsn), kind="pgbouncer"), environ={})
    try:
        async with way.home() as session:
            return session.facts.version
    finally:
        await way.close()


async def why_not(dsn: str) -> TargetError:
    with pytest.raises(TargetError) as raised:
        await opened(dsn)
    assert "c4n4ry" not in str(raised.value)
    return raised.value


async def test_who_may_look(shop: Shop) -> None:
    """Statistics users and administrators; nobody else, and each refusal says what mends it."""
    async with before(shop) as pool:
        assert (await opened(pool.dsn("eye"))).startswith("1.")
        assert await opened(pool.dsn("boss")) == await opened(pool.dsn("eye").removesuffix("pgbouncer"))
        refused = await why_not(pool.dsn("app"))
        assert isinstance(refused, TargetDenied)
        assert "stats_users = app" in str(refused)
        refused = await why_not(pool.dsn("eye").replace(PASSWORD, "c4n4ryWrong"))
        assert isinstance(refused, TargetDenied)
        assert "no such password" in str(refused)
        refused = await why_not(pool.dsn("eye") + "?sslmode=require")
        assert "offers no TLS" in str(refused)
    assert isinstance(await why_not(shop.monitor.dsn), TargetUnsupported)


async def test_one_connection_for_any_number_of_questions(shop: Shop) -> None:
    """Nothing is prepared, which the console would answer by closing."""
    async with before(shop) as pool:
        way = Console(Server(name="pool", dsn=Secret(pool.dsn("eye")), kind="pgbouncer"), environ={})
        async with way.home() as session:
            for _ in range(12):
                assert await session.fetch("SHOW POOLS")
        await way.close()


async def test_a_console_that_wants_tls(shop: Shop) -> None:
    """Refused without, with one clear line; answered with."""
    async with before(shop, client_tls_sslmode="require") as pool:
        refused = await why_not(pool.dsn("eye") + "?sslmode=disable")
        assert isinstance(refused, TargetDenied)
        assert "sslmode=require" in str(refused)
        for mode in ("prefer", "require"):
            assert await opened(pool.dsn("eye") + f"?sslmode={mode}")
        root, there = pool.config.parent / "cert.pem", pool.dsn("eye").replace("127.0.0.1", "localhost")
        assert await opened(f"{there}?sslmode=verify-full&sslrootcert={root}")
        for dsn in (f"{pool.dsn('eye')}?sslmode=verify-full&sslrootcert={root}", f"{there}?sslmode=verify-full"):
            refused = await why_not(dsn)
            assert isinstance(refused, TargetDenied)
            assert "sslrootcert" in str(refused)


@pytest.mark.parametrize("auth_type", ["md5", "plain", "scram-sha-256"])
async def test_a_wrong_login_is_said_in_every_way_of_logging_in(shop: Shop, auth_type: str) -> None:
    """A wrong password, a user nobody knows, no password at all: refused for who we are, not unreachable."""
    async with before(shop, auth_type=auth_type) as pool:
        assert await opened(pool.dsn("eye"))
        for dsn in (
            pool.dsn("eye").replace(PASSWORD, "c4n4ryWrong"),
            pool.dsn("eye").replace("//eye:", "//stranger:"),
            pool.dsn("eye").replace(f":{PASSWORD}", ""),
        ):
            refused = await why_not(dsn)
            assert isinstance(refused, TargetDenied), str(refused)
            assert "auth_file" in str(refused) or "PGPASSFILE" in str(refused)


@pytest.mark.soak
async def test_a_console_that_says_nothing_to_a_newcomer(shop: Shop) -> None:
    """The attempt to connect ends at its deadline; a frozen process is the same as a network that swallows."""
    async with before(shop) as pool:
        pool.freeze()
        assert "no answer within 5 s" in str(await why_not(pool.dsn("eye")))
        pool.thaw()
        assert await opened(pool.dsn("eye"))


async def test_a_console_that_stops_in_mid_answer(shop: Shop) -> None:
    """The question ends at its deadline, its thread with it, and the next one opens a new connection."""
    async with before(shop) as pool, proxy_to(pool.port) as proxy:
        dsn = pool.dsn("eye").replace(f":{pool.port}/", f":{proxy.port}/")
        way = Console(Server(name="pool", dsn=Secret(dsn), kind="pgbouncer"), environ={})
        async with way.home() as session:
            assert await session.fetch("SHOW LISTS")
            proxy.way = Way.SWALLOW
            session.within(0.2)
            with pytest.raises(TargetUnreachable, match="gave no answer"):
                await session.fetch("SHOW LISTS")
        assert not session.alive
        proxy.way = Way.FORWARD
        async with way.home() as again:
            assert again is not session
            assert await again.fetch("SHOW LISTS")
        await way.close()


async def test_a_socket_that_speaks_no_protocol(shop: Shop) -> None:
    """Garbage, and hanging up at once: a line, and no traceback."""
    async with proxy_to(1) as proxy:
        for way in (Way.GARBAGE, Way.HANG_UP):
            proxy.way = way
            assert isinstance(await why_not(f"postgresql://eye:{PASSWORD}@127.0.0.1:{proxy.port}/"), TargetUnreachable)


async def test_three_kinds_side_by_side(shop: Shop, tmp_path: Path) -> None:
    """All up but the one that is not there, each with its own probes."""
    async with before(shop) as pool, serving(saying(POOL)) as url:
        targets = [
            {"name": "shop", "dsn": shop.monitor.dsn},
            {"name": "pool", "kind": "pgbouncer", "dsn": pool.dsn("eye")},
            {"name": "api", "kind": "app_pool", "url": url, "in_use": "db_in_use", "size": "db_size"},
            {"name": "gone", "kind": "app_pool", "url": "http://127.0.0.1:9/", "in_use": "a", "size": "b"},
        ]
        (tmp_path / "found.yaml").write_text(
            f"- {{targets: ['127.0.0.1:{pool.port}'], labels: {{__name: found}}}}", encoding="utf-8"
        )
        found_by = {
            "files": ["found.yaml"],
            "dsn": "postgresql://eye@{address}/pgbouncer",
            "password": PASSWORD,
            "kind": "pgbouncer",
        }
        rules = {"pool.app_saturation": {"hold": 0}, "target.unreachable": {"hold": 0, "keep": 0}}
        changed = {"targets": targets, "rules": rules, "discovery": [found_by]}
        async with daemon(tmp_path, {"shop": pool.dsn("eye")}, changed) as watched:
            for name in ("shop", "pool", "api", "found"):
                await watched.up(20, name)
            await watched.down(10, "gone")
            found = await watched.fires("pool.app_saturation", 15)
            assert (found["target"], found["severity"]) == ("api", "warning")
            await through(shop, pool, 5)
            counter = "pgarchitect_pgbouncer_stats_queries_pooled_total"
            await watched.until(15, "queries", lambda seen: (one(seen, counter, database=shop.database.name) or 0) >= 5)
            seen = await watched.samples()
            assert one(seen, "pgarchitect_app_pool_in_use", target="api") == 9
            assert one(seen, "pgarchitect_pgbouncer_config_max_client_connections", target="pool") == 100
            assert {dict(each)["version"][:2] for each in series(seen, "pgarchitect_pgbouncer_version_info")} == {"1."}
            statuses = {each["target"]: each for each in await watched.targets()}
            assert {run["probe"] for run in statuses["pool"]["probes"]} == {"pgbouncer", "pgbouncer_stats"}
            assert not {"pgbouncer", "app_pool"} & {run["probe"] for run in statuses["shop"]["probes"]}
            assert await watched.firing("probe.broken") == []


@pytest.mark.soak
async def test_a_console_that_hangs_is_down_alone(shop: Shop, tmp_path: Path) -> None:
    """It comes back, and no counter falls."""
    async with before(shop) as pool:
        targets = [
            {"name": "shop", "dsn": shop.monitor.dsn},
            {"name": "pool", "kind": "pgbouncer", "dsn": pool.dsn("eye")},
        ]
        async with daemon(tmp_path, {"shop": pool.dsn("eye")}, {"targets": targets}) as watched:
            await watched.up(20, "pool")
            counter = "pgarchitect_pgbouncer_stats_queries_pooled_total"
            await through(shop, pool, 5)
            await watched.until(15, "queries", lambda seen: (one(seen, counter, database=shop.database.name) or 0) >= 5)
            seen = await watched.samples()
            pool.freeze()
            await watched.down(25, "pool")
            assert one(await watched.samples(), "pgarchitect_up", target="shop") == 1
            pool.thaw()
            await watched.up(20, "pool")
            before_it = one(seen, counter, database=shop.database.name) or 0
            await through(shop, pool, 3)
            await watched.until(
                15, "more queries", lambda now: (one(now, counter, database=shop.database.name) or 0) >= before_it + 3
            )
            assert await watched.firing("probe.broken") == []


async def through(shop: Shop, pool: Pooler, count: int) -> None:
    """Put some queries through the pooler."""
    client = await asyncpg.connect(shop.through(pool.port), statement_cache_size=0, timeout=20)
    for _ in range(count):
        await client.execute("select 1")
    with suppress(TimeoutError):
        await client.close(timeout=5)


async def test_a_snapshot_of_a_console(shop: Shop) -> None:
    """`--dsn` with the database pgbouncer: its own rules are judged, PostgreSQL's do not apply, and it is approved."""
    async with before(shop) as pool:
        said = await monitor("snapshot", "--dsn", pool.dsn("eye"), "--window", "1", "--format", "json", "--quiet")
        document = json.loads(said.out)
        (target,) = document["targets"]
        assert (target["kind"], target["database"], target["up"]) == ("pgbouncer", None, True)
        assert target["not_applicable"] > 10
        assert document["verdict"] == "approved"
        unsaid = [(each["rule"], each["needs"]) for each in document["not_evaluated"]]
        assert unsaid == [("pool.client_forecast", "history")]
        text = await monitor("snapshot", "--dsn", pool.dsn("eye"), "--window", "0", "--quiet")
        assert f"PgBouncer {target['server_version']}" in text.out
        assert PASSWORD not in said.out + text.out
