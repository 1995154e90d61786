"""Whatever is put, sent, refused, summed up, broken off and restored: no news is lost, and nothing overtakes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.findings.letters import PASSED, SUMMARY, Changes, Entry
from monitor.findings.outbox import Outbox
from monitor.model import Alert
from monitor.notice import Notice
from tests.alerts import at, firing, resolved

GROUPS = ("a", "b", "c")
SUBJECTS = ("one", "two", "three")

Step = tuple[str, str, frozenset[str], frozenset[str], int]
"""What is done; with which group, alerts, news among them, and a number to choose and to measure by."""

subjects = st.frozensets(st.sampled_from(SUBJECTS))
deeds = st.sampled_from(
    ("put", "put", "put", "take", "take", "sent", "failed", "halved", "summed", "let_go", "crash", "forgot", "stuck")
)
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(deeds, st.sampled_from(GROUPS), subjects, subjects, st.integers(0, 100)), max_size=40
)


@dataclass
class Story:
    """One receiver's outbox, its store, what it was told, and what it heard; an alert's version is its occurrences."""

    outbox: Outbox = field(default_factory=Outbox)
    stored: dict[str, Entry] = field(default_factory=dict)
    sending: list[Entry] = field(default_factory=list)
    heard: list[Notice] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)
    """Of each alert that was ever news, the version that was news last."""
    begun: dict[str, int] = field(default_factory=dict)
    """Of each group, the newest version that was sent, whatever came of it; not counting what is stuck."""
    roots: dict[str, str] = field(default_factory=dict)
    """Of each group, the newest message that was begun; parts count as the whole that they were."""
    version: int = 0
    now: float = 0.0

    def store(self, changes: Changes) -> None:
        for entry_id in changes.gone:
            self.stored.pop(entry_id, None)
        for entry in changes.entries:
            before = self.stored.get(entry.id)
            assert before is None or before.notice == entry.notice
            self.stored[entry.id] = entry

    def put(self, group: str, standing: frozenset[str], news: frozenset[str]) -> None:
        self.version += 1
        alerts = tuple(self.alert(group, subject) for subject in sorted(standing | news))
        told = frozenset(alert.finding.fingerprint for alert in alerts if subject_of(alert) in named(group, news))
        self.newest |= dict.fromkeys(told, self.version)
        notice = Notice(
            receiver="ops",
            group=group,
            labels={"group": group},
            alerts=alerts,
            news=told,
            created_at=at(self.now),
            key=f"{self.version}",
        )
        self.store(self.outbox.put([notice], at(self.now)))

    def alert(self, group: str, subject: str) -> Alert:
        begun = firing if self.version % 2 else resolved
        return replace(begun(f"{group}/{subject}"), occurrences=self.version)

    def take(self) -> None:
        entry = self.outbox.next("ops", at(self.now))
        if entry is not None:
            self.sending.append(entry)
            self.begin(entry)
            self.hear(entry.notice)

    def begin(self, entry: Entry) -> None:
        """A group's messages are sent in order, parts too; only what is stuck gave way to newer ones."""
        if not entry.stuck:
            for group in GROUPS if entry.group == SUMMARY else (entry.group,):
                assert entry.root >= self.roots.get(group, "")
                self.roots[group] = entry.root
        version = max((alert.occurrences for alert in entry.notice.alerts), default=0)
        if not (entry.part or entry.stuck) and version:
            for group in {alert.finding.subject.partition("/")[0] for alert in entry.notice.alerts}:
                assert version >= self.begun.get(group, 0)
                self.begun[group] = version

    def hear(self, notice: Notice) -> None:
        """Nothing older is heard after something newer, unless it is the same message again."""
        if notice.key not in {told.key for told in self.heard}:
            before = versions(self.heard)
            for fingerprint, version in versions([notice]).items():
                assert version >= before.get(fingerprint, 0)
        self.heard.append(notice)

    def settle(self, deed: str, number: int) -> None:
        """End one of the sendings. Whether it failed or not, the receiver may have heard it."""
        if not self.sending:
            return
        entry = self.sending.pop(number % len(self.sending))
        match deed:
            case "sent":
                self.store(self.outbox.sent(entry.id))
            case "failed":
                self.unheard(entry.notice, number)
                self.store(self.outbox.failed(entry.id, at(self.now), number, "no"))
            case "stuck":
                self.unheard(entry.notice, 0)
                self.stick(entry)
            case "halved":
                self.unheard(entry.notice, 0)
                if len(entry.notice.alerts) > 1:
                    self.store(self.outbox.halved(entry.id, at(self.now)))
                else:
                    self.outbox.let_go(entry.id)
            case "let_go":
                self.unheard(entry.notice, number)
                self.outbox.let_go(entry.id)
            case "forgot":
                self.outbox.sent(entry.id)
                self.crash()

    def stick(self, entry: Entry) -> None:
        """Let it fail until it is stuck, if such a one can be."""
        self.store(self.outbox.failed(entry.id, at(self.now), 0, "no"))
        for _ in range(PASSED):
            again = self.outbox.next("ops", at(self.now))
            if again is None:
                return
            if again.notice.key != entry.notice.key:
                self.outbox.let_go(again.id)
                return
            self.store(self.outbox.failed(again.id, at(self.now), 0, "no"))

    def unheard(self, notice: Notice, number: int) -> None:
        """Whether it was heard is chance; if it was not, forget that it was."""
        if number % 2 == 0:
            last = max(place for place, told in enumerate(self.heard) if told.key == notice.key)
            del self.heard[last]

    def crash(self) -> None:
        """Begin anew with what is stored; what was under way was heard or not."""
        self.sending.clear()
        self.outbox = Outbox(reversed(self.stored.values()))

    def holds(self) -> None:
        """Store and outbox agree, and of a group at most one is under way and at most one more waits as a whole."""
        waiting = self.outbox.waiting("ops")
        assert list(waiting) == sorted(self.stored.values(), key=lambda entry: entry.id)
        under_way = [entry.group for entry in self.sending if not (entry.part or entry.stuck)]
        assert len(under_way) == len(set(under_way))
        alerts = [fingerprint for entry in self.sending for fingerprint in entry.told]
        assert len(alerts) == len(set(alerts))
        for group in {entry.group for entry in waiting}:
            whole = [entry for entry in waiting if entry.group == group and not (entry.part or entry.stuck)]
            assert len(whole) <= 2


