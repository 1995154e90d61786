"""Ids of orphans (`auth.sample_keys`) on real servers: who is named, by which way of sight, and what names nobody."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import asyncpg
import pytest

from monitor.cli.grants import Auth, Wanted, grants_sql
from monitor.model import Finding
from monitor.probe import Row
from monitor.sight import lent as sight
from probes.auth_links import PROBE
from probes.auth_links_keys import NOT_LENT, NOT_OF_THIS, LinkKeys, Question
from probes.auth_links_options import AuthOptions, Link
from tests.database import Database
from tests.probes.people import found_auth, give_profiles, orphan, profiles, sign_up
from tests.probes.sweeps import COLUMN, Recorder, asking, sweep
from tests.versions import MAJORS, NEWEST

ORPHANED, MISSING = "auth_links.orphaned_profile", "auth_links.missing_profile"
LINK = Link(table="public.users", column="auth_user_id", created_at="created_at", every_user=True)
ASKED = AuthOptions(links=(LINK,), sample_keys=5)
OLDEST_AND_NEWEST = pytest.mark.parametrize("any_cluster", [MAJORS[0], NEWEST], indirect=True, scope="session")
WAYS: tuple[Auth, ...] = ("functions", "policy", "bypassrls")
STRANGERS = """
    select auth_user_id::text as id
      from public.users p
     where not exists (select from auth.users u where u.id::text = lower(p.auth_user_id::text))
     order by 1
"""


async def found(database: Database, options: AuthOptions = ASKED) -> dict[str, Finding]:
    async with database.eye(PROBE, options=options, snapshot=True) as eye:
        return {each.rule: each for each in eye.findings(await eye.look())}


async def ids(database: Database, sql: str = STRANGERS) -> tuple[str, ...]:
    return tuple(str(row["id"]).lower() for row in await database.fetch(sql))


async def seeing(database: Database, way: Auth, *, keys: bool = True, link: Link = LINK) -> Database:
    """Give the monitor's role one way of sight."""
    role = await database.as_monitor()
    wanted = Wanted(role=str(role.user), auth=way, links=[(*link.place, link.created_at)], keys=keys)
    for statement in grants_sql(wanted):
        await database.execute(statement)
    return role


async def drifted(database: Database, rest: str = "unique") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make three orphans and two users without a row; give their ids."""
    await found_auth(database)
    await profiles(database, rest=rest)
    await orphan(database, 3)
    return await ids(database), tuple(sorted(await sign_up(database, 2)))


@OLDEST_AND_NEWEST
@pytest.mark.parametrize("way", WAYS)
async def test_each_way_of_sight_names_the_same(any_database: Database, way: Auth) -> None:
    """Rows without user, and users without row: their uuids, and nobody else's."""
    orphans, lone = await drifted(any_database)
    await any_database.execute("alter table public.users enable row level security")
    said = await found(await seeing(any_database, way))
    assert (said[ORPHANED].keys, said[MISSING].keys) == (orphans, lone)
    assert "ids" not in said[ORPHANED].evidence


async def test_by_default_nobody_is_named(database: Database) -> None:
    """Neither is anything asked for it: the finding is the same."""
    await drifted(database)
    silent, asked = await found(database, replace(ASKED, sample_keys=0)), await found(database)
    assert [each.keys for each in silent.values()] == [()] * len(silent)
    assert silent == asked
    assert {each.fingerprint for each in silent.values()} == {each.fingerprint for each in asked.values()}


async def test_no_more_are_named_than_asked_for(database: Database) -> None:
    """The count is of all of them."""
    orphans, _ = await drifted(database)
    said = (await found(database, replace(ASKED, sample_keys=2)))[ORPHANED]
    assert (len(said.keys), said.evidence["count"]) == (2, 3)
    assert set(said.keys) <= set(orphans)


@pytest.mark.parametrize("most", [-1, 21])
def test_a_number_that_makes_no_sense_is_refused(most: int) -> None:
    """In words."""
    with pytest.raises(ValueError, match=r"sample_keys should be 0 \(no ids are shown\) to 20"):
        AuthOptions(sample_keys=most)


@OLDEST_AND_NEWEST
@pytest.mark.parametrize("way", WAYS)
async def test_a_text_that_is_no_uuid_is_never_named(any_database: Database, way: Auth) -> None:
    """Ids are named in their canonical spelling; addresses in a link's column are not."""
    await found_auth(any_database)
    await profiles(any_database, rest="")
    await any_database.execute("alter table public.users alter auth_user_id type text")
    await any_database.execute(
        "insert into public.users (auth_user_id) values ('secret@example.org'), (upper(gen_random_uuid()::text))"
    )
    lone = await sign_up(any_database, 1)
    said = await found(await seeing(any_database, way))
    stranger = await any_database.value(
        "select lower(auth_user_id) from public.users where auth_user_id ~ '[A-F]' and auth_user_id !~ '@'"
    )
    assert said[ORPHANED].keys == (stranger,)
    assert said[MISSING].keys == tuple(lone)


