"""Times at which routes are mute: which moments lie inside, and what cannot be read."""

from datetime import UTC, datetime

import pytest

from monitor.findings.intervals import parse_interval, parse_intervals


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def inside(said: object, *moments: str) -> list[bool]:
    interval = parse_interval(said)
    return [interval.contains(moment(each)) for each in moments]


def test_what_says_nothing_is_always() -> None:
    assert inside({}, "2026-03-01T12:00") == [True]
    assert inside({"weekdays": [], "times": None}, "2026-03-01T12:00") == [True]


def test_an_end_time_is_not_part_of_it() -> None:
    said = {"times": [{"start_time": "09:00", "end_time": "17:00"}]}
    moments = ("2026-03-01T08:59:59", "2026-03-01T09:00", "2026-03-01T16:59:59.999999", "2026-03-01T17:00")
    assert inside(said, *moments) == [False, True, True, False]


def test_a_day_may_end_at_24() -> None:
    said = {"times": [{"start_time": "22:00", "end_time": "24:00"}, {"start_time": "0:00", "end_time": "06:00"}]}
    moments = ("2026-03-01T23:59:59", "2026-03-02T00:00", "2026-03-02T06:00", "2026-03-02T21:59")
    assert inside(said, *moments) == [True, True, False, False]


def test_weekdays_are_ranges_and_single_ones() -> None:
    """2026-03-02 is a Monday."""
    said = {"weekdays": ["Monday:wednesday", "saturday"]}
    assert inside(said, *(f"2026-03-0{day}T12:00" for day in range(2, 9))) == [
        True, True, True, False, False, True, False,
    ]  # fmt: skip


def test_a_range_of_weekdays_may_run_over_the_end() -> None:
    said = {"weekdays": ["friday:monday"]}
    assert inside(said, *(f"2026-03-0{day}T12:00" for day in range(2, 9))) == [
        True, False, False, False, True, True, True,
    ]  # fmt: skip


def test_days_of_month_count_from_both_ends() -> None:
    said = {"days_of_month": ["1:5", "-3:-1"]}
    moments = ("2026-02-05T00:00", "2026-02-06T00:00", "2026-02-25T23:59", "2026-02-26T00:00", "2026-02-28T23:59")
    assert inside(said, *moments) == [True, False, False, True, True]
    assert inside(said, "2028-02-26T12:00", "2028-02-27T12:00") == [False, True]


def test_a_day_that_a_month_has_not_is_not_in_it() -> None:
    assert inside({"days_of_month": ["31"]}, "2026-02-28T12:00", "2026-03-31T12:00") == [False, True]
    assert inside({"days_of_month": [29, "30:31"]}, "2026-02-28T12:00") == [False]
    assert inside({"days_of_month": ["-31:-28"]}, "2026-02-01T12:00", "2026-02-02T12:00") == [True, False]


def test_a_range_of_days_may_go_from_the_begin_to_the_end_of_the_month() -> None:
    assert inside({"days_of_month": ["15:-1"]}, "2026-02-14T12:00", "2026-02-28T12:00") == [False, True]


def test_months_are_names_or_numbers() -> None:
    said = {"months": ["1:2", "May:august", 12]}
    assert [month for month in range(1, 13) if inside(said, f"2026-{month:02}-10T12:00") == [True]] == [
        1, 2, 5, 6, 7, 8, 12,
    ]  # fmt: skip


def test_a_range_of_months_may_run_over_the_end() -> None:
    said = {"months": ["november:february"]}
    assert [month for month in range(1, 13) if inside(said, f"2026-{month:02}-10T12:00") == [True]] == [1, 2, 11, 12]


def test_years_are_ranges_or_single_ones() -> None:
    said = {"years": ["2026:2027", 2030]}
    moments = [f"{year}-06-01T12:00" for year in (2025, 2026, 2027, 2028, 2030)]
    assert inside(said, *moments) == [False, True, True, False, True]


