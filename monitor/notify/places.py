"""Where messages about findings stand in a chat: what a bot remembers, also while the store does not."""

from collections.abc import Mapping
from typing import Protocol

from monitor.errors import StoreError

CAPACITY = 10_000


class Places(Protocol):
    """Places by receiver and fingerprint; what a place says is its receiver's matter."""

    async def get(self, receiver: str, fingerprint: str) -> str | None:
        """Give the place; None: there is no message."""

    async def put(self, receiver: str, fingerprint: str, place: str) -> None:
        """Remember a place instead of the one before."""

    async def put_all(self, receiver: str, places: Mapping[str, str]) -> None:
        """Remember many places at once, by fingerprint."""


class Remembered:
    """Places that never fail: a store's, and in memory what it did not take. Without a store all are in memory."""

    def __init__(self, store: Places | None = None, capacity: int = CAPACITY) -> None:
        self._store, self._capacity = store, capacity
        self._own: dict[tuple[str, str], str] = {}

    async def get(self, receiver: str, fingerprint: str) -> str | None:
        own = self._own.get((receiver, fingerprint))
        if own is not None or self._store is None:
            return own
        try:
            return await self._store.get(receiver, fingerprint)
        except StoreError:  # the store says so itself, as store.degraded
            return None

    async def put(self, receiver: str, fingerprint: str, place: str) -> None:
        await self.put_all(receiver, {fingerprint: place})

    async def put_all(self, receiver: str, places: Mapping[str, str]) -> None:
        kept = await self._kept(receiver, places)
        for fingerprint, place in places.items():
            self._own.pop((receiver, fingerprint), None)
            if not kept:
                self._own[receiver, fingerprint] = place
        for oldest in list(self._own)[: -self._capacity]:
            del self._own[oldest]

    async def _kept(self, receiver: str, places: Mapping[str, str]) -> bool:
        if self._store is None:
            return False
        try:
            await self._store.put_all(receiver, places)
        except StoreError:  # as above
            return False
        return True
