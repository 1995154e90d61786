"""The Grafana boards: in step with their Python, naming only metrics that are exported, in PromQL that parses."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.auth import SECURITY
from dashboards.build import BOARDS, FOLDER, main, rendered
from dashboards.frame import PAGE_URL
from dashboards.ourselves import RULES
from monitor.catalog import load_catalog
from monitor.config.model import Web
from monitor.expose.own import FAMILIES
from monitor.expose.series import family
from monitor.model import Area
from monitor.whole import whole_catalog
from tests.boards import annotations, board, everything, panels, queries, variables
from tests.conftest import absent

CHECKOUT = Path(__file__).resolve().parents[2]
NAMES = pytest.mark.parametrize("name", BOARDS)
PLACE = {"target", "database"}
OWN_LABELS = {
    "pgarchitect_probe_result": {"probe", "result"},
    "pgarchitect_findings": {"rule", "severity", "state"},
    "pgarchitect_not_evaluated": {"rule", "needs"},
    "pgarchitect_notifications_total": {"receiver", "outcome"},
}
"""Labels beside target, database and probe."""
UIDS = {
    "overview.json": "pgarchitect-overview",
    "database.json": "pgarchitect-database",
    "statements.json": "pgarchitect-statements",
    "pools.json": "pgarchitect-pools",
    "tables.json": "pgarchitect-tables",
    "auth.json": "pgarchitect-auth",
    "monitor.json": "pgarchitect-monitor",
}
"""People's bookmarks: a uid never changes."""
PAGES = ("/", "/findings", "/statements", "/rules/")


def exported() -> Mapping[str, set[str]]:
    """Give the labels of every metric by its name on the page."""
    catalog = load_catalog()
    assert catalog.problems == ()
    probes = [part for probe in catalog.probes.values() for part in probe.parts]
    own = {each.sample: {"probe"} | OWN_LABELS.get(each.sample, set()) for each in FAMILIES}
    return own | {family(probe, metric).sample: set(probe.labels) for probe in probes for metric in probe.metrics}


def named(text: str) -> set[str]:
    return set(re.findall(r"pgarchitect_\w+", text))


@NAMES
def test_a_board_is_as_its_python_writes_it(name: str) -> None:
    """Nobody edited the JSON, and nobody forgot `make docs`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == rendered(BOARDS[name])


def test_the_check_says_what_is_out_of_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` is 1 and names the file that was edited or is missing, and 0 once it is written."""
    assert main(["--check"], tmp_path) == 1
    assert "overview.json: out of date; run `make docs`" in capsys.readouterr().err
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert main(["--chekc"], tmp_path) == 2


def test_no_board_is_left_behind() -> None:
    """Each file has its Python, and its address in Grafana stays what it was."""
    assert {name: board(name)["uid"] for name in BOARDS} == UIDS
    assert {path.name for path in FOLDER.glob("*.json")} == UIDS.keys()


@NAMES
def test_a_board_names_only_what_is_exported(name: str) -> None:
    """A renamed column leaves no dead panel behind."""
    assert named(" ".join(query.expr for query in everything(name))) <= exported().keys()


