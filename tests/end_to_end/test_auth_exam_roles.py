"""The exam of auth_links, second half: one world seen by roles who see all, some or nothing, and through locks."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.demo.gotrue import gotrue
from tests.database import Cluster, Database
from tests.end_to_end import auth_worlds as worlds
from tests.end_to_end.auth_casts import BLIND, Cast, printed
from tests.end_to_end.auth_reports import MISSING, ORPHAN, Report, configuration, look, looks

pytestmark = pytest.mark.soak

PROFILES, NOTES = "public.profiles (id)", "app.notes (user_id)"
ALL = ({PROFILES: 2, NOTES: 1}, {PROFILES: 6})
NOTHING: tuple[dict[str, int], dict[str, int]] = ({}, {})
FORCE = "alter table auth.users force row level security; alter table public.profiles force row level security"
OWNED = "select oid::regprocedure::text as f from pg_proc where pronamespace = 'pgarchitect'::regnamespace"
IN_SESSION = pytest.mark.asyncio(loop_scope="session")
CHANGED = {
    "lacking": "revoke select (deleted_at) on auth.users from {role}",
    "restricted": "create policy {role}_less on auth.users as restrictive to {role} using (id is not null)",
    "narrowed": "drop policy pgarchitect_narrowed on auth.users;"
    " create policy {role}_some on auth.users for select to {role} using (not is_anonymous)",
    "half": "create policy {role}_none on public.profiles as restrictive to {role} using (false)",
}


async def by_policy(cast: Cast, name: str, policy: str, *statements: str) -> None:
    """Add a role that sees by policy, under a name that the next role's policy does not replace."""
    await cast.add(name, *statements, grants=policy.replace("pgarchitect_monitor", f"pgarchitect_{name}"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cast(cluster: Cluster) -> AsyncIterator[Cast]:
    """Everybody who looks."""
    async with cluster.fresh() as database:
        await database.execute(gotrue())
        await database.execute(worlds.GUARDED)
        made, grants = Cast(database), await printed(database)
        try:
            for name, statement in CHANGED.items():
                await by_policy(made, name, grants["policy"], statement)
            await by_policy(made, "policy", grants["policy"])
            await by_policy(made, "group", grants["policy"])
            for name, inherit in (("heir", "true"), ("stranger", "false")):
                await made.add(name, f"grant {made.roles['group']} to {{role}} with inherit {inherit}")
            await made.add("bypass", grants=grants["bypassrls"])
            await made.add("blind", BLIND)
            await made.add("rowoff", BLIND, "alter role {role} set row_security = off")
            await made.add("watcher", "grant pg_monitor to {role}")
            await made.add("nobody")
            await by_policy(made, "hasty", grants["policy"], "alter role {role} set statement_timeout = '1ms'")
            await made.add("functions", grants=grants["functions"])
            yield made
        finally:
            await made.drop()


FLAGS: Mapping[str, tuple[str, ...]] = {
    "boss": ("--fail-on", "critical"),
    "blind": ("--fail-on", "critical"),
    "watcher": ("--fail-on", "warning"),
    "nobody": ("--fail-on-not-evaluated",),
}
SEES_ALL = ("boss", "functions", "policy", "bypass", "heir", "hasty")
SEES_NOTHING = ("blind", "rowoff", "watcher", "nobody", "restricted", "narrowed", "stranger")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seen(cast: Cast) -> dict[str, Report]:
    """The world as it is, by each."""
    names = [*SEES_ALL, *SEES_NOTHING, "half", "lacking"]
    return await looks({name: (cast.dsns[name], FLAGS.get(name, ())) for name in names})


def counts(report: Report) -> tuple[dict[str, int], dict[str, int]]:
    return report.counts(ORPHAN), report.counts(MISSING)


def needs(report: Report, rule: str = ORPHAN) -> set[str]:
    return {str(each["needs"]) for each in report.unseen(rule)}


@pytest.mark.parametrize("name", SEES_ALL)
def test_who_sees_all_counts_the_same(seen: dict[str, Report], name: str) -> None:
    """Whatever way sight came, and whatever timeout the role brought along."""
    report = seen[name]
    assert counts(report) == ALL
    assert (report.document["verdict"], report.found("auth.cannot_see")) == ("blocked", {})
    assert {each["severity"] for each in report.found(ORPHAN).values()} == {"critical"}


@pytest.mark.parametrize("name", SEES_NOTHING)
def test_who_is_blind_says_so_and_accuses_nobody(seen: dict[str, Report], name: str) -> None:
    """A warning, rules on rows not evaluated for want of rights; structure and NULL tokens are seen all the same."""
    report = seen[name]
    assert counts(report) == NOTHING
    (finding,) = report.found("auth.cannot_see").values()
    thing = finding["object"]
    assert (finding["severity"], thing["kind"], thing["schema"], thing["name"]) == ("warning", "table", "auth", "users")
    assert (needs(report), needs(report, MISSING)) == ({"rights"}, {"rights"})
    graver = {each["rule"] for each in report.document["findings"] if each["severity"] == "critical"}
    assert graver <= {"auth_links.no_foreign_key", "auth.null_token_columns"}
    assert report.document["verdict"] == ("blocked" if graver else "changes requested")


def test_a_hidden_profile_table_does_not_hide_the_others(seen: dict[str, Report]) -> None:
    """A restrictive policy empties public.profiles: nobody is missing for that."""
    report = seen["half"]
    assert counts(report) == ({NOTES: 1}, {})
    assert "rights" in needs(report)
    assert "rights" in needs(report, MISSING)
    assert any("profiles" in str(each) for each in report.found("auth.cannot_see").values())


def test_without_deleted_at_nobody_is_called_missing(seen: dict[str, Report]) -> None:
    """The deleted would be."""
    report = seen["lacking"]
    assert report.counts(MISSING) == {}
    assert "rights" in needs(report, MISSING)
    assert report.counts(ORPHAN) in ({}, ALL[0])
    assert report.document["verdict"] in {"blocked", "changes requested"}


@pytest.mark.parametrize(("name", "status"), [("boss", 1), ("blind", 0), ("watcher", 1), ("nobody", 1), ("policy", 0)])
def test_the_exit_status_follows_the_flags(seen: dict[str, Report], name: str, status: int) -> None:
    """Critical at critical, warning below it, warning at it, not evaluated; none."""
    assert seen[name].status == status


@IN_SESSION
async def test_a_blind_look_at_a_declared_link_is_critical(cast: Cast, tmp_path: Path) -> None:
    """What was promised to be watched is not."""
    links = "\n    - {table: app.notes, column: user_id, every_user: true}\n"
    config = configuration(tmp_path, [cast.database.name], links)
    report = await look(cast.dsns["blind"], config=config)
    assert (counts(report), report.document["verdict"]) == (NOTHING, "blocked")
    assert {each["severity"] for each in report.found("auth.cannot_see").values()} == {"critical"}


@asynccontextmanager
async def locked(database: Database, table: str) -> AsyncIterator[None]:
    session = await database.connect()
    async with session.transaction():
        await session.execute(f"lock table {table} in access exclusive mode")
        yield


async def by(cast: Cast, names: Sequence[str], *words: str) -> dict[str, Report]:
    return await looks({name: (cast.dsns[name], words) for name in names})


@IN_SESSION
async def test_a_locked_users_table_is_a_matter_of_time(cast: Cast) -> None:
    """Never an orphan, never approved; --fail-on-not-evaluated fails."""
    async with locked(cast.database, "auth.users"):
        reports = await by(cast, ("boss", "functions", "policy"), "--fail-on-not-evaluated")
    for report in reports.values():
        assert counts(report) == NOTHING
        assert (needs(report), needs(report, MISSING)) == ({"time"}, {"time"})
        assert report.document["verdict"] != "approved"  # how the links are built is seen in the catalogue
        assert report.status == 1


@IN_SESSION
async def test_a_locked_profile_table_costs_its_own_counts_only(cast: Cast) -> None:
    """The other table is counted."""
    async with locked(cast.database, "public.profiles"):
        reports = await by(cast, ("boss", "functions"))
    for report in reports.values():
        assert counts(report) == ({NOTES: 1}, {})
        assert "time" in needs(report)
        assert "time" in needs(report, MISSING)


@IN_SESSION
async def test_forced_row_security_and_blind_owners(cast: Cast) -> None:
    """FORCE hides nothing from a superuser; functions owned by a role that is blind lend no sight."""
    execute = cast.database.execute
    await execute(FORCE)
    try:
        for report in (await by(cast, ("boss", "functions"))).values():
            assert counts(report) == ALL
        await execute("grant usage on schema pgarchitect to supabase_auth_admin")
        for row in await cast.database.fetch(OWNED):
            await execute(f"alter function {row['f']} owner to supabase_auth_admin")
        (report,) = (await by(cast, ("functions",))).values()
        assert (counts(report), needs(report)) == (NOTHING, {"rights"})
        await execute("alter table auth.users no force row level security")
        (report,) = (await by(cast, ("functions",))).values()
        assert (counts(report), needs(report)) == (NOTHING, {"rights"})
        assert report.found("auth.cannot_see")
    finally:
        await execute(FORCE.replace(" force", " no force"))


@IN_SESSION
async def test_a_policy_for_everybody_is_sight(cast: Cast) -> None:
    """Of auth.users first; of the profiles when they too are shown to PUBLIC."""
    await cast.database.execute("create policy open on auth.users using (true)")
    (report,) = (await by(cast, ("blind",))).values()
    assert counts(report) == ({NOTES: 1}, {})
    assert "rights" in needs(report)
    await cast.database.execute("create policy open on public.profiles using (true)")
    (report,) = (await by(cast, ("blind",))).values()
    assert counts(report) == ALL
