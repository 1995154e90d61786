"""All that a probe's author needs: one import for the words of a question and of its judgement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Protocol, TypeAlias, runtime_checkable

from monitor import index_names, index_sql, row_security, shape
from monitor.errors import Needs, ProbeError, ProbeSkipped, ProbeTimeout, TargetDenied
from monitor.history.past import Kept
from monitor.history.trend import Trend
from monitor.kinds import APP_POOL, PGBOUNCER, POSTGRES
from monitor.lasting import Lasting, Memory
from monitor.measurement import (
    GIB,
    KIB,
    MIB,
    Measurement,
    Row,
    duration,
    number,
    of_kind,
    plural,
    share,
    size,
)
from monitor.model import Area, Confidence, Finding, NoVerdict, Object, Remedy, Scalar, Severity, Target
from monitor.proof import Better, Proof, Sign, Thing
from monitor.rule import Rule
from monitor.shaped import shape_of, with_shape
from monitor.sight import accounts as sight_accounts
from monitor.sight import lent as sight
from monitor.sight import links as sight_links
from monitor.sight import newest as sight_newest
from monitor.sight import sessions as sight_sessions
from monitor.sight import shape as sight_shape
from monitor.sight import slices as sight_slices
from monitor.sight import states as sight_states
from monitor.sight import structure as sight_structure
from monitor.sql.attack import Attack, attack
from monitor.sql.literals import Literal, LiteralKind, Spelling, literals, same_text, spelling, statement
from monitor.sql.reads import Reads, reads
from monitor.sql.text import Statement, StatementKind, identifier, literal, read_statement, redact
from monitor.summed import check_recording, described, summed, table_names

__all__ = [
    "GIB",
    "KIB",
    "MIB",
    "Area",
    "Aside",
    "Attack",
    "Better",
    "Confidence",
    "Facts",
    "Finding",
    "Kept",
    "Kind",
    "Lasting",
    "Literal",
    "LiteralKind",
    "Measurement",
    "Memory",
    "Metric",
    "Needs",
    "NoVerdict",
    "Object",
    "PerTarget",
    "Probe",
    "ProbeError",
    "ProbeSkipped",
    "ProbeTimeout",
    "Proof",
    "Reads",
    "Remedy",
    "Row",
    "Rule",
    "Scalar",
    "Scope",
    "Session",
    "Severity",
    "Shape",
    "Sign",
    "Spelling",
    "Statement",
    "StatementKind",
    "Target",
    "TargetDenied",
    "Thing",
    "Trend",
    "attack",
    "check_recording",
    "counters",
    "described",
    "duration",
    "gauges",
    "identifier",
    "index_names",
    "index_sql",
    "literal",
    "literals",
    "number",
    "of_kind",
    "plural",
    "read_statement",
    "reads",
    "redact",
    "row_security",
    "same_text",
    "shape",
    "shape_of",
    "share",
    "sight",
    "sight_accounts",
    "sight_links",
    "sight_newest",
    "sight_sessions",
    "sight_shape",
    "sight_slices",
    "sight_states",
    "sight_structure",
    "size",
    "spelling",
    "statement",
    "summed",
    "table_names",
    "with_shape",
]  # fmt: skip


class Scope(StrEnum):
    """What a probe is asked of: the cluster once, each of its databases, a PgBouncer, or an application's pool."""

    SERVER = "server"
    DATABASE = "database"
    POOLER = "pooler"
    APP_POOL = "app_pool"

    @property
    def kind(self) -> str:
        """The `kind` of the servers it concerns."""
        return {"pooler": PGBOUNCER, "app_pool": APP_POOL}.get(self._value_, POSTGRES)


class Shape(StrEnum):
    """How an answer arrives: row by row, or as one row of equally long arrays (for the big reads)."""

    ROWS = "rows"
    COLUMNS = "columns"


