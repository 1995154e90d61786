"""The overview board: what is wrong, who answers, and the load of servers, statements and connections."""

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from dashboards.ourselves import answering, costs
from dashboards.panels import AROUND, BLUE, FULL, HERE, PLACE, RED, SERVER, YELLOW, choice, graph, listing, number, rate

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
    for add in (_verdict, answering, _connections, _statements, _transactions, _sign_in, costs):
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


def _connections(board: Dashboard) -> Dashboard:
    left = f"pgarchitect_pool_time_to_exhaustion_seconds{{{AROUND}}}"
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
        .with_panel(
            graph(
                "Time until the slots run out",
                {
                    "{{target}} {{database}} {{role}}": f"{left} < 86400",
                },
                "At the trend of the last minutes; empty while no limit is run towards.",
                unit="s",
            )
        )
        .with_panel(
            graph(
                "Clients that wait for a pool",
                {
                    "{{target}} {{database}} {{user}}": (
                        f"pgarchitect_pgbouncer_pools_client_waiting_connections{{{SERVER}}} > 0"
                    ),
                    "{{target}} {{pool}}": f"pgarchitect_app_pool_waiting{{{SERVER}}} > 0",
                },
                "Clients of PgBouncer that wait for a server connection, and requests that wait for one of their "
                "application's pool; the server may look idle meanwhile.",
            )
        )
    )


def _statements(board: Dashboard) -> Dashboard:
    by = "sum by (target, database, query)"
    spent, calls = rate("pgarchitect_statements_exec_seconds_total"), rate("pgarchitect_statements_calls_total")
    total = f"increase(pgarchitect_statements_exec_seconds_total{{{HERE}}}[$__range])"
    return (
        _classes(board.with_row(Row("Statements")))
        .with_panel(
            graph(
                "Load by statement",
                {f"{PLACE} {{{{query}}}}": f"topk(10, {by} ({spent}))"},
                "Seconds of execution a second; 1 is one core. `monitor snapshot` shows the texts.",
                stacked=True,
            )
        )
        .with_panel(
            listing(
                "Busiest statements of the time shown",
                f"sort_desc(topk(20, sum by (target, database, role, query) ({total})))",
                "`other` is all that does not belong to the busiest ones.",
                "time of execution",
                unit="s",
            )
        )
        .with_panel(
            graph(
                "Time per call",
                {f"{PLACE} {{{{query}}}}": f"topk(10, {by} ({spent}) / ({by} ({calls}) > 0))"},
                "The slowest of the statements that are told apart.",
                unit="s",
            )
        )
        .with_panel(
            graph(
                "Calls",
                {f"{PLACE} {{{{query}}}}": f"topk(10, {by} ({calls}))"},
                "The statements called most, per second.",
                unit="ops",
            )
        )
    )


def _classes(board: Dashboard) -> Dashboard:
    simple, by = f'{HERE}, class="simple"', "sum by (target, database)"
    calls = rate("pgarchitect_statements_class_calls_total", simple)
    spent = rate("pgarchitect_statements_class_exec_seconds_total", simple)
    load = rate("pgarchitect_statements_class_exec_seconds_total")
    return board.with_panel(
        graph(
            "Time of a simple operation",
            {PLACE: f"{by} ({spent}) / ({by} ({calls}) > 0)"},
            "Mean time of all calls on one table, without join, aggregate or set operation; the line is at 100 ms. "
            "What is of class unknown is not in it.",
            unit="s",
            limits={0.1: RED},
        )
    ).with_panel(
        graph(
            "Load by class",
            {f"{PLACE} {{{{class}}}}": f"sum by (target, database, class) ({load})"},
            "Seconds of execution a second, of all statements. Unknown: the text was not read, yet or at all.",
            stacked=True,
        )
    )


def _sign_in(board: Dashboard) -> Dashboard:
    return board.with_row(Row("Sign-in")).with_panel(
        graph(
            "Orphans",
            {f"{PLACE} {{{{link}}}} {{{{direction}}}}": f"pgarchitect_auth_links_orphans{{{HERE}}}"},
            "Rows whose user is gone (profile), and users without their row (user).",
            width=FULL,
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
