"""The indexes probe on real servers: what serves a foreign key and what does not, and remedies that are run."""

import secrets
from collections.abc import Sequence
from functools import partial

import pytest

from monitor.findings.ledger import Ledger
from monitor.index_names import BYTES, Names, Place
from monitor.model import Alert, Confidence, Finding, Judgement, Result, Severity, State
from monitor.probe import Rule
from monitor.proof import Outcome
from probes.indexes import PROBE
from probes.indexes_rules import MissingForeignKey
from tests.database import Database

PAIR = """
    create table parent (id int primary key);
    create table child (id int primary key, parent_id int references parent);
"""
FILL = """
    insert into parent select generate_series(1, 50);
    insert into child select g, g % 50 + 1 from generate_series(1, 2500) g;
"""


async def found(database: Database, *rules: Rule) -> list[Finding]:
    return await database.judge(PROBE, *rules)


async def undo(database: Database, finding: Finding) -> None:
    for statement in finding.remedy.rollback:
        await database.execute(statement)


async def test_it_reads_every_version_as_the_monitors_own_role(any_database: Database) -> None:
    """Tables with their counters, keys and the total, without any right to the tables themselves."""
    await any_database.execute(PAIR + FILL + "analyze")
    monitor = await any_database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
        (finding,) = eye.findings(seen)
    tables = {str(row["table"]): row for row in seen.rows if row["kind"] == "table"}
    assert seen.result is Result.OK
    assert tables["child"]["reltuples"] == 2500
    assert tables["child"]["size_bytes"] == 8192 * int(str(tables["child"]["relpages"])) > 0
    assert set(tables) == {"child", "parent"}
    assert finding.subject == "public.child (parent_id)"


async def test_a_key_without_index_is_found_and_the_remedy_mends_it(any_database: Database) -> None:
    """Sick, cured by the printed SQL, sick again by the printed rollback."""
    await any_database.execute(PAIR + FILL + "analyze")
    (finding,) = await found(any_database)
    assert (finding.rule, finding.severity) == ("index.missing_foreign_key", Severity.WARNING)
    assert (finding.object.schema, finding.object.name) == ("public", "child")
    assert finding.object.columns == ("parent_id",)
    assert finding.evidence["constraints"] == ["child_parent_id_fkey"]
    assert (finding.evidence["parent"], finding.evidence["child_rows"]) == ("public.parent", 2500)
    assert finding.remedy.sql == (
        "create index concurrently if not exists child_parent_id_idx on public.child (parent_id)",
    )
    await any_database.apply(finding.remedy)
    assert await found(any_database) == []
    await undo(any_database, finding)
    assert len(await found(any_database)) == 1


SERVING = {
    "plain": "create index on c (a, b)",
    "other order": "create index on c (b, a)",
    "leading": "create index on c (a, b, x)",
    "descending": "create index on c (a desc, b)",
    "unique": "create unique index on c (b, a, id)",
    "covering": "create index on c (a, b) include (x)",
}
NOT_SERVING = {
    "none": "select 1",
    "only the first column": "create index on c (a)",
    "another leading": "create index on c (x, a, b)",
    "one between": "create index on c (a, x, b)",
    "included": "create index on c (a) include (b)",
    "partial": "create index on c (a, b) where x is null",
    "expression": "create index on c (a, (b + 0))",
    "another method": "create index on c using brin (a, b)",
    "invalid": "create index made on c (a, b);"
    "update pg_index set indisvalid = false where indexrelid = 'made'::regclass",
    "not ready": "create index made on c (a, b);"
    "update pg_index set indisready = false where indexrelid = 'made'::regclass",
}
COMPOSITE = """
    create table p (a int, b int, primary key (a, b));
    create table c (id int primary key, a int, b int, x int, foreign key (a, b) references p);
"""


