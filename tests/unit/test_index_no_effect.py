"""Indexes that were made as advised and helped nobody: proposed for drop, unless somebody else may need them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.advisors.index.missing import Missing, names_tried
from monitor.advisors.index.no_effect import ALONE, NoEffect
from monitor.advisors.index.unused import Unused
from monitor.measurement import Measurement
from monitor.model import Area, Confidence, Finding, Object, Severity, Target
from monitor.proof import Cure, Outcome, Proof, Sign, Thing
from monitor.report.pages import Pages, Said
from monitor.rule import Advisor
from monitor.rules.evaluate import advise
from monitor.shape import ForeignKey, Index, Shape
from monitor.shaped import with_shape
from tests.unit.indexes import NOW, index, shape, table

SHOP = Target("main", "shop")
HOUR = 3600.0
MADE = index("made", "a")
PROOF = Proof(
    probe="statements", metric="exec_seconds", per="calls", labels={"statement": "abc"}, value=1, what="", pace=1
)
CURE = Cure(
    at=NOW - timedelta(seconds=HOUR),
    sign=Sign(kind="index", relation="public.t", columns=("a",)),
    thing=Thing(kind="index", relation="public.t", name="public.made", columns=("a",), uses=0),
    proof=PROOF,
    outcome=Outcome.NO_EFFECT,
)


async def found(
    seen: Shape, *cures: Cure, proposals: Sequence[Finding] = (), rule: Advisor | None = None
) -> list[Finding]:
    """What the rule finds, of an index that was made an hour ago."""
    reading = Measurement(target=SHOP, probe="shape", taken_at=NOW, details=with_shape(seen))
    said = {Missing.id: Said(findings=proposals, cures=cures)}
    book = Pages(SHOP, {(SHOP, "shape"): reading}, said=lambda _, name: said.get(name, Said()))
    verdicts = (await advise(rule or NoEffect(), book)).verdicts
    return [each for each in verdicts if isinstance(each, Finding)]


def of(*own: Index) -> Shape:
    return shape(table(*own))


@pytest.mark.parametrize("outcome", [Outcome.NO_EFFECT, Outcome.WORSE])
async def test_what_helped_nobody_is_proposed_for_drop(outcome: Outcome) -> None:
    """With what undoes that, and which statement it was made for."""
    (finding,) = await found(of(MADE), replace(CURE, outcome=outcome))
    assert (finding.rule, finding.subject, finding.object.kind) == ("index.no_effect", "public.made", "index")
    assert finding.remedy.sql == ("drop index concurrently if exists public.made",)
    assert finding.remedy.rollback
    assert (finding.evidence["outcome"], finding.evidence["statement"]) == (str(outcome), "abc")
    assert ("slower" in finding.summary) is (outcome is Outcome.WORSE)
    assert finding.confidence is Confidence.HIGH


@pytest.mark.parametrize(
    "cure",
    [
        replace(CURE, outcome=Outcome.FIXED),
        replace(CURE, outcome=None),
        replace(CURE, proof=None),
        replace(CURE, thing=replace(CURE.thing, uses=None)),
        replace(CURE, thing=replace(CURE.thing, name="public.other")),
        replace(CURE, thing=replace(CURE.thing, uses=5)),
    ],
)
async def test_what_helped_or_is_not_known_or_gone_is_not(cure: Cure) -> None:
    """Also where counts fell: they were reset since."""
    assert await found(of(MADE), cure) == []


async def test_what_others_may_use_is_left_alone() -> None:
    """At the limit it is told still, with less confidence and the advice to look first."""
    limit = round(ALONE * PROOF.pace * HOUR)
    (finding,) = await found(of(replace(MADE, scans=limit)), CURE)
    assert finding.confidence is Confidence.MEDIUM
    assert "another statement" in finding.remedy.caution
    assert await found(of(replace(MADE, scans=limit + 1)), CURE) == []


@pytest.mark.parametrize(
    "tie", [{"unique": True}, {"constraint": "k"}, {"replica_identity": True}, {"clustered": True}, {"owner": "x"}]
)
async def test_what_is_needed_otherwise_stays(tie: dict[str, object]) -> None:
    """It may have been made for this as well."""
    assert await found(of(replace(MADE, **tie)), CURE) == []  # type: ignore[arg-type]  # fields by name


async def test_what_serves_a_foreign_key_stays() -> None:
    """Its checks are no statement that was measured."""
    key = ForeignKey(name="k", table=1, columns=(2,), parent=9, parent_columns=(1,))
    assert await found(shape(table(MADE), keys=[key]), CURE) == []


def proposal(*relied: str) -> Finding:
    return Finding(
        target=SHOP, rule=Missing.id, area=Area.PERFORMANCE, severity=Severity.WARNING, subject="public.t (b)",
        object=Object("table"), title="", summary="", impact="", evidence={"relies_on": list(relied)},
    )  # fmt: skip


async def test_what_a_proposal_relies_on_is_not_told_to_go() -> None:
    """Neither here nor as unused; what it does not name goes."""
    rule = Unused(min_bytes=0)
    assert len(await found(of(MADE), CURE, proposals=[proposal("public.other")])) == 1
    assert await found(of(MADE), CURE, proposals=[proposal("public.made")]) == []
    assert len(await found(of(MADE), proposals=[proposal("public.other")], rule=rule)) == 1
    assert await found(of(MADE), proposals=[proposal("public.made")], rule=rule) == []


def test_what_was_tried_in_vain_is_not_proposed_again_for_a_while() -> None:
    """Once it is dropped the planner wants it again."""
    limit = CURE.at
    assert names_tried([CURE], limit) == {"public.made"}
    assert names_tried([CURE], limit + timedelta(seconds=1)) == frozenset()
    assert names_tried([replace(CURE, outcome=Outcome.FIXED)], limit) == frozenset()
