"""Memory that is free goes back to the system, where the allocator can give it back."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from monitor.memory import THRIFTY, release

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


CHOSEN = """
import os
from monitor.memory import THRIFTY, thrift

thrift()
print(os.getpid(), *(os.environ.get(name) for name in THRIFTY))
"""

glibc = pytest.mark.skipif(sys.platform != "linux", reason="only glibc gives memory back when it is told to")


def said(code: str, environ: Mapping[str, str]) -> tuple[int, list[str]]:
    """Run a program with our modules in a process of its own; give its id and the words that it wrote."""
    ours = {name: value for name, value in os.environ.items() if name not in THRIFTY}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**ours, **environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    words, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return process.pid, words.split()


@glibc
def test_memory_goes_back_although_something_of_it_stays() -> None:
    """Of many things let go nearly all pages return, although one in a thousand of them is kept."""
    _, words = said(HELD, THRIFTY)
    full, left = map(int, words)
    assert left < full / 5, (full, left)


def test_giving_back_nothing_does_no_harm() -> None:
    """It may be asked for at any time."""
    release()
    release()


@glibc
def test_a_process_begins_anew_with_the_allocator_that_gives_memory_back() -> None:
    """It stays the same process, for who waits for it; and it begins anew once."""
    pid, words = said(CHOSEN, {})
    assert words == [str(pid), *THRIFTY.values()]


def test_the_allocator_that_somebody_chose_stays() -> None:
    """Nothing else is changed then, either."""
    _, words = said(CHOSEN, {"PYTHONMALLOC": "pymalloc"})
    assert words[1:] == ["pymalloc", "None"]


@glibc
def test_what_somebody_set_for_the_allocator_stays() -> None:
    _, words = said(CHOSEN, {"MALLOC_ARENA_MAX": "4"})
    assert words[1:] == ["malloc", "4"]
