"""What the replication probe remembers: where the WAL stood when, and which standbys were there.

From the first follows how long ago the server was where a standby is now. It needs neither the standby's clock nor an
answer of it, and an idle primary makes no lag: all times are the asked server's own.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from monitor.probe import Row, number

READINGS = 240
DAY = 86400.0
UNKNOWN = "unknown"
DEFAULT_NAMES = ("walreceiver", "unnamed")
"""What a standby is called that nobody gave a name; its slot tells more."""


def named(row: Row) -> str:
    """Name a standby: by its application_name, or by its slot where it has but the default one."""
    application, slot = str(row["application"]), str(row["slot"])
    return slot if slot and application in DEFAULT_NAMES else application


def known_as(server: Row) -> str | None:
    """Name a standby as its primary does; None where it is not connected, or hides that."""
    application, slot = server["receiver_application"], server["receiver_slot"]
    return named({"application": application, "slot": slot or ""}) if application else None


class Positions:
    """Where the end of the WAL was at each of the last readings."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, float]] = deque(maxlen=READINGS)
        self._recovering: object = None

    def note(self, at: float, position: float, *, recovering: object) -> None:
        """Add a reading; a promotion, and a clock or a WAL that went back, begin anew."""
        if self._past and (at < self._past[-1][0] or position < self._past[-1][1] or recovering != self._recovering):
            self._past.clear()
        self._recovering = recovering
        self._past.append((at, position))

    def seconds_behind(self, reached: float | None) -> float | None:
        """Tell for how long at least the WAL has been further than that; None where one reading cannot tell."""
        beyond = [at for at, position in self._past if reached is not None and position > reached]
        if reached is None or (beyond and len(self._past) == 1):
            return None
        return self._past[-1][0] - beyond[0] if beyond else 0.0

    def always_further(self, reached: float) -> bool:
        """Tell whether it was further at all of several readings: then it may have been for longer than we look."""
        return len(self._past) > 1 and all(position > reached for _, position in self._past)

    def lag(self, reached: object, measured: object = None) -> float | None:
        """Give the seconds behind; what the server itself measured where that may be longer than we look back."""
        behind = self.seconds_behind(reached) if isinstance(reached, float) else None
        if behind and isinstance(reached, float) and isinstance(measured, float) and self.always_further(reached):
            return max(behind, measured)
        return behind


@dataclass(frozen=True, kw_only=True)
class Standby:
    """One name under which standbys come, and when they did by the server's clock."""

    first: float
    last: float
    slot: str = ""
    synchronous: bool = False
    backup: bool = False
    replied_at: object = None
    replied_seen: float = 0.0
    missed_at: float | None = None
    """Since when it is missed, where that is not since it was there last: we were away meanwhile."""


class Standbys:
    """The physical standbys of the last day."""

    def __init__(self) -> None:
        self._known: Mapping[str, Standby] = {}
        self.blocked_since: float | None = None
        self._at = 0.0
        self._away = False

    def document(self) -> object:
        """Give who was there and when, and since when who was not there at the last reading is missed."""
        return {
            name: {
                "first": each.first,
                "last": each.last,
                "slot": each.slot,
                "synchronous": each.synchronous,
                "backup": each.backup,
                "missed_at": each.last if each.missed_at is None and each.last < self._at else each.missed_at,
            }
            for name, each in self._known.items()
        } or None

    def restore(self, document: object) -> None:
        """Go on from there: who is not there at the next reading, and was before, is missed from then on."""
        if isinstance(document, dict):
            self._known = {str(name): _restored(each) for name, each in document.items()}
        self._away = True

    def note(self, rows: Iterable[Row], at: float) -> Iterator[Row]:
        """Take in who is there; give the rows with since when they stand and are silent."""
        known = {name: each for name, each in self._known.items() if 0 <= at - each.last <= DAY}
        for row in rows:
            name = named(row)
            each = self._seen(known.get(name), row, at)
            if not row["logical"] and not row["hidden"] and not row.get("starting"):
                known[name] = each
            yield {**row, "name": name, "unanswered_seconds": at - each.replied_seen}
        if self._away:
            known = {name: each if each.last == at else _missed(each, at) for name, each in known.items()}
        self._known, self._at, self._away = known, at, False

    def _seen(self, before: Standby | None, row: Row, at: float) -> Standby:
        each = before or Standby(first=at, last=at, replied_seen=at)
        if each.replied_at != row["replied_at"]:
            each = replace(each, replied_at=row["replied_at"], replied_seen=at)
        synchronous = bool(row["synchronous"]) or (each.synchronous and not row["streaming"])
        return replace(
            each,
            last=at,
            missed_at=None,
            slot=str(row["slot"]),
            synchronous=synchronous,
            backup=each.backup or bool(row["backup"]),
        )

    def lost(self, at: float) -> Iterator[Row]:
        """Give those that were there and are not; backups, and first copies for a subscription, come and go."""
        for name, each in self._known.items():
            if each.last < at and not each.backup:
                yield {
                    "name": name,
                    "slot": each.slot,
                    "gone_seconds": at - (each.last if each.missed_at is None else each.missed_at),
                    "stood_seconds": each.last - each.first,
                    "was_synchronous": each.synchronous,
                }

    def blocked(self, at: float, *, now: bool) -> float | None:
        """Tell for how long commits have waited for a standby that is not there; None: they do not."""
        if not now:
            self.blocked_since = None
            return None
        self.blocked_since = at if self.blocked_since is None else min(self.blocked_since, at)
        return at - self.blocked_since


def _restored(row: Row) -> Standby:
    """Read a standby from a document; when it answered last is not known."""
    return Standby(
        first=number(row, "first"),
        last=number(row, "last"),
        slot=str(row["slot"]),
        synchronous=bool(row["synchronous"]),
        backup=bool(row["backup"]),
        replied_at=UNKNOWN,
        missed_at=None if row["missed_at"] is None else number(row, "missed_at"),
    )


def _missed(each: Standby, at: float) -> Standby:
    """Miss one from now on, unless it was missed before already."""
    return each if each.missed_at is not None else replace(each, missed_at=at)


class Idle:
    """Since when subscriptions that are enabled have had nobody who applies them."""

    def __init__(self) -> None:
        self._since: dict[tuple[object, object], float] = {}

    def note(self, rows: Iterable[Row], at: float) -> Iterator[Row]:
        """Give the rows with how long that has been; 0 while somebody does, or none shall."""
        before, self._since = self._since, {}
        for row in rows:
            key = (row["database"], row["subscription"])
            if row["enabled"] and not row["workers"]:
                self._since[key] = min(before.get(key, at), at)
            yield {**row, "idle_seconds": at - self._since.get(key, at)}


class Receiver:
    """Since when a standby has heard nothing from its primary."""

    def __init__(self) -> None:
        self._deaf_since: float | None = None

    def deaf_seconds(self, server: Row) -> float | None:
        """Give it; 0 where it is connected, None where it follows an archive or hides from us."""
        at = number(server, "at")
        if server["receiver_runs"]:
            self._deaf_since = None
            silent, timeout = server["silent_seconds"], number(server, "receiver_timeout")
            return silent if isinstance(silent, float) and silent > timeout > 0 else 0.0
        if not server["has_primary"]:
            return None
        self._deaf_since = at if self._deaf_since is None else min(self._deaf_since, at)
        return at - self._deaf_since
