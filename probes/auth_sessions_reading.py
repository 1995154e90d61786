"""Going through GoTrue's users, sessions, tokens and factors: a few slices a run, each suspect seen twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeGuard

from monitor.probe import (
    Memory,
    Needs,
    ProbeError,
    ProbeSkipped,
    ProbeTimeout,
    Row,
    Session,
    TargetDenied,
    identifier,
    number,
    sight,
    sight_sessions,
)
from probes.auth_links_discovery import gotrue
from probes.auth_links_options import AuthOptions
from probes.auth_sessions_sight import Sights, looked_at
from probes.auth_sight import Asking, advised, as_list
from probes.auth_sweep import TARGET, Span, Sweeps, Visit, Visitor

FIRST = {"users": 0.8, "sessions": 0.6, "refresh_tokens": 1.2}
"""Seconds the first run may take; of other tables SMALL_FIRST. A snapshot reads no more."""
LATER = {"users": 0.2, "sessions": 0.2, "refresh_tokens": 0.4}
"""The shares of `auth.duty`'s quarter that a later run may take; what is left is for the small tables."""
SMALL_FIRST, SMALL_LATER = 0.1, 0.05
BETWEEN_LOOKS = 1.0
CHECKS = 5  # at most; slices may have become smaller since the look before
CHEAP = 0.1  # seconds; a table whose turn takes no longer is gone through each time
STALE = 1800.0  # an unchanged table is gone through again by then: much ripens with time alone
WATCHED = 5  # so many slices with suspects are looked at in every run, that a cure is seen at once

OTHER_VERSION = f"the function {sight.SCHEMA}.{sight_sessions.SLICE.name} is of another version"

SUSPECT = frozenset({
    "banned", "deleted", "bare", "lost", "orphans", "malformed", "mismatches", "mismatches_live", "crowded", "overdue",
})  # fmt: skip
"""What must be seen twice before it is told."""

# $1 schema, $2 tables.
COUNTERS = f"""
    select c.relname::text as table,
           {sight.changed("c")} as state
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1::text
       and c.relname = any ($2::text[])
"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is known of one table; `reason` and `needs` say why nothing is."""

    table: str
    counts: Mapping[str, int] = field(default_factory=dict)
    progress: float = 0.0
    """The share of it that was looked at, 1 once all was."""
    lacks: frozenset[str] = frozenset()
    """Columns `table.column` that this level of GoTrue does not have."""
    reason: str = ""
    needs: Needs | None = None

    @property
    def known(self) -> bool:
        """Tell whether there are counts."""
        return not self.reason


@dataclass
class Gate:
    """What one table's last turn began with: the counters, the time, and what it took."""

    states: Sequence[object] = ()
    at: float = 0.0
    took: float = 0.0

    def shut(self, states: Sequence[object], now: float) -> bool:
        """Tell whether another turn can wait: it is dear, nothing was written, and little can have ripened."""
        return self.took >= CHEAP and None not in states and self.states == states and now - self.at < STALE


class _Kept:
    """The gates of a database's tables, and the slices with suspects that are watched."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}
        self._watched: dict[str, set[str | None]] = {}

    def gate(self, table: str) -> Gate:
        return self._gates.setdefault(table, Gate())

    def watched(self, table: str) -> set[str | None]:
        return self._watched.setdefault(table, set())


async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Give what stands of each table; raises ProbeSkipped where there is no GoTrue."""
    if not isinstance(options, AuthOptions):
        raise TypeError(options)
    await gotrue(session, options)
    tables = {table: looked_at(table) for table in sight_sessions.PARTS}
    sights = await Sights.asked(session, options.schema)
    states = await _states(session, options.schema, sorted({each for used in tables.values() for each in used}))
    looks = [_Look(session, memory, table, sights, options.seconds_beside) for table in tables]
    for look in looks:
        await look.run([states.get(each) for each in sorted(tables[look.table]) if each in sights.present])
    if any(look.fresh for look in looks):
        await asyncio.sleep(BETWEEN_LOOKS)
    for look in looks:
        await look.check()
    return [_row(look) for look in looks]


async def _states(session: Session, schema: str, tables: Sequence[str]) -> Mapping[object, object]:
    """Give the tables' counters; a standby does not keep any."""
    if session.facts.in_recovery:
        return {}
    return {row["table"]: row["state"] for row in await session.fetch(COUNTERS, schema, tables)}


