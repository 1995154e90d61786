"""Gives memory back to the system: what ten thousand findings took is not kept for the next ten thousand.

Python's own allocator returns memory by whole MiB, and one object that stays holds such a piece: after a flood half of
it would never be returned. glibc's returns every free page when it is told to (`release`), so the daemon runs on that
one (`thrifty`). Where there is no glibc, all stays as it is.
"""

from __future__ import annotations

import ctypes
import os
import sys

SETTINGS = {
    "PYTHONMALLOC": "malloc",
    "MALLOC_ARENA_MAX": "1",  # one heap for all threads: free pages of others would be kept
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",  # both are glibc's defaults; set, they do not grow with what was freed
}
"""What both allocators read once, when the process starts."""


def thrifty() -> None:
    """Begin this command anew, in the same process, with memory that can be given back; whoever chose before, has."""
    if "PYTHONMALLOC" in os.environ or _trim() is None:
        return
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**SETTINGS, **os.environ})  # noqa: S606 - ourselves


def release() -> None:
    """Give all free pages back; takes a few milliseconds, in a thread for choice."""
    trim = _trim()
    if trim is not None:
        trim(0)


def _trim() -> ctypes._NamedFuncPointer | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
