"""Which links probe `auth_links` knows in each database of a server: the other probes on links begin from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from probes.auth_links_discovery import Column, Origin


@dataclass(frozen=True, kw_only=True)
class Known:
    """A link and why it is taken for one."""

    column: Column
    origin: Origin

    @property
    def sampled(self) -> bool:
        """Tell a link that is known by a sample of its values only: judged a step lower, with confidence medium."""
        return self.origin is Origin.SAMPLE


class KnownLinks:
    """All databases' links; in `memory.server`, which the probes of one server share."""

    def __init__(self) -> None:
        self._links: Mapping[str, Sequence[Known]] = {}

    def tell(self, database: str, links: Sequence[Known]) -> None:
        """Keep what a look found: links declared or with a foreign key, and guesses that proved to be some."""
        self._links = {**self._links, database: [link for link in links if link.origin is not Origin.GUESS]}

    def of(self, database: str) -> Sequence[Known] | None:
        """Give a database's links; None: nobody has looked yet."""
        return self._links.get(database)
