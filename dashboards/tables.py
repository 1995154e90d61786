"""Indexes and tables: size, scans, dead rows, bloat, ids, and foreign keys that no index serves."""

from dashboards.findings import findings
from dashboards.frame import Board, Section
from dashboards.links import FINDINGS, ROW_FINDINGS
from dashboards.panels import FULL, RED, THIRD, YELLOW, Column, Graph, Number, Panel, Sheet
from dashboards.promql import HERE, SERVER, rate, ratio

KEYS = ("target", "database", "schema", "table")
BY = f"sum by ({', '.join(KEYS)})"
NAME = "{{database}} {{schema}}.{{table}}"
SHOWN = 20
LIVE, DEAD = f"pgarchitect_tables_live_rows{{{HERE}}}", f"pgarchitect_tables_dead_rows{{{HERE}}}"
TOTAL = f"pgarchitect_tables_total_bytes{{{HERE}}}"


def tables() -> Board:
    """Give the board."""
    return Board(
        name="tables",
        title="indexes and tables",
        about="The largest and busiest tables of each server; what is beyond them is summed under `other`.",
        sections=(
            Section(title="What is wrong", panels=findings("(index|tables)[.].*")),
            Section(title="Tables", panels=(_largest(),)),
            Section(title="Scans and changes", panels=_scans()),
            Section(title="Indexes and keys", panels=_keys()),
            Section(title="Dead rows and room", panels=_room()),
            Section(title="Vacuum", panels=_vacuum()),
        ),
    )


def _largest() -> Sheet:
    top = f"topk({SHOWN}, {BY} ({TOTAL}))"
    vacuumed = f"pgarchitect_tables_last_vacuum_timestamp_seconds{{{HERE}}}"

    def among(expr: str) -> str:
        return f"{BY} ({expr}) and {top}"

    return Sheet(
        title="Largest tables",
        about="Size with indexes and TOAST; rows as the statistics estimate them; scans a second.",
        keys=KEYS,
        columns={
            "size": Column(expr=top, unit="bytes"),
            "rows": Column(expr=among(LIVE)),
            "dead rows": Column(expr=among(DEAD)),
            "sequential scans": Column(expr=among(rate("pgarchitect_tables_seq_scans_total")), unit="ops"),
            "index scans": Column(expr=among(rate("pgarchitect_tables_index_scans_total")), unit="ops"),
            "changes since analyze": Column(expr=among(f"pgarchitect_tables_rows_modified{{{HERE}}}")),
            "last vacuum": Column(expr=f"time() - ({among(f'{vacuumed} > 0')})", unit="s"),
        },
        width=FULL,
        links={"target": (ROW_FINDINGS,)},
    )


def _scans() -> tuple[Panel, ...]:
    return (
        _busiest("Rows read by sequential scans", "seq_rows_read", "Few wanted of a large table: an index is missing."),
        _busiest("Rows fetched through indexes", "index_rows_fetched", "What indexes bring."),
        _busiest("Rows inserted", "rows_inserted", "Growth; compare with the size."),
        _busiest("Rows updated", "rows_updated", "Each leaves a dead row behind, until vacuum."),
    )


def _busiest(title: str, what: str, about: str) -> Graph:
    return Graph(
        title=title,
        about=f"{about} The ten tables with most, per second.",
        queries={NAME: f"topk(10, {BY} ({rate(f'pgarchitect_tables_{what}_total')}))"},
        unit="rowsps",
        links=(FINDINGS,),
    )


def _keys() -> tuple[Panel, ...]:
    used = f"pgarchitect_sequences_used_ratio{{{HERE}}}"
    return (
        Number(
            title="Foreign keys without index",
            about="A deletion of the row they refer to reads the whole table. Small tables are counted, too.",
            expr=f"sum(pgarchitect_indexes_foreign_keys_without_index{{{HERE}}})",
            limits={1: YELLOW},
            width=THIRD,
        ),
        Number(
            title="Foreign keys",
            about="Foreign keys of user tables.",
            expr=f"sum(pgarchitect_indexes_foreign_keys{{{HERE}}})",
            limits={},
            width=THIRD,
        ),
        Number(
            title="Fullest sequence or key",
            about="How much of its range is used: at 100 % inserts fail.",
            expr=f"max({used})",
            unit="percentunit",
            limits={0.7: YELLOW, 0.9: RED},
            width=THIRD,
        ),
    )


def _room() -> tuple[Panel, ...]:
    wasted, size = (f"pgarchitect_bloat_{what}_bytes{{{HERE}}}" for what in ("wasted", "size"))
    return (
        Graph(
            title="Dead rows",
            about="Share of dead rows in the ten tables with most of them; vacuum takes them away.",
            queries={NAME: ratio(f"topk(10, {BY} ({DEAD}))", f"{BY} ({LIVE} + {DEAD})")},
            unit="percentunit",
            links=(FINDINGS,),
        ),
        Graph(
            title="Room that a rewrite would give back",
            about="Of large tables and btrees, by an estimate.",
            queries={f"{NAME} {{{{index}}}}": f"topk(10, sum by ({', '.join(KEYS)}, index) ({wasted}))"},
            unit="bytes",
            links=(FINDINGS,),
        ),
        Graph(
            title="Size",
            about="The ten largest tables with indexes and TOAST, measured every five minutes.",
            queries={NAME: f"topk(10, {BY} ({TOTAL}))"},
            unit="bytes",
        ),
        Graph(
            title="Share of unused room",
            about="Of large tables and btrees, by the same estimate.",
            queries={f"{NAME} {{{{index}}}}": f"topk(10, {ratio(wasted, size)})"},
            unit="percentunit",
            links=(FINDINGS,),
        ),
    )


def _vacuum() -> tuple[Panel, ...]:
    workers, limit = (f"pgarchitect_vacuum_autovacuum_workers{what}{{{SERVER}}}" for what in ("", "_limit"))
    runs = "pgarchitect_tables_autovacuums_total"
    return (
        Graph(
            title="Workers of autovacuum",
            about="Those that run now, against autovacuum_max_workers. All busy for long: it does not keep up.",
            queries={"{{target}} run": workers, "{{target}} at most": limit},
            width=THIRD,
        ),
        Graph(
            title="Autovacuums",
            about="In an hour, by database.",
            queries={"{{target}}/{{database}}": f"sum by (target, database) (increase({runs}{{{HERE}}}[1h]))"},
            width=THIRD,
        ),
        Graph(
            title="Oldest row that is not frozen",
            about="In transactions; the ten oldest tables.",
            queries={NAME: f"topk(10, max by ({', '.join(KEYS)}) (pgarchitect_tables_xid_age{{{HERE}}}))"},
            width=THIRD,
            links=(FINDINGS,),
        ),
    )
