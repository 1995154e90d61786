"""Advisors: judgements that join several measurements."""

from monitor.advisors.sequential_scans import SequentialScans
from monitor.rule import Advisor


def advisors() -> tuple[Advisor, ...]:
    """Give every advisor with its defaults."""
    return (SequentialScans(),)
