"""What rules about GoTrue and its links share: the section's options, names of its tables, a step lower."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.probe import Measurement, Severity, identifier
from probes.auth_links_options import AuthOptions

LOWER: Mapping[Severity, Severity] = {
    Severity.CRITICAL: Severity.WARNING,
    Severity.WARNING: Severity.INFO,
    Severity.INFO: Severity.INFO,
}
"""One step lower, for links that only a sample of their values shows."""


def options_of(seen: Measurement) -> AuthOptions:
    """Give the section `auth` as it is for a measurement's target."""
    return seen.options if isinstance(seen.options, AuthOptions) else AuthOptions()


def schema_of(seen: Measurement) -> str:
    """Give the schema in which GoTrue keeps its tables."""
    return options_of(seen).schema


def users_of(seen: Measurement) -> str:
    """Give the full name of GoTrue's table of users."""
    return identifier(schema_of(seen), "users")


def belong(count: int) -> str:
    """Write the verb for so many rows."""
    return "belongs" if count == 1 else "belong"
