"""The metrics that are always there: targets, probes, findings and what the monitor itself costs.

Written from the shelf; the figures of our own process come from prometheus_client, in a registry of our own.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from monitor import __version__, kinds
from monitor.expose.compat import PGBOUNCER_UP, Compat
from monitor.expose.text import Family, Number, label_set, label_value, number_text
from monitor.model import Result, State
from monitor.probe import Kind
from monitor.status import ProbeStatus, Shelf

UP = Family("pgarchitect_up", Kind.GAUGE, "1 if the server answered when it was asked last.")
SUCCESS = Family(
    "pgarchitect_probe_success",
    Kind.GAUGE,
    "1 if the newest run was answered, or found that its subject does not exist on this target.",
)
LAST_SUCCESS = Family(
    "pgarchitect_probe_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When the probe was answered last; time() minus this is the age of its series.",
)
DURATION = Family("pgarchitect_probe_duration_seconds", Kind.GAUGE, "Wall time of the newest run.")
RESULT = Family(
    "pgarchitect_probe_result", Kind.GAUGE, "How the newest run ended; only the present result has a series."
)
FINDINGS = Family("pgarchitect_findings", Kind.GAUGE, "Findings that are pending or firing; none, no series.")
NOT_EVALUATED = Family(
    "pgarchitect_not_evaluated", Kind.GAUGE, "Subjects a rule could not judge, by what it needs; none, no series."
)
SELF_SECONDS = Family(
    "pgarchitect_self_database_seconds",
    Kind.COUNTER,
    "Wall time of our own statements as we saw it: an upper bound of what we cost.",
)
NOTIFICATIONS = Family("pgarchitect_notifications", Kind.COUNTER, "Messages to receivers by outcome.")
DROPPED = Family(
    "pgarchitect_series_dropped", Kind.COUNTER, "Samples left away because the target has too many series."
)
BUILD = Family("pgarchitect_build_info", Kind.GAUGE, "Versions of the monitor and of its Python; always 1.")

PGBOUNCER = Family(PGBOUNCER_UP, Kind.GAUGE, "1 if the PgBouncer answered when it was asked last.")

FAMILIES = (
    UP, SUCCESS, LAST_SUCCESS, DURATION, RESULT, FINDINGS, NOT_EVALUATED, SELF_SECONDS, NOTIFICATIONS, DROPPED, BUILD,
    PGBOUNCER,
)  # fmt: skip
RESERVED = frozenset(family.name for family in FAMILIES)
"""Names no probe may take."""

_END = b"# EOF\n"


class Own:
    """The monitor's own metrics; `left_away` counts dropped samples by server."""

    def __init__(
        self, shelf: Shelf, left_away: Callable[[], Mapping[str, int]], compat: Callable[[], Compat] = Compat
    ) -> None:
        self.revision = 0
        """Grows with every change that is not the shelf's."""
        self._shelf = shelf
        self._left_away = left_away
        self._compat = compat
        self._notifications: Counter[tuple[str, str]] = Counter()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)

    def notified(self, receiver: str, outcome: str) -> None:
        """Count one message to a receiver."""
        self._notifications[receiver, outcome] += 1
        self.revision += 1

    def page(self, *, openmetrics: bool) -> bytes:
        """Give the text of all own series, without OpenMetrics' last line."""
        lines: dict[Family, list[str]] = {family: [] for family in FAMILIES}
        self._targets(lines)
        self._verdicts(lines)
        for (receiver, outcome), count in self._notifications.items():
            _put(lines, NOTIFICATIONS, count, receiver=receiver, outcome=outcome)
        _put(lines, BUILD, 1, version=__version__, python=platform.python_version())
        text = "".join(_block(family, lines[family], openmetrics=openmetrics) for family in FAMILIES)
        return text.encode() + self._as_theirs(openmetrics=openmetrics) + self._figures(openmetrics=openmetrics)

    def _targets(self, lines: dict[Family, list[str]]) -> None:
        left_away = self._left_away()
        for target in self._shelf.targets():
            _put(lines, UP, int(target.up), target=target.server)
            if target.kind == kinds.PGBOUNCER and self._compat().pgbouncer:
                _put(lines, PGBOUNCER, int(target.up), target=target.server)
            _put(lines, SELF_SECONDS, target.own_seconds, target=target.server)
            _put(lines, DROPPED, left_away.get(target.server, 0), target=target.server)
            for probe in target.probes:
                _put_probe(lines, probe)

    def _verdicts(self, lines: dict[Family, list[str]]) -> None:
        alive = [alert for alert in self._shelf.alerts() if alert.state is not State.RESOLVED]
        found = Counter(
            (alert.finding.target, alert.finding.rule, alert.finding.severity, alert.state) for alert in alive
        )
        for (target, rule, severity, state), count in found.items():
            place = {"target": target.server, "database": target.database or ""}
            _put(lines, FINDINGS, count, **place, rule=rule, severity=severity.value, state=state.value)
        unknown = Counter((each.target, each.rule, each.needs) for each in self._shelf.not_evaluated())
        for (target, rule, needs), count in unknown.items():
            place = {"target": target.server, "database": target.database or ""}
            _put(lines, NOT_EVALUATED, count, **place, rule=rule, needs=needs.value)

    def _as_theirs(self, *, openmetrics: bool) -> bytes:
        if not self._compat().postgres:
            return b""
        from monitor.expose.postgres_exporter.told import told  # noqa: PLC0415 - most who run us never need it

        return told(self._shelf.targets(), openmetrics=openmetrics)

    def _figures(self, *, openmetrics: bool) -> bytes:
        if openmetrics:
            text: bytes = generate_openmetrics(self._process)  # type: ignore[no-untyped-call]  # it has no hints
            return text.removesuffix(_END)
        return generate_latest(self._process)


def _put(lines: dict[Family, list[str]], family: Family, value: Number, **labels: str) -> None:
    pairs = [(name, label_value(text)) for name, text in labels.items()]
    lines[family].append(f"{family.sample}{label_set(pairs)} {number_text(value)}\n")


def _put_probe(lines: dict[Family, list[str]], run: ProbeStatus) -> None:
    place = {"target": run.target.server, "database": run.target.database or "", "probe": run.probe}
    no_subject = run.result is Result.SKIPPED and run.needs is None
    _put(lines, SUCCESS, int(run.result is Result.OK or no_subject), **place)
    _put(lines, DURATION, run.duration_seconds, **place)
    _put(lines, RESULT, 1, **place, result=run.result.value)
    if run.last_success is not None:
        _put(lines, LAST_SUCCESS, run.last_success.timestamp(), **place)


def _block(family: Family, lines: Iterable[str], *, openmetrics: bool) -> str:
    text = "".join(lines)
    return family.header(openmetrics=openmetrics) + text if text else ""
