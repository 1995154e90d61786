"""What is over is lean in memory and whole in the store: when it becomes so, who gets it whole, what is never lost."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from monitor.collect.runner import Clock
from monitor.daemon.desk import Desk
from monitor.daemon.keeper import Keeper
from monitor.daemon.pending import Pending
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.lean import LOST, STORED, UNREADABLE, Lean
from monitor.model import Alert, Finding, Secret, State, as_document
from monitor.store.alerts import StoredAlerts
from monitor.store.engine import Store
from monitor.store.ledger_book import StoredLedger
from monitor.store.records import LedgerWrite
from tests.alerts import at, finding, firing, judgement, resolved
from tests.storing import mark

LATER = at(1000)


@dataclass
class Office:
    """A desk and its keeper, at noon."""

    desk: Desk
    keeper: Keeper
    file: Path

    async def over(self, *findings: Finding) -> None:
        """Let findings fire and end, and write that."""
        self.desk.follow([judgement(*findings)])
        self.desk.follow([judgement()])
        await self.keeper.write()

    async def slim(self, believed: Collection[str] = ()) -> int:
        async with self.desk.whole:
            return await self.desk.slim(LATER, believed)

    def known(self, found: Finding) -> Alert:
        alert = self.desk.ledger.get(found.fingerprint)
        assert alert is not None
        return alert

    async def shown(self, found: Finding) -> Finding:
        """What a page shows of it."""
        (alert,) = await self.keeper.completed([self.known(found)])
        return alert.finding


@pytest.fixture
def office(tmp_path: Path, blank: Path) -> Office:
    shutil.copy(blank, tmp_path / "state.db")
    desk = Desk(Ledger(), Exposition(), Clock(now=lambda: at(0)), Pending())
    return Office(desk, Keeper(desk, Secret(f"sqlite:///{tmp_path}/state.db")), tmp_path / "state.db")


def lean(alert: Alert) -> bool:
    return bool(alert.finding.missing)


async def test_what_is_over_and_written_becomes_lean_and_is_shown_whole(office: Office) -> None:
    """Lists, router and routes know it as before."""
    await office.over(finding())
    before = office.known(finding())
    assert await office.slim() == 1
    after = office.known(finding())
    assert lean(after)
    assert not after.finding.evidence
    assert after.all_labels == before.all_labels
    assert replace(after, finding=before.finding) == before
    assert await office.shown(finding()) == finding()
    await office.keeper.close()


async def test_what_fires_or_ended_just_now_or_is_not_written_or_not_told_stays_whole(office: Office) -> None:
    await office.keeper.open()
    told, fresh = finding("told"), finding("fresh")
    await office.over(told, fresh)
    office.desk.follow([judgement(finding("fires"))])
    assert await office.desk.slim(at(-1), ()) == 0
    assert await office.slim({told.fingerprint}) == 1
    assert lean(office.known(fresh))
    assert not lean(office.known(told))
    office.desk.follow([judgement()])
    assert await office.slim() == 1, "what was written; the end of the other waits"
    assert not lean(office.known(finding("fires")))
    assert await office.slim() == 0
    await office.keeper.close()


async def test_a_second_outbreak_goes_on_from_a_lean_alert(office: Office) -> None:
    """It is counted on, it is whole again, and so it is written."""
    await office.over(finding())
    await office.slim()
    office.desk.follow([judgement(finding(used=99))])
    again = office.known(finding())
    assert (again.state, again.occurrences) == (State.FIRING, 2)
    assert again.finding == finding(used=99)
    await office.keeper.write()
    assert (await StoredAlerts(office.keeper.store).load())[0].finding == finding(used=99)
    await office.keeper.close()


async def test_a_suspicion_that_comes_to_nothing_leaves_what_was_over(office: Office) -> None:
    await office.over(finding())
    await office.slim()
    office.desk.follow([judgement(finding(), hold=60)])
    office.desk.follow([judgement()])
    assert (office.known(finding()).state, office.known(finding()).occurrences) == (State.RESOLVED, 1)
    await office.keeper.write()
    assert await office.slim() == 1
    assert await office.shown(finding()) == finding()
    await office.keeper.close()


async def test_while_the_store_is_away_it_says_so(office: Office) -> None:
    """In place of what it said, with the reason; in the JSON form, too."""
    await office.over(finding())
    await office.slim()
    await office.keeper.close()
    shown = await office.shown(finding())
    assert shown.missing.startswith(UNREADABLE)
    assert "not open" in shown.missing
    assert as_document(shown)["missing"] == shown.missing


async def test_a_new_store_gets_lean_ones_and_says_that_the_rest_is_lost(office: Office, blank: Path) -> None:
    """As after a damaged file was put aside; the whole ones are written whole."""
    await office.over(finding("gone"))
    await office.slim()
    office.desk.follow([judgement(finding("here"))])
    await office.keeper.write()
    await office.keeper.close()
    shutil.copy(blank, office.file)
    await office.keeper.open()
    await office.keeper.write()
    assert (await office.shown(finding("gone"))).missing == LOST
    stored = {alert.finding.subject: alert for alert in await StoredAlerts(office.keeper.store).load()}
    assert stored["gone"].state is State.RESOLVED
    assert stored["here"].finding == finding("here")
    await office.keeper.close()


async def test_writing_all_anew_does_not_overwrite_what_the_store_has_whole(office: Office) -> None:
    await office.over(finding())
    await office.slim()
    office.desk.write_all()
    await office.keeper.write()
    assert await office.shown(finding()) == finding()
    await office.keeper.close()


async def test_lean_alerts_are_written_without_their_finding(either: Store) -> None:
    """But with all else; also beside whole ones."""
    stored = StoredAlerts(either)
    await stored.save([resolved("a")])
    await stored.save([replace(Lean()(resolved("a")), ended_by="it is gone"), firing("b")])
    assert {alert.finding.subject: alert for alert in await stored.load()} == {
        "a": replace(resolved("a"), ended_by="it is gone"),
        "b": firing("b"),
    }
    assert await stored.findings([finding("a").fingerprint, "0" * 16]) == {finding("a").fingerprint: finding("a")}


async def test_a_restart_makes_lean_what_is_over_and_was_told(either: Store) -> None:
    """Of what a receiver still believes to fire the end is to be told: it stays whole."""
    stored = StoredLedger(either)
    await stored.write(LedgerWrite(alerts=[resolved("told"), resolved("believed")], told=[mark("believed")]))
    found = {alert.finding.subject: alert for alert in (await stored.load()).alerts}
    assert found["told"] == Lean()(resolved("told"))
    assert found["told"].finding.missing == STORED
    assert found["believed"] == resolved("believed")


@pytest.mark.parametrize("looks_after", range(9))
async def test_who_looks_while_alerts_are_packed_sees_all_of_them(office: Office, looks_after: int) -> None:
    """At any step; and what fires again then is not set back."""
    found = [finding(f"item {number}") for number in range(30)]
    await office.over(*found)
    await office.slim()
    before = {alert.finding.fingerprint: alert for alert in office.desk.ledger.alerts}
    steps = office.desk.ledger.packing(10)
    for _ in range(looks_after):
        next(steps, None)
    assert office.desk.ledger.get(found[29].fingerprint) == before[found[29].fingerprint]
    assert {alert.finding.fingerprint: alert for alert in office.desk.ledger.alerts} == before
    office.desk.follow([judgement(found[7])])
    list(steps)
    assert office.known(found[7]).state is State.FIRING
    assert len(office.desk.ledger) == len(found)
    await office.keeper.close()


def test_there_may_be_nothing_to_pack() -> None:
    assert list(Ledger([firing()]).packing(10)) == [None]


async def test_packing_changes_nothing(office: Office) -> None:
    """And what fires again meanwhile is not set back."""
    found = [finding(f"item {number}") for number in range(30)]
    await office.over(*found)
    assert await office.slim() == len(found)
    before = {alert.finding.fingerprint: alert for alert in office.desk.ledger.alerts}
    steps = office.desk.ledger.packing(10)
    next(steps)
    office.desk.follow([judgement(found[0])])
    list(steps)
    after = {alert.finding.fingerprint: alert for alert in office.desk.ledger.alerts}
    assert after.pop(found[0].fingerprint).state is State.FIRING
    del before[found[0].fingerprint]
    assert after == before
    assert {alert.finding.fingerprint for alert in after.values()} == after.keys()
    office.desk.follow([judgement()])
    await office.keeper.write()
    assert await office.slim() == 1, "packed ones are lean already"
    await office.keeper.close()
