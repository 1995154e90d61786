"""`monitor advise`: the indexes that the workload lacks, and those it could do without; a snapshot of those rules."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, cast

from monitor.advisors.index.missing import Missing
from monitor.catalog import Catalog
from monitor.cli.output import check_output
from monitor.cli.snapshot import Wishes, asked, progress, status, write
from monitor.config.load import load_config
from monitor.config.values import size_bytes
from monitor.errors import UsageError
from monitor.log import configure
from monitor.planners import PATIENT, planning
from monitor.report.snapshot import Question, take_snapshot
from monitor.whole import whole_catalog

STATEMENTS = 500
"""The most that the probe looks at one by one."""
RULES = ("index.*", "tables.sequential_scans")


async def advise(wishes: Wishes, budget: str | None) -> int:
    """Look at the workload, write what follows for its indexes, and give the exit status; raises UsageError."""
    configure("console", "error")
    if wishes.output is not None:
        check_output(wishes.output)
    storage = None if budget is None else _storage(budget)
    catalog = whole_catalog()
    config = None if wishes.config is None else load_config(wishes.config, catalog)
    question = _widely(asked(replace(wishes, rules=_rules(catalog)), catalog, config), storage)
    async with planning(config.planner if config else None, PATIENT) as planner:
        with progress(quiet=wishes.quiet) as tell:
            review = await take_snapshot(replace(question, planner=planner), tell)
    write(review, wishes)
    return status(review, wishes)


def _rules(catalog: Catalog) -> tuple[str, ...]:
    return tuple(rule for rule in catalog.rules if any(fnmatchcase(rule, glob) for glob in RULES))


def _storage(text: str) -> float:
    try:
        return size_bytes(text)
    except ValueError as error:
        raise UsageError(f"--budget {text}: {error}") from None


def _widely(question: Question, storage: float | None) -> Question:
    """Look at as many statements as can be; give the advisor that chooses indexes its storage."""
    probes = [
        replace(each, options=replace(cast("Any", each.options), top=STATEMENTS)) if each.name == "statements" else each
        for each in question.probes
    ]
    advisors = [
        replace(each, budget_bytes=storage) if isinstance(each, Missing) and storage is not None else each
        for each in question.advisors
    ]
    return replace(question, probes=probes, advisors=advisors)
