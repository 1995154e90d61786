"""The whole catalogue: probes from entry points, the advisors, and the rules about ourselves."""

from __future__ import annotations

from monitor.advisors import advisors
from monitor.catalog import Catalog, load_catalog
from monitor.rules.daemon import MONITOR_RULES
from monitor.rules.own import TARGET_RULES


def whole_catalog() -> Catalog:
    """Give everything that can judge."""
    return load_catalog(judges=(*advisors(), *TARGET_RULES, *MONITOR_RULES))
