"""The connection slots: who holds them, how near each limit is, and which transactions stay open too long.

Only client backends take slots of max_connections (walsenders, background workers and autovacuum have their own).
Cost: 1.4 times a bare count of pg_stat_activity, 3 ms of server CPU for 500 sessions; no statement's text, no address.
Limits: the 50 largest groups of sessions, the 100 fullest limits and the 200 oldest transactions are told apart.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Kind,
    Measurement,
    Memory,
    Metric,
    Needs,
    NoVerdict,
    Object,
    Probe,
    Remedy,
    Row,
    Rule,
    Scope,
    Session,
    Severity,
    duration,
    identifier,
    literal,
    number,
    plural,
    share,
)

# `own` are the monitor's sessions (its replicas' too): they count, but nobody is accused of them.
# Sessions are added up before anything is joined: the planner takes the function for one row, and would loop.
# pg_blocking_pids locks the lock table, so it is asked for at most 100 waiting sessions.
SQL = """
    with activity as materialized (
        select pid, datid, usesysid, application_name, state, xact_start, state_change, backend_xid, backend_xmin,
               wait_event_type is not distinct from 'Lock' as waits,
               xact_start is not null and state like 'idle in transaction%' as idle,
               application_name = 'pgarchitect'
               and usesysid = (select oid from pg_catalog.pg_roles where rolname = current_user) is true as own
          from pg_catalog.pg_stat_get_activity(null)
         where backend_type = 'client backend'
    ),
    groups as materialized (
        select datid, usesysid, application_name, state,
               count(*) as sessions,
               count(*) filter (where own) as own_sessions,
               count(*) filter (where waits) as waiting_sessions,
               min(xact_start) filter (where not own) as began,
               min(state_change) filter (where idle) as rested
          from activity
         group by datid, usesysid, application_name, state
    ),
    limited as (
        select 'server' as kind, '' as name,
               current_setting('max_connections')::bigint
               - current_setting('superuser_reserved_connections')::bigint
               - coalesce(current_setting('reserved_connections', true)::bigint, 0) as slots_limit,
               sum(sessions) as slots_used,
               sum(own_sessions) as own_sessions,
               coalesce(extract(epoch from clock_timestamp() - min(began)), 0) as began_seconds,
               coalesce(extract(epoch from clock_timestamp() - min(rested)), 0) as rested_seconds
          from groups
         union all
        (select 'role', r.rolname::text, r.rolconnlimit,
                coalesce(sum(g.sessions), 0), coalesce(sum(g.own_sessions), 0), null, null
           from pg_catalog.pg_roles r
           left join groups g on g.usesysid = r.oid
          where r.rolconnlimit > 0 and r.rolcanlogin and not r.rolsuper
          group by r.rolname, r.rolconnlimit
          order by 4 desc, 2
          limit 100)
         union all
        (select 'database', d.datname::text, d.datconnlimit,
                coalesce(sum(g.sessions), 0), coalesce(sum(g.own_sessions), 0), null, null
           from pg_catalog.pg_database d
           left join groups g on g.datid = d.oid
          where d.datconnlimit > 0
          group by d.datname, d.datconnlimit
          order by 4 desc, 2
          limit 100)
    ),
    blocking as (
        select blocker as pid,
               count(distinct pid) as blocked,
               (array_agg(distinct application_name))[1:10] as blocked_applications
          from (select w.pid, w.application_name, unnest(pg_catalog.pg_blocking_pids(w.pid)) as blocker
                  from (select pid, application_name from activity where waits order by xact_start limit 100) w) b
         group by blocker
    ),
    old as (
        select a.*, b.blocked, b.blocked_applications
          from (select *
                  from activity
                 where xact_start <= clock_timestamp() - interval '0.2 s' and not own
                 order by xact_start
                 limit 200) a
          left join blocking b using (pid)
    )
    select 'group' as kind,
           coalesce((select datname::text from pg_catalog.pg_database where oid = datid), '') as database,
           coalesce((select rolname::text from pg_catalog.pg_roles where oid = usesysid), '') as role,
           application_name as application, coalesce(state, 'starting') as state,
           sessions, own_sessions, waiting_sessions,
           extract(epoch from clock_timestamp() - began)::float8 as oldest_transaction_seconds,
           extract(epoch from clock_timestamp() - rested)::float8 as oldest_idle_in_transaction_seconds,
           null::bigint as slots_used, null::bigint as slots_limit,
           null::int as pid, null::float8 as transaction_seconds, null::float8 as idle_seconds,
           null::int as held_transactions, null::bigint as blocked, null::text[] as blocked_applications
      from groups
     union all
    select kind, case when kind = 'database' then name else '' end,
           case when kind = 'role' then name else '' end, '', '', null, own_sessions::bigint, null, began_seconds::float8, rested_seconds::float8,
           slots_used::bigint, slots_limit, null, null, null, null, null, null
      from limited
     union all
    select 'transaction',
           coalesce((select datname::text from pg_catalog.pg_database where oid = datid), ''),
           coalesce((select rolname::text from pg_catalog.pg_roles where oid = usesysid), ''),
           application_name, coalesce(state, 'starting'),
           null, null, null, null, null, null, null,
           pid, extract(epoch from clock_timestamp() - xact_start)::float8,
           case when idle then extract(epoch from clock_timestamp() - state_change)::float8 end,
           greatest(age(backend_xmin), age(backend_xid)), coalesce(blocked, 0), coalesce(blocked_applications, '{}')
      from old
