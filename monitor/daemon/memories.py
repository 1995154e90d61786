"""Keeps in the store what probes remember, and gives it back to them after a restart.

A document is written when it changed, once a minute at most. While the store cannot be used, it waits in memory.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import blake2b
from typing import TypeAlias

import structlog

from monitor.collect.runner import Clock, Runner
from monitor.daemon.keeper import Keeper
from monitor.errors import StoreError
from monitor.lasting import UNREADABLE, Identity, Lasting, Memory, Place, Remembered
from monitor.model import Target
from monitor.store.engine import Store
from monitor.store.memories import StoredMemories

log = structlog.get_logger()

WRITE_SECONDS = 50.0
"""How often one probe's documents are written: with the daemon's tick, a crash loses a minute of them."""

PAUSE_SECONDS, MENDING_SECONDS = 5.0, 60.0
"""The least time between two rounds, and after one that failed."""

FRESH_SECONDS = 3600.0
"""So often a document that stays the same is written too: it says when its server was seen last."""

KEPT = timedelta(days=30)
"""How long what nobody keeps any more stays: of targets, databases and probes that are gone."""

LARGEST = 2**20
"""Characters of one document; a larger one is not kept."""

BITE, ROWS = 4 * 2**20, 500
"""About so many characters, and documents, are written at once: others want to write as well."""

Owner: TypeAlias = tuple[Target, str]


@dataclass(frozen=True)
class _Mark:
    """What of a document is in the store."""

    digest: bytes
    of: Identity

    def holds(self, other: _Mark) -> bool:
        """Tell whether the other one need not be written instead."""
        same_server = replace(self.of, read_at=0.0) == replace(other.of, read_at=0.0)
        return self.digest == other.digest and same_server and other.of.read_at - self.of.read_at < FRESH_SECONDS


@dataclass
class _Change:
    """What is to be written together."""

    kept: dict[Place, Remembered] = field(default_factory=dict)
    dropped: set[Place] = field(default_factory=set)

    size: int = 0

    @property
    def full(self) -> bool:
        return self.size > BITE or len(self.kept) >= ROWS

    def keep(self, place: Place, each: Remembered) -> None:
        self.kept[place] = each
        self.size += len(each.text)


class Memories:
    """The way between the memory of one runner and one store."""

    def __init__(self, runner: Runner, keeper: Keeper, clock: Clock) -> None:
        self._runner, self._keeper, self._clock = runner, keeper, clock
        self._stored = StoredMemories(keeper)
        self._written: dict[Owner, dict[str, _Mark]] = {}
        self._looked_at: dict[Owner, tuple[float, float]] = {}
        """When an owner's documents were asked for, and its newest reading then."""
        self._refused: set[Place] = set()
        self._into: Store | None = None
        """The store that holds what is marked as written."""
        self._loaded = False
        self._next_at = clock.monotonic()
        self._forget_at = clock.monotonic()

    async def load(self) -> None:
        """Take up what an earlier process left."""
        try:
            self._into = self._keeper.store
            past = await self._stored.load()
        except StoreError as error:
            self._fail(error)
            return
        self._loaded = True
        for place, each in past.items():
            self._note(place, each)
        self._runner.past.add(past)

    def due(self) -> bool:
        """Tell whether it is time for a round."""
        return self._clock.monotonic() >= self._next_at

    async def round(self) -> None:
        """Write what changed; while the store cannot be used, it waits."""
        if not self._loaded:
            await self.load()
        if not self.due():
            return
        self._runner.recall()
        self._next_at = self._clock.monotonic() + PAUSE_SECONDS
        try:
            await self._write(self._clock.monotonic() - WRITE_SECONDS)
            await self._forget()
        except StoreError as error:
            self._fail(error)

    async def write(self) -> None:
        """Write all that changed, at the end; what cannot be written is lost."""
        try:
            await self._write(self._clock.monotonic())
        except StoreError as error:
            log.warning("what probes remember could not be written", reason=str(error))

    async def _write(self, before: float) -> None:
        if self._keeper.store is not self._into:  # it may be a new one
            self._into, self._written, self._looked_at = self._keeper.store, {}, {}
        change, now = _Change(), self._clock.monotonic()
        for target, probe, memory, of in self._runner.memories():
            looked_at, read_at = self._looked_at.get((target, probe), (before, None))
            if looked_at <= before and read_at != of.read_at:
                self._looked_at[target, probe] = now, of.read_at
                self._compare(change, (target, probe), memory, of)
                await asyncio.sleep(0)
            if change.full:
                await self._put(change)
                change = _Change()
        await self._put(change)

    def _compare(self, change: _Change, owner: Owner, memory: Memory, of: Identity) -> None:
        """Add what of one probe's memory differs from what is in the store."""
        there = self._written.get(owner, {})
        now = dict(self._documents(owner, memory))
        for kind, text in now.items():
            new = Remembered(text=text, of=of)
            if kind not in there or not there[kind].holds(_mark(new)):
                change.keep(_place(owner, kind), new)
        change.dropped |= {_place(owner, kind) for kind in there.keys() - now.keys() - memory.waiting}

    def _documents(self, owner: Owner, memory: Memory) -> Iterator[tuple[str, str]]:
        for kind, each in memory.lasting():
            text, wrong = _text(each)
            if wrong:
                self._complain(_place(owner, kind), wrong)
            elif text:
                self._refused.discard(_place(owner, kind))
                yield kind, text

    def _complain(self, place: Place, wrong: str) -> None:
        if place not in self._refused:
            log.warning("not kept over a restart", target=str(place.target), probe=place.probe, what=wrong)
        self._refused.add(place)

    async def _put(self, change: _Change) -> None:
        if not change.kept and not change.dropped:
            return
        try:
            await self._stored.write(change.kept, change.dropped, self._clock.now())
        except BaseException:
            for place in (*change.kept, *change.dropped):
                self._looked_at.pop((place.target, place.probe), None)
            raise
        for place, each in change.kept.items():
            self._note(place, each)
        for place in change.dropped:
            self._written.get((place.target, place.probe), {}).pop(place.kind, None)

    def _note(self, place: Place, kept: Remembered) -> None:
        self._written.setdefault((place.target, place.probe), {})[place.kind] = _mark(kept)

    async def _forget(self) -> None:
        """Delete what nobody has kept for long, once an hour."""
        if self._clock.monotonic() >= self._forget_at:
            await self._stored.forget(self._clock.now() - KEPT)
            self._forget_at = self._clock.monotonic() + FRESH_SECONDS

    def _fail(self, error: StoreError) -> None:
        self._next_at = self._clock.monotonic() + MENDING_SECONDS
        log.debug("memories wait", reason=str(error))


def _place(owner: Owner, kind: str) -> Place:
    return Place(target=owner[0], probe=owner[1], kind=kind)


def _mark(kept: Remembered) -> _Mark:
    return _Mark(blake2b(kept.text.encode(), digest_size=16).digest(), kept.of)


def _text(lasting: Lasting) -> tuple[str, str]:
    """Give the document as JSON, or what is wrong with it."""
    try:
        document = lasting.document()
        text = "" if document is None else json.dumps(document, separators=(",", ":"))
    except UNREADABLE as error:
        return "", f"{type(lasting).__name__}: {type(error).__name__}; please report it"
    if len(text) > LARGEST:
        return "", f"{type(lasting).__name__}: {len(text)} characters, more than {LARGEST}"
    return text, ""
