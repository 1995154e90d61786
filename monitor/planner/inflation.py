"""Making empty relations look full: files stretched without a byte in them, and statistics put in place.

PostgreSQL takes a relation's size from its file. A sparse file costs no disk, and nothing reads it: statements are
planned, never run. Statistics are given with pg_restore_relation_stats and pg_restore_attribute_stats (18 and newer).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from monitor.planner.sizes import PAGE
from monitor.shape import Column, ColumnStatistics, IndexKey, Table

SEGMENT = 1 << 30

RELATIONS = """
    select pg_catalog.pg_restore_relation_stats(
               'schemaname', schema, 'relname', name, 'relpages', pages, 'reltuples', tuples, 'relallvisible', visible)
      from unnest($1::text[], $2::text[], $3::int[], $4::real[], $5::int[]) as r (schema, name, pages, tuples, visible)
"""
COLUMNS = """
    select pg_catalog.pg_restore_attribute_stats(
               'schemaname', schema, 'relname', name, 'attname', attribute, 'inherited', inherited,
               'null_frac', null_frac, 'avg_width', avg_width, 'n_distinct', n_distinct, 'correlation', correlation,
               'most_common_vals', most_common_values, 'most_common_freqs', frequencies::real[])
      from unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::real[], $6::int[], $7::real[], $8::real[],
                  $9::text[], $10::text[])
           as c (schema, name, attribute, inherited, null_frac, avg_width, n_distinct, correlation,
                 most_common_values, frequencies)
"""
# Only of functions that give as many different values as they are given: of others nothing is known.
EXPRESSIONS = """
    select pg_catalog.pg_restore_attribute_stats(
               'schemaname', e.schema, 'relname', e.name, 'attname', a.attname::text, 'inherited', false,
               'null_frac', e.null_frac, 'avg_width', e.avg_width, 'n_distinct', e.n_distinct)
      from unnest($1::text[], $2::text[], $3::int[], $4::real[], $5::int[], $6::real[])
           as e (schema, name, place, null_frac, avg_width, n_distinct)
      join pg_catalog.pg_namespace n on n.nspname = e.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = e.name and c.relkind = 'i'
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = e.place
"""
_FAITHFUL = re.compile(r'\(*(?:pg_catalog\.)?(?:lower|upper)\(\(?("(?:[^"]|"")+"|\w+)\)?(?:::text)?\)\)*')


def stretch(file: Path, pages: int) -> None:
    """Make a relation's main fork as long as that, never shorter: an index's first pages are real."""
    left = pages * PAGE
    owner = file.stat()
    for number in range(max(1, -(-left // SEGMENT))):
        segment = file if not number else file.with_name(f"{file.name}.{number}")
        if number and not segment.exists():
            segment.touch(mode=0o600)
            os.chown(segment, owner.st_uid, owner.st_gid)
        if segment.stat().st_size < min(left, SEGMENT):
            os.truncate(segment, min(left, SEGMENT))
        left -= SEGMENT


def shrink(file: Path) -> None:
    """Make a table's main fork empty again."""
    number = 1
    while (segment := file.with_name(f"{file.name}.{number}")).exists():
        os.truncate(segment, 0)
        segment.unlink()
        number += 1
    os.truncate(file, 0)


def stretch_all(sizes: Mapping[Path, int]) -> None:
    for file, pages in sizes.items():
        stretch(file, pages)


def shrink_all(files: Sequence[Path]) -> None:
    for file in files:
        shrink(file)


def relation_rows(tables: Sequence[Table]) -> tuple[list[object], ...]:
    """Give the arguments of RELATIONS; a partitioned table's size is that of its partitions."""
    plain = [table for table in tables if table.kind != "p"]
    return (
        [table.schema for table in plain],
        [table.name for table in plain],
        [table.pages for table in plain],
        [table.rows for table in plain],
        [table.all_visible for table in plain],
    )


def column_rows(tables: Sequence[Table], with_parts: frozenset[int]) -> tuple[list[object], ...]:
    """Give the arguments of COLUMNS; `with_parts` have rows in other tables, too."""
    rows = [
        (table.schema, table.name, *_numbers(column, known), inherited)
        for table in tables
        for column in table.columns
        if (known := column.statistics) is not None
        for inherited in kinds_of(table, with_parts)
    ]
    order = (0, 1, 2, 9, 3, 4, 5, 6, 7, 8)
    return tuple([row[at] for row in rows] for at in order)


def expression_rows(indexes: Mapping[tuple[str, str], tuple[Table, Sequence[IndexKey]]]) -> tuple[list[object], ...]:
    """Give the arguments of EXPRESSIONS for indexes by full name: case is folded, so its column's numbers hold."""
    rows = [
        (schema, name, place, known.null_frac, known.avg_width, known.n_distinct)
        for (schema, name), (table, keys) in indexes.items()
        for place, key in enumerate(keys, start=1)
        if (known := _folded(table, key))
    ]
    return tuple([row[at] for row in rows] for at in range(6))


def _folded(table: Table, key: IndexKey) -> ColumnStatistics | None:
    found = _FAITHFUL.fullmatch(key.expression) if not key.column else None
    column = table.by_name.get(unquoted(found[1])) if found else None
    return column.statistics if column else None


def unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def kinds_of(table: Table, with_parts: frozenset[int]) -> Iterator[bool]:
    """Tell which statistics a table has: of its own rows (False), of those below it as well (True)."""
    if table.kind != "p":
        yield False
    if table.kind == "p" or table.oid in with_parts:
        yield True


def _numbers(column: Column, known: ColumnStatistics) -> tuple[object, ...]:
    values = known.values if len(known.values) == len(known.frequencies) else ()
    return (
        column.name,
        known.null_frac,
        known.avg_width,
        known.n_distinct,
        known.correlation,
        _array(values) if values else None,
        _array(tuple(str(each) for each in known.frequencies)) if values else None,
    )


def _array(values: Sequence[str]) -> str:
    escaped = (each.replace("\\", "\\\\").replace('"', '\\"') for each in values)
    return "{" + ",".join(f'"{each}"' for each in escaped) + "}"