def test_all_that_is_said_must_hold() -> None:
    said = {"weekdays": ["monday"], "times": [{"start_time": "09:00", "end_time": "10:00"}], "months": ["march"]}
    moments = ("2026-03-02T09:30", "2026-03-02T10:30", "2026-03-03T09:30", "2026-04-06T09:30")
    assert inside(said, *moments) == [True, False, False, False]


def test_a_location_moves_the_hours_and_the_days() -> None:
    """Also over a change of daylight saving time, 2026-03-29 in Berlin."""
    said = {"times": [{"start_time": "09:00", "end_time": "17:00"}], "location": "Europe/Berlin"}
    moments = ("2026-03-28T08:00", "2026-03-28T07:59", "2026-03-29T07:00", "2026-03-29T15:00")
    assert inside(said, *moments) == [True, False, True, False]
    assert inside({"weekdays": ["monday"], "location": "Asia/Tokyo"}, "2026-03-01T15:00") == [True]


def test_a_name_has_one_interval_or_several() -> None:
    named = parse_intervals({"weekend": [{"weekdays": ["saturday"]}, {"weekdays": ["sunday"]}], "may": {"months": [5]}})
    assert {name: len(several) for name, several in named.items()} == {"weekend": 2, "may": 1}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"weekday": []}, "weekday: no such key; has: times, weekdays"),
        ([], "should be keys and values"),
        ({"times": {"start_time": "09:00"}}, "times: should be a list, such as"),
        ({"times": [{"start_time": "09:00"}]}, r"times\[0\]: end_time: None is no time of day"),
        ({"times": [{"start_time": "25:00", "end_time": "26:00"}]}, r"times\[0\]: start_time: '25:00' is no time"),
        ({"times": [{"start_time": "24:01", "end_time": "24:00"}]}, "24:01"),
        ({"times": [{"start_time": 1020, "end_time": "18:00"}]}, "1020 is no time of day"),
        ({"times": [{"start_time": "22:00", "end_time": "06:00"}]}, "a night is two"),
        ({"times": [{"start_time": "06:00", "end_time": "06:00"}]}, "must be before end_time"),
        ({"times": [{"start_time": "06:00", "end_time": "07:00", "zone": "x"}]}, "zone: no such key"),
        ({"times": ["06:00"]}, r"times\[0\]: should be keys and values, with start_time, end_time"),
        ({"weekdays": "monday"}, "weekdays: should be a list"),
        ({"weekdays": ["mon"]}, r"weekdays\[0\]: 'mon' is not one of monday"),
        ({"weekdays": ["monday:tuesday:friday"]}, "is no range"),
        ({"weekdays": ["monday:"]}, "'' is not one of"),
        ({"days_of_month": [0]}, "'0' is no day of a month"),
        ({"days_of_month": ["1:32"]}, "'32' is no day"),
        ({"days_of_month": ["5:1"]}, "must not be after the last"),
        ({"days_of_month": ["-1:-3"]}, "must not be after the last"),
        ({"days_of_month": ["-3:5"]}, "must end there too"),
        ({"days_of_month": ["٣"]}, "is no day"),
        ({"months": ["13"]}, "'13' is no month"),
        ({"months": ["brumaire"]}, "'brumaire' is not one of january"),
        ({"months": [True]}, "True is no range"),
        ({"years": ["2027:2026"]}, "must not be after the last"),
        ({"years": ["soon"]}, "'soon' is no year"),
        ({"location": "Atlantis"}, "location: 'Atlantis' is no time zone that this machine knows"),
        ({"location": "../../etc/passwd"}, "is no time zone"),
        ({"location": "Europe"}, "is no time zone"),
        ({"location": 7}, "7 is no time zone"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(said: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_interval(said)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "should be names with intervals"),
        ({"nights": "22:00"}, "nights: should be a list"),
        ({"nights": {"month": []}}, "nights: month: no such key"),
        ({"nights": [{}, {"months": ["x"]}]}, r"nights\[1\]: months\[0\]: 'x'"),
    ],
)
def test_a_named_interval_that_cannot_be_read_is_named(said: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_intervals(said)
