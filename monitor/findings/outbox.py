"""What waits to be said: notices by receiver and group, in order, merged while they wait, dead when nobody takes them.

It owns no clock and does no I/O: `now` comes in, changes go out to be stored. The notice of an id never changes: what
is merged is a new entry. Restored from what was stored, an outbox goes on as if there had been no crash.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.findings.letters import SUMMARY, Ahead, Changes, Entry, halves, merged, parted, summary
from monitor.notice import Notice

DEADLINE = timedelta(hours=24)
MOST_DEAD = 500
"""How many dead letters are remembered; the store has them all."""


class Outbox:
    """Waiting and dead entries.

    At most one entry of a group waits, and newer notices are merged into it. One whose fate is not known (it is being
    sent, or was when the process died) stays as it is, and newer ones wait behind it; so does one that is stuck.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._waiting: dict[str, Entry] = {}
        self._dead: dict[str, Entry] = {}
        self._ids: dict[str, set[str]] = {}
        self._last: dict[tuple[str, str], str] = {}
        self._sending: set[str] = set()
        self._unsure: set[str] = set()
        self._tick = 0
        self.restore(entries)

    @property
    def receivers(self) -> frozenset[str]:
        """Those for whom something waits."""
        return frozenset(self._ids)

    def waiting(self, receiver: str) -> Sequence[Entry]:
        """Give what waits for a receiver, in the order it came; what is being sent is among it."""
        return tuple(self._waiting[each] for each in sorted(self._ids.get(receiver, ())))

    def dead(self) -> Sequence[Entry]:
        """Give the newest dead letters, oldest first."""
        return tuple(self._dead.values())

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take up what was stored. What had to wait for nothing may have been under way when the process died."""
        aheads: dict[str, Ahead] = {}
        for entry in sorted(entries, key=lambda entry: entry.id):
            self._tick = max(self._tick, _tick(entry.id))
            if entry.state == "dead":
                self._dead[entry.id] = entry
                continue
            ahead = aheads.setdefault(entry.receiver, Ahead())
            if not ahead.bars(entry):
                self._unsure.add(entry.id)
            ahead.add(entry)
            self._keep(entry)

    def put(self, notices: Iterable[Notice], now: datetime) -> Changes:
        """Take notices in. One that waits there already, by its key, changes nothing."""
        steps = [self._queue(notice, now) for notice in notices]
        gone = [each for step in steps for each in step.gone]
        entries = {entry.id: entry for step in steps for entry in step.entries if entry.id in self._waiting}
        return Changes(entries=tuple(entries.values()), gone=tuple(gone))

    def next(self, receiver: str, now: datetime) -> Entry | None:
        """Give what is to be sent now: of the first of each group the one longest due. None: nothing is due.

        Whoever asks says what became of it: `sent`, `failed`, `gave_up`, `halved`, or `let_go`. A summary waits for all
        that came before it, and all that came after waits for the summary: it speaks for any group. What is stuck is
        waited for only by what tells of the same alerts.
        """
        ahead, due = Ahead(), []
        for entry in self.waiting(receiver):
            if entry.id not in self._sending and _is_due(entry, now) and not ahead.bars(entry):
                due.append(entry)
            ahead.add(entry)
        chosen = min(due, key=lambda entry: (entry.due_at, entry.id), default=None)
        if chosen is not None:
            self._sending.add(chosen.id)
            self._unsure.add(chosen.id)
        return chosen

    def sent(self, entry_id: str) -> Changes:
        """It has arrived."""
        return Changes() if self._take(entry_id) is None else Changes(gone=(entry_id,))

    def failed(self, entry_id: str, now: datetime, wait: float, why: str) -> Changes:
        """It did not arrive: it is due again in `wait` seconds, with what came for its group meanwhile.

        What is stuck takes over only the newest of its own alerts, so that the others are told without it.
        """
        entry = self._take(entry_id)
        if entry is None:
            return Changes()
        entry = replace(entry, tries=entry.tries + 1, due_at=now + timedelta(seconds=wait), why=why)
        if entry.stuck:
            return self._freed(entry, now)
        behind = self._waiting.get(self._last.get((entry.receiver, entry.group), ""))
        if entry.part or behind is None or behind.part:
            self._keep(entry)
            return Changes(entries=(entry,))
        return self._merge(entry, behind.notice, now, gone=(entry.id, behind.id))

    def _freed(self, entry: Entry, now: datetime) -> Changes:
        """Keep what is stuck, and take out of what waits behind it whatever tells of the same alerts."""
        kept, gone, rests = entry, [], []
        for other in self._behind(entry):
            own, rest = parted(kept.notice, other.notice)
            gone += [kept.id, other.id]
            self._take(other.id)
            mark = ".0" if entry.part else ""
            kept = replace(kept, id=f"{self._new_id(own, now)}{mark}", notice=own, created_at=own.created_at)
            if rest is not None:
                rests.append(replace(other, id=self._new_id(rest, now), notice=rest))
        for each in (kept, *rests):
            self._keep(each)
        return Changes(entries=(kept, *rests), gone=tuple(gone))

    def _behind(self, entry: Entry) -> list[Entry]:
        """Give what waits for an entry because of the same alerts, and was never sent."""
        return [
            other
            for other in self.waiting(entry.receiver)
            if other.id > entry.id
            and (other.group == entry.group or SUMMARY in {other.group, entry.group})
            and not (other.alone or other.id in self._unsure or other.told.isdisjoint(entry.told))
        ]

    def gave_up(self, entry_id: str, why: str) -> Changes:
        """It makes no sense to try it again: a dead letter."""
        entry = self._take(entry_id)
        if entry is None:
            return Changes()
        self._dead[entry_id] = dead = replace(entry, state="dead", why=why)
        for oldest in list(self._dead)[:-MOST_DEAD]:
            del self._dead[oldest]
        return Changes(entries=(dead,))

    def let_go(self, entry_id: str) -> None:
        """Nobody sends it any more, and whether it arrived is not known: it waits as it is. Nothing to be stored."""
        self._sending.discard(entry_id)

    def halved(self, entry_id: str, now: datetime) -> Changes:
        """Put two halves in the place of a refused message, to find the culprit; a half without news is left out."""
        entry = self._take(entry_id)
        if entry is None:
            return Changes()
        notices = {f"{entry_id}.{number}": half for number, half in enumerate(halves(entry.notice))}
        wanted = {each: half for each, half in notices.items() if half.news or not entry.notice.news}
        parts = [
            replace(entry, id=each, notice=half, tries=0, due_at=min(now, entry.due_at), why="")
            for each, half in wanted.items()
        ]
        for part in parts:
            self._keep(part)
        return Changes(entries=tuple(parts), gone=(entry_id,))

    def overdue(self, receiver: str, now: datetime, deadline: timedelta = DEADLINE) -> Changes:
        """Give up what could not be delivered within its deadline."""
        late = [
            entry
            for entry in self.waiting(receiver)
            if entry.id not in self._sending and now - entry.created_at > deadline
        ]
        hours = f"not delivered in {deadline.total_seconds() / 3600:g} h"
        steps = [self.gave_up(entry.id, f"{hours}; {entry.why}" if entry.why else hours) for entry in late]
        return Changes(entries=tuple(entry for step in steps for entry in step.entries))

    def summed(self, receiver: str, now: datetime) -> Changes:
        """Merge all that waits for a receiver into one message; what is being sent, parts and digests stay apart."""
        many = [entry for entry in self.waiting(receiver) if not (entry.alone or entry.id in self._sending)]
        if len(many) <= 1:
            return Changes()
        for entry in many:
            self._take(entry.id)
        notice = summary([entry.notice for entry in many])
        created_at = min(entry.created_at for entry in many)
        return Changes(
            entries=(self._add(replace(notice, created_at=created_at), now),),
            gone=tuple(entry.id for entry in many),
        )

    def forget(self, before: datetime) -> Changes:
        """Drop dead letters from before that moment."""
        old = [each for each, entry in self._dead.items() if entry.created_at < before]
        for each in old:
            del self._dead[each]
        return Changes(gone=tuple(old))

    def _queue(self, notice: Notice, now: datetime) -> Changes:
        last = self._waiting.get(self._last.get((notice.receiver, notice.group), ""))
        if last is not None and last.notice.key == notice.key:
            return Changes()
        if last is None or last.part or last.stuck or last.id in self._unsure:
            return Changes(entries=(self._add(notice, now),))
        return self._merge(last, notice, now, gone=(last.id,))

    def _merge(self, entry: Entry, newer: Notice, now: datetime, *, gone: tuple[str, ...]) -> Changes:
        """Put one entry in the place of several of a group; it is due when the older one was."""
        for each in gone:
            self._take(each)
        added = self._add(merged(entry.notice, newer), now)
        added = replace(added, due_at=entry.due_at, tries=entry.tries, why=entry.why)
        self._keep(added)
        return Changes(entries=(added,), gone=gone)

    def _add(self, notice: Notice, now: datetime) -> Entry:
        entry = Entry(
            id=self._new_id(notice, now),
            receiver=notice.receiver,
            group=notice.group,
            notice=notice,
            created_at=notice.created_at,
            due_at=now,
        )
        self._keep(entry)
        return entry

    def _new_id(self, notice: Notice, now: datetime) -> str:
        self._tick = max(self._tick + 1, int(now.timestamp() * 1e6))
        return f"{self._tick:017d}-{hashlib.sha256(notice.key.encode(errors='surrogatepass')).hexdigest()[:8]}"

    def _keep(self, entry: Entry) -> None:
        self._waiting[entry.id] = entry
        self._ids.setdefault(entry.receiver, set()).add(entry.id)
        group = (entry.receiver, entry.group)
        self._last[group] = max(self._last.get(group, ""), entry.id)

    def _take(self, entry_id: str) -> Entry | None:
        """Take an entry out, and all that is known of it."""
        entry = self._waiting.pop(entry_id, None)
        if entry is None:
            return None
        self._sending.discard(entry_id)
        self._unsure.discard(entry_id)
        ids, group = self._ids[entry.receiver], (entry.receiver, entry.group)
        ids.discard(entry_id)
        if not ids:
            del self._ids[entry.receiver]
        if self._last.get(group) == entry_id:
            del self._last[group]
        return entry


def _tick(entry_id: str) -> int:
    number = entry_id.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _is_due(entry: Entry, now: datetime) -> bool:
    """What was never tried is due at once: the clock may have been set back since it came."""
    return not entry.tries or entry.due_at <= now
