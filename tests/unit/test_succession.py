"""Findings move with the server: after a failover the same trouble goes on elsewhere, and nobody is woken twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.collect.runner import Clock
from monitor.daemon.desk import Desk
from monitor.daemon.pending import Pending
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.measurement import Measurement
from monitor.model import Ack, Alert, Finding, NoVerdict, Result, Secret, Server, Severity, State, Target
from monitor.notify.webhook import bounded, schema
from monitor.notify.wording import place
from monitor.probe import Probe, Scope
from monitor.standing import ServerStanding
from monitor.store.alerts import StoredAlerts
from monitor.store.documents import alert_document, alert_from_document
from monitor.store.engine import Store
from tests.alerts import NOON, at, finding, firing, judgement
from tests.notices import notice
from tests.unit.test_dispatch import Place, running
from tests.unit.test_report_json import breaches

PROBE = Probe(name="replication", scope=Scope.SERVER, every=15)
ANN = Ack(author="ann", comment="I know", at=NOON, severity=Severity.WARNING)
REPLICAS = {"main": None, "spare": "main", "other": None}
LONG = 3600.0


@dataclass
class Room:
    """A desk with a primary, its standby, and a server that has nothing to do with them."""

    now: datetime = NOON
    pending: Pending = field(default_factory=Pending)

    def __post_init__(self) -> None:
        self.desk = Desk(Ledger(), Exposition(), Clock(now=lambda: self.now), self.pending)
        self.servers = {
            name: Server(name=name, dsn=Secret("postgresql://db"), replica_of=of) for name, of in REPLICAS.items()
        }
        for name, server in self.servers.items():
            self.desk.shelf.servers[name] = ServerStanding(server, spent=lambda: 0.0)
            self.desk.shelf.servers[name].turn(NOON, up=True)

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def role(self, name: str, *, standby: bool, result: Result = Result.OK) -> None:
        """Let the replication probe read what a server is."""
        seen = Measurement(
            target=Target(name),
            probe="replication",
            taken_at=self.now,
            rows=({"kind": "server", "in_recovery": standby},),
            result=result,
        )
        await self.desk.take(self.servers[name], PROBE, seen)

    def down(self, name: str) -> None:
        self.desk.shelf.servers[name].turn(self.now, up=False, reason="no answer")

    def found(self, name: str, *verdicts: Finding | NoVerdict, hold: float = 0.0) -> None:
        """Let a rule speak of a server's database."""
        target = Target(name, "shop")
        own = [replace(each, target=target) if isinstance(each, Finding) else each for each in verdicts]
        rule = next((each.rule for each in own if isinstance(each, Finding)), "pool.saturation")
        self.desk.follow([judgement(*own, hold=hold, source=target, rule=rule)])

    def alert(self, name: str, found: Finding | None = None) -> Alert | None:
        own = replace(found or finding(), target=Target(name, "shop"))
        return self.desk.ledger.get(own.fingerprint)

    def acked(self, name: str) -> None:
        own = replace(finding(), target=Target(name, "shop"))
        change = self.desk.ledger.ack(own.fingerprint, ANN)
        assert change is not None


@pytest.fixture
async def room() -> Room:
    """The primary has had a finding for an hour, of which Ann has taken note."""
    made = Room()
    await made.role("main", standby=False)
    await made.role("spare", standby=True)
    made.found("main", finding())
    made.acked("main")
    made.sleep(LONG)
    return made


async def test_after_a_crash_it_goes_on_at_the_new_primary(room: Room) -> None:
    """At once, whatever its hold: it has stood for long; with who took note of it. The old one is over."""
    room.down("main")
    room.sleep(60)
    await room.role("spare", standby=False)
    room.found("spare", finding(), hold=600)
    new, old = room.alert("spare"), room.alert("main")
    assert new is not None
    assert (new.state, new.starts_at, new.acked, new.moved_from) == (State.FIRING, NOON, ANN, "main")
    assert old is not None
    assert (old.state, old.ended_by, old.acked) == (State.RESOLVED, "it moved to spare", None)
    steps = [(each.state, each.why) for each in room.pending.take().transitions]
    assert ("moved", "it stood on main before") in steps


@pytest.mark.parametrize("first", ["main", "spare"])
async def test_after_a_switchover_too(room: Room, first: str) -> None:
    """Whoever is read first: at the old primary the rule applies no more."""
    await room.role("main", standby=True)
    await room.role("spare", standby=False)
    room.sleep(15)
    for name in (first, "spare" if first == "main" else "main"):
        if name == "main":
            room.found("main", NoVerdict(reason="a standby has none", needs=None))
        else:
            room.found("spare", finding(), hold=600)
    new, old = room.alert("spare"), room.alert("main")
    assert new is not None
    assert (new.state, new.acked, new.moved_from) == (State.FIRING, ANN, "main")
    assert old is not None
    assert old.state is State.RESOLVED


