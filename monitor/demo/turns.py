"""What the application does, one turn at a time: healthy work first, then the planted faults.

A turn gets the pools by role and a dice; it holds no state, so that it can go on after the server was restarted.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from random import Random
from typing import TypeAlias

import asyncpg

from monitor.demo.faults import CONCATENATED, INVITATION, LEADERBOARD, OWNER, SEARCH

Pools: TypeAlias = Mapping[str, asyncpg.Pool]

PEOPLE, ROOMS, LARGE_ROOMS, WORKFLOWS, PRESETS, INVITATIONS = 5000, 2000, 20, 60000, 20000, 30000
LEAKED_WORKFLOW = 1
"""The leak holds a lock on it, so nobody else may want it."""
REPORT_PAUSE, EXPORT_PAUSE, LOST_LOOK, SIGN_UP_DELAY = 3.0, 2.0, 1.0, 1.0
DEPLOYED_AFTER = 15.0
"""Seconds with the index: enough for the statement to be seen fast, and for its finding to come within the minute."""
EXPORT_PAGE = 500
PAGES, PAGE_OF_ROOMS = (1, 5), (4, 9)
"""Pages that a visit leafs through, and rooms on each: small pages, so that a reading finds little half done, and
visits of different length, so that the volume varies."""

WORDS = ("mute", "record", "share", "leave")

ROOMS_OF = "select id, name from public.rooms where owner_id = $1 order by last_active_at desc limit 10"
PERSON = "select id, display_name, last_seen_at from public.users where id = $1"
SEEN = "update public.users set last_seen_at = now() where id = $1"
ASK = "insert into public.question_history (room_id, user_id, answer_ms, question) values ($1, $2, $3, $4)"
HEARTBEAT = "update public.rooms set last_active_at = now() where id = $1"
LATEST = "select id, asked_at, question from public.question_history where room_id = $1 order by asked_at desc limit 10"
RUN = "update public.workflows set state = 'done', run_at = now() where id = $1"
NEW_ROOMS = "select count(*) from public.rooms where created_at > now() - interval '7 days'"
PAGE = "select id, asked_at, answer_ms from public.question_history where id > $1 order by id limit $2"
ROOMS_FROM = "select id, owner_id from public.rooms where id >= $1 order by id limit $2"
DEPLOYMENT = "drop index if exists public.invitations_code_idx"
PRESET = "insert into public.presets (user_id, name) values ($1, $2)"
AUTH_USER = """
    insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,
                            confirmation_token, recovery_token, email_change_token_new, email_change,
                            raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
    values ('00000000-0000-0000-0000-000000000000', $1, 'authenticated', 'authenticated', $2, '', now(), '', '', '', '',
            '{"provider": "email", "providers": ["email"]}', '{}', now(), now())
"""
IDENTITY = """
    insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
    values ($1::uuid::text, $1, jsonb_build_object('sub', $1, 'email', $2::text), 'email', now(), now())
