"""Every command with its options; what a command does stands in the module it calls, imported only then."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from monitor import __version__
from monitor.cli.findings import CaFile, Cert, Url, User, findings
from monitor.errors import ConfigErrors, MonitorError, TargetError, UsageError

app = typer.Typer(
    name="monitor",
    help="A database architect that never sleeps: watches PostgreSQL, names what is wrong, and the SQL that mends it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

USAGE, UNREACHABLE, INTERRUPTED = 2, 3, 130


class Format(StrEnum):
    """How a report is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"
    SARIF = "sarif"


FORMATS = (
    "text: to read here; markdown: the architect's form, for a pull request; html: one file to open, send and print; "
    "json: for programs; sarif: for code scanning."
)


class FailOn(StrEnum):
    """From which severity on a finding makes the exit status 1."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    NEVER = "never"


class Auth(StrEnum):
    """How the monitor is given sight of auth.users."""

    FUNCTIONS = "functions"
    POLICY = "policy"
    BYPASSRLS = "bypassrls"
    NONE = "none"


class AreaName(StrEnum):
    """The areas of the review."""

    PERFORMANCE = "performance"
    CAPACITY = "capacity"
    SCHEMA = "schema"
    AUTH = "auth"
    SECURITY = "security"
    MIGRATION = "migration"
    OPERATIONS = "operations"


ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file.")]
Dsns = Annotated[list[str] | None, typer.Option("--dsn", help="A server: libpq URL, keyword string, or env:NAME.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks on stderr.")]


@app.callback(invoke_without_command=True)
def monitor(version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False) -> None:
    """Print the version, or go on to a command."""
    if version:
        typer.echo(f"pgarchitect {__version__}")
        raise typer.Exit


@app.command()
def run(config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]) -> None:
    """Watch, until SIGTERM. SIGHUP reads the configuration anew."""
    from monitor.cli.lean import import_structlog

    import_structlog()
    from monitor.cli.run import run_daemon

    asyncio.run(run_daemon(config))


@app.command()
def snapshot(
    config: ConfigFile = None,
    dsn: Dsns = None,
    window: Annotated[float, typer.Option(min=0, help="Seconds that counters are watched; 0: lifetime totals.")] = 10.0,
    format: Annotated[Format, typer.Option(help=FORMATS)] = Format.TEXT,  # noqa: A002 - the option's name
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, whole or not at all.")
    ] = None,
    fail_on: Annotated[FailOn, typer.Option(help="Exit 1 at a finding of this severity or worse.")] = FailOn.NEVER,
    fail_on_not_evaluated: Annotated[
        bool, typer.Option("--fail-on-not-evaluated", help="Exit 1 if a chosen rule could not say.")
    ] = False,
    rule: Annotated[list[str] | None, typer.Option(help="Only rules that match this glob; may be repeated.")] = None,
    area: Annotated[list[AreaName] | None, typer.Option(help="Only rules of this area; may be repeated.")] = None,
    store: Annotated[bool, typer.Option("--store", help="Say since when each finding stands: ask the store.")] = False,
    quiet: Quiet = False,
) -> None:
    """One look, one report that ends in a verdict."""
    from monitor.cli.snapshot import Wishes
    from monitor.cli.snapshot import snapshot as look

    wishes = Wishes(
        config=config,
        dsns=tuple(dsn or ()),
        window=window,
        form=format.value,
        output=output,
        fail_on=fail_on.value,
        fail_on_not_evaluated=fail_on_not_evaluated,
        rules=tuple(rule or ()),
        areas=tuple(each.value for each in area or ()),
        quiet=quiet,
        store=store,
    )
    raise typer.Exit(asyncio.run(look(wishes)))


@app.command()
def advise(
    config: ConfigFile = None,
    dsn: Dsns = None,
    window: Annotated[float, typer.Option(min=0, help="Seconds that counters are watched; 0: lifetime totals.")] = 0.0,
    budget: Annotated[str | None, typer.Option(help="Storage for new indexes of a database, such as 10GiB.")] = None,
    format: Annotated[Format, typer.Option(help=FORMATS)] = Format.TEXT,  # noqa: A002 - the option's name
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, whole or not at all.")
    ] = None,
    fail_on: Annotated[FailOn, typer.Option(help="Exit 1 at a finding of this severity or worse.")] = FailOn.NEVER,
    quiet: Quiet = False,
) -> None:
    """Index advice for the workload: what to create and what to drop, proved by a planner."""
    from monitor.cli.advise import advise as advice
    from monitor.cli.snapshot import Wishes

    wishes = Wishes(
        config=config,
        dsns=tuple(dsn or ()),
        window=window,
        form=format.value,
        output=output,
        fail_on=fail_on.value,
        quiet=quiet,
    )
    raise typer.Exit(asyncio.run(advice(wishes, budget)))


@app.command()
def demo(
    seconds: Annotated[
        float | None, typer.Option("--for", min=1, help="End after so many seconds with a report.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0: any free one.")] = 9779,
    keep: Annotated[bool, typer.Option("--keep", help="Leave database and configuration in place.")] = False,
) -> None:
    """A live database with planted faults, watched: see it work within a minute."""
    from monitor.demo.run import demo as show

    raise typer.Exit(asyncio.run(show(seconds=seconds, port=port, keep=keep, out=sys.stdout, err=sys.stderr)))


@app.command("check-config")
def check_config(file: Annotated[Path, typer.Argument(help="The configuration file.")]) -> None:
    """Name every mistake of a configuration at once."""
    from monitor.cli.catalogue import checked

    typer.echo(checked(file))


@app.command()
def init(directory: Annotated[Path, typer.Argument(metavar="[DIR]")] = Path()) -> None:
    """Write a commented starter configuration."""
    from monitor.config.starter import starter

    for path in starter(directory):
        typer.echo(path)


@app.command()
def grants(
    config: ConfigFile = None,
    dsn: Annotated[str | None, typer.Option(help="A database to look at for what is there.")] = None,
    role: Annotated[str, typer.Option(help="The monitor's role.")] = "monitor",
    auth: Annotated[Auth, typer.Option(help="How the monitor is given sight of auth.users.")] = Auth.FUNCTIONS,
    undo: Annotated[bool, typer.Option("--undo", help="Print what takes it all back.")] = False,
) -> None:
    """Print the SQL that gives the monitor's role the least it needs."""
    from monitor.cli.rights import rights

    typer.echo(asyncio.run(rights(config=config, dsn=dsn, role=role, auth=auth.value, undo=undo)), nl=False)


