"""Where the store is: a URL of the configuration read into a file or a server, and the engine that reaches it.

The drivers are asynchronous, so an engine works inside `transact` only. SQLAlchemy's own AsyncEngine does the same with
it, but to import that takes 6 MiB more, for the ORM that comes along.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.util import greenlet_spawn

from monitor.errors import StoreError
from monitor.model import Secret

SQLITE = "sqlite:///"
CONNECT_SECONDS = 10.0
POSTGRES = ("postgresql://", "postgres://")
READ_ONLY = {"default_transaction_read_only": "on"}
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Address:
    """A store's place; `where` is how messages call it, without a secret."""

    url: Secret = field(repr=False)
    path: Path | None
    """The SQLite file; None: a PostgreSQL server."""

    @property
    def where(self) -> str:
        return f"store {self.path}" if self.path else "store (PostgreSQL)"


def address(url: str, directory: Path | None = None) -> Address:
    """Read a URL; a relative file is meant from `directory`. Raises StoreError."""
    if url.startswith(POSTGRES):
        return Address(url=Secret(url), path=None)
    name = url.removeprefix(SQLITE)
    if name == url or not name or name.startswith((":memory:", "?", "file:")):
        raise StoreError("store: not a URL we know; write sqlite:///FILE, sqlite:////DIRECTORY/FILE or postgresql://…")
    path = ((directory or Path.cwd()) / name).absolute()
    return Address(url=Secret(f"{SQLITE}{path}"), path=path)


# `transact` ends every transaction: to roll back once more when the connection is given back would be a second way to
# the file's thread each time, and one more moment at which being cancelled leaves something half done.
ALONE: Mapping[str, Any] = {"pool_size": 1, "max_overflow": 0, "hide_parameters": True, "pool_reset_on_return": None}


async def transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Do `work` in a transaction of its own; whatever it waits for, the event loop goes on."""

    def whole() -> T:
        with engine.begin() as connection:
            return work(connection)

    return await greenlet_spawn(whole)


async def dispose(engine: Engine) -> None:
    """Close its connection."""
    await greenlet_spawn(engine.dispose)


def engine_for(place: Address, patience: float, *, only_reads: bool = False) -> Engine:
    """An engine with one connection, which waits at most `patience` seconds for anybody's lock."""
    if place.path is None:
        return _postgres(place, patience, only_reads=only_reads)
    return _sqlite_reader(place.path, patience) if only_reads else _sqlite(place.path, patience)


def _postgres(place: Address, patience: float, *, only_reads: bool) -> Engine:
    engine = create_engine(
        "postgresql+asyncpg://",
        connect_args={
            "dsn": place.url.reveal(),
            "timeout": CONNECT_SECONDS,
            "server_settings": {"application_name": "pgarchitect", **(READ_ONLY if only_reads else {})},
        },
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
    )

    def begin(connection: Connection) -> None:
        wait = func.set_config("lock_timeout", f"{round(patience * 1000)}ms", True)
        connection.execute(select(wait))

    event.listen(engine, "begin", begin)
    return engine


def _sqlite(path: Path, patience: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        # No isolation level: the driver's own would begin late and never around DDL; `_begin` does it instead.
        # No statements are kept: each holds what it wrote last, and a message may be 10 MiB.
        connect_args={"timeout": patience, "isolation_level": None, "cached_statements": 0},
        **ALONE,
    )
    event.listen(engine, "connect", _settle)
    event.listen(engine, "begin", _begin)
    return engine


def _sqlite_reader(path: Path, patience: float) -> Engine:
    """One that cannot write, and waits for no writer: a transaction begins with what is there."""
    engine = create_engine(
        URL.create("sqlite+aiosqlite", database=path.as_uri(), query={"uri": "true", "mode": "ro"}),
        connect_args={"timeout": patience, "isolation_level": None},
        **ALONE,
    )
    event.listen(engine, "begin", _begin_to_read)
    return engine


def _settle(connection: SqliteConnection, _record: object) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("pragma journal_mode = wal")
        cursor.execute("pragma synchronous = normal")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    # Immediate: who would have to wait for a writer waits here, and not in the middle, where SQLite refuses at once.
    connection.exec_driver_sql("begin immediate")


def _begin_to_read(connection: Connection) -> None:
    connection.exec_driver_sql("begin")
