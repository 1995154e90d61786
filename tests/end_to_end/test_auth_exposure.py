"""The second exam, exposure: who is lent counts of auth learns nothing else, and nothing else is in what we write."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from monitor.sight.lent import KEYS, take_back
from monitor.sql.text import identifier
from tests.database import Cluster, Database
from tests.end_to_end import auth_faults as faults
from tests.end_to_end.auth_casts import SAMPLE, Cast, printed
from tests.end_to_end.auth_fuzz import FUNCTIONS, NAMES, PLACES, ask, calls, leaks
from tests.end_to_end.auth_reports import SECRET, configuration
from tests.end_to_end.command import monitor
from tests.faults.harness import daemon
from tests.patience import PATIENCE

IN_SESSION = pytest.mark.asyncio(loop_scope="session")
CANARIES = ("canary", "192.0.2.77", "SCRAM-SHA")
CALLS = 270
EVERY_COLUMN = """
    select c.relname::text as table, a.attname::text as column
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'auth'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
       and (has_column_privilege($1, c.oid, a.attnum, 'select, insert, update')
            or has_table_privilege($1, c.oid, 'delete, truncate, trigger'))
"""
# A table of the role's own, made to be read by another: its policy and its index run functions of the role's.
EVIL = """
    create function exam_evil.spy() returns boolean language plpgsql as
    $$ begin perform set_config('exam.ran', current_setting('exam.ran', true) || ',' || current_user, false);
       return true; end $$;
    create function exam_evil.spell(uuid) returns text language plpgsql immutable as
    $$ begin perform exam_evil.spy(); return $1::text; end $$;
    create table exam_evil.t (user_id uuid, word text, created_at timestamptz default '2020-01-01');
    alter table exam_evil.t enable row level security;
    alter table exam_evil.t force row level security;
    create policy spying on exam_evil.t using (exam_evil.spy());
    insert into exam_evil.t (user_id, word) select gen_random_uuid(), 'x' from generate_series(1, 30);
    create index on exam_evil.t (exam_evil.spell(user_id));
    create view exam_evil.v as select user_id, created_at from exam_evil.t where exam_evil.spy();
"""


@dataclass(frozen=True, kw_only=True)
class Lent:
    """A role that was lent counts, in the world full of canaries."""

    database: Database
    dsn: str
    role: str
    functions: list[Any]
    config: Path

    async def session(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.dsn, timeout=10, server_settings={"statement_timeout": "5s"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lent(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lent]:
    """What `monitor grants --auth functions` prints is run, and the role is given a schema of its own."""
    async with cluster.fresh() as database:
        await database.execute(faults.WORLD)
        folder = tmp_path_factory.mktemp("lent")
        config = configuration(folder, [database.name], faults.LINKS, faults.NOT_LINKS)
        cast, grants = Cast(database), await printed(database, "--config", str(config), ways=["functions"])
        try:
            await cast.add("functions", "create schema exam_evil authorization {role}", grants=grants["functions"])
            functions = await database.fetch(FUNCTIONS)
            dsn, role = cast.dsns["functions"], cast.roles["functions"]
            made = Lent(database=database, dsn=dsn, role=role, functions=functions, config=config)
            session = await made.session()
            await session.execute(EVIL)
            await session.close()
            yield made
        finally:
            await cast.drop()


@IN_SESSION
async def test_the_role_has_no_right_on_any_table_of_gotrue(lent: Lent) -> None:
    """No column, no write, no way round row level security, no member of who reads all."""
    assert await lent.database.fetch(EVERY_COLUMN, lent.role) == []
    (flags,) = await lent.database.fetch(
        "select rolsuper or rolbypassrls or rolcreaterole as mighty,"
        " pg_has_role(oid, 'pg_read_all_data', 'member') as reader from pg_roles where rolname = $1",
        lent.role,
    )
    assert flags == {"mighty": False, "reader": False}


@IN_SESSION
async def test_the_role_is_refused_every_table_of_gotrue(lent: Lent) -> None:
    """By the server, whatever the catalogue says."""
    session = await lent.session()
    tables = await lent.database.fetch("select tablename::text as name from pg_tables where schemaname = 'auth'")
    assert len(tables) == 23
    for table in tables:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await session.fetch(f"select * from auth.{table['name']} limit 1")
    await session.close()


@IN_SESSION
async def test_every_function_is_closed_to_others_and_cannot_write(lent: Lent) -> None:
    """Its rights are its owner's, its path is fixed, row security off is an error, PUBLIC may not run it."""
    assert lent.functions
    for function in lent.functions:
        settings = dict(each.split("=", 1) for each in function["settings"])
        assert (function["definer"], function["open"]) == (True, False), function["signature"]
        assert function["volatile"] in {b"s", b"i"}, function["signature"]
        assert settings["row_security"] == "off"
        assert "pg_temp" in settings["search_path"].split(", ")[-1] or settings["search_path"] == '""'


