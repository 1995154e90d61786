"""The application's traffic: a pool for each role, and actors that take their turns until told to stop.

An actor's pace follows its own statements: on a slow machine it asks less often, so that it never takes more than its
share. When the server goes away it waits, and goes on with new connections when the server is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random

import asyncpg

from monitor.demo import turns
from monitor.demo.schema import GOTRUE_ROLE, Application
from monitor.demo.turns import Pools

OUTAGE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a client meets while a server goes, is gone, or comes back."""
RECOVERY_SECONDS = 1.0
CONNECT_SECONDS, STATEMENT_SECONDS, CLOSE_SECONDS = 5.0, 30.0, 2.0


@dataclass(frozen=True, kw_only=True)
class Member:
    """One part of the application: the role it connects as, its name there, its pool's size."""

    pool: str
    role: str
    application: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Takes a turn every `every` seconds, `many` of it side by side, busy for at most `duty` of the time."""

    turn: Callable[[Pools, Random], Awaitable[None]]
    every: float
    duty: float = 0.5
    many: int = 1


MEMBERS = (
    Member(pool="web_api", role="web_api", application="web-api", size=6),
    Member(pool="worker", role="worker", application="workflow-worker", size=4),
    Member(pool="history-export", role="worker", application="history-export", size=1),
    Member(pool="admin-page", role="web_api", application="admin-page", size=1),
    Member(pool="deployment", role="deployer", application="deployment", size=1),
    Member(pool="reporting", role="reporting", application="reporting", size=9),
    Member(pool="room_signaling", role="room_signaling", application="room-signaling", size=2),
    Member(pool=GOTRUE_ROLE, role=GOTRUE_ROLE, application="gotrue", size=2),
)

ACTORS = (
    Actor(turn=turns.browse, every=0.5),
    Actor(turn=turns.ask, every=0.7),
    Actor(turn=turns.heartbeat, every=0.4),
    Actor(turn=turns.work, every=1.0),
    Actor(turn=turns.sign_up, every=4.0),
    # Asked 8 times a second: fewer than the 600 a minute from which, in the demo, it may be one half of an N+1.
    Actor(turn=turns.accept, every=0.13, duty=0.25),
    # The planted faults. The search must stay under 30 % of all execution time, which the leaderboard exceeds; in the
    # first seconds of a busy machine it may not, hence the rule's hold in the demo's configuration.
    Actor(turn=turns.search, every=2.5, duty=0.09),
    Actor(turn=turns.leaderboard, every=0.04, duty=0.43),
    # Some 2,400 lookups a minute where a round trip takes less than 17 ms; enough of them still at 60 ms.
    Actor(turn=turns.overview, every=0.48, duty=0.8),
    Actor(turn=turns.concatenate, every=0.5),
    Actor(turn=turns.deploy, every=1.0),
    Actor(turn=turns.report, every=3.0, many=9),
    Actor(turn=turns.leak, every=1.0),
    Actor(turn=turns.export, every=1.0),
    Actor(turn=turns.duplicate, every=0.07),
    Actor(turn=turns.deadlock, every=10.0),
)


@asynccontextmanager
async def traffic(application: Application, seed: int = 2) -> AsyncIterator[asyncio.Task[None]]:
    """Run the application; yields the task that does, which ends by itself only when something is wrong with it."""
    async with AsyncExitStack() as stack:
        pools = {member.pool: await stack.enter_async_context(pool(application, member)) for member in MEMBERS}
        task = asyncio.create_task(act_all(pools, seed))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def act_all(pools: Pools, seed: int) -> None:
    async with asyncio.TaskGroup() as group:
        for number, actor in enumerate(actor for each in ACTORS for actor in [each] * each.many):
            group.create_task(act(actor, pools, Random(seed + number)))


async def act(actor: Actor, pools: Pools, dice: Random) -> None:
    """Take turns for ever; a turn lost to an outage is tried again."""
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(min(actor.every, 1.0) * dice.random())
    while True:
        began = clock()
        try:
            await actor.turn(pools, dice)
        except OUTAGE:
            await asyncio.sleep(RECOVERY_SECONDS)
            continue
        took = clock() - began
        await asyncio.sleep(max(actor.every - took, took * (1 / actor.duty - 1)) * dice.uniform(0.9, 1.1))


async def as_it_is(_session: asyncpg.Connection) -> None:
    """Give a connection back without asyncpg's four resetting statements, which would be most of the traffic."""


@asynccontextmanager
async def pool(application: Application, member: Member) -> AsyncIterator[asyncpg.Pool]:
    made = await asyncpg.create_pool(
        application.dsn(member.role),
        min_size=0,
        max_size=member.size,
        max_inactive_connection_lifetime=0,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        server_settings={"application_name": member.application},
        reset=as_it_is,
    )
    try:
        yield made
    finally:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await made.close()
        except OUTAGE:
            made.terminate()
