"""Keeps the ledger's alerts in the store, through the store's own ups and downs.

A store that fails is closed and opened anew with the next try: that finds a damaged file and puts it aside. While it
fails, everything waits in memory and `reason` says why.
"""

from __future__ import annotations

import asyncio

import structlog

from monitor.desk import Desk
from monitor.errors import StoreError
from monitor.model import Secret
from monitor.store.alerts import StoredAlerts
from monitor.store.engine import Store

log = structlog.get_logger()

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
        self._stored: StoredAlerts | None = None
        self._restored = False

    async def open(self) -> None:
        """Open the store; the first time, take its alerts up, later write all of ours into it."""
        try:
            self._store = await Store.open(self._url.reveal(), patience=PATIENCE_SECONDS)
            stored = StoredAlerts(self._store)
            if not self._restored:
                self._desk.restore(await stored.load())
            else:
                self._desk.write_all()
        except StoreError as error:
            await self._fail(error)
            return
        self._restored, self._stored = True, stored
        if self._store.notice:
            log.warning("store", notice=self._store.notice)

    async def write(self) -> None:
        """Write what changed; what cannot be written waits."""
        if self._stored is None:
            await self.open()
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
        self.reason = str(error)
        await self.close()
