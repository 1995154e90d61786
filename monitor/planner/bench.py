"""The workbench in one shadow database: many statements, or one plan, in a single round trip each."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.errors import PlannerError, ProbeError, ProbeTimeout, TargetError
from monitor.measurement import Row
from monitor.planning import Node

SCHEMA = "pgarchitect_shadow"
PLANNER_ROLE = "pgarchitect_planner"
PERSON = "pgarchitect_person_"
"""Begins the names of roles that stand for those of the watched server that policies bind."""
SETTING = f"(select {SCHEMA}.setting())"
"""Stands for a setting of the application's: a text that is not known before the statement runs."""
CHUNK = 200
"""Statements of one transaction: each holds locks until its end."""
PLAN_SECONDS = 5.0
WORK_SECONDS = 60.0


class ShadowSession(Protocol):
    """A session to our own server."""

    @property
    def alive(self) -> bool:
        """Tell whether it is still open."""

    def within(self, seconds: float) -> None:
        """Set the time each of the next statements may take."""

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        """Run one statement and give its rows."""

    async def close(self) -> bool:
        """Close it."""


OpenSession = Callable[[str], Awaitable[ShadowSession]]
"""Opens a session that may write, by a DSN of our own server."""

ROLE = f"""
    do $$ begin
      if to_regrole('{PLANNER_ROLE}') is null then
        create role {PLANNER_ROLE} nologin bypassrls;
        grant pg_read_all_data, pg_write_all_data to {PLANNER_ROLE};
      end if;
    end $$
"""

# Planning evaluates functions: statements of others are planned by a role that may do nothing but read and write tables
# that are empty.
FUNCTIONS = (
    f"create schema {SCHEMA}",
    f"""
    create function {SCHEMA}.tried(statements text[]) returns table (place int, state text, message text)
    language plpgsql as $$
    begin
      for place in 1 .. cardinality(statements) loop
        begin
          execute statements[place];
        exception when others then
          tried.place := place;
          state := sqlstate;
          message := sqlerrm;
          return next;
        end;
      end loop;
    end $$""",
    f"""
    create function {SCHEMA}.setting() returns text language plpgsql stable parallel safe cost 1
    as $$ begin return ''; end $$""",
    f"grant usage on schema {SCHEMA} to {PLANNER_ROLE}",
)
PLANNED = """
    create function {name}(path text, statement text, settings json)
    returns json language plpgsql security definer as $$
    declare plan json;
    begin
      perform pg_catalog.set_config(key, value, true) from pg_catalog.json_each_text(settings)
        where pg_catalog.current_setting(key, true) is not null;
      perform pg_catalog.set_config('search_path', path, true);
      execute 'explain (generic_plan, verbose, format json) ' || statement into plan;
      return plan -> 0 -> 'Plan';
    exception when others then
      return json_build_object('state', sqlstate, 'message', sqlerrm);
    end $$
"""
MEMBER = """
    do $$ begin
      if to_regrole('{person}') is null then
        create role {person} nologin;
        grant {planner} to {person};
      end if;
    end $$
"""


@dataclass(frozen=True, kw_only=True)
class Asker:
    """For whom a statement is planned: a person, 0 one whom no policy binds, with the settings of its sessions."""

    person: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What the shadow would not do."""

    state: str
    message: str

    def __str__(self) -> str:
        """Tell it by the server's message where that holds names only, else by its SQLSTATE."""
        told = self.message.splitlines()[0] if self.state.startswith("42") and self.message else ""
        return told or f"SQLSTATE {self.state}"


class Bench:
    """One shadow database and the session in it; raises PlannerError when the server is lost."""

    def __init__(self, open_session: OpenSession, dsn: str) -> None:
        self._open_session, self._dsn = open_session, dsn
        self._session: ShadowSession | None = None
        self._settings: Mapping[str, str] = {}
        self.lost = False

    async def set_up(self) -> None:
        """Make the functions that the others need."""
        for statement in (ROLE, *FUNCTIONS):
            await self.fetch(statement)
        await self._let_plan(0, PLANNER_ROLE)

    async def add_person(self, number: int) -> None:
        """Make a role that policies bind, and let it plan."""
        person = f"{PERSON}{number}"
        await self.fetch(MEMBER.format(person=person, planner=PLANNER_ROLE))
        await self._let_plan(number, person)

    async def _let_plan(self, number: int, role: str) -> None:
        name = f"{SCHEMA}.planned_{number}"
        await self.fetch(PLANNED.format(name=name))
        await self.fetch(f"alter function {name} owner to {role}")

    async def settle(self, settings: Mapping[str, str]) -> Sequence[str]:
        """Set the session's settings, now and whenever it is opened again; give the names refused."""
        refused = [name for name, value in settings.items() if not await self._set(name, value)]
        self._settings = {**self._settings, **{name: settings[name] for name in settings.keys() - {*refused}}}
        return refused

    async def _set(self, name: str, value: str) -> bool:
        try:
            await self.fetch("select pg_catalog.set_config($1, $2, false)", name, value)
        except PlannerError:
            if self.lost:
                raise
            return False
        return True

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        """Run one statement of our own."""
        try:
            session = await self._opened()
            session.within(WORK_SECONDS)
            return await session.fetch(sql, *arguments)
        except (TargetError, ProbeError) as error:
            raise self._failed(error) from None

    async def tried(self, statements: Sequence[str]) -> Mapping[int, Failure]:
        """Run statements, each for itself; give the places of those that failed."""
        failed = {}
        for begin in range(0, len(statements), CHUNK):
            rows = await self.fetch(f"select * from {SCHEMA}.tried($1)", [*statements[begin : begin + CHUNK]])
            for row in rows:
                failure = Failure(state=str(row["state"]), message=str(row["message"]))
                failed[begin + int(str(row["place"])) - 1] = failure
        return failed

    async def plan(self, path: str, statement: str, asker: Asker | None = None) -> Node | Failure:
        """Plan a statement for any values of its parameters."""
        asker = asker or Asker()
        sql = f"select {SCHEMA}.planned_{asker.person}($1, $2, $3::text::json)::text as plan"
        try:
            session = await self._opened()
            session.within(PLAN_SECONDS)
            (row,) = await session.fetch(sql, path, statement, json.dumps(dict(asker.settings)))
        except ProbeTimeout:
            return Failure(state="57014", message="")
        except (TargetError, ProbeError) as error:
            raise self._failed(error) from None
        plan: Mapping[str, object] = json.loads(str(row["plan"]))
        if "Node Type" in plan:
            return plan
        return Failure(state=str(plan.get("state", "")), message=str(plan.get("message", "")))

    async def close(self) -> None:
        """Close the session; the next question opens another one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _opened(self) -> ShadowSession:
        if self._session is None:
            self._session = await self._open_session(self._dsn)
            for name, value in self._settings.items():
                await self._session.fetch("select pg_catalog.set_config($1, $2, false)", name, value)
        return self._session

    def _failed(self, error: Exception) -> PlannerError:
        self.lost = self.lost or isinstance(error, TargetError)
        return PlannerError(f"shadow planner: {error}; it is started anew with the next advice")