"""
PROFILE = "insert into public.users (auth_user_id, email, display_name) values ($1, $2, $3)"


def one_of(dice: Random, many: int) -> int:
    return dice.randint(1, many)


def invitation_code(dice: Random) -> str:
    return f"invitation {one_of(dice, INVITATIONS)}"


async def browse(pools: Pools, dice: Random) -> None:
    """A person opens the list of rooms, and one of them."""
    person = one_of(dice, PEOPLE)
    async with pools["web_api"].acquire() as session:
        await session.fetch(PERSON, person)
        await session.fetch(ROOMS_OF, person)
        await session.fetch(LATEST, one_of(dice, ROOMS))
        await session.execute(SEEN, person)


async def accept(pools: Pools, dice: Random) -> None:
    """A guest follows the link of an invitation."""
    await pools["web_api"].fetchrow(INVITATION, invitation_code(dice))


async def ask(pools: Pools, dice: Random) -> None:
    """A person asks a question in a room."""
    room, person = LARGE_ROOMS + one_of(dice, ROOMS - LARGE_ROOMS), one_of(dice, PEOPLE)
    question = f"How do I {dice.choice(WORDS)} the call now?"
    await pools["web_api"].execute(ASK, room, person, dice.randint(200, 2000), question)


async def heartbeat(pools: Pools, dice: Random) -> None:
    """Signaling says that a room is in use."""
    await pools["room_signaling"].execute(HEARTBEAT, one_of(dice, ROOMS))


async def work(pools: Pools, dice: Random) -> None:
    """A worker runs a workflow."""
    await pools["worker"].execute(RUN, LEAKED_WORKFLOW + one_of(dice, WORKFLOWS - LEAKED_WORKFLOW))


async def sign_up(pools: Pools, dice: Random) -> None:
    """Somebody signs up: auth user and profile come a moment apart, in either order; grace must cover that."""
    who, address = uuid.uuid4(), f"new{dice.getrandbits(64):x}@videochat.example"

    async def auth_user() -> None:
        async with pools["supabase_auth_admin"].acquire() as session, session.transaction():
            await session.execute(AUTH_USER, who, address)
            await session.execute(IDENTITY, who, address)

    async def profile() -> None:
        await pools["web_api"].execute(PROFILE, who, address, "New person")

    first, second = (auth_user, profile) if dice.random() < 0.5 else (profile, auth_user)  # noqa: PLR2004 - a coin
    await first()
    await asyncio.sleep(SIGN_UP_DELAY)
    await second()


async def search(pools: Pools, dice: Random) -> None:
    """Fault: the slow statement, which also reads a big table whole for few rows."""
    await pools["web_api"].fetch(SEARCH, dice.choice(WORDS), one_of(dice, PEOPLE))


async def leaderboard(pools: Pools, dice: Random) -> None:
    """Fault: the statement that takes most of the load."""
    await pools["web_api"].fetch(LEADERBOARD, one_of(dice, LARGE_ROOMS))


async def overview(pools: Pools, dice: Random) -> None:
    """Fault: one statement for each page of rooms, and one more for each of its rows."""
    async with pools["web_api"].acquire() as session:
        for _ in range(dice.randint(*PAGES)):
            first, many = one_of(dice, ROOMS - PAGE_OF_ROOMS[1]), dice.randint(*PAGE_OF_ROOMS)
            for room in await session.fetch(ROOMS_FROM, first, many):
                await session.fetchval(OWNER, room["owner_id"])


async def concatenate(pools: Pools, dice: Random) -> None:
    """Fault: values in the text of a statement instead of beside it."""
    preset = one_of(dice, PRESETS) - 1
    await pools["admin-page"].fetch(CONCATENATED.format(user_id=1 + preset // 4, number=1 + preset % 4))


async def report(pools: Pools, dice: Random) -> None:
    """Fault: a connection is taken from the pool and never given back; each of the pool's nine does this."""
    async with pools["reporting"].acquire() as session:
        while True:
            await session.fetchval(NEW_ROOMS)
            await asyncio.sleep(REPORT_PAUSE * dice.uniform(0.8, 1.2))


async def leak(pools: Pools, dice: Random) -> None:
    """Fault: a transaction that is neither committed nor rolled back, until its connection is lost."""
    async with pools["worker"].acquire() as session, session.transaction():
        await session.execute(RUN, LEAKED_WORKFLOW)
        await _lost(session, dice)


async def deploy(pools: Pools, dice: Random) -> None:
    """Fault: a deployment drops an index that is needed; once, so that whoever makes it again sees it mended."""
    async with pools["deployment"].acquire() as session:
        await asyncio.sleep(DEPLOYED_AFTER)
        await session.execute(DEPLOYMENT)
        await _lost(session, dice)


async def _lost(session: asyncpg.pool.PoolConnectionProxy, dice: Random) -> None:
    while not session.is_closed():  # noqa: ASYNC110 - a pool's connection has no event for it
        await asyncio.sleep(LOST_LOOK * dice.uniform(0.8, 1.2))


async def export(pools: Pools, dice: Random) -> None:
    """Fault: a transaction that is busy, and long."""
    async with pools["history-export"].acquire() as session, session.transaction(isolation="repeatable_read"):
        last = 0
        while True:
            last = (await session.fetch(PAGE, last, EXPORT_PAGE))[-1]["id"]
            await asyncio.sleep(EXPORT_PAUSE * dice.uniform(0.8, 1.2))


async def duplicate(pools: Pools, dice: Random) -> None:
    """Fault: a transaction that rolls back, for the preset exists."""
    preset = one_of(dice, PRESETS) - 1
    try:
        await pools["web_api"].execute(PRESET, 1 + preset // 4, f"preset {1 + preset % 4}")
    except asyncpg.UniqueViolationError:
        return


async def deadlock(pools: Pools, dice: Random) -> None:
    """Fault: two transactions want each other's room; the server ends one of them."""
    here, there = dice.sample(range(1, ROOMS + 1), 2)
    async with (
        pools["worker"].acquire() as one,
        pools["worker"].acquire() as other,
        one.transaction(),
        other.transaction(),
    ):
        await one.execute(HEARTBEAT, here)
        await other.execute(HEARTBEAT, there)
        ends = await asyncio.gather(
            one.execute(HEARTBEAT, there), other.execute(HEARTBEAT, here), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, asyncpg.DeadlockDetectedError):
                raise end