async def test_functions_that_give_counts_only_leave_the_count_as_it_is(database: Database) -> None:
    """The finding says what to run."""
    await drifted(database)
    said = (await found(await seeing(database, "functions", keys=False)))[ORPHANED]
    assert (said.keys, said.evidence["count"], said.evidence["ids"]) == ((), 3, f"not shown: {NOT_LENT}")


async def test_ids_of_other_columns_are_not_lent(database: Database) -> None:
    """Any column of uuids may hold secrets: only the links that were named are read."""
    await drifted(database)
    await database.execute(
        "create table public.tokens (token uuid); insert into public.tokens values (gen_random_uuid())"
    )
    role = await seeing(database, "functions")
    hashed = await database.value("select array_agg(pg_catalog.uuid_hash_extended(token, 0)) from public.tokens")
    with pytest.raises(asyncpg.RaiseError, match="keys of this link are not lent"):
        await role.fetch(sight.KEYS_OF_ROWS.call, "auth", "public", "tokens", "token", "whole", None, None, hashed, 5)
    other = await seeing(database, "functions", link=Link(table="public.tokens", column="token"))
    said = (await found(other))[ORPHANED]
    assert (said.keys, said.evidence["ids"]) == ((), f"not shown: {NOT_OF_THIS}")


@pytest.mark.parametrize(
    ("function", "way"), [(each, way) for each in sight.KEYS for way in ("whole", "keys", "blocks", "users")]
)
async def test_who_has_a_counterpart_is_never_named(database: Database, function: sight.Function, way: str) -> None:
    """Not even to who knows the hash of an id, or of a row's place."""
    orphans, lone = await drifted(database)
    role = await seeing(database, "functions")
    hashed = await database.value("select array_agg(pg_catalog.uuid_hash_extended(id, 0)) from auth.users")
    placed = await database.value(
        "select array_agg(pg_catalog.hashtextextended(p.tableoid::text || p.ctid::text, 0)) from public.users p"
    )
    first = "0" if way == "blocks" else "00000000-0000-0000-0000-000000000000"
    arguments = ("auth", *LINK.place, way, first, None, [*hashed, *placed], 1000)
    given: set[str] = set()
    try:
        given.update(*(row["keys"] for row in await role.fetch(function.call, *arguments)))
    except asyncpg.RaiseError:
        assert (function.name, way) in {
            ("auth_keys_rows", "users"), ("auth_keys_users", "blocks"), ("auth_keys_users", "users")
        }  # fmt: skip
    assert given <= {*orphans, *lone}


@dataclass
class Asked(Recorder):
    """Remembers how long each question for ids took."""

    took: list[float] = field(default_factory=list)

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        began = time.perf_counter()
        rows = await super().fetch(sql, *arguments)
        if rows and "hashes" in rows[0]:
            self.took.append(time.perf_counter() - began)
        return rows


@OLDEST_AND_NEWEST
@pytest.mark.parametrize("kind", ["uuid", "text"])
@pytest.mark.parametrize("lent", [False, True])
async def test_a_sweep_names_its_suspects_slice_by_slice(any_database: Database, kind: str, *, lent: bool) -> None:
    """Of ten thousand keys, in slices of a thousand: each run asks one, and goes on until all are known."""
    await found_auth(any_database)
    await profiles(any_database, rest="")
    await any_database.execute(f"alter table public.users alter auth_user_id type {kind}")
    await any_database.execute("create index on public.users (auth_user_id)")
    await give(any_database, kind, await sign_up(any_database, 10_000))
    await give(any_database, kind, await ids(any_database, "select gen_random_uuid() as id from generate_series(1, 6)"))
    orphans, lone = await ids(any_database), tuple(sorted(await sign_up(any_database, 6)))
    await any_database.execute("vacuum analyze public.users, auth.users")
    role = await seeing(any_database, "functions") if lent else any_database
    session = Asked(role)
    column = replace(COLUMN, uuid=kind == "uuid")
    ask = await asking(session, lent=lent, column=column)
    done = await sweep(ask)
    rows, users = done.accused(ask.grace)
    known = LinkKeys()
    for function, wanted, expected in ((sight.KEYS_OF_ROWS, rows, orphans), (sight.KEYS_OF_USERS, users, lone)):
        question = Question(eye=ask.eye, column=column, function=function)
        said = [(await known.sample(question, wanted, 6)).keys for _ in range(7)]
        assert said[0]
        assert said[-1] == expected
        asked = len(session.took)
        assert (await known.sample(question, wanted, 6)).keys == expected
        assert len(session.took) == asked
        assert (await known.sample(question, {}, 6)).keys == ()


async def give(database: Database, kind: str, users: Sequence[str]) -> None:
    if kind == "uuid":
        await give_profiles(database, users)
    else:
        await database.execute("insert into public.users (auth_user_id) select unnest($1::text[])", users)