@NAMES
def test_a_board_uses_only_labels_that_are_there(name: str) -> None:
    """What a legend or an aggregation names is a label of one of the metrics in its expression."""
    known = exported()
    for query in everything(name):
        labels = PLACE.union({"instance", "job"}, *(known[metric] for metric in named(query.expr)))
        used = {label for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", query.expr) for label in _split(group)}
        used |= set(re.findall(r"(\w+)\s*(?:=~|!=|=|!~)\s*\"", query.expr))
        used |= set(re.findall(r"{{(\w+)}}", query.legend))
        assert used <= labels, query.place


def _split(group: str) -> set[str]:
    return {label.strip() for label in group.split(",")}


@NAMES
def test_every_expression_parses(name: str, tmp_path: Path) -> None:
    """Prometheus' own parser accepts each one, Grafana's variables filled in."""
    if shutil.which("promtool") is None:
        absent("promtool is not installed")
    rules = [
        {"record": f"board:query:{number}", "expr": query.filled()} for number, query in enumerate(everything(name))
    ]
    file = tmp_path / "board.rules.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(rules)} rules found" in done.stdout


@NAMES
def test_panels_fill_the_width_and_do_not_overlap(name: str) -> None:
    """Each cell of the 24 columns belongs to exactly one panel, from the first line to the last."""
    taken: Counter[tuple[int, int]] = Counter()
    for panel in board(name)["panels"]:
        place = panel["gridPos"]
        taken.update((place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"]))
    deepest = max(y for _, y in taken)
    assert dict(taken) == {(x, y): 1 for x in range(24) for y in range(deepest + 1)}


@NAMES
def test_a_panel_can_be_understood(name: str) -> None:
    """It has a title of its own, explains itself, has a unit, thresholds, its source, and an id nobody else has."""
    shown = panels(name)
    assert len({panel["title"] for panel in shown}) == len(shown)
    assert len({panel["id"] for panel in board(name)["panels"]}) == len(board(name)["panels"])
    for panel in shown:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["thresholds"]["steps"], panel["title"]
        assert "unit" in defaults or _units(panel["fieldConfig"]["overrides"]), panel["title"]
        assert all(query["datasource"] == panel["datasource"] for query in panel["targets"]), panel["title"]


def _units(overrides: list[dict[str, list[dict[str, str]]]]) -> list[str]:
    return [each["value"] for override in overrides for each in override["properties"] if each["id"] == "unit"]


@NAMES
def test_a_table_has_the_columns_it_names(name: str) -> None:
    """The keys are the labels of each query, and each query's value has a name: nothing shows as `Value #A`."""
    for panel in panels(name):
        if panel["type"] != "table":
            continue
        tidy = panel["transformations"][-1]["options"]
        ordered = sorted(tidy["indexByName"], key=tidy["indexByName"].__getitem__)
        values = [f"Value #{query['refId']}" for query in panel["targets"]]
        values = ["Value"] if len(values) == 1 else values
        assert list(tidy["renameByName"]) == values, panel["title"]
        assert ordered[-len(values) :] == values, panel["title"]
        keys = set(ordered[1 : -len(values)])
        for query in queries(panel):
            grouped = re.search(r"(?:by) \(([^)]*)\)", query.expr)
            assert grouped, query.expr
            assert _split(grouped[1]) == keys, query.expr


@NAMES
def test_variables_narrow_each_other(name: str) -> None:
    """Source, target, database of that target, and the address our page has unless it is told another."""
    listed = {each["name"]: each for each in board(name)["templating"]["list"]}
    assert list(listed) == ["datasource", "target", "database", "page"]
    assert [label for label, _ in variables(name)] == ["target", "database"]
    assert 'target=~"$target"' in listed["database"]["query"]
    assert listed["page"]["query"] == PAGE_URL == f"http://{Web().listen}"


@NAMES
def test_links_lead_somewhere(name: str) -> None:
    """Each board has links to all others and to our page; a click leads to a page there is, or to a board there is."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    others, ours = board(name)["links"]
    assert (others["type"], others["tags"], others["includeVars"]) == ("dashboards", ["pgarchitect"], True)
    assert "pgarchitect" in board(name)["tags"]
    assert ours["url"] == "${page}/"
    for path in re.findall(r"\$\{page\}([^?\"$]*)", text):
        assert path in PAGES, path
    for uid in re.findall(r'"/d/([^?"]*)', text):
        assert uid in UIDS.values()


@NAMES
def test_findings_and_starts_are_marked(name: str) -> None:
    """In the lines of every graph one sees when a finding began, and when a server started."""
    assert [each.place for each in annotations(name)] == ["annotation Findings", "annotation Starts"]


@NAMES
def test_grafanas_own_types_read_it(name: str) -> None:
    """What the foundation SDK reads it writes again: no field is of a wrong name or form."""
    document = board(name)
    again = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))
    for words in document["annotations"]["list"]:  # the SDK does not know these fields of Prometheus' annotations
        for word in ("titleFormat", "textFormat", "useValueForTime", "step", "tagKeys"):
            words.pop(word)
    assert again == document


def test_rules_are_shown_where_they_belong() -> None:
    """The auth board has every rule about accounts and rights, the monitor's board every rule about ourselves."""
    rules = whole_catalog().rules
    wanted = {rule for rule, judge in rules.items() if judge.area in {Area.AUTH, Area.SECURITY}}
    assert {rule for rule in wanted if not re.fullmatch(SECURITY, rule)} == set()
    ourselves = {rule for rule, judge in rules.items() if type(judge).__module__.startswith("monitor.rules.")}
    assert ourselves == {rule for rule in rules if re.fullmatch(RULES, rule)}


def test_the_module_runs_as_make_docs_runs_it() -> None:
    """`python -m dashboards.build --check` ends well in a fresh process."""
    command = [sys.executable, "-m", "dashboards.build", "--check"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
