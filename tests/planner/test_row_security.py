"""Statements are planned under the policies and settings of who runs them, as the watched server plans them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio

from monitor.planner.planners import Planners
from monitor.planning import Query
from monitor.row_security import without_values
from monitor.shape import Shape
from tests.database import Cluster, Database
from tests.planner.reading import shape_of
from tests.planner.real import candidate, outline, planned

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORLD = """
    create schema auth;
    create function auth.uid() returns uuid language sql stable
        as $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
    create function auth.jwt() returns jsonb language sql stable
        as $$ select current_setting('request.jwt.claims', true)::jsonb $$;
    create type state as enum ('open', 'shut');
    create table notes (id bigint primary key, tenant_id uuid not null, user_id uuid not null, org uuid not null,
                        state state not null, body text not null, tags jsonb not null);
    insert into notes
    select g, md5('t' || g % 500)::uuid, md5('u' || g % 3000)::uuid, md5('o' || g % 700)::uuid,
           case when g % 4 = 0 then 'open' else 'shut' end::state, 'a note ' || g, jsonb_build_object('k', g % 4000)
      from generate_series(1, 20000) g;
    create table members (tenant_id uuid not null, user_id uuid not null, primary key (user_id, tenant_id));
    insert into members select md5('t' || g % 500)::uuid, md5('u' || g)::uuid from generate_series(1, 3000) g;
    create table shared (like notes including all);
    insert into shared select * from notes;
    create table orgs (like notes including all);
    insert into orgs select * from notes;
    alter table notes enable row level security;
    alter table members enable row level security;
    alter table shared enable row level security;
    alter table orgs enable row level security;
    create role {r}_app;
    create role {r}_user;
    create role {r}_admin bypassrls;
    create role {r}_slow login;
    alter role {r}_slow set enable_seqscan = off;
    alter role {r}_slow set random_page_cost = 1.1;
    alter role {r}_slow in database {r} set random_page_cost = 1.3;
    grant usage on schema auth to {r}_app, {r}_user, {r}_admin, {r}_slow;
    grant select, insert, update, delete on all tables in schema public to {r}_app, {r}_user, {r}_admin, {r}_slow;
    create policy by_tenant on notes to {r}_app using (tenant_id = current_setting('app.tenant')::uuid);
    create policy own on notes to {r}_user using (auth.uid() = user_id);
    create policy not_secret on notes as restrictive to {r}_user
        using (body <> 'a very secret word' and state = 'open');
    create policy mine on members using (user_id = current_setting('app.user', true)::uuid);
    create policy by_members on shared
        using (tenant_id in (select m.tenant_id from members m where m.user_id = (select auth.uid())));
    create policy by_claim on orgs using (org = (auth.jwt() ->> 'org_id')::uuid);
