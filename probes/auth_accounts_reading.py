"""One reading of auth.users and auth.identities: how many accounts are in which state, and with which fault."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from monitor.probe import Memory, Needs, ProbeSkipped, Row, Session, identifier, number, sight_accounts
from probes.auth_links_discovery import gotrue
from probes.auth_links_options import AuthOptions
from probes.auth_sight import RUN_GRANTS, Way, as_list, seeing, ways
from probes.auth_sweep import Span, Sweep, Visit, Visitor

STATES = ("confirmed", "unconfirmed", "invited", "anonymous", "banned", "deleted")

FIRST_SECONDS, SECONDS = 3.0, 0.5
"""What the first run may take, and each after it: under 1 % of a minute."""

REST = 10_000
"""So many times what a turn took it is not begun anew while nothing changes; a day at most: accounts grow older."""

DAY = 86400.0

# $1 schema. Counters of what changed, as cheap as they come: no view is asked.
CHANGES = """
    select c.relname::text as relation,
           c.reltuples::float8 as estimate,
           pg_catalog.pg_stat_get_tuples_inserted(c.oid)
           + pg_catalog.pg_stat_get_tuples_updated(c.oid)
           + pg_catalog.pg_stat_get_tuples_deleted(c.oid) as changes
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1::text
       and c.relname in ('users', 'identities')
       and c.relkind in ('r', 'p')
"""

ROLES = "select rolname::text as name from pg_catalog.pg_roles order by 1 limit 10000"


def role_count(role: str) -> str:
    """Name the count of the users with this role: it comes by its md5."""
    return f"role:{hashlib.md5(role.encode(), usedforsecurity=False).hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class Unread:
    """Why something could not be counted; `needs` None: it does not exist here."""

    reason: str
    needs: Needs | None


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """What is known of all accounts: counts by name, how much of the table was looked at, and what was not."""

    schema: str
    counts: Mapping[str, int] = field(default_factory=dict)
    whole: bool = False
    part: float = 0.0
    unread: Mapping[str, Unread] = field(default_factory=dict)
    """By "users", "identities", "emails" (those of identities), "tokens" and "cases"."""
    columns: frozenset[str] = frozenset()
    """The columns of users, as this level of GoTrue has them."""
    roles: Sequence[str] = ()
    """The database's roles that stand in rows of users."""

    @property
    def users(self) -> str:
        """Give the table's name as it stands in SQL."""
        return identifier(self.schema, "users")

    def count(self, name: str) -> int:
        """Give one count."""
        return self.counts.get(name, 0)

    def older(self, what: str, days: int) -> int:
        """Count those of one kind that are at least so old; `days` is one of AGES."""
        first = sight_accounts.AGES.index(days) + 1
        return sum(self.count(f"{what}:{number}") for number in range(first, len(sight_accounts.AGES) + 1))


class Kept:
    """What is kept between readings of one database, also over a restart: the sweep, and when it may rest."""

    def __init__(self) -> None:
        self.sweep = Sweep()
        self._names: frozenset[str] = frozenset()
        self._began: Mapping[str, int] = {}
        """What had changed when the running turn began, and `_turned` when the last finished one did."""
        self._turned: Mapping[str, int] | None = None
        self._spent = 0.0
        """Seconds of the running turn, and `_cost` of the last finished one."""
        self._cost = 0.0

    @property
    def counts(self) -> Mapping[str, int]:
        """Add up what each slice showed when it was last looked at."""
        return {name: self.sweep.total(name) for name in self._names}

    def rests(self, changes: Mapping[str, int]) -> bool:
        """Tell whether nothing changed since the last turn began, and that is not long ago for what it took."""
        turned_at = self.sweep.turned_at
        if turned_at is None or self.sweep.turning or changes != self._turned:
            return False
        return time.time() - turned_at < min(DAY, REST * self._cost)

    async def turn(self, visit: Visitor, changes: Mapping[str, int]) -> None:
        """Go on with the turn, or begin one."""
        if not self.sweep.turning:
            self._began, self._spent = changes, 0.0
        before = time.monotonic()
        await self.sweep.run(self._noting(visit), SECONDS if self.sweep.whole else FIRST_SECONDS)
        self._spent += time.monotonic() - before
        if not self.sweep.turning:
            self._turned, self._cost = self._began, self._spent

    def _noting(self, visit: Visitor) -> Visitor:
        async def noted(span: Span, suspects: Mapping[int, int]) -> Visit:
            seen = await visit(span, suspects)
            self._names |= seen.counts.keys()
            return seen

        return noted

    def document(self) -> object:
        """Give the sweep, and the names of its counts; a restart begins with a look at what is next."""
        return {"sweep": self.sweep.document(), "names": sorted(self._names)} if self._names else None

    def restore(self, document: object) -> None:
        """Take both up, where they can be read."""
        if isinstance(document, dict) and isinstance(names := document.get("names"), list):
            self.sweep.restore(document.get("sweep"))
            self._names = frozenset(str(name) for name in names)