class Kind(StrEnum):
    """Prometheus' two kinds of numbers that we export."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True)
class Metric:
    """A column that becomes `pgarchitect_<probe>_<column>`, with `_total` appended to a counter."""

    column: str
    kind: Kind
    help: str


def gauges(helps: Mapping[str, str]) -> tuple[Metric, ...]:
    """Make gauges of columns, each with its help."""
    return tuple(Metric(column, Kind.GAUGE, text) for column, text in helps.items())


def counters(helps: Mapping[str, str]) -> tuple[Metric, ...]:
    """Make counters of columns, each with its help."""
    return tuple(Metric(column, Kind.COUNTER, text) for column, text in helps.items())


@dataclass(frozen=True, kw_only=True)
class Aside:
    """Metrics of a probe under labels of their own: their rows stand in `Measurement.asides` by this name.

    Counters in those rows are growth, as in `exposed`; metrics are named by the probe and the column.
    """

    name: str
    labels: tuple[str, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a server said of itself when the session was opened."""

    version_num: int
    version: str
    database: str
    role: str
    in_recovery: bool
    superuser: bool
    started_at: float
    memberships: frozenset[str] = frozenset()
    """Predefined roles whose rights the monitor's role has."""
    extensions: Mapping[str, str] = field(default_factory=dict)
    """Installed extensions of this database, each with its schema."""
    pooled: bool = False
    """A transaction pooler stands before the server: nothing lasts from one statement to the next."""
    system_identifier: int | None = None
    """What initdb called the cluster, and all copies of its files; None where it cannot be read."""
    timeline: int | None = None
    """Counts promotions; 0 on a standby, None where it cannot be read."""

    @property
    def major(self) -> int:
        """The major version, 14 to 18."""
        return self.version_num // 10000


class Session(Protocol):
    """One guarded connection: read-only, short on time, waiting for no lock."""

    @property
    def facts(self) -> Facts:
        """What the server said of itself."""

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        """Run one statement and give its rows; raises ProbeTimeout, ProbeSkipped or a TargetError."""


@runtime_checkable
class PerTarget(Protocol):
    """Options of which a part concerns one target only."""

    def for_target(self, target: Target) -> object:
        """Give the options as they are for this target."""


Observe: TypeAlias = Callable[[Session, Memory, object], Awaitable[Sequence[Row]]]
Detail: TypeAlias = Callable[[Session, Memory, Measurement], Awaitable[Measurement]]
Things: TypeAlias = Callable[[Measurement, Collection[str]], Iterable[Thing]]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One question to the server and all that follows from the answer.

    `sql` maps the lowest major version it is for to its text; `observe` replaces it where one query cannot do.
    `detail` reads, once growth is known, what only the interesting rows need (statements' texts).
    `every`, `timeout` and `window` are seconds. `needs` holds `extension:NAME` and `role:NAME`.
    """

    name: str
    scope: Scope
    every: float
    sql: Mapping[int, str] = field(default_factory=dict)
    observe: Observe | None = None
    detail: Detail | None = None
    things: Things | None = None
    """What a reading saw stand in the catalogue: there the ledger looks for the signs of remedies."""
    timeout: float = 5.0
    window: float = 0.0
    samples: bool = False
    """It shows a moment, so that a snapshot asks it again and again between its two readings."""
    patient: bool = False
    """It is dear, and may be late: while the server is busy, a daemon puts it off, an hour at most."""
    needs: tuple[str, ...] = ()
    shape: Shape = Shape.ROWS
    key: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    asides: tuple[Aside, ...] = ()
    counts: tuple[str, ...] = ()
    """Counters that rules need and no metric shows."""
    pulse: str | None = None
    """A counter that grows whenever any other of its row does: rows in which it stands still need no second look."""
    reset_column: str | None = None
    """A column whose change says that a row's counters began anew."""
    complete: bool = False
    """True when every row is read each time, so that a new row's counters are growth."""
    history: Kept | None = None
    """What is kept of it, hour by hour, in the store."""
    trends: tuple[Trend, ...] = ()
    """What of its gauges is kept over time, for the charts of the page."""
    options: object = None
    """A frozen dataclass with the defaults of `probes: {NAME: …}`."""
    section: str | None = None
    """The top-level key of the configuration that fills `options`, where it is not the probe's own."""
    rules: tuple[Rule, ...] = ()
    feeds: tuple[str, ...] = ()
    """Probes that it hands its reading, by `Memory.server`: where they are asked, it is."""
    enabled: bool = True
    compat: str = ""
    """The exporter whose names need it, and nothing else does: where `compat` lists that one, it is enabled."""
    min_version: int = 14
    max_version: int | None = None

    @property
    def counters(self) -> tuple[str, ...]:
        """The columns whose growth matters."""
        return (*(metric.column for metric in self.metrics if metric.kind is Kind.COUNTER), *self.counts)

    @cached_property
    def parts(self) -> Sequence[Probe]:
        """Give all that is exported: the probe itself, and as it would be with each aside's labels and metrics."""
        own = (replace(self, labels=each.labels, metrics=each.metrics, asides=()) for each in self.asides)
        return (self, *own)

    def sql_for(self, major: int) -> str | None:
        """Give the text for a server's major version; None when the probe observes, or has none that old."""
        fitting = [lowest for lowest in self.sql if lowest <= major]
        return self.sql[max(fitting)] if fitting else None
