"""An advisor's book in a snapshot, which has no store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from monitor.history import History
from monitor.measurement import Measurement
from monitor.model import Target
from monitor.planning import Planner


@dataclass(frozen=True)
class Pages:
    """An advisor's book over the newest readings."""

    target: Target
    newest: Mapping[tuple[Target, str], Measurement]
    histories: Mapping[tuple[str, str], History] = field(default_factory=dict)
    """By server and probe."""
    planner: Planner | None = None
    """Who can tell what a planner would do."""
    relatives: Collection[str] = ()
    """The other servers of its replication, by name."""

    def last(self, probe: str) -> Measurement | None:
        """Give this database's reading, else the whole server's."""
        return self.newest.get((self.target, probe)) or self.newest.get((Target(self.target.server), probe))

    def family(self, probe: str) -> Mapping[str, Measurement | None]:
        """Give this database's reading on each relative."""
        return {name: self.newest.get((Target(name, self.target.database), probe)) for name in self.relatives}

    def history(self, probe: str) -> History | None:
        """Give what is kept of a probe's growth on this server."""
        return self.histories.get((self.target.server, probe))
