"""Runs the few tests that failed once more, by themselves: `python -m tests.again STATUS MARKERS`, after a whole run.

Thousands of tests share two cores with servers that checkpoint, vacuum and restart. One that fails beside all others
and passes alone is told, and to be mended, but keeps nobody from landing; more than a few failures are no accident.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FAILED = 1
"""pytest's status when tests failed; any other means that the run itself went wrong."""
FEW = 3
LAST = Path(".pytest_cache/v/cache/lastfailed")


def again(status: int, markers: str) -> int:
    """Give the status of the second run; of the first, where it is none that a second could mend."""
    failed = sorted(json.loads(LAST.read_text())) if status == FAILED and LAST.exists() else []
    if not 1 <= len(failed) <= FEW:
        return status
    print("Failed beside all others, run once more alone:", *failed, sep="\n  ")
    return subprocess.run([sys.executable, "-m", "pytest", "-m", markers, "--last-failed"], check=False).returncode


if __name__ == "__main__":
    sys.exit(again(int(sys.argv[1]), sys.argv[2]))
