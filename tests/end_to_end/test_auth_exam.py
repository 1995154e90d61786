"""The exam of auth_links: worlds whose faults were counted before the first look, seen by roles of every kind."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from monitor.demo.gotrue import gotrue
from tests.database import Cluster, Database
from tests.end_to_end import auth_worlds as worlds
from tests.end_to_end.auth_reports import MISSING, ORPHAN, Report, configuration, look, looks

pytestmark = pytest.mark.soak


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shapes(cluster: Cluster) -> AsyncIterator[Report]:
    """Nothing declared, a superuser looks."""
    async with cluster.fresh() as database:
        await database.execute(gotrue())
        await database.execute(worlds.SHAPES)
        yield await look(database.dsn)


WEIRD = f'{worlds.WEIRD} ("auth user.id")'
BY_KEY = {"public.users (auth_user_id)": 3, "app.open_fk (user_id)": 5, "app.forced_in (auth_user_id)": 1, WEIRD: 2,
          "app.parted_fk (user_id)": 1}  # fmt: skip
BY_SAMPLE = {"app.ninety (auth_user_id)": 3, "app.twenty (auth_user_id)": 2, "app.texts (auth_user_id)": 2,
             "app.varchars (user_id)": 1, "app.posts (user_id)": 3, "app.parted (user_id)": 2,
             "app.domains (user_id)": 1, "app.user_accounts (id)": 2}  # fmt: skip
COMPOSITE, MASKS = "app.composite (user_id)", "app.masks (auth_user_id)"


@pytest.mark.parametrize("subject", BY_KEY)
def test_orphans_behind_a_foreign_key(shapes: Report, subject: str) -> None:
    """Critical, whether the key is valid, not valid, forced, quoted or partitioned."""
    finding = shapes.found(ORPHAN)[subject]
    assert (finding["severity"], finding["evidence"]["count"]) == ("critical", BY_KEY[subject])
    assert (finding["confidence"], finding["area"], finding["object"]["kind"]) == ("high", "auth", "column")


@pytest.mark.parametrize("subject", BY_SAMPLE)
def test_orphans_in_a_discovered_link(shapes: Report, subject: str) -> None:
    """From 90 % of at least 20 values on: one step lower, confidence medium."""
    finding = shapes.found(ORPHAN)[subject]
    assert (finding["severity"], finding["confidence"]) == ("warning", "medium")
    assert finding["evidence"]["count"] == BY_SAMPLE[subject]


def test_no_other_table_has_orphans(shapes: Report) -> None:
    """Not views, foreign tables, partitions, keys to other tables, weak look-alikes, dropped columns."""
    assert set(shapes.found(ORPHAN)) - {COMPOSITE, MASKS} == {*BY_KEY, *BY_SAMPLE}
    assert shapes.counts(ORPHAN).get(MASKS, 1) == 1


def test_a_composite_key_is_a_link_too(shapes: Report) -> None:
    """Its column of auth.users(id) has two of nobody."""
    assert shapes.counts(ORPHAN)[COMPOSITE] == 2


def test_missing_profiles_of_the_two_tables_of_everybody(shapes: Report) -> None:
    """Not of doctors and patients, memberships or notes; an empty table may be either."""
    counts = shapes.counts(MISSING)
    counts.pop("app.empty_fk (user_id)", None)
    assert counts == {"app.profiles (id)": 6, "public.users (auth_user_id)": 4}
    assert {each["severity"] for each in shapes.found(MISSING).values()} == {"warning"}


def test_the_object_names_what_the_catalogue_names(shapes: Report) -> None:
    """Unquoted, in parts."""
    thing = shapes.found(ORPHAN)[WEIRD]["object"]
    assert (thing["schema"], thing["name"], thing["column"]) == ('we ird.sch"ema', 'Ünï "t.x"', "auth user.id")


@pytest.mark.parametrize("name", ["eighty (auth_user_id)", "nineteen (auth_user_id)", "profiles (id)"])
def test_look_alikes_and_keys_are_proposed(shapes: Report, name: str) -> None:
    """As information."""
    assert shapes.found("auth_links.undeclared")[f"app.{name}"]["severity"] == "info"


@pytest.mark.parametrize("name", ["noise (request_id)", "dropped (user_id)", "seats (session_id)"])
def test_strangers_are_not_proposed(shapes: Report, name: str) -> None:
    """A column of other ids, one that is gone, a key to a session."""
    assert f"app.{name}" not in shapes.found("auth_links.undeclared")


def test_a_hundred_links_end_in_time(shapes: Report) -> None:
    """The second between two looks is one for all; `monitor` is killed after a minute."""
    assert sum(subject.startswith("app.many_") for subject in shapes.found("auth_links.undeclared")) == 70


def test_orphans_block(shapes: Report) -> None:
    """And the status is 0 all the same."""
    assert (shapes.document["verdict"], shapes.status) == ("blocked", 0)
    assert shapes.found("auth.cannot_see") == {}


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The declared world, looked at twice."""

    plain: Report
    patient: Report


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def declared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Declared]:
    """In a database whose clocks stand west of Greenwich; and again with a grace of two hours and other links."""
    folder = tmp_path_factory.mktemp("declared")
    async with cluster.fresh() as database:
        await database.execute(gotrue())
        await database.execute(worlds.DECLARED)
        await database.execute(f"alter database {database.name} set timezone = 'America/New_York'")
        plain = configuration(folder, [database.name], worlds.LINKS, '  not_links: ["decl.audit_*"]\n')
        elsewhere = "\n    - {table: decl.users, column: auth_user_id, every_user: true, created_at: created_at}"
        elsewhere += "\n    - {target: shop, database: elsewhere, table: decl.audit_log, column: user_id}\n"
        patient = configuration(folder, [database.name], elsewhere, "  grace: 2h\n")
        first, second = await asyncio.gather(look(database.dsn, config=plain), look(database.dsn, config=patient))
        yield Declared(plain=first, patient=second)


