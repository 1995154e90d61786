"""A server that leaves the configuration: its alerts end with the labels they had: the same people hear of it."""

from dataclasses import replace
from pathlib import Path

from monitor.collect.runner import Clock
from monitor.daemon.desk import Desk
from monitor.daemon.pending import Pending
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.model import Alert, Judgement, Secret, Server, State
from monitor.standing import ServerStanding
from monitor.store.engine import Store
from monitor.store.ledger_book import StoredLedger
from tests.alerts import at, firing

LABELS = {"env": "prod"}
FINDING = firing("shop").finding


def desk() -> Desk:
    return Desk(Ledger(), Exposition(), Clock(now=lambda: at(0)), Pending())


def enter(desk: Desk, **labels: str) -> None:
    server = Server(name="shop", dsn=Secret("host=127.0.0.1"), labels=labels)
    desk.shelf.servers["shop"] = ServerStanding(server=server, spent=lambda: 0.0)


def find(desk: Desk) -> None:
    judgement = Judgement(rule=FINDING.rule, source=FINDING.target, hold=0, keep=0, verdicts=(FINDING,))
    desk.follow([judgement])


def known(desk: Desk) -> tuple[State, dict[str, str]]:
    (alert,) = desk.labelled()
    return alert.state, dict(alert.labels)


async def stored(desk: Desk, file: Path) -> tuple[Alert, ...]:
    """What a restart finds."""
    store = await Store.open(f"sqlite:///{file}")
    try:
        ledger = StoredLedger(store)
        await desk.write(ledger)
        return (await ledger.load()).alerts
    finally:
        await store.close()


async def test_what_ends_because_its_server_left_keeps_its_labels(tmp_path: Path) -> None:
    """Also when we were restarted before it was told."""
    before = desk()
    enter(before, **LABELS)
    find(before)
    before.end_server("shop")
    before.keep_only(set())
    assert known(before) == (State.RESOLVED, LABELS)
    after = desk()
    after.restore(await stored(before, tmp_path / "state.db"))
    assert known(after) == (State.RESOLVED, LABELS)


async def test_so_does_what_ends_because_its_server_was_gone_when_we_began(tmp_path: Path) -> None:
    before = desk()
    enter(before, **LABELS)
    find(before)
    after = desk()
    after.restore(await stored(before, tmp_path / "state.db"))
    after.keep_only(set())
    assert known(after) == (State.RESOLVED, LABELS)


def test_the_labels_of_the_configuration_are_those_of_a_server_that_is_there() -> None:
    """Changed or taken away: nothing of old ones is left."""
    office = desk()
    office.restore([replace(firing("shop"), labels=LABELS)])
    enter(office, env="test")
    assert known(office) == (State.FIRING, {"env": "test"})
    enter(office)
    assert known(office) == (State.FIRING, {})
    office.end_server("shop")
    enter(office, env="back")
    assert known(office) == (State.FIRING, {"env": "back"})


def test_labels_of_servers_that_are_gone_are_not_kept_for_ever() -> None:
    office = desk()
    enter(office, **LABELS)
    find(office)
    office.end_server("shop")
    office.keep_only(set())
    assert office.shelf.labels("shop") == LABELS
    office.forget(at(1))
    assert office.shelf.labels("shop") == {}