@pytest.mark.parametrize("ddl", SERVING.values(), ids=SERVING)
async def test_an_index_that_serves_is_no_finding(database: Database, ddl: str) -> None:
    """Near misses: the key's columns lead, in whatever order."""
    await database.execute(COMPOSITE + ddl)
    assert await found(database) == []


@pytest.mark.parametrize("ddl", NOT_SERVING.values(), ids=NOT_SERVING)
async def test_an_index_that_does_not_serve_is_seen_through_and_the_remedy_helps(database: Database, ddl: str) -> None:
    """Sick although there is an index, even one that has the name we would have chosen."""
    await database.execute(COMPOSITE + ddl)
    (finding,) = await found(database)
    assert finding.object.columns == ("a", "b")
    await database.apply(finding.remedy)
    assert await found(database) == []


async def test_single_columns_may_have_a_hash_or_a_not_null_index(any_database: Database) -> None:
    """The node tree of `is not null` is read alike on every version; another condition is no help."""
    await any_database.execute(PAIR)
    for ddl, count in {
        "create index i on child using hash (parent_id)": 0,
        "create index i on child (parent_id) where parent_id is not null": 0,
        "create index i on child (parent_id) where id is not null": 1,
        "create index i on child (parent_id) where parent_id is null": 1,
        "create index i on child (parent_id) where parent_id is not null and id > 5": 1,
    }.items():
        await any_database.execute(ddl)
        assert (ddl, len(await found(any_database))) == (ddl, count)
        await any_database.execute("drop index i")


async def test_the_planner_does_use_the_not_null_index(database: Database) -> None:
    """Why such an index is no finding: an equality implies it."""
    await database.execute(PAIR + FILL + "create index i on child (parent_id) where parent_id is not null; analyze")
    await database.execute("set enable_seqscan = off; set plan_cache_mode = force_generic_plan")
    await database.execute("prepare look(int) as select 1 from only child x where $1 = parent_id for key share")
    plan = await database.fetch("explain execute look(1)")
    assert any("on i" in str(row) or "using i" in str(row) for row in plan)


async def test_an_index_in_another_collation_serves_no_key(database: Database) -> None:
    """The check compares in the column's collation, so such an index cannot be used."""
    await database.execute("create table p (code text primary key); create table c (code text references p)")
    await database.execute('create index i on c (code collate "POSIX")')
    (finding,) = await found(database)
    await database.apply(finding.remedy)
    assert await found(database) == []


async def test_a_small_child_of_a_parent_that_never_changes_is_only_told(database: Database) -> None:
    """Info below the limit; exactly at it, or once the parent loses rows, a warning."""
    await database.execute(PAIR + FILL + "analyze")
    for limit, severity in ((2499, Severity.WARNING), (2500, Severity.WARNING), (2501, Severity.INFO)):
        (finding,) = await found(database, MissingForeignKey(small_rows=limit))
        assert (limit, finding.severity) == (limit, severity)
    await database.execute("insert into parent values (1000)")
    await database.execute("delete from parent where id = 1000")
    await database.value("select pg_stat_force_next_flush()")
    (finding,) = await found(database, MissingForeignKey(small_rows=2501))
    assert (finding.severity, finding.evidence["parent_deletes"]) == (Severity.WARNING, 1)


async def test_of_an_unknown_child_the_confidence_is_lower(database: Database) -> None:
    """Too little data: never analyzed and never counted; live rows alone are enough."""
    await database.execute(PAIR)
    (finding,) = await found(database)
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert finding.evidence["child_rows"] is None
    await database.execute("alter table child set (autovacuum_enabled = off);" + FILL)
    await database.value("select pg_stat_force_next_flush()")
    (finding,) = await found(database)
    assert (finding.confidence, finding.evidence["child_rows"]) == (Confidence.HIGH, 2500)


async def test_a_database_without_foreign_keys_has_nothing_to_judge(database: Database) -> None:
    """The rule does not apply, which is not the same as well."""
    async with database.eye(PROBE) as eye:
        (unsaid,) = eye.unsaid(await eye.look())
    assert unsaid.needs is None


