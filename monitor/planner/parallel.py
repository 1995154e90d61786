"""Parallel plans told as plans of one process: rows of a scan are those of all its workers together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from monitor.planning import Node


def undivided(node: Node, share: float = 1.0) -> Node:
    """Give a plan whose parallel scans return the rows that their workers do together.

    EXPLAIN tells rows for each process; of how many PostgreSQL thinks is in `get_parallel_divisor` of costsize.c.
    """
    workers = node.get("Workers Planned")
    if isinstance(workers, int):
        share = workers + max(1.0 - 0.3 * workers, 0.0)
    told = dict(node)
    rows = told.get("Plan Rows")
    if share != 1.0 and told.get("Parallel Aware") and "Relation Name" in told and isinstance(rows, int | float):
        told["Plan Rows"] = rows * share
    if isinstance(below := told.get("Plans"), list):
        told["Plans"] = [undivided(cast("Node", each), share) for each in below if isinstance(each, Mapping)]
    return told
