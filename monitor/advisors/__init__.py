"""Advisors: judgements that join several measurements."""

from monitor.rule import Advisor


def advisors() -> tuple[Advisor, ...]:
    """Give every advisor with its defaults."""
    return ()
