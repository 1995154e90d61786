"""The store's schema: the tables the code knows, and the way there and back with alerts in them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, insert

from monitor.model import Alert
from monitor.store import tables
from monitor.store.address import address, dispose, engine_for, transact
from monitor.store.alerts import StoredAlerts
from monitor.store.documents import finding_text, target_text
from monitor.store.engine import Store
from tests.alerts import firing, resolved

PACKAGE = Path(tables.__file__).parent


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request: pytest.FixtureRequest) -> str:
    """Where no store is yet."""
    kind = "tmp_path" if request.param == "SQLite" else "database"
    place = request.getfixturevalue(kind)
    return f"sqlite:///{place / 'state.db'}" if kind == "tmp_path" else str(place.dsn)


async def test_the_migrations_make_the_tables_the_code_knows(store: Store, shared: Store) -> None:
    for kind in (store, shared):
        differences = await kind.run(
            lambda connection: compare_metadata(MigrationContext.configure(connection), tables.metadata)
        )
        assert differences == []


def test_the_head_the_daemon_knows_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(PACKAGE / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == tables.HEAD


async def test_a_store_of_the_first_version_keeps_its_alerts(url: str) -> None:
    await to_revision(url, "0001")
    await transacted(url, lambda connection: write_as_first(connection, firing()))
    store = await Store.open(url)
    try:
        await StoredAlerts(store).save([resolved("new")])
        assert await StoredAlerts(store).load() == sorted([firing(), resolved("new")], key=fingerprint)
        assert store.notice == ""
    finally:
        await store.close()


async def test_the_way_back_is_as_good_as_the_way_there(url: str) -> None:
    store = await Store.open(url)
    await StoredAlerts(store).save([firing()])
    await store.close()
    await to_revision(url, "0001")
    store = await Store.open(url)
    try:
        assert await StoredAlerts(store).load() == [firing()]
    finally:
        await store.close()


def fingerprint(alert: Alert) -> str:
    return alert.finding.fingerprint


def write_as_first(connection: Connection, alert: Alert) -> None:
    """Write a row as the first version did."""
    row = {
        "fingerprint": alert.finding.fingerprint,
        "state": alert.state.value,
        "starts_at": alert.starts_at,
        "last_seen": alert.last_seen,
        "fired_at": alert.fired_at,
        "occurrences": alert.occurrences,
        "announced": "firing:warning",
        "source": target_text(alert.source),
        "finding": finding_text(alert.finding),
    }
    connection.execute(insert(Table("alerts", MetaData(), autoload_with=connection)), [row])


async def to_revision(url: str, revision: str) -> None:
    def move(connection: Connection) -> None:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(PACKAGE / "migrations"))
        known = MigrationContext.configure(connection).get_current_revision()
        (command.downgrade if known else command.upgrade)(config, revision)

    await transacted(url, move)


async def transacted(url: str, work: Callable[[Connection], object]) -> None:
    engine = engine_for(address(url), 5)
    try:
        await transact(engine, work)
    finally:
        await dispose(engine)
