"""The order in which alerts lie on the shelf, and that thousands of them are laid out at once."""

import random
import time
from collections.abc import Sequence
from dataclasses import replace

from monitor.daemon.shelf import Shelf
from monitor.findings.ledger import Ledger
from monitor.model import Alert, Severity, State
from tests.alerts import SHOP, at, finding

MANY = 10_000


def alerts(count: int) -> list[Alert]:
    chance = random.Random(7)
    return [
        Alert(
            finding=finding(f"item {number}", chance.choice(list(Severity))),
            source=SHOP,
            state=chance.choice(list(State)),
            starts_at=at(chance.randrange(1000)),
            last_seen=at(1000),
        )
        for number in range(count)
    ]


def plain(alerts: Sequence[Alert]) -> list[Alert]:
    """The order in one step."""
    return sorted(
        alerts,
        key=lambda each: (each.state is State.RESOLVED, -each.finding.severity.rank, -each.starts_at.timestamp()),
    )


def test_open_ones_come_first_then_the_worst_then_the_newest() -> None:
    """Two steps give the same order as one, also among equals."""
    some = alerts(500)
    assert list(Shelf(Ledger(some)).alerts()) == plain(some)


def test_after_a_change_they_are_laid_out_anew() -> None:
    """What was laid out before is not shown again, and not kept."""
    some = alerts(50)
    shelf = Shelf(Ledger(some))
    assert shelf.alerts() is shelf.alerts()
    others = [replace(each, starts_at=at(2000)) for each in some[:5]]
    shelf.follow(Ledger(others))
    assert list(shelf.alerts()) == plain(others)


def test_ten_thousand_hold_nobody_up() -> None:
    """In processor time, for others may use this machine too."""
    shelf, spent = Shelf(Ledger(alerts(MANY))), list[float]()
    for _ in range(5):
        shelf.changed()
        began = time.thread_time()
        assert len(shelf.alerts()) == MANY
        spent.append(time.thread_time() - began)
    assert min(spent) < 0.05
