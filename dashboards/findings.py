"""The panels about findings, which several boards show for the rules that concern them."""

from dashboards.links import ROW_FINDINGS, ROW_RULE
from dashboards.panels import BLUE, HALF, RED, YELLOW, Column, Graph, Number, Panel, Sheet
from dashboards.promql import AROUND, FIRING

EACH = "severity, rule, target, database"


def findings(rules: str = ".*") -> tuple[Panel, Panel]:
    """Show what stands now of the rules, a regular expression, and how many stood at each time."""
    which = f'{FIRING}, rule=~"{rules}"}}'
    return (
        Sheet(
            title="Findings",
            about="What stands now. pgarchitect's own page says why, with figures, and how to mend it.",
            keys=("severity", "rule", "target", "database"),
            columns={"findings": Column(expr=f"sum by ({EACH}) ({which})")},
            links={"rule": (ROW_RULE,), "target": (ROW_FINDINGS,)},
        ),
        Graph(
            title="Findings by severity",
            about="How many findings stood at each time. Nothing at all: no finding, or no figures; see who answers.",
            queries={"{{severity}}": f"sum by (severity) ({which})"},
            stacked=True,
            width=HALF,
        ),
    )


def counts() -> tuple[Panel, ...]:
    """Show how many findings of each severity stand, and what is not known."""
    return (
        _count("Critical", "critical", RED),
        _count("Warnings", "warning", YELLOW),
        _count("Remarks", "info", BLUE),
        Number(
            title="Not evaluated",
            about="Subjects that a rule could not judge. Not knowing is not the same as all well.",
            expr=f"sum(pgarchitect_not_evaluated{{{AROUND}}}) or vector(0)",
            limits={1: YELLOW},
        ),
    )


def _count(title: str, severity: str, colour: str) -> Number:
    return Number(
        title=title,
        about=f"Findings of severity {severity} that stand now.",
        expr=f'sum({FIRING}, severity="{severity}"}}) or vector(0)',
        limits={1: colour},
    )
