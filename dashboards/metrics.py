"""Write METRICS.md, every metric of every probe and what it is called elsewhere: `python -m dashboards.metrics`.

With `--check` only say whether the file is as it would be.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dashboards.exporter import section
from dashboards.peers import peer
from monitor.expose.series import family
from monitor.probe import Probe
from monitor.whole import whole_catalog

FILE = Path(__file__).parent / "METRICS.md"
HEAD = """# Metrics

Written by `make docs` from the probes and `dashboards/peers.py`. Every series has `target`, those of
a database `database`. Peers' metrics may differ in unit, in labels, and in that they fall with a reset; ours do not.

| metric | labels | what it is | postgres_exporter, pgbouncer_exporter | pgwatch |
|---|---|---|---|---|
"""


def rendered() -> str:
    """Give the whole file: the metric that is always there, each probe's by name, and those under others' names."""
    up = line("pgarchitect_up", (), "1: the target answers.")
    return HEAD + "\n".join([up, *(each for probe in probes() for each in lines(probe))]) + "\n" + section()


def probes() -> list[Probe]:
    """Give the built-in probes by name."""
    return sorted(whole_catalog().probes.values(), key=lambda probe: probe.name)


def lines(probe: Probe) -> Iterator[str]:
    """Give a row for each metric of a probe."""
    for part in probe.parts:
        for metric in part.metrics:
            yield line(family(part, metric).sample, part.labels, metric.help)


def line(name: str, labels: Sequence[str], told: str) -> str:
    """Write one row of the table."""
    theirs = peer(name)
    cells = (f"`{name}`", ", ".join(labels), told, *(f"`{each}`" if each else "" for each in theirs))
    return "| " + " | ".join(each.replace("|", "\\|") for each in cells) + " |"


def main(arguments: Sequence[str], file: Path = FILE) -> int:
    """Write or check; 1 when the file is out of date, 2 for an argument nobody knows."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m dashboards.metrics [--check]", file=sys.stderr)
        return 2
    if file.exists() and file.read_text(encoding="utf-8") == rendered():
        return 0
    if arguments:
        print(f"{file}: out of date; run `make docs`", file=sys.stderr)
        return 1
    file.write_text(rendered(), encoding="utf-8")
    print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
