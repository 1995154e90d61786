"""Links are swept while people sign up, in either order and over and over: nobody is ever called an orphan."""

import asyncio
import random
import time
from dataclasses import replace

import pytest

from probes.auth_links_sweep import LinkSweep
from tests.database import Cluster, Database
from tests.probes.people import found_auth, profiles
from tests.probes.sweeps import FEW_KEYS, Recorder, asking

SIGN_UPS = {
    "user first": (
        "insert into auth.users (id, created_at, email_confirmed_at) values ($1::text::uuid, now(), now())",
        "insert into public.users (auth_user_id, created_at) values ($1::text::{type}, now())",
    ),
}
SIGN_UPS["profile first"] = (SIGN_UPS["user first"][1], SIGN_UPS["user first"][0])
GONE = (
    "delete from public.users where auth_user_id = $1::text::{type}",
    "delete from auth.users where id = $1::text::uuid",
)
GRACE = 3.0
SECONDS = 6.0


async def people_come(database: Database, type_: str, order: str, until: float) -> int:
    """Sign people up in two transactions, a moment between them; some leave again in one."""
    session, chance, done = await database.connect(), random.Random(order), 0
    while time.monotonic() < until:
        user = str(await session.fetchval("select gen_random_uuid()"))
        for statement in SIGN_UPS[order]:
            await session.execute(statement.format(type=type_), user)
            await asyncio.sleep(chance.random() / 50)
        if chance.random() < 0.3:
            async with session.transaction():
                for statement in GONE:
                    await session.execute(statement.format(type=type_), user)
        done += 1
    return done


@pytest.mark.soak
@pytest.mark.parametrize("type_", ["uuid", "text"])
async def test_nobody_is_invented_while_people_sign_up(cluster: Cluster, type_: str) -> None:
    """Writers on both sides in both orders; a grace of three seconds; each look, newest first, is judged over turns."""
    async with cluster.fresh() as database:
        await found_auth(database)
        await profiles(database, 3000, "")
        await database.execute(f"alter table public.users alter auth_user_id type {type_} using auth_user_id::{type_}")
        for index in ("public.users (auth_user_id)", "public.users (created_at)", "auth.users (created_at)"):
            await database.execute(f"create index on {index}")
        await database.execute("analyze auth.users, public.users")
        until = time.monotonic() + SECONDS
        writing = asyncio.gather(*(people_come(database, type_, order, until) for order in (*SIGN_UPS, *SIGN_UPS)))
        ask = replace(await asking(Recorder(database)), grace=GRACE)
        known, looks = LinkSweep(ask.ways), 0
        while not writing.done():
            ask = replace(await asking(Recorder(database)), grace=GRACE)
            known.keys = FEW_KEYS
            await known.run(ask, 0.05)
            seen = known.seen(ask)
            assert (seen.orphans, seen.missing) == (0, 0)
            looks += 1
            await asyncio.sleep(0.02)
        assert min(await writing) > 3
        assert looks > 3
        assert known.turned_at is not None
        ages = [known.newest.age(way, clock) for way, clock in ask.clocks.items()]
        assert len(ages) == (2 if type_ == "uuid" else 1)
        assert all(age is not None and GRACE <= age < GRACE + 2 for age in ages)
