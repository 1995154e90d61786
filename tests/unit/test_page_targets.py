"""The pages of targets: those found that are wanted, nobody called up who does not answer, each with its probes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.draw import fleet
from monitor.draw.health import health
from monitor.draw.page import Drawer
from monitor.status import TargetStatus
from tests.unit.shelf import NOW, RULES, Pile, alert, glance, run, server, unknown
from tests.unit.test_page import words


def test_a_target_shows_its_probes_and_what_we_cost() -> None:
    """Version, since when, databases, each probe's result and age, and our own seconds; and its findings."""
    pile = Pile(targets_=[server()], alerts_=[alert()], not_evaluated_=[unknown()])
    page = words(Drawer(RULES).target(glance(pile), server()).decode())
    for part in (
        "postgres 18.1",
        "up since 2026-11-22 12:00:00 UTC (3 h ago)",
        "env=prod",
        "Databases: shop, billing",
        "denied role monitor may not read auth.users",
        "5 s ago",
        "took 12.5 s here",
        "2 rules have no subject in shop.",
        "A foreign key has no index",
        "role monitor sees no row of auth.users",
    ):
        assert part in page, part


def fleet_page(servers: list[TargetStatus], *, q: str = "", state: str = "") -> str:
    return words(Drawer(RULES).targets(glance(Pile(targets_=servers)), fleet.Wanted(q=q, state=state)).decode())


def test_replicas_stand_after_their_primary() -> None:
    """Also those of a replica; one whose primary is not watched stands by itself."""
    names = {"two": "one", "far": "gone", "one": "main", "main": None}
    page = fleet_page([replace(server(), server=name, replica_of=above) for name, above in names.items()])
    places = [page.index(f" {name} ") for name in ("far", "main", "one", "two")]
    assert places == sorted(places)
    assert "replica of main" in page


def test_a_target_is_found_by_name_label_and_state() -> None:
    """And who finds none is told how to see all."""
    servers = [server("shop"), server("reports", up=False), replace(server("crm"), labels={"env": "test"})]
    assert "reports" not in fleet_page(servers, q="SHOP")
    assert "crm" in fleet_page(servers, q="env=test")
    down = fleet_page(servers, state="down")
    assert "reports" in down
    assert "crm" not in down
    assert "No target matches. Show all" in fleet_page(servers, q="nope")


def asked_since(minutes: float, *, answered: float | None) -> TargetStatus:
    """A server that was asked just now, and answered so many minutes ago."""
    seen = None if answered is None else NOW - timedelta(minutes=answered)
    return replace(server(probes=[replace(run(), last_success=seen)]), since=NOW - timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("target", "word", "words_"),
    [
        (server(), "up", "2 databases, seen 5 s ago"),
        (server(up=False, probes=[run()]), "down", "went down 3 h ago; last seen 5 s ago"),
        (replace(server(probes=[]), since=None), "waiting", "not asked yet"),
        (asked_since(60, answered=4), "stale", "last seen 4 min ago"),
        (asked_since(60, answered=2), "up", "2 databases, seen 2 min ago"),
        (asked_since(60, answered=None), "stale", "last seen never"),
        (asked_since(1, answered=None), "up", "2 databases, seen never"),
    ],
)
def test_a_target_that_does_not_answer_is_not_called_up(target: TargetStatus, word: str, words_: str) -> None:
    """Though its session stands; who has not been asked for long is not blamed for it."""
    assert (health(target, NOW).word, health(target, NOW).words) == (word, words_)


def test_who_is_asked_seldom_is_not_stale() -> None:
    """An hour between two readings is no hour without an answer."""
    seldom = replace(run(), taken_at=NOW - timedelta(minutes=50), last_success=NOW - timedelta(minutes=50))
    assert health(server(probes=[seldom]), NOW).word == "up"
