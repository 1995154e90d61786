"""Slack's Web API for one bot: messages posted and edited, and what its answers mean in words that mend something.

No error that is raised here knows the token, not even by its context.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

from monitor.errors import DeliveryError
from monitor.model import Secret
from monitor.notify.post import no_redirect, wait_asked, word
from monitor.notify.slack import BUSY, TOO_MANY, silent

if TYPE_CHECKING:  # slack_sdk takes memory, and most who run us have other receivers
    from slack_sdk.models.blocks import Block
    from slack_sdk.web.async_client import AsyncWebClient
    from slack_sdk.web.async_slack_response import AsyncSlackResponse

BASE_URL = "https://slack.com/api/"

# What Slack's codes ask for; https://docs.slack.dev/reference/methods/chat.postMessage lists them.
TOKEN = "the token is not valid; take the app's bot token (xoxb-…)"  # noqa: S105 - a sentence
REVOKED = "the token was revoked; install the app anew and take its new token"
SCOPE = "the app may not do that; give it the scope chat:write and install it anew"
ADMINISTRATOR = "the workspace does not allow it; ask its administrator"
OURS = "it does not understand the message; please report it"
REMEDIES = {
    "not_authed": TOKEN,
    "invalid_auth": TOKEN,
    "not_allowed_token_type": TOKEN,
    "token_revoked": REVOKED,
    "token_expired": REVOKED,
    "account_inactive": REVOKED,
    "missing_scope": SCOPE,
    "no_permission": SCOPE,
    "not_in_channel": "the bot is not in the channel; invite it there (/invite)",
    "channel_not_found": "there is no such channel, or the bot cannot see it; check its name, invite the bot (/invite)",
    "is_archived": "the channel is archived; take it from the archive, or choose another",
    "access_denied": ADMINISTRATOR,
    "ekm_access_denied": ADMINISTRATOR,
    "org_login_required": ADMINISTRATOR,
    "team_access_not_granted": ADMINISTRATOR,
    "restricted_action": ADMINISTRATOR,
    "restricted_action_non_threadable_channel": ADMINISTRATOR,
    "restricted_action_read_only_channel": ADMINISTRATOR,
    "restricted_action_thread_only_channel": ADMINISTRATOR,
    "invalid_arguments": OURS,
    "invalid_blocks": OURS,
    "invalid_blocks_format": OURS,
    "msg_blocks_too_long": OURS,
    "msg_too_long": OURS,
    "no_text": OURS,
}
CROWDED = frozenset({"ratelimited", "rate_limited"})
PASSING = frozenset(
    {
        "accesslimited",
        "external_channel_migrating",
        "fatal_error",
        "internal_error",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "update_failed",
    }
)
GONE = frozenset({"cant_update_message", "edit_window_closed", "message_not_found", "thread_not_found"})
"""Codes that say a message cannot be edited any more: it was deleted, or it is another app's."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What Slack said: `code` "" when it did as asked; `failure` in words otherwise."""

    body: Mapping[str, object] = field(default_factory=dict)
    code: str = ""
    failure: DeliveryError | None = None

    def text(self, name: str) -> str:
        """A field of the answer; "" where it is no text."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, kw_only=True)
class SlackWeb:
    """The API for the length of one notice. It never tries twice."""

    name: str
    client: AsyncWebClient = field(repr=False)
    deadline: float

    async def post(
        self, channel: str, text: str, blocks: Sequence[Block], *, thread: str | None = None, broadcast: bool = False
    ) -> tuple[str, str]:
        """Post a message, or a reply in a thread; gives its channel's id and its own."""
        call = self.client.chat_postMessage(
            channel=channel,
            text=text,
            blocks=blocks,
            thread_ts=thread,
            reply_broadcast=broadcast or None,
            unfurl_links=False,
            unfurl_media=False,
        )
        answer = await self._asked(call)
        if answer.failure is not None:
            raise answer.failure
        return answer.text("channel") or channel, answer.text("ts")

    async def edit(self, channel: str, ts: str, text: str, blocks: Sequence[Block]) -> bool:
        """Edit a message; False when it is there no more."""
        answer = await self._asked(self.client.chat_update(channel=channel, ts=ts, text=text, blocks=blocks))
        if answer.failure is not None and answer.code not in GONE:
            raise answer.failure
        return answer.failure is None

    async def _asked(self, call: Awaitable[AsyncSlackResponse]) -> Answer:
        """Await an answer; every failure comes back as words, so that none is raised with what it knows."""
        from slack_sdk.errors import SlackApiError  # noqa: PLC0415 - see above

        try:
            async with asyncio.timeout(self.deadline):
                response = await call
        except SlackApiError as refusal:
            return self._judged(*_read(refusal.response))
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, aiohttp.TooManyRedirects) as error:
            return self._failed(f"{word(error)}; mend the base URL", retryable=False)
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            return self._failed(f"no answer ({word(error)})", retryable=True)
        except (AttributeError, ValueError):  # how slack_sdk takes an answer that is no JSON object
            return self._judged(200, {}, "")
        return self._judged(*_read(response))

    def _judged(self, status: int, body: Mapping[str, object], retry_after: str) -> Answer:
        if status == 200 and body.get("ok") is True:  # noqa: PLR2004 - HTTP's "well"
            return Answer(body=body)
        code = _code(body, self.client.token or "")
        if status == TOO_MANY or code in CROWDED:
            said = f"{code or f'HTTP {status}'}: too many messages"
            return self._failed(said, code, retryable=True, retry_after=wait_asked(retry_after))
        if code in PASSING or status >= BUSY:
            return self._failed(f"{code or f'HTTP {status}'}: it is in trouble", code, retryable=True)
        if code:
            return self._failed(f"{code}: {REMEDIES.get(code, 'refused')}", code, retryable=False)
        if status == 200:  # noqa: PLR2004 - as above
            return self._failed("an answer that is not Slack's; is a proxy before it?", retryable=True)
        return self._failed(f"HTTP {status}: refused; is that Slack?", retryable=False)

    def _failed(self, what: str, code: str = "", *, retryable: bool, retry_after: float | None = None) -> Answer:
        failure = DeliveryError(f"{self.name}: {what}", retryable=retryable, retry_after=retry_after)
        return Answer(code=code, failure=failure)


@asynccontextmanager
async def slack_web(name: str, token: Secret, base_url: str, deadline: float) -> AsyncIterator[SlackWeb]:
    """Open the API, and close it at the end."""
    from slack_sdk.web.async_client import AsyncWebClient  # noqa: PLC0415 - see above

    async with aiohttp.ClientSession(trace_configs=[no_redirect()]) as session:
        client = AsyncWebClient(
            token.reveal(), base_url, session=session, retry_handlers=[], logger=silent(), timeout=int(deadline) + 1
        )
        yield SlackWeb(name=name, client=client, deadline=deadline)


def _read(response: AsyncSlackResponse | aiohttp.ClientResponse) -> tuple[int, Mapping[str, object], str]:
    """Status, JSON object ({}: there is none) and Retry-After of an answer, or of one that could not be read."""
    retry_after = response.headers.get("Retry-After", "")
    if isinstance(response, aiohttp.ClientResponse):
        return response.status, {}, retry_after
    return response.status_code, response.data if isinstance(response.data, dict) else {}, retry_after


def _code(body: Mapping[str, object], token: str) -> str:
    """Slack's reason; anything that does not look like one stays unsaid."""
    code = body.get("error")
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,60}", code) and code not in token else ""
