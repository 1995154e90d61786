"""What a page on one subject says of findings, and of targets of which there is nothing, or nothing new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from monitor.draw.outlook import Unknown, named, unknowns
from monitor.measurement import plural
from monitor.model import Alert, Result, State
from monitor.status import Glance, TargetStatus

WORDS = {"pool": "sessions", "pgbouncer": "pools", "app_pool": "pools", "auth_links": "links to auth.users"}
"""What probes read, where it is not their name."""
REASONS = 10
"""Reasons for which there is nothing of some servers that are told; the others are counted."""


def firing(alerts: Iterable[Alert], families: tuple[str, ...], server: str = "") -> Mapping[str, Sequence[Alert]]:
    """Give what fires of some families of rules, by server, worst and newest first."""
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        finding = alert.finding
        if alert.state is State.FIRING and finding.rule.startswith(families) and server in {"", finding.target.server}:
            found.setdefault(finding.target.server, []).append(alert)
    return found


def unsaid(glance: Glance, families: tuple[str, ...], server: str = "") -> list[Unknown]:
    """Give what rules of some families could not say, and why."""
    every = glance.shelf.not_evaluated()
    return unknowns([each for each in every if each.rule.startswith(families) and server in {"", each.target.server}])


def remarks(glance: Glance, probes: Mapping[str, str], server: str | None = None) -> Iterator[str]:
    """Say of which servers there is nothing, or nothing new, and why; `probes` names the one to ask for by kind."""
    reasons: dict[str, list[str]] = {}
    for target in glance.shelf.targets():
        if server in {None, "", target.server} and target.kind in probes:
            reason = _silent(target, probes[target.kind])
            if reason:
                reasons.setdefault(reason, []).append(target.server)
    for reason, servers in [*reasons.items()][:REASONS]:
        yield f"{named(servers)}: {reason}"
    left = sum(len(servers) for servers in [*reasons.values()][REASONS:])
    if left:
        yield f"… and there is nothing new of {plural(left, 'more target')}."


def _silent(target: TargetStatus, probe: str) -> str:
    """Say why a probe has nothing new of a server; "" when it has."""
    if target.since is None:
        return "not asked yet."
    if not target.up:
        return f"not reachable, what stands here of it is what was known last. {target.reason}"
    runs, what = [run for run in target.probes if run.probe == probe], WORDS.get(probe, probe)
    if not runs:
        return f"its {what} were not read: the probe {probe} has not run, or is turned off."
    failed = [run for run in runs if run.result is not Result.OK]
    if len(failed) < len(runs):
        return ""
    return f"its {what} could not be read: {failed[-1].reason or failed[-1].result}"
