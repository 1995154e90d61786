"""Shapes of tables and indexes on which the estimate of bloat is measured: what makes each, and its error allowed."""

from dataclasses import dataclass

ROWS = 20000


@dataclass(frozen=True)
class Shape:
    """SQL that makes table `t`, what happens after its first vacuum, and the btree that is judged instead, if any."""

    name: str
    sql: str
    after: str = ""
    index: str = ""
    error: float = 0.05
    """The difference allowed between the estimate and what a rewrite gives back, as a part of the size."""
    against: float = 0.1
    """The same to what pgstattuple calls free or dead; it does not know that duplicates become lists."""


def of(columns: str, values: str, rows: int = ROWS) -> str:
    return f"create table t ({columns}); insert into t select {values} from generate_series(1, {rows}) g"


TEXT = "repeat(md5(g::text), 1 + g % 5)"
LONG = "(select string_agg(md5((g * i)::text), '') from generate_series(1, {}) i)"
PLAIN = of("id int, n int, words text", f"g, g % 100, {TEXT}")
KEYED = of("id int primary key, n int, words text, u uuid", "g, g % 100, md5(g::text), gen_random_uuid()", 60000)
JSON = "jsonb_build_object('id', g, 'name', 'person ' || g, 'tags', array[g, 2])"


def columns(count: int) -> str:
    """Make a table of so many columns that are null now and then."""
    names = ",".join(f"c{i} int" for i in range(count))
    return of(names, ",".join(f"nullif(g % {i + 2}, 0)" for i in range(count)))


SHAPES = (
    Shape("narrow", of("a int", "g", 100000)),
    Shape("two integers and a time", of("a int, b bigint, c timestamptz", "g, g, now()", 50000)),
    Shape("padding between columns", of("a bool, b bigint, c bool, d bigint", "true, g, false, g", 50000)),
    Shape("short text", of("id int, t text", "g, 'name ' || g", 50000)),
    Shape("text of varying length", PLAIN),
    Shape("wide", of("id int, a text, b text", "g, repeat('x', 700 + g % 400), repeat('y', 500)", 4000)),
    Shape("five rows a page", of("id int, a text", f"g, {LONG.format(46)}", 3000), against=0.15),
    Shape(
        "nullable", of("a int, b int, c text, d text", "g, nullif(g % 2, 0), case when g % 3 = 0 then 'abc' end, null")
    ),
    Shape("many nullable columns", columns(30)),
    Shape(
        "half of the columns dropped",
        columns(20) + "".join(f"; alter table t drop c{i}" for i in range(10)),
        against=0.35,
    ),
    Shape("fillfactor 70", PLAIN.replace("words text)", "words text) with (fillfactor = 70)")),
    Shape("numeric", of("a numeric, b numeric(10, 2)", "g * 1234.5678, g / 100.0", 50000)),
    Shape("jsonb", of("id int, d jsonb", f"g, {JSON}")),
    Shape("uuid and char", of("id uuid, c char(20), d date", "gen_random_uuid(), 'x', current_date")),
    Shape("toasted", of("id int, d text", f"g, {LONG.format(120)}", 1500)),
    Shape("half deleted", PLAIN, "delete from t where id % 2 = 0"),
    Shape("all but the end deleted", PLAIN, "delete from t where id < 18000"),
    Shape("updated thrice", PLAIN, "update t set n = n + 1; update t set n = n + 1; update t set n = n + 1"),
    Shape("updated in part", PLAIN, "update t set n = n + 1 where id % 3 = 0"),
    Shape("appended only", PLAIN, f"insert into t select g, 1, {TEXT} from generate_series(1, {ROWS // 2}) g"),
    Shape("index on integers", KEYED, index="t_pkey"),
    Shape("index, 3 of 4 deleted", KEYED, "delete from t where id % 4 > 0", index="t_pkey"),
    Shape(
        "index on uuids, inserted at random",
        of("u uuid primary key", "gen_random_uuid()", 100),
        "insert into t select gen_random_uuid() from generate_series(1, 60000)",
        index="t_pkey",
    ),
    Shape("index on text", KEYED + "; create index i on t (words)", index="i", error=0.1),
    Shape("index on text of varying length", PLAIN + "; create index i on t (words, id)", index="i"),
    Shape("index of duplicates", KEYED + "; create index i on t (n)", index="i"),
    Shape(
        "index of duplicates, churned",
        KEYED + "; create index i on t (n)",
        "update t set n = n + 1",
        index="i",
        against=0.3,
    ),
    Shape(
        "index of pairs",
        of("a int, b int", "g % 50, g % 70", 60000) + "; create index i on t (a, b)",
        "",
        "i",
        0.3,
        0.3,
    ),
    Shape("index, numeric duplicates", of("a numeric", "g % 70", 60000) + "; create index i on t (a)", index="i"),
    Shape("index with include", KEYED + "; create index i on t (n) include (id)", index="i"),
    Shape("partial index", KEYED + "; create index i on t (id) where n < 50", index="i"),
    Shape("expression index", KEYED + "; create index i on t (upper(words))", index="i"),
    Shape(
        "index, half of it nulls", of("a int", "nullif(g % 2, 0) * g", 60000) + "; create index i on t (a)", index="i"
    ),
    Shape("index with fillfactor 50", KEYED + "; create index i on t (u) with (fillfactor = 50)", index="i"),
)
