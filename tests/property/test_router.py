"""The router over any history of alerts, mutes, restarts and clocks: nothing lost, nothing twice, nothing too often."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from monitor.findings.matchers import parse_matcher
from monitor.findings.route import Route
from monitor.findings.router import Mute, Router, Told
from monitor.model import Alert, Severity, State
from monitor.notice import Notice
from monitor.store.records import ToldKey
from tests.alerts import NOON, firing

WAIT, INTERVAL, REPEAT, STEP = 30, 60, 300, 10
SUBJECTS = ("a", "b", "c", "d")

CRITICAL_ONLY = Route(receiver="up", matchers=(parse_matcher('severity="critical"'),), continue_=True)
ROUTES = [
    Route(
        receiver="all",
        group_by=group_by,
        group_wait=WAIT,
        group_interval=INTERVAL,
        repeat_interval=REPEAT,
        routes=routes,
    )
    for group_by in ((), ("rule",), ("severity",), ("...",))
    for routes in ((), (CRITICAL_ONLY, Route()), (replace(CRITICAL_ONLY, continue_=False),))
]

Deed: TypeAlias = tuple[str, object, object]
subjects = st.sampled_from(SUBJECTS)
deeds: st.SearchStrategy[Deed] = st.one_of(
    st.tuples(st.just("fire"), subjects, st.sampled_from(Severity)),
    st.tuples(st.just("fire"), subjects, st.sampled_from(Severity)),
    st.tuples(st.just("end"), subjects, st.none()),
    st.tuples(st.just("suspect"), subjects, st.none()),
    st.tuples(st.just("mute"), subjects, st.sampled_from(Mute)),
    st.tuples(st.just("wait"), st.sampled_from([STEP, 40, 70, 130, 400]), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([STEP, 40, 70, 130, 400]), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
    st.tuples(st.just("jump"), st.sampled_from([-100_000, -50, 50, 100_000]), st.none()),
)


class History:
    """A world in which the deeds happen, and what its receivers believe after the notices they got."""

    def __init__(self, route: Route) -> None:
        self.route, self.now = route, NOON
        self.alerts: dict[str, Alert] = {}
        self.mutes: dict[str, Mute] = {}
        self.marks: dict[ToldKey, Told] = {}
        self.believed: dict[tuple[str, str], str] = {}
        self.calm: dict[str, datetime] = {}
        """Since when an alert is as it is."""
        self.spoke: dict[tuple[str, str], datetime] = {}
        """The last message of a group."""
        self.near: dict[tuple[str, str], datetime] = {}
        """The same, until the clock is set back after the distance was kept."""
        self.keys: set[str] = set()
        self.jumps = 0
        self.router = Router(route)

    def do(self, deed: Deed) -> None:
        match deed:
            case "fire", str(subject), Severity() as severity:
                self.fire(subject, severity)
            case "end" | "suspect" as word, str(subject), _:
                self.end(subject, suspected=word == "suspect")
            case "mute", str(subject), Mute() as mute:
                self.mutes[firing(subject).finding.fingerprint] = mute
                self.calm[firing(subject).finding.fingerprint] = self.now
            case "restart", _, _:
                self.restart()
            case "jump", int(seconds), _:
                self.jump(seconds)
            case "wait", int(seconds), _:
                for _ in range(seconds // STEP):
                    self.now += timedelta(seconds=STEP)
                    self.plan()

    def fire(self, subject: str, severity: Severity) -> None:
        alert = replace(firing(subject, severity), starts_at=self.now, fired_at=self.now)
        known = self.alerts.get(alert.finding.fingerprint)
        if known is not None and known.state is State.FIRING:
            alert = replace(known, finding=alert.finding)
        if known != alert:
            self.calm[alert.finding.fingerprint] = self.now
            self.alerts[alert.finding.fingerprint] = alert

    def end(self, subject: str, *, suspected: bool) -> None:
        known = self.alerts.get(firing(subject).finding.fingerprint)
        if known is not None and known.state is State.FIRING:
            state = State.PENDING if suspected else State.RESOLVED
            self.alerts[known.finding.fingerprint] = replace(known, state=state, ends_at=self.now, occurrences=2)
            self.calm[known.finding.fingerprint] = self.now

    def restart(self) -> None:
        """What fired in the future of this clock waits anew with each start."""
        self.router = Router(self.route, self.marks.values())
        for key, alert in self.alerts.items():
            if alert.fired_at is not None and alert.fired_at > self.now:
                self.calm[key] = self.now

    def jump(self, seconds: int) -> None:
        """Whoever counts from a moment counts from now when that lies in the future. No clock hits a moment twice."""
        kept = self.now - timedelta(seconds=INTERVAL)
        self.jumps += 1
        self.now += timedelta(seconds=seconds, microseconds=self.jumps)
        self.near = {key: min(at, self.now) for key, at in self.near.items() if at > kept}
        self.calm = {key: min(since, self.now) for key, since in self.calm.items()}
        self.spoke = {key: min(at, self.now) for key, at in self.spoke.items()}

    def plan(self) -> None:
        plan = self.router.plan(tuple(self.alerts.values()), self.now, self.muted)
        for key in plan.forgotten:
            del self.marks[key]
        self.marks.update((mark.key, mark) for mark in plan.told)
        for notice in plan.notices:
            self.hear(notice)
        self.check()

    def muted(self, alert: Alert) -> Mute:
        assert alert.state is State.FIRING
        return self.mutes.get(alert.finding.fingerprint, Mute.NONE)

    def hear(self, notice: Notice) -> None:
        """Nothing is said twice, nothing too early, no end of what nobody heard of, nothing of what is muted."""
        assert notice.key not in self.keys
        assert notice.alerts
        self.keys.add(notice.key)
        group = notice.receiver, notice.group
        assert group not in self.near or (self.now - self.near[group]).total_seconds() >= INTERVAL
        assert notice.news or (self.now - self.spoke[group]).total_seconds() >= REPEAT
        self.near[group] = self.spoke[group] = self.now
        for alert in notice.alerts:
            self.hear_of(alert, notice)

    def hear_of(self, alert: Alert, notice: Notice) -> None:
        key = alert.finding.fingerprint
        before = self.believed.get((notice.receiver, key), "resolved")
        assert (before != alert.status) == (key in notice.news)
        assert alert.state is not State.PENDING
        mute = self.mutes.get(key, Mute.NONE)
        if alert.state is State.FIRING:
            assert mute is not Mute.ALL
            assert notice.news or mute is Mute.NONE
        self.believed[notice.receiver, key] = alert.status

    def check(self) -> None:
        """What has been so for long enough is known to everybody, and the marks say what receivers believe."""
        told = {(mark.receiver, mark.fingerprint): mark.status for mark in self.marks.values() if mark.status[0] == "f"}
        assert told == {key: status for key, status in self.believed.items() if status != "resolved"}
        for fingerprint, alert in self.alerts.items():
            if (self.now - self.calm[fingerprint]).total_seconds() >= WAIT + INTERVAL + STEP:
                self.check_calm(fingerprint, alert)

    def check_calm(self, key: str, alert: Alert) -> None:
        for receiver in ("all", "up"):
            believed = self.believed.get((receiver, key), "resolved")
            if alert.state is not State.FIRING or receiver not in self.concerned(alert):
                assert believed == "resolved"
            elif self.mutes.get(key, Mute.NONE) is Mute.NONE:
                assert believed == alert.status
                latest = max(
                    mark.at for mark in self.marks.values() if (mark.receiver, mark.fingerprint) == (receiver, key)
                )
                assert (self.now - latest).total_seconds() <= REPEAT + INTERVAL + STEP

    def concerned(self, alert: Alert) -> set[str]:
        return {branch.receiver for branch in self.route.resolved().matching(alert.all_labels)}


@given(st.sampled_from(ROUTES), st.lists(deeds, max_size=40))
def test_everything_is_told_once_in_time_and_nothing_too_often(route: Route, history: list[Deed]) -> None:
    """Also after restarts, from the marks alone, and with a clock that jumps; what comes to rest leaves no marks."""
    world = History(route)
    for deed in history:
        world.do(deed)
        world.plan()
    for subject in SUBJECTS:
        world.end(subject, suspected=False)
    world.do(("wait", 3 * INTERVAL + STEP, None))
    assert world.marks == {}
    assert world.router.due(world.now) is None


@given(st.sampled_from(ROUTES), st.lists(deeds.filter(lambda deed: deed[0] not in {"jump", "wait"}), max_size=15))
def test_it_is_enough_to_plan_when_it_is_due(route: Route, history: list[Deed]) -> None:
    """After a change, and at the moments that `due` names: whoever sleeps until then tells what a busy one tells."""
    sleeper, busy = History(route), History(route)
    for deed in history:
        sleeper.do(deed)
        busy.do(deed)
        sleeper.plan()
        busy.plan()
        until = busy.now + timedelta(seconds=INTERVAL + WAIT)
        while (due := sleeper.router.due(sleeper.now)) is not None and due <= until:
            assert due > sleeper.now
            sleeper.now = due
            sleeper.plan()
        sleeper.now = until
        busy.do(("wait", INTERVAL + WAIT, None))
        sleeper.plan()
        assert sleeper.believed == busy.believed
