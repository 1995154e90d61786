"""When a database, or a server, reaches the size that is configured for it: the points, the trend, and the rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Scalar,
    Target,
    duration,
    identifier,
    number,
    size,
)
from probes.trend import CLEAR, Point, Rise, as_pairs, as_points, rise

STEP, KEPT = 1500.0, 8 * 86400.0
"""Points are so far from each other, and kept for so long: of a week, and of the day before it."""
DAY = 86400.0
JUMP, THIRDS, STILL = 0.5, 0.15, 0.5
"""Of a rise that goes on: no more than so much of the gain in one step, and at least so much in each third of its time;
its last quarter has at least so much of the slope, unless it lasts for days, of which each has its batch."""
LASTING = 3 * DAY
LEAST = DAY / 2
"""A rise of less may be a batch, or a single load."""
AHEAD = 3.0
"""A rise is followed into the future for so many times the time it was seen for."""


@dataclass(frozen=True, kw_only=True)
class SizeLimit:
    """So many bytes are there for a database, or without one for all databases of a server together."""

    limit_bytes: float
    target: str | None = None
    database: str | None = None


@dataclass(frozen=True, kw_only=True)
class SizesOptions:
    """What is configured under `probes: {sizes: …}`."""

    limits: tuple[SizeLimit, ...] = ()

    def __post_init__(self) -> None:
        if any(each.limit_bytes <= 0 for each in self.limits):
            raise ValueError("limit_bytes should be above 0")

    def for_target(self, target: Target) -> SizesOptions:
        """Give the limits of one server."""
        return replace(self, limits=tuple(each for each in self.limits if each.target in (None, target.server)))


class Limits:
    """What is remembered of each size that has a limit: about a week of points."""

    def __init__(self) -> None:
        self._points: dict[str, deque[Point]] = {}

    def document(self) -> object:
        """Give the points of each size."""
        return {name: as_pairs(points) for name, points in self._points.items()} or None

    def restore(self, document: object) -> None:
        """Go on from them."""
        if isinstance(document, dict):
            self._points = {str(name): deque(points) for name, each in document.items() if (points := as_points(each))}

    def take(self, at: float, databases: Sequence[Row], limits: Sequence[SizeLimit]) -> Sequence[Row]:
        """Add a reading; give a row for each limit. One of a database that is not there is left out."""
        rows: list[Row] = []
        for limit in limits:
            mine = [row for row in databases if limit.database in (None, row["name"])]
            if mine:
                rows.append({**self._told(at, limit, mine), "limit_bytes": limit.limit_bytes})
        self._points = {
            name: self._points[name] for name in (str(row["database"]) for row in rows) if name in self._points
        }
        return rows

    def _told(self, at: float, limit: SizeLimit, mine: Sequence[Row]) -> Row:
        name = limit.database or ""
        unread = next((row for row in mine if row["bytes"] is None), None)
        if unread:
            reason = unread["reason"] or "its size cannot be read"
            return {"database": name, "reason": reason, "needs": unread["needs"]}
        points, now = self._points.setdefault(name, deque()), Point(at, sum(number(row, "bytes") for row in mine))
        if points and at < points[-1].at:  # the clock was set back
            points.clear()
        if not points or at - points[-1].at >= STEP:
            points.append(now)
        while points[0].at < at - KEPT:
            points.popleft()
        joined = [*points] if points[-1] == now else [*points, now]
        return {"database": name, "bytes": now.value, "watched": at - points[0].at, "points": joined}


def lasting(points: Sequence[Point]) -> Rise | None:
    """Give the rise that leads to now, if it is one that goes on; None of sawteeth, single loads and noise."""
    found = rise(points)
    if found is None or found.low <= 0 or found.gain < CLEAR * found.noise:
        return None
    high = max((each.value for each in points if each.at < found.since), default=0.0)
    steady = found.jump <= JUMP and found.thirds >= THIRDS
    still = found.seconds >= LASTING or found.recent >= STILL * found.slope
    return found if steady and still and found.seconds > LEAST and found.level > high else None


@dataclass(frozen=True, kw_only=True)
class SizeForecast(Rule):
    """A database grows towards the size that is there for it.

    Why: a full disk stops all writes, and often the server; a week ahead there is time to order space or to clean up.
    The trend is robust (Theil and Sen's, with its lower bound) over the rise that leads to now, seen for a day at least
    (`min_history`), and followed into the future for three times as long as it was seen, at most `horizon`.
    What to do: see which tables grow (pgarchitect_tables metrics), delete or archive what nobody reads, or enlarge the
    disk and the configured `limit_bytes`.
    When it is wrong: a first load of more than a day, or what is emptied once a week and was not seen that long.
    Sawteeth of a day, single loads and steps raise nothing. Points are kept in memory: a restart begins anew.
    Cost: the server looks at each file, 15 ms for 2,000 tables, every 5 minutes.
    """

    id: ClassVar[str] = "server.size_forecast"
    area: ClassVar[Area] = Area.OPERATIONS
    keep: float = 3600.0
    horizon: float = 7 * DAY
    min_history: float = 26 * 3600.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        if not seen.details:
            yield NoVerdict(reason="no size is configured (probes: {sizes: {limits: …}})", needs=None)
        for row in seen.details.values():
            subject = identifier(str(row["database"])) if row["database"] else seen.target.server
            verdict = self._judged(seen, row, subject)
            if verdict:
                yield verdict

    def _judged(self, seen: Measurement, row: Row, subject: str) -> Finding | NoVerdict | None:
        if "bytes" not in row:
            needs = Needs.TIME if row["needs"] is Needs.TIME else Needs.RIGHTS
            return NoVerdict(reason=str(row["reason"]), needs=needs, subject=subject)
        now, limit = number(row, "bytes"), number(row, "limit_bytes")
        if now >= limit:
            return self._accuse(
                seen, row, subject, f"{size(now)} have passed the configured {size(limit)}", seconds_left=0
            )
        if number(row, "watched") < self.min_history:
            reason = f"watched for {duration(number(row, 'watched'))}; a trend takes {duration(self.min_history)}"
            return NoVerdict(reason=reason, needs=Needs.HISTORY, subject=subject)
        points = row["points"]
        found = lasting(points) if isinstance(points, Sequence) else None
        left = max(limit - found.level, 0.0) / found.slope if found else 0.0
        if found is None or left > min(self.horizon, AHEAD * found.seconds):
            return None
        return self._accuse(
            seen,
            row,
            subject,
            f"{size(limit)} are reached in {duration(left)} or so: {size(now)} now, {size(found.slope * DAY)} a day",
            seconds_left=round(left),
            bytes_per_day=round(found.slope * DAY),
            bytes_per_day_at_least=round(found.low * DAY),
            rising_seconds=round(found.seconds),
        )

    def _accuse(self, seen: Measurement, row: Row, subject: str, summary: str, **evidence: Scalar) -> Finding:
        database = str(row["database"])
        return self.finding(
            seen,
            in_database=database or None,
            subject=subject,
            object=Object("database", name=database) if database else Object("server", name=subject),
            summary=summary,
            impact="a full disk stops all writes, and may stop the server",
            remedy=Remedy(
                caution="Delete or archive what nobody reads, or enlarge the disk, then limit_bytes. On managed "
                "services storage grows in the provider's console; see what its autoscaling is bounded by."
            ),
            severity=self.severity,
            size_bytes=round(number(row, "bytes")),
            limit_bytes=round(number(row, "limit_bytes")),
            horizon_seconds=self.horizon,
            **evidence,  # type: ignore[arg-type]  # none of them is a parameter's name
        )
