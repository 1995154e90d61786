"""`monitor notify-test RECEIVER`: sends a sample as the configuration says, and tells how that went."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.config import routing as config_routing
from monitor.config.load import load_config
from monitor.config.values import did_you_mean
from monitor.errors import DeliveryError, UsageError
from monitor.model import Alert, Area, Finding, Object, Remedy, Severity, State, Target
from monitor.notice import Notice, Receiver
from monitor.notify.places import Remembered
from monitor.receivers import alertmanager, receiver
from monitor.whole import whole_catalog

if TYPE_CHECKING:
    from monitor.notify.alertmanager import Alertmanager
    from monitor.notify.template import Template

SEND_SECONDS = 30.0
HERE = Target("notify-test")
RULE = "notify.test"


async def notify_test(config: Path, name: str) -> str:
    """Send a sample; gives the line to print. Raises UsageError with the reason, ConfigErrors with every mistake."""
    loaded = load_config(config, whole_catalog())
    told = loaded.receivers.get(name)
    if told is None:
        hint = did_you_mean(name, loaded.receivers, "there are") or "the configuration has none"
        raise UsageError(f"notify-test {name}: no such receiver; {hint}")
    link = loaded.web.external_url or f"http://{loaded.web.listen}"
    made = _made(name, told, link, loaded.templates.get(name))
    spent = await _sent(made)
    troubles = made.way.troubles if isinstance(made, Informed) else {}
    but = "".join(f"; but {who} did not take it: {why}" for who, why in troubles.items())
    return f"{name}: delivered in {1000 * spent:.0f} ms{but}"


@dataclass(frozen=True)
class Informed:
    """Alertmanagers, told of the sample as any receiver is; what fires in it ends by itself after a while."""

    way: Alertmanager

    @property
    def name(self) -> str:
        """The receiver's name in the configuration."""
        return self.way.name

    async def send(self, notice: Notice) -> None:
        """Post the alerts, or raise DeliveryError."""
        await self.way.post(notice.alerts, notice.created_at)


def _made(name: str, told: config_routing.Receiver, link: str, template: Template | None) -> Receiver:
    if told.alertmanager is None:
        return receiver(name, told, link, Remembered(), template)
    return Informed(alertmanager(name, told.alertmanager, link, lambda _: ""))


async def _sent(made: Receiver) -> float:
    """Send; gives the seconds it took."""
    before, problem = time.monotonic(), ""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await made.send(sample(made.name, datetime.now(UTC)))
    except DeliveryError as failure:
        problem = str(failure)
    except TimeoutError:
        problem = f"{made.name}: no answer in {SEND_SECONDS:.0f} s"
    if problem:
        raise UsageError(f"notify-test {problem}")
    return time.monotonic() - before


def sample(name: str, now: datetime) -> Notice:
    """A notice with a warning and one that is over, both marked as a test."""
    alerts = (_firing(now), _resolved(now))
    return Notice(
        receiver=name,
        group="notify-test",
        labels={"rule": RULE, "target": HERE.server},
        alerts=alerts,
        news=frozenset(alert.finding.fingerprint for alert in alerts),
        created_at=now,
        key=f"notify-test-{now:%Y%m%dT%H%M%S.%f}",
    )


def _firing(now: datetime) -> Alert:
    return Alert(
        finding=_finding("a warning", "TEST: this is what a warning looks like"),
        source=HERE,
        state=State.FIRING,
        starts_at=now,
        last_seen=now,
        fired_at=now,
    )


def _resolved(now: datetime) -> Alert:
    began = now - timedelta(minutes=12)
    return Alert(
        finding=_finding("one that is over", "TEST: this is what looks like the end of one"),
        source=HERE,
        state=State.RESOLVED,
        starts_at=began,
        last_seen=now,
        fired_at=began,
        ends_at=now,
        ended_by="the test is over",
    )


def _finding(subject: str, title: str) -> Finding:
    return Finding(
        target=HERE,
        rule=RULE,
        area=Area.OPERATIONS,
        severity=Severity.WARNING,
        subject=subject,
        object=Object("receiver", name=subject),
        title=title,
        summary="somebody ran `monitor notify-test`; nothing is wrong",
        impact="none: this is a test",
        evidence={},
        remedy=Remedy(sql=("select 'nothing to mend'",), caution="Only a test: there is nothing to do."),
    )
