"""Posting over HTTP for receivers: one attempt, a deadline, no redirects, and failures in words without the URL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from monitor.errors import DeliveryError
from monitor.model import Secret

DEADLINE_SECONDS = 10.0
AGAIN = "it will be tried again"
RETRYABLE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""What is worth a second try beside everything from 500 on."""
FINAL = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, aiohttp.TooManyRedirects)
"""What no second try mends."""
PASSING = (aiohttp.ClientError, OSError, UnicodeError)
"""What a second try may mend; a TimeoutError is an OSError."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server said, without its body: that is nothing we need, and may hold anything."""

    status: int
    retry_after: float | None = None
    """Seconds it asks us to wait."""


async def post(
    receiver: str, url: Secret, body: bytes, headers: Mapping[str, str], deadline: float = DEADLINE_SECONDS
) -> Answer:
    """Post once; raises DeliveryError when there is no answer."""
    try:
        timeout = aiohttp.ClientTimeout(total=deadline)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url.reveal(), data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return Answer(status=answer.status, retry_after=wait_asked(answer.headers.get("Retry-After", "")))
    except (*FINAL, *PASSING) as error:
        raise unanswered(receiver, error) from None


def unanswered(receiver: str, error: Exception) -> DeliveryError:
    """Say what kept a request from being answered; never in the error's own words, for they may hold the URL."""
    if isinstance(error, FINAL):
        return DeliveryError(f"{receiver}: {word(error)}; mend the webhook's URL", retryable=False)
    return DeliveryError(f"{receiver}: no answer ({word(error)})", retryable=True)


def judge(receiver: str, answer: Answer, remedies: Mapping[int, str]) -> None:
    """Raise DeliveryError unless the answer says that the message was taken."""
    status = answer.status
    if HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status in RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        what = f"{receiver}: HTTP {status}; {AGAIN}"
        raise DeliveryError(what, retryable=True, retry_after=answer.retry_after)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        what = f"{receiver}: HTTP {status}: it redirects elsewhere; mend the webhook's URL"
        raise DeliveryError(what, retryable=False)
    raise DeliveryError(f"{receiver}: HTTP {status}: {remedies.get(status, 'refused')}", retryable=False)


def wait_asked(header: str, now: datetime | None = None) -> float | None:
    """Read Retry-After: seconds or an HTTP date; None for what is neither, and never less than no wait."""
    if re.fullmatch(r"[0-9]{1,9}", header):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    moment = (
        moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    )  # a date that ends in -0000 is UTC without saying so
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def no_redirect() -> aiohttp.TraceConfig:
    """Refuse redirects where a library posts with our session: following one would turn the POST into a GET."""
    trace = aiohttp.TraceConfig()

    async def refuse(_session: object, _context: object, answer: aiohttp.TraceRequestRedirectParams) -> None:
        raise aiohttp.TooManyRedirects(answer.response.request_info, (answer.response,))

    trace.on_request_redirect.append(refuse)
    return trace


def word(error: Exception) -> str:
    """What went wrong, without the error's text: that may hold the URL."""
    match error:
        case aiohttp.TooManyRedirects():
            return "it redirects elsewhere"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return "that is no URL"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not one we trust"
        case aiohttp.ClientSSLError():
            return "TLS fails"
        case TimeoutError():
            return "timeout"
        case _:
            return type(error).__name__
