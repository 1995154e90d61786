"""What the daemon does without."""

import subprocess
import sys

SCRIPT = """
from monitor.cli.lean import import_structlog
import_structlog()
import monitor.cli.run, sys
heavy = {"rich", "pygments", "alembic", "apprise", "slack_sdk", "sqlalchemy.orm"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
import rich.console
"""


def test_the_daemon_loads_nothing_it_does_not_use() -> None:
    """Neither what draws, nor what only some receivers need; and rich can still be had by who wants it."""
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)
