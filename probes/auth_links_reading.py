"""One reading of all links of a database: what each showed, or why it could not be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
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
    sight,
)
from probes.auth_links_ask import Ask
from probes.auth_links_discovery import Column, Guessed, Origin, Place, columns, gotrue, too_many, why_missing
from probes.auth_links_keys import SLOW, UNSAMPLED, LinkKeys, Question, Sampled
from probes.auth_links_known import Known, KnownLinks
from probes.auth_links_looks import CHEAP, Looks, Seen, look, sample
from probes.auth_links_options import AuthOptions
from probes.auth_links_shape import lag, shape
from probes.auth_links_sight import NEEDED, LinkEye, eyes
from probes.auth_links_suspects import BETWEEN_LOOKS
from probes.auth_links_sweeps import LinkSweeps
from probes.auth_links_ways import Sights
from probes.auth_sight import seeing

AGAIN_SECONDS = 1.0  # for the second look at the suspects of a first sweep
ELIGIBLE = 20  # of fewer users no custom can be read


@dataclass(frozen=True, kw_only=True)
class Blind:
    """A table we do not see whole: who is hidden from, by what."""

    schema: str
    table: str
    reason: str
    role: str
    declared: bool

    @property
    def subject(self) -> str:
        return identifier(self.schema, self.table)


@dataclass(frozen=True, kw_only=True)
class LinkReading:
    """What one link showed; `reason` and `needs` say why it showed nothing."""

    column: Column
    origin: Origin
    seen: Seen | None = None
    distinct: int = 0
    present: int = 0
    reason: str = ""
    needs: Needs | None = None
    rows: Sampled = UNSAMPLED
    """Ids of rows without user, where they are asked for."""
    users: Sampled = UNSAMPLED
    """Ids of users without row."""

    @property
    def judged(self) -> bool:
        """Tell whether rows without user can be told here."""
        return self.origin is not Origin.GUESS

    @property
    def by_custom(self) -> bool:
        """Tell an undeclared table that looks as if every user had a row in it."""
        return self.column.by_custom

    @property
    def every_user(self) -> bool | None:
        """Tell whether every user must have a row: declared, or kept so by nine in ten; None: somebody must say."""
        if self.column.declared is not None:
            return self.column.declared.every_user
        seen = self.seen
        if not self.by_custom or seen is None or (seen.eligible is not None and seen.eligible < ELIGIBLE):
            return False
        if seen.eligible is None:  # nobody lacks one
            return True
        return True if seen.missing_once * 10 <= seen.eligible else None


async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Read all links; raises ProbeSkipped where there is no GoTrue."""
    if not isinstance(options, AuthOptions):
        raise TypeError(options)
    needed = sorted(NEEDED & await gotrue(session, options))
    looks = memory.of(Looks)
    found = await columns(session, options, memory.of(Guessed), looks.linked)
    wrong = [*await why_missing(session, options, found), *too_many(found)]
    faulty = {column.place for column, _ in wrong}
    sound = [column for column in found if column.place not in faulty]
    looks.only(found)
    ways, hidden = await seeing(await eyes(session, options.schema), options.schema, "users", needed)
    sights = memory.of(Sights)
    sights.begin(options.schema, [eye.way for eye in ways], hidden)
    rows = [_row(_unsound(column, why)) for column, why in wrong]
    known = memory.server.of(KnownLinks)
    if hidden:
        known.tell(session.facts.database, [Known(column=column, origin=column.origin) for column in sound])
        declared = bool(options.links)
        blind = Blind(schema=options.schema, table="users", reason=hidden, role=session.facts.role, declared=declared)
        return [_row(blind), *rows, *(_row(_unseen(column, hidden)) for column in sound)]
    sweeps = memory.of(LinkSweeps)
    sweeps.only(found)
    keys = memory.of(LinkKeys)
    keys.only(found)
    reader = _Reader(session, ways, looks, sweeps, options, options.grace + await lag(session), keys)
    readings = await reader.all(sound)
    for place, eye in reader.eyes.items():
        sights.add(place, eye.way)
    for blind in (each for each in readings if isinstance(each, Blind)):
        sights.add((blind.schema, blind.table), None, blind.reason)
    found_links = [each for each in readings if isinstance(each, LinkReading)]
    known.tell(session.facts.database, [Known(column=each.column, origin=each.origin) for each in found_links])
    rows += [row for reading in readings for row in _rows(reading)]
    return rows or [_row(None)]


