"""What Alertmanager wants instead of single notices: the state, told anew again and again, and each change at once.

Nothing queues up: whatever was not delivered is contained in the next post. Times are handed in; nothing here waits.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from monitor.model import Alert, Severity, State

RESEND_SECONDS = 60.0
LASTS_RESENDS = 4
"""After so many resends that did not come, Alertmanager ends an alert by itself; as Prometheus has it."""
REPEAT = timedelta(minutes=15)
"""So long the end of an alert is repeated: one of several Alertmanagers may have been away."""

Standing = Mapping[Severity, datetime | None]
"""Under which severities Alertmanager knows an alert, the last first; and since when it is over; None: it fires."""


class Post(Protocol):
    """Where alerts are posted; `Alertmanager` is one."""

    async def post(self, alerts: Sequence[Alert], now: datetime, *, lasts: float) -> None:
        """Tell Alertmanager, or raise DeliveryError; what fires lasts so many seconds unless it is told anew."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What Alertmanager has accepted of one alert.

    What was posted in vain is no part of it. If it arrived all the same and only the answer was lost, Alertmanager ends
    it by itself; to end it here would tell people of an end whose beginning they never heard of.
    """

    standing: Standing
    told: str = ""
    """The status it accepted last: "firing:warning", "resolved"; "" when it must be told."""
    left: datetime | None = None
    """Since when nobody hands us the alert any more."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What to say of one alert, and what Alertmanager knows when it has accepted that; None: nothing any more."""

    messages: tuple[Alert, ...]
    done: Known | None


class Stream:
    """Keeps one Alertmanager receiver informed; `take` it the alerts again and again, one call at a time."""

    def __init__(
        self, receiver: Post, resend_seconds: float = RESEND_SECONDS, *, sent: Mapping[str, Severity] | None = None
    ) -> None:
        self._receiver, self._resend = receiver, resend_seconds
        self._lasts = LASTS_RESENDS * resend_seconds
        self._repeat = max(REPEAT, timedelta(seconds=self._lasts))
        self._known = {fingerprint: Known(standing={severity: None}) for fingerprint, severity in (sent or {}).items()}
        self._posted: datetime | None = None

    def sent(self) -> dict[str, Severity]:
        """What Alertmanager knows: fingerprint and severity. To be kept, and handed to the constructor at a restart.

        An alert that is in here and still fires must go on being handed to `take`, even when it is muted by now: to
        leave it out is to tell people that it is over.
        """
        return {fingerprint: next(iter(known.standing)) for fingerprint, known in self._known.items()}

    async def take(self, alerts: Iterable[Alert], now: datetime) -> int:
        """Post what is news, and all when its time has come; give how many messages went out.

        `alerts` are all that are routed to the receiver, those that are over too. Raises DeliveryError; nothing is
        lost by that: call again.
        """
        given = {alert.finding.fingerprint: alert for alert in alerts}
        again = self._posted is None or not 0 <= (now - self._posted).total_seconds() < self._resend
        steps = self._steps(given, now, again=again)
        self._known = self._remaining(given, now)
        self._doubt(steps)
        messages = [message for step in steps.values() for message in step.messages]
        if messages:
            await self._receiver.post(messages, now, lasts=self._lasts)
        for fingerprint, step in steps.items():
            if step.done is None:
                self._known.pop(fingerprint, None)
            else:
                self._known[fingerprint] = step.done
        if again:
            self._posted = now
        return len(messages)

    def _steps(self, given: Mapping[str, Alert], now: datetime, *, again: bool) -> dict[str, Step]:
        steps = {}
        for fingerprint, alert in given.items():
            known = self._known.get(fingerprint)
            if is_news(known, alert) or (again and known is not None):
                steps[fingerprint] = stepped(known, alert, now, self._repeat)
        return {fingerprint: step for fingerprint, step in steps.items() if step is not None}

    def _doubt(self, steps: Mapping[str, Step]) -> None:
        """Until it is accepted, a change must be told, whatever becomes of the alert meanwhile."""
        for fingerprint, step in steps.items():
            known = self._known.get(fingerprint)
            if known is not None and (step.done is None or step.done.told != known.told):
                self._known[fingerprint] = replace(known, told="")

    def _remaining(self, given: Container[str], now: datetime) -> dict[str, Known]:
        """What is known, but for alerts that nobody has handed us for so long that Alertmanager has ended them."""
        remaining = {}
        for fingerprint, known in self._known.items():
            if fingerprint in given:
                remaining[fingerprint] = known if known.left is None else replace(known, left=None)
            elif known.left is None:
                remaining[fingerprint] = replace(known, left=now, told="")
            elif abs(now - known.left) <= self._repeat:
                remaining[fingerprint] = known
        return remaining


def is_news(known: Known | None, alert: Alert) -> bool:
    """Tell whether Alertmanager has to hear of an alert at once."""
    if alert.state is State.FIRING:
        return known is None or known.told != alert.status
    return known is not None and alert.ends_at is not None and None in known.standing.values()


def stepped(known: Known | None, alert: Alert, now: datetime, repeat: timedelta) -> Step | None:
    """Decide what to say of an alert; None: there is nothing to say, and nothing changes."""
    if alert.state is State.FIRING:
        return _firing(known, alert, now, repeat)
    if known is None or alert.ends_at is None:  # it never fired, or nobody there heard of it
        return None
    return _over(known, alert, now, repeat)


def _firing(known: Known | None, alert: Alert, now: datetime, repeat: timedelta) -> Step:
    """It fires; under any other severity it ends in the same breath."""
    if known is not None and known.told == alert.status and len(known.standing) == 1:
        return Step(messages=(alert,), done=known)  # ten thousand times in a row, when much is wrong
    severity = alert.finding.severity
    before = known.standing if known else {}
    others = {each: over for each, over in before.items() if each is not severity}
    ended = _recent({each: over or now for each, over in others.items()}, now, repeat)
    return Step(
        messages=(*_ends(alert, ended), alert), done=Known(standing={severity: None, **ended}, told=alert.status)
    )


def _over(known: Known, alert: Alert, now: datetime, repeat: timedelta) -> Step:
    """It is over, under every severity that was told; that is said once in any case, and repeated for a while."""
    ended = min(alert.ends_at or now, now)
    ends = {each: over or ended for each, over in known.standing.items()}
    recent = _recent(ends, now, repeat)
    unsaid = {each for each, over in known.standing.items() if over is None}
    said = {each: over for each, over in ends.items() if each in recent or each in unsaid}
    done = Known(standing=recent, told=alert.status) if recent else None
    return Step(messages=_ends(alert, said), done=done)


def _recent(ends: Mapping[Severity, datetime], now: datetime, repeat: timedelta) -> dict[Severity, datetime]:
    return {severity: over for severity, over in ends.items() if abs(now - over) <= repeat}


def _ends(alert: Alert, ends: Mapping[Severity, datetime]) -> tuple[Alert, ...]:
    why = f"it is {alert.finding.severity} now" if alert.state is State.FIRING else alert.ended_by
    return tuple(
        replace(
            alert,
            finding=replace(alert.finding, severity=severity),
            state=State.RESOLVED,
            ends_at=over,
            ended_by=why,
        )
        for severity, over in ends.items()
    )