"""

TOLD = 50
"""How many groups of database, role and application are told apart; the rest is one group named `other`."""

LIMITS = ("server", "role", "database")
"""The kinds of rows that hold a limit."""

PIDS = 10
"""How many process ids a finding names."""

TIE = 1e-9
"""Keeps a quotient of whole numbers that equals a ratio on the ratio's side."""


def of_kind(seen: Measurement, kind: str) -> Iterator[Row]:
    """Give the rows of one kind."""
    return (row for row in seen.rows if row["kind"] == kind)


def holder(row: Row) -> str:
    """Name who holds sessions: `app_rw (checkout)`."""
    role, application = str(row["role"]), str(row["application"])
    return f"{identifier(role)} ({application})" if application else identifier(role)


@dataclass(frozen=True, kw_only=True)
class Saturation(Rule):
    """Connection slots run out.

    Why: when the last slot is taken, the next session is refused with `too many connections`; an application that then
    retries makes it worse. Counted are client sessions against max_connections without the reserved slots, and
    against each role's and database's CONNECTION LIMIT; a level counts as reached when used / limit equals its ratio.
    What to do: see who holds the slots and in which state. Idle ones: make that application's pool smaller, or put a
    transaction pooler before the server. Active ones: mend the slow statements first. `alter system set
    max_connections` is no first answer: it needs a restart, memory for each session, and moves the wall a little.
    When it is wrong: a limit that is meant to be used up, such as a pool of exactly that size; raise the ratios. Limits
    below `min_limit` are left out (a limit of 1 is a lock), as are limits that only the monitor itself uses.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "pool.saturation"
    area: ClassVar[Area] = Area.CAPACITY
    hold: float = 15.0
    keep: float = 60.0
    warning_ratio: float = 0.80
    critical_ratio: float = 0.95
    min_limit: float = 2.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in seen.rows:
            if row["kind"] not in LIMITS:
                continue
            used, limit = number(row, "slots_used"), number(row, "slots_limit")
            severity = self._severity(used / limit) if limit >= self.min_limit else None
            if severity is not None and used > number(row, "own_sessions"):
                yield self._accuse(seen, row, severity)

    def _severity(self, ratio: float) -> Severity | None:
        if ratio + TIE >= self.critical_ratio:
            return Severity.CRITICAL
        return self.severity if ratio + TIE >= self.warning_ratio else None

    def _accuse(self, seen: Measurement, row: Row, severity: Severity) -> Finding:
        used, limit = number(row, "slots_used"), number(row, "slots_limit")
        holders = holding(seen, row)
        idle = sum(number(each, "sessions") for each in holders if each["state"] == "idle")
        about = limited_object(row)
        return self.finding(
            seen,
            in_database=str(row["database"]) or None,
            subject=identifier(str(about.name)),
            object=about,
            severity=severity,
            summary=f"{used:.0f} of {plural(limit, 'slot')} used ({share(used, limit)}), {idle:.0f} of them idle",
            impact=refusal(row),
            remedy=Remedy(caution=advice(holders, idle, used)),
            count=round(used),
            limit_count=round(limit),
            ratio=round(used / limit, 3),
            idle=round(idle),
            holders=[f"{holder(each)}, {each['state']}: {number(each, 'sessions'):.0f}" for each in holders[:5]],
            warning_ratio=self.warning_ratio,
            critical_ratio=self.critical_ratio,
        )


def limited_object(row: Row) -> Object:
    """Name what has the limit: a role, a database, or the server's own pool."""
    kind = str(row["kind"])
    return Object("pool", name="max_connections") if kind == "server" else Object(kind, name=str(row[kind]))


