"""What their exporter says of itself, told of each server from the shelf: whether it is up, how its collectors fare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitor import kinds
from monitor.expose.postgres_exporter.table import COLLECTORS, PROBES
from monitor.expose.postgres_exporter.words import Theirs, gauge
from monitor.expose.text import Number, label_set, label_value, number_text
from monitor.model import Result
from monitor.status import ProbeStatus, TargetStatus

UP = gauge("pg_up", "", "1: the server answered when it was asked last.")
LAST_ERROR = gauge("pg_exporter_last_scrape_error", "", "1: a probe that is read for these names has no answer.")
LAST_DURATION = gauge(
    "pg_exporter_last_scrape_duration_seconds", "", "Time the newest runs of these probes took together."
)
COLLECTOR_SUCCESS = gauge("pg_scrape_collector_success", "", "1: the collector's probes were answered.")
COLLECTOR_DURATION = gauge("pg_scrape_collector_duration_seconds", "", "Time its probes' newest runs took.")

METRICS = (UP, LAST_ERROR, LAST_DURATION, COLLECTOR_SUCCESS, COLLECTOR_DURATION)
SOURCES = {name: {each.probe for each in COLLECTORS if each.name == name} for name in {c.name for c in COLLECTORS}}
"""The probes that each collector of theirs is read from."""


def told(targets: Iterable[TargetStatus], *, openmetrics: bool) -> bytes:
    """Give the text of all servers, metric by metric; PgBouncers and application pools are none of theirs."""
    lines: dict[str, list[str]] = {metric.name: [] for metric in METRICS}
    for target in targets:
        if target.kind == kinds.POSTGRES:
            for metric, labels, value in _of(target):
                pairs = [("target", label_value(target.server)), *labels]
                lines[metric.name].append(f"{metric.name}{label_set(pairs)} {number_text(value)}\n")
    texts = (metric.header(openmetrics=openmetrics) + "".join(lines[metric.name]) for metric in METRICS)
    return "".join(text for text, metric in zip(texts, METRICS, strict=True) if lines[metric.name]).encode()


def _of(target: TargetStatus) -> Iterator[tuple[Theirs, Sequence[tuple[str, str]], Number]]:
    runs = [run for run in target.probes if run.probe in PROBES]
    yield UP, (), int(target.up)
    yield LAST_ERROR, (), int(not target.up or not all(_answered(run) for run in runs))
    yield LAST_DURATION, (), sum(run.duration_seconds for run in runs)
    for name in sorted(SOURCES):
        own = [run for run in runs if run.probe in SOURCES[name]]
        if own:
            labels = (("collector", label_value(name)),)
            yield COLLECTOR_SUCCESS, labels, int(all(_answered(run) for run in own))
            yield COLLECTOR_DURATION, labels, sum(run.duration_seconds for run in own)


def _answered(run: ProbeStatus) -> bool:
    """Tell whether a probe was answered, or has no subject here."""
    return run.result is Result.OK or (run.result is Result.SKIPPED and run.needs is None)
