"""The command line: `monitor …`. stdout carries the result, stderr the talk; exit statuses are CONTRACT's."""

from __future__ import annotations

import sys
from typing import NoReturn

from monitor.memory import thrift


def main() -> NoReturn:
    """Run the command line; the daemon with the allocator that gives memory back, chosen before anything is loaded."""
    if sys.argv[1:2] == ["run"]:
        thrift()
    from monitor.cli.app import main as run  # noqa: PLC0415 - what is loaded earlier would be loaded twice

    run()
