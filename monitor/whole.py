"""The whole catalogue: probes from entry points, the advisors, and the rules about ourselves."""

from __future__ import annotations

from monitor.advisors import advisors
from monitor.catalog import Catalog, load_catalog
from monitor.rules.own import MONITOR_RULES, TARGET_RULES


def whole_catalog() -> Catalog:
    """Give everything that can judge."""
    return load_catalog(judges=(*advisors(), *TARGET_RULES, *MONITOR_RULES))
