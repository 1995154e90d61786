"""SQL as text: simple or complex by the parse tree, fingerprints that survive literals, quoting that survives names."""

import pytest

from monitor.sql.text import StatementKind, identifier, literal, read_statement, redact


@pytest.mark.parametrize(
    "sql",
    [
        "select * from rooms where id = $1",
        "select name from rooms where owner_id = $1 order by created_at desc limit $2",
        "insert into rooms (name) values ($1) returning id",
        "update rooms set name = $1 where id = $2",
        "delete from rooms where id = any($1)",
        "select lower(name) from public.rooms for update skip locked",
        "select 1",
        "select pg_catalog.upper(name), coalesce(size, 0) from rooms where created_at > now() - interval '1 day'",
        "insert into rooms (id, name) values (gen_random_uuid(), $1)",
        "select * from rooms where owner_id = auth.uid()",
        "select nextval('rooms_id_seq')",
        "select pg_sleep($1)",
    ],
)
def test_one_table_is_simple(sql: str) -> None:
    """No join, no aggregate, no set operation."""
    statement = read_statement(sql)
    assert statement is not None
    assert statement.kind is StatementKind.SIMPLE


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from rooms",
        "select max(id) from rooms",
        "select owner_id from rooms group by owner_id",
        "select distinct owner_id from rooms",
        "select * from rooms r join users u on u.id = r.owner_id",
        "select * from rooms, users",
        "select * from rooms where owner_id in (select id from users)",
        "select id from rooms union all select id from users",
        "with q as (select id from rooms) select * from q",
        "select row_number() over (order by id) from rooms",
        "insert into rooms select * from old_rooms",
        "update rooms set name = u.name from users u where u.id = rooms.owner_id",
        "select * from generate_series($1, $2)",
    ],
)
def test_more_than_one_look_is_complex(sql: str) -> None:
    """Joins, aggregates, set operations, subselects, windows."""
    statement = read_statement(sql)
    assert statement is not None
    assert statement.kind is StatementKind.COMPLEX


@pytest.mark.parametrize(
    "sql",
    [
        "select close_month($1)",
        "select billing.lower($1)",
        "select id from rooms where visible_to(id, $1)",
        "update rooms set name = my_name($1) where id = $2",
        "select pg_catalog.pg_advisory_lock($1)",
    ],
)
def test_a_function_that_is_not_known_to_be_cheap_may_do_anything(sql: str) -> None:
    """Somebody's own function, also one named like a cheap one of the server's; and what waits."""
    statement = read_statement(sql)
    assert statement is not None
    assert statement.kind is StatementKind.COMPLEX


@pytest.mark.parametrize(
    "sql", ["begin", "vacuum rooms", "create index on rooms (name)", "set x = 1", "explain select 1"]
)
def test_what_neither_reads_nor_changes_rows_is_utility(sql: str) -> None:
    """Such statements are never called slow."""
    statement = read_statement(sql)
    assert statement is not None
    assert statement.kind is StatementKind.UTILITY


def test_tables_are_named_but_not_common_table_expressions() -> None:
    """With their schema where one is written."""
    statement = read_statement("with q as (select 1 from auth.users) select * from q join rooms on true")
    assert statement is not None
    assert statement.tables == ((None, "rooms"), ("auth", "users"))


def test_a_fingerprint_knows_no_literals() -> None:
    """Bound and literal form of one statement are the same statement."""
    texts = (
        "select * from rooms where id = $1",
        "SELECT * FROM rooms WHERE id = 42",
        "select *\nfrom rooms where id='x'",
    )
    prints = {statement.fingerprint for text in texts if (statement := read_statement(text))}
    assert len(prints) == 1


@pytest.mark.parametrize("sql", ["select from from", "", "select * from rooms where name = 'cut of", "\x00"])
def test_what_cannot_be_parsed_is_none_or_empty(sql: str) -> None:
    """A text that was cut, or is none."""
    statement = read_statement(sql)
    assert statement is None or statement.tables == ()


@pytest.mark.parametrize(
    ("parts", "quoted"),
    [
        (("public", "rooms"), "public.rooms"),
        (("public", "Order"), 'public."Order"'),
        (("a b", 'q"t'), '"a b"."q""t"'),
        (("user",), '"user"'),
        (("größe",), '"größe"'),
        (("1st",), '"1st"'),
    ],
)
def test_identifiers_are_quoted_where_needed(parts: tuple[str, ...], quoted: str) -> None:
    """And only there."""
    assert identifier(*parts) == quoted


def test_literals_are_safe() -> None:
    """Quotes and backslashes."""
    assert literal("it's") == "'it''s'"
    assert literal("a\\'b") == "E'a\\\\''b'"


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("select * from t where a = 'x''y' and b = $1 limit 10", "select * from t where a = $2 and b = $1 limit $3"),
        ("select 1 -- bob@example.org\n /* a /* nested */ one */ from t", "select $1 from t"),
        ("insert into t values ($q$abc$q$, E'\\n', 4111111111111111)", "insert into t values ($1, $2, $3)"),
        ('select a::numeric(10,2) as "it\'s" from t', 'select a::numeric(10,2) as "it\'s" from t'),
        ("create role joe password 'abc'", "create role ..."),
        ("alter  user/* x */ x password 'y'", "alter user ..."),
        ("set a.b to 'secret'", "set ..."),
        ("do $$ begin perform 'secret'; end $$", "do ..."),
        ("explain select 'secret'", "explain ..."),
        ("prepare p as select 'secret'", "prepare ..."),
        ("select * from json_table('{}', '$.secret' columns (a int path '$.secret')) t", ""),
        ("select 'cut off", ""),
        ("<insufficient privilege>", ""),
        ("", ""),
    ],
)
def test_a_redacted_text_has_no_constant(sql: str, shown: str) -> None:
    """Constants become $n, comments go; what cannot be promised to be clean is not shown."""
    assert redact(sql) == shown


@pytest.mark.parametrize(
    ("sql", "filtered"),
    [
        ("select * from t where a = $1", True),
        ("select * from t limit $1", True),
        ("delete from t where a = $1", True),
        ("insert into t values ($1) on conflict (a) do update set b = $1 where t.c", True),
        ("select count(*) from t", False),
        ("select * from t order by a", False),
    ],
)
def test_a_statement_that_asks_for_a_part_is_known(sql: str, filtered: bool) -> None:  # noqa: FBT001 - a table of cases
    """By WHERE or LIMIT, anywhere in it."""
    statement = read_statement(sql)
    assert statement is not None
    assert statement.filtered is filtered


@pytest.mark.parametrize("condition", ["a = $1", "$1 = a", "a in ($1, $2)", "a = any($1)", "lower(a) = $1::text"])
def test_an_equality_with_a_value_is_told(condition: str) -> None:
    read = read_statement(f"select count(*) from t where {condition}")
    assert read is not None
    assert read.matches


@pytest.mark.parametrize("condition", ["a < $1", "a = b", "active", "a like $1", "lower(a) = lower(b)"])
def test_other_comparisons_are_none(condition: str) -> None:
    read = read_statement(f"select count(*) from t where {condition}")
    assert read is not None
    assert not read.matches
