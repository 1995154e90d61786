"""The whole catalogue: names, manual pages, metrics; and each probe on each version as the monitor's own role."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from monitor.catalog import GROUP
from monitor.demo.gotrue import gotrue
from monitor.errors import Needs
from monitor.expose.own import RESERVED
from monitor.expose.series import family
from monitor.kinds import POSTGRES
from monitor.measurement import Measurement
from monitor.model import Area, NoVerdict, Result, Severity
from monitor.probe import Kind, Probe, Scope, Shape
from monitor.rule import HEADINGS, Advisor, Judge, Rule
from monitor.whole import whole_catalog
from tests.database import Cluster, Database

CHECKOUT = Path(__file__).resolve().parents[2]
CATALOG = whole_catalog()
ASKED_OF_POSTGRES = [probe for probe in CATALOG.probes.values() if probe.scope.kind == POSTGRES]
PROBES = pytest.mark.parametrize("probe", CATALOG.probes.values(), ids=lambda probe: str(probe.name))
RULES = pytest.mark.parametrize("rule", CATALOG.rules.values(), ids=lambda rule: str(rule.id))

BUILT_IN = {
    "server",
    "statements",
    "pool",
    "indexes",
    "shape",
    "tables",
    "auth_links",
    "auth_structure",
    "auth_signups",
    "auth_accounts",
    "auth_sessions",
    "auth_states",
    "activity",
    "statement_secrets",
    "plans",
    "timeouts",
    "pgbouncer",
    "pgbouncer_stats",
    "replication",
    "wal",
    "settings",
    "vacuum",
    "vacuum_tables",
    "locks",
    "sizes",
    "sequences",
    "bloat",
    "exporter_activity",
    "exporter_replication",
    "exporter_settings",
    "exporter_statements",
    "exporter_tables",
}
FAMILIES = {
    "statements", "pool", "sessions", "errors", "server", "replication", "wal", "tables", "index", "auth_links", "auth",
    "rls", "views", "functions", "privileges", "roles", "connections", "settings", "extensions", "ddl", "schema",
    "migration", "target", "probe", "self", "store", "receiver", "ignore", "config", "series",
}  # fmt: skip
PROMISED = {
    "statements.slow", "statements.load", "statements.regressed", "statements.new_slow",
    "statements.unparameterised", "statements.secret_in_text",
    "statements.temp_spill", "statements.rows_waste", "statements.n_plus_one", "statements.evicting",
    "sessions.blocking", "sessions.no_timeouts",
    "pool.saturation", "pool.waiting", "pool.app_saturation", "pool.app_waiting",
    "pool.client_saturation", "pool.client_forecast",
    "pool.exhaustion_forecast", "pool.budget", "pool.churn",
    "sessions.idle_in_transaction",
    "sessions.long_transaction", "index.missing_foreign_key",
    "index.invalid", "index.duplicate", "index.redundant_prefix", "index.unused", "auth_links.orphaned_profile",
    "auth_links.missing_profile", "auth.cannot_see", "auth_links.no_foreign_key", "auth_links.foreign_key_not_valid",
    "auth_links.no_on_delete", "auth_links.cascade_risk", "auth_links.no_unique", "auth_links.no_index",
    "auth_links.wrong_type", "auth_links.nullable", "auth_links.not_primary_key", "auth_links.signup_trigger",
    "auth.schema_level_changed", "auth.signup_anomaly", "errors.rollback_ratio", "errors.deadlocks",
    "auth.unconfirmed", "auth.invite_expired", "auth.anonymous_stale",
    "auth.email_case_duplicate", "auth.user_without_identity", "auth.identity_email_mismatch",
    "auth.null_token_columns", "auth.privileged_role", "auth.super_admin",
    "auth_links.malformed", "auth_links.duplicate", "auth_links.soft_deleted_user", "auth_links.banned_user",
    "auth_links.email_copy", "auth_links.email_drift",
    "errors.sessions_lost", "errors.temp_files", "errors.checksum", "errors.conflicts",
    "auth.banned_live_session", "auth.soft_deleted_live_session", "auth.refresh_token_orphan",
    "auth.refresh_token_mismatch", "auth.many_live_tokens", "auth.live_token_expired_session",
    "auth.aal2_without_factor", "auth.session_factor_missing", "auth.cleanup_stalled", "auth.flow_state_orphan",
    "tables.sequential_scans", "tables.sequence_exhaustion", "tables.bloat", "tables.dead_tuples",
    "tables.stale_statistics", "tables.cache_misses", "tables.wraparound",
    "server.restarted", "server.prepared_transaction", "server.waits", "server.size_forecast",
    "replication.lag", "replication.standby_lost", "replication.slot", "replication.conflicts",
    "wal.archiver_failing", "wal.checkpoints_requested", "wal.growth", "settings.pending_restart",
    "target.unreachable", "target.denied",
    "probe.broken", "probe.slow", "store.degraded", "receiver.failing", "config.reload_failed", "series.dropped",
    "self.over_budget", "ignore.unused", "ignore.expired",
}  # fmt: skip
FIXED_SETTINGS: Mapping[str, set[str]] = {
    "statements.slow": {"simple_ms", "complex_ms", "min_calls"},
    "statements.regressed": {"factor", "min_calls", "min_history"},
    "pool.saturation": {"warning_ratio", "critical_ratio"},
    "pool.waiting": {"max_wait"},
    "pool.exhaustion_forecast": {"horizon"},
    "sessions.idle_in_transaction": {"warning_after", "critical_after"},
    "sessions.long_transaction": {"warning_after", "critical_after"},
    "sessions.blocking": {"after", "blocked"},
    "index.unused": {"min_age"},
}
"""Rule ids and settings that people write into their configurations: they may grow in number and never go away."""

LEGAL_METRIC = re.compile(r"pgarchitect(_[a-z][a-z0-9]*)+\Z")
LEGAL_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
NOT_BASE_UNITS = {"ms", "us", "milliseconds", "minutes", "hours", "days", "kb", "mb", "kib", "mib", "percent", "pct"}
FAULT_LENGTH = 100

INHABITED = """
    create table public.rooms (id bigint primary key, name text);
    create table public.questions (id bigint primary key, room_id bigint not null references rooms, text text);
    create table public.users (id bigint primary key, auth_user_id uuid);
    insert into rooms select g, 'room ' || g from generate_series(1, 50) g;
    insert into questions select g, 1 + g % 50, 'why' from generate_series(1, 5000) g;
    insert into auth.users (id, email, created_at)
    select gen_random_uuid(), 'p' || g || '@example.com', now() - interval '1 day' from generate_series(1, 40) g;
    insert into users select row_number() over (), id from auth.users limit 30;
    insert into users values (1001, gen_random_uuid());
    analyze
