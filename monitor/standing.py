"""How one server stands: reachable or not, every probe's newest run, and what rules could not say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from monitor.measurement import Measurement, Row
from monitor.model import Judgement, NoVerdict, Result, Server, Target
from monitor.probe import Probe
from monitor.status import NotEvaluated, ProbeStatus, TargetStatus

T = TypeVar("T")


@dataclass
class ServerStanding:
    """One server's newest facts; `up` is None until it was asked once."""

    server: Server
    spent: Callable[[], float]
    up: bool | None = None
    reason: str = ""
    since: datetime | None = None
    version: str = ""
    databases: tuple[str, ...] = ()
    runs: dict[tuple[Target, str], ProbeStatus] = field(default_factory=dict)
    unsaid: dict[tuple[Target, str], tuple[NoVerdict, ...]] = field(default_factory=dict)
    judged: dict[Target, set[str]] = field(default_factory=dict)
    """The rules that were asked, of the server as a whole and of each database; `unsaid`: which could not say."""
    ignored: dict[tuple[Target, str], int] = field(default_factory=dict)
    """How many of a rule's findings the configuration says to ignore, where there are any."""
    foreign: int = 0
    """Rules of probes that are for servers of another kind."""

    def apply(self, probes: Sequence[Probe]) -> list[Probe]:
        """Give the probes for servers of this kind; note how many rules of the others do not apply."""
        ours = [probe for probe in probes if probe.scope.kind == self.server.kind]
        self.foreign = sum(len(probe.rules) for probe in probes) - sum(len(probe.rules) for probe in ours)
        return ours

    def succeed(self, before: ServerStanding) -> None:
        """Go on from an earlier watch over the same server."""
        self.up, self.reason, self.since, self.version = before.up, before.reason, before.since, before.version
        self.databases, self.runs, self.unsaid = before.databases, before.runs, before.unsaid
        self.judged, self.ignored = before.judged, before.ignored

    def turn(self, now: datetime, *, up: bool, reason: str = "") -> bool:
        """Note that the server answers or not; tell whether that is new."""
        changed = self.up is not up
        if changed:
            self.since = now
        self.up, self.reason = up, reason
        return changed

    def ran(self, seen: Measurement) -> bool:
        """Note how a probe's run ended; tell whether it ended otherwise than the run before, or than well."""
        key = (seen.target, seen.probe)
        before = self.runs.get(key)
        ok = seen.result is Result.OK
        self.runs[key] = ProbeStatus(
            target=seen.target,
            probe=seen.probe,
            result=seen.result,
            reason=seen.reason,
            needs=seen.needs,
            taken_at=seen.taken_at,
            last_success=seen.taken_at if ok else before.last_success if before else None,
            duration_seconds=seen.duration_seconds,
            rows=len(seen.rows) if ok else 0,
        )
        return seen.result is not (before.result if before else Result.OK)

    def said(self, judgements: Sequence[Judgement], found: Sequence[Judgement] | None = None) -> None:
        """Note what rules could not say; an answer takes that back.

        `found` are the same judgements with the findings that the configuration says to ignore.
        """
        for judgement, before in zip(judgements, found or judgements, strict=True):
            key = (judgement.source, judgement.rule)
            self.judged.setdefault(judgement.source, set()).add(judgement.rule)
            _enter(self.unsaid, key, judgement.no_verdicts)
            _enter(self.ignored, key, len(before.verdicts) - len(judgement.verdicts))

    def lost(self, database: str) -> None:
        """Forget a database that is there no more."""
        target = Target(self.server.name, database)
        self.runs = {key: run for key, run in self.runs.items() if key[0] != target}
        self.unsaid = {key: unsaid for key, unsaid in self.unsaid.items() if key[0] != target}
        self.ignored = {key: count for key, count in self.ignored.items() if key[0] != target}
        self.judged.pop(target, None)

    def unasked(self, probes: Collection[str]) -> None:
        """Forget the runs of probes that are asked no more, and what rules could not say of them."""
        self.runs = {key: run for key, run in self.runs.items() if key[1] not in probes}

    def status(self) -> TargetStatus:
        """Give it as the shelf's readers know it."""
        idle = Counter(
            target.database for (target, _), unsaid in self.unsaid.items() if any(not each.applies for each in unsaid)
        )
        idle[None] += self.foreign
        return TargetStatus(
            server=self.server.name,
            kind=self.server.kind,
            labels=self.server.labels,
            replica_of=self.server.replica_of,
            up=bool(self.up),
            reason=self.reason,
            since=self.since,
            server_version=self.version,
            databases=self.databases,
            probes=tuple(self.runs.values()),
            not_applicable=idle,
            own_seconds=self.spent(),
        )

    def not_evaluated(self) -> list[NotEvaluated]:
        """Give what could not be said; of a server that is down, that it is down says it all."""
        if not self.up:
            return []
        return [
            NotEvaluated(target=target, rule=rule, reason=each.reason, needs=each.needs, subject=each.subject)
            for (target, rule), unsaid in self.unsaid.items()
            for each in unsaid
            if each.needs is not None
        ]


def relatives(server: Server, servers: Iterable[Server]) -> list[str]:
    """Give the other servers of its replication, by name: those with the same primary above them, and that itself."""
    above = {each.name: each.replica_of for each in servers}
    first = _first(server.name, above)
    related = [name for name in above if _first(name, above) == first] if server.name in above else []
    return sorted({*related, first} - {server.name})


def _first(name: str, above: Mapping[str, str | None]) -> str:
    """Follow `replica_of` up; the configuration has no circles, but a reload may be under way."""
    for _ in above:
        name = above.get(name) or name
    return name


def _enter(known: dict[tuple[Target, str], T], key: tuple[Target, str], value: T) -> None:
    """Keep what there is of a rule; nothing need not be kept."""
    if value:
        known[key] = value
    else:
        known.pop(key, None)


def shown(server: Server, seen: Measurement) -> Measurement:
    """Leave out the rows of databases that are not to be looked at, which server-wide views hold as well."""
    if seen.target.database is not None:
        return seen
    named = bool(seen.rows) and "database" in seen.rows[0]
    return replace(
        seen,
        rows=_of_wanted(server, seen.rows) if named else seen.rows,
        exposed=None if seen.exposed is None else _of_wanted(server, seen.exposed),
        asides={name: _of_wanted(server, rows) for name, rows in seen.asides.items()},
    )


def _of_wanted(server: Server, rows: Sequence[Row]) -> Sequence[Row]:
    """Ask once of each database, however many rows are of it."""
    unwanted = {name for name in set(map(_database, rows)) if not _wanted(server, name)}
    return [row for row in rows if _database(row) not in unwanted] if unwanted else rows


def _database(row: Row) -> str:
    return str(row.get("database") or "")


def _wanted(server: Server, database: object) -> bool:
    return not database or server.wants(str(database))


def wanted(server: Server, judgements: Sequence[Judgement]) -> list[Judgement]:
    """Leave out findings about databases that are not to be looked at."""
    databases = {finding.target.database for judgement in judgements for finding in judgement.findings}
    unwanted = {database for database in databases if not _wanted(server, database)}
    return [_without(judgement, unwanted) if unwanted else judgement for judgement in judgements]


def _without(judgement: Judgement, databases: Collection[str | None]) -> Judgement:
    kept = (each for each in judgement.verdicts if isinstance(each, NoVerdict) or each.target.database not in databases)
    return replace(judgement, verdicts=tuple(kept))
