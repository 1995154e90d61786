"""ignore.unused and ignore.expired: sick, cured as their caution says, near miss, at the limit, too little data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pytest

from monitor.collect.runner import Clock
from monitor.daemon.desk import Desk
from monitor.daemon.pending import Pending
from monitor.errors import Needs
from monitor.expose.metrics import Exposition
from monitor.findings.ignores import Ignore, Ignores
from monitor.findings.ledger import Ledger
from monitor.measurement import Measurement, Row
from monitor.model import Finding, NoVerdict, Object, Secret, Server, State, Target
from monitor.rule import Rule
from monitor.rules.daemon import IgnoreExpired, IgnoreUnused
from monitor.rules.evaluate import evaluate
from monitor.rules.own import OWN
from monitor.standing import ServerStanding
from monitor.whole import whole_catalog
from tests.alerts import NOON, finding, judgement

DAY = NOON.date()
ENTRY = "index.unused, subject public.audit_*"


def row(
    *, met: bool = False, answered: bool = True, seconds: float = 7200.0, until: date | None = None, entry: str = ENTRY
) -> Row:
    return {
        "kind": "ignore",
        "entry": entry,
        "reason": "quarter-end reports",
        "until": until,
        "met": met,
        "answered": answered,
        "seconds": seconds,
    }


def verdicts(rule: Rule, *rows: Row) -> Sequence[Finding | NoVerdict]:
    seen = Measurement(target=Target("pgarchitect"), probe=OWN, taken_at=NOON, rows=rows)
    return evaluate([rule], seen)[0].verdicts


def one_finding(rule: Rule, *rows: Row) -> Finding:
    (verdict,) = verdicts(rule, *rows)
    assert isinstance(verdict, Finding)
    return verdict


def test_an_entry_that_met_nothing_is_unused() -> None:
    """Sick: named by its globs, with its reason, and what to do about it."""
    found = one_finding(IgnoreUnused(), row())
    assert (found.subject, found.object) == (ENTRY, Object("setting", name="ignore"))
    assert found.summary == "it has met no finding for 2 h; its reason was: quarter-end reports"
    assert (found.severity, found.remedy.sql) == ("info", ())
    assert found.evidence == {"reason": "quarter-end reports"}


@pytest.mark.parametrize("rows", [(), (row(met=True),)], ids=["removed", "globs mended"])
@pytest.mark.parametrize("rule", [IgnoreUnused(), IgnoreExpired()], ids=lambda rule: str(rule.id))
def test_an_entry_that_is_removed_or_mended_is_told_of_no_more(rule: Rule, rows: Sequence[Row]) -> None:
    """Cured."""
    assert verdicts(rule, *rows) == ()


def test_each_entry_is_judged_by_itself() -> None:
    """Near miss: the one beside it does something."""
    found = one_finding(IgnoreUnused(), row(met=True, entry="pool.*"), row())
    assert found.subject == ENTRY


def test_an_hour_is_enough_and_less_is_not() -> None:
    """At the limit; and the field `after` moves it."""
    assert one_finding(IgnoreUnused(), row(seconds=3600)).subject == ENTRY
    assert isinstance(verdicts(IgnoreUnused(), row(seconds=3599.9))[0], NoVerdict)
    assert one_finding(IgnoreUnused(after=2), row(seconds=2)).subject == ENTRY


@pytest.mark.parametrize("early", [row(seconds=60), row(answered=False)], ids=["too soon", "a server is down"])
def test_what_is_not_known_yet_is_no_verdict(early: Row) -> None:
    """Too little data: of that entry alone, and it needs history, which spoils no approval."""
    found, unsaid = sorted(verdicts(IgnoreUnused(), {**early, "entry": "pool.*"}, row()), key=str)
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject) == (Needs.HISTORY, "pool.*")
    assert isinstance(found, Finding)


@pytest.mark.parametrize(("until", "over"), [(DAY - timedelta(days=1), True), (DAY, False), (None, False)])
def test_an_entry_is_expired_from_the_day_after(until: date | None, over: bool) -> None:  # noqa: FBT001
    """Sick, at the limit (the day itself is ignored still), near miss (for good); said once, by one rule."""
    rows = row(until=until)
    assert bool(verdicts(IgnoreExpired(), rows)) is over
    assert bool(verdicts(IgnoreUnused(), rows)) is not over


def test_an_expired_entry_says_since_when() -> None:
    found = one_finding(IgnoreExpired(), row(until=DAY - timedelta(days=1), seconds=0, answered=False, met=True))
    assert found.summary == "it ended with 2026-02-28; its reason was: quarter-end reports"
    assert found.evidence["until"] == "2026-02-28"


@dataclass
class Hand:
    """Moves the hand."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def desk(hand: Hand) -> Desk:
    """A desk with one server that answers and one that was not asked yet."""
    desk = Desk(Ledger(), Exposition(limit=100), Clock(now=hand.now), Pending())
    for name in ("shop", "later"):
        server = Server(name=name, dsn=Secret("postgresql://h/d"))
        desk.shelf.servers[name] = ServerStanding(server, spent=lambda: 0.0)
    desk.shelf.servers["shop"].turn(NOON, up=True)
    return desk


def open_subjects(desk: Desk) -> list[tuple[str, str]]:
    return [(alert.finding.rule, alert.finding.subject) for alert in desk.ledger.alerts if alert.state is State.FIRING]


def look(desk: Desk, hand: Hand, seconds: float) -> list[tuple[str, str]]:
    hand.seconds = seconds
    desk.judge_ourselves(whole_catalog(), desk.about_ignores())
    return open_subjects(desk)


def test_the_desk_tells_of_an_entry_once_all_that_it_may_concern_has_answered_for_an_hour(
    desk: Desk, hand: Hand
) -> None:
    """One is about a server that answers, one about any; what meets a finding is not named."""
    here, anywhere, used = (
        Ignore(rule="wal.*", target="shop", reason="x"),
        Ignore(rule="wal.*", reason="x"),
        Ignore(rule="pool.*", reason="x"),
    )
    desk.ignores = Ignores([here, anywhere, used])
    desk.judged(desk.shelf.servers["shop"].server, [judgement(finding())])
    assert look(desk, hand, 0) == []
    assert look(desk, hand, 3600) == [("ignore.unused", "wal.*, target shop")]
    desk.shelf.servers["later"].turn(hand.now(), up=True)
    assert look(desk, hand, 3601) == [("ignore.unused", "wal.*, target shop")]
    assert set(look(desk, hand, 7201)) == {("ignore.unused", "wal.*, target shop"), ("ignore.unused", "wal.*")}
    desk.ignores = Ignores([used], desk.ignores)
    assert look(desk, hand, 7202) == []


def test_a_rule_about_ourselves_can_be_ignored(desk: Desk, hand: Hand) -> None:
    """And the entry that does it is not idle."""
    down = Ignore(rule="target.unreachable", target="shop", reason="it is being moved")
    desk.ignores = Ignores([down])
    desk.shelf.servers["shop"].turn(NOON, up=False, reason="refused")
    assert look(desk, hand, 0) == []
    desk.ignores = Ignores([replace(down, until=DAY - timedelta(days=1))])
    assert ("ignore.expired", "target.unreachable, target shop") in look(desk, hand, 60)
    assert "target.unreachable" in {rule for rule, _ in look(desk, hand, 120)}
