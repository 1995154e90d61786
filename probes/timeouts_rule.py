"""The rule that judges whether an application's sessions are bound in time at all."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Severity,
    identifier,
    number,
)
from probes.pool_timeouts import IDLE, setting, together

STATEMENT = "statement_timeout"
BOTH = "transaction_timeout"
"""From PostgreSQL 17 on; ends a transaction at work as well as an idle one."""
LEVELS = ("of_both", "of_role", "of_database", "of_all")
"""Where a value may stand, what goes before the others first; after them comes the server's own."""
MANAGED = re.compile(
    r"supabase(_\w+)?_admin|supabase_read_only_user|rds(admin|repladmin|topmgr|proxyadmin)"
    r"|cloudsql(admin|agent|importexport|replica|observability\w*)|azuresu"
)
"""Roles of a managed service's own programs: its customers can alter none of them."""
_OFF = re.compile(r"0*(\.0*)?\s*[a-z]*")


@dataclass(frozen=True, kw_only=True)
class NoTimeouts(Rule):
    """An application's role has no statement_timeout, or none for idle transactions.

    Why: nothing ends a statement that runs on by mistake, or a transaction whose owner hangs; each keeps a slot, its
    locks, and dead rows in every table, until somebody notices.
    What to do: give the role both timeouts, longer than its longest rightful statement; jobs and migrations that need
    more get a role of their own, or `set local statement_timeout` where they begin. They hold for new sessions.
    When it is wrong: applications that set their timeouts themselves when they connect, which the server shows to
    nobody else. Name their roles in `except_roles`, as those of poolers and of people.
    Those of a managed service's own programs (`supabase_auth_admin`) are left out. A transaction_timeout
    (PostgreSQL 17) counts as both. Counted is the value for the role in the database, else the role's, the
    database's, everybody's, and the server's own.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "sessions.no_timeouts"
    area: ClassVar[Area] = Area.CAPACITY
    severity: Severity = Severity.INFO
    keep: float = 600.0
    statement_seconds: float = 300.0
    idle_seconds: float = 300.0
    except_roles: tuple[str, ...] = ("pgbouncer",)

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        roles: dict[str, list[Row]] = {}
        for row in seen.rows:
            role = str(row["role"])
            if row["serves"] and role not in self.except_roles and not MANAGED.fullmatch(role):
                roles.setdefault(role, []).append(row)
        for role, rows in roles.items():
            missing = {name: [row for row in rows if unbound(row, name)] for name in (STATEMENT, IDLE)}
            if any(missing.values()):
                yield self._accuse(seen, role, rows, {name: found for name, found in missing.items() if found})
            elif unseen := sorted({name for row in rows for name in (STATEMENT, IDLE) if unbound(row, name) is None}):
                reason = (
                    f"the server's {' and '.join(unseen)} cannot be seen: the monitor's role or database has its own"
                )
                yield NoVerdict(reason=reason, needs=Needs.SETTING, subject=identifier(role))

    def _accuse(self, seen: Measurement, role: str, rows: Sequence[Row], missing: dict[str, list[Row]]) -> Finding:
        names = " and ".join(f"no {name}" for name in missing)
        databases = sorted({str(row["database"]) for found in missing.values() for row in found})
        return self.finding(
            seen,
            subject=identifier(role),
            object=Object("role", name=role),
            summary=f"{identifier(role)} has {names}, in {', '.join(map(identifier, databases[:5]))}",
            impact="a statement that runs on, or a transaction left open, keeps its slot and its locks without end",
            remedy=self._remedy(role, missing),
            confidence=Confidence.MEDIUM,
            count=len(missing),
            missing=list(missing),
            databases=databases[:20],
            sessions=round(sum(number(row, "sessions") for row in rows)),
            idle_session_timeout=value(rows[0], "idle_session_timeout"),
            tcp_keepalives_idle=value(rows[0], "tcp_keepalives_idle"),
        )

    def _remedy(self, role: str, missing: dict[str, list[Row]]) -> Remedy:
        seconds = {STATEMENT: self.statement_seconds, IDLE: self.idle_seconds}
        remedies = [each for name, found in missing.items() for each in settings(role, name, seconds[name], found)]
        return together(
            remedies,
            "For new sessions of the role. See first that none of its statements rightfully takes longer: they would "
            "be cancelled. Jobs and migrations want a role of their own.",
        )


def settings(role: str, name: str, seconds: float, found: Sequence[Row]) -> Iterator[Remedy]:
    """Set a timeout for the role as a whole, and where it is switched off for the role in one database, there."""
    inner = [row for row in found if at(row, "of_both", name) is not None]
    if len(inner) < len(found):
        yield setting(role, "", name, seconds, at(found[0], "of_role", name))
    for row in inner:
        yield setting(role, str(row["database"]), name, seconds, at(row, "of_both", name))


def unbound(row: Row, name: str) -> bool | None:
    """Tell whether the role's next session would have no such timeout; None: nobody can say."""
    bounds = [value(row, name), value(row, BOTH)]
    if any(each is not None and not off(each) for each in bounds):
        return False
    hidden = any(value(row, each) is None and at(row, "defaults", each) is not None for each in (name, BOTH))
    return None if hidden else True


def value(row: Row, name: str) -> str | None:
    """Give what a setting's value would be; None: not known, or no setting of this version."""
    given = next((one for level in LEVELS if (one := at(row, level, name)) is not None), None)
    if given is not None or at(row, "hiding", name) is not None:
        return given
    return at(row, "defaults", name)


def at(row: Row, level: str, name: str) -> str | None:
    """Give a setting's value at one level."""
    entries = row[level]
    pairs = (str(each).partition("=") for each in entries) if isinstance(entries, list) else ()
    return next((text for key, _, text in pairs if key == name), None)


def off(text: str) -> bool:
    """Tell whether a time means "never": 0, whatever its unit."""
    return _OFF.fullmatch(text.strip()) is not None
