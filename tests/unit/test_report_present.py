"""A daemon's report says what was checked: which rules looked, had nothing to judge, or were not asked yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.errors import Needs
from monitor.measurement import Measurement
from monitor.model import Finding, Judgement, NoVerdict, Secret, Server, Target
from monitor.report.form import Mark, checklist
from monitor.report.present import Present
from monitor.report.review import Checked, Review, Verdict
from monitor.report.text import as_text
from monitor.rule import Advisor
from monitor.standing import ServerStanding
from monitor.whole import whole_catalog
from tests import reviews
from tests.unit.shelf import NOW

CATALOG = whole_catalog()
PROBE, RULE = CATALOG.probes["wal"], "wal.growth"
WHOLE, SHOP = Target("shop"), Target("shop", "app")


def standing(name: str = "shop") -> ServerStanding:
    made = ServerStanding(Server(name=name, dsn=Secret("postgresql://db")), spent=lambda: 0.0, databases=("app",))
    made.turn(NOW, up=True)
    return made


def judgement(*verdicts: Finding | NoVerdict, rule: str = RULE, source: Target = WHOLE) -> Judgement:
    return Judgement(rule=rule, source=source, hold=0, keep=0, verdicts=verdicts)


def present(*standings: ServerStanding, readings: Sequence[Measurement] = ()) -> Review:
    return Present(standings=standings, findings=(), readings=readings, probes=[PROBE], advisors=()).review()


def checked(review: Review, rule: str = RULE) -> Checked:
    return next(each for each in review.checked if each.judge.id == rule)


def everything(healthy: ServerStanding) -> ServerStanding:
    healthy.said([judgement(rule=rule.id, source=Target(healthy.server.name)) for rule in PROBE.rules])
    return healthy


def test_a_healthy_database_is_told_with_what_was_checked() -> None:
    """Every rule that looked is counted in its part, and its family is ticked."""
    review = present(everything(standing()))
    assert review.verdict is Verdict.APPROVED
    assert checked(review) == Checked(judge=checked(review).judge, answered=1)
    assert [(item.family, item.mark, item.passed) for item in checklist(review)] == [
        ("wal", Mark.PASSED, len(PROBE.rules))
    ]
    assert "Performance impact: 3 rules looked" in as_text(review, 100)


def test_what_was_not_asked_yet_is_no_all_clear() -> None:
    """A probe that has not run since the start: its rules are named, and nothing is approved."""
    review = present(standing())
    assert review.verdict is Verdict.NOT_EVALUATED
    (entry,) = (each for each in review.not_evaluated if each.rule == RULE)
    assert (entry.target, entry.needs) == (WHOLE, Needs.TIME)
    assert entry.reason == "not yet: the probe wal has not run here"
    assert checked(review).answered == 0


def test_of_a_server_that_is_down_nothing_counts_as_checked() -> None:
    """What was well an hour ago is not known now."""
    down = everything(standing())
    down.turn(NOW, up=False, reason="connection refused")
    review = present(down)
    assert (review.verdict, checked(review).answered, review.not_evaluated) == (Verdict.NOT_EVALUATED, 0, [])


def test_each_place_counts_and_only_what_was_said_last() -> None:
    """What has no subject here is idle; a refusal that was lifted is none any more."""
    one, other = everything(standing()), everything(standing("billing"))
    refused = judgement(NoVerdict(reason="no right", needs=Needs.RIGHTS))
    one.said([refused])
    one.said([judgement()])
    other.said([judgement(NoVerdict(reason="no GoTrue", needs=None), source=Target("billing"))])
    found = checked(present(one, other))
    assert (found.answered, found.idle) == (1, 1)


def test_what_the_configuration_ignores_is_counted() -> None:
    """Also after it was judged again; when it is gone, it is not."""
    healthy, before = everything(standing()), judgement(reviews.NO_INDEX)
    for _ in range(2):
        healthy.said([judgement()], [before])
    review = present(healthy)
    assert (review.ignored, checked(review).ignored, checked(review).answered) == (1, 1, 1)
    healthy.said([judgement()], [judgement()])
    assert present(healthy).ignored == 0


def test_advisors_and_databases_are_asked_for_one_by_one() -> None:
    """Of two databases the one nobody looked at is named; what is not there any more is not missed."""
    tables = CATALOG.probes["tables"]
    advisor = next(each for each in CATALOG.judges if isinstance(each, Advisor) and each.id == "statements.regressed")
    watched = replace(standing(), databases=("app", "billing"))
    watched.said([judgement(rule=rule.id, source=SHOP) for rule in tables.rules])
    asked = Present(standings=[watched], findings=(), readings=(), probes=[tables], advisors=[advisor])
    missed = {(str(each.target), each.rule) for each in asked.review().not_evaluated}
    assert missed == {
        *(("shop/billing", rule.id) for rule in tables.rules),
        ("shop/app", "statements.regressed"),
        ("shop/billing", "statements.regressed"),
    }
    watched.lost("app")
    assert Target("shop", "app") not in watched.judged
