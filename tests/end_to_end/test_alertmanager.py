"""A real Alertmanager, alone and in a cluster of two, takes our stream: what it shows, and whom it tells."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from monitor.embedded import free_port
from monitor.errors import DeliveryError
from monitor.model import Alert, Remedy, Severity, State
from monitor.notify.alertmanager import Alertmanager, annotations, labels
from monitor.notify.stream import Stream
from tests.alerts import firing
from tests.end_to_end.alertmanagers import SETTLED, Hook, Peer, alertmanager, pair, soon

pytestmark = pytest.mark.soak

CRITICAL = Severity.CRITICAL


@pytest.fixture
def hook() -> Iterator[Hook]:
    with HTTPServer(host="127.0.0.1") as server:
        yield Hook(server)


@pytest.fixture
async def one(tmp_path: Path, hook: Hook) -> AsyncIterator[Peer]:
    """One Alertmanager by itself."""
    async with alertmanager(tmp_path / "one", hook.url) as peer:
        yield peer


def stream(*peers: Peer, resend_seconds: float = 60) -> Stream:
    urls = tuple(peer.url for peer in peers)
    return Stream(
        Alertmanager(
            name="am", urls=urls, external_url="https://watch.example", runbook=lambda rule: f"Page of {rule}"
        ),
        resend_seconds,
    )


def now() -> datetime:
    return datetime.now(UTC)


def standing(subject: str, severity: Severity = Severity.WARNING, rule: str = "pool.saturation") -> Alert:
    """An alert that has fired a minute ago."""
    began = now() - timedelta(minutes=1)
    return replace(firing(subject, severity, rule=rule), starts_at=began, fired_at=began, labels={"env": "prod"})


def over(alert: Alert) -> Alert:
    return replace(alert, state=State.RESOLVED, ends_at=now())


async def test_alerts_arrive_whole_and_are_grouped(one: Peer, hook: Hook) -> None:
    """Two of a rule come in one notification, with every label and annotation, and the link back to our page."""
    told = [standing("a"), standing("b"), standing("c", rule="pool.idle_in_transaction")]
    await stream(one).take(told, now())
    both, alone = ["a warning firing", "b warning firing"], ["c warning firing"]

    async def groups() -> list[list[str]]:
        return sorted(hook.said())

    await soon(groups, [both, alone])
    for said in [alert for message in hook.messages for alert in message["alerts"]]:
        (alert,) = [each for each in told if each.finding.subject == said["labels"]["subject"]]
        assert said["labels"] == labels(alert)
        assert said["annotations"] == annotations(alert, f"Page of {alert.finding.rule}")
        assert said["generatorURL"] == f"https://watch.example/findings/{alert.finding.fingerprint}"
        assert abs(datetime.fromisoformat(said["startsAt"]) - (alert.fired_at or now())) < timedelta(milliseconds=2)


async def test_what_is_silenced_there_is_suppressed_and_not_told(one: Peer, hook: Hook) -> None:
    """By a matcher on one of our labels."""
    quiet, loud = standing("quiet"), standing("loud")
    silence = {
        "matchers": [{"name": "fingerprint", "value": quiet.finding.fingerprint, "isRegex": False}],
        "startsAt": now().isoformat(),
        "endsAt": (now() + timedelta(hours=1)).isoformat(),
        "createdBy": "anna",
        "comment": "planned",
    }
    await one.ask("silences", silence)
    await stream(one).take([quiet, loud], now())
    await soon(one.shown, {("quiet", "warning"): "suppressed", ("loud", "warning"): "active"})
    await soon(hook.heard, [["loud warning firing"]])


async def test_an_end_is_told(one: Peer, hook: Hook) -> None:
    to, alert = stream(one), standing("a")
    await to.take([alert], now())
    await soon(hook.heard, [["a warning firing"]])
    await to.take([over(alert)], now())
    await soon(hook.heard, [["a warning firing"], ["a warning resolved"]])
    assert await one.shown() == {}


async def test_a_change_of_severity_ends_the_old_and_starts_the_new(one: Peer, hook: Hook) -> None:
    """In one notification, and also when we were restarted in between."""
    before = stream(one)
    await before.take([standing("a")], now())
    await soon(hook.heard, [["a warning firing"]])
    receiver = Alertmanager(name="am", urls=(one.url,), runbook=str)
    await Stream(receiver, sent=before.sent()).take([standing("a", CRITICAL)], now())
    await soon(hook.heard, [["a warning firing"], ["a critical firing", "a warning resolved"]])
    assert await one.shown() == {("a", "critical"): "active"}


async def test_what_fires_is_told_anew_in_time_and_ends_when_we_die(one: Peer, hook: Hook) -> None:
    """Alertmanager ends by itself what it has not been told of for four resends; what is told anew goes on."""
    dying, living = stream(one, resend_seconds=0.5), stream(one, resend_seconds=0.5)
    await dying.take([standing("dead")], now())

    async def said() -> set[str]:
        await living.take([standing("alive")], now())
        return {alert for message in hook.said() for alert in message}

    await soon(said, {"dead warning firing", "alive warning firing", "dead warning resolved"})
    assert await one.shown() == {("alive", "warning"): "active"}


async def test_when_it_is_back_it_learns_how_things_stand(tmp_path: Path, hook: Hook) -> None:
    """What was raised while it was away arrives with the next call."""
    peer = Peer(free_port())
    to = stream(peer)
    with pytest.raises(DeliveryError):
        await to.take([standing("a"), standing("b")], now())
    async with alertmanager(tmp_path / "late", hook.url, peer=peer):
        await to.take([standing("a", CRITICAL), over(standing("b"))], now())
        await soon(hook.heard, [["a critical firing"]])


async def test_no_name_is_too_odd_for_it(one: Peer) -> None:
    """It refuses a whole post for one label it does not understand: none of ours may be that."""
    names = ['"; drop table x', "a\x00b\x1b[2J", "half \ud800", "\u202egnp", "x" * 100_000, "{{ .Labels }}", "\n"]
    odd = [replace(standing(name), labels={name: name, "": "x", "1-ü": "y"}) for name in names]
    sick = [
        replace(
            each,
            finding=replace(each.finding, summary=name, impact=name, evidence={name: name}, remedy=Remedy(sql=(name,))),
        )
        for each, name in zip(odd, names, strict=True)
    ]
    await stream(one).take(sick, now())
    await soon(one.active, len(names))


async def test_ten_thousand_at_once_are_taken(one: Peer) -> None:
    flood = [standing(f"table {number}", rule="a.flood") for number in range(10_000)]
    assert await stream(one).take(flood, now()) == len(flood)
    await soon(one.active, len(flood))


async def test_two_of_ours_and_two_alertmanagers_tell_once(tmp_path: Path, hook: Hook) -> None:
    """Exactly one notification of the beginning leaves the pair, and exactly one of the end."""
    async with pair(tmp_path, hook.url) as peers:
        ours, alert = (stream(*peers), stream(*reversed(peers))), standing("a")
        # They look at one target at their own times, and see their own numbers.
        other = replace(alert, fired_at=now(), finding=replace(alert.finding, summary="86 of 100 slots are used"))
        await ours[0].take([alert], now())
        await ours[1].take([other], now())
        await soon(hook.heard, [["a warning firing"]])
        for peer in peers:
            assert await peer.shown() == {("a", "warning"): "active"}
        await asyncio.sleep(SETTLED)
        await ours[0].take([over(alert)], now())
        await ours[1].take([over(other)], now())
        await soon(hook.heard, [["a warning firing"], ["a warning resolved"]])
        await asyncio.sleep(SETTLED)
        assert hook.said() == [["a warning firing"], ["a warning resolved"]]
        told = [await peer.value("alertmanager_notifications_total", integration="webhook") for peer in peers]
        assert sorted(told) == [0, 2]
