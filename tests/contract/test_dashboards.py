"""The Grafana boards: in step with their Python, naming only metrics that are exported, in PromQL that parses."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dashboards.build import BOARDS, FOLDER, main, rendered
from monitor.catalog import load_catalog
from monitor.expose.own import FAMILIES
from monitor.expose.series import family
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
GRAFANAS = {"$__rate_interval": "5m", "$__range": "1h", "$target": ".*", "$database": ".*"}


def exported() -> Mapping[str, set[str]]:
    """Give the labels of every metric by its name on the page."""
    catalog = load_catalog()
    assert catalog.problems == ()
    probes = [part for probe in catalog.probes.values() for part in probe.parts]
    own = {each.sample: {"probe"} | OWN_LABELS.get(each.sample, set()) for each in FAMILIES}
    return own | {family(probe, metric).sample: set(probe.labels) for probe in probes for metric in probe.metrics}


def board(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return document


def queries(name: str) -> Iterator[dict[str, Any]]:
    """Give every query of a board's panels, with its panel's title."""
    for panel in board(name)["panels"]:
        for query in panel.get("targets", ()):
            yield {**query, "title": panel["title"]}


def named(text: str) -> set[str]:
    return set(re.findall(r"pgarchitect_\w+", text))


@NAMES
def test_a_board_is_as_its_python_writes_it(name: str) -> None:
    """Nobody edited the JSON, and nobody forgot `make docs`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == rendered(BOARDS[name]())


def test_the_check_says_what_is_out_of_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` is 1 and names the file that was edited or is missing, and 0 once it is written."""
    assert main(["--check"], tmp_path) == 1
    assert "overview.json: out of date; run `make docs`" in capsys.readouterr().err
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert main(["--chekc"], tmp_path) == 2


@NAMES
def test_a_board_names_only_what_is_exported(name: str) -> None:
    """A renamed column leaves no dead panel behind."""
    queried = named(" ".join(query["expr"] for query in queries(name)))
    chosen = named(" ".join(str(variable.get("query")) for variable in board(name)["templating"]["list"]))
    assert queried | chosen <= exported().keys()


@NAMES
def test_a_board_uses_only_labels_that_are_there(name: str) -> None:
    """What a legend or an aggregation names is a label of one of the metrics in its expression."""
    known = exported()
    for query in queries(name):
        expr = query["expr"]
        labels = PLACE.union({"instance", "job"}, *(known[metric] for metric in named(expr)))
        used = {label.strip() for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expr) for label in group.split(",")}
        used |= set(re.findall(r"(\w+)\s*(?:=~|!=|=|!~)\s*\"", expr))
        used |= set(re.findall(r"{{(\w+)}}", query.get("legendFormat", "")))
        assert used <= labels, query["title"]


@NAMES
def test_every_expression_parses(name: str, tmp_path: Path) -> None:
    """Prometheus' own parser accepts each one, Grafana's variables filled in."""
    if shutil.which("promtool") is None:
        absent("promtool is not installed")
    rules = [
        {"record": f"board:query:{number}", "expr": filled(query["expr"])} for number, query in enumerate(queries(name))
    ]
    file = tmp_path / "board.rules.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(rules)} rules found" in done.stdout


def filled(expr: str) -> str:
    for variable, value in GRAFANAS.items():
        expr = expr.replace(variable, value)
    assert "$" not in expr
    return expr


@NAMES
def test_panels_do_not_overlap_and_have_a_help(name: str) -> None:
    """Each cell of the 24 columns belongs to one panel; each panel but a row's heading explains itself."""
    taken: set[tuple[int, int]] = set()
    for panel in board(name)["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert panel["type"] == "row" or panel["description"]
        taken |= cells


def test_the_module_runs_as_make_docs_runs_it() -> None:
    """`python -m dashboards.build --check` ends well in a fresh process."""
    command = [sys.executable, "-m", "dashboards.build", "--check"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
