"""Debian's PostgreSQL 15, the one server here that can have hypopg."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from monitor.embedded import EmbeddedServer
from tests.conftest import absent

PLACES = {
    "bin": Path("/usr/lib/postgresql/15/bin"),
    "lib": Path("/usr/lib/postgresql/15/lib"),
    "share": Path("/usr/share/postgresql/15"),
}


@asynccontextmanager
async def hypopg_server(settings: Mapping[str, str]) -> AsyncIterator[EmbeddedServer]:
    """Yield a server that has hypopg, contrib and nothing in it."""
    if not (PLACES["share"] / "extension" / "hypopg.control").exists():
        absent("postgresql-15-hypopg is not installed")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for name, place in PLACES.items():
            (Path(folder) / name).symlink_to(place)
        async with EmbeddedServer.started(settings, binaries=Path(folder)) as server:
            yield server
