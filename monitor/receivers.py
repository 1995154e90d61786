"""Making the receivers that the configuration describes; each is imported only when it is used, for memory's sake."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from monitor.config import routing as config_routing
from monitor.notice import Receiver
from monitor.notify.places import Places

if TYPE_CHECKING:
    from monitor.notify.alertmanager import Alertmanager
    from monitor.notify.template import Template


def receiver(
    name: str, told: config_routing.Receiver, link: str, places: Places, template: Template | None = None
) -> Receiver:
    """Make a receiver as the configuration describes it; an Alertmanager is none (`alertmanager`).

    Raises ValueError for what only the receiver itself can tell.
    """
    if told.slack is not None:
        return _slack(name, told.slack, link, places, template)
    if told.webhook is not None:
        from monitor.notify.webhook import Webhook  # noqa: PLC0415 - each receiver's libraries cost memory

        return Webhook(name=name, url=told.webhook.url, secret=told.webhook.secret, external_url=link)
    if told.apprise is not None:
        from monitor.notify.apprise import Apprise  # noqa: PLC0415 - as above

        return Apprise(name=name, urls=told.apprise.urls, external_url=link, template=template)
    from monitor.notify.console import Console  # noqa: PLC0415 - as above

    return Console(name=name, external_url=link)


def _slack(name: str, told: config_routing.Slack, link: str, places: Places, template: Template | None) -> Receiver:
    if told.token is not None and told.channel is not None:
        from monitor.notify.slack_bot import SlackBot  # noqa: PLC0415 - as above

        return SlackBot(name=name, token=told.token, channel=told.channel, external_url=link, places=places)
    from monitor.notify.slack import Slack  # noqa: PLC0415 - as above

    if told.webhook is None:
        raise ValueError(f"{name}: has neither webhook nor token")
    return Slack(name=name, webhook=told.webhook, external_url=link, template=template)


def alertmanager(
    name: str, told: config_routing.Alertmanagers, link: str, runbook: Callable[[str], str]
) -> Alertmanager:
    """Make the way to Alertmanagers."""
    from monitor.notify.alertmanager import Alertmanager  # noqa: PLC0415 - as above

    auth = told.basic_auth
    return Alertmanager(
        name=name,
        urls=told.urls,
        runbook=runbook,
        external_url=link,
        headers=told.headers,
        basic_auth=(auth.username, auth.password) if auth else None,
    )
