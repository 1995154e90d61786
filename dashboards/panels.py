"""The few kinds of panel our boards are made of, on the Prometheus that the board's variable names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TableCellHeight,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.links import Link
from dashboards.promql import LETTERS

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
FULL, HALF, THIRD, SIXTH = 24, 12, 8, 4
TALL, SHORT = 8, 4
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
Panel: TypeAlias = Builder[model.Panel]


def steps(base: str, higher: Mapping[float, str]) -> dashboard.ThresholdsConfig:
    """Colour values: `base` from below, then each colour from its value on."""
    marks = [model.Threshold(None, base), *(model.Threshold(value, colour) for value, colour in higher.items())]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(marks)


def instant(expr: str, letter: str = "A") -> prometheus.Dataquery:
    """Ask for the newest values."""
    return prometheus.Dataquery().expr(expr).instant().datasource(SOURCE).ref_id(letter)


@dataclass(frozen=True, kw_only=True)
class Number(Builder[model.Panel]):
    """One number now: green at nothing, else in the given colour. `legend` is shown where there are several."""

    title: str
    about: str
    expr: str
    limits: Mapping[float, str] = field(default_factory=lambda: {1: RED})
    unit: str = "short"
    width: int = SIXTH
    legend: str = ""
    base: str = GREEN
    links: Sequence[Link] = ()

    def build(self) -> model.Panel:
        """Give the panel as Grafana knows it."""
        return self.shaped().build()

    def shaped(self) -> stat.Panel:
        return (
            stat.Panel()
            .title(self.title)
            .description(self.about)
            .datasource(SOURCE)
            .with_target(instant(self.expr).legend_format(self.legend or "__auto"))
            .unit(self.unit)
            .thresholds(steps(self.base, self.limits))
            .color_mode(BigValueColorMode.BACKGROUND)
            .graph_mode(BigValueGraphMode.NONE)
            .text_mode(BigValueTextMode.VALUE_AND_NAME if self.legend else BigValueTextMode.AUTO)
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            .data_links([each.builder() for each in self.links])
            .height(SHORT)
            .span(self.width)
        )


@dataclass(frozen=True, kw_only=True)
class Graph(Builder[model.Panel]):
    """Queries over time; `queries` maps a legend to its expression."""

    title: str
    about: str
    queries: Mapping[str, str]
    unit: str = "short"
    width: int = HALF
    stacked: bool = False
    limits: Mapping[float, str] = field(default_factory=dict)
    links: Sequence[Link] = ()

    def build(self) -> model.Panel:
        """Give the panel as Grafana knows it."""
        panel = self._lines().height(TALL).span(self.width)
        if self.stacked:
            panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
        if self.limits:
            panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
        for letter, (legend, expr) in zip(LETTERS, self.queries.items(), strict=False):
            query = prometheus.Dataquery().expr(expr).range().legend_format(legend).datasource(SOURCE).ref_id(letter)
            panel.with_target(query)
        return panel.build()

    def _lines(self) -> timeseries.Panel:
        return (
            timeseries.Panel()
            .title(self.title)
            .description(self.about)
            .datasource(SOURCE)
            .unit(self.unit)
            .min(0)
            .line_width(1)
            .fill_opacity(25 if self.stacked else 8)
            .thresholds(steps(GREEN, self.limits))
            .legend(legend())
            .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
            .data_links([each.builder() for each in self.links])
        )


def legend() -> common.VizLegendOptions:
    """Name the lines below the graph."""
    options = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return options.show_legend(True)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table: an instant query whose labels are the table's keys."""

    expr: str
    unit: str = "short"
    limits: Mapping[float, str] = field(default_factory=dict)

    def properties(self) -> list[model.DynamicConfigValue]:
        """Give what differs from the other columns."""
        found = [model.DynamicConfigValue("unit", self.unit)]
        if self.limits:
            found.append(model.DynamicConfigValue("thresholds", steps(GREEN, self.limits).build()))
            found.append(model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        return found


@dataclass(frozen=True, kw_only=True)
class Sheet(Builder[model.Panel]):
    """A table: `keys` are the labels all columns have, `links` hang on a key's column."""

    title: str
    about: str
    keys: Sequence[str]
    columns: Mapping[str, Column]
    width: int = HALF
    links: Mapping[str, Sequence[Link]] = field(default_factory=dict)

    def build(self) -> model.Panel:
        """Give the panel as Grafana knows it, sorted by the first column, the largest first."""
        first = next(iter(self.columns))
        panel = (
            table.Panel()
            .title(self.title)
            .description(self.about)
            .datasource(SOURCE)
            .thresholds(steps(GREEN, {}))
            .no_value("-")
            .cell_height(TableCellHeight.SM)
            .sort_by([common.TableSortByFieldState().display_name(first).desc(True)])
            .height(TALL)
            .span(self.width)
        )
        for letter, (name, column) in zip(LETTERS, self.columns.items(), strict=False):
            panel.with_target(instant(column.expr, letter).format(PromQueryFormat.TABLE))
            panel.override_by_name(name, column.properties())
        for key, links in self.links.items():
            panel.override_by_name(key, [model.DynamicConfigValue("links", [each.builder().build() for each in links])])
        return panel.transformations(self._tidied()).build()

    def _tidied(self) -> list[model.DataTransformerConfig]:
        """Put the queries' rows side by side, and name each query's value as its column."""
        values = ["Value"] if len(self.columns) == 1 else [f"Value #{letter}" for letter in LETTERS]
        order = ["Time", *self.keys, *values[: len(self.columns)]]
        tidy = {
            "excludeByName": {"Time": True},
            "indexByName": {name: number for number, name in enumerate(order)},
            "renameByName": dict(zip(values, self.columns, strict=False)),
        }
        merged = model.DataTransformerConfig(id_val="merge", options={})
        return [merged, model.DataTransformerConfig(id_val="organize", options=tidy)]


@dataclass(frozen=True, kw_only=True)
class States(Builder[model.Panel]):
    """0 and 1 by series, as `down` and `up`."""

    title: str
    about: str
    expr: str
    legend: str
    width: int = THIRD
    links: Sequence[Link] = ()

    def build(self) -> model.Panel:
        """Give the panel as Grafana knows it."""
        words = {
            "0": model.ValueMappingResult(text="down", color=RED, index=0),
            "1": model.ValueMappingResult(text="up", color=GREEN, index=1),
        }
        number = Number(
            title=self.title,
            about=self.about,
            expr=self.expr,
            limits={1: GREEN},
            base=RED,
            width=self.width,
            legend=self.legend,
            links=self.links,
        )
        return number.shaped().mappings([model.ValueMap(words)]).no_value("nobody is watched").height(TALL).build()
