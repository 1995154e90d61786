"""Triggers that fire at sign-up: what of them is broken, or breaks sign-ups, and the SQL where it is safe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Session,
    Severity,
    identifier,
    of_kind,
    plural,
)
from probes.auth_judging import options_of, schema_of, users_of
from probes.auth_structure_sql import PATHED, REFUSED, TRIGGERS

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_WRITE = re.compile(
    rf"\b(insert)\s+into\s+({_NAME}\s*\.\s*)?({_NAME})"
    rf"|\b(update)\s+(?:only\s+)?({_NAME}\s*\.\s*)?({_NAME})\s+set\b"
    rf"|\b(delete)\s+from\s+(?:only\s+)?({_NAME}\s*\.\s*)?({_NAME})",
    re.IGNORECASE,
)
_LONE = re.compile(rf'(?<![\w".$])({_NAME})(?!\s*\.|[\w"$])')
_WORKS = re.compile(r"\b(insert|update|delete|merge|perform|execute|select)\b", re.IGNORECASE)
_HANDLED = re.compile(r"\bexception\s+when\b", re.IGNORECASE)
WORDS = 2000


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong with a trigger or its function; `sql` mends it where that is safe, else `caution`."""

    name: str
    said: str
    grave: bool = True
    sql: str = ""
    rollback: str = ""
    caution: str = ""


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A trigger of auth.users, with what is wrong with it."""

    name: str
    function: str
    faults: Sequence[Fault]


async def triggers(session: Session, schema: str) -> list[Trigger]:
    """Give the triggers that fire at sign-up and run the application's own functions."""
    return [await _trigger(session, schema, row) for row in await session.fetch(TRIGGERS, schema)]


async def _trigger(session: Session, schema: str, row: Row) -> Trigger:
    name, function = str(row["trigger"]), f"{identifier(str(row['schema']), str(row['function']))}()"
    faults = [_disabled(schema, name)] if row["enabled"] in ("D", "R") else []
    if row["language"] == "plpgsql":
        body = _COMMENT.sub(" ", str(row["body"]))
        refused = [] if row["definer"] or row["super"] else await _refused(session, row["owner"], body)
        pathed = [] if row["fixed"] else await _pathed(session, body)
        loose = not row["fixed"] and (row["definer"] or refused or pathed)
        faults += [_of_rights(function, refused)] if refused else []
        faults += [_of_path(function, pathed)] if loose else []
        faults += [_fragile(function)] if _WORKS.search(body) and not _HANDLED.search(body) else []
    return Trigger(name=name, function=function, faults=faults)


async def _refused(session: Session, owner: object, body: str) -> list[str]:
    """Name the tables that the body writes and the role of GoTrue may not."""
    writes = [[part for part in found if part is not None] for found in map(re.Match.groups, _WRITE.finditer(body))]
    wanted = [("" if len(each) < 3 else _bare(each[1].rstrip(" .\n\t")), _bare(each[-1]), each[0]) for each in writes]  # noqa: PLR2004 - verb, schema, table
    parts = [[each[place] for each in wanted] for place in (0, 1)]
    verbs = [each[2].lower() for each in wanted]
    return [_relation(row) for row in await session.fetch(REFUSED, owner, *parts, verbs)] if wanted else []


async def _pathed(session: Session, body: str) -> list[str]:
    """Name what the body calls by its bare name, and only a search_path finds."""
    words = sorted({_bare(found) for found in _LONE.findall(body)})[:WORDS]
    return [str(row["word"]) for row in await session.fetch(PATHED, words)]


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _relation(row: Row) -> str:
    return identifier(str(row["schema"]), str(row["table"]))


def _disabled(schema: str, name: str) -> Fault:
    users, trigger = identifier(schema, "users"), identifier(name)
    return Fault(
        name="disabled",
        said=f"trigger {trigger} is disabled",
        sql=f"alter table {users} enable trigger {trigger}",
        rollback=f"alter table {users} disable trigger {trigger}",
    )


def _of_rights(function: str, refused: Sequence[str]) -> Fault:
    return Fault(
        name="rights",
        said=f"{function} is not SECURITY DEFINER, and GoTrue's role may not write {', '.join(refused)}",
        sql=f"alter function {function} security definer",
        rollback=f"alter function {function} security invoker",
    )


def _of_path(function: str, pathed: Sequence[str]) -> Fault:
    said = f"{function} has no search_path of its own"
    if pathed:
        names = ", ".join(map(identifier, pathed))
        caution = f"First write the schema before each of {names} in {function}, then: alter function {function} set"
        return Fault(name="search_path", said=said, caution=f"{caution} search_path = ''.")
    return Fault(
        name="search_path",
        said=said,
        sql=f"alter function {function} set search_path = ''",
        rollback=f"alter function {function} reset search_path",
    )


