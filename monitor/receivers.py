"""Making the receivers that the configuration describes; each is imported only when it is used, for memory's sake."""

from __future__ import annotations

from monitor import config_model
from monitor.model import Receiver


def receiver(name: str, told: config_model.Receiver, link: str) -> Receiver:
    """Make a receiver as the configuration describes it."""
    if told.slack is not None:
        from monitor.notify.slack import Slack  # noqa: PLC0415 - each receiver's libraries cost memory

        return Slack(name=name, webhook=told.slack.webhook, external_url=link)
    from monitor.notify.console import Console  # noqa: PLC0415 - as above

    return Console(name=name, external_url=link)