def named(group: str, chosen: frozenset[str]) -> set[str]:
    return {f"{group}/{subject}" for subject in chosen}


def subject_of(alert: Alert) -> str:
    return alert.finding.subject


def versions(notices: Sequence[Notice]) -> dict[str, int]:
    """The newest version of each alert in them."""
    newest: dict[str, int] = {}
    for notice in notices:
        for alert in notice.alerts:
            fingerprint = alert.finding.fingerprint
            newest[fingerprint] = max(alert.occurrences, newest.get(fingerprint, 0))
    return newest


@given(steps)
@settings(max_examples=300)
def test_no_news_is_lost_and_nothing_overtakes(history: list[Step]) -> None:
    """In the end each alert that was ever news was heard as it was when it was news last, or later."""
    story = Story()
    for deed, group, standing, news, number in history:
        story.now += number
        match deed:
            case "put":
                story.put(group, standing, news)
            case "take":
                story.take()
            case "summed":
                story.store(story.outbox.summed("ops", at(story.now)))
            case "crash":
                story.crash()
            case _:
                story.settle(deed, number)
        story.holds()
    finish(story)
    heard = versions(story.heard)
    assert all(heard.get(fingerprint, 0) >= version for fingerprint, version in story.newest.items())


def finish(story: Story) -> None:
    """Let everything that waits be sent, after the longest rest."""
    story.now += 1000
    while story.outbox.receivers:
        while story.sending:
            story.settle("sent", 0)
        story.take()
        assert story.sending or not story.outbox.receivers
    story.holds()
