"""`python -m benchmarks.trendless run --config FILE`: the daemon with nothing kept over time, to compare with."""

from __future__ import annotations

import asyncio
import gc
import sys
from dataclasses import replace
from pathlib import Path

from monitor.catalog import Catalog
from monitor.cli.run import COLLECT_AFTER, SWITCH_SECONDS
from monitor.config.load import load_config
from monitor.daemon.daemon import Daemon
from monitor.log import configure
from monitor.whole import whole_catalog


def without_trends(catalog: Catalog) -> Catalog:
    """Give the catalogue with probes that keep no gauges over time."""
    return replace(catalog, probes={name: replace(probe, trends=()) for name, probe in catalog.probes.items()})


def main() -> None:
    """Run as `monitor run` does."""
    config = load_config(Path(sys.argv[-1]), without_trends(whole_catalog()))
    configure(config.log.format, config.log.level)
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    sys.setswitchinterval(SWITCH_SECONDS)
    asyncio.run(Daemon(config).run())


if __name__ == "__main__":
    main()
