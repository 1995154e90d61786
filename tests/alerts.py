"""Findings, judgements and alerts for the tests of ledger, store and receivers; and how hypothesis draws them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from monitor.errors import Needs
from monitor.model import (
    Alert,
    Area,
    Confidence,
    Finding,
    Judgement,
    NoVerdict,
    Object,
    Remedy,
    Scalar,
    Severity,
    State,
    Target,
)
from monitor.proof import Cure, Outcome, Sign, Thing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOP = Target("shop", "shop")
RULE = "pool.saturation"


def at(seconds: float) -> datetime:
    """That many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def finding(
    subject: str = "shop", severity: Severity = Severity.WARNING, *, rule: str = RULE, used: int = 85
) -> Finding:
    return Finding(
        target=SHOP,
        rule=rule,
        area=Area.CAPACITY,
        severity=severity,
        subject=subject,
        object=Object("database", name=subject),
        title="Connection slots nearly full",
        summary=f"{used} of 100 slots are used",
        impact="new sessions will be refused",
        evidence={"used": used, "limit": 100},
        remedy=Remedy(sql=("select 1",), caution="Ask who needs so many."),
    )


def judgement(
    *verdicts: Finding | NoVerdict, hold: float = 0, keep: float = 0, rule: str = RULE, source: Target = SHOP
) -> Judgement:
    return Judgement(rule=rule, source=source, hold=hold, keep=keep, verdicts=verdicts)


def unknown(subject: str | None = None) -> NoVerdict:
    """A rule that could not see."""
    return NoVerdict(reason="it ran out of its time", needs=Needs.TIME, subject=subject)


def firing(subject: str = "shop", severity: Severity = Severity.WARNING, *, rule: str = RULE) -> Alert:
    return Alert(
        finding=finding(subject, severity, rule=rule),
        source=SHOP,
        state=State.FIRING,
        starts_at=NOON,
        last_seen=at(30),
        fired_at=NOON,
    )


def resolved(subject: str = "shop") -> Alert:
    return replace(firing(subject), state=State.RESOLVED, ends_at=at(60))


def mended(subject: str = "shop", outcome: Outcome | None = Outcome.FIXED) -> Alert:
    """Over, because its index was made; or, without an outcome, only over since."""
    sign = Sign(kind="index", relation="public.orders")
    thing = Thing(kind="index", relation="public.orders", name="public.orders_idx", undo="drop index public.orders_idx")
    by = f"{outcome or 'not seen any more'}: index public.orders_idx exists since 12:01"
    return replace(resolved(subject), cure=Cure(at=at(30), sign=sign, thing=thing, outcome=outcome), ended_by=by)


def moments() -> st.SearchStrategy[datetime]:
    return st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1))  # noqa: DTZ001


def targets() -> st.SearchStrategy[Target]:
    return st.builds(Target, st.text(), st.none() | st.text())


def findings() -> st.SearchStrategy[Finding]:
    words: st.SearchStrategy[tuple[str, ...]] = st.lists(st.text(), max_size=3).map(tuple)
    scalars: st.SearchStrategy[Scalar] = (
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    )
    return st.builds(
        Finding,
        target=targets(),
        rule=st.text(),
        area=st.sampled_from(Area),
        severity=st.sampled_from(Severity),
        subject=st.text(),
        object=st.builds(Object, st.text(), st.none() | st.text(), st.none() | st.text(), st.none() | st.text(), words),
        title=st.text(),
        summary=st.text(),
        impact=st.text(),
        evidence=st.dictionaries(st.text(), scalars | st.lists(scalars, max_size=3).map(tuple), max_size=3),
        remedy=st.builds(Remedy, words, words, st.text()),
        confidence=st.sampled_from(Confidence),
    )


def alerts() -> st.SearchStrategy[Alert]:
    return st.builds(
        Alert,
        finding=findings(),
        source=targets(),
        state=st.sampled_from(State),
        starts_at=moments(),
        last_seen=moments(),
        fired_at=st.none() | moments(),
        ends_at=st.none() | moments(),
        occurrences=st.integers(1, 2**31 - 1),
        lower_since=st.none() | moments(),
    )
