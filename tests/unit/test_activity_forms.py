"""The memory of sampled statements: bounded in every direction, fading, and without a constant in it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.probe import Row
from probes.activity_forms import ATTACKS, FORMS, NAMES, Forms

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def sampled(text: str, query_id: int | None = 1, role: str = "app", application: str = "shop") -> Row:
    return {
        "kind": "session",
        "database": "shop",
        "role": role,
        "superuser": False,
        "own": False,
        "application": application,
        "state": "active",
        "query_id": query_id,
        "text": text.encode(errors="surrogatepass"),
    }


def remembered(
    samples: Sequence[Row], *, remember: float = 3600, most: int = 500, after: float = 0, cut_at: int = 1020
) -> list[tuple[tuple[object, ...], Row]]:
    """What the memory shows after one sample, and an empty one some seconds later."""
    forms = Forms()
    forms.begin(NOON, remember=remember, most=most)
    for row in samples:
        forms.take(row, cut_at=cut_at)
    if after:
        forms.begin(NOON + timedelta(seconds=after), remember=remember, most=most)
    return [*forms.shown()]


def test_different_constants_are_counted_by_application() -> None:
    samples = [sampled(f"select {n % 7}", application=f"shop{n % 2}") for n in range(14)]
    ((_, row),) = remembered(samples)
    assert row["literal"] == {"shop0": 7, "shop1": 7}
    assert sum(row["different"].values()) == 7  # type: ignore[attr-defined]


def test_how_often_sets_were_seen_fades_with_them() -> None:
    """What is compared with the number of sets is of the same hour."""
    forms = Forms()
    for turn in range(6):
        forms.begin(NOON + timedelta(seconds=1000 * turn), remember=3600, most=9)
        forms.take(sampled("select 10"), cut_at=1020)
        forms.take(sampled(f"select {turn + 20}"), cut_at=1020)
    ((_, row),) = forms.shown()
    assert (row["literal"], row["different"], row["seen"]) == ({"shop": 12}, {"shop": 5}, {"shop": 10})


def test_the_number_of_constants_is_bounded() -> None:
    ((_, row),) = remembered([sampled(f"select {n}") for n in range(500)])
    assert row["different"] == {"shop": FORMS}
    assert row["literal"] == {"shop": 500}


def test_the_number_of_statements_is_bounded_and_the_stalest_makes_room() -> None:
    samples = [sampled(f"select {n}", query_id=n) for n in range(20)]
    shown = remembered([*samples[:10], samples[0], *samples[10:19]], most=10)
    assert [row["query_id"] for _, row in shown] == [0, *range(10, 19)]


def test_applications_and_attacks_are_bounded() -> None:
    attack = "select 1 from t where a = '' or 1=1 --"
    samples = [sampled(attack, role=f"role{n}", query_id=n) for n in range(ATTACKS + 50)]
    samples += [sampled(attack, role="app", query_id=n, application=f"app{n}") for n in range(100)]
    attacks = [row for key, row in remembered(samples) if key[0] == "attack"]
    assert len(attacks) == ATTACKS
    (last,) = (row for row in attacks if row["role"] == "app")
    assert len(last["times"]) == NAMES + 1  # type: ignore[arg-type]
    assert sum(last["times"].values()) == 100  # type: ignore[attr-defined]


def test_what_was_not_seen_for_an_hour_is_forgotten() -> None:
    samples = [sampled("select 1"), sampled("select 1 from t where a = '' or 1=1 --", query_id=2)]
    assert len(remembered(samples, after=3599)) == 3
    assert remembered(samples, after=3601) == []


def test_constants_fade_one_by_one() -> None:
    forms = Forms()
    for turn in range(4):
        forms.begin(NOON + timedelta(seconds=1200 * turn), remember=3600, most=9)
        forms.take(sampled(f"select {turn}"), cut_at=1020)
    forms.begin(NOON + timedelta(seconds=3601), remember=3600, most=9)
    ((_, row),) = forms.shown()
    assert row["different"] == {"shop": 4}
    forms.begin(NOON + timedelta(seconds=3700), remember=3600, most=9)
    ((_, row),) = forms.shown()
    assert row["different"] == {"shop": 3}


def test_a_text_without_an_id_is_only_looked_at_for_attacks() -> None:
    assert remembered([sampled("select 5", query_id=None)]) == []
    ((key, row),) = remembered([sampled("select 5 where (a = '' or 1=1 --", query_id=None)])
    assert (key[0], row["statements"]) == ("attack", ("unreadable",))


def test_pages_alone_are_neither_constants_nor_parameters() -> None:
    assert remembered([sampled("select * from t limit 5")]) == []


def test_several_statements_in_one_text_say_nothing_of_one() -> None:
    assert remembered([sampled("select 1; select 2")]) == []
    assert len(remembered([sampled("begin; select 1; commit")])) == 1


@given(st.lists(st.text(max_size=60), max_size=8), st.integers(1, 70))
def test_any_text_is_taken_and_no_long_piece_of_it_kept(texts: list[str], cut_at: int) -> None:
    """Whatever sessions send; constants of it are nowhere in what is shown."""
    canary = "c4n4ry-c4n4ry"
    samples = [sampled(f"select '{canary}' {text}", query_id=n) for n, text in enumerate(texts)]
    assert canary not in repr(remembered(samples, cut_at=cut_at))
