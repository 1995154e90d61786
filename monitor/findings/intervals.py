"""Times at which a route is mute: Alertmanager's `time_intervals`, read from plain values.

Beyond Alertmanager, ranges of weekdays and months may run over the end: `friday:monday`, `november:february`.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

Span: TypeAlias = tuple[int, int]
"""First and last, both included."""
T = TypeVar("T")

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
EXAMPLES: Final[Mapping[str, str]] = {
    "times": "{start_time: '09:00', end_time: '17:00'}",
    "weekdays": "'monday:friday'",
    "days_of_month": "'1:5', '-3:-1'",
    "months": "'january:march'",
    "years": "'2026:2028'",
    "location": "Europe/Berlin",
}

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])|(24):(00)")
_NUMBER = re.compile(r"-?[0-9]{1,4}")
_LONGEST_MONTH = 31


@dataclass(frozen=True, kw_only=True)
class TimeInterval:
    """Moments at which all that is said holds; what is left empty says nothing. Built by `parse_interval`."""

    times: tuple[Span, ...] = ()
    """Minutes of the day."""
    weekdays: frozenset[int] = frozenset()
    """0 is Monday."""
    days_of_month: tuple[Span, ...] = ()
    """Negative ones count from the month's end: -1 is its last day."""
    months: frozenset[int] = frozenset()
    years: tuple[Span, ...] = ()
    zone: tzinfo | None = UTC
    """None: the zone of the machine."""

    def contains(self, now: datetime) -> bool:
        """Tell whether an aware moment lies inside."""
        local = now.astimezone(self.zone)
        return (
            (not self.times or _within(self.times, local.hour * 60 + local.minute))
            and (not self.weekdays or local.weekday() in self.weekdays)
            and (not self.days_of_month or _within(_counted(self.days_of_month, local), local.day))
            and (not self.months or local.month in self.months)
            and (not self.years or _within(self.years, local.year))
        )


def parse_intervals(given: object) -> dict[str, tuple[TimeInterval, ...]]:
    """Read the named intervals; a name has one or a list, and lasts while any of them does. Raises ValueError."""
    if not isinstance(given, Mapping):
        raise ValueError("should be names with intervals, such as {weekend: [{weekdays: ['saturday:sunday']}]}")  # noqa: TRY004 - bad input is a ValueError
    return {str(name): tuple(_named(str(name), said)) for name, said in given.items()}


def parse_interval(given: object) -> TimeInterval:
    """Read one interval. Raises ValueError that names the key."""
    said = _keys(given, EXAMPLES)
    return TimeInterval(
        times=tuple(_each(said, "times", _hours)),
        weekdays=frozenset().union(*_each(said, "weekdays", _weekdays)),
        days_of_month=tuple(_each(said, "days_of_month", _days)),
        months=frozenset().union(*_each(said, "months", _months)),
        years=tuple(_each(said, "years", _years)),
        zone=_at("location", _zone, said["location"]) if said.get("location") is not None else UTC,
    )


def _named(name: str, said: object) -> Iterator[TimeInterval]:
    if isinstance(said, Mapping):
        yield _at(name, parse_interval, said)
        return
    yield from _each({name: said}, name, parse_interval)


def _each(given: Mapping[str, object], key: str, read: Callable[[object], T]) -> Iterator[T]:
    several = given.get(key)
    if several is None:
        return
    if not isinstance(several, Sequence) or isinstance(several, str):
        raise ValueError(f"{key}: should be a list, such as [{EXAMPLES.get(key, '{…}')}]")  # noqa: TRY004 - bad input is a ValueError
    for place, one in enumerate(several):
        yield _at(f"{key}[{place}]", read, one)


def _at(place: str, read: Callable[[object], T], given: object) -> T:
    """Read a value; what is wrong with it is said with its place."""
    try:
        return read(given)
    except ValueError as wrong:
        raise ValueError(f"{place}: {wrong}") from None


