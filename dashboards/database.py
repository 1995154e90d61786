"""One database, and the server it lives on: findings, sessions, transactions, blocks, WAL, ids, settings."""

from dashboards.findings import findings
from dashboards.frame import Board, Section
from dashboards.links import FINDINGS
from dashboards.panels import FULL, RED, THIRD, YELLOW, Column, Graph, Panel, Sheet
from dashboards.promql import AROUND, HERE, PLACE, SERVER, rate, ratio

COMMITS, ROLLBACKS = rate("pgarchitect_server_commits_total"), rate("pgarchitect_server_rollbacks_total")


def database() -> Board:
    """Give the board."""
    return Board(
        name="database",
        title="one database",
        about="A database from its findings to its blocks, and what it shares with others on its server.",
        everything=False,
        sections=(
            Section(title="What is wrong", panels=findings()),
            Section(title="Sessions", panels=_sessions()),
            Section(title="Transactions", panels=_transactions()),
            Section(title="Rows and blocks", panels=_blocks()),
            Section(title="Server: WAL and checkpoints", panels=_wal()),
            Section(title="Room and ids", panels=_room()),
            Section(title="Server: settings", panels=(_settings(),)),
        ),
    )


def _sessions() -> tuple[Panel, ...]:
    age = f"max by (target) (pgarchitect_pool_oldest_transaction_seconds{{{AROUND}}})"
    idle = f"max by (target) (pgarchitect_pool_oldest_idle_in_transaction_seconds{{{AROUND}}})"
    lag = f"pgarchitect_replication_standby_lag_seconds{{{SERVER}}}"
    return (
        Graph(
            title="Sessions by state",
            about="What client sessions do; many that are idle in a transaction hold locks and old rows.",
            queries={"{{state}}": f"sum by (state) (pgarchitect_pool_sessions{{{HERE}}})"},
            width=THIRD,
            stacked=True,
        ),
        Graph(
            title="Locks",
            about="Locks held by mode, and those that are awaited.",
            queries={
                "{{mode}}": f'sum by (mode) (pgarchitect_locks_current{{{HERE}, granted="true"}})',
                "awaited": f'sum(pgarchitect_locks_current{{{HERE}, granted="false"}}) or vector(0)',
            },
            width=THIRD,
        ),
        Graph(
            title="Oldest transaction, and lag of standbys",
            about="Vacuum keeps every row that the oldest open transaction might still see. Lag is told by WAL.",
            queries={
                "{{target}} open": age,
                "{{target}} idle in it": idle,
                "lag of {{application}}": lag,
            },
            unit="s",
            width=THIRD,
            links=(FINDINGS,),
        ),
    )


def _transactions() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Transactions",
            about="Committed and rolled back, per second.",
            queries={f"{PLACE} commits": COMMITS, f"{PLACE} rollbacks": ROLLBACKS},
            unit="ops",
        ),
        Graph(
            title="Share rolled back",
            about="Work done and thrown away. Some frameworks end reading with a rollback: then it is no fault.",
            queries={PLACE: ratio(ROLLBACKS, f"{ROLLBACKS} + {COMMITS}")},
            unit="percentunit",
            links=(FINDINGS,),
        ),
        Graph(
            title="Deadlocks, conflicts, lost sessions",
            about="In five minutes: transactions killed for a deadlock, queries cancelled by recovery on a standby, "
            "sessions that were lost or killed.",
            queries={
                f"{PLACE} deadlocks": f"increase(pgarchitect_server_deadlocks_total{{{HERE}}}[5m])",
                f"{PLACE} conflicts": f"increase(pgarchitect_server_conflicts_total{{{HERE}}}[5m])",
                f"{PLACE} lost": f"increase(pgarchitect_server_sessions_lost_total{{{HERE}}}[5m])",
            },
            links=(FINDINGS,),
        ),
        Graph(
            title="Temporary files",
            about="Written by sorts and hashes that did not fit into work_mem.",
            queries={PLACE: rate("pgarchitect_server_temp_bytes_total")},
            unit="Bps",
        ),
    )


def _blocks() -> tuple[Panel, ...]:
    read, hit = rate("pgarchitect_server_blocks_read_total"), rate("pgarchitect_server_blocks_hit_total")
    kinds = ("fetched", "inserted", "updated", "deleted")
    return (
        Graph(
            title="Rows",
            about="Rows fetched by index scans, and rows changed, per second.",
            queries={f"{PLACE} {kind}": rate(f"pgarchitect_server_rows_{kind}_total") for kind in kinds},
            unit="rowsps",
        ),
        Graph(
            title="Blocks not found in shared buffers",
            about="Share of the blocks asked for that came from the system's cache or the disk.",
            queries={PLACE: ratio(read, f"{read} + {hit}")},
            unit="percentunit",
        ),
    )


def _wal() -> tuple[Panel, ...]:
    requested, timed = "pgarchitect_wal_checkpoints_requested_total", "pgarchitect_wal_checkpoints_timed_total"
    return (
        Graph(
            title="WAL written",
            about="Growth of the server's WAL position, per second.",
            queries={"{{target}}": rate("pgarchitect_wal_written_bytes_total", SERVER)},
            unit="Bps",
            width=THIRD,
        ),
        Graph(
            title="WAL on disk",
            about="The WAL directory, the size checkpoints aim at, and what is kept for replication slots.",
            queries={
                "{{target}} directory": f"pgarchitect_wal_directory_bytes{{{SERVER}}}",
                "{{target}} max_wal_size": f"pgarchitect_wal_max_wal_size_bytes{{{SERVER}}}",
                "{{target}} kept for {{slot}}": f"pgarchitect_replication_slot_retained_bytes{{{SERVER}}}",
            },
            unit="bytes",
            width=THIRD,
            links=(FINDINGS,),
        ),
        Graph(
            title="Checkpoints",
            about="In ten minutes. Requested ones come before their time: max_wal_size is small for what is written.",
            queries={
                "{{target}} requested": f"increase({requested}{{{SERVER}}}[10m])",
                "{{target}} timed": f"increase({timed}{{{SERVER}}}[10m])",
            },
            width=THIRD,
        ),
    )


def _room() -> tuple[Panel, ...]:
    ids = f"pgarchitect_vacuum_xid_age{{{HERE}}}"
    limit = f"pgarchitect_vacuum_freeze_max_age{{{SERVER}}}"
    return (
        Graph(
            title="Size",
            about="The database on disk, measured every five minutes.",
            queries={PLACE: f"pgarchitect_sizes_database_bytes{{{HERE}}}"},
            unit="bytes",
        ),
        Graph(
            title="Age of transaction ids",
            about="Against autovacuum_freeze_max_age. Above 1 autovacuum freezes whatever is set; at about 10, by the "
            "usual settings, the server takes no more writes.",
            queries={PLACE: f"{ids} / on (target) group_left () max by (target) ({limit})"},
            unit="percentunit",
            limits={1.5: YELLOW, 5: RED},
            links=(FINDINGS,),
        ),
    )


def _settings() -> Sheet:
    by = "sum by (target, setting)"
    return Sheet(
        title="Settings",
        about="In bytes, seconds, or as they are; on and off are 1 and 0. Restart: a changed value waits for one.",
        keys=("target", "setting"),
        columns={
            "waits for a restart": Column(
                expr=f"{by} (pgarchitect_settings_restart_pending{{{SERVER}}})", limits={1: YELLOW}
            ),
            "value": Column(expr=f"{by} (pgarchitect_settings_value{{{SERVER}}})"),
        },
        width=FULL,
    )
