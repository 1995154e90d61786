"""When things run: APScheduler says when, and starts nothing itself.

Its jobs are plain calls that return at once; the tasks they begin belong to `Tasks`, which keeps, counts and drains
them. (APScheduler's asyncio executor would cancel jobs at shutdown, with a traceback; its debug one just calls.)
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

log = structlog.get_logger()

LATE_SECONDS: Final = 86400
"""What comes later than this after its time is not made up for."""

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_RANGE = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([1-9][0-9]?))?\Z")
_FIELDS: Final = 5
_TICK: Final = timedelta(microseconds=1)
_CHANGE: Final = timedelta(hours=3)
"""Clocks are set by less than this."""
_LOOK_BACK: Final = (1 / 24, 1.0, 8.0, 32.0, 367.0, 8.0 * 367)  # days; between two 29ths of February lie eight years


class Cron:
    """A time of five fields, as cron knows it (0 and 7 are Sunday), in a time zone. Raises ValueError."""

    def __init__(self, text: str, zone: str) -> None:
        fields = text.lower().split()
        if len(fields) != _FIELDS:
            raise ValueError('should be five fields, such as "0 8 * * 1": minute, hour, day, month, weekday')
        if fields[2] != "*" and fields[4] != "*":
            raise ValueError("names both a day of the month and a weekday; leave one of them *")
        # APScheduler counts weekdays from Monday, cron from Sunday: names mean the same to both.
        fields[4] = _weekdays(fields[4])
        self.trigger = _OnTheWall(" ".join(fields), time_zone(zone))
        if self.next(datetime.now(UTC)) is None:
            raise ValueError("is a time that never comes")

    def next(self, after: datetime) -> datetime | None:
        """Give the first moment after another one, in UTC."""
        return self.trigger.get_next_fire_time(after, after)

    def previous(self, until: datetime) -> datetime | None:
        """Give the last moment not after another one, in UTC."""
        for days in _LOOK_BACK:
            *_, last = None, *takewhile(lambda moment: moment <= until, self._from(until - timedelta(days=days)))
            if last is not None:
                return last
        return None

    def _from(self, moment: datetime) -> Iterator[datetime]:
        while (found := self.next(moment)) is not None:
            yield found
            moment = found


class _OnTheWall(BaseTrigger):  # type: ignore[misc]
    """Cron's times as clocks on the wall of a time zone show them, each once.

    A time that comes twice when clocks are set back counts the first time; one that is left out when they are set
    forward comes as much later as the clocks were set: 02:30 at 03:30.
    """

    def __init__(self, text: str, zone: ZoneInfo) -> None:
        try:
            self._times = CronTrigger.from_crontab(text, timezone=UTC)
        except (ValueError, LookupError) as error:
            raise ValueError(f"is no time of cron's: {error}") from None
        self._zone = zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """Give the first moment after `previous` or, when there is none, not before `now`; in UTC."""
        after = (now - _TICK if previous is None else previous).astimezone(UTC)
        wall = self._next(self._wall(after))
        while wall is not None:
            moment = wall.replace(tzinfo=self._zone).astimezone(UTC)
            if moment > after:
                return moment
            wall = self._next(wall)
        return None

    def _next(self, wall: datetime) -> datetime | None:
        found: datetime | None = self._times.get_next_fire_time(None, wall + _TICK)
        return found

    def _wall(self, moment: datetime) -> datetime:
        """Give what clocks show, as if it were UTC; shortly after they were set, what they showed before."""
        shown, before = (each.astimezone(self._zone) for each in (moment, moment - _CHANGE))
        unset = shown.utcoffset() == before.utcoffset()
        return (shown if unset else before).replace(tzinfo=UTC, fold=0)


def time_zone(name: str) -> ZoneInfo:
    """Give a time zone by its name; raises ValueError."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # a folder of the zones' files is no zone, nor is a path out of it
        raise ValueError("is no time zone that this machine knows; write one such as Europe/Berlin or UTC") from None


def _weekdays(field: str) -> str:
    """Write cron's weekdays by their names, one by one."""
    if field == "*":
        return field
    numbers = sorted({number % 7 for part in field.split(",") for number in _weekday_range(part)})
    return ",".join(_DAYS[number] for number in numbers)


def _weekday_range(part: str) -> range:
    found = _DAY_RANGE.match(part)
    if found is None:
        raise ValueError("has a weekday that cron does not know; write 0 to 7 (0 and 7: Sunday), or sun to sat")
    first, last, step = found[1], found[2], int(found[3] or 1)
    if first == "*":
        return range(0, 7, step)
    begin, end = _weekday(first), _weekday(last or ("6" if found[3] else first))
    return range(begin, (end if end >= begin else end + 7) + 1, step)


def _weekday(word: str) -> int:
    if word in _DAYS:
        return _DAYS.index(word)
    if not word.isdecimal() or int(word) >= len(_DAYS):
        raise ValueError("has a weekday that cron does not know; write 0 to 7 (0 and 7: Sunday), or sun to sat")
    return int(word)


class Tasks:
    """Tasks that are owned: at most one of each name in flight, all drained at the end."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin some work, unless the same is still in flight."""
        if name in self._running:
            return
        task = asyncio.get_running_loop().create_task(work(), name=name)
        self._running[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._running.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task failed", task=name, error=type(error).__name__, exc_info=error)

    async def drain(self, seconds: float) -> None:
        """Wait for what runs, then cancel what still does."""
        running = list(self._running.values())
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def stop(self, prefix: str) -> None:
        """Cancel the tasks whose names begin so, and wait for their end."""
        chosen = [task for name, task in self._running.items() if name.startswith(prefix)]
        for task in chosen:
            task.cancel()
        await asyncio.gather(*chosen, return_exceptions=True)


class Schedule:
    """Triggers by name; `every` is seconds, the first one comes soon and jittered."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC, executors={"default": DebugExecutor()})

    def begin(self) -> None:
        """Start triggering; needs the running loop."""
        self._scheduler.start()

    def every(self, seconds: float, name: str, call: Callable[[], None]) -> None:
        """Call again and again; a late call is made once, not made up for."""
        soon = datetime.now(UTC) + timedelta(seconds=random.uniform(0, min(seconds / 10, 1.0)))  # noqa: S311 - spreads load
        self._scheduler.add_job(
            call,
            "interval",
            seconds=seconds,
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(1, int(seconds)),
            next_run_time=soon,
            replace_existing=True,
        )

    def at(self, cron: Cron, name: str, call: Callable[[], None]) -> None:
        """Call at each of cron's times; one that was slept through is made up for once, within a day."""
        self._scheduler.add_job(
            call,
            cron.trigger,
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=LATE_SECONDS,
            replace_existing=True,
        )

    def drop(self, prefix: str) -> None:
        """Forget the triggers whose names begin so."""
        for job in self._scheduler.get_jobs():
            if job.id.startswith(prefix):
                job.remove()

    def end(self) -> None:
        """Trigger no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
