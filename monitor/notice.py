"""What goes out to people: a message about a group of alerts, a digest, and whoever receives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from monitor.model import Alert


@dataclass(frozen=True, kw_only=True)
class Digest:
    """What makes a notice one that sums up a time instead of announcing: how many alerts of each sort there were."""

    title: str
    """Such as "Weekly digest"."""
    since: datetime
    new: int
    """Began to fire, and still do."""
    still: int
    """Fired before, and still do."""
    over: int
    fixed: int = 0
    """Of those over, the ones that a remedy mended."""

    @property
    def count(self) -> int:
        """How many there are, also of those that the notice has no room for."""
        return self.new + self.still + self.over


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message to one receiver about one group of alerts."""

    receiver: str
    group: str
    """The group's name, the same whenever the same labels meet on the same route."""
    labels: Mapping[str, str]
    """What the alerts have in common: the labels they are grouped by."""
    alerts: tuple[Alert, ...]
    """The group as it stands: what fires, and what ended since the last message."""
    news: frozenset[str]
    """Fingerprints of the alerts that are news to this receiver; empty: a repetition."""
    created_at: datetime
    key: str
    """The idempotency key: a message that is sent twice has the same one."""
    digest: Digest | None = None
    """Of a digest, what it sums up: its alerts are the worst, then the new ones (`news`), the others, those over."""

    def __post_init__(self) -> None:
        """Leave out the keys of what it tells of: they are for who signs in to our page or API."""
        if any(alert.finding.keys for alert in self.alerts):
            object.__setattr__(self, "alerts", tuple(map(_without_keys, self.alerts)))

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to say; a digest says also that there was nothing."""
        return not self.alerts and self.digest is None


def _without_keys(alert: Alert) -> Alert:
    return replace(alert, finding=replace(alert.finding, keys=()))


class Receiver(Protocol):
    """Somebody who is told; says by DeliveryError whether a second try makes sense, and never retries itself."""

    @property
    def name(self) -> str:
        """The receiver's name in the configuration."""

    async def send(self, notice: Notice) -> None:
        """Deliver, or raise DeliveryError."""
