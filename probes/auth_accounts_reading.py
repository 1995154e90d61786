"""One reading of auth.users and auth.identities: how many accounts are in which state, and with which fault."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.probe import Memory, Needs, ProbeSkipped, Row, Session, identifier, number, sight, sight_accounts
from probes.auth_accounts_kept import Kept
from probes.auth_links_discovery import gotrue
from probes.auth_links_options import AuthOptions
from probes.auth_sight import Asking, Way, advised, as_list, seeing, ways
from probes.auth_sweep import Span, Visit

SECRET = ("tokens", "cases", "emails")
"""Topics that need columns which are not all granted to anybody."""

STATES = ("confirmed", "unconfirmed", "invited", "anonymous", "banned", "deleted")

# $1 schema.
CHANGES = f"""
    select c.relname::text as relation,
           c.reltuples::float8 as estimate,
           {sight.changed("c")} as changes
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
    total: int = 0
    """How many accounts were looked at."""
    whole: bool = False
    part: float = 0.0
    unread: Mapping[str, Unread] = field(default_factory=dict)
    """By topic."""
    columns: frozenset[str] = frozenset()
    """The columns of users, as this level of GoTrue has them."""
    roles: Sequence[str] = ()
    """The database's roles that stand in rows of users."""
    turned_at: float | None = None
    """When the last full turn ended, in seconds since 1970."""
    usual: float = 0.0
    """The share of a week's sign-ups that was unconfirmed one to five weeks ago, as it was then; 0: not known."""

    @property
    def users(self) -> str:
        """Give the table's name as it stands in SQL."""
        return identifier(self.schema, "users")

    def count(self, name: str) -> int:
        """Give one count; the confirmed are those in no other state."""
        if name == "confirmed":
            return self.total - sum(self.count(state) for state in STATES[1:])
        return self.counts.get(name, 0)

    @property
    def roles_counted(self) -> Mapping[str, int]:
        """Give the counts of users with an unusual role, named as `role_count` does."""
        return {name: count for name, count in self.counts.items() if name.startswith("role:") and count}

    def unable(self, topic: str) -> Unread | None:
        """Say why nothing is known of a topic ("users", "identities", "emails", "tokens" or "cases"); None: it is."""
        for each in ("users", *(("identities",) if topic == "emails" else ()), topic):
            if each in self.unread:
                return self.unread[each]
        unread = self.count(f"{topic}_unread")
        if not unread:
            return None
        if unread < self.total:
            return Unread(reason=f"{self.users} was not looked at anew since more of it can be seen", needs=Needs.TIME)
        return self._lacking("identities" if self.count("identities_unread") and topic == "emails" else topic)

    def _lacking(self, topic: str) -> Unread:
        identities = identifier(self.schema, "identities")
        reasons = {
            "identities": f"{identities} has no index that begins with user_id, as GoTrue makes it",
            "cases": f"{self.users} has no index on (instance_id, lower(email)), as GoTrue makes it",
            "emails": f"{identities} has no column email at this level of GoTrue",
            "tokens": f"{self.users} has no token columns",
        }
        return Unread(reason=reasons[topic], needs=Needs.SETTING if topic in ("identities", "cases") else None)

    def older(self, what: str, days: int) -> int:
        """Count those of one kind that are at least so old; `days` is one of AGES."""
        first = sight_accounts.AGES.index(days) + 1
        return sum(self.count(f"{what}:{number}") for number in range(first, len(sight_accounts.AGES) + 1))


