"""Looking into a daemon's store without touching it: what is there is read; nothing is made, migrated or mended."""

import asyncio
import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.errors import StoreError
from monitor.store.alerts import StoredAlerts
from monitor.store.engine import Store
from tests.alerts import firing
from tests.database import Database


async def alerts_of(url: str) -> list[str]:
    store = await Store.look_into(url, patience=0.2)
    try:
        return [alert.finding.subject for alert in await StoredAlerts(store).load()]
    finally:
        await store.close()


async def refusal(url: str) -> str:
    with pytest.raises(StoreError) as refused:
        await alerts_of(url)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_what_a_running_daemon_wrote_is_read_while_it_writes_more(store: Store, tmp_path: Path) -> None:
    """A writer's transaction does not hinder a reader, who sees what was there before it."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    await StoredAlerts(store).save([firing("a")])
    with sqlite3.connect(tmp_path / "state.db", isolation_level=None) as writer:
        writer.execute("begin immediate")
        writer.execute("delete from alerts")
        assert await alerts_of(url) == ["a"]
        writer.execute("rollback")
    writer.close()


async def test_a_file_whose_daemon_has_ended_stays_as_it_is(store: Store, tmp_path: Path) -> None:
    """Also a path with odd characters in it."""
    odd = tmp_path / "o d?d #%41"
    odd.mkdir()
    await StoredAlerts(store).save([firing("a")])
    await store.close()
    (tmp_path / "state.db").rename(odd / "state.db")
    before = contents(odd)
    assert await alerts_of(f"sqlite:///{odd / 'state.db'}") == ["a"]
    assert contents(odd) | before == contents(odd)


async def test_what_is_on_postgresql_is_read_by_who_may_only_read(shared: Store, database: Database) -> None:
    """No right to write, no lock that writes need; and writing is refused by the session itself."""
    await StoredAlerts(shared).save([firing("a")])
    reader = await database.as_monitor()
    await database.execute(f"grant select on all tables in schema public to {reader.user}")
    assert await alerts_of(reader.dsn) == ["a"]
    store = await Store.look_into(database.dsn)
    with pytest.raises(StoreError, match="read-only"):
        await store.run(lambda connection: connection.execute(text("delete from alerts")))
    await store.close()


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for path in (tmp_path / "state.db", tmp_path / "no" / "state.db"):
        assert "there is no such file; has `monitor run` been started" in await refusal(f"sqlite:///{path}")
    assert contents(tmp_path) == {}


async def test_an_empty_file_or_database_is_no_store(tmp_path: Path, database: Database) -> None:
    (tmp_path / "state.db").touch()
    for url in (f"sqlite:///{tmp_path / 'state.db'}", database.dsn):
        assert "nothing has been stored in it" in await refusal(url)
    assert contents(tmp_path) == {"state.db": b""}
    assert await database.value("select count(*) from pg_tables where schemaname = 'public'") == 0


@pytest.mark.parametrize("revision", ["0001", "9999"], ids=["older", "newer"])
async def test_another_versions_store_is_not_migrated(either: Store, revision: str) -> None:
    """Neither an older one nor a newer one."""
    changed = text("update alembic_version set version_num = :revision").bindparams(revision=revision)
    await either.run(lambda connection: connection.execute(changed))
    assert "another version of us wrote it" in await refusal(either._place.url.reveal())
    asked = text("select version_num from alembic_version")
    assert await either.run(lambda connection: connection.scalar(asked)) == revision


async def test_a_locked_store_says_so_soon(store: Store, tmp_path: Path) -> None:
    await store.close()
    with sqlite3.connect(tmp_path / "state.db", isolation_level=None) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin immediate")
        other.execute("delete from alerts")
        async with asyncio.timeout(5):
            assert "it is locked" in await refusal(f"sqlite:///{tmp_path / 'state.db'}")
        other.execute("rollback")
    other.close()


async def test_a_damaged_file_is_not_put_aside(tmp_path: Path) -> None:
    """That is for the daemon to do."""
    (tmp_path / "state.db").write_bytes(b"no database " * 1000)
    assert re.search("damaged", await refusal(f"sqlite:///{tmp_path / 'state.db'}"))
    assert list(contents(tmp_path)) == ["state.db"]
