"""The fleet: what is wrong, which servers answer, and how busy each of them is."""

from dashboards.findings import counts, findings
from dashboards.frame import Board, Section
from dashboards.links import FINDINGS, ROW_DATABASE, ROW_FINDINGS
from dashboards.panels import FULL, RED, YELLOW, Column, Graph, Number, Panel, Sheet
from dashboards.promql import AROUND, HERE, SERVER, none, rate, ratio

COMMITS, ROLLBACKS = rate("pgarchitect_server_commits_total"), rate("pgarchitect_server_rollbacks_total")


def overview() -> Board:
    """Give the board, from the verdict down to each server's load."""
    return Board(
        name="overview",
        title="fleet overview",
        about="What pgarchitect finds in your PostgreSQL servers, and how busy they are.",
        sections=(
            Section(title="What is wrong", panels=(*counts(), *_silent(), *findings())),
            Section(title="Servers", panels=(_servers(),)),
            Section(title="Load", panels=_load()),
            Section(title="Limits", panels=_limits()),
        ),
    )


def _silent() -> tuple[Panel, ...]:
    return (
        Number(
            title="Servers down",
            about="Servers that did not answer when they were asked last.",
            expr=f"count(pgarchitect_up{{{SERVER}}} == 0) or vector(0)",
        ),
        Number(
            title="Probes without answer",
            about="Probes whose newest run failed; the board of the monitor itself says how.",
            expr=f"count(pgarchitect_probe_success{{{AROUND}}} == 0) or vector(0)",
            limits={1: YELLOW},
        ),
    )


def _servers() -> Sheet:
    return Sheet(
        title="Servers",
        about="One row a server. Click its name for its databases or its findings.",
        keys=("target",),
        columns={
            "critical": Column(expr=_standing("critical"), limits={1: RED}),
            "warnings": Column(expr=_standing("warning"), limits={1: YELLOW}),
            "answers": Column(expr=f"max by (target) (pgarchitect_up{{{SERVER}}})", unit="bool_yes_no"),
            "slots used": Column(
                expr=f"max by (target) ({_slots()})", unit="percentunit", limits={0.8: YELLOW, 0.95: RED}
            ),
            "transactions": Column(expr=f"sum by (target) ({COMMITS} + {ROLLBACKS})", unit="ops"),
            "size": Column(expr=f"sum by (target) (pgarchitect_sizes_database_bytes{{{HERE}}})", unit="bytes"),
            "running for": Column(
                expr=f"time() - max by (target) (pgarchitect_server_start_time_seconds{{{SERVER}}})", unit="s"
            ),
        },
        width=FULL,
        links={"target": (ROW_DATABASE, ROW_FINDINGS)},
    )


def _standing(severity: str) -> str:
    firing = f'pgarchitect_findings{{{AROUND}, state="firing", severity="{severity}"}}'
    return f"sum by (target) ({firing}) or {none('target')}"


def _slots() -> str:
    return f"pgarchitect_pool_slots_used{{{AROUND}}} / pgarchitect_pool_slots_limit{{{AROUND}}}"


def _load() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Load",
            about="Seconds a second that statements are executed; 1 is one session that is always busy.",
            queries={"{{target}}": f"sum by (target) ({rate('pgarchitect_server_active_seconds_total')})"},
            links=(FINDINGS,),
        ),
        Graph(
            title="Transactions",
            about="Committed and rolled back, per second.",
            queries={"{{target}}": f"sum by (target) ({COMMITS} + {ROLLBACKS})"},
            unit="ops",
            links=(FINDINGS,),
        ),
        Graph(
            title="Share rolled back",
            about="Work done and thrown away. Some frameworks end reading with a rollback: then it is no fault.",
            queries={"{{target}}": _rolled_back()},
            unit="percentunit",
            links=(FINDINGS,),
        ),
        Graph(
            title="What sessions wait for",
            about="Active client sessions on average over ten minutes, all servers together. CPU: they run.",
            queries={
                "{{wait_event_type}}": (
                    f"sum by (wait_event_type) (pgarchitect_activity_average_active_sessions{{{AROUND}}})"
                )
            },
            stacked=True,
        ),
    )


def _rolled_back() -> str:
    return ratio(f"sum by (target) ({ROLLBACKS})", f"sum by (target) ({ROLLBACKS} + {COMMITS})")


def _limits() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Slots used",
            about="Client sessions against the nearest limit of each server: its own, a role's or a database's.",
            queries={"{{target}}": f"max by (target) ({_slots()})"},
            unit="percentunit",
            limits={0.8: YELLOW, 0.95: RED},
            links=(FINDINGS,),
        ),
        Graph(
            title="Size",
            about="All databases of a server on disk, measured every five minutes.",
            queries={"{{target}}": f"sum by (target) (pgarchitect_sizes_database_bytes{{{HERE}}})"},
            unit="bytes",
            links=(FINDINGS,),
        ),
    )
