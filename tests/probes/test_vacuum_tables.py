"""The vacuum_tables probe on real servers: the oldest tables by name, and what keeps them from being frozen."""

from monitor.measurement import Measurement
from monitor.probe import Row, literal
from monitor.report.snapshot import Question
from probes.vacuum import PROBE as VACUUM
from probes.vacuum_tables import MOST, PROBE, Oldest
from tests.database import Database


def tables(seen: Measurement) -> dict[str, Row]:
    return {f"{row['schema']}.{row['name']}": row for row in seen.rows}


async def freeze_all_but(database: Database, *tables: str) -> None:
    """Freeze each table but these, the catalogues among them."""
    sql = "select oid::regclass::text as name from pg_class where relkind = 'r' and oid <> all($1::regclass[]::oid[])"
    for row in await database.fetch(sql.replace("$1", f"array[{', '.join(map(literal, tables))}]")):
        await database.execute(f"vacuum (freeze) {row['name']}")


async def test_the_oldest_tables_are_told_on_every_version(any_database: Database) -> None:
    """As the monitor's own role, bounded: the frozen one is no longer among them, a TOAST table goes by its table."""
    monitor = await any_database.as_monitor()
    await any_database.execute("create table public.old (t text)")
    await any_database.execute("do $$ begin for i in 1..50 loop perform pg_current_xact_id(); commit; end loop; end $$")
    await freeze_all_but(any_database, "public.old")
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
        first = seen.rows[0]
        assert (first["schema"], first["name"]) == ("public", "old")
        assert not any(str(row["schema"]) == "pg_toast" for row in seen.rows)
        assert len(seen.rows) <= 2 * (MOST + 1)
        await any_database.execute("vacuum (freeze) public.old")
        after = tables(await eye.look()).get("public.old")
        assert after is None or int(str(after["xid_age"])) < int(str(first["xid_age"]))


async def test_what_stands_in_the_way_is_told(database: Database) -> None:
    """Switched off, locked by a session, or temporary."""
    session = await database.connect()
    await database.execute("create table public.a (i int) with (autovacuum_enabled = off)")
    await database.execute("create table public.b (i int)")
    await freeze_all_but(database, "public.a", "public.b")
    await session.execute("create temp table c (i int); begin; lock table public.b in share update exclusive mode")
    async with database.eye(PROBE) as eye:
        told = tables(await eye.look())
    assert (told["public.a"]["switched_off"], told["public.a"]["locked"]) == (True, False)
    assert (told["public.b"]["switched_off"], told["public.b"]["locked"]) == (False, True)


def test_a_database_that_is_gone_is_forgotten() -> None:
    """What was read of it does not stay for ever."""
    oldest = Oldest()
    oldest.take("shop", [{"name": "t"}])
    oldest.take("gone", [{"name": "t"}])
    assert oldest.of({"shop"}).keys() == {"shop"}
    assert oldest.of({"shop", "gone"}).keys() == {"shop"}


def test_a_snapshot_reads_them_with_the_probe_that_judges() -> None:
    """It leaves out probes that nothing asks for: this one has no rule, and `vacuum` needs what it reads."""
    question = Question(servers=(), probes=(VACUUM, PROBE), advisors=(), window=0)
    assert [probe.name for probe in question.only(["tables.wraparound"], []).probes] == ["vacuum", "vacuum_tables"]
    assert question.only(["index.*"], []).probes == []
