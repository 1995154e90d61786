"""Gives memory back to the system: what ten thousand findings took is not kept for the next ten thousand.

How much comes back is the allocator's: Python's own keeps a whole MiB for each object that stays in it, glibc's returns
every free page. The unit for systemd and the image choose glibc's by PYTHONMALLOC; it takes a tenth more of processor.
"""

from __future__ import annotations

import ctypes


def release() -> None:
    """Give all free pages back; a few milliseconds, for choice in a thread; does nothing without glibc."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return
    trim(0)
