"""Memory that is free goes back to the system, and a process runs on the allocator that can give it back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.memory import SETTINGS, release

BEGUN = """
import json, os, sys
from monitor.memory import thrifty
thrifty()
print(json.dumps([*sys.argv, os.getpid()]))
"""
CHOSEN = BEGUN + "print(os.environ['PYTHONMALLOC'], 'MALLOC_ARENA_MAX' in os.environ)"
HELD = """
import gc
from pathlib import Path
from monitor.memory import release, thrifty

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

thrifty()
before = resident()
flood = [[str(number)] for number in range(300_000)]
stays = flood[::1000]
full = resident()
del flood
gc.collect()
release()
print(full - before, resident() - before)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only glibc gives memory back when it is told to")


def run(*arguments: str, **environ: str) -> tuple[str, int]:
    """Run Python on something; give what it said and its process id."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    with subprocess.Popen(
        [sys.executable, *arguments], env={**clean, **environ}, stdout=subprocess.PIPE, text=True
    ) as process:
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        return said, process.pid


def test_the_command_is_begun_anew_with_its_arguments_in_the_same_process() -> None:
    """Whoever waits for the process, or has its id, notices nothing; and it is done once."""
    said, pid = run("-c", BEGUN, "--config", "a file")
    assert json.loads(said) == ["-c", "--config", "a file", pid]


def test_what_somebody_chose_stays() -> None:
    """An allocator named in the environment is left alone."""
    said, _ = run("-c", CHOSEN, PYTHONMALLOC="pymalloc")
    assert said.splitlines()[-1] == "pymalloc False"


def test_memory_goes_back_although_something_of_it_stays(tmp_path: Path) -> None:
    """Of many things let go nearly all pages return, although one in a thousand of them is kept."""
    script = tmp_path / "held.py"
    script.write_text(HELD)
    full, left = map(int, run(str(script), PYTHONPATH=str(Path(__file__).parents[2]))[0].split())
    assert left < full / 5, (full, left)


def test_giving_back_nothing_does_no_harm() -> None:
    """It may be asked for at any time."""
    release()
    release()
