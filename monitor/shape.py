"""The shape of a database: its tables, columns and indexes in numbers, as a planner needs them; never a row's value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from monitor.row_security import Role, Secured
from monitor.sql.text import identifier


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnStatistics:
    """Numbers of pg_stats about one column; `frequencies` are the most common values' without the values."""

    null_frac: float = 0.0
    avg_width: int = 0
    n_distinct: float = 0.0
    """Distinct values; below 0 a share of the rows, as PostgreSQL keeps it; 0: unknown."""
    correlation: float | None = None
    frequencies: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    """The values of `frequencies`, of boolean and enum columns only: theirs are part of the schema, not data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column; `type` is as format_type writes it, with its schema where it needs one."""

    number: int
    name: str
    type: str
    not_null: bool = False
    generated: bool = False
    virtual: bool = False
    """Generated when it is read (from 18 on): no index can be on it."""
    collation: str = ""
    """Its quoted name where it is not the type's own."""
    deterministic: bool = True
    by_bytes: bool = False
    """Its collation orders by bytes (C, POSIX, ucs_basic): a prefix LIKE can use an ordinary index."""
    statistics: ColumnStatistics | None = None
    """None: never gathered, or not to be seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexKey:
    """One key of an index."""

    expression: str
    """SQL: a quoted column, or an expression in parentheses."""
    column: int = 0
    """The column's number; 0 for an expression."""
    opclass: str = ""
    """Its quoted name where it is not the type's default for the method."""
    collation: str = ""
    descending: bool = False
    nulls_first: bool = False
    """As stored: where it differs from the order's default it must be written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """An index as the catalogue has it; counters are since the statistics were reset."""

    oid: int
    schema: str
    name: str
    method: str
    keys: tuple[IndexKey, ...]
    include: tuple[str, ...] = ()
    where: str = ""
    """The predicate of a partial index."""
    unique: bool = False
    nulls_not_distinct: bool = False
    primary: bool = False
    constraint: str = ""
    """The constraint that it backs."""
    deferrable: bool = False
    """That constraint may be checked late: ON CONFLICT and foreign keys cannot rely on it."""
    replica_identity: bool = False
    clustered: bool = False
    valid: bool = True
    building: bool = False
    """It is being built right now."""
    parent: int = 0
    """The index of the partitioned table that it is a part of."""
    owner: str = ""
    """The extension that brought it."""
    pages: int = 0
    tuples: float = -1.0
    scans: int = 0
    last_scan: datetime | None = None
    """From PostgreSQL 16 on."""
    definition: str = ""
    """As pg_get_indexdef writes it from USING on: many indexes have the same; "": not known."""

    @property
    def full_name(self) -> str:
        """Its name, quoted where needed."""
        return identifier(self.schema, self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """How long we have seen an index whose count of scans did not change."""

    seconds: float
    since_appeared: bool = False
    """It was not there before: it is no older than that."""
    since_changed: bool = False
    """Its count changed before, or another index of its table went, whose work it may have taken over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Writes:
    """Rows written since the statistics were reset."""

    inserted: int = 0
    updated: int = 0
    hot_updated: int = 0
    deleted: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table (kind r), partitioned table (p), materialised view (m) or foreign table (f)."""

    oid: int
    schema: str
    name: str
    kind: str = "r"
    rows: float = -1.0
    """-1: never counted."""
    pages: int = 0
    all_visible: int = 0
    """Pages that the visibility map calls all visible."""
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()
    parent: int = 0
    """The partitioned table that it is a part of."""
    bound: str = ""
    """As pg_get_expr writes it: `FOR VALUES …` or `DEFAULT`."""
    partition_key: str = ""
    """As pg_get_partkeydef writes it."""
    inherits: tuple[int, ...] = ()
    writes: Writes = field(default_factory=Writes)
    sequential_scans: int = 0
    analyzed: float = 0.0
    """When its statistics were gathered last, in seconds since 1970; 0: never, or not told."""
    row_security: bool = False
    owner: str = ""
    """The extension that brought it."""
    managed: bool = False
    """A table of a managed service (Supabase's own, GoTrue's): its owner alone could change it."""
    fillfactor: int = 100
    statistics_rows: Mapping[str, float] = field(default_factory=dict)
    """Extended statistics: distinct values by comma-separated column numbers."""
    dependencies: Mapping[str, float] = field(default_factory=dict)
    """Extended statistics: how surely the last column's value follows of the others', as `1,2=>3`: 0 to 1."""

    @property
    def full_name(self) -> str:
        """Its name, quoted where needed."""
        return identifier(self.schema, self.name)

    @property
    def by_name(self) -> Mapping[str, Column]:
        """Give its columns by name; not kept, for ten thousand tables' would take more than the tables."""
        return {column.name: column for column in self.columns}


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignKey:
    """A foreign key: numbers of the columns on both sides, in the key's order."""

    name: str
    table: int
    columns: tuple[int, ...]
    parent: int
    parent_columns: tuple[int, ...]
    index: int = 0
    """The unique index of the parent that it relies on; 0: unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DefinedType:
    """A type of the database's own: an enum's labels, or a domain's base type."""

    schema: str
    name: str
    labels: tuple[str, ...] = ()
    base: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A view and its text."""

    schema: str
    name: str
    definition: str
    invoker: bool = False
    """It reads with the rights of who asks, not of its owner."""
    barrier: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """A function's outside: enough for a stand-in that plans alike. `volatility` is i, s or v."""

    schema: str
    name: str
    arguments: str
    """As pg_get_function_identity_arguments writes them."""
    returns: str
    volatility: str
    returns_set: bool = False
    cost: float = 100.0
    """As pg_proc has it; of those that are written into the statement that calls them, 1."""
    parallel: str = "s"
    """Whether parallel workers may run it: s, r or u."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One database at one moment."""

    version_num: int
    tables: Mapping[int, Table] = field(default_factory=dict)
    """By oid."""
    foreign_keys: tuple[ForeignKey, ...] = ()
    outer_keys: tuple[ForeignKey, ...] = ()
    """Foreign keys of which the table on one side was not read."""
    types: tuple[DefinedType, ...] = ()
    views: tuple[View, ...] = ()
    functions: tuple[Function, ...] = ()
    extensions: Mapping[str, str] = field(default_factory=dict)
    """Installed ones, each with its schema."""
    available: frozenset[str] = frozenset()
    """Extensions that could be installed, of those that an index may need (pg_trgm)."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The planner's settings that differ from a default server's, and block_size."""
    path: tuple[str, ...] = ("public",)
    """Schemas that the database's own search_path names."""
    counted_seconds: float | None = None
    """So long at least the server has lost no counters of tables and indexes; a thing may be younger. None: unknown."""
    counting: bool = True
    """False: track_counts is off, so that counters stand still whatever happens."""
    statistics: str = "direct"
    """How columns' statistics were read: direct, functions (lent by `monitor grants`), or none."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Tables by full name that were not read, and why (locked, beyond the bound)."""
    late: Mapping[str, str] = field(default_factory=dict)
    """Tables by full name that stand here as an earlier reading found them, and why."""
    in_recovery: bool = False
    secured: Mapping[int, Secured] = field(default_factory=dict)
    """Tables under row level security, by oid."""
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Roles that policies, or settings of their own, make plan otherwise than others."""
    watched: Mapping[int, Watched] = field(default_factory=dict)
    """By an index's oid; empty where nothing is remembered from one reading to the next."""

    def named(self, schema: str, name: str) -> Table | None:
        """Find a table by its full name."""
        return self._by_name.get((schema, name))

    def bare(self, name: str) -> Iterator[Table]:
        """Give the tables of this name in all schemas."""
        return (table for (_, own), table in self._by_name.items() if own == name)

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], Table]:
        return {(table.schema, table.name): table for table in self.tables.values()}

    def parts(self, table: Table) -> Iterator[Table]:
        """Give the partitions of a table, and theirs; the table itself where it has none."""
        below = self._below.get(table.oid, ())
        if not below:
            yield table
        for each in below:
            yield from self.parts(each)

    @cached_property
    def _below(self) -> Mapping[int, Sequence[Table]]:
        found: dict[int, list[Table]] = {}
        for table in self.tables.values():
            found.setdefault(table.parent, []).append(table)
        return found
