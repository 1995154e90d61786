"""The keys of monitor.yaml about people: receivers, the routing tree, what is muted, ignored and inhibited."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from monitor.config.values import Seconds, SecretText, web_address
from monitor.findings.digest import Periodical
from monitor.findings.ignores import Ignore
from monitor.findings.inhibition import Inhibition
from monitor.findings.intervals import TimeInterval, parse_intervals
from monitor.findings.matchers import Matcher, parse_matcher
from monitor.findings.route import Route
from monitor.model import Secret

_URL_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.")
_CHANNEL = re.compile(r"[#@]?[^\s,]+\Z")


class Strict(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _matcher(value: object) -> Matcher:
    if isinstance(value, Matcher):
        return value
    if not isinstance(value, str):
        raise ValueError('should be a text such as severity="critical"')  # noqa: TRY004 - pydantic collects ValueErrors
    return parse_matcher(value)


def _hook(secret: Secret) -> Secret:
    web_address(secret.reveal())
    return secret


def _chat(secret: Secret) -> Secret:
    if not _URL_SCHEME.match(secret.reveal()):
        raise ValueError("should be an Apprise URL, such as slack://… or mailto://…")
    return secret


def _channel(text: str) -> str:
    if not _CHANNEL.match(text):
        raise ValueError("should be a channel's id or name, such as C0123456789 or #ops")
    return text


def _cron(text: str) -> str:
    from monitor.schedule import Cron  # noqa: PLC0415 - APScheduler is slow to load, and most have no digests

    Cron(text, "UTC")
    return text


def _zone(name: str) -> str:
    from monitor.schedule import time_zone  # noqa: PLC0415 - as above

    time_zone(name)
    return name


MatcherText = Annotated[
    Matcher, PlainValidator(_matcher), WithJsonSchema({"type": "string", "description": 'such as severity="critical"'})
]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[^\s/]+$", max_length=100)]


class Slack(Strict):
    """An incoming webhook, or an app's bot token with a channel."""

    webhook: Annotated[SecretText, AfterValidator(_hook)] | None = None
    token: SecretText | None = None
    channel: Annotated[str, AfterValidator(_channel)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Slack:
        if (self.webhook is None) == (self.token is None):
            raise ValueError("should have either webhook, or token and channel")
        if (self.token is None) != (self.channel is None):
            raise ValueError("should have token and channel together")
        return self


class BasicAuth(Strict):
    """A user and a password."""

    username: str
    password: SecretText


class Alertmanagers(Strict):
    """Alertmanagers of one cluster: every one is told."""

    urls: Annotated[tuple[Annotated[str, AfterValidator(web_address)], ...], Field(min_length=1)]
    headers: dict[str, SecretText] = Field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    resend: Annotated[Seconds, Field(ge=1)] = 60.0


class Chats(Strict):
    """Whatever Apprise knows."""

    urls: Annotated[tuple[Annotated[SecretText, AfterValidator(_chat)], ...], Field(min_length=1)]


class Hook(Strict):
    """Our own document by POST, signed where there is a secret."""

    url: Annotated[SecretText, AfterValidator(_hook)]
    secret: SecretText | None = None


class Console(Strict):
    """The terminal the daemon runs in."""


class RateLimit(Strict):
    """How many messages may leave at once, and how often one more; what exceeds it is summed up in one."""

    messages: Annotated[int, Field(ge=1)] = 15
    per: Annotated[Seconds, Field(gt=0)] = 30.0


KINDS = ("slack", "alertmanager", "apprise", "webhook", "console")


class Receiver(Strict):
    """Somebody who is told; exactly one kind."""

    slack: Slack | None = None
    alertmanager: Alertmanagers | None = None
    apprise: Chats | None = None
    webhook: Hook | None = None
    console: Console | None = None
    template: Annotated[str, Field(min_length=1)] | None = None
    send_resolved: bool = True
    rate_limit: RateLimit = RateLimit()

    @model_validator(mode="after")
    def _one_kind(self) -> Receiver:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError("should have exactly one kind, such as {console: {}} or {slack: {webhook: !env NAME}}")
        return self

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


class RouteYaml(Strict):
    """A node of the routing tree."""

    receiver: str | None = None
    matchers: tuple[MatcherText, ...] = ()
    group_by: tuple[str, ...] | None = None
    group_wait: Seconds | None = None
    group_interval: Seconds | None = None
    repeat_interval: Seconds | None = None
    continue_: bool = Field(default=False, alias="continue")
    mute_time_intervals: tuple[str, ...] = ()
    routes: tuple[RouteYaml, ...] = ()

    def node(self) -> Route:
        """Give the node as the router knows it."""
        return Route(
            receiver=self.receiver,
            matchers=self.matchers,
            group_by=self.group_by,
            group_wait=self.group_wait,
            group_interval=self.group_interval,
            repeat_interval=self.repeat_interval,
            continue_=self.continue_,
            mute_time_intervals=self.mute_time_intervals,
            routes=tuple(child.node() for child in self.routes),
        )

    @property
    def receivers(self) -> frozenset[str]:
        """Name all receivers of the tree."""
        below = (child.receivers for child in self.routes)
        return frozenset([self.receiver] if self.receiver else []).union(*below)

    @property
    def intervals(self) -> frozenset[str]:
        """Name all time intervals of the tree."""
        return frozenset(self.mute_time_intervals).union(*(child.intervals for child in self.routes))


def _rooted(route: RouteYaml) -> RouteYaml:
    """Find what only the whole tree can say."""
    route.node().resolved()
    return route


Tree = Annotated[RouteYaml, AfterValidator(_rooted)]


class InhibitYaml(Strict):
    """While something fires that matches the source, nothing is said of what matches the target."""

    source: Annotated[tuple[MatcherText, ...], Field(min_length=1, alias="source_matchers")]
    target: Annotated[tuple[MatcherText, ...], Field(min_length=1, alias="target_matchers")]
    equal: tuple[str, ...] = ()

    @property
    def inhibition(self) -> Inhibition:
        """Give it as the findings' room knows it."""
        return Inhibition(source=self.source, target=self.target, equal=self.equal)


class IgnoreYaml(Strict):
    """Findings that nobody is to hear of, why, and until when."""

    rule: str
    target: str | None = None
    database: str | None = None
    subject: str | None = None
    reason: Annotated[str, Field(min_length=1)]
    until: date | None = None

    @property
    def ignore(self) -> Ignore:
        """Give it as the findings' room knows it."""
        return Ignore(**self.model_dump())


class DigestYaml(Strict):
    """What one receiver hears of a time at once, and when."""

    name: Name
    receiver: str
    cron: Annotated[str, AfterValidator(_cron)]
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    matchers: tuple[MatcherText, ...] = ()

    @property
    def periodical(self) -> Periodical:
        """Give it as the findings' room knows it."""
        return Periodical(**dict(self))


def _intervals(given: Any) -> Mapping[str, tuple[TimeInterval, ...]]:
    return parse_intervals(given)


Intervals = Annotated[
    dict[str, Any], BeforeValidator(_intervals), WithJsonSchema({"type": "object", "title": "Time intervals"})
]
