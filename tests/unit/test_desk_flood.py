"""What the desk says and shows of very many findings: a few lines in the log, and nothing that is forgotten."""

from structlog.testing import capture_logs

from monitor.collect.runner import Clock
from monitor.daemon.desk import Desk
from monitor.daemon.pending import Pending
from monitor.daemon.steps import MOST_LOGGED
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from tests.alerts import at, finding, judgement

MANY = 250


def test_of_one_measurement_that_is_followed_in_bites_only_the_first_findings_have_a_line() -> None:
    """A line for each of ten thousand would take longer than to follow them."""
    desk = Desk(Ledger(), Exposition(), Clock(now=lambda: at(0)), Pending())
    changes = desk.ledger.observe([judgement(*(finding(f"item {number}") for number in range(MANY)))], at(0))
    with capture_logs() as lines:
        told = desk.note(changes[:100])
        told += desk.note(changes[100:], told)
    assert told == MANY
    assert sum(line["event"] == "finding" for line in lines) == MOST_LOGGED
    assert sum(line.get("count", 1) for line in lines) == MANY


def test_what_is_forgotten_is_shown_no_more() -> None:
    """Who looks after it was forgotten finds nothing, and can tell that something changed."""
    desk = Desk(Ledger(), Exposition(), Clock(now=lambda: at(0)), Pending())
    desk.follow([judgement(finding())])
    desk.follow([judgement()])
    assert len(desk.shelf.alerts()) == 1
    before = desk.shelf.revision
    desk.forget(at(10))
    assert not desk.shelf.alerts()
    assert desk.shelf.revision > before
