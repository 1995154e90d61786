"""The monitor itself: who answers, how old the figures are, what it costs, and whether it is heard."""

from dashboards.frame import Board, Section
from dashboards.links import FINDINGS, PAGE, Link
from dashboards.panels import FULL, RED, THIRD, YELLOW, Column, Graph, Number, Panel, Sheet, States
from dashboards.promql import AROUND, FIRING, SERVER, rate

US = "and on (instance, job) pgarchitect_build_info"
"""Narrows figures of processes and scrapes to the monitor's own."""
DURATION = f"pgarchitect_probe_duration_seconds{{{AROUND}}}"
RULES = "(target|probe|series|self|receiver|store|config|ignore)[.].*"


def monitor() -> Board:
    """Give the board."""
    return Board(
        name="monitor",
        title="the monitor itself",
        about="Whether pgarchitect sees, is seen and is heard, and what it costs.",
        sections=(
            Section(title="Is it well?", panels=_health()),
            Section(title="Who answers", panels=_answering()),
            Section(title="What it costs the servers", panels=_costs()),
            Section(title="What it says", panels=_words()),
            Section(title="Its process and its metrics", panels=_process()),
        ),
    )


def _health() -> tuple[Panel, ...]:
    failed = 'pgarchitect_notifications_total{outcome=~"failed|dropped"}'
    return (
        Number(
            title="Findings about itself",
            about="Servers or probes that do not answer, series left away, receivers that fail, a store that does not "
            "keep.",
            expr=f'sum({FIRING}, rule=~"{RULES}"}}) or vector(0)',
            links=(Link(title="All findings", url=f"{PAGE}/findings"),),
        ),
        Number(
            title="Probes that fail",
            about="Probes whose newest run was not answered.",
            expr=f"count(pgarchitect_probe_success{{{AROUND}}} == 0) or vector(0)",
            limits={1: YELLOW},
        ),
        Number(
            title="Oldest figures",
            about="Time since the probe was answered that waited longest; the rarest ones come every half hour. "
            "Probes without a subject are left out.",
            expr=f"max({_age()})",
            unit="s",
            limits={3600: YELLOW, 7200: RED},
        ),
        Number(
            title="Messages lost",
            about="In the time shown: messages to people that were given up.",
            expr=f"sum(increase({failed}[$__range])) or vector(0)",
        ),
        Number(
            title="Samples left away",
            about="In the time shown: more than nothing says that a target has more series than `limits.series`.",
            expr=f"sum(increase(pgarchitect_series_dropped_total{{{SERVER}}}[$__range]))",
            limits={1: YELLOW},
        ),
        Number(
            title="Running for",
            about="Since the monitor's process started.",
            expr=f"max(time() - process_start_time_seconds {US})",
            unit="s",
            limits={},
        ),
    )


def _age() -> str:
    skipped = f'pgarchitect_probe_result{{{AROUND}, result="skipped"}}'
    age = f"time() - pgarchitect_probe_last_success_timestamp_seconds{{{AROUND}}}"
    return f"{age} unless on (target, database, probe) {skipped}"


def _answering() -> tuple[Panel, ...]:
    result = f"sum by (target, database, probe, result) (pgarchitect_probe_result{{{AROUND}}})"
    return (
        States(
            title="Servers",
            about="Whether the server answered when it was asked last.",
            expr=f"pgarchitect_up{{{SERVER}}}",
            legend="{{target}}",
            links=(FINDINGS,),
        ),
        Sheet(
            title="Probes",
            about="How the newest run of each probe ended, and how long it took; skipped: its subject is not there.",
            keys=("target", "database", "probe", "result"),
            columns={
                "time": Column(
                    expr=f"{result} * on (target, database, probe) group_left () "
                    f"max by (target, database, probe) ({DURATION})",
                    unit="s",
                    limits={1: YELLOW},
                )
            },
            width=THIRD,
        ),
        Graph(
            title="Age of the figures",
            about="Time since each probe was answered last. A line that climbs shows figures that no longer come.",
            queries={"{{target}} {{probe}}": f"max by (target, probe) ({_age()})"},
            unit="s",
            width=THIRD,
        ),
    )


def _costs() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Time of our statements",
            about="Wall time of our own statements a second, as we saw it: an upper bound of what we cost the server.",
            queries={"{{target}}": rate("pgarchitect_self_database_seconds_total", SERVER)},
            unit="percentunit",
            limits={0.05: RED},
            links=(FINDINGS,),
        ),
        Graph(
            title="Time of each probe",
            about="Wall time of the newest run.",
            queries={"{{target}} {{probe}}": f"max by (target, probe) ({DURATION})"},
            unit="s",
        ),
    )


def _words() -> tuple[Panel, ...]:
    told = "pgarchitect_notifications_total"
    return (
        Graph(
            title="Findings by state",
            about="Pending: seen, and not yet for as long as the rule wants.",
            queries={"{{state}}": f"sum by (state) (pgarchitect_findings{{{AROUND}}})"},
            width=THIRD,
            stacked=True,
        ),
        Graph(
            title="Subjects that could not be judged",
            about="By what is missing. `history` mends itself with time.",
            queries={"{{needs}}": f"sum by (needs) (pgarchitect_not_evaluated{{{AROUND}}})"},
            width=THIRD,
            stacked=True,
        ),
        Graph(
            title="Messages to people",
            about="In five minutes, all together and by how they ended. `retry`: not now, tried again.",
            queries={
                "all": f"sum(increase({told}[5m])) or vector(0)",
                "{{receiver}} {{outcome}}": f"sum by (receiver, outcome) (increase({told}[5m]))",
            },
            width=THIRD,
        ),
    )


def _process() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Memory",
            about="Resident memory of the monitor's process.",
            queries={"{{instance}}": f"process_resident_memory_bytes {US}"},
            unit="bytes",
            width=THIRD,
        ),
        Graph(
            title="Processor",
            about="Seconds of processor a second.",
            queries={"{{instance}}": f"rate(process_cpu_seconds_total[$__rate_interval]) {US}"},
            unit="percentunit",
            width=THIRD,
        ),
        Graph(
            title="Scrapes",
            about="How long Prometheus takes to read the metrics. They come from memory: no database is asked.",
            queries={"{{instance}}": f"scrape_duration_seconds {US}"},
            unit="s",
            width=THIRD,
        ),
        Graph(
            title="Series",
            about="Samples of a scrape, of all servers together.",
            queries={"{{instance}}": f"scrape_samples_scraped {US}"},
            width=FULL,
        ),
    )
