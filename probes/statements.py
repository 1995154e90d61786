"""Statements, by pg_stat_statements: their growth, the busiest ones by fingerprint, and whether one is slow.

One reading serves the whole cluster. Cost at 10,000 entries: 1.2 times the server's work of counting them, and 5 ms
here. Statements of the monitor's own role are left out, unless it is a superuser's or somebody else's role too.
Siblings: statements_reading (what changed), _texts (what they are), _top (which are looked at), _rules (judgement).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from monitor.probe import Kept, Kind, Measurement, Memory, Metric, Probe, Row, Scope, Session, Shape, table_names
from probes.members import Members
from probes.plans_memory import Plans, nominated
from probes.statements_captions import ASIDE as CAPTIONS
from probes.statements_captions import Captions
from probes.statements_classes import ASIDE as CLASSES
from probes.statements_classes import Classes
from probes.statements_evicting import Evicting, Evictions
from probes.statements_executor import Executor
from probes.statements_reading import COUNTERS, KEY, Known, Names, observe, recording_is_off
from probes.statements_rules import Load, Slow, mean_ms
from probes.statements_steps import NPlusOne, Steps
from probes.statements_texts import Texts
from probes.statements_top import View, busiest, entry_of, exposed, groups, key_of, seconds, slowest
from probes.statements_volume import RowsWaste, TempSpill

__all__ = ["PROBE", "Load", "Slow", "StatementsOptions"]


@dataclass(frozen=True, kw_only=True)
class StatementsOptions:
    """What the section `statements` of the configuration sets."""

    text: Literal["redacted", "off"] = "redacted"
    """Whether a statement's text, without its constants, stands in evidence and reports."""
    top: int = 100
    """How many entries are looked at one by one; all others are summed up."""
    hold: float = 600.0
    """How long an entry that has fallen behind keeps its series, in seconds."""
    info: bool = False
    """Whether the beginning of each text that is shown is also a label, of the metric `…_statements_info`."""

    def __post_init__(self) -> None:
        """Refuse a list that is no list, and texts as labels where none are to be shown."""
        if self.info and self.text == "off":
            raise ValueError("info shows texts, and needs `text: redacted`")
        if not 1 <= self.top <= MOST:
            raise ValueError(f"top should be between 1 and {MOST}")


WINDOW = 600.0

FIRST = 50
"""How many statements a snapshot's first round looks at closely."""

MOST = 500
"""The most that is kept one by one: series are bounded."""


class Own:
    """Whether anybody else was seen to use the monitor's role: once seen, for good."""

    shared = False

    def role(self, constants: Row) -> object:
        """Give the role whose statements are ours alone; None when there is no such."""
        self.shared = self.shared or bool(constants["own_role_shared"])
        return None if self.shared else constants["own_role"]


