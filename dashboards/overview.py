"""The overview board: what is wrong, who answers, and the load of servers, statements and connections.

`HERE` selects series of the chosen targets and databases; `AROUND` also those of a server as a whole.
"""

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from dashboards.panels import BLUE, RED, YELLOW, choice, graph, listing, number, states

SERVER = 'target=~"$target"'
HERE = f'{SERVER}, database=~"$database"'
AROUND = f'{SERVER}, database=~"$database|"'
PLACE = "{{target}}/{{database}}"
FIRING = f'pgarchitect_findings{{{AROUND}, state="firing"'


def overview() -> Dashboard:
    """Give the board, its rows from the verdict down to our own cost."""
    board = (
        Dashboard("pgarchitect: overview")
        .uid("pgarchitect-overview")
        .description("What pgarchitect finds in your PostgreSQL servers, and what it measures. Written by dashboards/.")
        .tags(["pgarchitect", "postgresql"])
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .readonly()
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(choice("target", "Target", "label_values(pgarchitect_up, target)"))
        .with_variable(
            choice("database", "Database", f"label_values(pgarchitect_server_sessions{{{SERVER}}}, database)")
        )
    )
    for add in (_verdict, _targets, _connections, _transactions, _ourselves):
        board = add(board)
    return board


def _verdict(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("What is wrong"))
        .with_panel(_count("Critical", "critical", RED))
        .with_panel(_count("Warnings", "warning", YELLOW))
        .with_panel(_count("Remarks", "info", BLUE))
        .with_panel(
            number(
                "Not evaluated",
                f"sum(pgarchitect_not_evaluated{{{AROUND}}}) or vector(0)",
                "Subjects that a rule could not judge. Not knowing is not the same as all well.",
                colour=YELLOW,
            )
        )
        .with_panel(
            number(
                "Servers down",
                f"count(pgarchitect_up{{{SERVER}}} == 0) or vector(0)",
                "Servers that did not answer when they were asked last.",
            )
        )
        .with_panel(
            number(
                "Probes without answer",
                f"count(pgarchitect_probe_success{{{AROUND}}} == 0) or vector(0)",
                "Probes whose newest run failed; the table below says how.",
                colour=YELLOW,
            )
        )
        .with_panel(
            listing(
                "Findings",
                f"sort_desc(sum by (severity, rule, target, database) ({FIRING}}}))",
                "What stands now. `monitor explain RULE` and the monitor's own page say why, and how to mend it.",
                "findings",
            )
        )
        .with_panel(
            graph(
                "Findings by severity",
                {"{{severity}}": f"sum by (severity) ({FIRING}}})"},
                "How many findings stood at each time.",
                stacked=True,
            )
        )
    )


def _count(title: str, severity: str, colour: str) -> stat.Panel:
    expr = f'sum({FIRING}, severity="{severity}"}}) or vector(0)'
    return number(title, expr, f"Findings of severity {severity} that stand now.", colour=colour)


def rate(metric: str, where: str = HERE) -> str:
    """Write growth per second, over as long as Grafana thinks fit."""
    return f"rate({metric}{{{where}}}[$__rate_interval])"


def _targets(board: Dashboard) -> Dashboard:
    age = f"time() - pgarchitect_probe_last_success_timestamp_seconds{{{AROUND}}}"
    return (
        board.with_row(Row("Who answers"))
        .with_panel(states("Servers", f"pgarchitect_up{{{SERVER}}}", "{{target}}", "Did the server answer last time?"))
        .with_panel(
            listing(
                "Probes without answer",
                f'pgarchitect_probe_result{{{AROUND}, result!="ok"}}',
                "How the newest run of each probe ended that was not answered; skipped: its subject is not there.",
                "runs",
                width=8,
            )
        )
        .with_panel(
            graph(
                "Age of the figures",
                {"{{target}} {{probe}}": f"max by (target, probe) ({age})"},
                "Time since each probe was answered last. A line that climbs shows figures that no longer come.",
                unit="s",
                width=8,
            )
        )
    )


