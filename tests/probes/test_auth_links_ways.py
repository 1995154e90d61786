"""By which way the monitor sees users and links, on real servers: each that is printed, and none."""

import pytest

from monitor.cli.grants import Auth
from monitor.measurement import Row
from monitor.model import Result
from probes.auth_links import PROBE
from probes.auth_links_options import AuthOptions
from tests.database import Database
from tests.probes.people import found_auth, profiles
from tests.probes.test_auth_links import DECLARED, seeing

GUARDED = "alter table public.users enable row level security"


async def ways(database: Database, options: AuthOptions = DECLARED) -> dict[str, tuple[object, object, str]]:
    """Give whether each table is seen, by which way, and why not."""
    async with database.eye(PROBE, options=options) as eye:
        seen = await eye.look()
    assert seen.result is Result.OK, seen.reason
    rows: list[Row] = [*seen.asides["sight"]]
    return {str(row["table"]): (row["seen"], row["way"], str(row["reason"])) for row in rows}


async def house(database: Database) -> Database:
    await found_auth(database)
    await profiles(database)
    await database.execute(GUARDED)
    return database


@pytest.mark.parametrize("way", ["functions", "policy", "bypassrls"])
async def test_each_way_is_told(database: Database, way: Auth) -> None:
    """Of the users and of the table that links to them."""
    role = await seeing(await house(database), way)
    assert await ways(role) == {"auth.users": (1.0, way, ""), "public.users": (1.0, way, "")}


async def test_superuser_owner_and_a_table_without_guard_are_told(database: Database) -> None:
    """What the role owns it sees, as no row security is forced on it."""
    await house(database)
    assert {way for _, way, _ in (await ways(database)).values()} == {"superuser"}
    owner = await database.as_monitor()
    await database.execute(f"grant supabase_auth_admin to {owner.user}; alter table public.users owner to {owner.user}")
    assert {way for _, way, _ in (await ways(owner)).values()} == {"owner"}
    await database.execute("alter table public.users disable row level security")
    assert (await ways(owner))["public.users"] == (1.0, "open", "")


async def test_who_sees_nothing_is_told_why(database: Database) -> None:
    """Nothing is said of the links: nobody looked at them."""
    role = await (await house(database)).as_monitor()
    ((seen, way, reason),) = (await ways(role)).values()
    assert (seen, way) == (0.0, "")
    assert "may not read auth.users" in reason


async def test_a_link_that_hides_is_told_beside_users_that_do_not(database: Database) -> None:
    await house(database)
    role = await seeing(database, "policy")
    await database.execute(
        f"drop policy pgarchitect_monitor on public.users; grant select on public.users to {role.user}"
    )
    found = await ways(role)
    assert found["auth.users"] == (1.0, "policy", "")
    seen, _, reason = found["public.users"]
    assert seen == 0.0
    assert "row level security" in reason
