"""Tells a Slack channel, or whatever takes Slack's incoming webhooks, through slack_sdk."""

import asyncio
import logging
import re
from dataclasses import dataclass

import aiohttp

from monitor.errors import DeliveryError
from monitor.model import Secret
from monitor.notice import Notice
from monitor.notify.post import no_redirect, wait_asked, word
from monitor.notify.template import Template

DEADLINE_SECONDS = 10.0
WELL = range(200, 300)
TOO_MANY = 429
BUSY = 500
REMEDIES = {
    400: "the message is not understood; is it a Slack-compatible webhook?",
    403: "it may not write there; allow it in the workspace, or make a new webhook",
    404: "there is no such webhook; make a new one",
    410: "the channel is archived or gone; make a new webhook",
}


@dataclass(frozen=True, kw_only=True)
class Slack:
    """A receiver that posts to an incoming webhook. It never retries itself and never shows the webhook's URL."""

    name: str
    webhook: Secret
    template: Template | None = None
    external_url: str | None = None
    deadline: float = DEADLINE_SECONDS

    async def send(self, notice: Notice) -> None:
        """Post a notice as one message, or raise DeliveryError."""
        failure = None if notice.empty else await self._attempt(notice)
        if failure is not None:  # raised here, so that it carries no error that knows the URL
            raise failure

    async def _attempt(self, notice: Notice) -> DeliveryError | None:
        try:
            async with asyncio.timeout(self.deadline):
                status, body, retry_after = await self._post(notice)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, aiohttp.TooManyRedirects) as error:
            return self._failure(f"{word(error)}; mend the webhook's URL", retryable=False)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # a TimeoutError is an OSError
            return self._failure(f"no answer ({word(error)})", retryable=True)
        return self._judged(status, body, retry_after)

    async def _post(self, notice: Notice) -> tuple[int, str, str]:
        # Here and not above: slack_sdk takes memory, and most who run us have other receivers.
        from slack_sdk.webhook.async_client import AsyncWebhookClient  # noqa: PLC0415

        from monitor.notify.slack_letter import letter  # noqa: PLC0415

        text, blocks = await asyncio.to_thread(letter, notice, self.external_url, self.template)
        async with aiohttp.ClientSession(trace_configs=[no_redirect()]) as session:
            client = AsyncWebhookClient(
                self.webhook.reveal(),
                session=session,
                retry_handlers=[],
                logger=silent(),
            )
            answer = await client.send(text=text, blocks=blocks)
            return answer.status_code, answer.body, answer.headers.get("Retry-After", "")

    def _judged(self, status: int, body: str, retry_after: str) -> DeliveryError | None:
        if status in WELL and body.lstrip().startswith("<"):
            return self._failure(f"HTTP {status}, but a web page; is that a webhook?", retryable=True)
        if status in WELL:
            return None
        known = re.fullmatch(r"[a-z_]{1,60}", body) and body not in self.webhook.reveal()
        said = f"HTTP {status} {body}" if known else f"HTTP {status}"  # Slack's reason; anything else stays unsaid
        if status == TOO_MANY:
            return self._failure(f"{said}: too many messages", retryable=True, retry_after=wait_asked(retry_after))
        if status >= BUSY:
            return self._failure(f"{said}: it is in trouble", retryable=True)
        return self._failure(f"{said}: {REMEDIES.get(status, 'refused')}", retryable=False)

    def _failure(self, what: str, *, retryable: bool, retry_after: float | None = None) -> DeliveryError:
        return DeliveryError(f"{self.name}: {what}", retryable=retryable, retry_after=retry_after)


def silent() -> logging.Logger:
    """A logger for slack_sdk that writes nothing: others would write URLs at debug level."""
    return logging.Logger("silent", logging.CRITICAL)  # noqa: LOG001 - it belongs to no tree of loggers
