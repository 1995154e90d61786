"""What all boards have in common: variables, the findings as annotations, links, and rows of panels."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DatasourceVariable,
    QueryVariable,
    Row,
    TextBoxVariable,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.links import TAG, top_links
from dashboards.panels import SOURCE, Panel
from dashboards.promql import AROUND, SERVER

PAGE_URL = "http://127.0.0.1:9779"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A row of a board: its heading, and its panels from left to right."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board; `everything` says whether all databases are chosen at first."""

    name: str
    title: str
    about: str
    sections: Sequence[Section]
    everything: bool = True

    def build(self) -> model.Dashboard:
        """Give the board as Grafana knows it."""
        board = self._framed()
        for section in self.sections:
            board.with_row(Row(section.title))
            for panel in section.panels:
                board.with_panel(panel)
        return board.build()

    def _framed(self) -> Dashboard:
        databases = f"label_values(pgarchitect_server_sessions{{{SERVER}}}, database)"
        return (
            Dashboard(f"pgarchitect: {self.title}")
            .uid(f"pgarchitect-{self.name}")
            .description(f"{self.about} Written by dashboards/.")
            .tags([TAG, "postgresql"])
            .tooltip(model.DashboardCursorSync.CROSSHAIR)
            .time("now-1h", "now")
            .refresh("30s")
            .timezone("browser")
            .readonly()
            .links(list(top_links()))
            .annotations([Begun(), Started()])
            .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
            .with_variable(choice("target", "Target", "label_values(pgarchitect_up, target)", everything=True))
            .with_variable(choice("database", "Database", databases, everything=self.everything))
            .with_variable(TextBoxVariable("page").label("pgarchitect's page").default_value(PAGE_URL))
        )


def choice(name: str, label: str, query: str, *, everything: bool) -> QueryVariable:
    """Offer the values of a label; with `everything` all are chosen at first, else the first one."""
    variable = (
        QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(everything)
    )
    if not everything:
        return variable
    return variable.all_value(".*").current(model.VariableOption(selected=True, text="All", value="$__all"))


class Mark(model.AnnotationQuery):
    """An annotation from Prometheus; the SDK's own does not know how its titles and tags are written."""

    def __init__(self, name: str, colour: str, expr: str, *, title: str, text: str, at_value: bool) -> None:
        super().__init__(name=name, datasource=SOURCE, icon_color=colour, expr=expr)
        self._words: dict[str, object] = {
            "titleFormat": title,
            "textFormat": text,
            "tagKeys": "severity,target,database",
            "useValueForTime": at_value,
            "step": "60s",
        }

    def to_json(self) -> dict[str, object]:
        """Give it as Grafana keeps it."""
        return {**super().to_json(), **self._words}


class Begun(Builder[model.AnnotationQuery]):
    """Findings that began: firing now, and not at any time of the half hour before the last five minutes."""

    def build(self) -> model.AnnotationQuery:
        """Give the annotation; five minutes, so that no step of a long range misses one."""
        by = "max by (target, database, rule, severity)"
        firing = f'pgarchitect_findings{{{AROUND}, state="firing"}}'
        expr = f"{by} ({firing}) unless {by} (max_over_time({firing}[30m] offset 5m))"
        text = "{{severity}}, on {{target}} {{database}}"
        return Mark("Findings", "orange", expr, title="{{rule}}", text=text, at_value=False)


class Started(Builder[model.AnnotationQuery]):
    """Starts of the watched servers, at the time they tell."""

    def build(self) -> model.AnnotationQuery:
        """Give the annotation; its value is the time, in milliseconds."""
        expr = f"1000 * pgarchitect_server_start_time_seconds{{{SERVER}}}"
        return Mark("Starts", "blue", expr, title="{{target}} started", text="", at_value=True)