@dataclass(frozen=True)
class _Swept:
    """A link that is looked at in slices, once it is known how many share the time."""

    ask: Ask
    reading: LinkReading

    @property
    def place(self) -> Place:
        return self.reading.column.place


@dataclass(frozen=True)
class _Reader:
    session: Session
    ways: Sequence[LinkEye]
    looks: Looks
    sweeps: LinkSweeps
    options: AuthOptions
    grace: float
    keys: LinkKeys
    waiting: list[_Swept] = field(default_factory=list)
    eyes: dict[Place, LinkEye] = field(default_factory=dict)
    """What each link was looked at with."""

    async def all(self, columns: Sequence[Column]) -> list[Blind | LinkReading]:
        """Read all links, those with fresh suspects once more: one pause for all, or a hundred links took minutes."""
        found = {column.place: await self.read(column) for column in columns}
        seconds = self.sweeps.seconds(self.options.duty) / len(self.waiting) if self.waiting else 0.0
        first = [each for each in self.waiting if not self.sweeps.known(each.reading.column)]
        for each in self.waiting:
            found[each.place] = await _safely(each.reading, self._sweep(each, seconds))
        again = [column for column in columns if self.looks.of(column).pending]
        doubted = [each for each in first if (known := self.sweeps.known(each.reading.column)) and known.fresh]
        if again or doubted:
            await asyncio.sleep(BETWEEN_LOOKS)
        for column in again:
            found[column.place] = await self.read(column)
        for each in doubted:
            found[each.place] = await _safely(each.reading, self._sweep(each, AGAIN_SECONDS, again=True))
        read = [each for readings in found.values() for each in readings]
        return [await self._sampled(each) for each in read] if self.options.sample_keys else read

    async def _sampled(self, reading: Blind | LinkReading) -> Blind | LinkReading:
        """Add ids of who is counted."""
        if not isinstance(reading, LinkReading) or reading.seen is None:
            return reading
        rows = users = UNSAMPLED
        if reading.seen.orphans or reading.seen.unaged:
            rows = await self._keys(reading, sight.KEYS_OF_ROWS)
        if reading.seen.missing and reading.every_user:
            users = await self._keys(reading, sight.KEYS_OF_USERS)
        return replace(reading, rows=rows, users=users)

    async def _keys(self, reading: LinkReading, function: sight.Function) -> Sampled:
        column = reading.column
        kept, sweep = self.looks.of(column), self.sweeps.known(column)
        if sweep is None and kept.took >= CHEAP:
            return Sampled(reason=SLOW)
        rows, users = (sweep or kept).accused(self.grace)
        wanted = rows if function is sight.KEYS_OF_ROWS else users
        question = Question(eye=self.eyes[column.place], column=column, function=function)
        return await self.keys.sample(question, wanted, self.options.sample_keys)

    async def read(self, column: Column) -> list[Blind | LinkReading]:
        """Give what a link shows, and beside it what hides its table; one that is swept waits."""
        reading = LinkReading(column=column, origin=column.origin)
        if reading.origin is Origin.GUESS and (known := self.looks.of(column).no_link) is not None:
            return [replace(reading, distinct=known.distinct, present=known.present)]
        return await _safely(reading, self._read(reading))

    async def _read(self, reading: LinkReading) -> list[Blind | LinkReading]:
        column = reading.column
        able, hidden = await seeing(self.ways, column.schema, column.table, column.needed)
        if hidden and not column.declared and column.created:  # its age is a help, not a need
            column = replace(column, created=None)
            able, hidden = await seeing(self.ways, column.schema, column.table, column.needed)
        if not hidden:
            return [await self._looked(able[0], replace(reading, column=column))]
        blind = Blind(
            schema=column.schema,
            table=column.table,
            reason=hidden,
            role=self.session.facts.role,
            declared=column.declared is not None,
        )
        return [*([blind] if reading.judged else []), _unseen(column, hidden)]

    async def _looked(self, eye: LinkEye, reading: LinkReading) -> LinkReading:
        kept = self.looks.of(reading.column)
        self.eyes[reading.column.place] = eye
        if reading.origin is Origin.GUESS:
            taken = await sample(eye, reading.column, kept)
            origin = Origin.SAMPLE if taken.linked else Origin.GUESS
            reading = replace(reading, origin=origin, distinct=taken.distinct, present=taken.present)
        if not reading.judged:
            return reading
        ask = await self._slices(eye, reading.column)
        if ask is None:
            return replace(reading, seen=await look(self.session, eye, reading.column, kept, self.grace))
        self.waiting.append(_Swept(ask, reading))
        return reading

    async def _sweep(self, each: _Swept, seconds: float, *, again: bool = False) -> list[Blind | LinkReading]:
        """Look at slices of a link; `again`: at those in doubt alone."""
        sweep = self.sweeps.of(each.reading.column, each.ask.ways)
        await (sweep.again(each.ask, seconds) if again else sweep.run(each.ask, seconds))
        return [replace(each.reading, seen=sweep.seen(each.ask))]

    async def _slices(self, eye: LinkEye, column: Column) -> Ask | None:
        """Give what a sweep asks with; None where the link is looked at whole."""
        kept, known = self.looks.of(column), self.sweeps.known(column)
        if kept.pending or (known is None and kept.at and kept.took < CHEAP / 2):
            return None
        shaped = await shape(self.session, eye.schema, column)
        if not shaped.sliced(dear=kept.took >= CHEAP) or not await eye.can(sight.SLICES):
            self.sweeps.drop(column)
            return None
        ask = Ask(session=self.session, eye=eye, column=column, shape=shaped, grace=self.grace)
        return replace(ask, newest=await eye.can(sight.NEWEST)) if ask.clocks else ask


