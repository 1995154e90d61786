"""PgBouncer from 1.18 to 1.25: columns are found by name; new ones are ignored, missing ones leave no metric.

The rows of versions that are not installed here come from a console of our own that speaks the protocol.
"""

from collections.abc import Mapping, Sequence

import pytest

from monitor.errors import TargetUnsupported
from monitor.model import Result, Secret, Server
from probes.pgbouncer import PROBE
from probes.pgbouncer_stats import PROBE as STATS
from tests.consoles import INT4, NUMERIC, TEXT, Table, saying
from tests.looking import eye_of
from tests.probes.test_pgbouncer import SOON

NEW_POOL = (
    *("database:s", "user:s", "cl_active", "cl_waiting", "cl_active_cancel_req", "cl_waiting_cancel_req"),
    *("sv_active", "sv_active_cancel", "sv_being_canceled", "sv_idle", "sv_used", "sv_tested", "sv_login", "maxwait"),
    *("maxwait_us", "pool_mode:s", "load_balance_hosts:s"),
)
NEW_DATABASE = (
    *("name:s", "host:s", "port", "database:s", "force_user:s", "pool_size", "min_pool_size", "reserve_pool_size"),
    *("server_lifetime", "pool_mode:s", "load_balance_hosts:s", "max_connections", "current_connections"),
    *("max_client_connections", "current_client_connections", "paused", "disabled"),
)
OLD_DATABASE = (
    *("name:s", "host:s", "port", "database:s", "force_user:s", "pool_size", "min_pool_size", "reserve_pool"),
    *("pool_mode:s", "max_connections", "current_connections", "paused", "disabled"),
)
OLD_STATS = (
    *("database:s", "total_xact_count", "total_query_count", "total_received", "total_sent", "total_xact_time"),
    *("total_query_time", "total_wait_time", "avg_xact_count"),
)
NEW_STATS = (
    *("database:s", "total_server_assignment_count", *OLD_STATS[1:-1], "total_client_parse_count"),
    *("total_server_parse_count", "total_bind_count", "avg_server_assignment_count", "avg_xact_count"),
)
OLD_CLIENT = ("type:s", "user:s", "database:s", "state:s", "addr:s", "port", "application_name:s")
NEW_CLIENT = ("type:s", "user:s", "database:s", "replication:s", "state:s", "addr:s", "application_name:s", "id")
TEXTS = {
    "database": "shop", "name": "shop", "user": "app", "pool_mode": "transaction", "type": "C", "state": "waiting",
    "addr": "192.0.2.7", "application_name": "checkout", "replication": "none", "host": "db",
}  # fmt: skip
NUMBERS: Mapping[str, object] = {
    "cl_active": 5, "cl_waiting": 3, "sv_active": 5, "maxwait": 2, "maxwait_us": 500000, "pool_size": 5,
    "reserve_pool": 2, "reserve_pool_size": 2, "current_connections": 5, "total_query_count": 70,
    "total_query_time": 2000000,
}  # fmt: skip


def table(columns: Sequence[str], number: int = INT4, **given: object) -> Table:
    """One row; what is not told is NULL where it is a text, 0 where it is a number."""
    names = [column.removesuffix(":s") for column in columns]
    kinds = [TEXT if column.endswith(":s") else number for column in columns]
    row = [
        given.get(name, TEXTS.get(name) if kind == TEXT else NUMBERS.get(name, 0))
        for name, kind in zip(names, kinds, strict=True)
    ]
    return [*zip(names, kinds, strict=True)], [row]


def pairs(first: str, second: str, kind: int, **values: object) -> Table:
    return ((first, TEXT), (second, kind)), [*values.items()]


