"""From the configuration's receivers and routes to what Dispatch runs."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.config.load import Config
from monitor.daemon.courier import Pace
from monitor.daemon.dispatch import Routing, Streamed
from monitor.notify.places import Places
from monitor.receivers import alertmanager, receiver
from monitor.rule import Judge


def routing(config: Config, link: str, places: Places) -> Routing:
    """Make the receivers that a route or a digest names, and the tree."""
    heard = {branch.receiver for branch in config.route.resolved().walk()} if config.route else set()
    heard |= {digest.receiver for digest in config.digests}
    told = {name: each for name, each in config.receivers.items() if name in heard}
    return Routing(
        route=config.route,
        intervals=config.intervals,
        inhibitions=config.inhibitions,
        primaries={server.name: server.replica_of for server in config.servers if server.replica_of},
        quiet_ends=frozenset(name for name, each in told.items() if not each.send_resolved),
        receivers=[
            receiver(name, each, link, places, config.templates.get(name))
            for name, each in told.items()
            if each.alertmanager is None
        ],
        streams=[
            Streamed(
                name=name,
                post=alertmanager(name, each.alertmanager, link, lambda rule: runbook(config.catalog.rules, rule)),
                resend=each.alertmanager.resend,
            )
            for name, each in told.items()
            if each.alertmanager is not None
        ],
        paces={
            name: Pace(messages=each.rate_limit.messages, refill_seconds=each.rate_limit.per)
            for name, each in told.items()
        },
    )


def runbook(rules: Mapping[str, Judge], rule: str) -> str:
    """Give a rule's manual page as text; "" for a rule that is there no more."""
    judge = rules.get(rule)
    if judge is None:
        return ""
    return "\n".join(f"{heading}: {text}" if heading != "fault" else text for heading, text in judge.manual().items())