async def test_each_key_is_told_once(database: Database) -> None:
    """Two constraints on the same columns, in either order; a self reference; one not validated; a temporary table."""
    await database.execute("""
        create table p (a int, b int, primary key (a, b), unique (b, a));
        create table c (a int, b int, foreign key (a, b) references p, foreign key (b, a) references p (b, a));
        create table node (id int primary key, up int references node);
        create table late (id int);
        alter table late add constraint late_fk foreign key (id) references node not valid;
        create temp table passing (id int primary key, up int references passing);
    """)
    subjects = sorted(finding.subject for finding in await found(database))
    assert subjects == ["public.c (a, b)", "public.late (id)", "public.node (up)"]
    both = next(finding for finding in await found(database) if finding.object.name == "c")
    assert both.evidence["constraints"] == ["c_a_b_fkey", "c_b_a_fkey"]


async def test_one_index_is_advised_for_keys_that_begin_alike(database: Database) -> None:
    """(tenant) and (tenant, project): the longer index serves both, and is printed for both."""
    await database.execute("""
        create table tenants (id int primary key);
        create table projects (tenant int, id int, primary key (tenant, id));
        create table tasks (tenant int references tenants, project int,
                            foreign key (tenant, project) references projects);
        create index on projects (tenant);
    """)
    one, two = await found(database)
    assert one.remedy.sql == two.remedy.sql
    assert {one.object.columns, two.object.columns} == {("tenant",), ("tenant", "project")}
    await database.apply(one.remedy)
    assert await found(database) == []


async def test_a_key_that_is_not_enforced_looks_for_no_rows(database: Database) -> None:
    """PostgreSQL 18: no trigger, no scan."""
    await database.execute(PAIR.replace("references parent", "references parent not enforced"))
    assert await found(database) == []


async def test_tables_of_an_extension_are_not_the_users(database: Database) -> None:
    """Near miss: members of an extension cannot be mended."""
    await database.execute(PAIR + "alter extension pg_stat_statements add table child")
    assert await found(database) == []


async def test_what_a_managed_service_owns_is_left_out(database: Database) -> None:
    """GoTrue's own schema: its owner alone could mend it; a schema that is merely called so is the user's."""
    await database.execute("create schema auth; set search_path = auth;" + PAIR)
    assert [finding.subject for finding in await found(database)] == ["auth.child (parent_id)"]
    await database.execute("create table auth.schema_migrations (version text)")
    assert await found(database) == []


async def test_what_supabase_owns_is_left_out(database: Database) -> None:
    """Its schemas belong to its own roles."""
    role = f"supabase_{secrets.token_hex(4)}"
    await database.execute(f"create role {role}; create schema storage; set search_path = storage;" + PAIR)
    try:
        assert len(await found(database)) == 1
        await database.execute(f"alter schema storage owner to {role}")
        assert await found(database) == []
    finally:
        await database.execute(f"drop owned by {role} cascade; drop role {role}")


PARTITIONED = """
    create table parent (id int primary key);
    create table root (extra int, day int, parent_id int references parent) partition by range (day);
    alter table root drop column extra;
    create table one partition of root for values from (0) to (10);
    create table two (parent_id int, day int);
    alter table root attach partition two for values from (10) to (20);
"""
DEEPER = """
    create table mid partition of root for values from (20) to (30) partition by list (day);
    create table "Deep Leaf" partition of mid default;
"""


@pytest.mark.parametrize("ddl", [PARTITIONED, PARTITIONED + DEEPER], ids=["one level", "two levels"])
async def test_a_partitioned_table_is_told_once_and_mended_on_every_level(any_database: Database, ddl: str) -> None:
    """One finding on the root; the remedy ends in a valid index, its rollback leaves none."""
    await any_database.execute(ddl)
    (finding,) = await found(any_database)
    assert finding.subject == "public.root (parent_id)"
    await any_database.apply(finding.remedy)
    assert await found(any_database) == []
    assert await any_database.value("select indisvalid from pg_index where indexrelid = 'root_parent_id_idx'::regclass")
    await any_database.execute("create table later partition of root for values from (50) to (60)")
    assert await found(any_database) == []
    await undo(any_database, finding)
    assert len(await found(any_database)) == 1
    assert await any_database.value("select count(*) from pg_class where relname like '%idx'") == 0


