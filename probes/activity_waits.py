"""What active sessions wait for, sample by sample, and the rule that says when one class of waits has most of the time.

A session is sampled with its wait event or, where it has none, as running on a processor; ten minutes are remembered.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

from monitor.probe import (
    Area,
    Aside,
    Confidence,
    Finding,
    Kind,
    Measurement,
    Metric,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Severity,
    duration,
    number,
    plural,
    share,
)

WINDOW_SECONDS = 600.0
RUNNING = "CPU"
"""What PostgreSQL shows as no wait at all."""
DETAIL = "waits"
CLASSES = ("CPU", "BufferPin", "Client", "Extension", "IO", "IPC", "Lock", "LWLock", "Timeout")

Event: TypeAlias = tuple[str, str]
"""A class of waits, and the event."""

WAITS = Aside(
    name="waits",
    labels=("wait_event_type",),
    metrics=(
        Metric(
            "average_active_sessions",
            Kind.GAUGE,
            "Active client sessions by what they wait for (CPU: nothing), on average over the samples of ten minutes.",
        ),
    ),
)


class Sample(NamedTuple):
    """What active sessions did at one moment."""

    at: float
    events: Mapping[Event, int]


class Waits:
    """The samples of one server's last ten minutes."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def take(self, at: float, rows: Iterable[Row]) -> None:
        """Add a sample; a clock that was set back forgets what was before."""
        if self._samples and at < self._samples[-1].at:
            self._samples.clear()
        self._samples.append(Sample(at, Counter(_event(row) for row in rows if row["state"] == "active")))
        while self._samples[0].at <= at - WINDOW_SECONDS:
            self._samples.popleft()

    def shown(self) -> Row:
        """Give what rules need: how often was sampled, for how long, and each event's number of sessions."""
        return {
            "samples": len(self._samples),
            "seconds": self._samples[-1].at - self._samples[0].at if self._samples else 0.0,
            "events": dict(self._total()),
        }

    def classes(self) -> Sequence[Row]:
        """Give for each class of waits how many sessions there were on average; each class is always there."""
        counts = Counter(dict.fromkeys(CLASSES, 0))
        for (kind, _), count in self._total().items():
            counts[kind] += count
        samples = max(len(self._samples), 1)
        return [{"wait_event_type": kind, "average_active_sessions": n / samples} for kind, n in counts.items()]

    def _total(self) -> Counter[Event]:
        total: Counter[Event] = Counter()
        for sample in self._samples:
            total.update(sample.events)
        return total


def _event(row: Row) -> Event:
    kind = row["wait_event_type"]
    return (RUNNING, "") if kind is None else (str(kind), str(row["wait_event"]))


@dataclass(frozen=True, kw_only=True)
class DominantWait(Rule):
    """One class of waits has most of the time that sessions are at work.

    Why: sessions that wait do nothing for their users; where one reason has more than half of all their time, mending
    it does more than any faster statement.
    What to do: by class. Lock: shorter transactions, fewer writers of the same row. LWLock: contention inside the
    server, mostly too many sessions at once. IO: more memory, fewer rows read. Client: the application is slow to
    read or to send. IPC: parallel workers, standbys. Timeout: sessions that sleep on purpose.
    When it is wrong: a batch that is meant to wait for its disk, or a bulk load that waits for its client. Samples are
    few: a share of 50 % of 20 samples of two sessions is right within some 15 % of the whole.
    Cost: none beyond the samples of the probe activity.
    """

    id: ClassVar[str] = "server.waits"
    area: ClassVar[Area] = Area.PERFORMANCE
    severity: Severity = Severity.INFO
    keep: float = 300.0
    ratio: float = 0.5
    min_samples: float = 20.0
    min_sessions: float = 2.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        row = seen.details[DETAIL]
        samples, events = number(row, "samples"), _events(row)
        if samples < self.min_samples:
            reason = f"sessions were sampled {plural(samples, 'time')} only, of {self.min_samples:.0f} that are needed"
            yield NoVerdict(reason=reason, needs=Needs.HISTORY)
            return
        total = sum(events.values())
        classes = Counter[str]()
        for (kind, _), count in events.items():
            classes[kind] += count
        for kind, count in classes.most_common(1):
            if kind != RUNNING and total >= self.min_sessions * samples and count > self.ratio * total:
                yield self._accuse(seen, kind, events, samples)

    def _accuse(self, seen: Measurement, kind: str, events: Mapping[Event, int], samples: float) -> Finding:
        total = sum(events.values())
        ours = Counter({name: count for (each, name), count in events.items() if each == kind})
        count, (chief, most) = sum(ours.values()), ours.most_common(1)[0]
        seconds = number(seen.details[DETAIL], "seconds")
        return self.finding(
            seen,
            subject=kind,
            object=Object("server", name=seen.target.server),
            summary=f"{share(count, total)} of the time of active sessions in {duration(seconds)} went to {kind} waits,"
            f" most of it to {chief} ({share(most, total)} of all)",
            impact=f"of {total / samples:.1f} active sessions {count / samples:.1f} did nothing but wait",
            remedy=Remedy(caution=ADVICE.get(kind, OTHERWISE)),
            confidence=Confidence.MEDIUM,
            count=count,
            sampled_sessions=total,
            samples=round(samples),
            ratio=round(count / total, 3),
            limit_ratio=self.ratio,
            average_active_sessions=round(total / samples, 2),
            events=[f"{name}: {n}" for name, n in ours.most_common(5)],
            window_seconds=round(seconds),
        )


def _events(row: Row) -> Mapping[Event, int]:
    events = row["events"]
    return events if isinstance(events, Mapping) else {}


ADVICE: Mapping[str, str] = {
    "Lock": "Sessions queue for rows or tables that others hold: commit sooner, update rows in one order, keep one hot "
    "row (a counter, a queue's head) out of long transactions. sessions.blocking names who holds whom up.",
    "LWLock": "Contention on the server's own structures. WALWrite, WALInsert: many small commits, or a slow disk for "
    "the WAL. BufferMapping, BufferContent: the same pages wanted by many. LockManager: many partitions or indexes "
    "touched by each plan. Fewer sessions at work at once, by a pooler, helps in each case.",
    "IO": "DataFileRead: what is read does not stay in memory: see statements.load for who reads most, index.* for "
    "why, then shared_buffers and the machine's memory. WALSync, WALWrite: the disk of the WAL bounds commits. "
    "BufFile…: sorts that spill, see statements.temp_spill.",
    "Client": "The server has an answer, or wants more input, and the application is elsewhere: rows fetched one by "
    "one, large answers over a slow line, COPY from a slow source. Nothing in the server mends it.",
    "IPC": "Processes wait for each other. SyncRep: the standby that has to confirm is slow, or away. Parallel…, "
    "Execute…, Hash…: parallel workers in step; fewer of them may be quicker.",
    "Timeout": "Sessions sleep on purpose: pg_sleep, vacuum_cost_delay, recovery or commit delays. A pg_sleep in an "
    "application's code keeps a slot for nothing.",
    "BufferPin": "Vacuum or a cursor waits until nobody reads a page: look for cursors left open.",
    "Extension": "An extension waits: foreign tables wait for their servers. See its own documentation.",
}
OTHERWISE = "See the table of wait events in PostgreSQL's documentation (monitoring statistics)."
