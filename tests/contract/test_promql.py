"""The README's PromQL: it parses, names only what is exported, and says what the text beside it says."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import absent
from tests.contract.test_dashboards import CHECKOUT, exported, named

QUERIES = re.findall(r"```promql\n(.*?)```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
PLACE = 'target="shop", database="shop"'
SERIES = {
    f'pgarchitect_statements_class_calls_total{{{PLACE}, role="app", class="simple"}}': "0+100x20",
    f'pgarchitect_statements_class_exec_seconds_total{{{PLACE}, role="app", class="simple"}}': "0+12x20",
    f'pgarchitect_statements_class_calls_total{{{PLACE}, role="web", class="simple"}}': "0+200x20",
    f'pgarchitect_statements_class_exec_seconds_total{{{PLACE}, role="web", class="simple"}}': "0+10x20",
    f'pgarchitect_statements_class_calls_total{{{PLACE}, role="web", class="unknown"}}': "0+100x20",
    f'pgarchitect_statements_exec_seconds_total{{{PLACE}, role="app", query="aa"}}': "0+60x20",
    f'pgarchitect_statements_info{{{PLACE}, query="aa", text="select 1"}}': "1x20",
}
"""A minute apart: a role whose simple calls take 120 ms, one whose take 50 ms, and a quarter of the calls unknown."""
ANSWERS = (
    {f'{{{PLACE}, role="app", class="simple"}}': 0.12},
    {"{}": 0.25},
    {f'{{{PLACE}, query="aa", text="select 1"}}': 1.0},
)


def test_the_readme_names_only_what_is_exported() -> None:
    """A renamed metric leaves no dead query behind."""
    assert len(QUERIES) == len(ANSWERS)
    assert named(" ".join(QUERIES)) <= exported().keys()


def test_the_readmes_queries_give_what_it_says(tmp_path: Path) -> None:
    """By Prometheus' own engine: whose simple operations take over 100 ms, how much is unknown, which text is busy."""
    if shutil.which("promtool") is None:
        absent("promtool is not installed")
    wanted = [
        {"expr": query, "eval_time": "10m", "exp_samples": [{"labels": key, "value": n} for key, n in answer.items()]}
        for query, answer in zip(QUERIES, ANSWERS, strict=True)
    ]
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    file = tmp_path / "readme.test.json"  # JSON is YAML
    test = {"interval": "1m", "input_series": series, "promql_expr_test": wanted}
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
