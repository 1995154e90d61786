"""Memory that is free goes back to the system, where the allocator can give it back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.memory import release
from tests.faults.harness import THRIFTY

HELD = """
import gc
from pathlib import Path
from monitor.memory import release

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

before = resident()
flood = [[str(number)] for number in range(300_000)]
stays = flood[::1000]
full = resident()
del flood
gc.collect()
release()
print(full - before, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc gives memory back when it is told to")
def test_memory_goes_back_although_something_of_it_stays() -> None:
    """Of many things let go nearly all pages return, although one in a thousand of them is kept."""
    environ = {**os.environ, **THRIFTY, "PYTHONPATH": str(Path(__file__).parents[2])}
    said = subprocess.run(
        [sys.executable, "-c", HELD], env=environ, stdout=subprocess.PIPE, text=True, timeout=30, check=True
    ).stdout
    full, left = map(int, said.split())
    assert left < full / 5, (full, left)


def test_giving_back_nothing_does_no_harm() -> None:
    """It may be asked for at any time."""
    release()
    release()