async def test_it_ends_there_and_what_comes_later_is_new(room: Room) -> None:
    """And it may go back the same way."""
    room.down("main")
    await room.role("spare", standby=False)
    room.found("spare", finding())
    room.found("spare")
    over = room.alert("spare")
    assert over is not None
    assert (over.state, over.moved_from) == (State.RESOLVED, "")
    room.sleep(2 * LONG)
    room.found("spare", finding())
    again = room.alert("spare")
    assert again is not None
    assert (again.moved_from, again.acked, again.starts_at) == ("", None, room.now)


async def _nothing(_room: Room) -> None:
    """Main goes down, and the standby stays one."""
    _room.down("main")


async def _both_live(room: Room) -> None:
    """The standby is promoted to be a server of its own; the primary goes on."""
    await room.role("spare", standby=False)


async def _long_ago(room: Room) -> None:
    room.down("main")
    await room.role("spare", standby=False)
    room.sleep(LONG + 1)


async def _mended_before(room: Room) -> None:
    """It was over before the failover, for it was not seen any more."""
    room.found("main")
    room.down("main")
    await room.role("spare", standby=False)


async def _unread(room: Room) -> None:
    """That it was promoted nobody could read."""
    room.down("main")
    await room.role("spare", standby=False, result=Result.TIMEOUT)


async def _still_there(room: Room) -> None:
    """The old primary is a standby now, and is accused there as well."""
    await room.role("main", standby=True)
    await room.role("spare", standby=False)
    room.sleep(15)
    room.found("main", finding())


@pytest.mark.parametrize("failover", [_nothing, _both_live, _long_ago, _mended_before, _unread, _still_there])
async def test_without_a_failover_it_is_news(room: Room, failover: Callable[[Room], Any]) -> None:
    """Both stand for themselves."""
    await failover(room)
    before = room.alert("main")
    room.found("spare", finding())
    new = room.alert("spare")
    assert new is not None
    assert (new.moved_from, new.acked, new.starts_at) == ("", None, room.now)
    assert room.alert("main") == before


async def test_what_is_of_another_server_or_about_us_does_not_move(room: Room) -> None:
    """Nor another subject."""
    for rule in ("probe.broken", "pool.saturation"):
        room.found("other", finding("x", rule=rule))
        room.found("main", finding("x", rule="probe.broken"), finding())
    for name in ("main", "other"):
        room.down(name)
    await room.role("spare", standby=False)
    room.sleep(5)
    for found in (finding("x"), finding("x", rule="probe.broken"), finding("y")):
        room.found("spare", found)
        new = room.alert("spare", found)
        assert new is not None
        assert new.moved_from == ""


async def test_what_is_worse_than_what_was_taken_note_of_is_not_acked(room: Room) -> None:
    room.down("main")
    await room.role("spare", standby=False)
    room.found("spare", finding(severity=Severity.CRITICAL))
    new = room.alert("spare")
    assert new is not None
    assert (new.moved_from, new.acked) == ("main", None)


MOVED = replace(firing("a"), moved_from="main")


async def test_who_took_note_of_it_is_not_told_again_and_others_hear_where_it_was() -> None:
    """Until it is worse, or the ack is taken back."""
    for alert, heard in ((replace(MOVED, acked=ANN), []), (MOVED, ["a firing:warning"])):
        told = Place()
        dispatch = told.dispatch()
        async with running(dispatch):
            dispatch.plan([alert], told.now)
            await dispatch.drain(2)
        assert told.ears.heard == heard
    assert place(MOVED) == "shop/shop, moved from main"


def test_the_webhooks_document_says_it() -> None:
    """By the schema."""
    document: Any = json.loads(bounded(notice(MOVED, firing("b")), None, at(90)))
    assert list(breaches(document, json.loads(schema()))) == []
    assert {each["subject"]: each["moved_from"] for each in document["alerts"]} == {"a": "main", "b": ""}


async def test_the_store_keeps_it(either: Store) -> None:
    """And so does the outbox; a notice of an older version has none."""
    await StoredAlerts(either).save([MOVED])
    assert await StoredAlerts(either).load() == [MOVED]
    document = alert_document(MOVED)
    assert alert_from_document(document) == MOVED
    assert alert_from_document({name: document[name] for name in document.keys() - {"moved_from"}}).moved_from == ""
