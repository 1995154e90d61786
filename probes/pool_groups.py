"""Groups of sessions as the pool probe tells them: bounded in number, with names that give no secret away."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from monitor.probe import Row, identifier, number

TOLD = 50
"""How many groups of database, role and application are told apart; the rest is one group named `other`."""

PIDS = 10
"""How many process ids a finding names."""

LIMITS = ("server", "role", "database")
"""The kinds of rows that hold a limit."""


def holder(row: Row) -> str:
    """Name who holds sessions: `app_rw (checkout)`."""
    return whose(str(row["role"]), str(row["application"]))


def whose(role: str, application: str) -> str:
    """Name a role, and the application it is used by if that has a name."""
    return f"{identifier(role)} ({application})" if application else identifier(role)


def pids(rows: Sequence[Row]) -> list[int]:
    """Give the first process ids, as evidence; a prepared transaction has none."""
    return [round(number(row, "pid")) for row in rows if row["pid"] is not None][:PIDS]


_SECRETS = re.compile(r"((?:pass\w*|pwd|secret|token|key)=)\S+", re.IGNORECASE)
_ADDRESSES = re.compile(r"(?<=://)\S*@|[^\s/@]+@(?=[^\s@]+\.[a-z]{2,})", re.IGNORECASE)


def safe(name: object) -> str:
    """Take out what an application's name should not hold: passwords, the user of an address, e-mail addresses."""
    return _ADDRESSES.sub("***@", _SECRETS.sub(r"\1***", str(name)))


def told_apart(groups: Sequence[Row]) -> Iterator[Row]:
    """Keep the largest groups of database, role and application; add the others up, state by state."""
    named = [{**row, "application": safe(row["application"])} for row in groups]
    whole: Counter[tuple[object, ...]] = Counter()
    for row in named:
        whole[row["database"], row["role"], row["application"]] += round(number(row, "sessions"))
    told = {name for name, _ in sorted(whole.items(), key=lambda each: (-each[1], str(each[0])))[:TOLD]}
    merged: dict[tuple[object, ...], Row] = {}
    for row in named:
        name = (row["database"], row["role"], row["application"])
        database, role, application = name if name in told else ("", "other", "other")
        key = (database, role, application, row["state"])
        here = {**row, "database": database, "role": role, "application": application}
        merged[key] = added(merged[key], here) if key in merged else here
    return iter(merged.values())


def added(one: Row, other: Row) -> Row:
    """Add two groups up: counts by sum, ages by the older."""
    sums = {name: round(number(one, name) + number(other, name)) for name in COUNTS if name in one and name in other}
    return {**one, **sums, **{name: older(one[name], other[name]) for name in AGES}}


def older(*ages: object) -> float | None:
    """Give the largest age that is known."""
    return max((age for age in ages if isinstance(age, int | float)), default=None)


COUNTS = ("sessions", "own_sessions", "waiting_sessions", "begun_5", "begun_10")
AGES = ("oldest_transaction_seconds", "oldest_idle_in_transaction_seconds")
