"""The second exam: a healthy GoTrue draws no complaint, a bad trigger does, odd databases get a clear word each."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from monitor.demo.gotrue import older_level
from tests.database import Cluster, Database
from tests.end_to_end import auth_faults_census as census
from tests.end_to_end import auth_states as states
from tests.end_to_end.auth_casts import WAYS, Cast, printed
from tests.end_to_end.auth_faults import AUTH_ROWS, LINK_ROWS
from tests.end_to_end.auth_reports import ORPHAN, Report, configuration, look, looks

IN_SESSION = pytest.mark.asyncio(loop_scope="session")
TRIGGER, TOKENS, BLANKS = "auth_links.signup_trigger", "auth.refresh_token_orphan", "auth.null_token_columns"
NOTES = {"public.notes (user_id)": 3}
SESSIONS = (
    "auth.banned_live_session", "auth.soft_deleted_live_session", "auth.refresh_token_mismatch",
    "auth.live_token_expired_session", "auth.aal2_without_factor", "auth.session_factor_missing",
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def healthy(cluster: Cluster) -> AsyncIterator[Mapping[str, Report]]:
    """One healthy world by each who sees, and one of GoTrue's older level."""
    async with cluster.fresh() as newest, cluster.fresh() as older:
        await newest.execute(states.HEALTHY)
        await older.execute(states.HEALTHY + older_level())
        cast, grants = Cast(newest), await printed(newest)
        try:
            for way in WAYS:
                await cast.add(way, grants=grants[way])
            everybody = {**cast.dsns, "older": older.dsn}
            yield await looks({name: (dsn, ("--fail-on-not-evaluated",)) for name, dsn in everybody.items()})
        finally:
            await cast.drop()


@IN_SESSION
async def test_the_healthy_world_has_no_fault(cluster: Cluster) -> None:
    """Counted by plain SQL; everybody who needs a profile has one."""
    async with cluster.fresh() as database:
        await database.execute(states.HEALTHY)
        rules, stale = await census.of_auth(database)
        assert ({rule for rule, count in rules.items() if count}, set(stale.values())) == (set(), {0})
        settled = "confirmed_at < now() - interval '1 hour' and deleted_at is null and not is_anonymous"
        lonely = f"select count(*) from auth.users where {settled} and id not in (select id from public.profiles)"
        assert await database.value(lonely) == 0


@pytest.mark.parametrize("who", ["boss", *WAYS, "older"])
def test_a_healthy_gotrue_is_approved(healthy: Mapping[str, Report], who: str) -> None:
    """Whatever may look like a fault is there, nothing is one: at most information, and all is evaluated.

    Who reads by columns may have none of those that hold tokens: then that one rule wants rights.
    """
    report = healthy[who]
    assert {each["rule"] for each in report.document["findings"] if each["severity"] != "info"} == set()
    waiting = {(each["rule"], each["needs"]) for each in report.document["not_evaluated"] if each["needs"] != "history"}
    if who in {"policy", "bypassrls"} and waiting == {(BLANKS, "rights")}:
        assert report.document["verdict"] == "not evaluated"
        return
    assert waiting == set()
    assert (report.document["verdict"], report.status) == ("approved", 0)


@dataclass(frozen=True, kw_only=True)
class Several:
    """Databases in one report."""

    report: Report
    names: Mapping[str, str]

    def found(self, database: str, rule: str) -> Mapping[str, int]:
        return self.report.counts(rule, self.names[database])

    def needs(self, database: str, rule: str) -> set[str]:
        unseen = [each for each in self.report.unseen(rule) if each["database"] == self.names[database]]
        return {each["needs"] for each in unseen}


@asynccontextmanager
async def several(
    cluster: Cluster, folder: pytest.TempPathFactory, worlds: Mapping[str, str], links: Mapping[str, tuple[str, ...]]
) -> AsyncIterator[Several]:
    """Make the worlds, declare of each its links, and look at all at once."""
    async with AsyncExitStack() as stack:
        made: dict[str, Database] = {}
        for name, script in worlds.items():
            made[name] = await stack.enter_async_context(cluster.fresh())
            await made[name].execute(script)
        names = {name: database.name for name, database in made.items()}
        lines = [each.replace("{", f"{{database: {names[name]}, ") for name in names for each in links[name]]
        text = "".join(f"\n    - {line}" for line in lines) + "\n"
        config = configuration(folder.mktemp("states"), [*names.values()], text)
        yield Several(report=await look(next(iter(made.values())).dsn, config=config), names=names)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def triggers(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Several]:
    scripts = {name: script for name, (script, _) in states.TRIGGERS.items()}
    links = dict.fromkeys(scripts, (states.EVERY_USER,))
    async with several(cluster, tmp_path_factory, scripts, links) as found:
        yield found


