"""Sweeping a link by hand in tests: real tables and sessions, slices of a thousand keys at most."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from monitor.cli.grants import Wanted, grants_sql
from monitor.collect.session import explain
from monitor.measurement import Row
from monitor.probe import Facts
from probes.auth_links_ask import Ask
from probes.auth_links_discovery import Column
from probes.auth_links_looks import Seen
from probes.auth_links_options import Link
from probes.auth_links_shape import shape
from probes.auth_links_sight import LinkEye
from probes.auth_links_suspects import BETWEEN_LOOKS
from probes.auth_links_sweep import LinkSweep
from probes.auth_sight import Way
from tests.database import Database

LINK = Link(table="public.users", column="auth_user_id", every_user=True)
COLUMN = Column(schema="public", table="users", column="auth_user_id", created="created_at", declared=LINK)
A_LONG_TIME = 1000.0
FEW_KEYS = 1000


@dataclass
class Recorder:
    """A session without guards that remembers what it gave."""

    database: Database
    in_recovery: bool = False
    given: list[Row] = field(default_factory=list)

    @property
    def facts(self) -> Facts:
        return Facts(
            version_num=180000, version="18", database="d", role="r", in_recovery=self.in_recovery, superuser=True,
            started_at=0.0,
        )  # fmt: skip

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        try:
            rows = await self.database.fetch(sql, *arguments)
        except asyncpg.PostgresError as error:
            raise explain(error, "r", 5.0) from None
        self.given += rows
        return rows

    @property
    def slices(self) -> list[Row]:
        return [row for row in self.given if "orphan_keys" in row]


async def asking(session: Recorder, *, lent: bool = False, column: Column = COLUMN, grace: float = 300.0) -> Ask:
    """Give what a run brings along, as the probe would."""
    eye = LinkEye(Way(session, "auth", lent=lent))
    shaped = await shape(session, "auth", column)
    return Ask(session=session, eye=eye, column=column, shape=shaped, grace=grace)


async def sweep(ask: Ask, known: LinkSweep | None = None) -> LinkSweep:
    """Sweep a whole turn, in small slices, and look at the suspects again."""
    made = known or LinkSweep(ask.ways)
    made.keys = FEW_KEYS
    await made.run(ask, A_LONG_TIME)
    await asyncio.sleep(BETWEEN_LOOKS)
    await made.again(ask, A_LONG_TIME)
    return made


async def swept(database: Database, *, lent: bool = False, column: Column = COLUMN) -> Seen:
    """Give what a sweep of a link sees."""
    ask = await asking(Recorder(database), lent=lent, column=column)
    return (await sweep(ask)).seen(ask)


async def lent_to(database: Database) -> Database:
    """Give a role that has nothing but the functions."""
    role = await database.as_monitor()
    for statement in grants_sql(Wanted(role=str(role.user), auth="functions", links=[(*LINK.place, "created_at")])):
        await database.execute(statement)
    return role
