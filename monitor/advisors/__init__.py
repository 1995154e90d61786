"""Advisors: judgements that join several measurements."""

from monitor.advisors.index.invalid import Invalid
from monitor.advisors.index.missing import Missing
from monitor.advisors.index.no_effect import NoEffect
from monitor.advisors.index.redundant import Duplicate, RedundantPrefix
from monitor.advisors.index.rewriting import IndexRewrite
from monitor.advisors.index.unused import Unused
from monitor.advisors.pool_churn import Churn
from monitor.advisors.sequential_scans import SequentialScans
from monitor.advisors.statements_new_slow import NewSlow
from monitor.advisors.statements_regressed import Regressed
from monitor.advisors.unparameterised import Unparameterised
from monitor.rule import Advisor


def advisors() -> tuple[Advisor, ...]:
    """Give every advisor with its defaults."""
    return (SequentialScans(), Regressed(), NewSlow(), Unparameterised(), Churn(), *_about_indexes())


def _about_indexes() -> tuple[Advisor, ...]:
    return (Missing(), Invalid(), Duplicate(), RedundantPrefix(), Unused(), NoEffect(), IndexRewrite())
