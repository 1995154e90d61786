"""The keys of monitor.yaml that are built, as pydantic models, and those that come with a later version."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from monitor.config_values import Seconds, SecretText
from monitor.config_yaml import KeyPath
from monitor.dsn import check_dsn
from monitor.model import Secret, Server

DEFAULT_STORE = "sqlite:////var/lib/pgarchitect/state.db"

LATER: Final = frozenset(
    {
        "compat", "digests", "discovery", "exposure", "ignore", "inhibit", "planner", "pools", "time_intervals",
        "retention.statements", "route.continue", "route.group_by", "route.group_interval", "route.group_wait",
        "route.matchers", "route.mute_time_intervals", "route.repeat_interval", "route.routes",
        "receivers.*.alertmanager", "receivers.*.apprise", "receivers.*.webhook", "receivers.*.slack.token",
        "receivers.*.slack.channel", "receivers.*.slack.template", "receivers.*.slack.send_resolved",
        "targets.*.replica_of", "web.basic_auth", "web.tls", "web.tokens",
    }
)  # fmt: skip
"""Keys of the contract that are not built: an error, so that nobody believes that they work. `*` is any one part."""

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_TAKEN = frozenset(
    (
        "alertname",
        "area",
        "database",
        "fingerprint",
        "probe",
        "result",
        "rule",
        "severity",
        "state",
        "subject",
        "target",
    )
)
_HIGHEST_PORT = 65535


def comes_later(path: KeyPath) -> bool:
    """Tell whether a key that nothing knows is one of the contract's."""
    if path[0] in {"receivers", "targets"} and len(path) > 1:
        path = (path[0], "*", *path[2:])
    return ".".join(str(part) for part in path) in LATER


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error:
        raise ValueError("is no regular expression; it must match the whole name, as in shop_.*") from None
    return text


def _dsn(secret: Secret) -> Secret:
    check_dsn(secret.reveal())
    return secret


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("cannot be read as a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("should be a URL; it begins with https:// or http:// and names a host")
    return text


def _hook(secret: Secret) -> Secret:
    _web_address(secret.reveal())
    return secret


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    sound = colon and port.isdecimal() and int(port) <= _HIGHEST_PORT
    if not sound or (":" in host and not re.fullmatch(r"\[[0-9a-fA-F:.%]+\]", host)):
        raise ValueError("should be HOST:PORT, such as 127.0.0.1:9779 or [::1]:9779")
    return text


def _label(name: str) -> str:
    if not _LABEL.match(name):
        raise ValueError("is no label name; use letters, digits and _")
    if name in _TAKEN:
        raise ValueError("is a label we set ourselves; choose another name")
    return name


def _pooler(value: object) -> str:
    text = str(value).lower()
    if text not in {"auto", "true", "false"}:
        raise ValueError("should be auto, true or false")
    return text


def _store(secret: Secret) -> Secret:
    text = secret.reveal()
    if text.startswith(("postgresql://", "postgres://")):
        raise ValueError("a store in PostgreSQL is not built yet; write sqlite:///state.db")
    if not re.match(r"sqlite:///.", text):
        raise ValueError("should be sqlite:///FILE beside this file, or sqlite:////ABSOLUTE/FILE")
    return secret


Name: TypeAlias = Annotated[str, Field(pattern=r"^[^\s/]+$", max_length=100)]
Pattern: TypeAlias = Annotated[str, AfterValidator(_pattern)]
WebAddress: TypeAlias = Annotated[str, AfterValidator(_web_address)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Databases(_Strict):
    """Which databases of a server are looked at; the patterns match whole names."""

    include: tuple[Pattern, ...] = (".*",)
    exclude: tuple[Pattern, ...] = ()


class TargetYaml(_Strict):
    """One entry of `targets`: one server."""

    name: Name
    dsn: Annotated[SecretText, AfterValidator(_dsn)]
    kind: Literal["postgres"] = "postgres"
    databases: Databases = Databases()
    labels: dict[Annotated[str, AfterValidator(_label)], str] = Field(default_factory=dict)
    through_pooler: Annotated[Literal["auto", "true", "false"], BeforeValidator(_pooler)] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _built(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("kind") in {"pgbouncer", "app_pool"}:
            raise ValueError(
                f"kind {given['kind']} is not built yet; it comes with a later version: remove this target"
            )
        return given

    @property
    def server(self) -> Server:
        """The endpoint as the other rooms know it."""
        return Server(
            name=self.name,
            dsn=self.dsn,
            kind=self.kind,
            labels=self.labels,
            include=self.databases.include,
            exclude=self.databases.exclude,
            through_pooler=self.through_pooler,
        )


def _some(targets: tuple[TargetYaml, ...]) -> tuple[TargetYaml, ...]:
    if not targets:
        raise ValueError("names no server; begin with {name: NAME, dsn: !env NAME}")
    return targets


class Defaults(_Strict):
    """What holds where nothing else is said."""

    interval: Annotated[Seconds, Field(ge=1)] | None = None


class Probes(BaseModel):
    """Files of YAML probes; every other key is a probe's name."""

    model_config = ConfigDict(extra="allow", frozen=True)
    files: tuple[str, ...] = ()


class Slack(_Strict):
    """An incoming webhook."""

    webhook: Annotated[SecretText, AfterValidator(_hook)]


class Console(_Strict):
    """The terminal the daemon runs in."""


class Receiver(_Strict):
    """Somebody who is told; exactly one kind."""

    slack: Slack | None = None
    console: Console | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Receiver:
        if (self.slack is None) == (self.console is None):
            raise ValueError("should have exactly one kind, such as {console: {}} or {slack: {webhook: !env NAME}}")
        return self

    @property
    def kind(self) -> str:
        """`slack` or `console`."""
        return "console" if self.slack is None else "slack"


class Route(_Strict):
    """Who hears of every finding."""

    receiver: str


class Web(_Strict):
    """Where page, API and metrics are served."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:9779"
    external_url: WebAddress | None = None

    @property
    def host(self) -> str:
        """The address to listen on; empty for all of them."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 lets the system choose."""
        return int(self.listen.rpartition(":")[2])


class Retention(_Strict):
    """How long the store remembers, in seconds."""

    findings: Annotated[Seconds, Field(gt=0)] = 400 * 86400.0


class Limits(_Strict):
    """What we take at most of a server and of a Prometheus."""

    sessions: Annotated[int, Field(ge=1, le=2)] = 2
    series: Annotated[int, Field(ge=100)] = 2000


class Log(_Strict):
    """How we talk on stderr."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Root(_Strict):
    """The whole file, but for the sections that belong to probes."""

    targets: Annotated[tuple[TargetYaml, ...], AfterValidator(_some)]
    defaults: Defaults = Defaults()
    probes: Probes = Probes()
    rules: dict[str, Any] = Field(default_factory=dict)
    receivers: dict[Name, Receiver] = Field(default_factory=dict)
    route: Route | None = None
    web: Web = Web()
    store: Annotated[SecretText, AfterValidator(_store)] = Field(default_factory=lambda: Secret(DEFAULT_STORE))
    retention: Retention = Retention()
    limits: Limits = Limits()
    log: Log = Log()
