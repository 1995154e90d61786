"""What the shape has of row level security: who is bound by what, without a constant; and settings of roles."""

import pytest

from monitor.row_security import Policy
from monitor.shape import Shape
from probes.shape_security import LOCKED_REASON
from tests.database import Database
from tests.planner.reading import shape_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORLD = """
    create role {r}_a; create role {r}_b; create role {r}_inside in role {r}_a; create role {r}_free bypassrls;
    create role {r}_login login;
    alter role {r}_login set enable_hashjoin = off;
    alter role {r}_login set statement_timeout = '9s';
    alter role {r}_a set enable_hashjoin = off;
    create type mood as enum ('glad', 'sad');
    create table people (id int, tenant int, mood mood, name text);
    create table named (id int, tenant int);
    alter table people enable row level security;
    alter table named enable row level security;
    alter table named force row level security;
    create policy one on people for select to {r}_a
        using (name = 'Ada Lovelace' and mood = 'sad' and tenant = current_setting('app.tenant')::int);
    create policy two on people as restrictive for update to {r}_a, {r}_b using (id > 4711) with check (false);
    create policy three on people using (tenant in (select tenant from named));
    create view through with (security_barrier) as select * from people;
    create function plain() returns int language sql stable as $$ select 1 $$;
    create function other() returns int language plpgsql stable parallel safe cost 7 as $$ begin return 1; end $$;
"""


async def made(database: Database) -> None:
    await database.execute(WORLD.replace("{r}", database.name))


async def gone(database: Database) -> None:
    roles = ", ".join(f"{database.name}_{name}" for name in ("inside", "a", "b", "free", "login"))
    await database.execute(f"drop owned by {roles}; drop role {roles}")


def oid(shape: Shape, name: str) -> int:
    return next(each.oid for each in shape.tables.values() if each.name == name)


async def test_policies_and_whom_they_bind_are_read_by_the_monitors_own_role(any_database: Database) -> None:
    """Catalogue only, no constants but labels of enums."""
    await made(any_database)
    shape = await shape_of(await any_database.as_monitor())
    r = any_database.name
    await gone(any_database)
    people, named = shape.secured[oid(shape, "people")], shape.secured[oid(shape, "named")]
    assert people.policies[1:] == (
        Policy(command="w", permissive=False, roles=(f"{r}_a", f"{r}_b"), using="(id > 1)", check="false"),
        Policy(using=people.policies[2].using),
    )
    assert "public.named" in people.policies[2].using
    assert people.policies[0].using == (
        "((name = ''::text) AND (mood = 'sad'::public.mood) AND (tenant = (current_setting(''::text))::integer))"
    )
    roles = shape.roles
    assert [roles[f"{r}_{each}"].bound(people) for each in ("a", "inside", "free", "login")] == [
        True,
        True,
        False,
        True,
    ]
    assert (roles[named.owner].bypass, roles[named.owner].bound(people)) == (True, False)
    assert [len([*roles[f"{r}_{each}"].policies(people)]) for each in ("a", "b", "inside", "login")] == [3, 2, 3, 1]
    assert roles[f"{r}_login"].settings == {"enable_hashjoin": "off"}
    assert roles[f"{r}_a"].settings == {}
    assert [(each.barrier, each.invoker) for each in shape.views] == [(True, False)]
    functions = {each.name: (each.cost, each.parallel) for each in shape.functions if each.schema == "public"}
    assert functions == {"plain": (1, "u"), "other": (7, "s")}


async def test_an_owner_is_bound_where_it_is_forced(database: Database) -> None:
    """Else a table's owner sees all of it."""
    await made(database)
    await database.execute(
        f"alter table people owner to {database.name}_b; alter table named owner to {database.name}_b"
    )
    shape = await shape_of(database)
    await database.execute("drop table people, named cascade")
    await gone(database)
    owner = shape.roles[f"{database.name}_b"]
    assert [owner.bound(shape.secured[oid(shape, each)]) for each in ("people", "named")] == [False, True]


async def test_policies_that_name_a_locked_table_are_not_waited_for(database: Database) -> None:
    """It is said of the tables that they hold for."""
    await made(database)
    holder = await database.connect()
    await holder.execute("begin; lock table named in access exclusive mode")
    shape = await shape_of(database)
    await holder.execute("rollback")
    await gone(database)
    assert shape.secured[oid(shape, "people")].unread == LOCKED_REASON
    assert shape.secured[oid(shape, "people")].policies == ()


async def test_settings_of_our_own_role_are_not_the_servers(any_database: Database) -> None:
    """What stands for the database counts for all; what only the monitor's sessions begin with, for nobody."""
    monitor = await any_database.as_monitor()
    await any_database.execute(
        f"alter role {monitor.user} set random_page_cost = 9; alter role {monitor.user} set enable_sort = off;"
        f"alter database {any_database.name} set random_page_cost = 1.25;"
        f"alter database {any_database.name} set cpu_tuple_cost = 0.02"
    )
    settings = (await shape_of(monitor)).settings
    assert {name: settings.get(name) for name in ("random_page_cost", "cpu_tuple_cost", "enable_sort")} == {
        "random_page_cost": "1.25",
        "cpu_tuple_cost": "0.02",
        "enable_sort": None,
    }