LEAKY = """
    create function pgarchitect.leaky(in_schema text, in_table text, in_column text) returns table (seen text[])
    language plpgsql stable security definer set row_security = off as
    $$ begin return query execute format('select array_agg(%I::text) from %I.%I', in_column, in_schema, in_table);
    end $$;
    create function pgarchitect.clumsy(in_schema text, in_table text, in_column text) returns bigint
    language plpgsql stable security definer as
    $$ declare n bigint;
    begin execute format('select sum(%I::text::bigint) from %I.%I', in_column, in_schema, in_table) into n; return n;
    end $$;
"""


@IN_SESSION
async def test_the_questions_find_a_leak_where_there_is_one(lent: Lent) -> None:
    """A function that gives values, and one whose errors hold them: neither passes."""
    names = frozenset(row["nspname"] for row in await lent.database.fetch(NAMES))
    session = await lent.database.connect()
    await session.execute(LEAKY)
    try:
        for function in await session.fetch(FUNCTIONS.replace("where", "where p.proname in ('leaky', 'clumsy') and")):
            answers = [await ask(session, function, arguments) for arguments in calls(function, CALLS)]
            assert [leak for answer in answers for leak in leaks(answer, names)], function["name"]
    finally:
        await session.execute("drop function pgarchitect.leaky, pgarchitect.clumsy")


@IN_SESSION
async def test_nothing_but_numbers_and_names_comes_out(lent: Lent) -> None:
    """Whatever is put in, of values, errors and notices; each function answers at least once."""
    session, heard = await lent.session(), list[str]()
    session.add_log_listener(lambda _, message: heard.append("\n".join(map(str, message.as_dict().values()))))
    names = frozenset(row["nspname"] for row in await lent.database.fetch(NAMES))
    told, silent = [], []
    for function in lent.functions:
        answers = [await ask(session, function, arguments) for arguments in calls(function, CALLS)]
        told += [f"{answer.function}{answer.arguments}: {leak}" for answer in answers for leak in leaks(answer, names)]
        if all(answer.error for answer in answers):
            silent.append(function["signature"])
    await session.close()
    assert told == []
    assert SECRET.search("".join(heard)) is None
    assert silent == []


@IN_SESSION
async def test_no_code_of_the_role_runs_with_anothers_rights(lent: Lent) -> None:
    """Policies, indexes and views of a table made for it are not run by who lends."""
    session = await lent.session()
    await session.execute("select set_config('exam.ran', '', false)")
    for function in lent.functions:
        for arguments in calls(function, CALLS):
            if "exam_evil" in arguments:
                await ask(session, function, arguments)
    ran = await session.fetchval("select current_setting('exam.ran', true)")
    await session.close()
    assert {each for each in ran.split(",") if each} <= {lent.role}


def assert_plain(said: str) -> None:
    assert SECRET.search(said) is None
    assert [word for word in CANARIES if word in said] == []


@IN_SESSION
@pytest.mark.parametrize("written", ["text", "markdown", "html", "sarif"])
async def test_no_format_of_the_report_holds_a_secret(lent: Lent, written: str) -> None:
    """Of people, that is: ids, addresses, tokens. A superuser's report in text, the others by who was lent sight."""
    words = ("--config", str(lent.config), "--area", "auth", "--window", "0", "--format", written)
    done = await monitor("snapshot", *words, env={"SHOP": lent.database.dsn if written == "text" else lent.dsn})
    if done.status == 2 and written in {"html", "sarif"}:
        pytest.skip(f"{written} is not built yet")
    assert done.status == 0, done.err
    assert "orphaned_profile" in done.out
    assert_plain(done.out + done.err)


