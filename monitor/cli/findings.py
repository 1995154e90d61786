"""`monitor findings …`: the commands that talk to a running daemon; what they do is imported only when they run."""

# ruff: noqa: PLC0415, PLR0913 - as in app.py: a quick --help, and one parameter an option

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from monitor.cli.reach import Way

findings = typer.Typer(
    name="findings",
    help="What the running daemon found: list, show, ack, silence. "
    "A token comes from PGARCHITECT_TOKEN, a password from PGARCHITECT_PASSWORD.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Form(StrEnum):
    """How a list is written."""

    TEXT = "text"
    JSON = "json"


class Level(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Status(StrEnum):
    """Where a finding stands."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    ALL = "all"


Fingerprint = Annotated[str, typer.Argument(help="The finding's fingerprint, or its beginning.")]
Url = Annotated[str | None, typer.Option("--url", help="The daemon's page; also PGARCHITECT_URL.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="The daemon's configuration file.")]
User = Annotated[str, typer.Option("--user", help="Sign in by this name.")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="Trust certificates signed by this one.")]
Cert = Annotated[Path | None, typer.Option("--cert", help="Show this certificate; its key is in the same file.")]
Format = Annotated[Form, typer.Option("--format", help="How it is written.")]
Author = Annotated[str | None, typer.Option("--author", help="Who says so; without it: $USER.")]
Comment = Annotated[str, typer.Option("--comment", help="Why.")]


@findings.command("list")
def list_findings(
    *,
    target: Annotated[str | None, typer.Option(help="Only of this target.")] = None,
    rule: Annotated[str, typer.Option(help="Only of rules that match this glob.")] = "*",
    severity: Annotated[Level | None, typer.Option(help="Only of this severity.")] = None,
    status: Annotated[Status | None, typer.Option(help="Without it: all that are not over.")] = None,
    form: Format = Form.TEXT,
    url: Url = None,
    config: ConfigFile = None,
    user: User = "",
    ca_file: CaFile = None,
    cert: Cert = None,
) -> None:
    """List findings, worst first."""
    from monitor.cli import talk

    filters = {"target": target, "severity": severity.value if severity else None}
    wanted = talk.Wanted(
        filters={name: value for name, value in filters.items() if value is not None},
        rule=rule,
        status=status.value if status else "",
    )
    _print(talk.listed(_way(url, config, user, ca_file, cert), wanted, as_json=form is Form.JSON))


@findings.command()
def show(
    fingerprint: Fingerprint,
    *,
    form: Format = Form.TEXT,
    url: Url = None,
    config: ConfigFile = None,
    user: User = "",
    ca_file: CaFile = None,
    cert: Cert = None,
) -> None:
    """Show one finding: evidence, SQL, history."""
    from monitor.cli import talk

    _print(talk.shown(_way(url, config, user, ca_file, cert), fingerprint, as_json=form is Form.JSON))


@findings.command()
def ack(
    fingerprint: Fingerprint,
    *,
    comment: Comment,
    author: Author = None,
    url: Url = None,
    config: ConfigFile = None,
    user: User = "",
    ca_file: CaFile = None,
    cert: Cert = None,
) -> None:
    """Take note of a finding: no repeats until it is over or worse."""
    from monitor.cli import talk

    way = _way(url, config, user, ca_file, cert)
    _print(talk.acked(way, fingerprint, comment=comment, author=_author(author)))


@findings.command()
def unack(
    fingerprint: Fingerprint,
    *,
    author: Author = None,
    url: Url = None,
    config: ConfigFile = None,
    user: User = "",
    ca_file: CaFile = None,
    cert: Cert = None,
) -> None:
    """Take an ack back."""
    from monitor.cli import talk

    _print(talk.unacked(_way(url, config, user, ca_file, cert), fingerprint, author=_author(author)))


@findings.command()
def silence(
    matchers: Annotated[
        list[str] | None, typer.Argument(metavar="MATCHER", help="Such as 'rule=~\"index.*\"'.")
    ] = None,
    *,
    comment: Comment,
    target: Annotated[str | None, typer.Option(help="Everything about this target: a maintenance window.")] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="How long: 30m, 2h, 7d.")] = None,
    until: Annotated[str | None, typer.Option(help="To this time, with its zone.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="From this time, with its zone; without it: now.")] = None,
    author: Author = None,
    url: Url = None,
    config: ConfigFile = None,
    user: User = "",
    ca_file: CaFile = None,
    cert: Cert = None,
) -> None:
    """Keep quiet about findings that match, for a while."""
    from monitor.cli import talk

    written = [*([talk.about(target)] if target else []), *(matchers or [])]
    span = talk.Span(begin=begin, end=until, lasts=lasts)
    way = _way(url, config, user, ca_file, cert)
    _print(talk.silenced(way, written, span, comment=comment, author=_author(author)))


@findings.command()
def unsilence(
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="The silence's id, or its beginning.")],
    *,
    author: Author = None,
    url: Url = None,
    config: ConfigFile = None,
    user: User = "",
    ca_file: CaFile = None,
    cert: Cert = None,
) -> None:
    """End a silence."""
    from monitor.cli import talk

    _print(talk.unsilenced(_way(url, config, user, ca_file, cert), silence_id, author=_author(author)))


@findings.command()
def silences(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    form: Format = Form.TEXT,
    url: Url = None,
    config: ConfigFile = None,
    user: User = "",
    ca_file: CaFile = None,
    cert: Cert = None,
) -> None:
    """List silences."""
    from monitor.cli import talk

    way = _way(url, config, user, ca_file, cert)
    _print(talk.silences(way, as_json=form is Form.JSON, everything=everything))


@findings.command()
def audit(
    *,
    form: Format = Form.TEXT,
    url: Url = None,
    config: ConfigFile = None,
    user: User = "",
    ca_file: CaFile = None,
    cert: Cert = None,
) -> None:
    """List who changed what: acks, silences, reloads."""
    from monitor.cli import talk

    _print(talk.audit(_way(url, config, user, ca_file, cert), as_json=form is Form.JSON))


def _way(url: str | None, config: Path | None, user: str, ca_file: Path | None, cert: Path | None) -> Way:
    from monitor.cli.reach import Way

    return Way(url=url, config=config, user=user, ca_file=ca_file, cert=cert)


def _author(named: str | None) -> str:
    return named or os.environ.get("USER") or os.environ.get("LOGNAME") or ""


def _print(said: Coroutine[None, None, str]) -> None:
    typer.echo(asyncio.run(said))
