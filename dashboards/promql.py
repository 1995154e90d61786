"""The pieces our expressions are made of."""

LETTERS = "ABCDEFGHIJ"
"""What the queries of a panel are called."""
SERVER = 'target=~"$target"'
HERE = f'{SERVER}, database=~"$database"'
"""Selects the series of the chosen targets and databases."""
AROUND = f'{SERVER}, database=~"$database|"'
"""Selects also those of a server as a whole."""
PLACE = "{{target}}/{{database}}"
FIRING = f'pgarchitect_findings{{{AROUND}, state="firing"'
"""Findings that stand now; what follows are further matchers, and the brace."""


def rate(metric: str, where: str = HERE) -> str:
    """Write growth per second, over as long as Grafana thinks fit."""
    return f"rate({metric}{{{where}}}[$__rate_interval])"


def grown(metric: str, where: str = HERE) -> str:
    """Write growth over the time that is shown."""
    return f"increase({metric}{{{where}}}[$__range])"


def ratio(part: str, whole: str) -> str:
    """Write a share that is absent, not NaN, where there is nothing to share."""
    return f"{part} / ({whole} > 0)"


def none(labels: str) -> str:
    """Write a zero for each server that is watched: what has no series there is none."""
    return f"0 * sum by ({labels}) (pgarchitect_up{{{SERVER}}})"
