"""Reads the boards' JSON as Grafana does: every query of panels, annotations and variables, its variables filled in."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.build import FOLDER

CHOSEN: Mapping[str, str] = {
    "$__rate_interval": "5m",
    "$__range": "1h",
    "$target": ".*",
    "$database": ".*",
}
"""What Grafana would fill in, with everything chosen."""
VALUES_OF = re.compile(r"label_values\((.*), (\w+)\)")


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query of a board; `place` says of which panel, or what else."""

    place: str
    expr: str
    legend: str = ""
    instant: bool = False

    def filled(self, **values: str) -> str:
        """Give PromQL; `values` replace what Grafana would fill in by itself, as in `__range="1m"`."""
        expr = self.expr
        for variable, value in {**CHOSEN, **{f"${name}": value for name, value in values.items()}}.items():
            expr = expr.replace(variable, value)
        assert "$" not in expr, f"{self.place}: {expr}"
        return expr


def board(name: str) -> dict[str, Any]:
    """Read a board."""
    document: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return document


def panels(name: str) -> list[dict[str, Any]]:
    """Give all panels but the headings of rows."""
    return [panel for panel in board(name)["panels"] if panel["type"] != "row"]


def queries(panel: Mapping[str, Any]) -> list[Query]:
    """Give a panel's queries."""
    return [
        Query(
            place=panel["title"],
            expr=query["expr"],
            legend=query.get("legendFormat", ""),
            instant=bool(query.get("instant")),
        )
        for query in panel["targets"]
    ]


def annotations(name: str) -> list[Query]:
    """Give the queries of a board's annotations."""
    return [
        Query(place=f"annotation {each['name']}", expr=each["expr"], legend=each["titleFormat"] + each["textFormat"])
        for each in board(name)["annotations"]["list"]
    ]


def variables(name: str) -> Iterator[tuple[str, Query]]:
    """Give each variable that asks Prometheus: the label it offers, and where that is looked for."""
    for each in board(name)["templating"]["list"]:
        if each["type"] != "query":
            continue
        found = VALUES_OF.fullmatch(each["query"])
        assert found, each["query"]
        yield found[2], Query(place=f"variable {each['name']}", expr=found[1], instant=True)


def everything(name: str) -> list[Query]:
    """Give all queries of a board."""
    chosen = [query for _, query in variables(name)]
    return [*(query for panel in panels(name) for query in queries(panel)), *annotations(name), *chosen]