DECLARED_ORPHANS = {
    "decl.users (auth_user_id)": (50, "high"),
    "decl.members (user_id)": (2, "high"),
    "decl.ageless (user_id)": (3, "medium"),
    "decl.zone (user_id)": (2, "high"),
    "decl.days (user_id)": (1, "high"),
    "decl.nulls (user_id)": (1, "medium"),
    '"De cl"."t.x" ("auth.id")': (2, None),
}
DECLARED_MISSING = {
    "decl.users (auth_user_id)": 196,
    "decl.team (user_id)": 6,
    "decl.texts (link)": 6,
    "decl.empty (auth_user_id)": 206,
}


@pytest.mark.parametrize("subject", DECLARED_ORPHANS)
def test_orphans_of_a_declared_link(declared: Declared, subject: str) -> None:
    """However few of its values are known, whatever type its creation time has."""
    finding = declared.plain.found(ORPHAN)[subject]
    count, confidence = DECLARED_ORPHANS[subject]
    assert (finding["severity"], finding["evidence"]["count"]) == ("critical", count)
    assert confidence in {None, finding["confidence"]}


def test_only_declared_links_that_are_links_have_findings(declared: Declared) -> None:
    """Excluded ones have none, not even a proposal."""
    assert set(declared.plain.found(ORPHAN)) == set(DECLARED_ORPHANS)
    assert "decl.audit_log (user_id)" not in declared.plain.found("auth_links.undeclared")
    assert not set(DECLARED_ORPHANS) & set(declared.plain.found("auth_links.undeclared"))


def test_missing_profiles_of_tables_declared_for_every_user(declared: Declared) -> None:
    """Also where a user has several rows, other spellings, or the table is empty."""
    assert declared.plain.counts(MISSING) == DECLARED_MISSING
    assert {each["severity"] for each in declared.plain.found(MISSING).values()} == {"warning"}


@pytest.mark.parametrize("name", ["nothere", "users (nope)", "numbers", "seen", "kept", "bare"])
def test_a_declared_link_that_is_none_is_not_evaluated(declared: Declared, name: str) -> None:
    """Never silence: no such table or column, another type, a view."""
    table, _, column = name.partition(" (")
    said = [each for each in declared.plain.unseen(ORPHAN) if f"decl.{table}" in each["reason"]]
    said = [each for each in said if column.rstrip(")") in each["reason"]]
    assert {each["needs"] for each in said} == {"setting"}