def console(version: str, *, new: bool) -> dict[str, Table]:
    """What a version says to each command of ours."""
    said = {
        "SHOW VERSION": ((("version", TEXT),), [(f"PgBouncer {version}",)]),
        "SHOW LISTS": pairs("list", "items", INT4, databases=1, used_clients=8, **({"peers": 0} if new else {})),
        "SHOW CONFIG": (
            (("key", TEXT), ("value", TEXT), ("default", TEXT), ("changeable", TEXT)),
            [("max_client_conn", "100", "100", "yes"), ("default_pool_size", "5", "20", "yes")],
        ),
        "SHOW DATABASES": table(NEW_DATABASE if new else OLD_DATABASE),
        "SHOW POOLS": table(NEW_POOL if new else NEW_POOL[:-1]),
        "SHOW CLIENTS": table(NEW_CLIENT if new else OLD_CLIENT),
        "SHOW STATS": table(NEW_STATS if new else OLD_STATS, NUMERIC),
    }
    state = {"SHOW STATE": pairs("key", "value", TEXT, active="yes", paused="no", suspended="no")} if new else {}
    return said | state


def server(dsn: str) -> Server:
    return Server(name="pool", dsn=Secret(dsn), kind="pgbouncer")


@pytest.mark.parametrize(("version", "new"), [("1.18.0", False), ("1.25.0", True)])
async def test_both_shapes_give_the_same(version: str, *, new: bool) -> None:
    """Pools, limits under their old and new names, clients, counters, and the verdict."""
    async with saying(console(version, new=new)) as dsn, eye_of(server(dsn), PROBE) as eye:
        seen = await eye.look()
        assert (seen.result, seen.reason) == (Result.OK, "")
        (pool,) = seen.exposed or ()
        assert (pool["pools_client_waiting_connections"], pool["pools_client_maxwait_seconds"]) == (3, 2.5)
        (limits,) = seen.asides["of_databases"]
        assert (limits["databases_pool_size"], limits["databases_reserve_pool"]) == (5, 2)
        assert [*seen.asides["of_clients"]] == [{"application": "checkout", "state": "waiting", "clients": 1}]
        (finding,) = eye.findings(seen, SOON)
        assert (finding.evidence["cause"], finding.evidence["applications"]) == ("full", ["checkout: 1"])
        assert "192.0.2.7" not in str(seen)
        async with eye_of(server(dsn), STATS) as stats:
            (counted,) = (await stats.look()).rows
        assert (counted["queries_pooled"], counted["queries_duration_seconds"]) == (70, 2)


async def test_what_a_version_does_not_have_is_no_metric() -> None:
    """A column less is None, which is no series, and not 0."""
    said = console("1.18.0", new=False)
    said["SHOW DATABASES"] = table(["name:s", "pool_size"])
    async with saying(said) as dsn, eye_of(server(dsn), PROBE) as eye:
        (limits,) = (await eye.look()).asides["of_databases"]
    assert (limits["databases_pool_size"], limits["databases_reserve_pool"], limits["databases_paused"]) == (
        5,
        None,
        None,
    )


async def test_a_number_that_is_none_is_a_failed_reading() -> None:
    """No traceback and no value of it; the connection lives on."""
    said = console("1.25.0", new=True)
    said["SHOW POOLS"] = table(NEW_POOL, cl_active="c4n4ry")
    async with saying(said) as dsn, eye_of(server(dsn), PROBE) as eye:
        seen = await eye.look()
        assert seen.result is Result.BROKEN
        assert seen.reason == "the answer to SHOW POOLS has a number that is none; is it a PgBouncer?"
        said["SHOW POOLS"] = table(NEW_POOL)
        assert (await eye.look()).result is Result.OK


@pytest.mark.parametrize("version", ["PgCat 1.2.0", "", "PostgreSQL 17.2"])
async def test_another_pooler_is_no_pgbouncer(version: str) -> None:
    """One line, before anything is read from it."""
    said: dict[str, Table] = {"SHOW VERSION": ((("version", TEXT),), [(version,)])}
    async with saying(said) as dsn, eye_of(server(dsn), PROBE) as eye:
        with pytest.raises(TargetUnsupported, match="not as a PgBouncer's console"):
            await eye.look()