@pytest.mark.parametrize("name", states.TRIGGERS)
def test_a_sign_up_trigger_that_is_not_right_is_found(triggers: Several, name: str) -> None:
    """Missing, disabled, with the caller's rights or path, or able to stop a sign-up; not the one that is right."""
    found = triggers.report.found(TRIGGER, triggers.names[name])
    assert len(found) == states.TRIGGERS[name][1]
    assert {each["area"] for each in found.values()} <= {"auth"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def odd(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Several]:
    links: dict[str, tuple[str, ...]] = dict.fromkeys(states.ODD, (states.COUNTED,))
    astray = [f"{{table: public.{table}, column: {column}}}" for table, column in states.ASTRAY.items()]
    links["changed"] = (states.COUNTED, *astray)
    async with several(cluster, tmp_path_factory, states.ODD, links) as found:
        yield found


@pytest.mark.parametrize("name", ["no_schema", "no_users"])
def test_without_gotrue_nothing_is_said_of_rows(odd: Several, name: str) -> None:
    """No orphans where there is nobody to belong to; no rule of ours breaks."""
    rules = {each["rule"] for each in odd.report.document["findings"] if each["database"] == odd.names[name]}
    assert rules <= {"auth.cannot_see"}


@pytest.mark.parametrize("name", [*LINK_ROWS, *AUTH_ROWS])
def test_of_two_auth_schemas_the_configured_one_counts(odd: Several, name: str) -> None:
    """The other's users, sessions and profiles are nobody's fault; the notes of nobody are."""
    assert odd.found("two_schemas", name) == (NOTES if name == ORPHAN else {})


@pytest.mark.parametrize("name", ["lacking", "no_sessions", "scrawled", "changed"])
def test_what_can_be_judged_is_judged(odd: Several, name: str) -> None:
    """A column, a table, a declared link that is not there, or a scrawl, costs nothing else its verdict."""
    assert odd.found(name, ORPHAN) == NOTES
    assert [*odd.found(name, BLANKS).values()] == [4]
    (tokens,) = odd.found(name, TOKENS).values()
    assert tokens == 2 if name != "scrawled" else tokens in {2, 4}


def test_without_any_user_every_row_is_of_nobody(odd: Several) -> None:
    """Also tokens without a session; no user has a fault."""
    assert odd.found("empty_users", ORPHAN) == {"public.notes (user_id)": 33}
    assert [*odd.found("empty_users", TOKENS).values()] == [2]
    assert {rule for rule in AUTH_ROWS if odd.found("empty_users", rule)} == {TOKENS}


@pytest.mark.parametrize(
    "rule",
    ["auth_links.banned_user", "auth_links.soft_deleted_user", "auth.banned_live_session", "auth.anonymous_stale",
     "auth.soft_deleted_live_session", "auth.invite_expired", "auth.super_admin"],
)  # fmt: skip
def test_a_rule_about_a_column_that_is_not_there_does_not_apply(odd: Several, rule: str) -> None:
    """Neither a finding nor a complaint."""
    assert (odd.found("lacking", rule), odd.needs("lacking", rule)) == ({}, set())


@pytest.mark.parametrize("rule", [*SESSIONS, "auth.flow_state_orphan"])
def test_a_rule_about_a_table_that_is_not_there_does_not_apply(odd: Several, rule: str) -> None:
    """Likewise."""
    assert (odd.found("no_sessions", rule), odd.needs("no_sessions", rule)) == ({}, set())


@pytest.mark.parametrize("rule", LINK_ROWS)
@pytest.mark.parametrize("table", states.ASTRAY)
def test_a_declared_link_that_is_none_is_a_matter_of_settings(odd: Several, table: str, rule: str) -> None:
    """Of another type, renamed, a view, dropped: the first rule says so of each, no rule counts its rows."""
    assert not any(f"public.{table} " in subject for subject in odd.found("changed", rule))
    said = [each for each in odd.report.unseen(ORPHAN) if f"public.{table}" in each["reason"]]
    assert {each["needs"] for each in said if each["database"] == odd.names["changed"]} == {"setting"}


@IN_SESSION
async def test_a_locked_table_costs_its_own_rules_only(cluster: Cluster) -> None:
    """Sessions cannot be read now, users can: nothing is invented, nothing else is lost."""
    async with cluster.fresh() as database:
        await database.execute(states.FEW + states.NOTES + states.SIGNS)
        session = await database.connect()
        async with session.transaction():
            await session.execute("lock table auth.sessions in access exclusive mode")
            report = await look(database.dsn)
    assert [*report.counts(BLANKS).values()] == [4]
    for rule in SESSIONS:
        assert (report.found(rule), {each["needs"] for each in report.unseen(rule)}) == ({}, {"time"}), rule


@IN_SESSION
async def test_another_schema_of_gotrue_is_looked_at_when_configured(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`auth.schema` names it; the schema auth beside it is then nobody's."""
    async with cluster.fresh() as database:
        await database.execute(states.ODD["two_schemas"])
        await database.execute("update auth_old.users set recovery_token = null where email like '%n1_@%'")
        config = configuration(tmp_path_factory.mktemp("other"), [database.name], "", "  schema: auth_old\n")
        (report,) = await asyncio.gather(look(database.dsn, config=config))
    (finding,) = report.found(BLANKS).values()
    assert (finding["evidence"]["count"], finding["object"]["schema"]) == (10, "auth_old")
