"""Questions for ids of orphans at scale: they read one slice, whatever the table's size."""

import statistics

import pytest

from monitor.sight import lent as sight
from probes.auth_links_keys import LinkKeys, Question
from probes.auth_links_suspects import Span
from tests.database import Database
from tests.probes.people import found_auth, orphan, profiles
from tests.probes.sweeps import COLUMN, asking
from tests.probes.test_auth_links_keys import Asked, ids

PEOPLE = 3_000_000
MANY = f"""
    set session_replication_role = replica;
    insert into auth.users (id, created_at, email_confirmed_at)
    select gen_random_uuid(), born, born
      from generate_series(1, {PEOPLE}), (values (now() - interval '1 hour')) as birth (born);
    insert into public.users (auth_user_id) select id from auth.users on conflict do nothing;
"""


@pytest.mark.soak
async def test_an_id_of_three_million_is_found_in_twenty_milliseconds(database: Database) -> None:
    """In a slice of fifty thousand keys, the most that a sweep looks at in one statement."""
    await found_auth(database)
    await profiles(database)
    await orphan(database, 20)
    strangers = await ids(database)
    await database.execute(MANY)
    await database.execute("vacuum analyze public.users, auth.users")
    session = Asked(database)
    ask = await asking(session)
    question = Question(eye=ask.eye, column=COLUMN, function=sight.KEYS_OF_ROWS)
    hashes = await database.fetch(
        "select id, pg_catalog.uuid_hash_extended(id::uuid, 0) as hash from unnest($1::text[]) as id", strangers
    )
    for row in hashes:
        first, last = (f"{row['id'][:2]}{digit * 6}-0000-0000-0000-000000000000" for digit in "0f")
        said = await LinkKeys().sample(question, {row["hash"]: Span("keys", first, last)}, 1)
        assert said.keys == (row["id"],)
    assert statistics.median(session.took) < 0.020, sorted(session.took)
