"""Has digests made at their times, each once: also after a restart, and once for what was slept through.

When the last one was made is a mark beside the router's (receiver, "digest:NAME"), stored together with the digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import structlog

from monitor.collect.runner import Clock
from monitor.daemon.pending import Pending
from monitor.findings.digest import Periodical, digest
from monitor.model import Alert
from monitor.notice import Notice
from monitor.schedule import LATE_SECONDS, Cron, Schedule
from monitor.store.records import LedgerRead, ToldKey, ToldRow

log = structlog.get_logger()

SENT, AWAITED = "sent", "awaited"
"""What a mark says: one was made then; or none yet, but since then it is known that one is wanted."""
TRIGGER = "digest "


class Digests:
    """The digests of one daemon. `alerts` gives those that may be told of, `say` takes a notice to the outbox."""

    def __init__(
        self,
        pending: Pending,
        schedule: Schedule,
        clock: Clock,
        *,
        alerts: Callable[[], Sequence[Alert]],
        say: Callable[[Notice], None],
    ) -> None:
        self._pending, self._schedule, self._clock = pending, schedule, clock
        self._alerts, self._say = alerts, say
        self._marks: dict[ToldKey, ToldRow] = {}
        self._wanted: dict[ToldKey, tuple[Periodical, Cron]] = {}

    def turn_to(self, periodicals: Sequence[Periodical]) -> None:
        """Make these from now on, and what of them was slept through at once."""
        self._schedule.drop(TRIGGER)
        self._wanted = {_key(each): (each, Cron(each.cron, each.time_zone)) for each in periodicals}
        gone = self._marks.keys() - self._wanted.keys()
        for key in gone:
            del self._marks[key]
        self._pending.marked({}, gone)
        for key, (each, cron) in self._wanted.items():
            self._schedule.at(cron, f"{TRIGGER}{each.name}", lambda key=key: self.look(key))  # type: ignore[misc]
        self.look()

    def restore(self, told: Iterable[ToldRow]) -> None:
        """Go on from stored marks, which may be read long after we have begun: what was made by then is newer."""
        for mark in told:
            ours = self._marks.get(mark.key)
            if ours is None or ours.status == AWAITED:
                self._mark(mark)
        if self._wanted:
            self.look()

    def write_all(self) -> None:
        """Have every mark written: the store may be a new one."""
        self._pending.marked(self._marks, ())

    def look(self, only: ToldKey | None = None) -> None:
        """Make what is due and not made yet."""
        now = self._clock.now()
        for key, (periodical, cron) in self._wanted.items():
            if only is None or key == only:
                self._look_at(key, periodical, cron, now)

    def _look_at(self, key: ToldKey, periodical: Periodical, cron: Cron, now: datetime) -> None:
        mark = self._marks.get(key)
        if mark is None or mark.at > now:  # never made, or the clock was set back
            self._note(key, mark.status if mark else AWAITED, now)
            return
        moment = cron.previous(now)
        if moment is None or moment <= mark.at:
            return
        if now - moment > timedelta(seconds=LATE_SECONDS):
            log.warning("digest left out: its time was more than a day ago", digest=periodical.name)
            return
        since = mark.at if mark.status == SENT else (cron.previous(moment - timedelta(seconds=1)) or mark.at)
        # The mark and the digest are written in one transaction, and nothing is sent before it is written.
        self._note(key, SENT, now)
        self._say(digest(periodical, self._alerts(), since, now, moment=moment))

    def _note(self, key: ToldKey, status: str, now: datetime) -> None:
        receiver, group, fingerprint = key
        self._mark(ToldRow(receiver=receiver, group=group, fingerprint=fingerprint, status=status, at=now))

    def _mark(self, mark: ToldRow) -> None:
        self._marks[mark.key] = mark
        self._pending.marked({mark.key: mark}, ())


def divided(read: LedgerRead) -> tuple[list[ToldRow], tuple[ToldRow, ...]]:
    """Part the marks of digests from those of alerts: the router would take them for marks of alerts that are gone."""
    digests = [mark for mark in read.told if not mark.fingerprint]
    return digests, tuple(mark for mark in read.told if mark.fingerprint)


def _key(periodical: Periodical) -> ToldKey:
    return periodical.receiver, periodical.mark, ""