async def test_partitions_that_have_their_own_index_are_served(database: Database) -> None:
    """Near miss: each leaf has one. Then a new partition has none, and only that one is mended."""
    await database.execute(PARTITIONED + DEEPER)
    for leaf in ("one", "two", '"Deep Leaf"'):
        await database.execute(f"create index on {leaf} (parent_id)")
    assert await found(database) == []
    await database.execute("create table later partition of root for values from (50) to (60)")
    (finding,) = await found(database)
    assert len(finding.remedy.sql) == 1
    await database.apply(finding.remedy)
    assert await found(database) == []


@pytest.mark.parametrize("served", [(), ("one",), ("one", "two", '"Deep Leaf"')], ids=["none", "one", "all but new"])
async def test_a_partitioned_table_that_was_mended_is_fixed(database: Database, served: Sequence[str]) -> None:
    """Whatever part of it had an index; not before each partition has one."""
    await database.execute(PARTITIONED + DEEPER + "create table later partition of root for values from (50) to (60)")
    for leaf in served:
        await database.execute(f"create index on {leaf} (parent_id)")
    ledger = Ledger()
    (sick,) = await followed(database, ledger)
    for statement in sick.finding.remedy.sql:
        (alert,) = await followed(database, ledger)
        assert alert.outcome is None or not statement.startswith("create")
        await database.execute(statement)
    (alert,) = await followed(database, ledger)
    assert (alert.state, alert.outcome) == (State.RESOLVED, Outcome.FIXED)


async def followed(database: Database, ledger: Ledger) -> Sequence[Alert]:
    """Look as the daemon does: first for what stands, then at what is found; give all alerts."""
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        findings = eye.findings(seen)
    assert PROBE.things is not None
    ledger.catalogued(seen.target, partial(PROBE.things, seen), lambda *_: 0.0, seen.taken_at)
    judged = Judgement(rule=MissingForeignKey.id, source=seen.target, hold=0, keep=0, verdicts=tuple(findings))
    ledger.observe([judged], seen.taken_at)
    return ledger.alerts


async def test_an_index_on_only_the_root_serves_nobody(database: Database) -> None:
    """It is invalid until every partition has its part; the empty partitioned table is told as well."""
    await database.execute(PARTITIONED + "create index root_parent_id_idx on only root (parent_id)")
    (finding,) = await found(database)
    await database.apply(finding.remedy)
    assert await found(database) == []
    await database.execute("create table bare (day int, parent_id int references parent) partition by list (day)")
    (finding,) = await found(database)
    await database.apply(finding.remedy)
    assert await found(database) == []


async def test_a_tree_of_very_many_partitions_is_left_to_a_person(database: Database) -> None:
    """Nobody wants a hundred statements: the caution says how."""
    await database.execute("create table parent (id int primary key)")
    await database.execute("create table root (day int, parent_id int references parent) partition by list (day)")
    await database.execute(
        "do $$ begin for i in 1..51 loop"
        " execute format('create table leaf_%s partition of root for values in (%s)', i, i); end loop; end $$"
    )
    (finding,) = await found(database)
    assert (finding.remedy.sql, finding.evidence["partitions"]) == ((), 51)
    assert "attach partition" in finding.remedy.caution
    await database.execute("create index on root (parent_id)")
    assert await found(database) == []


