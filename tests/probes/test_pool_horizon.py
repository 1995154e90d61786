"""Who keeps vacuum back, what sessions wait for, how they came: on real servers; standbys by hand."""

import asyncio
from datetime import UTC, datetime

import pytest

from monitor.measurement import Measurement
from monitor.model import Target
from monitor.probe import Row
from probes.pool import PROBE
from probes.pool_horizon import HORIZON, asides, holders, named, older
from probes.pool_transactions import LongTransaction
from tests.database import Database
from tests.probes.test_pool import application, leak

LONG = LongTransaction(warning_after=0.3, idle_after=60)


async def behind(database: Database, count: int) -> None:
    """So many transactions with an id of their own."""
    for _ in range(count):
        await database.execute("select pg_current_xact_id()")


def ages(seen: Measurement) -> dict[str, int]:
    return {str(row["holder"]): int(str(row["oldest_xmin_age_transactions"])) for row in seen.asides[HORIZON.name]}


async def test_the_oldest_holder_of_each_kind_is_known(any_database: Database) -> None:
    """A logical slot, a prepared transaction, a session, one after the other: the oldest of all is named first."""
    monitor = await any_database.as_monitor()
    await any_database.execute("select pg_create_logical_replication_slot('cdc', 'pgoutput')")
    await behind(any_database, 3)
    await any_database.execute(f"begin; create table p (); prepare transaction 'order of {any_database.name}'")
    await behind(any_database, 2)
    async with application(any_database) as app, monitor.eye(PROBE) as eye:
        session = await leak(app, sql="select pg_current_xact_id()")
        await behind(any_database, 2)
        for _ in range(3):
            await asyncio.sleep(0.3)
            await session.execute("select 1")
        seen = await eye.look()
        held = ages(seen)
        assert held["slot_catalog"] > held["prepared"] > held["session"] >= 2
        assert (held["slot"], held["standby"]) == (0, 0)
        rows = {str(row["state"]): row for row in seen.rows if row["kind"] == "horizon"}
        assert (rows["slot_catalog"]["application"], rows["session"]["role"]) == ("cdc", app.role)
        (finding,) = eye.findings(seen, LONG)
        assert f"so does prepared transaction order of {any_database.name}" in finding.impact
        assert len(finding.evidence["oldest_xmin"]) == 3  # type: ignore[arg-type]
        await any_database.execute(f"rollback prepared 'order of {any_database.name}'")
        (finding,) = eye.findings(await eye.look(), LONG)
        assert "so does" not in finding.impact


async def test_waits_and_clients_are_counted(database: Database) -> None:
    """By type of wait and by kind of socket: bounded, and no address."""
    async with application(database) as app, database.eye(PROBE) as eye:
        sleeper = asyncio.create_task((await app.connect("api")).execute("select pg_sleep(1)"))
        await asyncio.sleep(0.3)
        seen = await eye.look()
        waits = {row["wait_event_type"]: row["active_sessions"] for row in seen.asides["waits"]}
        clients = {row["client"]: row["client_sessions"] for row in seen.asides["clients"]}
        assert waits["Timeout"] == 1
        assert int(str(clients["tcp"])) >= 2
        assert clients.keys() == {"local", "tcp"}
        await sleeper


def held_by(kind: str, age: int | None, name: str = "x") -> Row:
    return {
        "kind": "horizon", "state": kind, "role": "web", "application": name, "database": "", "held_transactions": age,
        "sessions": None,
    }  # fmt: skip


def measured(*rows: Row) -> Measurement:
    return Measurement(target=Target("shop"), probe="pool", taken_at=datetime.now(UTC), rows=rows)


def test_a_standby_that_holds_back_more_is_named() -> None:
    """Ending the transaction alone frees nothing; a slot that keeps only catalogues, or less, is no reason."""
    seen = measured(held_by("standby", 70, "replica"), held_by("slot_catalog", 90), held_by("session", 90))
    chief = older(seen, 69)
    assert chief is not None
    assert named(chief) == "standby replica"
    assert older(seen, 71) is None
    assert older(seen, None) is None


@pytest.mark.parametrize(("kind", "said"), [("standby", False), ("slot", False), ("prepared", True)])
def test_a_standby_that_only_repeats_the_transaction_is_not_accused(kind: str, said: bool) -> None:  # noqa: FBT001
    """Near miss: with hot_standby_feedback it reports the primary's oldest transaction, and goes on when that ends.

    A prepared transaction is the reason, and the session's snapshot repeats it.
    """
    assert (older(measured(held_by(kind, 70)), 70) is not None) == said


def test_names_are_safe_and_the_oldest_is_first() -> None:
    """A gid may hold what its maker put in; who holds nothing is no holder."""
    rows = list(holders(measured(held_by("prepared", 5, "token=abc"), held_by("slot", 9), held_by("session", None))))
    assert [row["state"] for row in rows] == ["slot", "prepared"]
    assert rows[1]["application"] == "token=***"


def test_each_series_is_there_when_nobody_holds_anything() -> None:
    """Zero, not a gap: a graph of it has no holes."""
    assert len(asides(measured())["horizon"]) == 5
    assert {row["oldest_xmin_age_transactions"] for row in asides(measured())["horizon"]} == {0}
