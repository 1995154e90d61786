"""Roles that look at one world: seeing by each way that `monitor grants` prints, and blind."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence

from tests.database import Database
from tests.end_to_end.command import monitor

SAMPLE = "exam_sample_role"
WAYS = ("functions", "policy", "bypassrls")
BLIND = "grant pg_monitor, pg_read_all_data to {role}"


class Cast:
    """Roles of one world: made by name, dropped at the end."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.dsns = {"boss": database.dsn}
        self.roles: dict[str, str] = {}

    async def add(self, name: str, *statements: str, grants: str = "") -> None:
        """Make a role: by what `monitor grants` printed for SAMPLE, then by statements."""
        role, password = f"exam_{name}_{secrets.token_hex(3)}", secrets.token_hex(8)
        await self.database.execute(f"create role {role} login password '{password}'")
        self.roles[name] = role
        self.dsns[name] = self.database.server.dsn(self.database.name, role, password)
        for statement in (grants.replace(SAMPLE, role) or "select", *statements):
            await self.database.execute(statement.replace("{role}", role))

    async def drop(self) -> None:
        for role in self.roles.values():
            await self.database.execute(f"drop owned by {role}; drop role {role}")


async def printed(database: Database, *words: str, ways: Sequence[str] = WAYS) -> Mapping[str, str]:
    """Give what `monitor grants` prints for SAMPLE, by the way to sight; words are --dsn or --config and its value."""
    where = words or ("--dsn", "env:SHOP")
    done = await asyncio.gather(
        *(monitor("grants", *where, "--role", SAMPLE, "--auth", way, env={"SHOP": database.dsn}) for way in ways)
    )
    assert {(each.status, each.err) for each in done} == {(0, "")}
    return {way: each.out for way, each in zip(ways, done, strict=True)}
