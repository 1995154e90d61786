"""The keys of monitor.yaml that are built, as pydantic models, and those that come with a later version."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from monitor.config_routing import DigestYaml, IgnoreYaml, InhibitYaml, Intervals, Name, Receiver, Strict, Tree
from monitor.config_values import Seconds, SecretText, web_address
from monitor.config_yaml import KeyPath
from monitor.discovery import PLACE, Discovery
from monitor.dsn import check_dsn, read_dsn
from monitor.kinds import PGBOUNCER, Gauges
from monitor.labels import check_label
from monitor.model import Secret, Server

DEFAULT_STORE = "sqlite:////var/lib/pgarchitect/state.db"

LATER: Final = frozenset(
    {
        "compat", "exposure", "planner",
        "targets.*.replica_of",
    }
)  # fmt: skip
"""Keys of the contract that are not built: an error, so that nobody believes that they work. `*` is any one part."""

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


def _web_secret(secret: Secret) -> Secret:
    web_address(secret.reveal())
    return secret


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    sound = colon and port.isdecimal() and int(port) <= _HIGHEST_PORT
    if not sound or (":" in host and not re.fullmatch(r"\[[0-9a-fA-F:.%]+\]", host)):
        raise ValueError("should be HOST:PORT, such as 127.0.0.1:9779 or [::1]:9779")
    return text


def _pooler(value: object) -> str:
    text = str(value).lower()
    if text not in {"auto", "true", "false"}:
        raise ValueError("should be auto, true or false")
    return text


def _store(secret: Secret) -> Secret:
    text = secret.reveal()
    if text.startswith(("postgresql://", "postgres://")):
        check_dsn(text)
        return secret
    if not re.match(r"sqlite:///.", text):
        raise ValueError("should be sqlite:///FILE beside this file, sqlite:////ABSOLUTE/FILE or postgresql://…")
    return secret


Pattern: TypeAlias = Annotated[str, AfterValidator(_pattern)]
WebAddress: TypeAlias = Annotated[str, AfterValidator(web_address)]


MetricName: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]


class Databases(Strict):
    """Which databases of a server are looked at; the patterns match whole names."""

    include: tuple[Pattern, ...] = (".*",)
    exclude: tuple[Pattern, ...] = ()


def _check_console(entry: Strict, dsn: str) -> None:
    """See that a PgBouncer is asked for nothing but its console; raises ValueError."""
    if idle := entry.model_fields_set & {"databases", "through_pooler"}:
        raise ValueError(f"a PgBouncer has no {min(idle)}; that belongs to the server behind it")
    if read_dsn(dsn, {}).database not in {None, PGBOUNCER}:
        raise ValueError("the dsn of a PgBouncer should name its console, as in postgresql://USER@HOST:6432/pgbouncer")


class TargetYaml(Strict):
    """One entry of `targets`: one server, or the PgBouncer before it."""

    name: Name
    dsn: Annotated[SecretText, AfterValidator(_dsn)]
    kind: Literal["postgres", "pgbouncer", "app_pool"] = "postgres"
    databases: Databases = Databases()
    labels: dict[Annotated[str, AfterValidator(check_label)], str] = Field(default_factory=dict)
    through_pooler: Annotated[Literal["auto", "true", "false"], BeforeValidator(_pooler)] = "auto"

    @model_validator(mode="after")
    def _of_a_console(self) -> TargetYaml:
        if self.kind == PGBOUNCER:
            _check_console(self, self.dsn.reveal())
        return self

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


class AppPoolYaml(Strict):
    """One entry of `targets`: an application's own pool, seen through the metrics it publishes."""

    name: Name
    kind: Literal["app_pool"]
    url: Annotated[SecretText, AfterValidator(_web_secret)]
    in_use: MetricName
    size: MetricName
    waiting: MetricName | None = None
    labels: dict[Annotated[str, AfterValidator(check_label)], str] = Field(default_factory=dict)

    @property
    def dsn(self) -> Secret:
        """Its address, as the other kinds call it."""
        return self.url

    @property
    def server(self) -> Server:
        """The endpoint as the other rooms know it."""
        return Server(
            name=self.name,
            dsn=self.url,
            kind=self.kind,
            labels=self.labels,
            gauges=Gauges(in_use=self.in_use, size=self.size, waiting=self.waiting),
        )


def _branch(given: object) -> str:
    kind = given.get("kind") if isinstance(given, dict) else getattr(given, "kind", None)
    return "an application" if kind == "app_pool" else "a server"


