"""Where the store is: a URL of the configuration read into a file or a server, and the engine that reaches it."""

from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import URL, Connection, event, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from monitor.errors import StoreError
from monitor.model import Secret

SQLITE = "sqlite:///"
CONNECT_SECONDS = 10.0
POSTGRES = ("postgresql://", "postgres://")


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


def engine_for(place: Address, patience: float) -> AsyncEngine:
    """An engine with one connection, which waits at most `patience` seconds for anybody's lock."""
    return _postgres(place, patience) if place.path is None else _sqlite(place.path, patience)


def _postgres(place: Address, patience: float) -> AsyncEngine:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={
            "dsn": place.url.reveal(),
            "timeout": CONNECT_SECONDS,
            "server_settings": {"application_name": "pgarchitect"},
        },
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
    )

    def begin(connection: Connection) -> None:
        wait = func.set_config("lock_timeout", f"{round(patience * 1000)}ms", True)
        connection.execute(select(wait))

    event.listen(engine.sync_engine, "begin", begin)
    return engine


def _sqlite(path: Path, patience: float) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        # No isolation level: the driver's own would begin late and never around DDL; `_begin` does it instead.
        connect_args={"timeout": patience, "isolation_level": None},
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _settle)
    event.listen(engine.sync_engine, "begin", _begin)
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