@IN_SESSION
async def test_the_daemon_writes_no_secret_anywhere(lent: Lent, tmp_path: Path) -> None:
    """Not on its pages, in its metrics, its API, its log or its store."""
    links = [
        dict(part.split(": ") for part in line.strip(" -{}").split(", ")) for line in faults.LINKS.splitlines()[1:]
    ]
    plain = [{key: {"true": True}.get(value, value) for key, value in each.items()} for each in links]
    dsns = {"shop": lent.dsn}
    changed = {
        "auth": {"links": plain, "not_links": ["public.audit_*"]},
        "log": {"level": "debug"},
        "rules": {"auth_links.orphaned_profile": {"hold": 0}},
        "probes": {"auth_links": {"every": "1s"}},
    }
    async with daemon(tmp_path, dsns, changed) as running:
        await running.fires("auth_links.orphaned_profile", 30 * PATIENCE)
        await asyncio.sleep(3)  # a few more cycles of every probe
        pages = ("/metrics", "/", "/findings", "/targets", "/api/v1/findings", "/api/v1/targets", "/api/v1/status")
        read = [await running.get(page) for page in pages]
    for said in (*read, running.log):
        assert_plain(said)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert_plain(path.read_bytes().decode("latin-1"))


UUIDS = """
    select n.nspname::text as schema, c.relname::text as table, a.attname::text as column
      from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     where a.atttypid = 'uuid'::regtype and c.relkind = 'r' and n.nspname !~ '^pg_|^information_schema$'
"""


async def every_hash(database: Database) -> list[int]:
    """Give what a role that wants to know too much would give a fortune for: the hashes of all uuids there are."""
    found: list[int] = []
    for row in await database.fetch(UUIDS):
        table, column = identifier(row["schema"], row["table"]), identifier(row["column"])
        sql = f"select pg_catalog.uuid_hash_extended({column}, 0) as hash from {table} where {column} is not null"
        found += [each["hash"] for each in await database.fetch(sql)]
    return found


@IN_SESSION
async def test_ids_are_lent_only_where_asked_for_and_of_named_links_alone(lent: Lent, tmp_path: Path) -> None:
    """By the SQL printed with auth.sample_keys; who knows every hash still learns only who has no counterpart."""
    assert "auth_keys" not in "".join(str(function["name"]) for function in lent.functions)
    rest = f"{faults.NOT_LINKS}  sample_keys: 20\n"
    config = configuration(tmp_path, [lent.database.name], faults.LINKS, rest)
    grants = await printed(lent.database, "--config", str(config), ways=["functions"])
    await lent.database.execute(grants["functions"].replace(SAMPLE, lent.role))
    session, hashes = await lent.session(), await every_hash(lent.database)
    users = {str(row["id"]) for row in await lent.database.fetch("select id from auth.users")}
    with_identity = {str(row["id"]) for row in await lent.database.fetch("select id from auth.identities")}
    ways = [("whole", None), ("keys", "00000000-0000-0000-0000-000000000000"), ("blocks", "0")]
    given, refusals = set[str](), list[str]()
    for name, place, (way, first) in product(("auth_keys_rows", "auth_keys_users"), PLACES, ways):
        call = f"select * from pgarchitect.{name}('auth', $1, $2, $3, $4, $5, null, $6, 1000)"
        try:
            (row,) = await session.fetch(call, *place, way, first, hashes)
        except asyncpg.PostgresError as error:
            refusals.append(f"{place[0]}: {error}")
            continue
        assert place[0] != "auth"
        assert name == "auth_keys_users" or users.isdisjoint(row["keys"])
        given.update(row["keys"])
    await session.close()
    await lent.database.execute(
        "\n".join(f"{statement};" for statement in take_back(KEYS) if statement.startswith("drop function"))
    )
    assert given
    assert given.isdisjoint(with_identity)
    assert SECRET.search("".join(refusals)) is None
    foreign = [place for place in PLACES if place[0] in {"auth", "exam_evil", "pg_catalog"}]
    assert len([each for each in refusals if each.endswith("are not lent")]) >= 2 * len(ways) * len(foreign)
