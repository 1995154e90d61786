"""What a statement writes, read from its text alone."""

import pytest

from monitor.sql.writes import Written, written


def _short(each: Written) -> tuple[str, str, str]:
    place = each.table if each.schema is None else f"{each.schema}.{each.table}"
    return place, str(each.change), " ".join(sorted(each.columns))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("insert into t (a) values ($1)", {("t", "insert", "")}),
        ("insert into t default values", {("t", "insert", "")}),
        ("insert into s.t select * from u where a = $1", {("s.t", "insert", "")}),
        ('insert into "S.1"."T ""x" values ($1), ($2)', {('S.1.T "x', "insert", "")}),
        ("insert into t values ($1) on conflict do nothing", {("t", "insert", "")}),
        (
            "insert into t (a) values ($1) on conflict (a) do update set b = $2, (c, d) = ($3, $4) where t.b <> $2",
            {("t", "insert", ""), ("t", "update", "b c d")},
        ),
        ("update only s.t set a = $1, b = default where c = $2", {("s.t", "update", "a b")}),
        ("update t x set items[$1] = $2, pair.left = $3 from u where u.id = x.id", {("t", "update", "items pair")}),
        ("update t set (a, b) = (select c, d from u where u.id = $1)", {("t", "update", "a b")}),
        ('update t set "Sp ace" = $1, "q""q" = $2', {("t", "update", 'Sp ace q"q')}),
        ("delete from s.t using u where u.id = t.id", {("s.t", "delete", "")}),
        (
            (
                "with gone as (delete from a where id = $1 returning *), "
                "changed as (update b set x = $2 returning *) insert into c select * from gone"
            ),
            {("a", "delete", ""), ("b", "update", "x"), ("c", "insert", "")},
        ),
    ],
)
def test_each_table_that_is_written_is_named_with_its_columns(text: str, wanted: set[tuple[str, str, str]]) -> None:
    """Also behind aliases and quotes, in WITH, and what ON CONFLICT sets."""
    assert {_short(each) for each in written(text)} == wanted


def test_merge_may_do_whatever_its_arms_say() -> None:
    """Each arm counts, for any of them may take all rows; one that does nothing does not."""
    text = (
        "merge into s.t using u on t.id = u.id when matched and u.gone then delete "
        "when matched then update set a = u.a, b = $1 when not matched and $2 then do nothing "
        "when not matched then insert (id, a) values (u.id, u.a)"
    )
    assert {_short(each) for each in written(text)} == {
        ("s.t", "delete", ""),
        ("s.t", "update", "a b"),
        ("s.t", "insert", ""),
    }


@pytest.mark.parametrize(
    "text",
    [
        "select a from t where b = $1 for update",
        "select into_ from t",
        "copy t from stdin",
        "truncate t",
        "create table t as select 1",
        "refresh materialized view m",
        "update t set",
        "insert into t values ($1",
        "…",
        "",
        "\x00",
    ],
)
def test_what_changes_no_rows_by_itself_or_cannot_be_read_writes_nothing(text: str) -> None:
    """No error for texts that were cut or are no SQL."""
    assert written(text) == ()
