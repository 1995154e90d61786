"""The rows of a board about the watching itself: who answers, and what the monitor costs."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards.panels import AROUND, SERVER, graph, listing, rate, states


def answering(board: Dashboard) -> Dashboard:
    """Add the row that says which servers and probes answer."""
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


def costs(board: Dashboard) -> Dashboard:
    """Add the row that says what the monitor itself costs."""
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