Entry: TypeAlias = Annotated[
    Annotated[TargetYaml, Tag("a server")] | Annotated[AppPoolYaml, Tag("an application")], Discriminator(_branch)
]


class DiscoveryYaml(Strict):
    """One entry of `discovery`: files in Prometheus' file_sd form, and how to reach who is in them."""

    files: Annotated[tuple[str, ...], Field(min_length=1)]
    dsn: SecretText
    password: SecretText | None = None
    kind: Literal["postgres", "pgbouncer"] = "postgres"
    databases: Databases = Databases()
    labels: dict[Annotated[str, AfterValidator(check_label)], str] = Field(default_factory=dict)
    through_pooler: Annotated[Literal["auto", "true", "false"], BeforeValidator(_pooler)] = "auto"

    @model_validator(mode="after")
    def _sound(self) -> DiscoveryYaml:
        text = self.dsn.reveal()
        url = text.replace(PLACE, "place.invalid")
        check_dsn(url)
        if text.count(PLACE) != 1 or "://" not in text or read_dsn(url, {}).host != "place.invalid":
            raise ValueError(f"the dsn should be a URL with {PLACE} for the host, as in postgresql://monitor@{PLACE}")
        if self.password is not None and read_dsn(url, {}).has_password:
            raise ValueError("has a password twice; take it out of the dsn")
        if self.kind == PGBOUNCER:
            _check_console(self, url)
        return self

    def entry(self, folder: Path) -> Discovery:
        """What the files are looked at by; relative ones are found from `folder`."""
        return Discovery(
            files=tuple(os.path.join(glob.escape(str(folder)), each) for each in self.files),  # noqa: PTH118 - a glob
            dsn=self.dsn,
            password=self.password,
            labels=self.labels,
            include=self.databases.include,
            exclude=self.databases.exclude,
            kind=self.kind,
            through_pooler=self.through_pooler,
        )


def _some(targets: tuple[Entry, ...]) -> tuple[Entry, ...]:
    if not targets:
        raise ValueError("names no server; begin with {name: NAME, dsn: !env NAME}")
    return targets


class Defaults(Strict):
    """What holds where nothing else is said."""

    interval: Annotated[Seconds, Field(ge=1)] | None = None


class Probes(BaseModel):
    """Files of YAML probes; every other key is a probe's name."""

    model_config = ConfigDict(extra="allow", frozen=True)
    files: tuple[str, ...] = ()


class Tls(Strict):
    """The door's certificate; with a client_ca_file clients must show one too."""

    cert_file: str
    key_file: str
    client_ca_file: str | None = None
    client_auth_type: str | None = None


class Web(Strict):
    """Where page, API and metrics are served."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:9779"
    external_url: WebAddress | None = None
    tls: Tls | None = None
    basic_auth: dict[str, SecretText] = Field(default_factory=dict)
    tokens: tuple[SecretText, ...] = ()

    @property
    def host(self) -> str:
        """The address to listen on; empty for all of them."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 lets the system choose."""
        return int(self.listen.rpartition(":")[2])


class Retention(Strict):
    """How long the store remembers, in seconds."""

    findings: Annotated[Seconds, Field(gt=0)] = 400 * 86400.0
    statements: Annotated[Seconds, Field(ge=3600, le=400 * 86400)] = 30 * 86400.0


class Limits(Strict):
    """What we take at most of a server and of a Prometheus."""

    sessions: Annotated[int, Field(ge=1, le=2)] = 2
    series: Annotated[int, Field(ge=100)] = 2000


class Log(Strict):
    """How we talk on stderr."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Root(Strict):
    """The whole file, but for the sections that belong to probes."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["targets"]}, {"required": ["discovery"]}]})

    targets: Annotated[tuple[Entry, ...], AfterValidator(_some)] = ()
    discovery: tuple[DiscoveryYaml, ...] = ()
    defaults: Defaults = Defaults()
    probes: Probes = Probes()
    rules: dict[str, Any] = Field(default_factory=dict)
    receivers: dict[Name, Receiver] = Field(default_factory=dict)
    route: Tree | None = None
    time_intervals: Intervals = Field(default_factory=dict)
    inhibit: tuple[InhibitYaml, ...] = ()
    ignore: tuple[IgnoreYaml, ...] = ()
    digests: tuple[DigestYaml, ...] = ()
    web: Web = Web()
    store: Annotated[SecretText, AfterValidator(_store)] = Field(default_factory=lambda: Secret(DEFAULT_STORE))
    retention: Retention = Retention()
    limits: Limits = Limits()
    log: Log = Log()
