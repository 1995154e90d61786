"""What a reading meets that is not usual: locks, indexes being built, wide tables, odd names, things that go."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from monitor.model import Result
from monitor.probe import Facts, ProbeError, Row, Session
from monitor.shape import Index, IndexKey, Shape
from monitor.shaped import shape_of
from monitor.sql.text import identifier
from probes.shape import PROBE
from probes.shape_around import VIEWS, search_path
from probes.shape_indexes import INDEXES
from probes.shape_reading import LOCKED_REASON
from probes.shape_rounds import whole
from tests.database import Database
from tests.looking import Eye
from tests.patience import PATIENCE


@pytest.fixture
async def look(database: Database) -> AsyncIterator[Eye]:
    async with database.eye(PROBE) as eye:
        yield eye


async def shape(eye: Eye) -> Shape:
    seen = await eye.look()
    assert seen.result is Result.OK, seen.reason
    return shape_of(seen)


async def until(database: Database, question: str) -> None:
    """Wait for what the server should soon answer with true."""
    async with asyncio.timeout(5 * PATIENCE):
        while not await database.value(question):  # noqa: ASYNC110 - a server tells nobody
            await asyncio.sleep(0.01)


def index_names(read: Shape) -> dict[str, Index]:
    return {index.name: index for table in read.tables.values() for index in table.indexes}


THREE = """
    create table one (id int primary key, a int);
    create index on one ((a + 1)) where a > 0;
    create table two (id int primary key);
    create view seen as select id from one;
    create view other as select id from two;
