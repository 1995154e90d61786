"""Silences: which alerts they keep quiet and when, what is no silence, and their JSON form."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.findings.matchers import Matcher, Op, parse_matcher
from monitor.findings.silences import (
    Silence,
    Silences,
    SilenceState,
    maintenance,
    silence_document,
    silence_from_document,
)
from tests.alerts import NOON, at, firing, moments

LABELS = firing().all_labels


def silence(
    name: str = "one", *matchers: str, starts: float = 0, ends: float = 60, author: str = "ada", comment: str = "known"
) -> Silence:
    return Silence(
        id=name,
        matchers=tuple(map(parse_matcher, matchers or ('target="shop"',))),
        starts_at=at(starts),
        ends_at=at(ends),
        author=author,
        comment=comment,
        created_at=NOON,
    )


def test_a_silence_works_from_its_start_until_just_before_its_end() -> None:
    silences = Silences([silence(starts=10, ends=60)])
    found = [silences.silenced_by(LABELS, at(seconds)) is not None for seconds in (9.9, 10, 59.9, 60)]
    assert found == [False, True, True, False]


@pytest.mark.parametrize(
    ("seconds", "state"), [(9.9, SilenceState.PENDING), (10, SilenceState.ACTIVE), (60, SilenceState.EXPIRED)]
)
def test_a_silence_is_pending_then_active_then_expired(seconds: float, state: SilenceState) -> None:
    each = silence(starts=10, ends=60)
    assert each.state(at(seconds)) is state
    assert Silences([each]).active(at(seconds)) == ([each] if state is SilenceState.ACTIVE else [])


def test_only_alerts_that_all_matchers_mean_are_silenced() -> None:
    silences = Silences([silence("one", 'target="shop"', 'rule=~"index.*"')])
    assert silences.silenced_by(LABELS, NOON) is None
    assert silences.silenced_by(firing(rule="index.unused").all_labels, NOON) is not None


def test_of_several_silences_the_one_that_lasts_longest_is_named() -> None:
    silences = Silences([silence("a", ends=60), silence("c", starts=50, ends=900), silence("b", ends=300)])
    named = [silences.silenced_by(LABELS, at(seconds)) for seconds in (0, 60, 300, 900)]
    assert [each.id if each else None for each in named] == ["b", "c", "c", None]


WRITTEN = ('target="shop"', 'rule="pool.saturation"', 'rule=~"pool.*"', 'rule!="x"', 'rule=""', 'area="none"')


@given(st.lists(st.tuples(st.sets(st.sampled_from(WRITTEN), min_size=1), st.integers(-9, 9), st.integers(0, 9))))
def test_the_silence_found_is_the_one_that_looking_at_each_finds(given_: list[tuple[set[str], int, int]]) -> None:
    """However they are filed; and after some were ended and forgotten."""
    drawn = [
        silence(str(n), *texts, 'target=~".+"', starts=start, ends=start + length)
        for n, (texts, start, length) in enumerate(given_)
    ]
    silences = Silences(drawn)
    for each in drawn[::3]:
        silences.expire(each.id, at(-5))
    silences.forget(at(-5))
    working = [each for each in silences.silences if each.silences(LABELS, NOON)]
    found = silences.silenced_by(LABELS, NOON)
    assert (found.ends_at if found else None) == max((each.ends_at for each in working), default=None)
    assert found is None or found in working


def test_a_silence_that_is_expired_ends_now_and_stays_as_history() -> None:
    silences = Silences([silence(ends=600)])
    ended = silences.expire("one", at(30))
    assert ended == silence(ends=30)
    assert silences.silenced_by(LABELS, at(30)) is None
    assert silences.get("one") == ended
    assert silences.expire("one", at(40)) == ended


def test_a_silence_to_come_that_is_expired_never_works() -> None:
    silences = Silences([silence(starts=60, ends=600)])
    ended = silences.expire("one", at(30))
    assert ended is not None
    assert (ended.starts_at, ended.ends_at, ended.state(at(30))) == (at(30), at(30), SilenceState.EXPIRED)
    assert silence_from_document(silence_document(ended)) == ended


def test_a_silence_nobody_knows_cannot_be_expired() -> None:
    assert Silences().expire("nothing", NOON) is None


def test_a_silence_with_a_known_id_takes_its_place() -> None:
    silences = Silences([silence()])
    silences.add(silence(ends=900), NOON)
    assert silences.silences == [silence(ends=900)]


@pytest.mark.parametrize(("starts", "ends"), [(0, 30), (-60, -30), (60, 60)], ids=["now", "past", "no time"])
def test_a_silence_that_would_be_over_at_once_is_not_taken_in(starts: float, ends: float) -> None:
    silences = Silences()
    with pytest.raises(ValueError, match="over already"):
        silences.add(silence(starts=starts, ends=ends), at(30))
    assert silences.silences == []


def test_old_silences_are_forgotten() -> None:
    silences = Silences([silence("a", ends=10), silence("b", ends=20), silence("c", ends=30)])
    assert silences.forget(at(20)) == ["a"]
    assert [each.id for each in silences.silences] == ["c", "b"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"matchers": ()}, "at least one"),
        ({"matchers": (Matcher("target", Op.LIKE, ".*"),)}, "match everything"),
        ({"matchers": (Matcher("a", Op.EQUAL, ""), Matcher("b", Op.UNLIKE, "x"))}, "match everything"),
        ({"ends_at": at(-1)}, "before it starts"),
        ({"author": " "}, "author: empty"),
        ({"comment": ""}, "comment: empty"),
        ({"author": "a\x00"}, "author: holds"),
        ({"comment": "\udc80"}, "comment: holds"),
        ({"id": ""}, "id: empty"),
        ({"starts_at": datetime(2026, 3, 1)}, "starts_at: without a time zone"),  # noqa: DTZ001
    ],
)
def test_what_is_no_silence_is_refused(change: dict[str, object], why: str) -> None:
    """One that would hide everything, that cannot work, or that nobody answers for."""
    with pytest.raises(ValueError, match=why):
        replace(silence(), **change)  # type: ignore[arg-type]


def test_a_maintenance_window_silences_one_target() -> None:
    window = maintenance("shop", 7200, silence_id="w", now=NOON, author="ada")
    silences = Silences([window])
    assert [str(each) for each in window.matchers] == ['target="shop"']
    assert silences.silenced_by(LABELS, at(7199)) == window
    assert silences.silenced_by(LABELS, at(7200)) is None
    assert silences.silenced_by({**LABELS, "target": "other"}, NOON) is None


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e12])
def test_a_maintenance_window_has_a_length(seconds: float) -> None:
    with pytest.raises(ValueError, match="a maintenance window"):
        maintenance("shop", seconds, silence_id="w", now=NOON, author="ada")


def test_a_maintenance_window_of_no_target_would_match_everything() -> None:
    with pytest.raises(ValueError, match="match everything"):
        maintenance("", 60, silence_id="w", now=NOON, author="ada")


def test_the_document_is_plain_and_in_words() -> None:
    assert silence_document(silence("one", 'rule=~"index\\..*"')) == {
        "id": "one",
        "matchers": ['rule=~"index\\\\..*"'],
        "starts_at": "2026-03-01T12:00:00+00:00",
        "ends_at": "2026-03-01T12:01:00+00:00",
        "author": "ada",
        "comment": "known",
        "created_at": "2026-03-01T12:00:00+00:00",
    }


def test_a_time_of_any_zone_is_read() -> None:
    read = silence_from_document({**silence_document(silence()), "ends_at": "2026-03-01T14:00:00+01:00"})
    assert read.ends_at == at(3600)
    assert read.ends_at.utcoffset() == timedelta(0)
    assert silence_from_document({**silence_document(silence()), "ends_at": "2026-03-01T13:00:00Z"}) == read


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"matchers": None}, "matchers: not a list"),
        ({"matchers": 'target="shop"'}, "matchers: not a list"),
        ({"matchers": [1]}, "matchers: not a list"),
        ({"matchers": ["target"]}, "target: not a matcher"),
        ({"ends_at": None}, "ends_at: missing"),
        ({"ends_at": 12}, "ends_at: not a text"),
        ({"ends_at": "tomorrow"}, "ends_at: not a time"),
        ({"ends_at": "0001-01-01T00:00:00+14:00"}, "ends_at: not a time"),
        ({"ends_at": "2026-03-02T00:00:00"}, "ends_at: without a time zone"),
        ({"author": None}, "author: missing"),
        ({"comment": ["x"]}, "comment: not a text"),
    ],
)
def test_a_wrong_document_is_refused_by_the_name_of_its_key(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        silence_from_document({**silence_document(silence()), **change})


WORDS = st.text(min_size=1).filter(lambda text: text.strip() and "\x00" not in text)
TEXTS = st.text(min_size=1)


@given(
    WORDS,
    st.lists(st.builds(Matcher, TEXTS, st.just(Op.EQUAL), TEXTS), min_size=1, max_size=3),
    st.lists(moments(), min_size=2, max_size=2).map(sorted),
    st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours))),
)
def test_a_silence_comes_back_from_its_document(
    words: str, matchers: list[Matcher], times: list[datetime], zone: timezone
) -> None:
    """Through JSON, to the microsecond, and independent of the time zone it was given in."""
    each = Silence(
        id=words,
        matchers=tuple(matchers),
        starts_at=times[0].astimezone(zone),
        ends_at=times[1],
        author=words,
        comment=words,
        created_at=times[0],
    )
    assert silence_from_document(json.loads(json.dumps(silence_document(each)))) == each
