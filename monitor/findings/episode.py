"""One alert's steps: how it begins, what a new sight of it changes, how it ends. Pure: an alert in, an alert out."""

from dataclasses import replace
from datetime import datetime

from monitor.model import Ack, Alert, Finding, Judgement, State

# A way back to a milder severity that is quicker than this flaps.
CALM_SECONDS = 60.0

NOT_SEEN = "not seen any more"
GONE = "it is gone"
UNWATCHED = "the target is watched no longer"


def began(finding: Finding, judgement: Judgement, now: datetime, former: Alert | None) -> Alert:
    """A finding not known, or over: fires at once without hold, else it is suspected."""
    alert = Alert(finding=finding, source=judgement.source, state=State.PENDING, starts_at=now, last_seen=now)
    if former is not None:
        alert = replace(
            alert,
            fired_at=former.fired_at,
            ends_at=former.ends_at,
            occurrences=former.occurrences + 1,
            ended_by=former.ended_by,
            cure=former.cure,
        )
    return _held(alert, judgement.hold, now)


def seen(alert: Alert, finding: Finding, judgement: Judgement, now: datetime) -> Alert:
    """An open alert seen again, with its newest numbers; a suspicion that stood for its hold fires."""
    alert = replace(alert, source=judgement.source, last_seen=now, starts_at=min(alert.starts_at, now))
    if alert.state is State.FIRING:
        return _still_acked(_weighed(alert, finding, judgement.keep, now))
    return _still_acked(_held(replace(alert, finding=finding), judgement.hold, now))


def ended(alert: Alert, now: datetime, by: str) -> Alert:
    """It is over; `by` says in words what ended it. No ack outlives it."""
    ends_at = max(now, alert.starts_at)
    over = replace(alert, state=State.RESOLVED, ends_at=ends_at, ended_by=by, lower_since=None)
    return replace(over, acked=None, moved_from="")


def moved(alert: Alert, former: Alert, ack: Ack | None, now: datetime) -> Alert:
    """An alert that has begun goes on from one on another server: since when it stands, and who has taken note."""
    fires = replace(
        alert,
        state=State.FIRING,
        starts_at=min(alert.starts_at, former.starts_at),
        fired_at=now,
        ends_at=None,
        ended_by="",
        cure=None,
        acked=ack,
        moved_from=former.finding.target.server,
    )
    return _still_acked(fires)


def absence(judgement: Judgement, subject: str) -> str:
    """Say why a subject is accused no more: the rule does not apply there now, or it was simply not seen."""
    gone = [verdict for verdict in judgement.no_verdicts if not verdict.applies and verdict.subject in {None, subject}]
    own = sorted(gone, key=lambda verdict: verdict.subject is None)
    return (own[0].reason or GONE) if own else NOT_SEEN


def covers(ack: Ack, alert: Alert) -> bool:
    """Tell whether an alert is no worse than what was taken note of."""
    return alert.finding.severity.rank <= ack.severity.rank


def without_suspicion(alert: Alert) -> Alert | None:
    """A suspicion that came to nothing: what had fired before is over as it was, else nothing remains.

    The former episode's beginning is not kept, so it then begins when it fired.
    """
    if alert.ends_at is None or alert.fired_at is None:
        return None
    starts = min(alert.fired_at, alert.ends_at)  # they differ the other way only after a clock was set back
    return replace(alert, state=State.RESOLVED, starts_at=starts, occurrences=alert.occurrences - 1, acked=None)


def _held(alert: Alert, hold: float, now: datetime) -> Alert:
    """A suspicion fires once it has stood for `hold`; with none, at first sight."""
    if (now - alert.starts_at).total_seconds() < hold:
        return alert
    return replace(alert, state=State.FIRING, fired_at=now, ends_at=None, ended_by="", cure=None)


def _still_acked(alert: Alert) -> Alert:
    """An alert that grew worse than what was taken note of is acked no more, also when it grows milder again."""
    return alert if alert.acked is None or covers(alert.acked, alert) else replace(alert, acked=None)


def _weighed(alert: Alert, finding: Finding, keep: float, now: datetime) -> Alert:
    """Worse counts at once, milder only after it has stood for `keep` or a minute; until then only numbers change."""
    told = alert.finding.severity
    if finding.severity.rank >= told.rank:
        return replace(alert, finding=finding, lower_since=None)
    since = min(alert.lower_since or now, now)
    if (now - since).total_seconds() >= max(keep, CALM_SECONDS):
        return replace(alert, finding=finding, lower_since=None)
    return replace(alert, finding=replace(finding, severity=told), lower_since=since)
