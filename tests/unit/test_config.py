"""monitor.yaml: what it says reaches the rooms, and what is wrong in it is named, all at once, without a secret."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from monitor.catalog import Catalog, CatalogProblem
from monitor.config.load import Config, load_config, schema
from monitor.config.model import LATER
from monitor.errors import ConfigErrors
from monitor.model import Secret, Server
from monitor.probe import Probe, Scope
from tests.unit.handmade import CATALOG, AuthOptions, Link

CANARY = "c4n4ry"
DSN = "postgresql://monitor@db/shop"
LEAST = f"targets: [{{name: shop, dsn: {DSN}}}]\n"


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None, catalog: Catalog = CATALOG) -> Config:
    path = folder / "monitor.yaml"
    path.write_text(text)
    return load_config(path, catalog, environ or {})


def mistakes(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
    path = folder / "monitor.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigErrors) as caught:
        load_config(path, CATALOG, environ or {})
    assert CANARY not in str(caught.value)
    return [str(error).removeprefix(f"{folder}/") for error in caught.value.errors]


def test_the_least_configuration_has_the_contracts_defaults(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST)
    assert config.servers == (Server(name="shop", dsn=Secret(DSN)),)
    assert (config.web.host, config.web.port, config.web.external_url) == ("127.0.0.1", 9779, None)
    assert config.store_url.reveal() == "sqlite:////var/lib/pgarchitect/state.db"
    assert config.retention_findings == 400 * 86400
    assert config.retention_statements == 30 * 86400
    assert (config.limits.sessions, config.limits.series) == (2, 2000)
    assert (config.log.format, config.log.level) == ("json", "info")
    assert (config.receivers, config.route, config.warnings) == ({}, None, ())


def test_everything_said_reaches_the_configuration(tmp_path: Path) -> None:
    text = """
targets:
  - name: shop
    dsn: host=db user=monitor password='p w'
    databases: {include: ["shop_.*"], exclude: [shop_tmp]}
    labels: {env: prod}
    through_pooler: true
defaults: {interval: 5s}
probes: {links: {every: 2m}}
rules: {things.slow: {simple_ms: 5}}
auth: {grace: 1h, links: [{table: public.users, column: auth_user_id}]}
receivers: {ops: {slack: {webhook: "https://hooks.example.com/x"}}}
route: {receiver: ops}
web: {listen: "[::1]:80", external_url: "https://watch.example.com/db"}
store: sqlite:///data/state.db
retention: {findings: 30d, statements: 7d}
limits: {sessions: 1, series: 500}
log: {format: console, level: debug}
"""
    config = loaded(tmp_path, text)
    (server,) = config.servers
    assert (server.include, server.exclude, server.through_pooler) == (("shop_.*",), ("shop_tmp",), "true")
    assert (config.catalog.probes["things"].every, config.catalog.probes["links"].every) == (5.0, 120.0)
    assert config.catalog.rules["things.slow"].thresholds()["simple_ms"] == 5
    options = AuthOptions(grace=3600.0, links=(Link(table="public.users", column="auth_user_id"),))
    assert config.catalog.probes["links"].options == options
    slack = config.receivers["ops"].slack
    assert slack is not None
    assert config.route is not None
    assert (config.route.receiver, config.receivers["ops"].kind, slack.webhook) == (
        "ops",
        "slack",
        Secret("https://hooks.example.com/x"),
    )
    assert (config.web.host, config.web.port) == ("::1", 80)
    assert config.store_url.reveal() == f"sqlite:///{tmp_path}/data/state.db"
    assert (config.retention_findings, config.limits.sessions, config.log.format) == (30 * 86400, 1, "console")
    assert config.retention_statements == 7 * 86400


def test_no_secret_is_in_the_repr_of_a_configuration(tmp_path: Path) -> None:
    text = f"targets: [{{name: a, dsn: 'postgresql://u:{CANARY}@h/d'}}]\nstore: sqlite:///{CANARY}.db\n"
    text += f"receivers: {{ops: {{slack: {{webhook: 'https://h/{CANARY}'}}}}}}"
    assert CANARY not in repr(loaded(tmp_path, text))


def test_all_mistakes_are_named_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = f"""
targets:
  - {{name: shop, dsn: "postgresql://u:{CANARY}@h:99999/x", label: {{env: prod}}}}
  - {{name: shop, dsn: !env NOPE, databases: {{include: ["(a"]}}}}
