"""How the state store comes up and what it says when it cannot: right schema, no secrets, clear lines."""

import asyncio
import os
import re
import resource
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert

from monitor.errors import StoreError
from monitor.store import tables
from monitor.store.alerts import StoredAlerts
from monitor.store.engine import WHOLE_BYTES, Store
from monitor.store.failures import DamagedFile
from monitor.store.hours import StoredHours
from monitor.store.tables import hours
from tests.alerts import firing
from tests.database import Database

PACKAGE = Path(tables.__file__).parent


# -- opening ------------------------------------------------------------------------------------------------------


async def test_the_file_and_its_companions_are_ours_alone(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite:///{tmp_path / 'deep' / 'er' / 'state.db'}")
    try:
        await StoredAlerts(store).save([firing()])
        files = sorted((tmp_path / "deep" / "er").iterdir())
        assert [file.name for file in files] == ["state.db", "state.db-shm", "state.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        await store.close()


async def test_a_relative_file_is_meant_from_the_directory_given(tmp_path: Path) -> None:
    store = await Store.open("sqlite:///var/state.db", tmp_path)
    await store.close()
    assert (tmp_path / "var" / "state.db").is_file()


async def test_opening_again_keeps_what_is_there_and_starts_no_migration(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    first = await Store.open(url)
    await StoredAlerts(first).save([firing()])
    await first.close()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    second = await Store.open(url)
    try:
        assert (await StoredAlerts(second).load(), second.notice) == ([firing()], "")
        assert resource.getrusage(resource.RUSAGE_CHILDREN) == before
    finally:
        await second.close()


async def test_two_that_open_one_new_postgresql_store_at_once_both_succeed(database: Database) -> None:
    both = await asyncio.gather(Store.open(database.dsn, patience=20), Store.open(database.dsn, patience=20))
    for store in both:
        assert await StoredAlerts(store).load() == []
        await store.close()


def test_the_daemon_does_not_load_alembic(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from monitor.store.engine import Store\n"
        f"asyncio.run(asyncio.run(Store.open('sqlite:///{tmp_path}/s.db')).close())\n"
        "sys.exit('alembic' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent.parent)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("damage", ["no database at all", "broken pages", "a broken page"])
async def test_a_damaged_file_is_put_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state.db"
    if damage == "no database at all":
        path.write_bytes(b"this is not a database" * 400)
    else:
        first = await Store.open(f"sqlite:///{path}")
        await StoredAlerts(first).save([firing(str(number)) for number in range(200)])
        await first.close()
        content = path.read_bytes()
        begin, end = (8192, len(content)) if damage == "broken pages" else page_of(path, "audit")
        path.write_bytes(_spoilt(content, begin, end))
    store = await Store.open(f"sqlite:///{path}")
    try:
        assert await StoredAlerts(store).load() == []
        (aside,) = [file.name for file in tmp_path.iterdir() if "corrupt" in file.name]
        assert re.fullmatch(r"state\.db\.corrupt-\d{14}", aside)
        assert aside in store.notice
    finally:
        await store.close()


async def test_a_month_of_hours_does_not_delay_the_start(tmp_path: Path) -> None:
    """Of a large file the hours are not looked through, all else is; their damage is told when they are read."""
    path = tmp_path / "state.db"
    first = await Store.open(f"sqlite:///{path}")
    await StoredHours(first).write("shop", "statements", 1, {("shop", "aaaa"): [1.0]})
    await first.run(lambda connection: connection.execute(insert(hours), _long_hours()))
    await first.close()
    sound = path.read_bytes()
    assert len(sound) > WHOLE_BYTES
    path.write_bytes(_spoilt(sound, *page_of(path, "hours")))
    store = await Store.open(f"sqlite:///{path}")
    assert not store.notice
    with pytest.raises(DamagedFile):
        await StoredHours(store).read("shop", "statements", 1)
    await store.close()
    path.write_bytes(_spoilt(sound, *page_of(path, "audit")))
    store = await Store.open(f"sqlite:///{path}")
    assert "damaged" in store.notice
    await store.close()


def _long_hours() -> list[dict[str, object]]:
    return [{"hour": 2 + each, "series": 1, "figures": "1" * 1024 * 1024} for each in range(WHOLE_BYTES >> 20)]


def _spoilt(content: bytes, begin: int, end: int) -> bytes:
    return content[:begin] + b"\xff" * (end - begin) + content[end:]


def page_of(path: Path, table: str) -> tuple[int, int]:
    """Where a table's first page begins and ends in the file."""
    connection = sqlite3.connect(path)
    (size,) = connection.execute("pragma page_size").fetchone()
    (page,) = connection.execute("select rootpage from sqlite_master where name = ?", [table]).fetchone()
    connection.close()
    return (page - 1) * size, page * size


# -- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://root:hush@h/db", "x"])
async def test_an_unknown_url_is_one_clear_line(url: str) -> None:
    with pytest.raises(StoreError, match=r"^store: not a URL we know; write sqlite:///FILE") as caught:
        await Store.open(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        (":1/db", "no connection"),
        (":1:2/db", "percent-encode"),
        (":1/db?sslmode=hush", "are the URL's options right"),
        (":port/hush", "percent-encode"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_one_clear_line_without_secrets(rest: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as caught:
        await Store.open("postgresql://monitor:hush@127.0.0.1" + rest)
    assert "hush" not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_a_wrong_password_is_named_and_not_shown(database: Database) -> None:
    with pytest.raises(StoreError, match="the password is wrong") as caught:
        await Store.open(f"postgresql://postgres:hush@127.0.0.1:{database.server.port}/{database.name}")
    assert "hush" not in repr(caught.value)


async def test_a_missing_database_is_named(database: Database) -> None:
    with pytest.raises(StoreError, match="there is no such database; create it"):
        await Store.open(database.server.dsn("nowhere"))


async def test_a_role_that_may_not_create_tables_hears_which_right_is_missing(database: Database) -> None:
    monitor = await database.as_monitor()
    with pytest.raises(StoreError, match="grant create on schema public"):
        await Store.open(monitor.dsn)


async def test_a_locked_file_is_a_store_error_and_passes(store: Store, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    try:
        other.execute("begin immediate")
        with pytest.raises(StoreError, match="it is locked; end the other program"):
            await StoredAlerts(store).save([firing()])
    finally:
        other.close()
    await StoredAlerts(store).save([firing()])
    assert await StoredAlerts(store).load() == [firing()]


async def test_locked_tables_on_postgresql_are_a_store_error_and_pass(shared: Store, database: Database) -> None:
    other = await database.connect()
    transaction = other.transaction()
    await transaction.start()
    await other.execute("lock table alerts")
    with pytest.raises(StoreError, match="another session holds a lock"):
        await StoredAlerts(shared).save([firing()])
    await transaction.rollback()
    await StoredAlerts(shared).save([firing()])


async def test_a_full_disk_is_a_store_error_and_nothing_is_half_written(store: Store) -> None:
    await store.run(lambda connection: connection.exec_driver_sql("pragma max_page_count = 8"))
    many = [firing(str(number)) for number in range(200)]
    with pytest.raises(StoreError, match="the disk is full; make room"):
        await StoredAlerts(store).save(many)
    assert await StoredAlerts(store).load() == []


async def test_a_server_that_went_away_and_came_back_is_used_again(shared: Store, database: Database) -> None:
    await StoredAlerts(shared).save([firing()])
    await database.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    assert await StoredAlerts(shared).load() == [firing()]


async def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    await (await Store.open(url)).close()
    newer = sqlite3.connect(tmp_path / "state.db")
    newer.execute("update alembic_version set version_num = '9999'")
    newer.commit()
    newer.close()
    with pytest.raises(StoreError, match="written by a newer version"):
        await Store.open(url)


async def test_a_directory_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(StoreError, match=r"state\.db: "):
        await Store.open(f"sqlite:///{tmp_path / 'state.db'}")


async def test_a_parent_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(StoreError, match=r"state\.db: "):
        await Store.open(f"sqlite:///{tmp_path / 'var' / 'state.db'}")