@app.command()
def probes(
    sql: Annotated[int | None, typer.Option(metavar="MAJOR", help="Show the SQL for this major version.")] = None,
    config: ConfigFile = None,
) -> None:
    """List the probes; with --sql, what each asks a server of that version."""
    from monitor.cli.catalogue import probe_list, probe_sql

    typer.echo(probe_list(config) if sql is None else probe_sql(config, sql))


@app.command()
def rules(config: ConfigFile = None) -> None:
    """List the rules."""
    from monitor.cli.catalogue import rule_list

    typer.echo(rule_list(config))


@app.command()
def explain(rule: str, config: ConfigFile = None) -> None:
    """Print a rule's manual page with its thresholds."""
    from monitor.cli.catalogue import rule_page

    typer.echo(rule_page(config, rule))


@app.command("notify-test")
def notify_test(
    receiver: Annotated[str, typer.Argument(help="A receiver of the configuration.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")],
) -> None:
    """Send a sample to a receiver, and say how that went."""
    from monitor.cli.notify_test import notify_test as send

    typer.echo(asyncio.run(send(config, receiver)))


@app.command()
def top(
    every: Annotated[float, typer.Option(min=0.5, max=3600, help="Seconds between two looks.")] = 2.0,
    url: Url = None,
    config: ConfigFile = None,
    user: User = "",
    ca_file: CaFile = None,
    cert: Cert = None,
) -> None:
    """Show what a running daemon sees, live: findings, busiest statements, pools. q ends it."""
    from monitor.cli.reach import Way
    from monitor.cli.top import top as show

    asyncio.run(show(Way(url=url, config=config, user=user, ca_file=ca_file, cert=cert), every))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration."""
    from monitor.cli.catalogue import config_schema

    typer.echo(config_schema())


app.add_typer(findings)


def main() -> NoReturn:
    """Run the command line; failures raised on purpose are one clear line each, and an exit status."""
    try:
        app()
    except ConfigErrors as error:
        _end(str(error), USAGE)
    except UsageError as error:
        _end(f"monitor: {error}", USAGE)
    except TargetError as error:
        _end(f"monitor: {error}", UNREACHABLE)
    except MonitorError as error:
        _end(f"monitor: {error}", USAGE)
    except KeyboardInterrupt:
        _end("monitor: interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
    sys.exit(0)


def _end(message: str, status: int) -> NoReturn:
    print(message, file=sys.stderr)  # noqa: T201 - the talk goes to stderr
    sys.exit(status)
