"""The exporter_replication probe on real servers: slots, standbys, and what a standby says of itself."""

from monitor.measurement import Measurement, Row, of_kind
from probes.exporter_replication import PROBE
from tests.database import Database
from tests.standby import follows, on, primary_of, standby_of, until
from tests.versions import NEWEST


async def look(database: Database) -> Measurement:
    async with database.eye(PROBE) as eye:
        return await eye.look()


def the(seen: Measurement, kind: str) -> Row:
    (row,) = of_kind(seen.rows, kind)
    return row


async def test_slots_are_told_on_every_version(any_database: Database) -> None:
    """With the WAL they hold back; nobody reads this one, so that nothing is confirmed."""
    await any_database.fetch("select pg_create_physical_replication_slot('left_behind', true)")
    try:
        seen = await look(await any_database.as_monitor())
    finally:
        await any_database.fetch("select pg_drop_replication_slot('left_behind')")
    slot = the(seen, "slot")
    assert (slot["slot"], slot["slot_type"], slot["slot_database"]) == ("left_behind", "physical", "")
    assert (slot["active"], slot["wal_status"], slot["confirmed"]) == (0, "reserved", None)
    assert 0 <= float(str(slot["retained_bytes"])) < float(str(slot["position"]))
    assert the(seen, "server")["is_replica"] == 0
    assert the(seen, "server")["lag_seconds"] == 0


async def test_a_primary_and_its_standby_tell_of_each_other() -> None:
    """The one has a standby, the other a receiver; who has replayed all is not behind."""
    async with primary_of(NEWEST) as cluster:
        primary = on(cluster.server, cluster.server)
        async with standby_of(primary, cluster.server, NEWEST, name="one") as copy:
            await follows(primary, "one")
            await told(primary, on(copy, cluster.server))
        await primary.close()


async def told(primary: Database, standby: Database) -> None:
    there = the(await look(primary), "standby")
    assert (there["application"], there["address"], there["state"]) == ("one", "127.0.0.1", "streaming")

    async def received() -> bool:
        return any(row["received_at"] for row in of_kind((await look(standby)).rows, "receiver"))

    await until(received)
    here = await look(standby)
    assert the(here, "server")["is_replica"] == 1
    assert the(here, "receiver")["upstream"] == "127.0.0.1"
    assert the(here, "receiver")["status"] == "streaming"
    await standby.close()
