"""Processor time and memory of other processes, as Linux tells it in /proc: to the nanosecond where it does."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")


def fields(pid: int) -> list[str]:
    """Give /proc/PID/stat from the state on (proc_pid_stat(5) calls it field 3)."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def seconds(pid: int) -> float:
    """Give the processor time of a process of one thread, to the nanosecond."""
    return int((PROC / str(pid) / "schedstat").read_text().split()[0]) / 1e9


def process_seconds(pid: int) -> float:
    """Give the processor time of a process with all its threads, also of those that ended; in ticks."""
    user, system = fields(pid)[11:13]
    return (int(user) + int(system)) / TICK


def reaped_seconds(pid: int) -> float:
    """Give the processor time of all children of a process that ended."""
    user, system = fields(pid)[13:15]
    return (int(user) + int(system)) / TICK


def children(pid: int) -> list[int]:
    """Name the living children of a process."""
    return [int(each) for each in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]


def server_seconds(postmaster: int, without: Collection[int]) -> float:
    """Give the processor time that a whole PostgreSQL has used so far, some of its sessions left out."""
    total = reaped_seconds(postmaster) + seconds(postmaster)
    for child in children(postmaster):
        if child not in without:
            with suppress(OSError):  # it ended meanwhile, and is counted as reaped the next time
                total += seconds(child)
    return total


def resident_mib(pid: int, what: str = "VmRSS") -> float:
    """Give the resident memory now (VmRSS) or at its most (VmHWM)."""
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what + ":")) / 1024
