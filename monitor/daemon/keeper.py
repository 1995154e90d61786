"""Keeps the ledger's alerts in the store, through the store's own ups and downs.

A store that fails is closed and opened anew with the next try: that finds a damaged file and puts it aside. While it
fails, everything waits in memory and `reason` says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog

from monitor.daemon.desk import Desk
from monitor.errors import StoreError
from monitor.lean import completed
from monitor.model import Alert, Finding, Secret
from monitor.store.alerts import StoredAlerts
from monitor.store.engine import Store
from monitor.store.failures import DamagedFile
from monitor.store.ledger_book import StoredLedger
from monitor.store.places import StoredPlaces
from monitor.store.records import LedgerRead, Transition

log = structlog.get_logger()
T = TypeVar("T")

CLOSING_SECONDS = 0.5
PATIENCE_SECONDS = 1.5
"""How long another program's lock on the store is waited for; SQLite cannot be interrupted while it waits."""


class Keeper:
    """The way between one desk and one store."""

    def __init__(self, desk: Desk, url: Secret) -> None:
        self.reason = ""
        """Why the store cannot be used; empty while it can."""
        self._desk, self._url = desk, url
        self._store: Store | None = None
        self._stored: StoredLedger | None = None
        self.restored: Callable[[LedgerRead], None] = lambda _: None
        """Called once, with what the store held."""
        self.renewed: Callable[[], None] = lambda: None
        """Called when the store may be a new one: all that it is to hold must be written again."""
        self.places = KeptPlaces(self)
        self._restored = self._damaged = False
        self._one_by_one = asyncio.Lock()

    @property
    def store(self) -> Store:
        """The open store; raises StoreError while there is none."""
        if self._store is None:
            raise StoreError(self.reason or "the store is not open")
        return self._store

    async def history(self, fingerprint: str) -> Sequence[Transition]:
        """Give an alert's steps, oldest first; raises StoreError."""
        return await StoredLedger(self.store).history(fingerprint)

    async def run(self, work: Callable[[Any], T]) -> T:
        """Do some other work in a transaction, between two writes; raises StoreError, also while there is no store."""
        async with self._one_by_one:
            store = self.store
            try:
                return await store.run(work)
            except StoreError as error:
                await self._fail(error)
                raise

    @property
    def writes(self) -> bool:
        """Tell whether the store takes what is written."""
        return self._stored is not None and not self.reason

    async def completed(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Give alerts with all they said; what the store cannot give says why in `finding.missing`."""
        lean = [alert.finding.fingerprint for alert in alerts if alert.finding.missing]
        if not lean:
            return alerts
        reason = ""
        found: Mapping[str, Finding] = {}
        try:
            found = await StoredAlerts(self.store).findings(lean)
        except StoreError as error:
            reason = str(error)
        return [
            completed(alert, found.get(alert.finding.fingerprint), reason) if alert.finding.missing else alert
            for alert in alerts
        ]

    async def open(self) -> None:
        """Open the store; the first time, take its alerts up, later write all of ours into it."""
        try:
            self._store = await Store.open(self._url.reveal(), patience=PATIENCE_SECONDS, damaged=self._damaged)
            self._damaged = False
            stored = StoredLedger(self._store)
            if not self._restored:
                read = await stored.load()
                self._desk.restore(read.alerts)
                self.restored(read)
            else:
                self._desk.write_all()
                self.renewed()
        except StoreError as error:
            await self._fail(error)
            return
        self._restored, self._stored = True, stored
        if self._store.notice:
            log.warning("store", notice=self._store.notice)

    async def write(self, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Write what changed; what cannot be written waits.

        `ready` is called when the store may be written to: what happens once it has returned is not in this write.
        """
        async with self._one_by_one:
            if self._stored is None:
                await self.open()
            if ready is not None:
                await ready()
            await self._write()

    async def _write(self) -> None:
        if self._stored is None:
            return
        try:
            await self._desk.write(self._stored)
        except StoreError as error:
            await self._fail(error)
        else:
            if self.reason:
                log.info("store mended")
            self.reason = ""

    async def forget(self, before: datetime) -> None:
        """Delete what is too old to be kept; while the store cannot be used, the next time will do."""
        async with self._one_by_one:
            if self._stored is None:
                return
            try:
                gone = await self._stored.forget(before)
            except StoreError as error:
                await self._fail(error)
            else:
                log.debug("forgotten", rows=gone)

    async def close(self) -> None:
        """Let go of the store; one that hangs is left to itself."""
        store, self._store, self._stored = self._store, None, None
        if store is None:
            return
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await store.close()
        except TimeoutError:
            log.warning("the store does not close")

    async def _fail(self, error: StoreError) -> None:
        if not self.reason:
            log.error("store degraded", reason=str(error))
        self.reason, self._damaged = str(error), isinstance(error, DamagedFile)
        await self.close()


class KeptPlaces:
    """The store's memory of where chat messages stand; raises StoreError while the store cannot be used."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def get(self, receiver: str, fingerprint: str) -> str | None:
        """Give the place; None: there is no message."""
        return await StoredPlaces(self._keeper.store).get(receiver, fingerprint)

    async def put(self, receiver: str, fingerprint: str, place: str) -> None:
        """Remember a place instead of the one before."""
        await self.put_all(receiver, {fingerprint: place})

    async def put_all(self, receiver: str, places: Mapping[str, str]) -> None:
        """Remember many places at once, by fingerprint."""
        await StoredPlaces(self._keeper.store).put_all(receiver, places)
