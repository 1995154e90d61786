"""What the page says first: how things stand in words, worst first, and never better than they are known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from monitor.draw.words import severities
from monitor.measurement import plural
from monitor.model import Alert, Severity, State
from monitor.status import NotEvaluated, Shelf, TargetStatus

NAMED = 5
"""So many rules are named in a sentence; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """Rules that could not say for one and the same reason; `target` names where."""

    target: str
    needs: str
    reason: str
    rules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """All that lies on the shelf, sorted for people."""

    targets: Sequence[TargetStatus]
    firing: Sequence[Alert]
    suspected: Sequence[Alert]
    resolved: Sequence[Alert]
    unknown: Sequence[Unknown]
    headline: str
    remarks: Sequence[str]
    tone: str
    """`critical`, `warning`, `info`, `unknown` or `quiet`: never quiet while something is not known."""


def outlook(shelf: Shelf, rules: Collection[str]) -> Outlook:
    """Sort what lies on the shelf and put it into words; `rules` are the ids of all that judge."""
    alerts = shelf.alerts()
    firing = [alert for alert in alerts if alert.state is State.FIRING]
    targets, not_evaluated = shelf.targets(), shelf.not_evaluated()
    doubt = bool(not_evaluated) or not shelf.ready or not targets or not all(target.up for target in targets)
    return Outlook(
        targets=targets,
        firing=firing,
        suspected=[alert for alert in alerts if alert.state is State.PENDING],
        resolved=[alert for alert in alerts if alert.state is State.RESOLVED],
        unknown=unknowns(not_evaluated),
        headline=headline(firing),
        remarks=remarks(shelf, rules),
        tone=firing[0].finding.severity.value if firing else "unknown" if doubt else "quiet",
    )


def headline(firing: Sequence[Alert]) -> str:
    """Count the findings: `2 critical findings, 1 warning`."""
    words = {
        Severity.CRITICAL: ("critical finding", ""),
        Severity.WARNING: ("warning", ""),
        Severity.INFO: ("remark", ""),
    }
    return severities(firing, words) or "No findings"


def remarks(shelf: Shelf, rules: Collection[str]) -> list[str]:
    """Say what was looked at, and all that is not known."""
    targets, unknown = shelf.targets(), sorted({each.rule for each in shelf.not_evaluated()})
    if not targets:
        return ["No target is configured: nothing was looked at."]
    looked = f"{plural(len(rules), 'rule')} looked at {plural(len(targets), 'target')}"
    said = [f"{looked}; {len(unknown)} could not say everything: {named(unknown)}." if unknown else f"{looked}."]
    if not shelf.ready:
        said.insert(0, "The first readings are under way: what stands here is not yet the whole.")
    down = [target.server for target in targets if not target.up]
    if down:
        said.append(f"Not reachable: {named(down)}; what stands here of it is what was known last.")
    return said


def unknowns(not_evaluated: Sequence[NotEvaluated]) -> list[Unknown]:
    """Put rules together that could not say for one reason, and places where the same rules could not."""
    reasons: dict[tuple[str, str, str], dict[str, None]] = {}
    for each in not_evaluated:
        name = each.rule if each.subject is None else f"{each.rule} ({each.subject})"
        reasons.setdefault((str(each.target), each.needs.value, each.reason), {})[name] = None
    places: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (target, needs, reason), rules in reasons.items():
        places.setdefault((needs, reason, tuple(rules)), []).append(target)
    return [
        Unknown(target=named(targets), needs=needs, reason=reason, rules=rules)
        for (needs, reason, rules), targets in places.items()
    ]


def named(names: Sequence[str]) -> str:
    """Name the first ones and count the others."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
