"""Gives memory back to the system: what ten thousand findings took is not kept for the next ten thousand.

How much comes back is the allocator's: Python's own keeps a whole MiB for each object that stays in it, glibc's returns
every free page. It is chosen by the environment, before the process begins. Its thresholds stay as they are: with small
ones each large reading is mapped anew, which took a third more of processor.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping

THRIFTY: Mapping[str, str] = {"PYTHONMALLOC": "malloc", "MALLOC_ARENA_MAX": "1"}
"""What has a process take its memory from glibc alone, and give back what is free."""


def thrift() -> None:
    """Begin this process anew, under the same id, with that allocator; not if the environment already chooses one.

    Returns where that is so, without glibc, and where the process cannot be begun anew.
    """
    if "PYTHONMALLOC" in os.environ or _trim() is None or not sys.executable:
        return
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**THRIFTY, **os.environ})  # noqa: S606 - ourselves
    except OSError:
        return


def release() -> None:
    """Give all free pages back; a few milliseconds, for choice in a thread; does nothing without glibc."""
    trim = _trim()
    if trim is not None:
        trim(0)


def _trim() -> Callable[[int], object] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
