"""Statements: which take the load, how long a call takes, and what they read and write."""

from dashboards.findings import findings
from dashboards.frame import Board, Section
from dashboards.links import ROW_STATEMENTS, STATEMENTS
from dashboards.panels import FULL, RED, Column, Graph, Panel, Sheet
from dashboards.promql import HERE, PLACE, grown, rate, ratio

BY = "sum by (target, database, query)"
EACH = "sum by (target, database, role, query)"
LEGEND = f"{PLACE} {{{{query}}}}"
SPENT, CALLS = rate("pgarchitect_statements_exec_seconds_total"), rate("pgarchitect_statements_calls_total")
SHOWN = 20
BLOCK_BYTES = 8192


def statements() -> Board:
    """Give the board."""
    return Board(
        name="statements",
        title="statements",
        about="The busiest statements by fingerprint; their texts are on pgarchitect's own page.",
        sections=(
            Section(title="What is wrong", panels=findings("statements[.].*")),
            Section(title="Busiest statements of the time shown", panels=(_busiest(),)),
            Section(title="Load", panels=(*_load(), *_classes())),
            Section(title="Blocks and WAL", panels=_blocks()),
        ),
    )


def _busiest() -> Sheet:
    spent, calls = grown("pgarchitect_statements_exec_seconds_total"), grown("pgarchitect_statements_calls_total")
    rows = grown("pgarchitect_statements_rows_total")
    top = f"topk({SHOWN}, {EACH} ({spent}))"
    return Sheet(
        title="Busiest statements",
        about="`other` is all that does not belong to the busiest ones. Click a fingerprint for the text.",
        keys=("target", "database", "role", "query"),
        columns={
            "time": Column(expr=top, unit="s"),
            "calls": Column(expr=f"{EACH} ({calls}) and {top}"),
            "time a call": Column(
                expr=f"{ratio(f'{EACH} ({spent})', f'{EACH} ({calls})')} and {top}", unit="s", limits={0.1: RED}
            ),
            "rows a call": Column(expr=f"{ratio(f'{EACH} ({rows})', f'{EACH} ({calls})')} and {top}"),
        },
        width=FULL,
        links={"query": (ROW_STATEMENTS,)},
    )


def _load() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Load by statement",
            about="Seconds of execution a second; 1 is one session that is always busy.",
            queries={LEGEND: f"topk(10, {BY} ({SPENT}))"},
            stacked=True,
            links=(STATEMENTS,),
        ),
        Graph(
            title="Load by class",
            about="Seconds of execution a second, of all statements. Unknown: the text was not read, yet or at all.",
            queries={f"{PLACE} {{{{class}}}}": f"sum by (target, database, class) ({_of_class('exec_seconds')})"},
            stacked=True,
        ),
        Graph(
            title="Time per call",
            about="The slowest of the statements that are told apart.",
            queries={LEGEND: f"topk(10, {ratio(f'{BY} ({SPENT})', f'{BY} ({CALLS})')})"},
            unit="s",
            links=(STATEMENTS,),
        ),
    )


def _of_class(what: str, where: str = HERE) -> str:
    return rate(f"pgarchitect_statements_class_{what}_total", where)


def _classes() -> tuple[Panel, ...]:
    simple, by = f'{HERE}, class="simple"', "sum by (target, database)"
    spent, calls = _of_class("exec_seconds", simple), _of_class("calls", simple)
    return (
        Graph(
            title="Time of a simple operation",
            about="Mean time of all calls on one table, without join, aggregate or set operation; the line is at "
            "100 ms. What is of class unknown is not in it.",
            queries={PLACE: ratio(f"{by} ({spent})", f"{by} ({calls})")},
            unit="s",
            limits={0.1: RED},
            links=(STATEMENTS,),
        ),
        Graph(
            title="Calls",
            about="The statements called most, per second.",
            queries={LEGEND: f"topk(10, {BY} ({CALLS}))"},
            unit="ops",
            links=(STATEMENTS,),
        ),
        Graph(
            title="Calls by role",
            about="Who calls, per second.",
            queries={
                f"{PLACE} {{{{role}}}}": f"topk(10, sum by (target, database, role) ({_of_class('calls')}))",
            },
            unit="ops",
            links=(STATEMENTS,),
        ),
    )


def _blocks() -> tuple[Panel, ...]:
    return (
        _bytes("Read", "Blocks read from outside shared buffers, at 8 KiB each.", "shared_blks_read", BLOCK_BYTES),
        _bytes("Found in shared buffers", "Much of it is work too: CPU.", "shared_blks_hit", BLOCK_BYTES),
        _bytes("Temporary files", "What did not fit into work_mem.", "temp_blks_written", BLOCK_BYTES),
        _bytes("WAL", "WAL that the statements wrote.", "wal_bytes", 1),
    )


def _bytes(title: str, about: str, what: str, size: int) -> Graph:
    grows = rate(f"pgarchitect_statements_{what}_total")
    factor = f"{size} * " if size > 1 else ""
    return Graph(
        title=title,
        about=f"{about} The ten statements with most.",
        queries={LEGEND: f"topk(10, {factor}{BY} ({grows}))"},
        unit="Bps",
        links=(STATEMENTS,),
    )
