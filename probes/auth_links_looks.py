"""Looking at links: two looks before anybody is accused, no more than a hundredth of the time, and what was seen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.probe import ProbeError, Row, Session, number, sight
from probes.auth_links_discovery import Column, Place
from probes.auth_links_sight import Eye
from probes.auth_links_suspects import Wanted
from probes.auth_sight import as_list

KEYS = 10_000  # as many hashed keys a direction come back; counts are exact all the same
CHEAP = 0.1  # seconds; a look as quick as this is taken each time
DUTY = 100  # a dearer one rests a hundred times as long as it took
SAMPLE_EVERY = 300.0
VALUES = 20  # a sample of fewer values proves nothing
SHARE = 0.9
KEPT_SHARE = 0.8  # what was a link does not stop being one at the first orphan too many
STALE = 600.0  # PostgreSQL's counters may lag behind idle sessions: a clean look counts no longer than this

# $1 auth schema, $2 schema, $3 table.
COUNTERS = f"""
    select pg_catalog.hashtextextended(pg_catalog.string_agg(
               {sight.changed("c")}, ',' order by c.oid), 0) as state
      from pg_catalog.pg_class root
      join pg_catalog.pg_namespace n on n.oid = root.relnamespace
     cross join lateral (select root.oid as member
                          union
                         select t.relid from pg_catalog.pg_partition_tree(root.oid) t) as family
      join pg_catalog.pg_class c on c.oid = family.member
     where (n.nspname, root.relname) in (($1::text, 'users'), ($2::text, $3::text))
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a link's looks add up to: rows and users that were suspect twice."""

    orphans: int = 0
    """Rows older than the grace, by their own time or by our first sight."""
    unaged: int = 0
    """Rows without a time of creation that we have not known for the grace yet."""
    missing: int = 0
    missing_once: int = 0
    eligible: int | None = None
    """All users that ought to have a row; known only where some lack one and it was asked."""
    clean: bool = True
    """Nothing is left over that time alone could turn into a suspect."""
    looked: float = 1.0
    """The share of the keys that was looked at at least once, 0 to 1: less than 1 in a sweep's first turn only."""
    progress: float = 1.0
    """How far a sweep's running turn has come."""
    at: float | None = None
    """When all keys had been looked at last, in seconds since 1970."""
    new_ages: Mapping[str, float | None] = field(default_factory=dict)
    """How long ago the newest were made that were looked at, by way, in seconds; a way that is closed is not here."""
    new_wait: str = ""
    """Which of the newest wait for the sweep, and why."""
    index_helps: bool = False
    """The sweep takes so long that an index for the newest is worth its writes."""
    users_unseen: str = ""
    """Why users without a row are not looked for, though somebody wants to know."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """How many of a column's values are users; `linked` once nearly all of enough values were."""

    at: float
    distinct: int
    present: int
    linked: bool


@dataclass(frozen=True)
class _Suspects:
    """The keys of one look, hashed: for orphans the rows known to be old and those of unknown age."""

    orphans: Mapping[int, tuple[int, int]]
    missing: Mapping[int, bool]

    @property
    def any(self) -> bool:
        """Tell whether anybody could be accused."""
        return any(map(any, self.orphans.values())) or any(self.missing.values())


@dataclass
class Kept:
    """What is remembered of one link."""

    at: float = 0.0
    took: float = 0.0
    """Seconds the last look cost the server, as we saw it."""
    state: object = None
    failure: ProbeError | None = None
    suspects: _Suspects | None = None
    pending: bool = False
    """The first look saw suspects; nothing is said of the link before the second."""
    twice: _Suspects | None = None
    """Who was suspect in the last two looks."""
    first_seen: dict[int, float] = field(default_factory=dict)
    seen: Seen | None = None
    sample: Sample | None = None

    def accused(self, grace: float) -> tuple[Wanted, Wanted]:
        """Give the rows (where nobody's age is known, those of unknown age) and the users that are counted, hashed."""
        if self.twice is None:
            return {}, {}
        clock, rows = time.monotonic(), self.twice.orphans
        aged = [key for key, (old, _) in rows.items() if old or clock - self.first_seen.get(key, clock) > grace]
        users = [key for key, old in self.twice.missing.items() if old]
        return dict.fromkeys(aged or rows), dict.fromkeys(users)

    @property
    def no_link(self) -> Sample | None:
        """Give the sample that lately showed a guessed column to be no link: not even its sight need be asked for."""
        fresh = self.sample is not None and time.monotonic() - self.sample.at < SAMPLE_EVERY
        return self.sample if fresh and self.sample is not None and not self.sample.linked else None


class Looks:
    """The probe's memory on one database."""

    def __init__(self) -> None:
        self._kept: dict[Place, Kept] = {}

    def of(self, column: Column) -> Kept:
        """Give what is remembered of a link."""
        return self._kept.setdefault(column.place, Kept())

    @property
    def linked(self) -> list[Place]:
        """Name the guesses that proved to be links."""
        return [place for place, kept in self._kept.items() if kept.sample is not None and kept.sample.linked]

    def only(self, columns: Sequence[Column]) -> None:
        """Forget the links that are there no more."""
        present = {column.place for column in columns}
        self._kept = {place: kept for place, kept in self._kept.items() if place in present}