def _keys(given: object, known: Mapping[str, str]) -> Mapping[str, object]:
    if not isinstance(given, Mapping):
        raise ValueError(f"should be keys and values, with {', '.join(known)}")  # noqa: TRY004 - bad input is a ValueError
    unknown = [str(key) for key in given if key not in known]
    if unknown:
        raise ValueError(f"{unknown[0]}: no such key; has: {', '.join(known)}")
    return given


def _hours(given: object) -> Span:
    said = _keys(given, {"start_time": "", "end_time": ""})
    start, end = (_at(key, _minute, said.get(key)) for key in ("start_time", "end_time"))
    if start >= end:
        raise ValueError("start_time must be before end_time; a night is two: 22:00 to 24:00 and 00:00 to 06:00")
    return start, end - 1


def _minute(given: object) -> int:
    found = _CLOCK.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise ValueError(f"{_shown(given)} is no time of day; write it as '09:00', at most '24:00'")
    return int(found[1] or found[3]) * 60 + int(found[2] or found[4])


def _weekdays(given: object) -> frozenset[int]:
    return _round(_ends(given, lambda text: _word(text, WEEKDAYS)), range(7))


def _months(given: object) -> frozenset[int]:
    return _round(_ends(given, _month), range(1, 13))


def _round(span: Span, circle: range) -> frozenset[int]:
    """Give what lies between two places of a circle."""
    first, last = span
    if first <= last:
        return frozenset(range(first, last + 1))
    return frozenset(circle) - frozenset(range(last + 1, first))


def _month(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        return _word(text, MONTHS) + 1
    if not 1 <= int(text) <= len(MONTHS):
        raise ValueError(f"{_shown(text)} is no month; write 1 to 12, or its name")
    return int(text)


def _days(given: object) -> Span:
    first, last = _ends(given, _day)
    if first < 0 < last:
        raise ValueError("a range that begins before the month's end must end there too, as in '-3:-1'")
    if first > last and not first > 0 > last:
        raise ValueError("the first day must not be after the last")
    return first, last


def _day(text: str) -> int:
    if not _NUMBER.fullmatch(text) or not 1 <= abs(int(text)) <= _LONGEST_MONTH:
        raise ValueError(f"{_shown(text)} is no day of a month; write 1 to 31, or -1 to -31 from its end")
    return int(text)


def _years(given: object) -> Span:
    first, last = _ends(given, _year)
    if first > last:
        raise ValueError("the first year must not be after the last")
    return first, last


def _year(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise ValueError(f"{_shown(text)} is no year")
    return int(text)


def _ends(given: object, read: Callable[[str], int]) -> Span:
    """Read `one` or `first:last`; a bare number is fine too."""
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str) or text.count(":") > 1:
        raise ValueError(f"{_shown(given)} is no range; write one, or first:last in quotes")
    first, colon, last = (part.strip().lower() for part in text.partition(":"))
    return read(first), read(last if colon else first)


def _word(text: str, words: tuple[str, ...]) -> int:
    if text not in words:
        raise ValueError(f"{_shown(text)} is not one of {', '.join(words)}")
    return words.index(text)


def _zone(given: object) -> tzinfo | None:
    if not isinstance(given, str):
        raise ValueError(f"{_shown(given)} is no time zone; write one such as {EXAMPLES['location']}, UTC or Local")  # noqa: TRY004 - bad input is a ValueError
    if given == "Local":
        return None
    try:
        return ZoneInfo(given)
    except (LookupError, ValueError, OSError):  # a folder of the zones' files is no zone, nor is a path out of it
        raise ValueError(f"{_shown(given)} is no time zone that this machine knows") from None


def _shown(given: object) -> str:
    return repr(given)[:60]


def _within(spans: Sequence[Span], number: int) -> bool:
    return any(first <= number <= last for first, last in spans)


def _counted(spans: Sequence[Span], local: datetime) -> list[Span]:
    """Count negative days from the end of this month."""
    length = monthrange(local.year, local.month)[1]
    return [
        (first if first > 0 else length + 1 + first, last if last > 0 else length + 1 + last) for first, last in spans
    ]