def holding(seen: Measurement, limit: Row) -> Sequence[Row]:
    """Give the groups under one limit, the largest first, without the monitor's own sessions."""
    under = (
        {**row, "sessions": number(row, "sessions") - number(row, "own_sessions")}
        for row in of_kind(seen, "group")
        if limit["kind"] == "server" or row[str(limit["kind"])] == limit[str(limit["kind"])]
    )
    return sorted((row for row in under if row["sessions"]), key=lambda row: -number(row, "sessions"))


def refusal(row: Row) -> str:
    """Say what happens at the limit, in the server's own words."""
    match row["kind"]:
        case "role":
            return f"then its next session is refused: too many connections for role {identifier(str(row['role']))}"
        case "database":
            return "then the next session in it is refused: too many connections for database"
    return "then every application's next session is refused, and retries make it worse"


STEPS = {
    "idle": "Make its pool smaller or let idle sessions go (the pool's idle timeout, idle_session_timeout); many "
    "processes with a pool each want a transaction pooler before the server.",
    "active": "Find what its statements wait for (statements.slow, sessions.blocking) before giving it more slots.",
    "": "Find the code that leaves transactions open (sessions.idle_in_transaction); ending those sessions frees the "
    "slots at once.",
}
"""What to do first, by the state most sessions are in."""

LAST = "A higher limit is the last answer: max_connections needs a restart and memory for each session."


def advice(holders: Sequence[Row], idle: float, used: float) -> str:
    """Say where to begin: with idle sessions where they are the many, else with what the busy ones do."""
    state = "idle" if 2 * idle >= used else "idle in transaction" if leaked(holders, used) else "active"
    chief = next((row for row in holders if row["state"] == state), holders[0])
    count, doing = number(chief, "sessions"), str(chief["state"])
    many = f"{holder(chief)} holds {plural(count, 'session')} in state {doing}."
    return f"{many} {STEPS.get(doing, STEPS[''])} {LAST}"


def leaked(holders: Sequence[Row], used: float) -> bool:
    """Tell whether sessions idle in a transaction are at least a third of all."""
    return 3 * sum(number(row, "sessions") for row in holders if str(row["state"]).startswith("idle in")) >= used