"""


def test_every_built_in_probe_can_be_loaded() -> None:
    """All entry points of the group import, and fit into one catalogue."""
    assert [f"{problem.name}: {problem.reason}" for problem in CATALOG.problems] == []
    assert CATALOG.probes.keys() >= BUILT_IN, f"entry points of the group {GROUP} are missing"


def test_no_promised_rule_went_away() -> None:
    """People name rules in routes, silences and ignores."""
    assert sorted(PROMISED - CATALOG.rules.keys()) == []


def test_a_rule_id_belongs_to_one_judge() -> None:
    """`Catalog.rules` is by id, and would hide the second."""
    ids = [rule.id for probe in CATALOG.probes.values() for rule in probe.rules] + [each.id for each in CATALOG.judges]
    assert sorted(ids) == sorted(set(ids))


@RULES
def test_a_rule_is_of_a_known_family(rule: Judge) -> None:
    """`family.word`, both in lower case; a new family is a change of the contract."""
    kind, _, word = rule.id.partition(".")
    assert kind in FAMILIES
    assert LEGAL_NAME.match(word)


@RULES
def test_a_rule_carries_its_manual_page(rule: Judge) -> None:
    """The fault in one short line, then the four headings, each with something under it."""
    assert "__doc__" in vars(type(rule)), "the docstring is its own, not a base class's"
    assert type(rule).__doc__, "a dataclass without a docstring gets its signature as one"
    manual = rule.manual()
    assert not manual["fault"].startswith(type(rule).__name__ + "(")
    assert 10 <= len(manual["fault"]) <= FAULT_LENGTH, manual["fault"]
    assert manual["fault"].endswith(".")
    assert [heading for heading in HEADINGS if not manual.get(heading)] == []
    assert list(manual) == ["fault", *HEADINGS], "the headings stand in their order"


@RULES
def test_a_rules_defaults_are_legal(rule: Judge) -> None:
    """Area and severity are the contract's words, patience is not negative, and no remark is put in by default."""
    assert isinstance(rule.area, Area)
    assert isinstance(rule.severity, Severity)
    assert rule.hold >= 0
    assert rule.keep >= 0
    assert rule.note == ""
    assert isinstance(rule, Rule | Advisor)


