"""Statistics of several columns together, put in place as the server keeps them: how many values, what follows of what.

PostgreSQL 18 has no function for it. The data are written into its catalogue, as bytes of the form of mvdistinct.c and
dependencies.c; of most common values together, which are people's data, there is nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from monitor.planner.bench import SCHEMA
from monitor.shape import Table
from monitor.sql.text import identifier

CASTS = (
    "create cast (bytea as pg_ndistinct) without function",
    "create cast (bytea as pg_dependencies) without function",
)
NUMBERS = """
    select n.nspname::text as schema, c.relname::text as name, a.attname::text as column, a.attnum as number
      from unnest($1::text[], $2::text[]) as w (schema, name)
      join pg_catalog.pg_namespace n on n.nspname = w.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0
"""
DATA = f"""
    insert into pg_catalog.pg_statistic_ext_data (stxoid, stxdinherit, stxdndistinct, stxddependencies)
    select s.oid, d.inherited, d.distinct_values::pg_ndistinct, d.degrees::pg_dependencies
      from unnest($1::text[], $2::bool[], $3::bytea[], $4::bytea[]) as d (name, inherited, distinct_values, degrees)
      join pg_catalog.pg_statistic_ext s on s.stxname = d.name and s.stxnamespace = '{SCHEMA}'::regnamespace
"""
WIDEST = 8
"""Columns of one object, as PostgreSQL has it."""
MOST = 30
"""Objects of one table."""
_DISTINCT, _DEPENDENCIES, _FORM = 0xA352BFA4, 0xB4549A2C, 1
Columns = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Columns by number, and what is known of them together: distinct values; how surely the last follows of others."""

    columns: Columns
    distinct: Mapping[Columns, float] = field(default_factory=dict)
    degrees: Mapping[Columns, float] = field(default_factory=dict)

    def statement(self, name: str, table: Table) -> str:
        """Make the object; a partitioned table has it as well."""
        kinds = [kind for kind, known in (("ndistinct", self.distinct), ("dependencies", self.degrees)) if known]
        names = {column.number: identifier(column.name) for column in table.columns}
        columns = ", ".join(names[number] for number in self.columns)
        return f"create statistics {SCHEMA}.{name} ({', '.join(kinds)}) on {columns} from {table.full_name}"

    def data(self, numbers: Mapping[int, int]) -> tuple[bytes | None, bytes | None]:
        """Give both as bytes, with the columns' numbers in the shadow."""
        return (
            _packed(_DISTINCT, "=di", self.distinct, numbers, ordered=True) if self.distinct else None,
            _packed(_DEPENDENCIES, "=dh", self.degrees, numbers, ordered=False) if self.degrees else None,
        )


def _packed(
    magic: int, head: str, items: Mapping[Columns, float], numbers: Mapping[int, int], *, ordered: bool
) -> bytes:
    parts = [struct.pack("=III", magic, _FORM, len(items))]
    for columns, figure in items.items():
        own = [numbers[column] for column in columns]
        parts.append(
            struct.pack(head, figure, len(own)) + struct.pack(f"={len(own)}h", *sorted(own) if ordered else own)
        )
    return b"".join(parts)


def groups(table: Table) -> Iterator[Group]:
    """Give a table's groups of columns: none of them is a part of another."""
    known = {column.number for column in table.columns}
    distinct = {tuple(map(int, key.split(","))): rows for key, rows in table.statistics_rows.items()}
    degrees = {tuple(map(int, key.replace("=>", ",").split(","))): each for key, each in table.dependencies.items()}
    sets = {frozenset(each) for each in (*distinct, *degrees)}
    widest = [
        each for each in sets if len(each) <= WIDEST and each <= known and not any(each < other for other in sets)
    ]
    for columns in sorted(map(sorted, widest))[:MOST]:
        within = {key: rows for key, rows in distinct.items() if {*key} <= {*columns}}
        group = Group(
            columns=tuple(columns),
            distinct=within if _whole(within, columns) else {},
            degrees={key: degree for key, degree in degrees.items() if {*key} <= {*columns}},
        )
        if group.distinct or group.degrees:
            yield group


def _whole(distinct: Collection[Columns], columns: Sequence[int]) -> bool:
    """Tell whether all sets of these columns are there: PostgreSQL would break at one that is not."""
    given = {frozenset(each) for each in distinct}
    sizes = range(2, len(columns) + 1)
    return bool(given) and all(frozenset(each) in given for size in sizes for each in combinations(columns, size))