@dataclass(frozen=True, kw_only=True)
class OpenTransactions(Rule):
    """What the two rules about open transactions share: one finding a database, role and application."""

    area: ClassVar[Area] = Area.CAPACITY
    keep: float = 30.0
    warning_after: float = 300.0
    critical_after: float = 900.0

    def verdicts(self, seen: Measurement, ages: Iterable[tuple[float, Row]]) -> Iterator[Finding | NoVerdict]:
        """Accuse each group's oldest; of sessions that do not report their state nothing is known."""
        groups: dict[tuple[str, str], list[tuple[float, Row]]] = {}
        for age, row in ages:
            if age >= self.warning_after:
                groups.setdefault((str(row["database"]), holder(row)), []).append((age, row))
        for (database, subject), found in groups.items():
            found.sort(key=lambda each: -each[0])
            yield self.accuse(seen, database, subject, found)
        for row in of_kind(seen, "group"):
            if row["state"] == "disabled":
                reason = (
                    f"{plural(number(row, 'sessions'), 'session')} with track_activities off: ages are not reported"
                )
                yield NoVerdict(reason=reason, needs=Needs.SETTING, subject=holder(row))

    def accuse(self, seen: Measurement, database: str, subject: str, found: Sequence[tuple[float, Row]]) -> Finding:
        """Accuse one group; `found` is its transactions with their ages, the oldest first."""
        oldest, rows = found[0][0], [row for _, row in found]
        return self.finding(
            seen,
            in_database=database or None,
            subject=subject,
            object=Object("session", name=str(rows[0]["role"])),
            severity=Severity.CRITICAL if oldest >= self.critical_after else self.severity,
            summary=self.summary(oldest, rows),
            impact=harm(rows),
            remedy=self.remedy(database, rows),
            count=len(rows),
            oldest_seconds=round(oldest, 1),
            oldest_transaction_seconds=round(max(number(row, "transaction_seconds") for row in rows), 1),
            pids=[round(number(row, "pid")) for row in rows[:PIDS]],
            states=sorted({str(row["state"]) for row in rows}),
            blocked=blocked(rows),
            blocked_applications=victims(rows),
            held_transactions=held(rows),
            warning_after=self.warning_after,
            critical_after=self.critical_after,
        )

    def summary(self, oldest: float, rows: Sequence[Row]) -> str:
        """Say how many and how old."""
        raise NotImplementedError

    def remedy(self, database: str, rows: Sequence[Row]) -> Remedy:
        """Say how to end them and how to keep them from coming back."""
        raise NotImplementedError


def blocked(rows: Sequence[Row]) -> int:
    """Count the sessions that wait for these."""
    return round(sum(number(row, "blocked") for row in rows))


def victims(rows: Sequence[Row]) -> Sequence[str]:
    """Name the applications whose sessions wait for these."""
    lists = (row["blocked_applications"] for row in rows)
    return sorted({str(name) for names in lists if isinstance(names, list) for name in names})[:10]


def held(rows: Sequence[Row]) -> int | None:
    """Count the transactions since the oldest snapshot or id these keep; None when they keep none."""
    return max(
        (round(number(row, "held_transactions")) for row in rows if row["held_transactions"] is not None), default=None
    )


def harm(rows: Sequence[Row]) -> str:
    """Name what open transactions block and hold back."""
    waiting, behind, names = blocked(rows), held(rows), ", ".join(filter(None, victims(rows)))
    parts = []
    if waiting:
        whose = f" of {names}" if names else ""
        parts.append(f"{plural(waiting, 'session')}{whose} {'waits' if waiting == 1 else 'wait'} for its locks")
    if behind is not None:
        parts.append(f"vacuum keeps every row that died in the last {plural(behind, 'transaction')} of its database")
    return "; ".join(parts) or HARMLESS_YET


HARMLESS_YET = "it keeps a slot and its locks: a schema change would wait for it, and everybody else behind that"


