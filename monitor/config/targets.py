"""The entries of `targets` and `discovery` in monitor.yaml: servers, PgBouncers and applications' pools."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from monitor.config.discovery import PLACE, Discovery
from monitor.config.labels import check_label
from monitor.config.routing import Name, Strict
from monitor.config.values import SecretText, web_address
from monitor.dsn import check_dsn, read_dsn
from monitor.kinds import APP_POOL, PGBOUNCER, Gauges
from monitor.model import Secret, Server


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


def _pooler(value: object) -> str:
    text = str(value).lower()
    if text not in {"auto", "true", "false"}:
        raise ValueError("should be auto, true or false")
    return text


Pattern: TypeAlias = Annotated[str, AfterValidator(_pattern)]
MetricName: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
Labels: TypeAlias = dict[Annotated[str, AfterValidator(check_label)], str]
ThroughPooler: TypeAlias = Annotated[Literal["auto", "true", "false"], BeforeValidator(_pooler)]


class Databases(Strict):
    """Which databases of a server are looked at; the patterns match whole names."""

    include: tuple[Pattern, ...] = (".*",)
    exclude: tuple[Pattern, ...] = ()


def _check_console(entry: Strict, dsn: str) -> None:
    """See that a PgBouncer is asked for nothing but its console; raises ValueError."""
    if idle := entry.model_fields_set & {"databases", "replica_of", "through_pooler"}:
        raise ValueError(f"a PgBouncer has no {min(idle)}; that belongs to the server behind it")
    if read_dsn(dsn, {}).database not in {None, PGBOUNCER}:
        raise ValueError("the dsn of a PgBouncer should name its console, as in postgresql://USER@HOST:6432/pgbouncer")


class TargetYaml(Strict):
    """One entry of `targets`: one server, or the PgBouncer before it."""

    name: Name
    dsn: Annotated[SecretText, AfterValidator(_dsn)]
    kind: Literal["postgres", "pgbouncer", "app_pool"] = "postgres"
    databases: Databases = Databases()
    labels: Labels = Field(default_factory=dict)
    replica_of: Name | None = None
    serves: Name | None = None
    through_pooler: ThroughPooler = "auto"

    @model_validator(mode="after")
    def _of_a_console(self) -> TargetYaml:
        if self.kind == PGBOUNCER:
            _check_console(self, self.dsn.reveal())
        elif self.serves is not None:
            raise ValueError("only a PgBouncer (kind: pgbouncer) serves another target")
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
            replica_of=self.replica_of,
            serves=self.serves,
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
    labels: Labels = Field(default_factory=dict)

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
    return "an application" if kind == APP_POOL else "a server"


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
    labels: Labels = Field(default_factory=dict)
    through_pooler: ThroughPooler = "auto"

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


def some(targets: tuple[Entry, ...]) -> tuple[Entry, ...]:
    if not targets:
        raise ValueError("names no server; begin with {name: NAME, dsn: !env NAME}")
    return targets