default: {{interval: 15s}}
probes: {{thing: {{every: 1s}}, things: {{every: 5parsecs}}}}
rules: {{things.slow: {{simple_msec: 1}}}}
auth: {{grace: ages}}
receivers: {{ops: {{slak: {{}}}}}}
route: {{receiver: op}}
web: {{listen: 9779}}
limits: {{sessions: 3}}
log: {{level: inf}}
"""
    expected = [
        "monitor.yaml:3: targets[0].dsn: has a port that is no number from 1 to 65535",
        "monitor.yaml:3: targets[0].label: no such key; did you mean labels?",
        "monitor.yaml:4: targets[1].name: another target has this name",
        "monitor.yaml:4: targets[1].dsn: the environment has no NOPE",
        "monitor.yaml:4: targets[1].databases.include[0]: is no regular expression",
        "monitor.yaml:5: default: no such key; did you mean defaults?",
        "monitor.yaml:6: probes.thing: no such probe; did you mean things?",
        "monitor.yaml:6: probes.things.every: should be a duration such as",
        "monitor.yaml:7: rules.things.slow.simple_msec: no such setting; did you mean simple_ms? (has: hold, keep,",
        "monitor.yaml:8: auth.grace: should be a duration such as",
        "monitor.yaml:9: receivers.ops.slak: no such key; did you mean slack?",
        "monitor.yaml:10: route.receiver: no such receiver; did you mean ops?",
        "monitor.yaml:11: web.listen: should be a text; put it in quotes",
        "monitor.yaml:12: limits.sessions: should be at most 2",
        "monitor.yaml:13: log.level: should be 'debug', 'info', 'warning' or 'error'; did you mean info?",
    ]
    found = mistakes(tmp_path, text)
    missing = [line for line in expected if not any(mistake.startswith(line) for mistake in found)]
    assert (missing, len(found)) == ([], len(expected))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "monitor.yaml: is empty; begin with a line such as `targets:`"),
        ("# only a comment\n", "monitor.yaml: is empty"),
        ("- a\n- b\n", "monitor.yaml: is not a mapping of keys"),
        ("targets\n", "monitor.yaml: is not a mapping of keys"),
        (f"targets: [{{dsn: {CANARY}\n", "monitor.yaml:2: is not YAML: expected ',' or '}'"),
        (f"a: '{CANARY}\nb: 1\n", "is not YAML: found unexpected end of stream"),
        ("\ta: 1\n", "monitor.yaml:1: is not YAML: found character '\\t'"),
        ("a: 1\n---\nb: 2\n", "monitor.yaml:2: is not YAML: but found another document"),
        (b"a: \xff\xfe\n", "monitor.yaml: is not UTF-8 text; save it as UTF-8"),
        (b"a: \x00\n", "monitor.yaml: is not YAML: it holds a character that no text has"),
        ("[" * 20_000, "monitor.yaml: is nested too deeply"),
    ],
)
def test_what_is_no_configuration_at_all_gets_one_clear_line(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    (mistake,) = mistakes(tmp_path, text)
    assert complaint in mistake


def test_a_missing_file_and_a_directory_get_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"gone.yaml: no such file; `monitor init` writes one\Z"):
        load_config(tmp_path / "gone.yaml", CATALOG, {})
    with pytest.raises(ConfigErrors, match=r": is a directory; name the file in it\Z"):
        load_config(tmp_path, CATALOG, {})
    (tmp_path / "monitor.yaml").write_text(LEAST)
    with pytest.raises(ConfigErrors, match=r": cannot be read: Not a directory\Z"):
        load_config(tmp_path / "monitor.yaml" / "x", CATALOG, {})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (LEAST + LEAST, "monitor.yaml:2: targets: is given twice; first on line 1"),
        ("targets:\n", "monitor.yaml:1: targets: should be a list, such as [one, two]"),
        ("targets: []\n", "monitor.yaml:1: targets: names no server"),
        ("log: {level: info}\n", "monitor.yaml:1: targets: is required"),
        ("targets: [{name: a b, dsn: host=x}]\n", "targets[0].name: does not look right"),
        ("targets: [{name: 5, dsn: host=x}]\n", "targets[0].name: should be a text; put it in quotes"),
        ("targets: [{name: a, dsn: }]\n", "targets[0].dsn: should be a text; name it by !env NAME or !file PATH"),
        ("targets: [shop]\n", "targets[0]: should be a mapping of keys"),
        (LEAST.replace("}", ", labels: {severity: x}}"), "targets[0].labels.severity: is a label we set ourselves"),
        (LEAST.replace("}", ", labels: {a-b: x}}"), "targets[0].labels.a-b: is no label name"),
        (LEAST.replace("}", ", through_pooler: perhaps}"), "through_pooler: should be auto, true or false"),
        (LEAST.replace("}", ", kind: postgre}"), "targets[0].kind: should be 'postgres', 'pgbouncer' or 'app_pool'"),
        (
            "targets: [{name: a, kind: pgbouncer, dsn: host=x, databases: {}}]\n",
            "targets[0]: a PgBouncer has no databases",
        ),
        (
            "targets: [{name: a, kind: pgbouncer, dsn: host=x dbname=shop}]\n",
            "targets[0]: the dsn of a PgBouncer should name its console",
        ),
        ("targets: [{name: a, kind: app_pool, url: 'http://x', size: s}]\n", "targets[0].in_use: is required"),
        ("targets: [{name: a, kind: app_pool, in_use: s, size: s}]\n", "targets[0].url: is required"),
        (
            "targets: [{name: a, kind: app_pool, url: x, in_use: s, size: s}]\n",
            "targets[0].url: should be a URL",
        ),
        (
            "targets: [{name: a, kind: app_pool, url: 'http://x', in_use: s, size: s, wating: s}]\n",
            "targets[0].wating: no such key; did you mean waiting?",
        ),
        (
            "discovery: [{files: [a], kind: pgbouncer, dsn: 'postgresql://m@{address}/shop'}]\n",
            "discovery[0]: the dsn of a PgBouncer should name its console",
        ),
        (
            "targets: [{name: a, kind: pgbouncer, dsn: host=x, url: 'http://x'}]\n",
            "targets[0].url: no such key here; it belongs to another kind of entry",
        ),
        (
            "targets: [{name: a, kind: app_pool, dsn: host=x, url: 'http://x', in_use: s, size: s}]\n",
            "targets[0].dsn: no such key here; it belongs to another kind of entry",
        ),
        (
            "targets: [{name: a, kind: app_pool, url: 'http://x', in_use: 'a b', size: s}]\n",
            "targets[0].in_use: does not look right",
        ),
        (LEAST + "receivers: {a: {}}\n", "monitor.yaml:2: receivers.a: should have exactly one kind"),
        (LEAST + f"receivers: {{a: {{slack: {{webhook: {CANARY}}}}}}}\n", "receivers.a.slack.webhook: should be a URL"),
        (LEAST + "route: {receiver: a}\n", "monitor.yaml:2: route.receiver: no such receiver"),
        (
            LEAST + "inhibit: [{source_matchers: [a=b], target_matchers: [a=c], source: [a=b]}]\n",
            "inhibit[0].source: no such key",
        ),
        (LEAST + "route: a\n", "monitor.yaml:2: route: should be a mapping of keys"),
        (LEAST + "web: {listen: 'localhost'}\n", "web.listen: should be HOST:PORT"),
        (LEAST + "web: {listen: '::1:80'}\n", "web.listen: should be HOST:PORT"),
        (LEAST + "web: {external_url: 'example.com'}\n", "web.external_url: should be a URL"),
        (LEAST + "store: state.db\n", "store: should be sqlite:///FILE beside this file"),
        (LEAST + "retention: {findings: 0}\n", "retention.findings: should be more than 0"),
        (LEAST + "retention: {statements: 59m}\n", "retention.statements: should be"),
        (LEAST + "retention: {statements: 401d}\n", "retention.statements: should be"),
        (LEAST + "defaults: {interval: 0.1s}\n", "defaults.interval: should be at least 1"),
        (LEAST + "probes: {files: x.yaml}\n", "probes.files: should be a list, such as [one, two]"),
        (LEAST + "probes: {files: [gone.yaml]}\n", "gone.yaml: no such file"),
        (LEAST + "rules: [a]\n", "monitor.yaml:2: rules: should be a mapping of keys"),
        (LEAST + "auth: {links: [{target: shp, table: t, column: c}]}\n", "target: no such target; did you mean shop?"),
        (LEAST + "pools: {budgets: [{application: a, size: 1, target: shp}]}\n", "no such target; did you mean shop?"),
        ("targets: [{name: a, dsn: host=a}, {name: b, dsn: host=b, replica_of: c}]\n", "no such target"),
        ("targets: [{name: a, dsn: host=a, replica_of: a}]\n", "replica_of: leads back to this target"),
        ("targets: [{name: a, dsn: host=a}, {name: b, dsn: host=b, serves: a}]\n", "only a PgBouncer"),
        ("targets: [{name: p, kind: pgbouncer, dsn: host=p dbname=pgbouncer, serves: a}]\n", "serves: no such target"),
        ("targets: [{name: p, kind: pgbouncer, dsn: host=p dbname=pgbouncer, serves: p}]\n", "serves: is no server"),
        (LEAST + "compat: [pg_exporter]\n", "compat[0]: should be 'pgbouncer_exporter' or 'postgres_exporter'"),
        (LEAST + "log: !secret x\n", "monitor.yaml:2: log: the tag !secret has no meaning here"),
        (LEAST + "log: !env [A]\n", "monitor.yaml:2: log: !env takes one word"),
        (LEAST + "log: &a {level: *a}\n", "monitor.yaml:2: log.level: refers to itself"),
        (LEAST + "? [a]\n: b\n", "monitor.yaml:2: a key must be one word"),
    ],
)  # fmt: skip
def test_one_mistake_gives_one_line_that_says_what_is_right(tmp_path: Path, text: str, complaint: str) -> None:
    (mistake,) = mistakes(tmp_path, text)
    assert complaint in mistake


@pytest.mark.parametrize("key", sorted(LATER))
def test_a_key_of_a_later_version_is_refused_so_that_nobody_relies_on_it(tmp_path: Path, key: str) -> None:
    first, *rest = key.split(".")
    slack = {"slack": {"webhook": "https://h/", rest[-1]: 1}} if len(rest) == 3 else {}
    inner = {
        "receivers": {"ops": slack or dict.fromkeys(rest[-1:])},
        "route": {"receiver": "ops", **dict.fromkeys(rest)},
    }.get(first, dict.fromkeys(rest))
    base: dict[str, object] = {"targets": [{"name": "shop", "dsn": DSN}], "receivers": {"ops": {"console": {}}}}
    (mistake,) = mistakes(tmp_path, json.dumps({**base, first: inner}))
    assert mistake.endswith("is not built yet; this key comes with a later version: remove it")


def test_probes_for_an_exporters_names_are_asked_where_compat_lists_it(tmp_path: Path) -> None:
    """And nowhere else; whoever turns one off goes without it."""
    catalog = Catalog(
        probes={
            **CATALOG.probes,
            "theirs": Probe(name="theirs", scope=Scope.SERVER, every=60, enabled=False, compat="postgres_exporter"),
        }
    )
    text = LEAST + "compat: [postgres_exporter]\n"
    assert "theirs" not in loaded(tmp_path, LEAST, catalog=catalog).catalog.asked
    assert "theirs" not in loaded(tmp_path, LEAST + "compat: [pgbouncer_exporter]\n", catalog=catalog).catalog.asked
    assert "theirs" in loaded(tmp_path, text, catalog=catalog).catalog.asked
    off = text + "probes: {theirs: {enabled: false}}\n"
    assert "theirs" not in loaded(tmp_path, off, catalog=catalog).catalog.asked


def test_a_replica_names_its_primary_or_is_refused(tmp_path: Path) -> None:
    """By another target's name; not in a ring, and not of a PgBouncer."""
    one, two = "{name: a, dsn: host=a}", "{name: b, dsn: host=b, replica_of: a}"
    config = loaded(tmp_path, f"targets: [{one}, {two}]\n")
    assert [server.replica_of for server in config.servers] == [None, "a"]
    ring = "targets: [{name: a, dsn: host=a, replica_of: b}, {name: b, dsn: host=b, replica_of: a}]\n"
    assert [each.partition(": ")[2].partition(";")[0] for each in mistakes(tmp_path, ring)] == [
        "targets[0].replica_of: leads back to this target",
        "targets[1].replica_of: leads back to this target",
    ]
    pool = "{name: p, kind: pgbouncer, dsn: 'postgresql://m@p:6432/pgbouncer'}"
    (mistake,) = mistakes(tmp_path, f"targets: [{pool}, {{name: b, dsn: host=b, replica_of: p}}]\n")
    assert "is no server" in mistake


