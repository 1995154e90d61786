"""A shelf laid out by hand, and the things that lie on one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from monitor.errors import Needs
from monitor.model import Alert, Area, Finding, NoVerdict, Object, Remedy, Result, Severity, State, Target
from monitor.probe import Measurement, Rule
from monitor.status import (
    Glance,
    IgnoreStatus,
    NotEvaluated,
    Past,
    ProbeStatus,
    ReceiverStatus,
    SilenceStatus,
    TargetStatus,
)

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SHOP = Target("shop", "shop")
SERVER = Target("shop")


@dataclass
class Pile:
    """Implements status.Shelf; a test changes what lies here and raises the revision."""

    ready: bool = True
    revision: int = 1
    targets_: Sequence[TargetStatus] = ()
    alerts_: Sequence[Alert] = ()
    not_evaluated_: Sequence[NotEvaluated] = ()

    def targets(self) -> Sequence[TargetStatus]:
        return self.targets_

    def alerts(self) -> Sequence[Alert]:
        return self.alerts_

    def alert(self, fingerprint: str) -> Alert | None:
        return next((each for each in self.alerts_ if each.finding.fingerprint == fingerprint), None)

    def labelled(self, alert: Alert) -> Alert:
        known = [each.labels for each in self.targets_ if each.server == alert.source.server]
        return replace(alert, labels=known[0]) if known else alert

    def not_evaluated(self) -> Sequence[NotEvaluated]:
        return self.not_evaluated_


@dataclass
class Told:
    """Implements status.Handling; silenced and inhibited are those named by their fingerprints."""

    silences_: Sequence[SilenceStatus] = ()
    silenced: Mapping[str, SilenceStatus] = field(default_factory=dict)
    inhibited: Mapping[str, Alert] = field(default_factory=dict)
    store_: str = ""
    refused: str = ""
    receivers_: Sequence[ReceiverStatus] = ()
    ignores_: Sequence[IgnoreStatus] = ()
    past: Past = field(default_factory=lambda: Past(steps=()))

    def silences(self, now: datetime) -> Sequence[SilenceStatus]:
        return self.silences_

    def silenced_by(self, alert: Alert, now: datetime) -> SilenceStatus | None:
        return self.silenced.get(alert.finding.fingerprint)

    def inhibited_by(self, alert: Alert) -> Alert | None:
        return self.inhibited.get(alert.finding.fingerprint)

    def store(self) -> str:
        return self.store_

    def configuration(self) -> str:
        return self.refused

    def receivers(self) -> Sequence[ReceiverStatus]:
        return self.receivers_

    def ignores(self, today: date) -> Sequence[IgnoreStatus]:
        return self.ignores_

    async def completed(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        return alerts

    async def history(self, fingerprint: str) -> Past:
        return self.past


@dataclass(frozen=True, kw_only=True)
class Spilling(Rule):
    """A statement spills its sort to disk.

    Why: disk is slower than memory.
    What to do: raise work_mem for that role.
    When it is wrong: nightly reports.
    Cost: nothing of its own.
    """

    id: ClassVar[str] = "statements.temp_spill"
    area: ClassVar[Area] = Area.PERFORMANCE
    per_call_bytes: float = 1024.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        return iter(())


RULES = {Spilling.id: Spilling()}


def server(
    name: str = "shop", *, up: bool = True, reason: str = "", probes: Sequence[ProbeStatus] | None = None
) -> TargetStatus:
    """A server with two probes, one of which may not read what it needs."""
    return TargetStatus(
        server=name,
        labels={"env": "prod"},
        up=up,
        reason=reason,
        since=NOW - timedelta(hours=3),
        server_version="18.1",
        databases=("shop", "billing"),
        probes=(run(Target(name)), refused(Target(name, "shop"))) if probes is None else tuple(probes),
        not_applicable={"shop": 2, None: 1},
        own_seconds=12.5,
    )


def run(target: Target = SERVER, probe: str = "server") -> ProbeStatus:
    """A run that was answered."""
    return ProbeStatus(
        target=target,
        probe=probe,
        result=Result.OK,
        taken_at=NOW,
        last_success=NOW - timedelta(seconds=5),
        duration_seconds=0.012,
        rows=3,
    )


def refused(target: Target = SHOP, probe: str = "auth_links") -> ProbeStatus:
    """A run that lacked a right."""
    return ProbeStatus(
        target=target,
        probe=probe,
        result=Result.DENIED,
        reason="role monitor may not read auth.users",
        needs=Needs.RIGHTS,
        taken_at=NOW,
        duration_seconds=0.002,
    )


def finding(
    subject: str = "public.rooms (owner_id)",
    *,
    rule: str = "index.missing_foreign_key",
    severity: Severity = Severity.WARNING,
    target: Target = SHOP,
    title: str = "A foreign key has no index",
) -> Finding:
    """A finding with every part filled."""
    return Finding(
        target=target,
        rule=rule,
        area=Area.PERFORMANCE,
        severity=severity,
        subject=subject,
        object=Object("table", "public", "rooms", columns=("owner_id",)),
        title=title,
        summary="Deleting a user reads all 1,200,000 rows of public.rooms.",
        impact="each delete holds its locks for 340 ms and the pool fills behind it",
        evidence={"count": 1, "table_bytes": 734003200, "mean_ms": 340.25, "statements": ("delete", "update")},
        remedy=Remedy(
            sql=("create index concurrently rooms_owner_id_idx on public.rooms (owner_id)",),
            rollback=("drop index concurrently public.rooms_owner_id_idx",),
            caution="Takes about a minute; a failed build leaves an invalid index behind.",
        ),
    )


def alert(found: Finding | None = None, state: State = State.FIRING) -> Alert:
    """A finding that has stood for an hour."""
    return Alert(
        finding=found or finding(),
        source=(found or finding()).target,
        state=state,
        starts_at=NOW - timedelta(hours=1),
        last_seen=NOW,
        fired_at=None if state is State.PENDING else NOW - timedelta(minutes=55),
        ends_at=NOW if state is State.RESOLVED else None,
        occurrences=240,
    )


def unknown(
    rule: str = "auth_links.orphaned_profile",
    target: Target = SHOP,
    reason: str = "role monitor sees no row of auth.users",
) -> NotEvaluated:
    """A rule that could not say."""
    return NotEvaluated(target=target, rule=rule, reason=reason, needs=Needs.RIGHTS)


def silence(comment: str = "upgrade", author: str = "ann") -> SilenceStatus:
    """A silence about the shop, for two hours more."""
    return SilenceStatus(
        id="silence-1",
        matchers=('target="shop"',),
        starts_at=NOW - timedelta(hours=1),
        ends_at=NOW + timedelta(hours=2),
        author=author,
        comment=comment,
    )


def glance(pile: Pile | None = None, told: Told | None = None) -> Glance:
    """All of it at NOW."""
    return Glance(shelf=pile or Pile(), handling=told or Told(), now=NOW)
