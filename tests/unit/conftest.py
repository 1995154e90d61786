"""Fixtures of the unit tests: a state store in a SQLite file, one on a real PostgreSQL; a Slack workspace and a bot."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_httpserver import HTTPServer

from monitor.notify.slack_bot import SlackBot
from monitor.store.engine import Store
from tests.database import Database
from tests.unit.slack_workspace import Workspace, a_bot


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store's file as the migrations leave it, to be copied: they take a second."""
    path = tmp_path_factory.mktemp("blank") / "state.db"
    await (await Store.open(f"sqlite:///{path}")).close()
    return path


@pytest.fixture
async def store(tmp_path: Path, blank: Path) -> AsyncIterator[Store]:
    shutil.copy(blank, tmp_path / "state.db")
    opened = await Store.open(f"sqlite:///{tmp_path / 'state.db'}", patience=0.2)
    yield opened
    await opened.close()


@pytest.fixture
async def shared(database: Database) -> AsyncIterator[Store]:
    """A store on a real PostgreSQL."""
    opened = await Store.open(database.dsn, patience=0.2)
    yield opened
    await opened.close()


@pytest.fixture(params=["store", "shared"])
def either(request: pytest.FixtureRequest) -> Store:
    """The one in a SQLite file, and then the one on PostgreSQL."""
    opened: Store = request.getfixturevalue(request.param)
    return opened


@pytest.fixture
def workspace(httpserver: HTTPServer) -> Iterator[Workspace]:
    room = Workspace()
    for method in ("chat.postMessage", "chat.update"):
        httpserver.expect_request(f"/api/{method}", method="POST").respond_with_handler(room.handle)
    yield room
    httpserver.check_assertions()


@pytest.fixture
def bot(httpserver: HTTPServer) -> SlackBot:
    return a_bot(httpserver.url_for("/api/"))
