"""`monitor run`: the daemon in the foreground."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from monitor.config.load import load_config
from monitor.daemon.daemon import Daemon
from monitor.log import configure
from monitor.whole import whole_catalog

COLLECT_AFTER = (5_000, 2, 500)
"""With thousands of findings a full collection holds up everything for 0.3 s: it is to be seldom, and others small."""
SWITCH_SECONDS = 0.001
"""How long a thread may hold up the event loop: thousands of findings are judged, routed and written in threads."""


async def run_daemon(file: Path) -> None:
    """Read the configuration and run by it; raises MonitorError before anything is watched when it cannot be."""
    config = load_config(file, whole_catalog())
    configure(config.log.format, config.log.level)
    for warning in config.warnings:
        print(warning, file=sys.stderr)  # noqa: T201 - the talk goes to stderr
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    sys.setswitchinterval(SWITCH_SECONDS)
    await Daemon(config).run()
