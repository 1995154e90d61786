"""Where a chat's message about a finding stands, so that it can be changed there and answered in its thread."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from monitor.store.bulk import remove, replace
from monitor.store.engine import Store
from monitor.store.tables import alerts
from monitor.store.tables import places as table


class StoredPlaces:
    """The places in a store; what a place says is its receiver's matter. Every method raises StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, receiver: str, fingerprint: str) -> str | None:
        """Give the place; None: there is no message."""
        here = (table.c.receiver == receiver) & (table.c.fingerprint == fingerprint)
        return await self._store.run(lambda connection: connection.scalar(select(table.c.place).where(here)))

    async def put(self, receiver: str, fingerprint: str, place: str) -> None:
        """Remember a place instead of the one before."""
        row = {"receiver": receiver, "fingerprint": fingerprint, "place": place}
        await self._store.run(lambda connection: replace(connection, table, [row]))

    async def put_all(self, receiver: str, places: Mapping[str, str]) -> None:
        """Remember many places at once, by fingerprint."""
        rows = [{"receiver": receiver, "fingerprint": each, "place": place} for each, place in places.items()]
        await self._store.run(lambda connection: replace(connection, table, rows))

    async def forget(self, receiver: str, fingerprint: str) -> None:
        """Forget a place; one that is not known is forgotten already."""
        key = {"receiver": receiver, "fingerprint": fingerprint}
        await self._store.run(lambda connection: remove(connection, table, [key]))


def forget_places(connection: Connection) -> int:
    """Forget where messages about alerts stand that are gone."""
    gone = table.c.fingerprint.not_in(select(alerts.c.fingerprint))
    return connection.execute(delete(table).where(gone)).rowcount