async def _safely(reading: LinkReading, work: Awaitable[list[Blind | LinkReading]]) -> list[Blind | LinkReading]:
    """Give what a link's look gives; a failure is this link's alone."""
    relation = reading.column.relation
    try:
        return await work
    except ProbeTimeout as error:  # also asking for sight takes a lock: the server opens what it has policies of
        return [replace(reading, reason=f"{relation}: {error}", needs=Needs.TIME)]
    except ProbeSkipped as error:
        return [replace(reading, reason=str(error), needs=error.needs or Needs.TIME)]
    except TargetDenied as error:
        return [replace(reading, reason=str(error), needs=Needs.RIGHTS)]
    except ProbeError as error:
        return [replace(reading, reason=f"{relation}: {error}", needs=Needs.REPAIR)]


def _unsound(column: Column, why: str) -> LinkReading:
    return LinkReading(column=column, origin=Origin.DECLARED, reason=why, needs=Needs.SETTING)


def _unseen(column: Column, hidden: str) -> LinkReading:
    return LinkReading(column=column, origin=column.origin, reason=hidden, needs=Needs.RIGHTS)


def _rows(reading: Blind | LinkReading) -> list[Row]:
    """Give a link's two directions; the reading itself stands in the first."""
    if not isinstance(reading, LinkReading) or reading.seen is None:
        return [_row(reading)]
    link, seen = {"link": reading.column.subject, "origin": reading.origin.value}, reading.seen
    users = seen.missing if reading.every_user else None
    return [
        {**link, "direction": "profile", "orphans": seen.orphans, "reading": reading},
        {**link, "direction": "user", "orphans": users, "reading": None},
    ]


def _row(reading: Blind | LinkReading | None) -> Row:
    """Give a row that shows no number."""
    return {"link": "", "direction": "", "orphans": None, "reading": reading}


def links(rows: Sequence[Row]) -> list[LinkReading]:
    """Give the links of a reading."""
    return [row["reading"] for row in rows if _is_link(row["reading"])]


def blinds(rows: Sequence[Row]) -> list[Blind]:
    """Give the tables that hide from us, each once, a declared link's first."""
    found = [reading for row in rows if isinstance(reading := row["reading"], Blind)]
    unique = {blind.subject: blind for blind in sorted(found, key=lambda blind: blind.declared)}
    return list(unique.values())


def _is_link(reading: object) -> TypeGuard[LinkReading]:
    return isinstance(reading, LinkReading)
