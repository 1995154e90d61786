"""Brings a store's schema up to date, as a process of its own: `python -m monitor.store.migrate`.

The URL comes by the environment. Ends with 0, or with 1 and one line on stdout that says what is wrong.
"""

import asyncio
import os
import sys
from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from monitor.errors import StoreError
from monitor.store.address import Address, address, dispose, engine_for, transact
from monitor.store.engine import MIGRATION_SECONDS, URL_VARIABLE
from monitor.store.failures import failures

# Replicas that share a PostgreSQL store come up together: one migrates, the others wait. The number is ours alone.
LOCK = 6_031_886_407


async def migrated(place: Address) -> None:
    """Run every migration that is missing, all in one transaction."""
    engine = engine_for(place, MIGRATION_SECONDS)
    try:
        with failures(place):
            await transact(engine, upgrade)
    except CommandError:
        raise StoreError(
            f"{place.where}: it was written by a newer version of us; install that, or name another store"
        ) from None
    finally:
        await dispose(engine)


def upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    with as_file(files("monitor.store").joinpath("migrations")) as scripts:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        command.upgrade(config, "head")


def main() -> int:
    try:
        asyncio.run(migrated(address(os.environ.get(URL_VARIABLE, ""))))
    except StoreError as error:
        print(error)  # noqa: T201 - our caller reads this line
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
