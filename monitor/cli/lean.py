"""Keeps the daemon small: structlog would load rich and pygments, 3 MiB, only to draw tracebacks in colour."""

from __future__ import annotations

import importlib
import sys
from typing import cast


def import_structlog() -> None:
    """Import structlog as if rich were not installed; whoever needs rich can import it afterwards."""
    if "rich" in sys.modules or "structlog" in sys.modules:
        return
    modules = cast("dict[str, object]", sys.modules)
    modules["rich"] = None
    try:
        importlib.import_module("structlog")
    finally:
        del modules["rich"]