@dataclass(frozen=True, kw_only=True)
class IdleInTransaction(OpenTransactions):
    """Sessions sit idle inside an open transaction.

    Why: the transaction keeps its locks and its snapshot while its owner does something else or forgot it: others wait,
    vacuum cannot clean up, the slot is lost. Age is the time since its last statement ended; a level counts as
    reached when the age equals it.
    What to do: find the code path that does not commit or roll back (an exception, a network call inside the
    transaction). End the sessions in the evidence with pg_terminate_backend(pid), and give the role an
    idle_in_transaction_session_timeout so that the server ends the next ones. One finding a database, role and
    application, so that it stays the same finding when the process ids change.
    When it is wrong: a person in psql with a transaction open on purpose, or a migration that waits for an answer.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "sessions.idle_in_transaction"

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        idle = (row for row in of_kind(seen, "transaction") if row["idle_seconds"] is not None)
        yield from self.verdicts(seen, ((number(row, "idle_seconds"), row) for row in idle))

    def summary(self, oldest: float, rows: Sequence[Row]) -> str:
        """Say how many and how old."""
        return f"{plural(len(rows), 'session')} idle in a transaction, the oldest for {duration(oldest)}"

    def remedy(self, database: str, rows: Sequence[Row]) -> Remedy:
        """Keep the next ones short by a timeout of the role; the present ones are ended by hand."""
        pids = ", ".join(f"{number(row, 'pid'):.0f}" for row in rows[:PIDS])
        caution = (
            f"The setting is for new sessions of the role, of whatever application; end the present ones with "
            f"select pg_terminate_backend(pid), one by one: {pids}. Both need the role itself, or an owner of it "
            "(pg_signal_backend to end a session); the rollback forgets a value that was set before."
        )
        role = str(rows[0]["role"])
        if not role or not database:
            return Remedy(caution=caution)
        whose = f"alter role {identifier(role)} in database {identifier(database)}"
        value = literal(f"{max(round(self.warning_after), 1)}s")
        return Remedy(
            sql=(f"{whose} set idle_in_transaction_session_timeout = {value}",),
            rollback=(f"{whose} reset idle_in_transaction_session_timeout",),
            caution=caution,
        )


@dataclass(frozen=True, kw_only=True)
class LongTransaction(OpenTransactions):
    """A transaction runs for very long.

    Why: as long as it is open, vacuum keeps every row version it might still see, in every table of the database (on
    a standby with hot_standby_feedback: on the primary), and its locks stand. Tables and indexes grow meanwhile.
    What to do: if nobody waits for its result, end it: pg_cancel_backend(pid), then pg_terminate_backend(pid). Cut
    batches into parts that commit; let reports run on a standby; give the role a statement_timeout, from PostgreSQL
    17 on a transaction_timeout.
    When it is wrong: backups and reports that are meant to be long. `except_applications` leaves out pg_dump, which
    nobody would end; `vacuum` and `create index concurrently` of a person are not told from other work, as no
    statement's text is read. Autovacuum and replication are never counted. A session that has been idle in its
    transaction for `idle_after` seconds, or for half of the transaction's age, belongs to sessions.idle_in_transaction.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "sessions.long_transaction"
    warning_after: float = 1800.0
    critical_after: float = 3600.0
    idle_after: float = 300.0
    except_applications: tuple[str, ...] = ("pg_dump",)

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        rows = (row for row in of_kind(seen, "transaction") if row["application"] not in self.except_applications)
        yield from self.verdicts(
            seen, ((number(row, "transaction_seconds"), row) for row in rows if not self._idle(row))
        )

    def _idle(self, row: Row) -> bool:
        if row["idle_seconds"] is None:
            return False
        return number(row, "idle_seconds") >= min(self.idle_after, number(row, "transaction_seconds") / 2)

    def summary(self, oldest: float, rows: Sequence[Row]) -> str:
        """Say how many and how old."""
        return f"{plural(len(rows), 'transaction')} open for long, the oldest for {duration(oldest)}"

    def remedy(self, database: str, rows: Sequence[Row]) -> Remedy:
        """Leave it to a person: nobody knows here whether its result is waited for."""
        pids = ", ".join(f"{number(row, 'pid'):.0f}" for row in rows[:PIDS])
        return Remedy(
            caution=f"If nobody waits for the result, end it: select pg_cancel_backend(pid), then "
            f"select pg_terminate_backend(pid), with pid one of {pids}; its work so far is rolled back."
        )