async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Look at some slices; raises ProbeSkipped where there is no GoTrue."""
    if not isinstance(options, AuthOptions):
        raise TypeError(options)
    columns = await gotrue(session, options)
    tables = {str(row["relation"]): row for row in await session.fetch(CHANGES, options.schema)}
    sight = await _sight(session, options.schema, identities="identities" in tables)
    if sight.way is None:
        return rows_of(Accounts(schema=options.schema, unread=sight.unread), None)
    kept = memory.of(Kept)
    marks = {f"changes of {name}": int(number(row, "changes")) for name, row in tables.items()}
    marks |= {f"sees {name}": name not in sight.unread for name in ("tokens", "identities")} | {"columns": len(columns)}
    if session.facts.in_recovery or not kept.rests(marks):
        await kept.turn(partial(_visit, sight, options.grace), marks)
    reading = Accounts(
        schema=options.schema,
        counts=kept.counts,
        whole=kept.sweep.whole,
        part=kept.sweep.progress(number(tables["users"], "estimate")),
        unread=sight.unread,
        columns=columns,
        roles=await _roles(session, kept.counts),
    )
    return rows_of(reading, kept.sweep.turned_at)


@dataclass(frozen=True, kw_only=True)
class _Sight:
    """The way that shows most, and what it does not show."""

    way: Way | None
    unread: Mapping[str, Unread]


async def _sight(session: Session, schema: str, *, identities: bool) -> _Sight:
    """Choose the way that shows all of users; then one that may look into the tokens, and at identities."""
    known = await ways(session, schema, sight_accounts.ACCOUNTS.functions)
    able, hidden = await seeing(known, schema, "users", sight_accounts.USERS)
    if hidden:
        return _Sight(way=None, unread={"users": Unread(reason=f"{hidden}. {RUN_GRANTS}", needs=Needs.RIGHTS)})
    unread: dict[str, Unread] = {}
    trusted, hidden = await seeing(able, schema, "users", sight_accounts.TOKENS)
    if hidden:
        unread["tokens"] = Unread(reason=f"{hidden}. {RUN_GRANTS}", needs=Needs.RIGHTS)
    able = trusted or able
    if not identities:
        unread["identities"] = Unread(reason=f"there is no {identifier(schema, 'identities')}", needs=None)
        return _Sight(way=able[0], unread=unread)
    wide, hidden = await seeing(able, schema, "identities", sight_accounts.IDENTITIES)
    if hidden:
        unread["identities"] = Unread(reason=f"{hidden}. {RUN_GRANTS}", needs=Needs.RIGHTS)
    return _Sight(way=(wide or able)[0], unread=unread)


async def _visit(sight: _Sight, grace: float, span: Span, _: Mapping[int, int]) -> Visit:
    """Count the accounts of one slice."""
    way = sight.way
    if way is None:
        raise TypeError(way)
    parts = ("tokens" not in sight.unread, "identities" not in sight.unread)
    if way.lent:
        rows = await way.session.fetch(
            sight_accounts.COUNT.call, way.schema, *parts, span.after, span.until, span.rows, grace
        )
    else:
        written = await way.session.fetch(sight_accounts.WRITE_ACCOUNTS, way.schema, *parts)
        if not written:
            raise ProbeSkipped(f"{identifier(way.schema, 'users')} was changed just now", Needs.TIME)
        rows = await way.session.fetch(str(written[0]["statement"]), span.after, span.until, span.rows, grace)
    counts = {str(name): int(str(count)) for name, count in zip(*map(as_list, (rows[0]["names"], rows[0]["numbers"])))}
    upto = rows[0]["upto"]
    return Visit(upto=None if upto is None else str(upto), rows=counts.get("users", 0), counts=counts)


async def _roles(session: Session, counts: Mapping[str, int]) -> list[str]:
    """Name those of the database's roles that stand in users."""
    if not any(name.startswith("role:") and count for name, count in counts.items()):
        return []
    names = [str(row["name"]) for row in await session.fetch(ROLES)]
    return [name for name in names if counts.get(role_count(name))]


def rows_of(reading: Accounts, turned_at: float | None) -> list[Row]:
    """Give a row for each state; the reading itself stands in the first."""
    known = reading.whole
    return [
        {"state": state, "users": reading.count(state) if known else None, "reading": reading, "turned_at": turned_at}
        for state in STATES
    ]


def accounts_of(rows: Sequence[Row]) -> Accounts:
    """Give the reading of a measurement's rows; raises ProbeSkipped where there is none."""
    reading = rows[0]["reading"] if rows else None
    if not isinstance(reading, Accounts):
        raise ProbeSkipped("nothing was read", Needs.TIME)
    return reading
