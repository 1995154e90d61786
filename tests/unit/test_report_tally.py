"""Counting which rules could judge: silence, a missing subject and an ignored finding are three different things."""

from dataclasses import replace

from monitor.errors import Needs
from monitor.model import Finding, Judgement, NoVerdict
from monitor.report.tally import Tally
from tests import reviews

RULE = reviews.RULES["index.missing_foreign_key"]


def judgement(*verdicts: Finding | NoVerdict) -> Judgement:
    return Judgement(rule=RULE.id, source=reviews.SHOP, hold=0, keep=0, verdicts=verdicts)


def counted(before: Judgement, after: Judgement | None = None) -> tuple[int, int, int]:
    tally = Tally()
    tally.note([before], [after or before])
    (checked,) = (tally + Tally()).checked([RULE])
    return checked.answered, checked.idle, checked.ignored


def test_a_rule_that_spoke_has_answered() -> None:
    """Whether it accused, had nothing to say, or could not judge one object among others."""
    assert counted(judgement()) == (1, 0, 0)
    assert counted(judgement(reviews.NO_INDEX)) == (1, 0, 0)
    assert counted(judgement(NoVerdict(reason="no right", needs=Needs.RIGHTS, subject="public.rooms"))) == (1, 0, 0)


def test_a_rule_that_could_not_speak_has_not() -> None:
    """Nor has one whose subject is not there, which is counted apart."""
    assert counted(judgement(NoVerdict(reason="no right", needs=Needs.RIGHTS))) == (0, 0, 0)
    assert counted(judgement(NoVerdict(reason="no GoTrue", needs=None))) == (0, 1, 0)


def test_what_the_configuration_ignores_is_counted() -> None:
    before = judgement(reviews.NO_INDEX)
    assert counted(before, replace(before, verdicts=())) == (1, 0, 1)


def test_servers_are_added_up() -> None:
    """Each place counts."""
    one, other = Tally(), Tally()
    one.note([judgement()], [judgement()])
    other.note([judgement()], [judgement()])
    assert (one + other).checked([RULE])[0].answered == 2
