"""An advisor's book over the newest readings, and over what other rules say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.history.past import History
from monitor.measurement import Measurement
from monitor.model import Finding, Target
from monitor.planning import Planner
from monitor.proof import Cure


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one rule says of one database at present, and what came of remedies that were applied."""

    findings: Sequence[Finding] = ()
    cures: Sequence[Cure] = ()


def _nothing(_target: Target, _rule: str) -> Said:
    return Said()


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
    said: Callable[[Target, str], Said] = _nothing

    def last(self, probe: str) -> Measurement | None:
        """Give this database's reading, else the whole server's."""
        return self.newest.get((self.target, probe)) or self.newest.get((Target(self.target.server), probe))

    def family(self, probe: str) -> Mapping[str, Measurement | None]:
        """Give this database's reading on each relative."""
        return {name: self.newest.get((Target(name, self.target.database), probe)) for name in self.relatives}

    def found(self, rule: str) -> Sequence[Finding]:
        """Give what another rule finds in this database at present."""
        return self.said(self.target, rule).findings

    def tried(self, rule: str) -> Sequence[Cure]:
        """Give the remedies of a rule's findings in this database that were applied, and have an outcome."""
        return self.said(self.target, rule).cures

    def history(self, probe: str) -> History | None:
        """Give what is kept of a probe's growth on this server."""
        return self.histories.get((self.target.server, probe))
