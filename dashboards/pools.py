"""Pools: connections against every limit there is, who holds them, who waits, and when they run out.

Limits are the server's own, those of roles and databases, PgBouncer's pools, and an application's pool.
"""

from dashboards.findings import findings
from dashboards.frame import Board, Section
from dashboards.links import FINDINGS, ROW_FINDINGS
from dashboards.panels import FULL, HALF, RED, YELLOW, Column, Graph, Panel, Sheet
from dashboards.promql import AROUND, SERVER

DAY = 86400
USED, LIMIT = f"pgarchitect_pool_slots_used{{{AROUND}}}", f"pgarchitect_pool_slots_limit{{{AROUND}}}"
BOUNCER = "pgarchitect_pgbouncer_pools_"


def pools() -> Board:
    """Give the board."""
    return Board(
        name="pools",
        title="pools",
        about="Connections against each limit: of servers, roles, databases, PgBouncer and applications.",
        sections=(
            Section(title="What is wrong", panels=findings("(pool|sessions)[.].*")),
            Section(title="Limits", panels=(_limits(), *_used())),
            Section(title="Who holds them", panels=_holders()),
            Section(title="Who waits", panels=_waiting()),
        ),
    )


def _limits() -> Sheet:
    by = "sum by (target, database, role)"
    return Sheet(
        title="Limits now",
        about="One row a limit: without database and role it is the server's own, without its reserved slots.",
        keys=("target", "database", "role"),
        columns={
            "share": Column(
                expr=f"{by} ({USED}) / {by} ({LIMIT})", unit="percentunit", limits={0.8: YELLOW, 0.95: RED}
            ),
            "used": Column(expr=f"{by} ({USED})"),
            "limit": Column(expr=f"{by} ({LIMIT})"),
        },
        width=FULL,
        links={"target": (ROW_FINDINGS,)},
    )


def _used() -> tuple[Panel, ...]:
    bouncer = (
        f"{BOUNCER}server_active_connections{{{SERVER}}} / on (target, database) group_left () "
        f"(pgarchitect_pgbouncer_databases_pool_size{{{SERVER}}} > 0)"
    )
    app = f"pgarchitect_app_pool_in_use{{{SERVER}}} / (pgarchitect_app_pool_size{{{SERVER}}} > 0)"
    left = f"pgarchitect_pool_time_to_exhaustion_seconds{{{AROUND}}}"
    return (
        Graph(
            title="Slots used",
            about="The share of each limit that is in use.",
            queries={
                "{{target}} {{database}} {{role}}": f"{USED} / {LIMIT}",
                "PgBouncer {{target}} {{database}} {{user}}": bouncer,
                "application {{target}} {{pool}}": app,
            },
            unit="percentunit",
            limits={0.8: YELLOW, 0.95: RED},
            links=(FINDINGS,),
        ),
        Graph(
            title="Time until the slots run out",
            about="At the trend of the last minutes. A day stands for a day or more, and for no trend at all.",
            queries={"{{target}} {{database}} {{role}}": f"clamp_max({left}, {DAY})"},
            unit="s",
            links=(FINDINGS,),
        ),
    )


def _holders() -> tuple[Panel, ...]:
    sessions = f"pgarchitect_pool_sessions{{{AROUND}}}"
    return (
        Graph(
            title="Sessions by application",
            about="The ten applications and roles with most sessions.",
            queries={
                "{{role}} ({{application}})": f"topk(10, sum by (role, application) ({sessions}))",
            },
            stacked=True,
        ),
        Graph(
            title="Sessions by state",
            about="Idle ones belong to pools; idle in a transaction, they hold locks and old rows.",
            queries={"{{target}} {{state}}": f"sum by (target, state) ({sessions})"},
            stacked=True,
        ),
        Graph(
            title="Idle in a transaction",
            about="Longest time a session has been idle inside a transaction, by role and application.",
            queries={
                "{{target}} {{role}} ({{application}})": (
                    "topk(10, max by (target, role, application) "
                    f'(pgarchitect_pool_oldest_idle_in_transaction_seconds{{{AROUND}, role!=""}}))'
                )
            },
            unit="s",
            links=(FINDINGS,),
        ),
        Graph(
            title="Sessions that begin",
            about="Per minute. Many beside few open sessions: an application connects for each request.",
            queries={"{{target}}/{{database}}": f"60 * rate(pgarchitect_server_sessions_begun_total{{{AROUND}}}[5m])"},
            links=(FINDINGS,),
        ),
    )


def _waiting() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Who waits",
            about="Sessions that wait for a lock, clients of PgBouncer that wait for a server connection, and requests "
            "that wait for one of their application's pool; the server may look idle meanwhile.",
            queries={
                "{{target}}/{{database}} locks": (
                    f"sum by (target, database) (pgarchitect_pool_waiting_sessions{{{AROUND}}})"
                ),
                "PgBouncer {{target}} {{database}} {{user}}": f"{BOUNCER}client_waiting_connections{{{SERVER}}}",
                "application {{target}} {{pool}}": f"pgarchitect_app_pool_waiting{{{SERVER}}}",
            },
            width=HALF,
            links=(FINDINGS,),
        ),
        Graph(
            title="What active sessions wait for",
            about="Active client sessions on average over ten minutes. CPU: they run.",
            queries={
                "{{target}} {{wait_event_type}}": f"pgarchitect_activity_average_active_sessions{{{AROUND}}}",
            },
            stacked=True,
        ),
    )