"""


async def test_a_locked_table_stays_as_it_was_and_is_waited_for_by_nobody(any_database: Database) -> None:
    """The lock is granted, then merely awaited by one who stands behind a reader; the rest is read, in no time."""
    await any_database.execute(THREE)
    holder, reader = await any_database.connect(), await any_database.connect()
    async with any_database.eye(PROBE) as eye:
        await shape(eye)
        async with holder.transaction():
            await holder.execute("lock table one in access exclusive mode")
            locked = await shape(eye)
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetch("select from one")
        waiting = asyncio.create_task(holder.execute("alter table one add b int"))
        await until(any_database, "select count(*) > 0 from pg_locks where not granted")
        awaited = await shape(eye)
        await transaction.rollback()
        await waiting
        free = await shape(eye)
    for held in (locked, awaited):
        assert [*held.late] == ["public.one"]
        assert held.late["public.one"].endswith(f"ago: {LOCKED_REASON}")
        assert [table.name for table in held.tables.values()] == ["one", "two"]
        assert [view.name for view in held.views] == ["other"]
    assert (free.left_out, len(free.tables), len(free.views)) == ({}, 2, 2)


async def test_a_lock_that_comes_in_between_is_met_by_the_timeout(database: Database, look: Eye) -> None:
    """Whoever takes it after we looked at the locks costs its own table only, and us a tenth of a second or two."""
    await database.execute(THREE)
    holder = await database.connect()

    async def take(sql: str) -> None:
        if sql == INDEXES and not holder.is_in_transaction():
            await holder.execute("begin; lock table one in access exclusive mode")

    async with look.server.visit(look.database) as session:
        read = await whole(Before(session, take))
    assert read.left_out == {"public.one": LOCKED_REASON}
    assert [table.name for table in read.tables.values()] == ["two"]
    await holder.execute("rollback")


async def test_what_goes_in_between_spoils_nothing(database: Database, look: Eye) -> None:
    """A table is dropped after the list was made, and another one loses a column and a view."""
    await database.execute(THREE)

    async def drop(sql: str) -> None:
        if sql == INDEXES:
            await database.execute("drop view if exists other; drop table if exists two")
        if sql == VIEWS:
            await database.execute("alter table one drop column a; drop view if exists seen")

    async with look.server.visit(look.database) as session:
        read = await whole(Before(session, drop))
    assert "one" in [table.name for table in read.tables.values()]
    assert read.views == ()


async def test_a_failure_that_is_no_tables_doing_is_not_hidden(database: Database, look: Eye) -> None:
    """A question that the server does not understand is our own fault: the reading is broken, not empty."""
    await database.execute(THREE)

    async def fail(sql: str) -> None:
        if sql == INDEXES:
            raise ProbeError("SQLSTATE 42703 (UndefinedColumnError): column x does not exist")

    async with look.server.visit(look.database) as session:
        with pytest.raises(ProbeError, match="42703"):
            await whole(Before(session, fail))


class Before:
    """A real session, before whose questions something happens."""

    def __init__(self, session: Session, happens: Callable[[str], Awaitable[None]]) -> None:
        self._session, self._happens = session, happens

    @property
    def facts(self) -> Facts:
        return self._session.facts

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        await self._happens(sql)
        return await self._session.fetch(sql, *arguments)


async def test_an_index_that_is_being_built_is_told_from_one_that_was_given_up(any_database: Database) -> None:
    """Both are not valid; the one that waits for an old transaction is being built, after its end neither."""
    await any_database.execute("create table t (a int); insert into t select generate_series(1, 1000)")
    old, builder = await any_database.connect(), await any_database.connect()
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        transaction = old.transaction()
        await transaction.start()
        await old.execute("insert into t values (0)")
        building = asyncio.create_task(builder.execute("create index concurrently slow on t (a)"))
        await until(any_database, "select count(*) > 0 from pg_locks where not granted")
        found = index_names(await shape(eye))
        assert (found["slow"].valid, found["slow"].building) == (False, True)
        await any_database.fetch(
            "select pg_cancel_backend(pid) from pg_stat_activity where query like 'create index%' and state = 'active'"
        )
        with pytest.raises(Exception, match="cancel"):
            await building
        given_up = index_names(await shape(eye))["slow"]
        await transaction.rollback()
    assert (given_up.valid, given_up.building) == (False, False)


async def test_sixteen_hundred_columns_are_read(database: Database, look: Eye) -> None:
    """As many as a table can have, each with its statistics, and an index over as many as one can have."""
    columns = ", ".join(f"c{number} int" for number in range(1, 1601))
    await database.execute(f"create table wide ({columns})")
    await database.execute("insert into wide (c1, c1600) select g, g % 7 from generate_series(1, 500) g")
    await database.execute(f"create index on wide ({', '.join(f'c{number}' for number in range(1600, 1568, -1))})")
    await database.execute("analyze wide")
    wide = (await shape(look)).named("public", "wide")
    assert wide is not None
    last = wide.by_name["c1600"].statistics
    assert (len(wide.columns), len(wide.indexes[0].keys), wide.indexes[0].keys[0].column) == (1600, 32, 1600)
    assert last is not None
    assert last.n_distinct == 7


ODD = (" a space", 'q"uote', "d.ot", "per%cent", "sel'ect", "ORDER", "ü" * 31, "日本" * 10, "$1", "back\\slash")


async def test_odd_names_come_as_they_are(any_database: Database) -> None:
    """Spaces, dots, quotes, 63 bytes, more bytes than letters: of all that has a name."""
    for name in ODD:
        quoted, enum = quote(name), quote(name[:-1] + "z")
        await any_database.execute(
            f"create schema {quoted}; create type {quoted}.{enum} as enum ({quote(name, chr(39))});"
            f'create collation {quoted}.{quoted} from "C";'
            f"create table {quoted}.{quoted} ({quoted} text collate {quoted}.{quoted}, e {quoted}.{enum});"
            f"create index {quote(name[:-1] + 'i')} on {quoted}.{quoted} ({quoted}, lower({quoted}))"
            f" where {quoted} > {quote(name, chr(39))}"
        )
    async with any_database.eye(PROBE) as eye:
        read = await shape(eye)
    labels = {each.name: each.labels for each in read.types}
    for name in ODD:
        table = read.named(name, name)
        assert table is not None
        quoted = quote(name) if identifier(name) != name else name
        assert [column.name for column in table.columns] == [name, "e"]
        assert table.by_name[name].collation in {f"{quoted}.{quoted}", f"{quote(name)}.{quote(name)}"}
        assert (labels[name[:-1] + "z"], table.by_name[name].by_bytes) == ((name,), True)
        first, second = table.indexes[0].keys
        assert first == IndexKey(expression=identifier(name), column=1)
        assert second.expression in {f"(lower({quote(name)}))", f"(lower({name}))"}
        assert table.indexes[0].name == name[:-1] + "i"


def quote(name: str, mark: str = '"') -> str:
    return mark + name.replace(mark, mark * 2) + mark


PARTS = """
    create table events (at date not null, kind text, id int) partition by range (at);
    create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01')
        partition by list (lower(kind));
    create table events_2025_a partition of events_2025 for values in ('a');
    create table events_rest partition of events default;
    create index events_id on events (id);
    create table base (id int); create table derived (more int) inherits (base);
    create foreign data wrapper nowhere; create server away foreign data wrapper nowhere;
    create foreign table distant (id int) server away;
    create materialized view summary as select 1 as one;
    create temporary table passing (id int);
    create unlogged table quick (id int) with (fillfactor = 70);
    alter table quick enable row level security;
