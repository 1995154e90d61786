"""The keys of monitor.yaml that are built, as pydantic models, and those that come with a later version."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from monitor.config.routing import DigestYaml, IgnoreYaml, InhibitYaml, Intervals, Name, Receiver, Strict, Tree
from monitor.config.targets import DiscoveryYaml, Entry, some
from monitor.config.values import Seconds, SecretText, web_address
from monitor.config.yamlfile import KeyPath
from monitor.dsn import check_dsn
from monitor.model import Secret

DEFAULT_STORE = "sqlite:////var/lib/pgarchitect/state.db"

LATER: Final = frozenset(
    {
        "exposure",
    }
)  # fmt: skip
"""Keys of the contract that are not built: an error, so that nobody believes that they work. `*` is any one part."""

_HIGHEST_PORT = 65535


def comes_later(path: KeyPath) -> bool:
    """Tell whether a key that nothing knows is one of the contract's."""
    if path[0] in {"receivers", "targets"} and len(path) > 1:
        path = (path[0], "*", *path[2:])
    return ".".join(str(part) for part in path) in LATER


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    sound = colon and port.isdecimal() and int(port) <= _HIGHEST_PORT
    if not sound or (":" in host and not re.fullmatch(r"\[[0-9a-fA-F:.%]+\]", host)):
        raise ValueError("should be HOST:PORT, such as 127.0.0.1:9779 or [::1]:9779")
    return text


def _store(secret: Secret) -> Secret:
    text = secret.reveal()
    if text.startswith(("postgresql://", "postgres://")):
        check_dsn(text)
        return secret
    if not re.match(r"sqlite:///.", text):
        raise ValueError("should be sqlite:///FILE beside this file, sqlite:////ABSOLUTE/FILE or postgresql://…")
    return secret


Exporter: TypeAlias = Literal["pgbouncer_exporter", "postgres_exporter"]
"""Whose names our metrics have too."""

WebAddress: TypeAlias = Annotated[str, AfterValidator(web_address)]


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


class Planning(Strict):
    """Whom index advice asks what a planner would do, and for how many plans in one go."""

    source: Literal["auto", "shadow", "hypopg", "arithmetic"] = "auto"
    plans: Annotated[int, Field(ge=10, le=10_000)] = 300


class Log(Strict):
    """How we talk on stderr."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Root(Strict):
    """The whole file, but for the sections that belong to probes."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["targets"]}, {"required": ["discovery"]}]})

    targets: Annotated[tuple[Entry, ...], AfterValidator(some)] = ()
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
    planner: Planning = Planning()
    web: Web = Web()
    store: Annotated[SecretText, AfterValidator(_store)] = Field(default_factory=lambda: Secret(DEFAULT_STORE))
    retention: Retention = Retention()
    limits: Limits = Limits()
    compat: tuple[Exporter, ...] = ()
    log: Log = Log()