AREAS = {
    "statements": Area.PERFORMANCE,
    "index": Area.PERFORMANCE,
    "pool": Area.CAPACITY,
    "sessions": Area.CAPACITY,
    "auth": Area.AUTH,
    "auth_links": Area.AUTH,
}
"""The headings of CATALOGUE under which one area stands."""


@RULES
def test_a_rule_is_of_its_headings_area(rule: Judge) -> None:
    """Attacks and passwords in texts as well: the catalogue has all of `statements` under performance."""
    assert rule.area is AREAS.get(rule.id.partition(".")[0], rule.area)


@RULES
def test_a_rules_settings_can_be_written_down(rule: Judge) -> None:
    """Plain names that `explain` and the configuration can show; those of the contract are among them."""
    names = {field.name for field in fields(rule)}
    assert [name for name in names if not LEGAL_NAME.match(name)] == []
    assert names >= FIXED_SETTINGS.get(rule.id, set())
    values = rule.thresholds().items()
    assert [name for name, value in values if not isinstance(value, str | int | float | tuple | None)] == []


@PROBES
def test_a_probes_metrics_are_well_named(probe: Probe) -> None:
    """Legal for Prometheus, in base units, counters in `_total`, each with a sentence of help."""
    for metric in (metric for part in probe.parts for metric in part.metrics):
        each = family(probe, metric)
        assert LEGAL_METRIC.match(each.sample), each.sample
        assert not NOT_BASE_UNITS & set(each.sample.split("_")), each.sample
        assert each.sample.endswith("_total") == (metric.kind is Kind.COUNTER), each.sample
        assert not each.sample.endswith(("_count", "_sum", "_bucket")) or probe.compat, each.sample
        assert metric.help.strip().endswith((".", "?")), each.sample


def test_no_two_metrics_share_a_name() -> None:
    """Neither two probes' nor a probe's and the monitor's own."""
    parts = [part for probe in CATALOG.probes.values() for part in probe.parts]
    names = [family(part, metric).name for part in parts for metric in part.metrics]
    assert sorted(names) == sorted(set(names))
    assert not RESERVED & set(names)


@PROBES
def test_a_probe_has_a_test_file(probe: Probe) -> None:
    """One file, one test."""
    assert (CHECKOUT / "probes" / f"{probe.name}.py").is_file()
    assert (CHECKOUT / "tests" / "probes" / f"test_{probe.name}.py").is_file()


@PROBES
def test_a_probe_keeps_its_promises_on_paper(probe: Probe) -> None:
    """It asks something on every supported version, is bound in time, and can do what its rules need."""
    assert bool(probe.sql) != (probe.observe is not None)
    assert 0 < probe.timeout <= 5
    assert probe.every >= 1
    assert probe.window == 0 or probe.counters, "a window without counters"
    assert probe.key or not probe.counters or probe.scope is Scope.DATABASE, "counters are told apart by a key"


def test_advisors_read_probes_that_exist() -> None:
    """A renamed probe leaves no advisor silent."""
    for judge in CATALOG.judges:
        if isinstance(judge, Advisor):
            assert judge.reads
            assert set(judge.reads) <= CATALOG.probes.keys(), judge.id


@pytest.fixture
async def inhabited(any_database: Database) -> AsyncIterator[Database]:
    """A database with something in it for each probe, on each version."""
    await any_database.execute(gotrue())
    await any_database.execute(INHABITED)
    sleeper = await any_database.connect(application_name="leaky")
    await sleeper.execute("begin; select pg_sleep(0.3)")
    yield any_database
    await sleeper.close()


