"""By which way we see auth.users and each table that links to it, for the page: no rule judges by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.probe import Memory, ProbeError, Row, Session, identifier
from probes.auth_sight import Way

ASIDE = "sight"
USERS, LINK = "users", "link"

# A role that bypasses row security, and an owner whose table does not force it on them, see it inactive.
HOW = """
    select u.schema, u."table",
           case when not u.own then 'functions'
                when pg_catalog.row_security_active(c.oid) then 'policy'
                when me.rolsuper then 'superuser'
                when me.rolbypassrls then 'bypassrls'
                when c.relrowsecurity then 'owner'
                else 'open' end as way
      from unnest($1::text[], $2::text[], $3::bool[]) as u (schema, "table", own)
      join pg_catalog.pg_namespace n on n.nspname = u.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = u."table"
     cross join (select rolsuper, rolbypassrls
                   from pg_catalog.pg_roles
                  where rolname = current_user) me
"""


@dataclass(frozen=True, kw_only=True)
class Sighted:
    """One table: seen by our own role or through lent functions, or hidden by `reason`."""

    schema: str
    table: str
    of: str
    own: bool = False
    reason: str = ""


class Sights:
    """What the last look was had by; filled while links are read."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], Sighted] = {}

    def begin(self, schema: str, ways: Sequence[Way], hidden: str) -> None:
        """Begin a look with the table of users, and forget the last one."""
        own = bool(ways) and not ways[0].lent
        self._tables = {(schema, "users"): Sighted(schema=schema, table="users", of=USERS, own=own, reason=hidden)}

    def add(self, place: tuple[str, ...], way: Way | None, hidden: str = "") -> None:
        """Add a table that links to it."""
        schema, table = place[:2]
        self._tables[schema, table] = Sighted(
            schema=schema, table=table, of=LINK, own=way is not None and not way.lent, reason=hidden
        )

    @property
    def tables(self) -> Mapping[tuple[str, str], Sighted]:
        """Give the tables that were looked at."""
        return self._tables


async def sight(session: Session, memory: Memory) -> Sequence[Row]:
    """Give a row a table: whether it is seen, by which way, else why not."""
    tables = memory.of(Sights).tables
    seen = [each for each in tables.values() if not each.reason]
    schemas, names, own = [each.schema for each in seen], [each.table for each in seen], [each.own for each in seen]
    try:
        known = await session.fetch(HOW, schemas, names, own) if seen else ()
    except ProbeError:  # what is only shown spoils no judgement
        known = ()
    ways = {(row["schema"], row["table"]): row["way"] for row in known}
    return [*_rows(tables, ways)]


def _rows(tables: Mapping[tuple[str, str], Sighted], ways: Mapping[tuple[object, object], object]) -> Iterator[Row]:
    for place, each in tables.items():
        way = ways.get(place, "")
        if way or each.reason:
            named = {"of": each.of, "table": identifier(*place), "seen": 0.0 if each.reason else 1.0}
            yield {**named, "way": way, "reason": each.reason}
