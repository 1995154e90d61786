"""Our series a second time under the names of another exporter, for dashboards and alerts that exist already.

Of pgbouncer_exporter names and help change, nothing else: labels stay ours (`target` and `database` where the other
has host and port). What postgres_exporter gives differs in more than names: `postgres_exporter` beside this file.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from monitor.expose.text import Family

PGBOUNCER_EXPORTER = "pgbouncer_exporter"
POSTGRES_EXPORTER = "postgres_exporter"

PGBOUNCER_UP = "pgbouncer_up"

_OURS = "pgarchitect_"


@dataclass(frozen=True)
class Compat:
    """The exporters whose names are given too."""

    exporters: Collection[str] = ()

    @property
    def pgbouncer(self) -> bool:
        """Tell whether PgBouncers are to be known as pgbouncer_exporter knows them."""
        return PGBOUNCER_EXPORTER in self.exporters

    @property
    def postgres(self) -> bool:
        """Tell whether servers are to be known as postgres_exporter knows them: by a page of its own."""
        return POSTGRES_EXPORTER in self.exporters

    def other(self, family: Family) -> Family | None:
        """Give the family's other name; None: it has no other."""
        if self.pgbouncer and family.name.startswith(f"{_OURS}pgbouncer_"):
            return replace(family, name=family.name.removeprefix(_OURS))
        return None


def renamed(chunk: bytes, family: Family, other: Family) -> bytes:
    """Put another name before each sample; a label's value that holds the name stays as it is."""
    return re.sub(b"(?m)^" + re.escape(family.sample.encode()) + rb"(?=\{)", other.sample.encode(), chunk)