async def test_a_partitioned_parent_counts_its_partitions_deletes(database: Database) -> None:
    """One finding, not one for each partition of the parent; deletes are counted where they happen."""
    await database.execute("""
        create table parent (id int primary key) partition by range (id);
        create table parent_1 partition of parent for values from (0) to (100);
        create table child (parent_id int references parent);
        insert into parent values (1), (2);
        delete from parent where id = 2;
        select pg_stat_force_next_flush();
    """)
    (finding,) = await found(database)
    assert finding.evidence["parent_deletes"] == 1


NAMES = {
    "quoted": ('Sales "EU"', "Order Id"),
    "umlaut": ("größen", "schlüssel_größe"),
    "63 bytes": ("t" * 63, "c" * 63),
    "63 bytes of two each": ("ü" * 31, "ö" * 31),
    "reserved": ("order", "user"),
}


@pytest.mark.parametrize(("table", "column"), NAMES.values(), ids=NAMES)
async def test_any_name_is_quoted_and_cut_to_63_bytes(any_database: Database, table: str, column: str) -> None:
    """The remedy runs as printed, makes a valid index by exactly the printed name, and the rollback drops it."""
    table_sql, column_sql = ('"' + name.replace('"', '""') + '"' for name in (table, column))
    await any_database.execute(
        f'create table parent (id int primary key); create schema "Ä b";'
        f'create table "Ä b".{table_sql} ({column_sql} int references parent)'
    )
    (finding,) = await found(any_database)
    assert (finding.object.name, finding.object.columns) == (table, (column,))
    await any_database.apply(finding.remedy)
    assert await found(any_database) == []
    await undo(any_database, finding)
    assert len(await found(any_database)) == 1


async def test_two_wishes_never_get_one_name(database: Database) -> None:
    """a_b (c) and a (b_c) would both be a_b_c_idx, and `if not exists` would skip the second."""
    await database.execute("""
        create table p (id int primary key);
        create table a_b (c int references p);
        create table a (b_c int references p);
    """)
    for finding in await found(database):
        await database.apply(finding.remedy)
    assert await found(database) == []


def test_a_name_is_free_short_and_stays_the_same() -> None:
    """Taken names are avoided; the same place has the same name; none is longer than 63 bytes."""
    place = Place("public", "rooms", ("owner_id",))
    assert Names(()).of(place) == "rooms_owner_id_idx"
    names = Names({("public", "rooms_owner_id_idx")})
    assert names.of(place) == names.of(place) != "rooms_owner_id_idx"
    long = Names(()).of(Place("public", "ß" * 31, ("ß" * 31,)))
    assert len(long.encode()) <= BYTES


async def test_scans_grow_and_few_series_are_shown(database: Database) -> None:
    """The advisor's figures grow between two looks; the largest tables alone are exported."""
    await database.execute(PAIR + FILL + "select pg_stat_force_next_flush()")
    await database.execute(
        "do $$ begin for i in 1..30 loop execute format('create table filler_%s (x int)', i); end loop; end $$"
    )
    async with database.eye(PROBE) as eye:
        first = await eye.look()
        session = await database.connect()
        await session.execute("select count(*) from child; select pg_stat_force_next_flush()")
        await session.close()
        seen = await eye.look()
    child = next(row for row in seen.changes if row["table"] == "child")
    assert (child["seq_scan"], child["seq_tup_read"], child["n_live_tup"]) == (1, 2500, 2500)
    shown = next(row for row in seen.exposed or () if row["table"] == "child")
    assert shown["seq_scan"] == 1
    assert len(first.exposed or ()) == len(seen.exposed or ()) == 21
    total = next(row for row in seen.rows if row["kind"] == "total")
    assert (total["foreign_keys"], total["foreign_keys_without_index"]) == (1, 1)


async def test_it_waits_for_no_lock(database: Database) -> None:
    """Somebody holds the table, its index and its parent exclusively, and all is read as ever."""
    await database.execute(PAIR + FILL + "create index on child (parent_id) where id > 3; analyze")
    holder = await database.connect()
    await holder.execute("begin; lock table child, parent in access exclusive mode")
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        assert seen.result is Result.OK
        assert len(eye.findings(seen)) == 1