"""
TENANT, SOMEBODY = "3d5c4cd4-9ba4-6c5b-5e29-3e4ea6e1bb3a", "3d5c4cd4-9ba4-6c5b-5e29-3e4ea6e1bb3a"
SETTINGS = {
    "app.tenant": TENANT,
    "app.user": SOMEBODY,
    "request.jwt.claim.sub": SOMEBODY,
    "request.jwt.claims": f'{{"org_id": "{TENANT}"}}',
}


@dataclass(frozen=True, kw_only=True)
class World:
    """A database of tenants, and its shape."""

    database: Database
    shape: Shape

    def role(self, name: str) -> str:
        return f"{self.database.name}_{name}"

    async def real(self, text: str, role: str) -> Mapping[str, Any]:
        """Plan on the server as somebody."""
        return await planned(self.database, Query(name="", text=text), role=self.role(role), **SETTINGS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(cluster: Cluster) -> AsyncIterator[World]:
    async with cluster.fresh() as database:
        await database.execute(WORLD.replace("{r}", database.name))
        await database.execute("vacuum analyze")
        yield World(database=database, shape=await shape_of(database))
        roles = ", ".join(f"{database.name}_{name}" for name in ("app", "user", "admin", "slow"))
        await database.execute(f"drop owned by {roles}; drop role {roles}")


def scans(plan: Mapping[str, Any]) -> list[object]:
    """Give a plan's outline without what is found before it begins: a setting's value."""
    below = [each for each in plan.get("Plans", ()) if "Relation Name" in str(each)]
    return [plan["Node Type"], plan.get("Relation Name", ""), *map(scans, below)]


CASES = (
    ("app", "select * from notes where id > $1", "notes", ("tenant_id",)),
    ("app", "select * from notes where body like $1", "notes", ("tenant_id",)),
    ("app", "update notes set body = $1 where state = $2", "notes", ("tenant_id",)),
    ("user", "select count(*) from notes", "notes", ("user_id",)),
    ("user", "delete from notes where org = $1", "notes", ("user_id",)),
    ("app", "select * from shared where state = $1 order by id limit 20", "shared", ("tenant_id",)),
    ("user", "select * from orgs where state = $1", "orgs", ("org",)),
)


@pytest.mark.parametrize(("role", "text", "name", "columns"), CASES)
async def test_policies_are_planned_as_on_the_server(  # noqa: PLR0917 - two fixtures, and a case of four
    world: World, planners: Planners, role: str, text: str, name: str, columns: tuple[str, ...]
) -> None:
    """Without and with the index that the policy asks for: the same plan, at between half and double the cost."""
    index = candidate(world.shape, name, *columns)
    query = Query(name=text, text=text, roles=(world.role(role),))
    before = await world.real(text, role)
    await world.database.execute(index.definition("built"))
    await world.database.execute(f"analyze {name}")
    after = await world.real(text, role)
    await world.database.execute("drop index built")
    async with planners.opened(world.shape) as shadow:
        answers = [await shadow.cost([query], asked) for asked in ((), (index,))]
    for real, answer in zip((before, after), answers, strict=True):
        assert answer.refused == {}
        ours = answer.planned[text]
        assert scans(ours.plan) == scans(real)
        assert 0.5 <= ours.cost / real["Total Cost"] <= 2
        assert bool(ours.used) == ("built" in str(real))
    assert bool(answers[1].planned[text].used) == (name != "shared")  # nothing looks up what a sub-select gives


async def test_what_leaks_uses_no_index_under_a_policy(world: World, planners: Planners) -> None:
    """What may tell of hidden rows, as @>, is asked last under a policy: no index serves it."""
    index = candidate(world.shape, "notes", "tags", method="gin", opclass="jsonb_path_ops")
    text = "select * from notes where tags @> $1"
    async with planners.opened(world.shape) as shadow:
        asked = [Query(name=role, text=text, roles=(world.role(role),)) for role in ("app", "user", "admin")]
        planned_for = (await shadow.cost(asked, [index])).planned
    assert {role: each.used for role, each in planned_for.items()} == {
        "app": frozenset(),
        "user": frozenset(),
        "admin": {index},
    }


async def test_who_passes_by_policies_plans_without(world: World, planners: Planners) -> None:
    """Owners, superusers and roles with BYPASSRLS; nobody's policies hold where it is not told who asks."""
    owner = await world.database.value("select current_user")
    async with planners.opened(world.shape) as shadow:
        for roles in ((), (owner,), (world.role("admin"),)):
            answer = await shadow.cost([Query(name="q", text="select * from notes where id > $1", roles=roles)])
            assert "InitPlan" not in str(answer.planned["q"].plan)
            assert "tenant_id =" not in str(answer.planned["q"].plan)


async def test_nothing_is_seen_without_a_policy(world: World, planners: Planners) -> None:
    """Row level security that is on, and no policy for who asks: the plan reads nothing, so no index is asked for."""
    text = "select * from notes where org = $1"
    query = Query(name="q", text=text, roles=(world.role("slow"),))
    async with planners.opened(world.shape) as shadow:
        answer = await shadow.cost([query], [candidate(world.shape, "notes", "org")])
    assert answer.planned["q"].plan["Node Type"] == "Result"
    assert outline(answer.planned["q"].plan) == outline(await world.real(text, "slow"))


async def test_of_several_roles_the_bound_one_counts(world: World, planners: Planners) -> None:
    """A statement that an administrator runs as well is still planned for the tenants."""
    roles = (world.role("admin"), world.role("app"))
    async with planners.opened(world.shape) as shadow:
        answer = await shadow.cost([Query(name="q", text="select count(*) from notes", roles=roles)])
    assert "tenant_id" in str(answer.planned["q"].plan)


