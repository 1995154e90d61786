"""A lag that primary and standby both see is told once: by the standby, as long as that can speak for itself."""

from dataclasses import replace

import pytest

from monitor.findings.inhibition import BUILT_IN, Sources
from monitor.model import Alert, Object, Scalar, Severity, State, Target
from tests.alerts import finding, firing

PRIMARIES = {"left": "main", "right": "main", "below": "left"}


def lag(target: str, subject: str, severity: Severity = Severity.WARNING, **evidence: Scalar) -> Alert:
    found = replace(
        finding(subject, rule="replication.lag"),
        target=Target(target),
        object=Object("standby", name=subject),
        severity=severity,
        evidence=evidence,
    )
    return replace(firing(), finding=found, source=found.target)


def seen(name: str, severity: Severity = Severity.WARNING, *, by: str = "main", connections: int = 1) -> Alert:
    """A standby's lag as its primary sees it."""
    return lag(by, name, severity, connections=connections)


OWN = lag("left", "left", known_as="one")


def muted_by(alert: Alert, *others: Alert) -> Alert | None:
    return Sources(BUILT_IN, [alert, *others], PRIMARIES).inhibited_by(alert)


def test_the_standbys_own_word_mutes_its_primarys() -> None:
    """Not the other way round."""
    assert muted_by(seen("one"), OWN) == OWN
    assert muted_by(OWN, seen("one")) is None


def test_what_is_graver_is_told_as_well() -> None:
    grave = replace(OWN, finding=replace(OWN.finding, severity=Severity.CRITICAL))
    assert muted_by(seen("one", Severity.CRITICAL), OWN) is None
    assert muted_by(seen("one", Severity.CRITICAL), grave) == grave
    assert muted_by(seen("one"), grave) == grave


@pytest.mark.parametrize(
    "alert",
    [
        seen("two"),
        seen("one", by="other"),
        seen("one", by="left"),
        seen("one", connections=2),
        replace(seen("one"), finding=replace(seen("one").finding, rule="replication.standby_lost")),
        replace(seen("one"), finding=replace(seen("one").finding, object=Object("subscription", name="one"))),
    ],
    ids=["another standby", "another primary", "one below it", "two of one name", "lost", "a subscriber"],
)
def test_what_may_be_about_another_is_told(alert: Alert) -> None:
    assert muted_by(alert, OWN) is None


@pytest.mark.parametrize(
    "own",
    [
        replace(OWN, state=State.PENDING),
        replace(OWN, state=State.RESOLVED),
        lag("left", "left", known_as=None),
        lag("main", "main", known_as="one"),
    ],
    ids=["suspected", "over", "not known by which name", "not a replica of it"],
)
def test_a_standby_that_says_nothing_mutes_nobody(own: Alert) -> None:
    assert muted_by(seen("one"), own) is None


def test_of_two_that_go_by_one_name_the_primary_is_heard() -> None:
    """Their names there do not tell them apart."""
    assert muted_by(seen("one"), OWN, lag("right", "right", known_as="one")) is None


def test_a_standby_that_is_down_leaves_the_word_to_its_primary() -> None:
    """What it said last is old, and muted itself."""
    down = replace(firing(), finding=replace(finding("left", rule="target.unreachable"), target=Target("left")))
    assert muted_by(seen("one"), OWN, down) is None
    assert muted_by(OWN, seen("one"), down) == down


def test_a_cascade_is_told_at_each_step_by_its_standby() -> None:
    """Also where each is called the same by the one above it."""
    below = lag("below", "below", known_as="one")
    assert muted_by(seen("one", by="left"), OWN, below) == below
    assert muted_by(seen("one"), OWN, below) == OWN
    assert muted_by(seen("one"), below) is None
