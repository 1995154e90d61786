"""`monitor snapshot`: which servers, which rules, how the report is written, and what the exit status says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from rich.console import Console

from monitor.catalog import Catalog
from monitor.cli.history import history, past
from monitor.cli.output import check_output, to_file
from monitor.cli.over_time import traced
from monitor.config.load import Config, load_config
from monitor.dsn import read_dsn
from monitor.errors import Needs, UsageError
from monitor.kinds import PGBOUNCER
from monitor.log import configure
from monitor.model import Secret, Server, Severity
from monitor.planners import planning
from monitor.report.html import as_html
from monitor.report.json import as_json
from monitor.report.markdown import as_markdown
from monitor.report.review import Known, Review
from monitor.report.sarif import as_sarif
from monitor.report.snapshot import Progress, Question, take_snapshot
from monitor.report.text import as_text
from monitor.rule import Advisor
from monitor.whole import whole_catalog

FOUND, UNREACHABLE = 1, 3
LEAST_WIDTH, FILE_WIDTH = 60, 100


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The options of the command."""

    config: Path | None
    dsns: tuple[str, ...]
    window: float
    form: str
    output: Path | None
    fail_on: str
    quiet: bool
    fail_on_not_evaluated: bool = False
    rules: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    store: bool = False


async def snapshot(wishes: Wishes) -> int:
    """Look, write the report, and give the exit status."""
    configure("console", "error")
    if wishes.output is not None:
        check_output(wishes.output)
    catalog = whole_catalog()
    config = None if wishes.config is None else load_config(wishes.config, catalog)
    question = asked(wishes, catalog, config)
    known = await _known(config, quiet=wishes.quiet) if wishes.store else {}
    if wishes.store and config is not None:
        question = replace(question, past=past(config))
    async with planning(config.planner if config else None) as planner:
        with progress(quiet=wishes.quiet) as tell:
            review = replace(await take_snapshot(replace(question, planner=planner), tell), known=known)
            if wishes.store and config is not None and wishes.form == "html":
                review = replace(review, traced=await traced(config, review))
    write(review, wishes)
    return status(review, wishes)


async def _known(config: Config | None, *, quiet: bool) -> Mapping[str, Known]:
    """Ask the daemon's history before anything else: what it lacks is told at once, not after the window."""
    if config is None:
        raise UsageError("snapshot --store: which store? it stands in the configuration; add --config FILE")
    known, remark = await history(config)
    if remark and not quiet:
        print(f"monitor: {remark}", file=sys.stderr)  # noqa: T201 - the talk goes to stderr
    return known


def asked(wishes: Wishes, catalog: Catalog, config: Config | None) -> Question:
    """Put configuration and DSNs together; raises UsageError."""
    servers: tuple[Server, ...] = ()
    if config is not None:
        catalog, servers = config.catalog, config.everyone
    if wishes.dsns:
        servers = tuple(named(wishes.dsns, quiet=wishes.quiet))
    if not servers:
        raise UsageError("no server is named; give --dsn postgresql://… or --config FILE")
    _check_globs(wishes.rules, catalog)
    question = Question(
        servers=servers,
        probes=[probe for probe in catalog.asked.values() if not probe.compat],  # no report has their figures
        advisors=[judge for judge in catalog.judges if isinstance(judge, Advisor)],
        window=wishes.window,
        problems={problem.name: problem.reason for problem in catalog.problems},
        ignores=config.ignores if config else (),
    )
    return question.only(wishes.rules, wishes.areas)


def _check_globs(globs: Sequence[str], catalog: Catalog) -> None:
    for glob in globs:
        if not any(fnmatchcase(rule, glob) for rule in catalog.rules):
            raise UsageError(f"--rule {glob}: no such rule; `monitor rules` lists them")


def named(dsns: Sequence[str], *, quiet: bool) -> Iterator[Server]:
    """Give a server for each DSN, named by its address; two databases of one address are told apart."""
    taken: set[str] = set()
    for text in dsns:
        dsn = read_dsn(text)
        if dsn.has_password and not text.startswith("env:") and not quiet:
            print(  # noqa: T201 - the talk goes to stderr
                "monitor: a password on the command line can be read by every user of this machine; "
                "use PGPASSWORD, PGPASSFILE or --dsn env:NAME",
                file=sys.stderr,
            )
        name = dsn.address if dsn.address not in taken else f"{dsn.address}/{dsn.database}"
        if name in taken:
            raise UsageError(f"--dsn: {name} is named twice; leave one out")
        taken.add(name)
        if dsn.database == PGBOUNCER:  # its console goes by that name
            yield Server(name=name, dsn=Secret(dsn.url.reveal()), kind=PGBOUNCER)
        else:
            yield Server(name=name, dsn=Secret(dsn.url.reveal()), only=dsn.database)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Show what is being asked, on stderr, when that is a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    with console.status("looking") as shown:
        yield shown.update


def write(review: Review, wishes: Wishes) -> None:
    """Write the report to its file or to stdout."""
    text = _forms(wishes)[wishes.form](review)
    text = text if text.endswith("\n") else text + "\n"
    if wishes.output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        to_file(wishes.output, text)


def _forms(wishes: Wishes) -> dict[str, Callable[[Review], str]]:
    shown = wishes.output is None and sys.stdout.isatty()
    width = max(Console().width, LEAST_WIDTH) if shown else FILE_WIDTH
    colour = shown and not os.environ.get("NO_COLOR")
    return {
        "text": lambda review: as_text(review, width, colour=colour),
        "markdown": as_markdown,
        "json": as_json,
        "html": as_html,
        "sarif": lambda review: as_sarif(review, status(review, wishes)),
    }


def status(review: Review, wishes: Wishes) -> int:
    """Decide the exit status: an unreachable target beats findings."""
    if not all(looked.up for looked in review.targets):
        return UNREACHABLE
    worst = max((finding.severity.rank for finding in review.findings), default=-1)
    if wishes.fail_on != "never" and worst >= Severity(wishes.fail_on).rank:
        return FOUND
    unsaid = any(entry.needs is not Needs.HISTORY for entry in review.not_evaluated)
    return FOUND if wishes.fail_on_not_evaluated and unsaid else 0
