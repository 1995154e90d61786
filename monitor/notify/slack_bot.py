"""Tells a Slack channel through a bot: one message per finding, edited when it changes, its history in the thread.

What was told of a finding is written beside its message's place, so that a notice that failed half way goes on there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from monitor.errors import DeliveryError
from monitor.model import Alert, Secret, Severity, State
from monitor.notice import Notice
from monitor.notify.places import Places
from monitor.notify.slack_web import BASE_URL, SlackWeb, slack_web
from monitor.notify.wording import divided, ending, line, title, word
from monitor.notify.wording import place as place_of

CALL_SECONDS = 10.0
FLOOD = 15
"""More news than this in one notice are one message."""
LOOKED_AT = 200
"""Of a flood, so many findings are looked up for messages of their own that are to be edited."""
EDITING_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a message stands, and what it said."""

    channel: str
    ts: str
    asked: str
    """The channel as the configuration calls it."""
    heard: str
    """What was told last: `firing:warning#2`, the second time it fires."""
    shared: bool = False
    """It tells of other findings too, and is never edited."""

    @property
    def text(self) -> str:
        """The place as it is remembered."""
        return json.dumps(asdict(self))

    @staticmethod
    def read(text: str | None) -> Place | None:
        """Understand a remembered place; None: there is none that can be used."""
        try:
            place = Place(**json.loads(text or "{}"))
        except (TypeError, ValueError):
            return None
        return place if place.ts else None


@dataclass(frozen=True, kw_only=True)
class SlackBot:
    """A receiver that posts, edits and replies as a Slack app. It never retries itself and never shows the token."""

    name: str
    token: Secret
    channel: str
    external_url: str | None
    places: Places
    base_url: str = field(default=BASE_URL, repr=False)
    deadline: float = CALL_SECONDS

    async def send(self, notice: Notice) -> None:
        """Post and edit what is news, or remind of what stands; or raise DeliveryError."""
        if notice.empty:
            return
        news, _ = divided(notice)
        async with slack_web(self.name, self.token, self.base_url, self.deadline) as web:
            if not news or notice.digest is not None:
                await self._post_whole(web, notice)
            elif len(news) > FLOOD:
                await self._flood(web, notice, news)
            else:
                for alert in news:
                    await self._follow(web, alert)

    async def _follow(self, web: SlackWeb, alert: Alert) -> None:
        """Bring one finding's message up to date; nothing is done twice."""
        place = await self._place(alert)
        if place is None:
            await self._announce(web, alert)
        elif place.heard == _heard(alert):
            return
        elif place.shared and alert.state is not State.RESOLVED:
            await self._announce(web, alert)
        elif place.shared or await self._edit(web, place, alert):
            await self._reply(web, place, alert)
        else:
            await self._announce(web, alert)

    async def _place(self, alert: Alert) -> Place | None:
        """Where its message stands; one in a channel that is no longer the configured one counts as none."""
        place = Place.read(await self.places.get(self.name, alert.finding.fingerprint))
        return place if place is not None and place.asked == self.channel else None

    async def _announce(self, web: SlackWeb, alert: Alert) -> None:
        from monitor.notify.slack_blocks import about, headline  # noqa: PLC0415 - it imports slack_sdk

        channel, ts = await web.post(self.channel, headline(alert), about(alert, self.external_url))
        place = Place(channel=channel, ts=ts, asked=self.channel, heard=_heard(alert))
        await self.places.put(self.name, alert.finding.fingerprint, place.text)

    async def _edit(self, web: SlackWeb, place: Place, alert: Alert) -> bool:
        """Edit its message; False when that was deleted meanwhile."""
        from monitor.notify.slack_blocks import about, headline  # noqa: PLC0415 - as above

        return await web.edit(place.channel, place.ts, headline(alert), about(alert, self.external_url))

    async def _reply(self, web: SlackWeb, place: Place, alert: Alert) -> None:
        """Say in the thread what changed; what grew worse is shown in the channel as well."""
        from monitor.notify.slack_blocks import remark  # noqa: PLC0415 - as above

        what, worse = _change(place.heard, alert)
        text, blocks = remark(alert, what)
        await web.post(place.channel, text, blocks, thread=place.ts, broadcast=worse)
        await self.places.put(self.name, alert.finding.fingerprint, replace(place, heard=_heard(alert)).text)

    async def _flood(self, web: SlackWeb, notice: Notice, news: Sequence[Alert]) -> None:
        """One message instead of many; it is then the place of each finding."""
        before = [(alert, await self._place(alert)) for alert in sorted(news, key=_may_have_message)[:LOOKED_AT]]
        channel, ts = await self._post_whole(web, notice)
        place = Place(channel=channel, ts=ts, asked=self.channel, heard="", shared=True)
        told = {alert.finding.fingerprint: replace(place, heard=_heard(alert)).text for alert in news}
        await self.places.put_all(self.name, told)
        own = [(alert, at) for alert, at in before if at is not None and not at.shared]
        await self._edit_all(web, own)

    async def _edit_all(self, web: SlackWeb, own: Sequence[tuple[Alert, Place]]) -> None:
        """Edit messages that say what is true no more, as far as Slack lets us: the news itself was told."""
        try:
            async with asyncio.timeout(EDITING_SECONDS):
                for alert, place in own:
                    await self._edit(web, place, alert)
        except (DeliveryError, TimeoutError):
            return

    async def _post_whole(self, web: SlackWeb, notice: Notice) -> tuple[str, str]:
        from monitor.notify.slack_letter import letter  # noqa: PLC0415 - as above

        text, blocks = letter(notice, self.external_url)
        return await web.post(self.channel, text, blocks)


def _heard(alert: Alert) -> str:
    return f"{alert.status}#{alert.occurrences}"


def _may_have_message(alert: Alert) -> bool:
    """Sorts what is over, or was before, to the front."""
    return alert.state is not State.RESOLVED and alert.occurrences == 1


def _change(heard: str, alert: Alert) -> tuple[str, bool]:
    """What is different from what was told, in words; and whether it grew worse."""
    finding = alert.finding
    which = f"{title(alert)} ({place_of(alert)} · {line(finding.subject)})"
    if alert.state is State.RESOLVED:
        return f"{word(alert).capitalize()}: {which} {ending(alert)}", False
    status, _, times = heard.partition("#")
    before = status.removeprefix("firing:")
    if before not in set(Severity) or times != str(alert.occurrences):
        return f"Firing again, time {alert.occurrences}: {which}: {line(finding.summary)}", True
    worse = finding.severity.rank > Severity(before).rank
    return f"{before} → {finding.severity}: {which}: {line(finding.summary)}", worse