async def test_unknown_roles_and_unread_policies_are_refused(world: World, planners: Planners) -> None:
    """In words; a table without policies is planned all the same."""
    oid = next(each.oid for each in world.shape.tables.values() if each.name == "notes")
    unread = replace(world.shape.secured[oid], unread="its policies are locked", policies=())
    shape = replace(world.shape, secured={**world.shape.secured, oid: unread})
    asked = [
        Query(name="gone", text="select * from orgs", roles=("oid 55",)),
        Query(name="unread", text="select * from notes", roles=(world.role("app"),)),
        Query(name="free", text="select * from notes", roles=(world.role("admin"),)),
    ]
    async with planners.opened(shape) as shadow:
        answer = await shadow.cost(asked)
    assert "the role that ran it is not known" in answer.refused["gone"]
    assert "public.notes: its policies are locked" in answer.refused["unread"]
    assert [*answer.planned] == ["free"]


async def test_a_policy_that_the_shadow_cannot_have_is_said(world: World, planners: Planners) -> None:
    """Functions of an extension it lacks; others' statements are planned."""
    oid = next(each.oid for each in world.shape.tables.values() if each.name == "notes")
    policies = tuple(replace(each, using="(gis.st_within(body))") for each in world.shape.secured[oid].policies)
    shape = replace(
        world.shape, secured={**world.shape.secured, oid: replace(world.shape.secured[oid], policies=policies)}
    )
    asked = [Query(name=role, text="select * from notes", roles=(world.role(role),)) for role in ("app", "admin")]
    async with planners.opened(shape) as shadow:
        answer = await shadow.cost(asked)
    assert "row level security of public.notes could not be rebuilt" in answer.refused["app"]
    assert [*answer.planned] == ["admin"]


async def test_settings_of_a_role_are_its_sessions(world: World, planners: Planners) -> None:
    """Those for this database before those for all; of a role that cannot log in, nobody's sessions have them."""
    assert world.shape.roles[world.role("slow")].settings == {"enable_seqscan": "off", "random_page_cost": "1.3"}
    text = "select * from members where user_id > $1"
    async with planners.opened(world.shape) as shadow:
        slow, owner = [
            (await shadow.cost([Query(name="q", text=text, roles=roles)])).planned["q"]
            for roles in ((world.role("slow"),), ())
        ]
    real = await planned(
        world.database, Query(name="", text=text), role=world.role("slow"), enable_seqscan="off",
        random_page_cost="1.3", **SETTINGS,
    )  # fmt: skip
    assert scans(slow.plan) == scans(real)
    assert slow.cost == pytest.approx(real["Total Cost"], rel=0.3)
    assert slow.plan != owner.plan


async def test_no_constant_of_a_policy_is_kept(world: World) -> None:
    """Labels of enums are the schema's own; words and keys of the application are not ours."""
    kept = str(world.shape.secured)
    assert "'open'::public.state" in kept
    for word in ("secret", "app.tenant", "org_id"):
        assert word not in kept


async def test_made_up_constants_have_the_types_of_those_they_replace() -> None:
    """And what functions take for orders stays as it is."""
    cases = {
        "(a = 'x'::text)": "(a = ''::text)",
        "(a = 'Ab''c'::character varying(20))": "(a = ''::character varying(1))",
        "(b > 17)": "(b > 1)",
        "(b = 0)": "(b = 0)",
        "(c = '-5'::integer)": "(c = '0'::integer)",
        "(d = ANY ('{x,y}'::text[]))": "(d = ANY ('{}'::text[]))",
        "(e = 'open'::public.state)": "(e = 'open'::public.state)",
        "(e = 'x'::public.other)": "(e = ''::public.other)",
        "(f < date_trunc('day'::text, now()))": "(f < date_trunc('day'::text, now()))",
        '("a 5" = true)': '("a 5" = true)',
        "(g > (now() - '30 days'::interval))": "(g > (now() - '1 day'::interval))",
    }
    for written, kept in cases.items():
        assert without_values(written, {"public.state"}) == kept
