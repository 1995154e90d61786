"""Letting a probe's rules judge a measurement; a rule that breaks says so and harms no other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from monitor.errors import Needs, ProbeSkipped
from monitor.measurement import Measurement
from monitor.model import Finding, Judgement, NoVerdict, Result, Target
from monitor.rule import Advisor, Book, Judge, Rule

log = structlog.get_logger()


def evaluate(rules: Iterable[Rule], seen: Measurement) -> list[Judgement]:
    """Give each rule's judgement; of a measurement that has no answer, each rule's reason for saying nothing."""
    return [judgement(rule, seen.target, _verdicts(rule, seen)) for rule in rules]


async def advise(advisor: Advisor, book: Book) -> Judgement:
    """Let an advisor speak of one database; one that breaks says so and harms no other."""
    verdicts: Sequence[Finding | NoVerdict]
    try:
        verdicts = await advisor.advise(book)
    except ProbeSkipped as error:
        verdicts = [NoVerdict(reason=str(error), needs=error.needs)]
    except Exception as error:
        log.exception("advisor broke", advisor=advisor.id, target=str(book.target), error=type(error).__name__)
        verdicts = [broken(error)]
    return judgement(advisor, book.target, _once_each(list(verdicts)))


def judgement(judge: Judge, source: Target, verdicts: Iterable[Finding | NoVerdict]) -> Judgement:
    """Put verdicts beside their judge's patience."""
    return Judgement(rule=judge.id, source=source, hold=judge.hold, keep=judge.keep, verdicts=tuple(verdicts))


def _verdicts(rule: Rule, seen: Measurement) -> list[Finding | NoVerdict]:
    if seen.result is not Result.OK:
        return [NoVerdict(reason=seen.reason, needs=seen.needs)]
    verdicts: list[Finding | NoVerdict] = []
    try:
        for verdict in rule.check(seen):
            verdicts.append(verdict)  # noqa: PERF402 - what came before a failure must stand
    except ProbeSkipped as error:
        verdicts.append(NoVerdict(reason=str(error), needs=error.needs))
    except Exception as error:
        log.exception("rule broke", rule=rule.id, target=str(seen.target), error=type(error).__name__)
        verdicts.append(broken(error))
    return _once_each(verdicts)


def broken(error: Exception) -> NoVerdict:
    """Say that our own rule or advisor broke."""
    return NoVerdict(reason=f"the rule itself broke ({type(error).__name__}); please report it", needs=Needs.REPAIR)


def _once_each(verdicts: list[Finding | NoVerdict]) -> list[Finding | NoVerdict]:
    """Keep the worst finding of each fingerprint."""
    worst: dict[str, Finding] = {}
    for verdict in verdicts:
        if isinstance(verdict, Finding):
            known = worst.get(verdict.fingerprint)
            if known is None or verdict.severity.rank > known.severity.rank:
                worst[verdict.fingerprint] = verdict
    return [*worst.values(), *(verdict for verdict in verdicts if isinstance(verdict, NoVerdict))]