def test_links_need_a_target_where_there_are_several(tmp_path: Path) -> None:
    text = (
        f"targets: [{{name: a, dsn: {DSN}1}}, {{name: b, dsn: {DSN}2}}]\nauth: {{links: [{{table: t, column: c}}]}}\n"
    )
    (mistake,) = mistakes(tmp_path, text)
    assert mistake == "monitor.yaml:2: auth.links[0]: needs a target, for there are several; target: a"


def test_env_file_and_names_in_texts_are_filled_in(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text(f"{DSN}\n")
    text = """
targets:
  - {name: "a-${ZONE}", dsn: !file dsn, labels: {cost: "5$$", same: "${ZONE}/${ZONE}", plain: a$b}}
  - {name: b, dsn: !env DSN_B}
limits: {series: !env SERIES}
"""
    config = loaded(tmp_path, text, {"ZONE": "eu", "DSN_B": "host=b", "SERIES": "700"})
    first, second = config.servers
    assert (first.name, first.dsn, second.dsn) == ("a-eu", Secret(DSN), Secret("host=b"))
    assert first.labels == {"cost": "5$", "same": "eu/eu", "plain": "a$b"}
    assert config.limits.series == 700


def test_what_cannot_be_filled_in_is_named_once_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    text = f"""
targets:
  - {{name: a, dsn: !file gone}}
  - {{name: b, dsn: !file .}}
  - {{name: c, dsn: !file binary}}
  - {{name: d, dsn: "postgresql://u:{CANARY}@${{GONE}}/d"}}
  - {{name: e, dsn: !env BAD}}
"""
    assert mistakes(tmp_path, text, {"BAD": f"mysql://u:{CANARY}@h/d"}) == [
        "monitor.yaml:3: targets[0].dsn: the file gone cannot be read: No such file or directory",
        "monitor.yaml:4: targets[1].dsn: the file . cannot be read: Is a directory",
        "monitor.yaml:5: targets[2].dsn: the file binary is not UTF-8 text",
        "monitor.yaml:6: targets[3].dsn: the environment has no GONE; set it, or write $$ for a dollar sign",
        "monitor.yaml:7: targets[4].dsn: is not a PostgreSQL URL; it begins with postgresql://",
    ]


def test_words_that_yaml_once_took_for_booleans_and_times_stay_words(tmp_path: Path) -> None:
    text = f"targets: [{{name: no, dsn: {DSN}, labels: {{on: off, at: 12:30, day: 2027-01-31, id: 007, hex: 0x1F}}}}]\n"
    (server,) = loaded(tmp_path, text).servers
    assert server.name == "no"
    assert server.labels == {"on": "off", "at": "12:30", "day": "2027-01-31", "id": "007", "hex": "0x1F"}


@pytest.mark.parametrize(("word", "value"), [("no", False), ("yes", True), ("false", False), ("on", True)])
def test_a_switch_takes_every_spelling_of_yes_and_no(tmp_path: Path, word: str, value: bool) -> None:  # noqa: FBT001 - a case
    config = loaded(tmp_path, LEAST + f"probes: {{things: {{enabled: {word}}}}}\n")
    assert config.catalog.probes["things"].enabled is value


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    text = f"""
targets:
  - &first {{name: a, dsn: {DSN}, labels: {{env: prod}}}}
  - {{<<: *first, name: b, dsn: {DSN}2}}
"""
    assert [(server.name, server.labels) for server in loaded(tmp_path, text).servers] == [
        ("a", {"env": "prod"}),
        ("b", {"env": "prod"}),
    ]


def test_sections_left_empty_say_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, LEAST + "rules:\nprobes:\nauth:\nlog:\n").log.level == "info"


