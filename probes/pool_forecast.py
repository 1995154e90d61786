"""The rule that says before it happens that connection slots run out, by whom, and how much time is left."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Confidence,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Remedy,
    Row,
    Scalar,
    duration,
    identifier,
    number,
    of_kind,
    plural,
)
from probes.pool_groups import whose
from probes.pool_limits import SETTINGS, LimitRule, limited_object
from probes.pool_saturation import LAST, STEPS
from probes.pool_series import Holder
from probes.pool_trend import LASTING, Trend


@dataclass(frozen=True, kw_only=True)
class Forecast(LimitRule):
    """What rules share that say when a limit will be reached."""

    keep: float = 120.0
    horizon: float = 900.0
    min_limit: float = 10.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in self.limits(seen):
            found = row.get("trend")
            if isinstance(found, Trend) and found.seconds_left <= self.horizon:
                yield self.foretold(seen, row, found)
            elif row.get("time_to_exhaustion_seconds") is None and (row["kind"] in SETTINGS or _known(seen)):
                yield _too_short(row)

    @abstractmethod
    def foretold(self, seen: Measurement, row: Row, found: Trend) -> Finding:
        """Accuse who has a limit that will be reached within the horizon."""

    def foretelling(
        self, seen: Measurement, row: Row, found: Trend, *, places: str, whose: str, remedy: Remedy, **more: Scalar
    ) -> Finding:
        """Accuse by the trend: `places` are what there is a limit of, `whose` says who fills them."""
        used, rise = number(row, "slots_used"), found.rise
        return self.accusing(
            seen,
            row,
            summary=f"full in about {duration(round(found.seconds_left))}: {used:.0f} of {places} used, "
            f"{rise.gain:.0f} more than {duration(rise.seconds)} ago{whose}",
            remedy=remedy,
            confidence=Confidence.HIGH if rise.seconds >= LASTING else Confidence.MEDIUM,
            count=used,
            seconds_left=round(found.seconds_left),
            per_minute=round(60 * rise.slope, 2),
            per_minute_at_least=round(60 * rise.low, 2),
            rising_seconds=round(rise.seconds),
            growing=[f"{named(who)}: {gained:+.0f}" for who, gained in growth(row)[:5]],
            horizon_seconds=self.horizon,
            **more,  # type: ignore[arg-type]  # none of them is a parameter's name
        )


@dataclass(frozen=True, kw_only=True)
class ExhaustionForecast(Forecast):
    """Connection slots will run out soon.

    Why: a leak shows long before the last slot is taken, and only then is there time to do something in peace. The
    slope is robust (Theil and Sen's, with its lower bound) over the rise that leads to now, at most 30 minutes of it.
    What to do: look at the application, role and state that grow. Sessions that are idle or idle in a transaction are
    not given back: mend that code path, or restart that application to win time. Active ones wait for something.
    When it is wrong: a pool that warms up from almost nothing within a minute or two, or a batch that takes longer than
    7 minutes to start and goes beyond three quarters of the limit; a sawtooth in the first minutes of our own watch.
    It says so late where it cannot tell: a rise from 40 % in under two minutes is left to pool.saturation.
    Cost: none beyond the probe's one query; 195 points a limit are kept in memory.
    """

    id: ClassVar[str] = "pool.exhaustion_forecast"

    def foretold(self, seen: Measurement, row: Row, found: Trend) -> Finding:
        growing, slots = growth(row), plural(number(row, "slots_limit"), "slot")
        remedy = Remedy(caution=advice(growing))
        return self.foretelling(seen, row, found, places=slots, whose=by_whom(growing), remedy=remedy)


def _known(seen: Measurement) -> bool:
    """Tell whether the server's own slots were watched for long enough; else one reason is said for all limits."""
    return all(row.get("time_to_exhaustion_seconds") is not None for row in of_kind(seen.rows, "server"))


def _too_short(row: Row) -> NoVerdict:
    watched = duration(number(row, "watched")) if "watched" in row else "too short a time"
    return NoVerdict(
        reason=f"watched for {watched}; a trend takes two minutes and five readings",
        needs=Needs.HISTORY,
        subject=None if row["kind"] in SETTINGS else identifier(str(limited_object(row).name)),
    )


def growth(row: Row) -> Sequence[tuple[Holder, float]]:
    """Read who grew, as the series told it."""
    grown = row.get("growing")
    return grown if isinstance(grown, Sequence) and not isinstance(grown, str) else ()


def named(holder: Holder) -> str:
    """Name role, application and state: `app_rw (checkout), idle`."""
    _, role, application, state = holder
    return f"{whose(role, application)}, {state}"


def by_whom(growing: Sequence[tuple[Holder, float]]) -> str:
    """Say whose growth it is, where somebody grew."""
    return f"; most of it {named(growing[0][0])}" if growing else ""


def advice(growing: Sequence[tuple[Holder, float]]) -> str:
    """Say where to begin, by the state of those who grow most."""
    if not growing:
        return f"Nobody alone grows: see pgarchitect_pool_sessions. {LAST}"
    holder, more = growing[0]
    step = LEAKING if holder[3] == "idle" else STEPS.get(holder[3], STEPS[""])
    return f"{named(holder)}: {plural(more, 'session')} more. {step} {LAST}"


LEAKING = (
    "Sessions that rest and grow in number are not given back, or each new process brings a pool of its own: look for "
    "the code path that opens one and does not close it. Restarting that application wins time."
)