async def detail(session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Choose what is looked at closely, learn its texts, and sum it up."""
    options = seen.options if isinstance(seen.options, StatementsOptions) else StatementsOptions()
    constants, names, texts = memory.of(Known).constants, memory.of(Names), memory.of(Texts)
    own = memory.of(Own).role(constants)
    view = View(databases=names.of(constants["databases"]), roles=names.of(constants["roles"]), own=own)
    everything = list(seen.window_growth or ())
    window = view.shown(everything)
    busy, slow = busiest(window, options.top), slowest(window, options.top)
    ranked = [key_of(row) for row in busy]
    members = memory.of(Members).choose(ranked, seen.taken_at, top=options.top, hold=options.hold)
    picked = {key_of(row): row for row in (*busy, *slow, *(row for row in window if key_of(row) in members))}
    chosen = list(picked.values())
    spent = {entry_of(row): seconds(row) for row in chosen}
    await texts.learn(session, spent, seen.taken_at, show=options.text != "off")
    plans, summed = memory.server.of(Plans), dict(groups(window, chosen, texts, view))
    plans.want(nominated(summed.values() or await _first_sight(session, seen, texts, view)))
    await memory.of(Executor).learn(session, slow, len(seen.rows))
    beside = memory.of(Executor).evidence(chosen, texts, view)
    for (label, database), told in summed.items():
        told.update(plans.evidence(database, label), **beside.get((label, database), {}))
    whole = {
        "exec_seconds": sum(seconds(row) for row in everything if row["toplevel"]),
        "entries": len(seen.rows),
        "entries_limit": constants["entries_limit"] or 0,
        "off": await recording_is_off(session, constants),
        "block_size": constants["block_size"],
        **memory.of(Evictions).grown(seen.taken_at, constants, WINDOW),
    }
    known = {key: row for key, row in picked.items() if key in members}
    grown = view.shown(seen.grown or ())
    steps = memory.of(Steps).take(seen, grown, picked.keys(), texts, view)
    shown = exposed(grown, members, known, texts, view)
    captions = memory.of(Captions).take(shown, known.values(), texts, view) if options.info else ()
    by_class = memory.of(Classes).take(grown, texts, view)
    return replace(
        seen,
        details={"whole": whole, "steps": steps, **{("statement", *group): row for group, row in summed.items()}},
        listed=lambda: _listed([*summed.values()][: options.top], whole),
        exposed=shown,
        asides={CLASSES.name: by_class, CAPTIONS.name: captions},
    )


async def _first_sight(session: Session, seen: Measurement, texts: Texts, view: View) -> Sequence[Row]:
    """Give what was slow so far: a snapshot explains in its second round what the first one nominates."""
    if not seen.snapshot or seen.window_growth is not None:
        return ()
    rows = view.shown(seen.rows)
    slow = slowest(rows, FIRST)
    show = not isinstance(seen.options, StatementsOptions) or seen.options.text != "off"
    await texts.learn(session, {entry_of(row): seconds(row) for row in slow}, seen.taken_at, show=show)
    texts.rest_not()
    return [row for _, row in groups(slow, slow, texts, view)]


def _listed(busiest: Iterable[Row], whole: Row) -> Iterator[tuple[str, Row]]:
    for row in busiest:
        yield "statements", _reported(row, whole)


def _reported(row: Row, whole: Row) -> Row:
    spent, all_seconds = seconds(row), seconds(whole)
    roles = row["roles"]
    return {
        "database": row["database"],
        "roles": ", ".join(roles) if isinstance(roles, tuple) else "",
        "statement": row["statement"],
        "kind": row["kind"],
        "calls": row["calls"],
        "mean_ms": round(mean_ms(row), 3),
        "total_seconds": round(spent, 3),
        "share": round(min(spent / all_seconds, 1.0), 3) if all_seconds else 0.0,
        "rows": row["rows"],
        "tables": ", ".join(table_names(row)),
        **({"tags": ", ".join(tags)} if isinstance(tags := row["tags"], tuple) and tags else {}),
        "text": row["text"],
    }


METRICS: Sequence[tuple[str, str]] = (
    ("calls", "Calls that ended."),
    ("exec_seconds", "Time of execution."),
    ("rows", "Rows returned or changed."),
    ("shared_blks_hit", "Blocks found in shared buffers."),
    ("shared_blks_read", "Blocks read from outside shared buffers."),
    ("temp_blks_written", "Blocks written to temporary files."),
    ("wal_bytes", "Bytes of write-ahead log."),
)

PROBE = Probe(
    name="statements",
    scope=Scope.SERVER,
    every=15,
    window=WINDOW,
    observe=observe,
    detail=detail,
    shape=Shape.COLUMNS,
    needs=("extension:pg_stat_statements", "role:pg_read_all_stats"),
    key=KEY,
    labels=("database", "role", "query"),
    metrics=tuple(Metric(column, Kind.COUNTER, text) for column, text in METRICS if column in COUNTERS),
    asides=(CLASSES, CAPTIONS),
    counts=("exec_squares",),
    pulse="calls",
    reset_column="stats_reset",
    complete=True,
    history=Kept(
        key=("database", "query"),
        columns=(
            "calls",
            "exec_seconds",
            "exec_squares",
            "rows",
            "shared_blks_hit",
            "shared_blks_read",
            "temp_blks_written",
            "wal_bytes",
        ),
        weight="calls",
        weighed="exec_seconds",
        squares="exec_squares",
    ),
    section="statements",
    options=StatementsOptions(),
    rules=(Slow(), Load(), TempSpill(), RowsWaste(), NPlusOne(), Evicting()),
)
