"""The shadow's server: there when it is wanted, gone when it is not, and begun anew after whatever happened to it."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.collect.private import private_session
from monitor.embedded import EmbeddedServer
from monitor.errors import PlannerError, TargetUnreachable
from monitor.planner.bench import ShadowSession
from monitor.planner.planners import NICE, Planners
from monitor.planner.source import Limits
from monitor.shape import Column, Shape, Table
from tests.planner.real import candidate, queries

QUERY = queries("select * from t where id = $1")
PATIENCE_SECONDS = 30.0


def shape(name: str = "t") -> Shape:
    columns = (Column(number=1, name="id", type="bigint"),)
    table = Table(oid=1, schema="public", name=name, rows=1e5, pages=1000, columns=columns)
    return Shape(version_num=180000, tables={1: table})


def fresh(idle_seconds: float = 60.0) -> Planners:
    return Planners(private_session, limits=Limits(seconds=60), idle_seconds=idle_seconds)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def backends(postmaster: int) -> list[int]:
    """Give the processes that plan."""
    below = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [int(pid) for pid in below if b" shadow_" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_it_starts_when_wanted_and_leaves_nothing() -> None:
    """No server before the first use, and none that takes others their time; afterwards no process, no file."""
    ours = fresh()
    before = ours.server
    async with ours.opened(shape()) as shadow:
        assert len((await shadow.cost(QUERY)).planned) == 1
        server = ours.server
        assert server is not None
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in backends(server.pid)} == {NICE}
    assert before is None
    assert server is not None
    await ours.close()
    assert not running(server.pid)
    assert not server.directory.exists()


async def test_who_asks_about_the_same_shape_gets_the_same_shadow() -> None:
    """Its clone and its answers stay; what was spent is counted anew."""
    ours, same = fresh(), shape()
    async with ours.opened(same) as first:
        await first.cost(QUERY, [candidate(same, "t", "id")])
    async with ours.opened(same) as second:
        answer = await second.cost(QUERY, [candidate(same, "t", "id")])
        assert (len(answer.planned), second.plans) == (1, 0)
    await ours.close()


async def test_shapes_are_kept_few() -> None:
    """Four shapes in turn leave three databases; each is planned by its own."""
    ours = fresh()
    for name in ("a", "b", "c", "d", "e"):
        async with ours.opened(shape(name)) as shadow:
            assert len((await shadow.cost(queries(f"select * from {name}"))).planned) == 1
    assert ours.server is not None
    session = await private_session(ours.server.dsn())
    rows = await session.fetch("select datname from pg_database where datname like 'shadow%'")
    await session.close()
    await ours.close()
    assert len(rows) == 3


async def test_a_killed_server_is_told_and_begun_anew() -> None:
    """Kill -9 in the midst of work is a PlannerError; the next advice has a new server."""
    ours = fresh()
    started: list[EmbeddedServer] = []

    async def killed() -> None:
        async with ours.opened(shape()) as shadow:
            await shadow.cost(QUERY)
            assert ours.server is not None
            started.append(ours.server)
            os.kill(ours.server.pid, signal.SIGKILL)
            await until(lambda: not running(started[0].pid))
            await shadow.cost(queries("select id from t where id > $1"))

    with pytest.raises(PlannerError, match="started anew"):
        await killed()
    async with ours.opened(shape()) as shadow:
        assert len((await shadow.cost(QUERY)).planned) == 1
    assert not started[0].directory.exists()
    await ours.close()


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not so():  # noqa: ASYNC110 - a process tells nobody that it ended
            await asyncio.sleep(0.05)


async def test_who_is_interrupted_leaves_no_half_made_shadow() -> None:
    """After a cancelled question the next one begins anew."""
    ours, same = fresh(), shape()

    async def ask() -> None:
        async with ours.opened(same) as shadow:
            while True:
                await shadow.cost(QUERY, [candidate(same, "t", "id")])
                await asyncio.sleep(0)

    task = asyncio.create_task(ask())
    await asyncio.sleep(2)
    task.cancel()
    await asyncio.wait([task])
    assert ours.server is None
    async with ours.opened(same) as shadow:
        assert len((await shadow.cost(QUERY)).planned) == 1
    await ours.close()


async def test_it_stops_when_idle() -> None:
    """And starts again when it is wanted."""
    ours = fresh(idle_seconds=0.1)
    for _ in range(2):
        async with ours.opened(shape()) as shadow:
            assert len((await shadow.cost(QUERY)).planned) == 1
        await until(lambda: ours.server is None)
    await ours.close()


async def test_two_who_ask_at_once_take_turns() -> None:
    """One shadow at a time: what one asks does not hide what the other sees."""
    ours, same = fresh(), shape()

    async def ask(*, with_it: bool) -> bool:
        asked = [candidate(same, "t", "id")] if with_it else []
        async with ours.opened(same) as shadow:
            return bool((await shadow.cost(QUERY, asked)).planned[QUERY[0].name].used)

    answers = await asyncio.gather(*(ask(with_it=each) for each in (True, False, True, False)))
    await ours.close()
    assert answers == [True, False, True, False]


async def test_a_lost_way_in_is_told() -> None:
    """Where no session can be had, no server is left running."""
    ways: list[str] = []

    async def nobody(dsn: str) -> ShadowSession:
        ways.append(dsn)
        raise TargetUnreachable("no way in")

    ours = Planners(nobody)
    with pytest.raises(PlannerError, match="no way in"):
        async with ours.opened(shape()):
            pass
    with pytest.raises(TargetUnreachable):
        await private_session(ways[0])
    await ours.close()