async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Look at some slices; raises ProbeSkipped where there is no GoTrue."""
    if not isinstance(options, AuthOptions):
        raise TypeError(options)
    columns = await gotrue(session, options)
    tables = {str(row["relation"]): row for row in await session.fetch(CHANGES, options.schema)}
    shown = await _sight(session, options.schema, identities="identities" in tables)
    if shown.way is None:
        return rows_of(Accounts(schema=options.schema, unread=shown.unread))
    kept = memory.of(Kept)
    marks: dict[str, object] = {f"changes of {name}": row["changes"] for name, row in tables.items()}
    marks |= {f"sees {name}": name not in shown.unread for name in ("tokens", "identities")} | {"columns": len(columns)}
    if session.facts.in_recovery or not kept.rests(marks):
        await kept.turn(_visitor(shown, shown.way, options.grace), marks, options.seconds_beside)
        kept.note()
    reading = Accounts(
        schema=options.schema,
        counts=kept.counts,
        total=kept.sweep.rows,
        whole=kept.sweep.whole,
        part=kept.sweep.progress(number(tables["users"], "estimate")),
        unread=shown.unread,
        columns=columns,
        roles=await _roles(session, kept.counts),
        turned_at=kept.sweep.turned_at,
        usual=kept.usual(),
    )
    return rows_of(reading)


@dataclass(frozen=True, kw_only=True)
class _Sight:
    """The way that shows most, and what it does not show."""

    way: Way | None
    unread: Mapping[str, Unread]


async def _sight(session: Session, schema: str, *, identities: bool) -> _Sight:
    """Choose the way that shows all of users; of these one that may look at secrets, and at identities."""
    known = await ways(session, schema, sight_accounts.ACCOUNTS.functions)
    able, hidden = await seeing(known, schema, "users", sight_accounts.USERS)
    if hidden:
        return _Sight(way=None, unread={"users": _hidden(hidden)})
    trusted, hidden = await seeing(able, schema, "users", sight_accounts.SECRETS)
    unread = dict.fromkeys(SECRET, _hidden(hidden)) if hidden else {}
    able, columns = trusted or able, sight_accounts.IDENTITIES
    if not identities:
        unread["identities"] = Unread(reason=f"there is no {identifier(schema, 'identities')}", needs=None)
        return _Sight(way=able[0], unread=unread)
    wanted = columns if hidden else (*columns, *sight_accounts.SECRET_IDENTITIES)
    wide, hidden = await seeing(able, schema, "identities", wanted)
    if hidden:
        unread["identities"] = _hidden(hidden)
    return _Sight(way=(wide or able)[0], unread=unread)


def _hidden(reason: str) -> Unread:
    return Unread(reason=advised(reason), needs=Needs.RIGHTS)


@dataclass(frozen=True, kw_only=True)
class _Visitor:
    """Looks at slices, in the way that shows most."""

    asking: Asking
    grace: float

    async def __call__(self, span: Span, _: Mapping[int, int]) -> Visit:
        """Count the accounts of one slice. Its bounds are an id's first digits, "" where the table begins or ends."""
        row = await self.asking.ask(span.after or "", span.until or "", span.rows, self.grace)
        counts = zip(as_list(row["names"]), as_list(row["numbers"]), strict=True)
        return Visit(
            upto=str(row["upto"]) or None,
            rows=int(number(row, "users")),
            counts={str(name): int(str(count)) for name, count in counts},
        )


def _visitor(shown: _Sight, way: Way, grace: float) -> _Visitor:
    place = (way.schema, "tokens" not in shown.unread, "identities" not in shown.unread)
    what = identifier(way.schema, "users")
    return _Visitor(asking=Asking(way=way, function=sight_accounts.COUNT, place=place, what=what), grace=grace)


async def _roles(session: Session, counts: Mapping[str, int]) -> list[str]:
    """Name those of the database's roles that stand in users."""
    if not any(name.startswith("role:") and count for name, count in counts.items()):
        return []
    names = [str(row["name"]) for row in await session.fetch(ROLES)]
    return [name for name in names if counts.get(role_count(name))]


def rows_of(reading: Accounts) -> list[Row]:
    """Give a row for each state, all with the reading; numbers once every account was looked at."""
    return [
        {"state": state, "users": reading.count(state) if reading.whole else None, "reading": reading}
        for state in STATES
    ]


def accounts_of(rows: Sequence[Row]) -> Accounts:
    """Give the reading of a measurement's rows; raises ProbeSkipped where there is none."""
    reading = rows[0]["reading"] if rows else None
    if not isinstance(reading, Accounts):
        raise ProbeSkipped("nothing was read", Needs.TIME)
    return reading
