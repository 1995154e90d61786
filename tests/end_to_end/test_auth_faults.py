"""The second exam: every rule about GoTrue and its links, counted before the first look, by roles of every kind."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conftest import Clusters
from tests.database import Cluster, Database
from tests.end_to_end import auth_faults as faults
from tests.end_to_end import auth_faults_census as census
from tests.end_to_end.auth_casts import BLIND, Cast, printed
from tests.end_to_end.auth_reports import Report, configuration, look
from tests.versions import NEWEST

SEEING = ("boss", "functions", "policy", "bypassrls")
BY_COLUMNS = ("policy", "bypassrls")
UNSEEING = ("blind", "nobody")
IN_SESSION = pytest.mark.asyncio(loop_scope="session")
ROW_RULES = (*faults.LINK_ROWS, *faults.AUTH_ROWS, "auth.cleanup_stalled")
FAR_EAST = "alter database {} set timezone = 'Asia/Tokyo'"
TOKYO = "times without zone are UTC's, and the session's zone is nine hours ahead"


def config_of(folder: Path, database: Database) -> Path:
    return configuration(folder, [database.name], faults.LINKS, faults.NOT_LINKS)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The world, and what each saw of it."""

    database: Database
    seen: Mapping[str, Report]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Six roles look at one world."""
    async with cluster.fresh() as database:
        await database.execute(faults.WORLD)
        await database.execute(FAR_EAST.format(database.name))
        config = config_of(tmp_path_factory.mktemp("faults"), database)
        grants, cast = await printed(database, "--config", str(config)), Cast(database)
        try:
            for way, script in grants.items():
                await cast.add(way, "grant select on app.reviews to {role}", grants=script)
            await cast.add("blind", BLIND)
            await cast.add("nobody")
            found = await asyncio.gather(*(look(dsn, config=config) for dsn in cast.dsns.values()))
            yield Stage(database=database, seen=dict(zip(cast.dsns, found, strict=True)))
        finally:
            await cast.drop()


@IN_SESSION
async def test_the_world_holds_what_the_table_says(stage: Stage) -> None:
    """Counted by plain SQL and by Python, by nothing of ours; at least 50 cases in four schemas and more."""
    assert await census.of_links(stage.database) == faults.LINK_ROWS
    assert await census.of_auth(stage.database) == (faults.AUTH_ROWS, faults.STALLED)
    several = sum(map(len, (*faults.LINK_ROWS.values(), *faults.STRUCTURE.values())))
    assert several + len(faults.AUTH_ROWS) + len(faults.STALLED) >= 50


@pytest.mark.parametrize("who", SEEING)
@pytest.mark.parametrize("rule", faults.LINK_ROWS)
def test_rows_of_links_are_counted_to_the_last(stage: Stage, who: str, rule: str) -> None:
    """Exactly those links, exactly those counts, for whoever sees."""
    assert stage.seen[who].counts(rule) == faults.LINK_ROWS[rule]


@pytest.mark.parametrize("who", SEEING)
@pytest.mark.parametrize("rule", faults.AUTH_ROWS)
def test_rows_of_gotrue_are_counted_to_the_last(stage: Stage, who: str, rule: str) -> None:
    """One finding; no near miss is in its count."""
    report = stage.seen[who]
    if rule in faults.SECRETIVE and who in BY_COLUMNS and report.unseen(rule):
        assert (report.found(rule), {each["needs"] for each in report.unseen(rule)}) == ({}, {"rights"})
        return
    assert list(report.counts(rule).values()) == [faults.AUTH_ROWS[rule]], TOKYO


@pytest.mark.parametrize("who", SEEING)
@pytest.mark.parametrize("name", faults.STALLED)
def test_each_table_that_is_not_cleaned_has_its_finding(stage: Stage, who: str, name: str) -> None:
    """By the table's name, without what is younger than piecemeal cleanup leaves."""
    found = stage.seen[who].found("auth.cleanup_stalled").values()
    assert [each["evidence"]["count"] for each in found if each["object"]["name"] == name] == [faults.STALLED[name]]


def structure(report: Report, rule: str) -> set[str]:
    return set(report.found(rule)) - faults.OPEN.get(rule, frozenset())


@pytest.mark.parametrize("who", SEEING)
@pytest.mark.parametrize("rule", faults.STRUCTURE)
def test_the_structure_of_links(stage: Stage, who: str, rule: str) -> None:
    """Exactly those links; the others' structure is right."""
    assert structure(stage.seen[who], rule) == faults.STRUCTURE[rule]


@pytest.mark.parametrize("who", SEEING)
def test_who_sees_is_told_nothing_else(stage: Stage, who: str) -> None:
    """No rule beyond the table's; what is not evaluated waits for history only."""
    report = stage.seen[who]
    rules = {each["rule"] for each in report.document["findings"]}
    assert rules <= {*ROW_RULES, *faults.STRUCTURE}
    secretive = faults.SECRETIVE if who in BY_COLUMNS else frozenset()
    waiting = [each for each in report.document["not_evaluated"] if each["rule"] not in secretive]
    assert {each["needs"] for each in waiting} <= {"history"}
    assert report.document["verdict"] == "blocked"


