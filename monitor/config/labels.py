"""What the labels of a target may be called: as Prometheus has it, and none of those that we set ourselves."""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_TAKEN = frozenset(
    (
        "alertname",
        "area",
        "database",
        "fingerprint",
        "probe",
        "result",
        "rule",
        "severity",
        "state",
        "subject",
        "target",
    )
)


def check_label(name: str) -> str:
    """Check a label's name; raises ValueError."""
    if not _LABEL.match(name):
        raise ValueError("is no label name; use letters, digits and _")
    if name in _TAKEN:
        raise ValueError("is a label we set ourselves; choose another name")
    return name