_SECRETS = re.compile(r"((?:pass\w*|pwd|secret|token|key)=)\S+", re.IGNORECASE)
_ADDRESSES = re.compile(r"[^\s/@]+(?::[^\s@]*)?@(\S+\.[a-z]{2,})?", re.IGNORECASE)


def safe(name: object) -> str:
    """Take out what an application's name should not hold: passwords, the user of an address, e-mail addresses."""
    return _ADDRESSES.sub("***@", _SECRETS.sub(r"\1***", str(name)))


def told_apart(groups: Sequence[Row]) -> Iterator[Row]:
    """Keep the largest groups of database, role and application; add the others up, state by state."""
    named = [{**row, "application": safe(row["application"])} for row in groups]
    whole: Counter[tuple[object, ...]] = Counter()
    for row in named:
        whole[row["database"], row["role"], row["application"]] += round(number(row, "sessions"))
    told = {name for name, _ in sorted(whole.items(), key=lambda each: (-each[1], str(each[0])))[:TOLD]}
    merged: dict[tuple[object, ...], Row] = {}
    for row in named:
        name = (row["database"], row["role"], row["application"])
        database, role, application = name if name in told else ("", "other", "other")
        key = (database, role, application, row["state"])
        here = {**row, "database": database, "role": role, "application": application}
        merged[key] = added(merged[key], here) if key in merged else here
    return iter(merged.values())


def added(one: Row, other: Row) -> Row:
    """Add two groups up: counts by sum, ages by the older."""
    sums = {name: number(one, name) + number(other, name) for name in ("sessions", "own_sessions", "waiting_sessions")}
    return {**one, **sums, **{name: older(one[name], other[name]) for name in AGES}}


def older(*ages: object) -> float | None:
    """Give the largest age that is known."""
    return max((age for age in ages if isinstance(age, int | float)), default=None)


AGES = ("oldest_transaction_seconds", "oldest_idle_in_transaction_seconds")


async def detail(_session: Session, _memory: Memory, seen: Measurement) -> Measurement:
    """Bound the groups, make names safe, and keep single transactions from the exporter, whose labels groups have."""
    groups = list(told_apart([row for row in seen.rows if row["kind"] == "group"]))
    limits = [row for row in seen.rows if row["kind"] in LIMITS]
    old = [
        {
            **row,
            "application": safe(row["application"]),
            "blocked_applications": list(map(safe, row["blocked_applications"])),
        }
        for row in of_kind(seen, "transaction")
        if isinstance(row["blocked_applications"], list)
    ]
    return replace(seen, rows=[*groups, *limits, *old], exposed=[*groups, *limits])


GAUGES: Mapping[str, str] = {
    "sessions": "Client sessions by database, role, application and state.",
    "waiting_sessions": "Client sessions that wait for a lock.",
    "slots_used": "Client sessions under a limit: of a role, a database, or with neither label of the server.",
    "slots_limit": "The limit itself: CONNECTION LIMIT, or max_connections without the reserved slots.",
    "oldest_transaction_seconds": "Age of the oldest open transaction, the monitor's own left out.",
    "oldest_idle_in_transaction_seconds": "Longest time a session has been idle inside a transaction.",
}

PROBE = Probe(
    name="pool",
    scope=Scope.SERVER,
    every=15,
    needs=("role:pg_read_all_stats",),
    sql={14: SQL},
    detail=detail,
    key=("kind", "database", "role", "application", "state", "pid"),
    labels=("database", "role", "application", "state"),
    metrics=tuple(Metric(column, Kind.GAUGE, text) for column, text in GAUGES.items()),
    rules=(Saturation(), IdleInTransaction(), LongTransaction()),
)
