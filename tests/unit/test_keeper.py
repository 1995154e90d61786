"""The way between desk and store: what is too old goes, also from the disk, and a store that is away stops nothing."""

from pathlib import Path

import pytest
from sqlalchemy import Connection

from monitor.collect.runner import Clock
from monitor.daemon.desk import Desk
from monitor.daemon.keeper import Keeper
from monitor.daemon.pending import Pending
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.model import Secret
from monitor.store.alerts import StoredAlerts
from monitor.store.failures import DamagedFile
from monitor.store.records import Transition
from tests.alerts import NOON, at, firing, resolved


def kept(folder: Path) -> tuple[Keeper, Pending]:
    pending = Pending()
    desk = Desk(Ledger(), Exposition(), Clock(), pending)
    return Keeper(desk, Secret(f"sqlite:///{folder}/state.db")), pending


async def test_what_is_too_old_goes_from_the_store_too(tmp_path: Path) -> None:
    """The alert that was over and its history; what still fires stays."""
    keeper, pending = kept(tmp_path)
    await keeper.open()
    for alert in (resolved("old"), firing("young")):
        pending.alert(alert)
        fingerprint = alert.finding.fingerprint
        pending.step(Transition(fingerprint=fingerprint, at=NOON, state="firing", severity="warning"))
    await keeper.write()
    await keeper.forget(at(120))
    assert await keeper.history(resolved("old").finding.fingerprint) == []
    assert len(await keeper.history(firing("young").finding.fingerprint)) == 1
    await keeper.close()


async def test_while_the_store_is_away_nothing_is_forgotten_and_nothing_fails(tmp_path: Path) -> None:
    keeper, _ = kept(tmp_path / "file")
    (tmp_path / "file").write_text("no directory")
    await keeper.forget(at(120))
    await keeper.write()
    assert keeper.reason


async def test_a_file_that_turns_out_damaged_is_put_aside_and_nothing_of_ours_is_lost(tmp_path: Path) -> None:
    """Also where its opening would not have found the damage, as in hours of a large file."""
    keeper, pending = kept(tmp_path)
    await keeper.open()
    alert = firing("shop")
    keeper._desk.restore([alert])
    pending.alert(alert)
    await keeper.write()

    def damaged(connection: Connection) -> None:
        raise DamagedFile("store: the file is damaged; put it aside")

    with pytest.raises(DamagedFile):
        await keeper.run(damaged)
    assert keeper.reason
    await keeper.write()
    assert not keeper.reason
    assert list(tmp_path.glob("state.db.corrupt-*"))
    assert [each.finding for each in await StoredAlerts(keeper.store).load()] == [alert.finding]
    await keeper.close()