@pytest.mark.parametrize("rule", [*faults.LINK_ROWS, *faults.STRUCTURE])
def test_a_finding_about_a_link_says_what_the_contract_says(stage: Stage, rule: str) -> None:
    """Its object, severity, confidence; one step lower and medium where only a sample knows the link."""
    for subject, finding in stage.seen["boss"].found(rule).items():
        thing, sampled = finding["object"], subject in faults.SAMPLED
        assert (finding["area"], thing["kind"]) == ("auth", "column")
        assert f"{thing['name']}" in subject.replace('""', '"')
        assert thing["column"] in subject
        if rule in faults.SEVERITY:
            full = faults.SEVERITY[rule]
            assert finding["severity"] == (faults.LOWER[full] if sampled else full), subject
        assert not sampled or finding["confidence"] == "medium"


@pytest.mark.parametrize("rule", [*faults.AUTH_ROWS, "auth.cleanup_stalled"])
def test_a_finding_about_gotrue_says_what_the_contract_says(stage: Stage, rule: str) -> None:
    """A table of schema auth, the severity of CATALOGUE and facts."""
    found = stage.seen["boss"].found(rule).values()
    assert found
    for finding in found:
        thing = finding["object"]
        assert (finding["area"], thing["kind"], thing["schema"]) == ("auth", "table", "auth")
        assert finding["severity"] == faults.SEVERITY[rule]


@pytest.mark.parametrize("who", UNSEEING)
@pytest.mark.parametrize("rule", ROW_RULES)
def test_who_is_blind_says_nothing_about_rows(stage: Stage, who: str, rule: str) -> None:
    """Neither a finding nor silence: not evaluated, for want of rights."""
    report = stage.seen[who]
    assert report.found(rule) == {}
    assert {each["needs"] for each in report.unseen(rule)} == {"rights"}


@pytest.mark.parametrize("who", UNSEEING)
@pytest.mark.parametrize("rule", faults.STRUCTURE)
def test_the_structure_is_seen_without_rights(stage: Stage, who: str, rule: str) -> None:
    """The catalogue hides nothing; what only a sample knows is not known."""
    assert structure(stage.seen[who], rule) - faults.SAMPLED == faults.STRUCTURE[rule] - faults.SAMPLED


@pytest.mark.parametrize("who", UNSEEING)
def test_who_is_blind_says_so(stage: Stage, who: str) -> None:
    """Critical, for links are declared."""
    (finding,) = [*stage.seen[who].found("auth.cannot_see").values()][:1]
    assert (finding["severity"], stage.seen[who].document["verdict"]) == ("critical", "blocked")


@pytest.mark.parametrize("who", [*SEEING, *UNSEEING])
def test_no_secret_is_in_any_report(stage: Stage, who: str) -> None:
    """Tokens, passwords, hashes, metadata, agents: all say canary; ids and addresses are looked for in every report."""
    assert "canary" not in stage.seen[who].said
    assert "192.0.2.77" not in stage.seen[who].said


@IN_SESSION
@pytest.mark.parametrize("major", [14, *(pytest.param(each, marks=pytest.mark.soak) for each in (15, 16, 17)), NEWEST])
async def test_every_version_counts_the_same(clusters: Clusters, major: int, tmp_path: Path) -> None:
    """On the newest version GoTrue stands at its older level: without passkeys a session lacks its factor."""
    async with (await clusters.of(major)).fresh() as database:
        older = major == NEWEST
        await database.execute(faults.OLDER_WORLD if older else faults.WORLD)
        report = await look(database.dsn, config=config_of(tmp_path, database))
    stale = report.found("auth.cleanup_stalled").values()
    said = {
        **{rule: report.counts(rule) for rule in faults.LINK_ROWS},
        **{rule: structure(report, rule) for rule in faults.STRUCTURE},
        **{rule: sum(report.counts(rule).values()) for rule in faults.AUTH_ROWS},
        "auth.cleanup_stalled": {each["object"]["name"]: each["evidence"]["count"] for each in stale},
        "needs": {each["needs"] for each in report.document["not_evaluated"]} - {"history"},
    }
    due = {**faults.LINK_ROWS, **faults.STRUCTURE, **faults.AUTH_ROWS, "auth.cleanup_stalled": faults.STALLED}
    due |= {"needs": set(), "auth.aal2_without_factor": faults.AUTH_ROWS["auth.aal2_without_factor"] + older}
    wrong = {rule: (said[rule], due[rule]) for rule in due if said[rule] != due[rule]}
    assert wrong == {}, "what was said, what is due"
