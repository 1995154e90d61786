"""The rule about sign-ups that come as never before, or do not come at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Severity,
    duration,
    identifier,
    number,
)
from probes.auth_judging import schema_of

CONSISTENT = 1.4826
"""Times the median deviation is the standard deviation, where values are spread normally."""
WHOLE = 3300.0
"""A silence lasts for so many seconds at least."""

LONG = 4500.0
"""What grew over a window of more seconds, because we were away, is no hour's."""

NOUNS = {"users": "sign-ups", "sessions": "new sessions", "refresh_tokens": "new refresh tokens"}


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What the like hours of other days or weeks came to, in rows an hour."""

    rates: Sequence[float]
    same: str
    """Of what they are the same hour: "week" or "day"."""

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.rates)

    @property
    def spread(self) -> float:
        """The standard deviation by the median deviation, at least that of chance events of this number."""
        middle = self.middle
        return max(CONSISTENT * median(abs(rate - middle) for rate in self.rates), sqrt(max(middle, 1.0)))


@dataclass(frozen=True, kw_only=True)
class SignupAnomaly(Rule):
    """Sign-ups, sessions or refresh tokens come as never before at this hour, or not at all.

    Why: a flood is bots, a stolen token that is refreshed again and again, a client that signs in in a loop - or a
    launch. A silence, where every such hour before had some, is a sign-up form, a mail provider or GoTrue itself that
    broke, and nobody complains of an account they could not make.
    What to do: of a flood, look at where it comes from (GoTrue's log has the addresses), and set rate limits and a
    captcha; of a silence, sign up yourself, and read GoTrue's log.
    When it is wrong: a launch, a campaign, an import, a holiday. The numbers are rows that came within the last hour
    against the same hour of the week (of `min_weeks` weeks), or while there are fewer the same hour of the day (of
    `min_days` days): a flood has `min_rows`, is `factor` times the median, `sigmas` standard deviations above it and
    more than any of those hours; in a silence none came, the median is `silence_rows` at least and `silence_sigmas`
    standard deviations above nothing, and each of those hours had some. Sign-ups that were rolled back are counted by
    the server as well: those a trigger makes fail are no silence of auth.users, but one of auth.sessions. Refresh
    tokens are silent only where sessions are: newer levels of GoTrue make none.
    Cost: none beyond the probe's three counters.
    """

    id: ClassVar[str] = "auth.signup_anomaly"
    area: ClassVar[Area] = Area.AUTH
    severity: Severity = Severity.WARNING
    hold: float = 120.0
    keep: float = 1800.0
    min_weeks: int = 3
    min_days: int = 7
    min_rows: float = 100.0
    factor: float = 5.0
    sigmas: float = 8.0
    silence_rows: float = 30.0
    silence_sigmas: float = 4.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Compare each table's last hour with those like it."""
        if seen.lifetime or seen.window_seconds > LONG:
            yield NoVerdict(reason="what came over a longer time tells nothing of one hour", needs=Needs.HISTORY)
            return
        growth = next(iter(seen.changes), None)
        if growth is None:
            yield NoVerdict(reason="the counters began anew", needs=Needs.HISTORY)
            return
        for table, past in seen.details.items():
            yield from self._judged(seen, str(table), growth, past)

    def _judged(self, seen: Measurement, table: str, growth: Row, past: Row) -> Iterator[Finding | NoVerdict]:
        usuals, count = self._usuals(past), number(growth, table)
        if not usuals:
            reason = f"a baseline takes the same hour of {self.min_days} days, or of {self.min_weeks} weeks"
            yield NoVerdict(reason=reason, needs=Needs.HISTORY, subject=identifier(schema_of(seen), table))
        elif all(self._is_flood(count, usual) for usual in usuals):
            yield self._accused(seen, table, count, max(usuals, key=lambda usual: usual.middle), flood=True)
        elif seen.window_seconds >= WHOLE and _nothing(growth, table) and all(map(self._is_silence, usuals)):
            yield self._accused(seen, table, count, min(usuals, key=lambda usual: usual.middle), flood=False)

    def _usuals(self, past: Row) -> Sequence[Usual]:
        """Give what is usual in each of the hours the window touches; nothing where one is not known well enough."""
        weeks, days = past["weeks"], past["days"]
        if not isinstance(weeks, list) or not isinstance(days, list):
            return ()
        if all(len(rates) >= self.min_weeks for rates in weeks):
            return [Usual(rates=rates, same="week") for rates in weeks]
        if all(len(rates) >= self.min_days for rates in days):
            return [Usual(rates=rates, same="day") for rates in days]
        return ()

    def _is_flood(self, count: float, usual: Usual) -> bool:
        least = max(self.min_rows, self.factor * usual.middle, usual.middle + self.sigmas * usual.spread)
        return count >= least and count > max(usual.rates)

    def _is_silence(self, usual: Usual) -> bool:
        least = max(self.silence_rows, self.silence_sigmas * usual.spread)
        return usual.middle >= least and min(usual.rates) > 0

    def _accused(self, seen: Measurement, table: str, count: float, usual: Usual, *, flood: bool) -> Finding:
        schema = schema_of(seen)
        came = f"{count:,.0f} {NOUNS[table]}" if flood else f"no {NOUNS[table]}"
        return self.finding(
            seen,
            subject=identifier(schema, table),
            object=Object("table", schema=schema, name=table),
            confidence=Confidence.MEDIUM,
            summary=f"{came} within {duration(seen.window_seconds)}; about {usual.middle:,.0f} an hour are usual now",
            impact="bots, a client in a loop, or a launch: mail, storage and rate limits may give out"
            if flood
            else "people may be unable to sign up or to sign in",
            remedy=Remedy(caution=FLOOD if flood else SILENCE),
            count=round(count),
            usual_per_hour=round(usual.middle, 1),
            spread_per_hour=round(usual.spread, 1),
            highest_per_hour=round(max(usual.rates), 1),
            compared_hours=len(usual.rates),
            same_hour_of=usual.same,
            direction="flood" if flood else "silence",
            window_seconds=round(seen.window_seconds),
        )


FLOOD = (
    "A launch, a campaign or an import looks the same: ask first. Else find where it comes from in GoTrue's log, and "
    "set rate limits and a captcha in its configuration."
)
SILENCE = (
    "A holiday or planned maintenance looks the same. Else sign up yourself, and read GoTrue's log: the form, the mail "
    "provider, a trigger on auth.users or GoTrue itself may have broken."
)


def _nothing(growth: Row, table: str) -> bool:
    """Tell whether nothing came; newer levels of GoTrue refresh sessions without a row in refresh_tokens."""
    renewed = table == "refresh_tokens" and number(growth, "sessions") > 0
    return number(growth, table) == 0 and not renewed