def _connections(board: Dashboard) -> Dashboard:
    used = f"pgarchitect_pool_slots_used{{{AROUND}}} / pgarchitect_pool_slots_limit{{{AROUND}}}"
    return (
        board.with_row(Row("Connections"))
        .with_panel(
            graph(
                "Slots used",
                {"{{target}} {{database}} {{role}}": used},
                "Client sessions against each limit: the server's own, those of roles and those of databases.",
                unit="percentunit",
                width=8,
                limits={0.8: YELLOW, 0.95: RED},
            )
        )
        .with_panel(
            graph(
                "Sessions by state",
                {"{{target}} {{state}}": f"sum by (target, state) (pgarchitect_pool_sessions{{{AROUND}}})"},
                "What client sessions are doing; many that are idle in a transaction hold locks and old rows.",
                width=8,
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "Oldest transaction",
                {
                    "{{target}} open": f"max by (target) (pgarchitect_pool_oldest_transaction_seconds{{{AROUND}}})",
                    "{{target}} idle in it": (
                        f"max by (target) (pgarchitect_pool_oldest_idle_in_transaction_seconds{{{AROUND}}})"
                    ),
                },
                "Vacuum keeps every row that the oldest open transaction might still see.",
                unit="s",
                width=8,
            )
        )
    )


def _transactions(board: Dashboard) -> Dashboard:
    commits, rollbacks = rate("pgarchitect_server_commits_total"), rate("pgarchitect_server_rollbacks_total")
    return (
        board.with_row(Row("Transactions"))
        .with_panel(
            graph(
                "Transactions",
                {"{{target}}/{{database}} commits": commits, "{{target}}/{{database}} rollbacks": rollbacks},
                "Committed and rolled back, per second.",
                unit="ops",
            )
        )
        .with_panel(
            graph(
                "Share rolled back",
                {PLACE: f"{rollbacks} / ({rollbacks} + {commits} > 0)"},
                "Work done and thrown away.",
                unit="percentunit",
            )
        )
        .with_panel(
            graph(
                "Deadlocks and conflicts",
                {
                    "{{target}}/{{database}} deadlocks": f"increase(pgarchitect_server_deadlocks_total{{{HERE}}}[5m])",
                    "{{target}}/{{database}} conflicts": f"increase(pgarchitect_server_conflicts_total{{{HERE}}}[5m])",
                },
                "Transactions killed for a deadlock, and queries cancelled by recovery on a standby, in five minutes.",
            )
        )
        .with_panel(
            graph(
                "Temporary files",
                {PLACE: rate("pgarchitect_server_temp_bytes_total")},
                "Written by sorts and hashes that did not fit into work_mem.",
                unit="Bps",
            )
        )
    )


def _ourselves(board: Dashboard) -> Dashboard:
    messages = "increase(pgarchitect_notifications_total[$__rate_interval])"
    return (
        board.with_row(Row("What the monitor itself costs"))
        .with_panel(
            graph(
                "Time of our statements",
                {"{{target}}": rate("pgarchitect_self_database_seconds_total", SERVER)},
                "Wall time of our own statements a second, as we saw it: an upper bound of what we cost the server.",
                unit="percentunit",
                width=8,
            )
        )
        .with_panel(
            graph(
                "Time of each probe",
                {"{{target}} {{probe}}": f"max by (target, probe) (pgarchitect_probe_duration_seconds{{{AROUND}}})"},
                "Wall time of the newest run.",
                unit="s",
                width=8,
            )
        )
        .with_panel(
            graph(
                "Messages to people",
                {"{{receiver}} {{outcome}}": f"sum by (receiver, outcome) ({messages})"},
                "What receivers took, and what they did not.",
                width=8,
            )
        )
        .with_panel(
            graph(
                "Memory of the monitor",
                {"{{instance}}": "process_resident_memory_bytes and on (instance, job) pgarchitect_build_info"},
                "Resident memory of the monitor's process.",
                unit="bytes",
            )
        )
        .with_panel(
            graph(
                "Samples left away",
                {"{{target}}": f"increase(pgarchitect_series_dropped_total{{{SERVER}}}[$__rate_interval])"},
                "More than nothing: the target has more series than `limits.series` allows.",
            )
        )
    )
