"""The few kinds of panel our boards are made of, on the Prometheus that the board's variable names."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
FULL = 24
SERVER = 'target=~"$target"'
HERE = f'{SERVER}, database=~"$database"'
"""Selects the series of the chosen targets and databases."""
AROUND = f'{SERVER}, database=~"$database|"'
"""Selects also those of a server as a whole."""
PLACE = "{{target}}/{{database}}"
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"


def rate(metric: str, where: str = HERE) -> str:
    """Write growth per second, over as long as Grafana thinks fit."""
    return f"rate({metric}{{{where}}}[$__rate_interval])"


def steps(base: str, higher: Mapping[float, str]) -> dashboard.ThresholdsConfig:
    """Colour values: `base` from below, then each colour from its value on."""
    marks = [Threshold(None, base), *(Threshold(value, colour) for value, colour in higher.items())]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(marks)


def number(
    title: str, expr: str, help_text: str, *, colour: str = RED, unit: str = "short", width: int = 4
) -> stat.Panel:
    """Show one number now: green at nothing, else in the given colour."""
    return (
        stat.Panel()
        .title(title)
        .description(help_text)
        .datasource(SOURCE)
        .with_target(prometheus.Dataquery().expr(expr).instant().datasource(SOURCE).ref_id("A"))
        .unit(unit)
        .no_value("0")
        .thresholds(steps(GREEN, {1: colour}))
        .color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(4)
        .span(width)
    )


def states(title: str, expr: str, legend: str, help_text: str, *, width: int = 8) -> stat.Panel:
    """Show 0 and 1 by series as `down` and `up`."""
    words = ValueMap(
        {
            "0": ValueMappingResult(text="down", color=RED, index=0),
            "1": ValueMappingResult(text="up", color=GREEN, index=1),
        }
    )
    return (
        number(title, expr, help_text, width=width)
        .targets([prometheus.Dataquery().expr(expr).instant().legend_format(legend).datasource(SOURCE).ref_id("A")])
        .mappings([words])
        .thresholds(steps(RED, {1: GREEN}))
        .no_value("nobody is watched")
        .height(8)
    )


def graph(
    title: str,
    queries: Mapping[str, str],
    help_text: str,
    *,
    unit: str = "short",
    width: int = 12,
    stacked: bool = False,
    limits: Mapping[float, str] | None = None,
) -> timeseries.Panel:
    """Show queries over time; `queries` maps a legend to its expression."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(help_text)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .line_width(1)
        .fill_opacity(25 if stacked else 8)
        .thresholds(steps(GREEN, limits or {}))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .height(8)
        .span(width)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if limits:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
    for letter, (legend, expr) in zip("ABCDEFGH", queries.items(), strict=False):
        query = prometheus.Dataquery().expr(expr).range().legend_format(legend).datasource(SOURCE).ref_id(letter)
        panel.with_target(query)
    return panel


def listing(title: str, expr: str, help_text: str, value: str, *, width: int = 12, unit: str = "short") -> table.Panel:
    """Show the labels of an instant query as columns, its number under the name `value`."""
    query = prometheus.Dataquery().expr(expr).instant().format(PromQueryFormat.TABLE).datasource(SOURCE).ref_id("A")
    tidy = {"excludeByName": {"Time": True}, "renameByName": {"Value": value}}
    return (
        table.Panel()
        .title(title)
        .description(help_text)
        .datasource(SOURCE)
        .with_target(query)
        .with_transformation(DataTransformerConfig(id_val="organize", options=tidy))
        .unit(unit)
        .no_value("none")
        .height(8)
        .span(width)
    )


def choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """Offer the values of a label; everything is chosen at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
