"""Which of GoTrue's tables and columns are here, and by which way each of them is seen whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.probe import Needs, ProbeSkipped, Row, Session, identifier, number, sight_sessions
from probes.auth_sight import Way, advised, as_list, seeing, ways

READS = {
    "users": ("users", "sessions", "refresh_tokens"),
    "sessions": ("sessions", "mfa_factors", "webauthn_credentials"),
    "refresh_tokens": ("refresh_tokens", "sessions", "users"),
    "flow_state": ("flow_state", "users"),
}
"""The tables that are read to go through one; others are read alone."""

MUST = {
    "users": ("users.id", "sessions.id", "sessions.user_id", "refresh_tokens.session_id", "refresh_tokens.revoked"),
    "sessions": ("sessions.user_id", "sessions.updated_at"),
    "refresh_tokens": (
        *(f"refresh_tokens.{column}" for column in sight_sessions.NEEDED["refresh_tokens"]),
        "users.id",
    ),
    "mfa_factors": ("mfa_factors.status", "mfa_factors.created_at"),
    "one_time_tokens": ("one_time_tokens.created_at",),
    "flow_state": ("flow_state.user_id", "flow_state.created_at"),
    "mfa_challenges": ("mfa_challenges.created_at",),
}
"""Without these a table is not gone through: so old a GoTrue is not known here."""

# $1 schema, $2 tables. Partitioned tables and views are not GoTrue's.
PRESENT = """
    select c.relname::text as table,
           greatest(c.reltuples, 0)::float8 as rows,
           c.relpages::float8 as blocks,
           array(select a.attname::text
                   from pg_catalog.pg_attribute a
                  where a.attrelid = c.oid and not a.attisdropped) as columns
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1::text
       and c.relname = any ($2::text[])
       and c.relkind = 'r'
"""


def looked_at(table: str) -> Sequence[str]:
    """Name the tables that are read to go through one."""
    return READS.get(table, (table,))


@dataclass
class Sights:
    """What is here, and by which ways; each table's sight is asked once a run."""

    schema: str
    ways: Sequence[Way]
    present: Mapping[str, Row]
    _able: dict[str, tuple[Sequence[Way], str]] = field(default_factory=dict)

    @classmethod
    async def asked(cls, session: Session, schema: str) -> Sights:
        """Ask the server."""
        rows = await session.fetch(PRESENT, schema, list(sight_sessions.NEEDED))
        able = await ways(session, schema, (sight_sessions.SLICE,))
        return cls(schema, able, {str(row["table"]): row for row in rows})

    def weight(self, table: str) -> float:
        """Give about how much there is to go through, as slices weigh it."""
        if table not in self.present:
            return 0.0
        if table == "refresh_tokens":
            return number(self.present[table], "rows") * sight_sessions.TOKEN
        return number(self.present[table], "blocks") * sight_sessions.BLOCK

    @property
    def columns(self) -> frozenset[str]:
        """Name all columns that are here."""
        return frozenset(f"{table}.{name}" for table, row in self.present.items() for name in as_list(row["columns"]))

    @property
    def lacks(self) -> frozenset[str]:
        """Name the columns we know of that are not here."""
        known = {f"{table}.{name}" for table, names in sight_sessions.NEEDED.items() for name in names}
        return frozenset(known - self.columns)

    async def way(self, table: str) -> Way:
        """Give the way that shows all that is read to go through a table, the direct one for choice.

        Raises ProbeSkipped: with no needs where it is not here, for RIGHTS where it is hidden.
        """
        if table not in self.present:
            raise ProbeSkipped(f"there is no {identifier(self.schema, table)}", None)
        missing = sorted(set(MUST[table]) - self.columns)
        if missing:
            raise ProbeSkipped(f"this level of GoTrue has no {identifier(self.schema)}.{missing[0]}", None)
        able = list(self.ways)
        for each in looked_at(table):
            if each in self.present:
                seen, hidden = await self._sees(each)
                able = [way for way in able if way in seen]
                if not able:
                    raise ProbeSkipped(advised(hidden), Needs.RIGHTS)
        return able[0]

    async def _sees(self, table: str) -> tuple[Sequence[Way], str]:
        if table not in self._able:
            here = as_list(self.present[table]["columns"])
            columns = [name for name in sight_sessions.NEEDED[table] if name in here]
            self._able[table] = await seeing(self.ways, self.schema, table, columns)
        return self._able[table]
