"""What becomes of the daemon's findings, for page and API: who keeps them quiet, their past, how store and receivers
fare. Only an alert's history, and what lean ones said, is read from the store; the rest is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from monitor.daemon.desk import Desk
from monitor.daemon.telling import Telling
from monitor.errors import StoreError
from monitor.findings.ignores import Ignore
from monitor.findings.silences import Silence
from monitor.measurement import Row
from monitor.model import Alert, State
from monitor.status import IgnoreStatus, Past, ReceiverStatus, SilenceStatus, Step
from monitor.store.records import Transition


class DaemonHandling:
    """The daemon's answer to `monitor.status.Handling`.

    `failing` gives why receivers fail, by name; `refused` why the configuration is not taken over.
    """

    def __init__(
        self, desk: Desk, telling: Telling, failing: Callable[[], Mapping[str, str]], refused: Callable[[], str]
    ) -> None:
        self._desk, self._telling, self._failing, self._refused = desk, telling, failing, refused

    def silences(self, now: datetime) -> Sequence[SilenceStatus]:
        """Give the silences that work, the one that ends last first."""
        return [_silence(each) for each in self._telling.silences.active(now)]

    def silenced_by(self, alert: Alert, now: datetime) -> SilenceStatus | None:
        """Give the silence that keeps an alert quiet which is not over."""
        if alert.state is State.RESOLVED:
            return None
        silence = self._telling.silences.silenced_by(self._desk.shelf.labelled(alert).all_labels, now)
        return _silence(silence) if silence else None

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """Give the firing alert that explains one which is not over."""
        return None if alert.state is State.RESOLVED else self._telling.inhibited_by(self._desk.shelf.labelled(alert))

    def store(self) -> str:
        """Say why the store cannot be used; empty while it can."""
        return self._telling.keeper.reason

    def configuration(self) -> str:
        """Say why what the configuration says by now is not what runs; empty while it is."""
        return self._refused()

    def receivers(self) -> Sequence[ReceiverStatus]:
        """Give every receiver that a route names."""
        failing = self._failing()
        return [replace(each, failing=failing.get(each.name, "")) for each in self._telling.receivers()]

    def about(self) -> Sequence[Row]:
        """Give what the rules about the daemon itself judge."""
        reasons = {"store": self.store(), "config": self.configuration()}
        return [
            *({"kind": "receiver", "receiver": name, "reason": reason} for name, reason in self._failing().items()),
            *({"kind": kind, "reason": reason} for kind, reason in reasons.items() if reason),
            *self._desk.about_ignores(),
        ]

    def ignores(self, today: date) -> Sequence[IgnoreStatus]:
        """Give what the configuration says to ignore."""
        ignores = self._desk.ignores
        return [_ignore(entry, today, used=entry in ignores.met) for entry in ignores.entries]

    async def completed(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Give alerts with all they said, as the store has it."""
        return await self._telling.keeper.completed(alerts)

    async def history(self, fingerprint: str) -> Past:
        """Give an alert's past as the store has it."""
        try:
            return Past(steps=[_step(each) for each in await self._telling.keeper.history(fingerprint)])
        except StoreError as error:
            return Past(steps=None, reason=str(error))


def _silence(silence: Silence) -> SilenceStatus:
    return SilenceStatus(
        id=silence.id,
        matchers=tuple(map(str, silence.matchers)),
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        author=silence.author,
        comment=silence.comment,
    )


def _ignore(entry: Ignore, today: date, *, used: bool) -> IgnoreStatus:
    state = "expired" if entry.over(today) else "used" if used else "unused"
    return IgnoreStatus(**vars(entry), state=state)


def _step(transition: Transition) -> Step:
    return Step(at=transition.at, state=transition.state, severity=transition.severity, why=transition.why)