def test_yaml_probes_come_in_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "probes.d").mkdir()
    (tmp_path / "probes.d" / "one.yaml").write_text("name: one\nhelp: One.\nsql: select 1 as n\n")
    config = loaded(tmp_path, LEAST + 'probes: {files: ["probes.d/*.yaml", probes.d/one.yaml], one: {every: 7s}}\n')
    assert config.catalog.probes["one"].every == 7


def test_a_mistake_in_a_yaml_probe_is_named_with_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: one\nhelp: One.\nsql: select 1 as n\nttl: soon\n")
    (tmp_path / "b.yaml").write_text("name: things\nhelp: Taken.\nsql: select 1 as n\n")
    assert mistakes(tmp_path, LEAST + "probes: {files: ['[ab].yaml']}\n") == [
        "a.yaml:4: ttl: should be a duration such as 250ms, 30s, 5m, 2h or 7d",
        "b.yaml:1: there is a probe things already; choose another name",
    ]


def test_what_has_no_effect_draws_a_warning(tmp_path: Path) -> None:
    text = f"""
targets:
  - {{name: a, dsn: {DSN}, databases: {{exclude: [".*"]}}}}
  - {{name: b, dsn: {DSN}}}
receivers: {{heard: {{console: {{}}}}, idle: {{console: {{}}}}}}
route: {{receiver: heard}}
probes: {{files: ["nothing/*.yaml"]}}
statements: {{top: 5}}
"""
    catalog = Catalog(probes=CATALOG.probes, problems=(CatalogProblem("statements", "broken"),))
    warnings = [line.removeprefix(f"{tmp_path}/") for line in loaded(tmp_path, text, catalog=catalog).warnings]
    assert warnings == [
        "monitor.yaml:5: receivers.idle: is used by no route; route: {receiver: idle}",
        "monitor.yaml:3: targets[0].databases: matches no database; only the server is watched",
        "monitor.yaml:4: targets[1].dsn: is that of another target; the server is asked twice",
        "monitor.yaml:7: probes.files[0]: matches no file",
        "monitor.yaml:8: statements: has no effect: its probe could not be loaded; see `monitor probes`",
    ]


def test_the_schema_knows_every_key_and_closes_the_top_level() -> None:
    made = schema(CATALOG)
    assert {"targets", "auth", "statements", "rules", "web", "store"} <= set(made["properties"])
    assert (made["additionalProperties"], made["anyOf"]) == (
        False,
        [{"required": ["targets"]}, {"required": ["discovery"]}],
    )
    json.dumps(made)