def _fragile(function: str) -> Fault:
    return Fault(
        name="can raise",
        grave=False,
        said=f"{function} handles no exception",
        caution=f"In {function}, put what it does into a block of its own: begin ... exception when others then raise "
        "warning 'sign-up: %', sqlerrm; end; and return new after it. auth_links.missing_profile then tells of whom it "
        "missed.",
    )


@dataclass(frozen=True, kw_only=True)
class SignupTrigger(Rule):
    """A trigger that fires at sign-up is missing, disabled, or can make sign-ups fail.

    Why: GoTrue inserts a user and runs the trigger in one transaction, as its own role, with its own search_path. A
    function without SECURITY DEFINER may not write the application's tables, one without a search_path does not find
    them (or finds what somebody else put there), and any error in it blocks every sign-up with "Database error saving
    new user". One that is disabled leaves users without profile.
    What to do: enable it; make the function SECURITY DEFINER with an empty search_path and full names in its body; let
    it catch what it raises. SQL is printed only where the body names nothing that an empty search_path would lose.
    When it is wrong: a trigger disabled on purpose, or one that refuses sign-ups on purpose. That there is none at all
    is said, as info, only where a link is declared with every_user: many applications make profiles in their code.
    Functions of GoTrue, of extensions, of Supabase's services, and in other languages than PL/pgSQL are not judged.
    Nothing but a missing handler is info.
    Cost: reads the functions of the triggers of one table.
    """

    id: ClassVar[str] = "auth_links.signup_trigger"
    area: ClassVar[Area] = Area.AUTH
    severity: Severity = Severity.WARNING
    severity_can_raise: Severity = Severity.INFO
    """Where a missing handler is all that is wrong."""
    severity_missing: Severity = Severity.INFO

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse auth.users of its faulty triggers, all in one."""
        found = [each for row in of_kind(seen.rows, "trigger") if isinstance(each := row["trigger"], Trigger)]
        bound = sorted(identifier(*link.place[:2]) for link in options_of(seen).links if link.every_user)
        if not found and bound:
            yield self._missing(seen, bound)
        elif not found:
            yield NoVerdict(reason=f"no trigger of the application fires on insert into {users_of(seen)}", needs=None)
        faulty = [trigger for trigger in found if trigger.faults]
        if faulty:
            yield self._accused(seen, faulty)

    def _missing(self, seen: Measurement, tables: Sequence[str]) -> Finding:
        return self.finding(
            seen,
            subject=f"{users_of(seen)} (id)",
            object=Object("column", schema=schema_of(seen), name="users", column="id"),
            severity=self.severity_missing,
            summary=f"no trigger fires on insert into {users_of(seen)}, and every user is to have a row in {tables[0]}",
            impact="a user whose sign-up ends before the application has written the row stays without it",
            remedy=Remedy(
                caution="If the application's code makes the rows, ignore this. Else: create trigger ... after insert "
                f"on {users_of(seen)} for each row execute function ...; the function SECURITY DEFINER, with an empty "
                "search_path, and catching what it raises: an error in it blocks every sign-up."
            ),
            count=len(tables),
            tables=tables,
            faults=["missing"],
        )

    def _accused(self, seen: Measurement, faulty: Sequence[Trigger]) -> Finding:
        faults = list({fault.said: fault for trigger in faulty for fault in trigger.faults}.values())
        grave = any(fault.grave for fault in faults)
        return self.finding(
            seen,
            subject=f"{users_of(seen)} (id)",
            object=Object("column", schema=schema_of(seen), name="users", column="id"),
            severity=self.severity if grave else self.severity_can_raise,
            summary=f"{plural(len(faulty), 'sign-up trigger')}: {'; '.join(fault.said for fault in faults)}",
            impact="users are left without profile, or every sign-up fails"
            if grave
            else "an error in it blocks every sign-up",
            remedy=_remedy(faults, users_of(seen)),
            count=len(faulty),
            triggers=[trigger.name for trigger in faulty],
            faults=sorted({fault.name for fault in faults}),
        )


def _remedy(faults: Sequence[Fault], users: str) -> Remedy:
    """Print what is safe; a function becomes SECURITY DEFINER only together with, or after, a search_path."""
    said = [fault.caution for fault in faults if fault.caution]
    loose = any(fault.name == "search_path" and not fault.sql for fault in faults)
    rights = [fault.sql for fault in faults if fault.name == "rights"]
    safe = [fault for fault in faults if fault.sql and not (loose and fault.name == "rights")]
    safe.sort(key=lambda fault: ("search_path", "rights", "can raise", "disabled").index(fault.name))
    if loose and rights:
        said.append(f"Only after that: {'; '.join(rights)}.")
    if any(fault.name == "disabled" for fault in faults):
        said.append(
            f"Triggers are changed by the owner of {users} alone. Users who signed up meanwhile lack their row."
        )
    return Remedy(
        sql=tuple(fault.sql for fault in safe),
        rollback=tuple(fault.rollback for fault in reversed(safe)),
        caution=" ".join(said),
    )
