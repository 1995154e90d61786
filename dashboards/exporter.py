"""The section of METRICS.md about `compat: [postgres_exporter]`: which of its names are served, and from what."""

from collections.abc import Iterator

from monitor.expose.postgres_exporter.table import COLLECTORS, UNSERVED
from monitor.expose.postgres_exporter.told import METRICS
from monitor.expose.postgres_exporter.words import Collector, Theirs

HEAD = """
## `compat: [postgres_exporter]`

Which of postgres_exporter's names (0.20.1; 131, and those about itself) are there, and which column of which probe they
are read from. Every series has `target` besides.

| metric | type | labels | read from |
|---|---|---|---|
"""
UNSERVED_HEAD = """
Not served:

| metric | why |
|---|---|
"""


def section() -> str:
    """Give the section."""
    served = sorted({row for each in COLLECTORS for row in rows(each)} | set(about_itself()))
    missing = [f"| `{name}` | {why} |" for name, why in sorted(UNSERVED.items())]
    return f"{HEAD}{chr(10).join(served)}\n{UNSERVED_HEAD}{chr(10).join(missing)}\n"


def rows(collector: Collector) -> Iterator[str]:
    """Give a row for each metric of a collector; a setting stands for all that are numbers."""
    labels = ", ".join(collector.labels)
    for metric in collector.metrics:
        yield row(metric, labels, f"{collector.probe}: {metric.column}")
    if not collector.metrics:
        yield f"| `pg_settings_NAME`, `…_bytes`, `…_seconds` | gauge | {labels} | {collector.probe}: value |"


def about_itself() -> Iterator[str]:
    """Give the rows of what the exporter says of itself."""
    for metric in METRICS:
        yield row(metric, "collector" if "collector" in metric.name else "", "the probes' newest runs")
    yield "| `pg_exporter_scrapes_total` | counter |  | readings of these probes |"


def row(metric: Theirs, labels: str, source: str) -> str:
    """Write one row of the table."""
    return f"| `{metric.name}` | {metric.kind} | {labels} | {source} |"