def test_grace_and_the_database_of_a_link_are_obeyed(declared: Declared) -> None:
    """Rows of an hour are in flight for a grace of two; a link of another database is not this one's."""
    assert declared.patient.counts(MISSING) == {"decl.users (auth_user_id)": 196}
    assert "decl.users (auth_user_id)" not in declared.patient.found(ORPHAN)
    assert "decl.audit_log (user_id)" not in declared.patient.found(ORPHAN)  # young, by its key
    assert "decl.audit_log (user_id)" in declared.patient.found("auth_links.undeclared")


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Several databases in one report, and three of them alone."""

    all: Report
    names: Mapping[str, str]
    alone: Mapping[str, Report]


OTHERS = {
    "none": worlds.NO_AUTH,
    "home": worlds.HOME_MADE,
    "home_uuid": worlds.HOME_MADE_UUID,
    "view": worlds.VIEW_AUTH,
    "empty": worlds.EMPTY,
    "hollow": worlds.HOLLOW,
    "big": worlds.BIG,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def elsewhere(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Elsewhere]:
    """Databases without GoTrue, with an empty one, with a big one."""
    async with AsyncExitStack() as stack:
        made: dict[str, Database] = {}
        for name, script in OTHERS.items():
            made[name] = await stack.enter_async_context(cluster.fresh())
            await made[name].execute((gotrue() if name in {"empty", "hollow", "big"} else "") + script)
        names = {name: database.name for name, database in made.items()}
        links = "".join(
            f"\n    - {{database: {names[name]}, table: public.users, column: auth_user_id, every_user: true,"
            " created_at: created_at}"
            for name in ("hollow", "big")
        )
        config = configuration(tmp_path_factory.mktemp("elsewhere"), list(names.values()), links + "\n")
        alone = await looks({name: (made[name].dsn, ()) for name in ("none", "home", "empty")})
        yield Elsewhere(all=await look(made["none"].dsn, config=config), names=names, alone=alone)


@pytest.mark.parametrize("name", ["none", "home", "empty"])
def test_where_gotrue_is_not_or_is_empty_all_is_well(elsewhere: Elsewhere, name: str) -> None:
    """The rules do not apply; nothing is missing, nothing is unseen, but what takes more than one look."""
    report = elsewhere.alone[name].document
    unseen = [each for each in report["not_evaluated"] if each["needs"] != "history"]
    assert (report["verdict"], unseen) == ("approved", [])
    assert {each["rule"] for each in report["findings"]} <= ({"auth_links.undeclared"} if name == "empty" else set())
    (seen,) = [each for each in report["targets"] if each["database"] is not None]
    assert (seen["not_applicable"] >= 10) is (name != "empty")


def test_a_view_called_auth_users_is_never_compared(elsewhere: Elsewhere) -> None:
    """Not GoTrue's table: no orphans."""
    found = {(each["database"], each["rule"]) for each in elsewhere.all.document["findings"]}
    assert {rule for database, rule in found if database == elsewhere.names["view"]} == set()


@pytest.mark.parametrize(
    ("name", "orphans", "missing"), [("none", 0, 0), ("home", 0, 0), ("hollow", 3, 0), ("big", 7, 12), ("empty", 0, 0)]
)
def test_each_database_has_its_own_counts(elsewhere: Elsewhere, name: str, orphans: int, missing: int) -> None:
    """Empty auth.users makes orphans of all; 20,000 rows are counted to the last."""
    database = elsewhere.names[name]
    assert sum(elsewhere.all.counts(ORPHAN, database).values()) == orphans
    assert sum(elsewhere.all.counts(MISSING, database).values()) == missing


def test_a_home_made_users_table_of_uuids_loses_no_profile(elsewhere: Elsewhere) -> None:
    """Its people have no state: none can be called missing."""
    database = elsewhere.names["home_uuid"]
    assert elsewhere.all.counts(MISSING, database) == {}
    assert elsewhere.all.counts(ORPHAN, database) in ({}, {"public.p (user_id)": 2})