async def test_each_text_gives_the_declared_columns(any_cluster: Cluster, any_database: Database) -> None:
    """By the server's own description of the answer, so also where it has no row."""
    monitor = await any_database.as_monitor()
    session = await monitor.connect(default_transaction_read_only="on", search_path="pg_catalog, public")
    texts = {name: probe.sql_for(any_cluster.major) for name, probe in CATALOG.probes.items() if not probe.observe}
    for name, sql in texts.items():
        assert sql is not None, f"{name} has no text for version {any_cluster.major}"
        described = [each.name for each in (await session.prepare(sql)).get_attributes()]
        assert sorted(declared(CATALOG.probes[name]) - set(described)) == [], name
        assert len(described) == len(set(described)), name


async def test_each_probe_runs_in_an_empty_database(any_database: Database) -> None:
    """As the low-privilege role: an answer, or a subject that does not exist; twice, so that growth is seen."""
    monitor = await any_database.as_monitor()
    for probe in ASKED_OF_POSTGRES:
        async with monitor.eye(probe) as eye:
            for _ in range(2):
                seen = await eye.look()
                assert (seen.result, seen.needs) in {(Result.OK, None), (Result.SKIPPED, None)}, why(seen)
                assert broken(eye.unsaid(seen)) == []


async def test_each_probe_runs_in_an_inhabited_database(inhabited: Database) -> None:
    """It answers, every row has what is declared, and no rule breaks on it; with just what `monitor grants` gives."""
    monitor = await inhabited.as_monitor("functions", [("public", "users", "auth_user_id", None)])
    for probe in ASKED_OF_POSTGRES:
        async with monitor.eye(probe) as eye:
            for _ in range(2):
                seen = await eye.look()
                assert seen.result is Result.OK, why(seen)
                assert seen.rows, probe.name
                assert broken(eye.unsaid(seen)) == []
                check_rows(probe, seen)


async def test_a_right_that_is_missing_is_named_as_such(inhabited: Database) -> None:
    """A role that may do nothing but connect: every probe has an answer or says what it lacks, and none breaks."""
    nobody = await inhabited.as_monitor()
    await inhabited.execute(f"revoke pg_monitor from {nobody.user}")
    for probe in ASKED_OF_POSTGRES:
        async with nobody.eye(probe) as eye:
            seen = await eye.look()
            assert seen.result in {Result.OK, Result.SKIPPED, Result.DENIED}, why(seen)
            assert seen.result is Result.OK or seen.needs is Needs.RIGHTS, why(seen)
            assert broken(eye.unsaid(seen)) == []


def declared(probe: Probe) -> set[str]:
    """Name the columns that a probe's one question has to give; with `detail`, labels may be read in addition."""
    own = {*probe.key, *probe.counters, *(metric.column for metric in probe.metrics)}
    return own if probe.detail else own | labels(probe)


def labels(probe: Probe) -> set[str]:
    """Name the labels that come from columns: the exporter sets `target` itself, and `database` of one database."""
    return set(probe.labels) - ({"target", "database"} if probe.scope is Scope.DATABASE else {"target"})


def check_rows(probe: Probe, seen: Measurement) -> None:
    """Look at the first rows of a reading, and at what the exporter gets of it."""
    for row in seen.rows[:20]:
        assert sorted({*probe.key, *probe.counters} - row.keys()) == [], probe.name
    wanted = labels(probe) | {metric.column for metric in probe.metrics}
    for row in (seen.rows if seen.exposed is None else seen.exposed)[:20]:
        assert sorted(wanted - row.keys()) == [], probe.name
    for aside, part in zip(probe.asides, probe.parts[1:], strict=True):
        wanted = labels(part) | {metric.column for metric in part.metrics}
        assert [row for row in seen.asides.get(aside.name, ()) if wanted - row.keys()] == [], aside.name
    if probe.shape is Shape.COLUMNS:
        assert len(seen.rows) > 0, f"{probe.name}: the arrays of its one row are its rows"


def why(seen: Measurement) -> str:
    return f"{seen.probe}: {seen.result.value}: {seen.reason}"


def broken(unsaid: list[NoVerdict]) -> list[str]:
    """Give the reasons of verdicts that are missing because something of ours broke."""
    return [verdict.reason for verdict in unsaid if verdict.needs is Needs.REPAIR]
