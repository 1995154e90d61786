"""Which targets stand on a page: those that need somebody first, replicas after their primary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.draw.address import address
from monitor.draw.health import health
from monitor.status import TargetStatus

SHOWN = 50
"""Targets on a page."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which targets are asked for; an empty text is anything."""

    q: str = ""
    state: str = ""
    page: int = 1

    @property
    def address(self) -> str:
        """Give the address under which that is shown."""
        return address("/targets", self, Wanted())

    def at(self, page: int) -> str:
        """Give the address of another page."""
        return replace(self, page=page).address

    def takes(self, target: TargetStatus, now: datetime) -> bool:
        """Tell whether a target is meant."""
        labels = (f"{name}={value}" for name, value in target.labels.items())
        return self.state in {"", health(target, now).word} and any(
            self.q.casefold() in each.casefold() for each in (target.server, *labels)
        )


def grouped(targets: Iterable[TargetStatus]) -> list[TargetStatus]:
    """Put each server's replicas after it, and theirs after them; whose primary is not watched stands by itself."""
    everything = list(targets)
    names = {target.server for target in everything}
    below: dict[str | None, list[TargetStatus]] = {}
    for target in everything:
        below.setdefault(target.replica_of if target.replica_of in names else None, []).append(target)

    def under(name: str | None) -> Iterator[TargetStatus]:
        for target in below.get(name, ()):
            yield target
            yield from under(target.server)

    return list(under(None))


def chosen(targets: Sequence[TargetStatus], wanted: Wanted, now: datetime) -> list[TargetStatus]:
    """Give all targets that are asked for."""
    return [target for target in grouped(targets) if wanted.takes(target, now)]
