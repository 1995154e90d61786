"""An application's own connection pool, by the gauges it publishes: how full it is, and who waits for a connection.

Cost to the application: one scrape of its metrics. Pools are told apart by the labels of the gauge `size`; the gauges
`in_use` and `waiting` are added up under the same labels. Limits: the 20 fullest pools are told apart.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    Memory,
    Needs,
    NoVerdict,
    Object,
    Probe,
    ProbeSkipped,
    Remedy,
    Row,
    Rule,
    Scope,
    Session,
    Severity,
    Trend,
    gauges,
    plural,
    share,
)
from probes.pool_groups import safe
from probes.pool_limits import Levels
from probes.pool_listing import of_application

TOLD = 20
LONGEST = 100
NUMBERS = ("in_use", "size", "waiting")
Labels = Mapping[str, str]


async def observe(session: Session, _memory: Memory, _options: object) -> Sequence[Row]:
    """Give a row for each pool; a number that is missing or NaN is None. Raises ProbeSkipped without `size`."""
    samples = await session.fetch("pools")
    of = {gauge: [row for row in samples if row["gauge"] == gauge] for gauge in NUMBERS}
    for gauge in ("size", "in_use"):
        if all(row["value"] is None for row in of[gauge]):
            metric = next((str(row["metric"]) for row in of[gauge]), gauge)
            raise ProbeSkipped(f"the endpoint has no metric {metric}; see `{gauge}` of this target", Needs.SETTING)
    pools = {_labels(row): row for row in of["size"]}
    return [
        {
            "pool": _name(dict(labels)),
            "shown": bool(of["waiting"]),
            **{gauge: _sum(of[gauge], dict(labels)) for gauge in NUMBERS},
        }
        for labels in pools
    ]


def _labels(row: Row) -> tuple[tuple[str, str], ...]:
    labels = row["labels"]
    return tuple(sorted(labels.items())) if isinstance(labels, dict) else ()


def _name(labels: Labels) -> str:
    """Name a pool by its label, or by all of them; "" for the only one without any."""
    texts = [*labels.values()] if len(labels) == 1 else [f"{name}={value}" for name, value in labels.items()]
    return safe(", ".join(texts))[:LONGEST]


def _sum(samples: Sequence[Row], labels: Labels) -> float | None:
    """Add up the samples that have these labels and maybe others; None when there are none, or one is no number."""
    wanted = set(labels.items())
    found = [row["value"] for row in samples if wanted <= set(_labels(row))]
    values = [value for value in found if isinstance(value, float) and math.isfinite(value)]
    return sum(values) if values and len(values) == len(found) else None


async def detail(_session: Session, _memory: Memory, seen: Measurement) -> Measurement:
    """Give the exporter the fullest pools by name, and the others added up."""
    rows = sorted(seen.rows, key=lambda row: -(_known(row, "in_use") or 0.0))
    others = rows[TOLD:]
    rest: dict[str, object] = {"pool": "other"}
    for number in NUMBERS:
        known = [value for row in others if (value := _known(row, number)) is not None]
        rest[number] = sum(known) if known else None
    told = rows[:TOLD]
    return replace(seen, exposed=[*told, *([rest] if others else [])], listed=lambda: of_application(told))


def _known(row: Row, column: str) -> float | None:
    value = row[column]
    return value if isinstance(value, float) else None


def _subject(seen: Measurement, row: Row) -> str:
    return str(row["pool"]) or seen.target.server


def _unknown(seen: Measurement, row: Row, column: str) -> NoVerdict:
    reason = f"the endpoint gives no number for `{column}`; see that setting of this target"
    return NoVerdict(reason=reason, needs=Needs.SETTING, subject=_subject(seen, row))


@dataclass(frozen=True, kw_only=True)
class AppSaturation(Levels):
    """An application's connection pool runs out.

    Why: with the last connection taken, the next request waits, then fails with the pool's timeout; the server may be
    idle meanwhile. Judged is in_use / size of each pool; a level counts as reached when it equals its ratio.
    What to do: see what holds the connections: slow statements, transactions left open, connections that are not given
    back. Make the pool larger only as far as the server has slots for all replicas of the application.
    When it is wrong: a pool of exactly as many connections as there are workers. Raise the ratios; pools smaller than
    `min_size` are left out.
    Cost: none beyond the scrape.
    """

    id: ClassVar[str] = "pool.app_saturation"
    area: ClassVar[Area] = Area.CAPACITY
    hold: float = 15.0
    keep: float = 60.0
    min_size: float = 2.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in seen.rows:
            used, size = _known(row, "in_use"), _known(row, "size")
            if used is None or size is None:
                yield _unknown(seen, row, "size" if size is None else "in_use")
            elif size >= self.min_size and (severity := self.reached(used, size)) is not None:
                yield self._accuse(seen, row, severity)

    def _accuse(self, seen: Measurement, row: Row, severity: Severity) -> Finding:
        used, size = _known(row, "in_use") or 0.0, _known(row, "size") or 0.0
        return self.finding(
            seen,
            subject=_subject(seen, row),
            object=Object("pool", name=_subject(seen, row)),
            severity=severity,
            summary=f"{used:.0f} of {plural(size, 'connection')} in use ({share(used, size)})",
            impact="with the last one taken, the application's requests wait for a connection and then fail",
            remedy=Remedy(
                caution="Find what holds the connections (statements.slow, sessions.idle_in_transaction on the server, "
                f"connections not given back). A pool larger than {size:.0f} needs as many more slots on the server, "
                "for each replica of the application."
            ),
            count=round(used),
            limit_count=round(size),
            ratio=round(used / size, 3),
            waiting=_known(row, "waiting"),
            warning_ratio=self.warning_ratio,
            critical_ratio=self.critical_ratio,
        )


@dataclass(frozen=True, kw_only=True)
class AppWaiting(Rule):
    """Requests wait for a connection of their application's pool.

    Why: they stand still before the database has heard of them, so that no statement looks slow there.
    What to do: see what holds the pool's connections; then make it larger as far as the server has slots.
    When it is wrong: a queue that is meant to be there. Raise `max_waiting`.
    Cost: none beyond the scrape.
    """

    id: ClassVar[str] = "pool.app_waiting"
    area: ClassVar[Area] = Area.CAPACITY
    hold: float = 15.0
    keep: float = 60.0
    max_waiting: float = 0.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in seen.rows:
            waiting, used, size = (_known(row, name) for name in ("waiting", "in_use", "size"))
            if not row["shown"]:
                yield NoVerdict(reason="no gauge `waiting` is named for this target", needs=None)
                return
            if waiting is None:
                yield _unknown(seen, row, "waiting")
            elif waiting > self.max_waiting:
                yield self.finding(
                    seen,
                    subject=_subject(seen, row),
                    object=Object("pool", name=_subject(seen, row)),
                    summary=f"{plural(waiting, 'request')} wait{'s' if waiting == 1 else ''} for a connection",
                    impact="they stand still, and fail with the pool's timeout, while the server may be idle",
                    remedy=Remedy(
                        caution="Find what holds the pool's connections; make it larger only as far as the server has "
                        "slots for it in each replica of the application."
                    ),
                    count=round(waiting),
                    in_use=used,
                    size=size,
                    max_waiting=self.max_waiting,
                )


GAUGES: Mapping[str, str] = {
    "in_use": "Connections that requests hold.",
    "size": "Connections the pool may have.",
    "waiting": "Requests that wait for a connection.",
}

PROBE = Probe(
    name="app_pool",
    scope=Scope.APP_POOL,
    every=15,
    observe=observe,
    detail=detail,
    key=("pool",),
    labels=("pool",),
    metrics=gauges(GAUGES),
    trends=(Trend(name="pools", key=("pool",), gauges=("in_use", "size", "waiting")),),
    rules=(AppSaturation(), AppWaiting()),
)
