"""`monitor notify-test RECEIVER`: sends a sample as the configuration says, and tells how that went."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.config import load_config
from monitor.config_values import did_you_mean
from monitor.errors import DeliveryError, UsageError
from monitor.model import Alert, Area, Finding, Notice, Object, Receiver, Remedy, Severity, State, Target
from monitor.notify.places import Remembered
from monitor.receivers import receiver
from monitor.whole import whole_catalog

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
    spent = await _sent(name, receiver(name, told, link, Remembered()))
    return f"{name}: delivered in {1000 * spent:.0f} ms"


async def _sent(name: str, made: Receiver) -> float:
    """Send; gives the seconds it took."""
    before, problem = time.monotonic(), ""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await made.send(sample(name, datetime.now(UTC)))
    except DeliveryError as failure:
        problem = str(failure)
    except TimeoutError:
        problem = f"{name}: no answer in {SEND_SECONDS:.0f} s"
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
