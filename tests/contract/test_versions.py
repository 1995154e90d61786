"""The promise of the version matrix: every supported major version really ran."""

from tests.database import Cluster, Database
from tests.versions import MAJORS


def test_the_matrix_is_what_we_promise() -> None:
    """PostgreSQL 14 to 18, no more and no fewer."""
    assert MAJORS == (14, 15, 16, 17, 18)


async def test_the_server_is_of_the_version_it_stands_for(any_cluster: Cluster, any_database: Database) -> None:
    """In CI a version that cannot be started fails here: conftest only skips elsewhere."""
    assert int(await any_database.value("show server_version_num")) // 10000 == any_cluster.major


async def test_a_fresh_database_has_statement_statistics(any_database: Database) -> None:
    """The template carries pg_stat_statements, and it is loaded."""
    assert await any_database.value("select count(*) from pg_stat_statements") >= 0


async def test_the_monitors_role_has_no_more_than_it_should(any_database: Database) -> None:
    """It may read statistics, and it may not read a table."""
    await any_database.execute("create table private (id int)")
    monitor = await any_database.as_monitor()
    assert await monitor.value("select pg_has_role('pg_monitor', 'usage')")
    assert not await monitor.value("select has_table_privilege('private', 'select')")
