"""Two whole daemons and two clustered Alertmanagers on one database: a finding is told once, and its end once."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.database import Database
from tests.end_to_end.alertmanagers import SETTLED, Hook, Peer, pair, soon
from tests.end_to_end.hooks import TABLE, settings
from tests.faults.harness import daemon

pytestmark = pytest.mark.soak

FIRING, RESOLVED = ["a warning firing"], ["a warning resolved"]


@pytest.fixture
def hook() -> Iterator[Hook]:
    with HTTPServer(host="127.0.0.1") as server:
        yield Hook(server)


def configuration(folder: Path, database: Database, peers: Sequence[Peer]) -> dict[str, Any]:
    """A daemon's own folder, store and page; the same target, probe and Alertmanagers as the other's."""
    folder.mkdir()
    return settings(
        folder,
        database,
        receivers={"am": {"alertmanager": {"urls": [peer.url for peer in peers], "resend": 1}}},
        route={"receiver": "am"},
    )


async def test_two_daemons_and_two_alertmanagers_tell_once(database: Database, hook: Hook, tmp_path: Path) -> None:
    """One notification of the beginning leaves, and one of the end.

    Each looks at the table at its own time and tells anew how it saw it last: for a moment they contradict each other.
    """
    await database.execute(TABLE)
    async with AsyncExitStack() as stack:
        peers = await stack.enter_async_context(pair(tmp_path, hook.url))
        ours = []
        for name, order in (("left", peers), ("right", peers[::-1])):
            config = configuration(tmp_path / name, database, order)
            ours.append(await stack.enter_async_context(daemon(tmp_path / name, {"shop": database.dsn}, config)))
        for each in ours:
            await each.up()
        await database.execute("insert into public.sick values ('a', 1)")
        await soon(hook.heard, [FIRING])
        for each in ours:
            await each.fires("sick.item")
        for peer in peers:
            assert await peer.shown() == {("a", "warning"): "active"}
        await asyncio.sleep(SETTLED)
        assert hook.said() == [FIRING]
        await database.execute("truncate public.sick")
        await soon(hook.heard, [FIRING, RESOLVED])
        for peer in peers:
            await soon(partial(nothing, peer), wanted=True)
        await asyncio.sleep(SETTLED)
        assert hook.said() == [FIRING, RESOLVED]
        told = [await peer.value("alertmanager_notifications_total", integration="webhook") for peer in peers]
        assert sum(told) == 2


async def nothing(peer: Peer) -> bool:
    """Tell whether an Alertmanager takes nothing for standing."""
    return not await peer.shown()
