"""A remedy's aftermath: its sign appears, the number that proved the finding is read again, and the outcome is said.

Pure: an alert in, an alert out. What cannot be measured has no outcome: a "fixed" that is none would be believed.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from monitor.model import Alert, State
from monitor.proof import Better, Cure, Outcome, Proof, Sign, Thing

Number: TypeAlias = Callable[[Proof, datetime], float | str]
"""Reads a proof's number from what was measured after a moment, or says why it cannot."""

Things: TypeAlias = Callable[[Collection[str]], Iterable[Thing]]
"""Gives what stands in the catalogue of these relations."""

NOISE = 0.2
"""A number that changed by less has not changed: traffic is never the same twice. A guess, not a measurement."""

USED = 0.1
"""Of the former pace: a remedy used less has proved nothing, the traffic may just have stopped."""

PATIENCE_SECONDS = 7200.0
"""How long a number is waited for: four of the longest windows our probes have (indexes: 30 min)."""

STILL_SECONDS = 600.0
"""A finding without a number that its rule still sees this long after: two readings of the slowest probe (5 min)."""

WHOLE = 10.0
"""Numbers from here on are told without a fraction."""

REST_SECONDS = 3600.0
"""What a remedy did not mend is not told again before: two of the longest windows, so that the news is new."""


def by_relation(things: Things, alerts: Iterable[Alert]) -> Mapping[str, Sequence[Thing]]:
    """Give what stands of the relations in which alerts await something, by relation."""
    signs = (alert.cure.sign if alert.cure else alert.finding.remedy.sign for alert in alerts)
    there = defaultdict(list)
    relations = {relation for sign in signs if sign for relation in sign.relations}
    for thing in things(relations) if relations else ():
        there[thing.relation].append(thing)
    return there


def looked(alert: Alert, there: Mapping[str, Sequence[Thing]], number: Number, at: datetime) -> Alert:
    """Look for the sign of an alert's remedy among what stands at a moment; then read the number again."""
    if alert.cure is None:
        sign = alert.finding.remedy.sign
        began = None if sign is None else _began(sign, there, alert.finding.proof, at)
        return replace(alert, cure=began) if began else alert
    thing = _shown(alert.cure.sign, there)
    if thing is None:  # taken away again
        return replace(alert, cure=None)
    return _measured(alert, alert.cure, thing, number, at)


def absent(alert: Alert, now: datetime) -> Alert | None:
    """An alert whose rule finds nothing any more, after its `keep`; None: its remedy has no part in that."""
    cure = alert.cure
    if cure is None:
        return None
    if cure.proof is None:
        return _closed(alert, now, Outcome.FIXED, "")
    return replace(alert, cure=replace(cure, gone=True))


def still_there(alert: Alert, now: datetime) -> Alert:
    """An alert that is seen again although its remedy was applied."""
    cure = alert.cure
    if cure is None or alert.state is not State.FIRING:
        return alert
    if cure.proof is None and (now - cure.at).total_seconds() >= STILL_SECONDS:
        return _closed(alert, now, Outcome.NO_EFFECT, "; it is still found")
    return replace(alert, cure=replace(cure, gone=False)) if cure.gone else alert


def rests(alert: Alert, rank: int, now: datetime) -> bool:
    """Tell whether an alert that its remedy did not mend is not to fire again yet; one that grew worse may."""
    if alert.outcome not in {Outcome.NO_EFFECT, Outcome.WORSE} or alert.ends_at is None:
        return False
    return 0 <= (now - alert.ends_at).total_seconds() < REST_SECONDS and rank <= alert.finding.severity.rank


def _began(sign: Sign, there: Mapping[str, Sequence[Thing]], proof: Proof | None, at: datetime) -> Cure | None:
    thing = _shown(sign, there)
    return None if thing is None else Cure(at=at, sign=sign, thing=thing, proof=proof)


def _shown(sign: Sign, there: Mapping[str, Sequence[Thing]]) -> Thing | None:
    found = [next(filter(sign.shown_by, there.get(relation, ())), None) for relation in sign.relations]
    things = [thing for thing in found if thing is not None]
    return _together(things) if len(things) == len(found) else None


def _together(things: Sequence[Thing]) -> Thing:
    """Give several as one, under the name of the first."""
    first, uses = things[0], [thing.uses for thing in things if thing.uses is not None]
    if len(things) == 1:
        return first
    return replace(
        first,
        name=f"{first.name} (and {len(things) - 1} more)",
        uses=sum(uses) if len(uses) == len(things) else None,
        undo="; ".join(thing.undo for thing in things if thing.undo),
    )


def _measured(alert: Alert, cure: Cure, thing: Thing, number: Number, at: datetime) -> Alert:
    if cure.proof is None:
        return alert
    now = number(cure.proof, cure.at)
    reason = now if isinstance(now, str) else _unused(cure, cure.proof, thing, at)
    if not isinstance(now, str):
        outcome = _compared(cure.proof, now)
        if outcome is not Outcome.FIXED or (not reason and cure.gone):
            return _closed(alert, at, outcome, _figures(cure.proof, now))
    if (at - cure.at).total_seconds() < PATIENCE_SECONDS:
        return alert
    if not cure.gone:  # it helps, or nobody can say; but there is more to be mended
        return replace(alert, cure=None)
    return _ended(alert, at, f"not seen any more; {_there(cure)}, its effect was not measured, because {reason}")


def _compared(proof: Proof, now: float) -> Outcome:
    """Compare with the number from before; a change within the noise is none."""
    before, after = (proof.value, now) if proof.better is Better.LOWER else (now, proof.value)
    if after <= before * (1 - NOISE) and after < before:
        return Outcome.FIXED
    return Outcome.WORSE if before * (1 + NOISE) < after else Outcome.NO_EFFECT


def _unused(cure: Cure, proof: Proof, thing: Thing, at: datetime) -> str:
    """Say why a better number proves nothing; "" when the remedy is in use."""
    if not proof.pace:
        return ""
    if thing.uses is None or cure.thing.uses is None:
        return f"nobody counts how often {thing.kind} {thing.name} is used"
    uses, seconds = thing.uses - cure.thing.uses, (at - cure.at).total_seconds()
    if uses < 0:
        return "its counters were reset"
    if uses < USED * proof.pace * seconds or not uses:
        return f"{thing.kind} {thing.name} was used {uses:,.0f} times since: the traffic may just have stopped"
    return ""


def _figures(proof: Proof, now: float) -> str:
    return f"; {proof.what}: {_written(proof.value)} before, {_written(now)} now"


def _written(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= WHOLE or not number else f"{number:.2g}"


def _there(cure: Cure) -> str:
    return f"{cure.thing.kind} {cure.thing.name} exists since {cure.at:%Y-%m-%d %H:%M} UTC"


def _closed(alert: Alert, now: datetime, outcome: Outcome, figures: str) -> Alert:
    cure = alert.cure
    if cure is None:
        return alert
    undo = (
        f"; if it was made for this, undo it: {cure.thing.undo}"
        if outcome is not Outcome.FIXED and cure.thing.undo
        else ""
    )
    by = f"{outcome}: {_there(cure)}{figures}{undo}"
    return _ended(replace(alert, cure=replace(cure, outcome=outcome)), now, by)


def _ended(alert: Alert, now: datetime, by: str) -> Alert:
    ends_at = max(now, alert.starts_at)
    return replace(alert, state=State.RESOLVED, ends_at=ends_at, ended_by=by, lower_since=None, acked=None)