async def look(session: Session, eye: Eye, column: Column, kept: Kept, grace: float) -> Seen | None:
    """Give what stands of a link: seen anew, or as remembered while a new look would cost too much.

    Gives nothing after a first look at suspects: `kept.pending` asks for a second one, BETWEEN_LOOKS later.
    Raises ProbeTimeout, ProbeSkipped, ProbeError or TargetDenied, also while a dear look that failed rests.
    """
    remembered = await _remembered(session, eye, column, kept)
    if remembered is not None:
        return remembered
    state = await counters(session, eye, column) if kept.took >= CHEAP else None
    kept.seen = kept.failure = None
    kept.pending = False
    try:
        kept.seen = await _once(eye, column, kept, grace)
    except ProbeError as error:
        kept.failure = error
        raise
    finally:
        kept.at = time.monotonic()
    kept.state = state
    return kept.seen


async def _remembered(session: Session, eye: Eye, column: Column, kept: Kept) -> Seen | None:
    age = time.monotonic() - kept.at
    if kept.took < CHEAP:
        return None
    if age < DUTY * kept.took:
        if kept.failure is not None:
            raise kept.failure
        return kept.seen
    fresh = kept.seen is not None and kept.seen.clean and age < STALE
    return kept.seen if fresh and await _unchanged(session, eye, column, kept) else None


async def sample(eye: Eye, column: Column, kept: Kept) -> Sample:
    """Give how many of a column's values are users, asked anew every few minutes."""
    known = kept.sample
    if known is not None and time.monotonic() - known.at < SAMPLE_EVERY:
        return known
    row = await eye.sample(column)
    distinct, present = int(number(row, "distinct_values")), int(number(row, "present"))
    enough = KEPT_SHARE if known is not None and known.linked else SHARE
    linked = distinct >= VALUES and present >= enough * distinct
    kept.sample = Sample(at=time.monotonic(), distinct=distinct, present=present, linked=linked)
    return kept.sample


async def _unchanged(session: Session, eye: Eye, column: Column, kept: Kept) -> bool:
    """Ask the server's counters; a standby does not keep any."""
    if session.facts.in_recovery or kept.state is None:
        return False
    return await counters(session, eye, column) == kept.state


async def counters(session: Session, eye: Eye, column: Column) -> object:
    """Give what changes with any row of either table, by the server's counters."""
    rows = await session.fetch(COUNTERS, eye.schema, column.schema, column.table)
    return rows[0]["state"]


async def _once(eye: Eye, column: Column, kept: Kept, grace: float) -> Seen | None:
    """Look, and compare with the look before; where there was none and somebody is suspect, give nothing yet."""
    row = await _timed(eye, column, kept, grace)
    now, before = _suspects(row, column), kept.suspects
    kept.suspects = now
    kept.pending = before is None and now.any
    return None if kept.pending else _compared(row, now, before or now, kept, grace)


async def _timed(eye: Eye, column: Column, kept: Kept, grace: float) -> Row:
    began = time.monotonic()
    try:
        return await eye.look(column, grace, eligible=column.by_custom)
    finally:
        kept.took = time.monotonic() - began


def _suspects(row: Row, column: Column) -> _Suspects:
    keys = [_int(key) for key in as_list(row["orphan_keys"])]
    ages = zip(map(_int, as_list(row["orphan_old"])), map(_int, as_list(row["orphan_unaged"])), strict=True)
    lone = zip(map(_int, as_list(row["missing_keys"])), map(bool, as_list(row["missing_old"])), strict=True)
    return _Suspects(dict(zip(keys, ages, strict=True)), dict(lone) if column.of_everybody else {})


def _compared(row: Row, now: _Suspects, before: _Suspects, kept: Kept, grace: float) -> Seen:
    """Count who was suspect in both looks; of more than KEYS, the rest counts as those do whose keys we hold."""
    clock = time.monotonic()
    kept.first_seen = {key: kept.first_seen.get(key, clock) for key, (_, unaged) in now.orphans.items() if unaged}
    twice = {key: ages for key, ages in now.orphans.items() if key in before.orphans}
    kept.twice = _Suspects(twice, {key: old for key, old in now.missing.items() if key in before.missing})
    matured = sum(unaged for key, (_, unaged) in twice.items() if unaged and clock - kept.first_seen[key] > grace)
    once = sum(old for key, (old, _) in now.orphans.items() if key not in before.orphans)
    once_unaged = sum(unaged for key, (_, unaged) in now.orphans.items() if key not in before.orphans)
    lone_once = sum(old for key, old in now.missing.items() if key not in before.missing)
    return Seen(
        orphans=int(number(row, "orphans")) - once + matured,
        unaged=int(number(row, "unaged")) - once_unaged - matured,
        missing=int(number(row, "missing")) - lone_once,
        missing_once=int(number(row, "missing")),
        eligible=None if row["eligible"] is None else int(number(row, "eligible")),
        clean=not now.orphans and not now.missing,
        at=time.time(),
    )


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
