"""What the memory settings usually are on a machine of so much memory, which the configuration names: a place to begin.

shared_buffers is a quarter of it ("25% of the memory", PostgreSQL's manual), effective_cache_size three quarters,
maintenance_work_mem a sixteenth and 2 GiB at most, work_mem so much that two sorts a connection fit into a quarter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.probe import GIB, MIB, Target


@dataclass(frozen=True, kw_only=True)
class MachineMemory:
    """How much memory a target's machine has for PostgreSQL; without a target it is every one's."""

    memory_bytes: float
    target: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no memory."""
        if self.memory_bytes <= 0:
            raise ValueError("memory_bytes should be above 0")


@dataclass(frozen=True, kw_only=True)
class SettingsOptions:
    """What is configured under `probes: {settings: …}`."""

    machines: tuple[MachineMemory, ...] = ()

    def for_target(self, target: Target) -> SettingsOptions:
        """Keep what concerns one server, its own entry first."""
        mine = [each for each in self.machines if each.target in (None, target.server)]
        return replace(self, machines=tuple(sorted(mine, key=lambda each: each.target is None)[:1]))


def advised(memory: float, max_connections: float) -> Mapping[str, float]:
    """Give the usual settings in bytes, for a machine's memory in bytes."""
    return {
        "shared_buffers": memory / 4,
        "effective_cache_size": memory * 3 / 4,
        "maintenance_work_mem": min(2 * GIB, max(64 * MIB, memory / 16)),
        "work_mem": min(256 * MIB, max(4 * MIB, memory / 4 / max(1.0, max_connections) / 2)),
    }