class _Look:
    """One run's look at one table; a failure is this table's alone."""

    def __init__(self, session: Session, memory: Memory, table: str, sights: Sights, seconds: float) -> None:
        kept = memory.of(_Kept)
        self.seconds = seconds
        self.session, self.table, self.sights, self.schema = session, table, sights, sights.schema
        self.sweep, self.gate, self.watched = memory.of(Sweeps).of(table), kept.gate(table), kept.watched(table)
        self.fresh = False
        """Somebody became suspect just now."""
        self.cut = False
        """A slice was larger than is looked at together: the rest of it is a slice that waits for its look."""
        self.failed: Part | None = None
        self._visits: Visitor | None = None

    async def run(self, states: Sequence[object]) -> None:
        """Look at a few slices, unless nothing can have changed."""
        try:
            way = await self.sights.way(self.table)
            name = identifier(self.schema, self.table)
            asking = Asking(way=way, function=sight_sessions.SLICE, place=(self.schema, self.table), what=name)
            self._visits = partial(self._visit, asking)
            if not self._rests(states):
                await self._swept(self._visits, states)
        except (ProbeError, TargetDenied) as error:
            self.failed = _failed(self.table, identifier(self.schema, self.table), error)

    async def check(self) -> None:
        """Look once more at what became suspect just now."""
        if self._visits is None or not self.fresh or self.failed:
            return
        try:
            for _ in range(CHECKS):
                self.cut = False
                await self.sweep.check(self._visits)
                if not self.cut:
                    break
        except (ProbeError, TargetDenied) as error:
            self.failed = _failed(self.table, identifier(self.schema, self.table), error)

    def _rests(self, states: Sequence[object]) -> bool:
        between = self.sweep.whole and not self.sweep.turning
        return between and self.gate.shut(states, time.monotonic())

    async def _swept(self, visits: Visitor, states: Sequence[object]) -> None:
        gate, began = self.gate, time.monotonic()
        if not self.sweep.turning:
            gate.states, gate.at, gate.took = states, began, 0.0
            self.watched.clear()
        later = self.sweep.whole or self.sweep.turning
        begun = LATER.get(self.table, SMALL_LATER) * self.seconds
        seconds = begun if later else FIRST.get(self.table, SMALL_FIRST)
        try:
            await self.sweep.run(visits, seconds + self._first)
        finally:
            gate.took += time.monotonic() - began

    @property
    def _first(self) -> float:
        """The time for what is looked at in every run, that it leaves the turn its own."""
        return 2 * TARGET * (len(self.watched) + (self.table == "refresh_tokens"))

    async def _visit(self, asking: Asking, span: Span, before: Mapping[int, int]) -> Visit:
        """Look at a slice; of each kind of suspect as many count as there were in the look before too."""
        row = await asking.ask(span.after, span.until, span.rows)
        names, numbers = sight_sessions.PARTS[self.table], as_list(row["counts"])
        if len(numbers) != len(names):
            raise ProbeSkipped(advised(OTHER_VERSION), Needs.RIGHTS)
        counts = dict(zip(names, map(_int, numbers), strict=True))
        now = {place: counts[name] for place, name in enumerate(names) if name in SUSPECT and counts[name]}
        grew = any(count > before.get(place, 0) for place, count in now.items())
        self.fresh = self.fresh or grew
        upto = span.until if row["upto"] is None else str(row["upto"])
        self.cut = self.cut or upto != span.until
        again = grew or self._special(span, upto, dirty=bool(now))
        seen = {names[place]: min(count, before.get(place, 0)) for place, count in now.items()}
        told = {name: count for name, count in {**counts, **seen}.items() if count}
        return Visit(upto=upto, rows=int(number(row, "held")), counts=told, suspects=now, again=again)

    def _special(self, span: Span, upto: str | None, *, dirty: bool) -> bool:
        """Tell a slice that is to be looked at in each run: the newest tokens, and those with suspects."""
        if span.after is None and upto is None:  # the whole table, which is anyway
            return False
        if not dirty:
            self.watched.discard(span.after)
        elif len(self.watched) < WATCHED:
            self.watched.add(span.after)
        return span.after in self.watched or (self.table == "refresh_tokens" and upto is None)

    def part(self) -> Part:
        """Give what is known of the table now."""
        if self.failed is not None:
            return self.failed
        counts = {name: self.sweep.total(name) for name in sight_sessions.PARTS[self.table]}
        progress = 1.0 if self.sweep.whole else self.sweep.progress(self.sights.weight(self.table))
        return Part(table=self.table, counts=counts, progress=progress, lacks=self.sights.lacks)


def _failed(table: str, name: str, error: ProbeError | TargetDenied) -> Part:
    """Say why a table could not be looked at."""
    if isinstance(error, TargetDenied):
        return Part(table=table, reason=advised(str(error)), needs=Needs.RIGHTS)
    if isinstance(error, ProbeTimeout):
        return Part(table=table, reason=f"{name}: {error}", needs=Needs.TIME)
    if isinstance(error, ProbeSkipped):
        return Part(table=table, reason=str(error), needs=error.needs)
    return Part(table=table, reason=f"{name}: {error}", needs=Needs.REPAIR)


def _row(look: _Look) -> Row:
    part, sweep = look.part(), look.sweep
    known = part.known and sweep.whole
    live = {"sessions": "open", "refresh_tokens": "live"}.get(look.table, "")
    return {
        "table": look.table,
        "live": part.counts.get(live) if known else None,
        "expired": part.counts.get("expired") if known else None,
        "revoked": part.counts.get("revoked") if known else None,
        "sweep_progress_ratio": sweep.progress(look.sights.weight(look.table)) if part.known else None,
        "sweep_age_seconds": time.time() - sweep.turned_at if part.known and sweep.turned_at is not None else None,
        "part": part,
    }


def parts(rows: Sequence[Row]) -> dict[str, Part]:
    """Give what is known of each table, by its name."""
    return {row["part"].table: row["part"] for row in rows if _is_part(row["part"])}


def _is_part(value: object) -> TypeGuard[Part]:
    return isinstance(value, Part)


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
