"""How the page writes times, ages, numbers and names; hidden characters are made visible."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from monitor.measurement import duration, plural, size
from monitor.model import Alert, Evidence, Severity

# Controls but line feed and tab, marks that turn the direction of writing, and surrogates: in a name they deceive.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
LINE = 120
"""Characters of a name in a list."""
_UNITS = {"_bytes": size, "_seconds": duration}


def severities(alerts: Iterable[Alert], words: Mapping[Severity, tuple[str, str]]) -> str:
    """Count findings, the gravest first: `2 critical, 1 warning`; `words` are for one and many, as of `plural`."""
    counts = Counter(alert.finding.severity for alert in alerts)
    return ", ".join(plural(counts[each], *words[each]) for each in reversed(Severity) if counts[each])


def visible(value: object) -> object:
    """Write out what would be invisible in a text, by its number; anything but a text stays as it is."""
    if not isinstance(value, str) or not _HIDDEN.search(value):
        return value
    return type(value)(_HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value))


def when(moment: datetime | None) -> str:
    """Write a time in UTC: `2026-11-22 15:04:05 UTC`."""
    return "never" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def stamp(text: str) -> str:
    """Write a time that comes as ISO 8601."""
    return when(datetime.fromisoformat(text))


def ago(moment: datetime | None, now: datetime) -> str:
    """Write how long ago something was: `12 s ago`, `just now`, `never`."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def ahead(moment: datetime, now: datetime) -> str:
    """Write how far away something is: `in 2 h`, `now`."""
    seconds = (moment - now).total_seconds()
    return "now" if seconds < 1 else f"in {duration(seconds)}"


def evidence(figures: Evidence) -> Iterator[tuple[str, str]]:
    """Write each figure with its name; a unit in the name moves to the value."""
    for name, value in figures.items():
        unit = next((ending for ending in (*_UNITS, "_ms") if name.endswith(ending)), "")
        label = name.removesuffix(unit).replace("_", " ")
        if isinstance(value, int | float) and not isinstance(value, bool) and unit:
            yield label, f"{value:,.4g} ms" if unit == "_ms" else _UNITS[unit](value)
        else:
            yield name.replace("_", " "), figure(value)


def figure(value: object) -> str:
    """Write one figure: thousands apart, at most four digits of a fraction, lists with commas."""
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"  # noqa: PLR2004 - four digits say it
        case str():
            return value
        case list() | tuple():
            return ", ".join(figure(each) for each in value) or "none"
        case _:
            return str(value)


def short(text: str) -> str:
    """Give the beginning of a name that is too long for a line of a list; its own page has the whole."""
    return text if len(text) <= LINE else text[: LINE - 1] + "…"