"""


async def test_partitions_and_other_kinds_of_tables_are_told_apart(any_database: Database) -> None:
    """Bounds and keys as the server writes them; parents of tables and of indexes; nothing temporary."""
    await any_database.execute(PARTS)
    async with any_database.eye(PROBE) as eye:
        read = await shape(eye)
    tables = {table.name: table for table in read.tables.values()}
    year, leaf, rest = tables["events_2025"], tables["events_2025_a"], tables["events_rest"]
    assert (tables["events"].partition_key, tables["events"].kind) == ("RANGE (at)", "p")
    assert (year.parent, year.bound) == (
        tables["events"].oid,
        "FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    )
    assert (year.partition_key, leaf.parent, leaf.bound) == ("LIST (lower(kind))", year.oid, "FOR VALUES IN ('a')")
    assert (rest.bound, rest.partition_key, rest.indexes[0].parent) == ("DEFAULT", "", tables["events"].indexes[0].oid)
    assert (tables["derived"].inherits, tables["derived"].parent) == ((tables["base"].oid,), 0)
    assert {name: tables[name].kind for name in ("distant", "summary", "quick")} == {
        "distant": "f", "summary": "m", "quick": "r",
    }  # fmt: skip
    assert (tables["quick"].fillfactor, tables["quick"].row_security) == (70, True)
    assert "passing" not in tables


AROUND = """
    create schema "My Schema";
    create function "My Schema".twice(int, label text default 'x') returns int language sql immutable as 'select $1';
    create function pairs(int) returns table (a int, b text) language sql stable as 'select 1, null::text';
    create table parent (id int primary key, other int unique);
    create table child (id int, parent_id int references parent, o int references parent (other));
    create view wide as select p.id, c.o from parent p join child c on c.parent_id = p.id;
    create domain short as varchar(10);
    create extension btree_gist;
"""


async def test_what_stands_around_tables_is_read(any_database: Database) -> None:
    """Functions, keys, views, domains and extensions; search_path and settings that differ from the default."""
    await any_database.execute(AROUND)
    for setting in ("random_page_cost = 1.1", "work_mem = '64MB'", 'search_path = "$user", "My Schema", Public'):
        await any_database.execute(f"alter database {any_database.name} set {setting}")
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        read = await shape(eye)
    functions = {function.name: function for function in read.functions if function.schema != "pgarchitect"}
    assert (functions["twice"].arguments, functions["twice"].returns) == ("integer, label text", "integer")
    assert (functions["twice"].volatility, functions["twice"].returns_set) == ("i", False)
    assert (functions["pairs"].returns, functions["pairs"].returns_set) == ("TABLE(a integer, b text)", True)
    assert sorted(functions) == ["pairs", "twice"], "those of extensions come with the extension"
    assert [(key.columns, key.parent_columns) for key in read.foreign_keys] == [((2,), (1,)), ((3,), (2,))]
    assert [(view.name, "JOIN public.child c" in view.definition) for view in read.views] == [("wide", True)]
    assert [(each.name, each.base) for each in read.types] == [("short", "character varying(10)")]
    assert read.extensions["btree_gist"] == "public"
    assert read.available == {"pg_trgm", "btree_gin", "btree_gist"}
    assert read.path == ("My Schema", "public")
    assert read.settings == {"random_page_cost": "1.1", "work_mem": "65536", "block_size": "8192"}
    assert (read.counted_seconds or 0) > 0
    assert not read.in_recovery


async def test_more_tables_than_are_read_are_counted(database: Database, look: Eye) -> None:
    """The largest are read; that the rest was not stands in what was left out."""
    await database.execute(THREE)
    await database.execute("insert into two select generate_series(1, 1000)")
    await database.execute("vacuum two")
    async with look.server.visit(look.database) as session:
        read = await whole(session, most=1)
    assert [table.name for table in read.tables.values()] == ["two"]
    assert read.left_out == {"1 smallest tables": "only the 1 largest are read"}


async def test_a_second_reading_keeps_what_is_the_same(database: Database, look: Eye) -> None:
    """Two shapes of ten thousand tables would take twice the memory."""
    await database.execute(THREE)
    before = await shape(look)
    await database.execute("create index new on two (id)")
    after = await shape(look)
    one, two = before.named("public", "one"), before.named("public", "two")
    assert one is not None
    assert two is not None
    assert after.tables[one.oid] is one
    assert after.tables[two.oid].columns is two.columns
    assert after.tables[two.oid].indexes[0] is two.indexes[0]


@pytest.mark.parametrize(
    ("value", "schemas"),
    [
        ('"$user", public', ("public",)),
        ("Public,app", ("public", "app")),
        ('"A ""b"", c" , d', ('A "b", c', "d")),
        ('""', ()),
        ("", ()),
    ],
)
def test_a_search_path_is_read_as_the_server_reads_it(value: str, schemas: tuple[str, ...]) -> None:
    """Folded unless quoted; whose schema it is depends on who asks, and is left out."""
    assert search_path(value) == schemas
