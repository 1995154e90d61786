"""The page in words: worst first, with why and the SQL; nothing better than it is known; hostile names stay text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.draw.outlook import outlook
from monitor.draw.page import FIRST, Drawer, static
from monitor.draw.words import ago, evidence, figure, visible, when
from monitor.model import Evidence, Remedy, Severity, State
from tests.unit.shelf import NOW, RULES, SERVER, Pile, alert, finding, run, server, unknown

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</pre></code><h1>owned</h1>",
    "javascript:alert(1)",
    "\u202etxt.exe\u2066",
    "a\x00b\x1b[31m",
    "\ud800lone",
]


def drawn(pile: Pile, *, refresh: bool = True) -> str:
    return Drawer(RULES).overview(pile, NOW, refresh=refresh).decode()


def words(page: str) -> str:
    """What a reader sees, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text_everywhere(name: str) -> None:
    """In titles, subjects, evidence, SQL, reasons and labels of every page."""
    evil = replace(
        finding(name, title=name),
        summary=name,
        impact=name,
        evidence={name: name, "list": [name]},
        remedy=Remedy(sql=(name,), rollback=(name,), caution=name),
    )
    place = replace(
        server(name, up=False, reason=name), labels={name: name}, databases=(name,), not_applicable={name: 1}
    )
    pile = Pile(
        targets_=[place],
        alerts_=[alert(evil), alert(evil, State.PENDING), alert(evil, State.RESOLVED)],
        not_evaluated_=[unknown(rule=name, reason=name)],
    )
    drawer = Drawer(RULES)
    pages = (
        drawer.overview(pile, NOW, refresh=True),
        drawer.findings(pile, NOW, 1),
        drawer.finding(alert(evil), NOW),
        drawer.targets(pile, NOW),
        drawer.message(name, name, NOW),
    )
    for page in (each.decode() for each in pages):
        assert not re.search(r"<script|<img|<[^>]*\son\w+=|<h1>owned|href=.javascript", page)
        assert not re.search("[\x00\x1b\u202e\u2066\ud800]", page)
        assert "49" not in re.sub(r"[0-9a-f]{8,}", "", page) or "{{" not in name


def test_findings_stand_worst_first_with_all_a_person_needs() -> None:
    """Why it matters, the evidence, the remedy, how to undo it, the caution, how sure and since when."""
    critical = alert(finding("public.worst", severity=Severity.CRITICAL))
    page = words(drawn(Pile(targets_=[server()], alerts_=[alert(), critical])))
    assert page.index("public.worst") < page.index("public.rooms (owner_id)")
    for part in (
        "1 critical finding, 1 warning.",
        "Deleting a user reads all 1,200,000 rows of public.rooms.",
        "Why it matters: each delete holds its locks",
        "table 700.0 MiB",
        "mean 340.2 ms",
        "statements delete, update",
        "create index concurrently rooms_owner_id_idx on public.rooms (owner_id);",
        "drop index concurrently public.rooms_owner_id_idx;",
        "Mind: Takes about a minute",
        "since 2026-11-22 14:00:00 UTC",
        "confidence high",
        "shop / shop",
    ):
        assert part in page.replace(" :", ":"), part


def test_no_findings_is_said_with_what_was_looked_at() -> None:
    """And never as all being well."""
    page = words(drawn(Pile(targets_=[server(probes=[run()])])))
    assert "No findings." in page
    assert "1 rule looked at 1 target." in page
    assert "well" not in page


def test_what_could_not_be_said_stands_beside_no_findings() -> None:
    """With its reason and what it needs; reasons shared by rules stand once."""
    pile = Pile(targets_=[server()], not_evaluated_=[unknown(), unknown("auth.unconfirmed")])
    page = words(drawn(pile))
    assert "2 could not say everything: auth.unconfirmed, auth_links.orphaned_profile." in page
    assert page.count("role monitor sees no row of auth.users") == 1
    assert outlook(pile, RULES).tone == "unknown"


@pytest.mark.parametrize(
    ("pile", "said"),
    [
        (Pile(), "No target is configured: nothing was looked at."),
        (Pile(ready=False, targets_=[server()]), "The first readings are under way"),
        (Pile(targets_=[server("gone", up=False)]), "Not reachable: gone; what stands here of it"),
    ],
)
def test_not_knowing_is_never_quiet(pile: Pile, said: str) -> None:
    """No target, not yet ready, not reachable."""
    view = outlook(pile, RULES)
    assert any(said in remark for remark in view.remarks)
    assert view.tone == "unknown"


def test_suspects_and_resolved_ones_are_no_findings() -> None:
    """They have their own places and do not count in the headline."""
    pile = Pile(targets_=[server()], alerts_=[alert(state=State.PENDING), alert(state=State.RESOLVED)])
    page = words(drawn(pile))
    assert "No findings." in page
    assert "Suspected" in page
    assert "Resolved lately" in page


def test_targets_show_their_probes_and_what_we_cost() -> None:
    """Version, since when, databases, each probe's result and age, and our own seconds."""
    page = words(drawn(Pile(targets_=[server()])))
    for part in (
        "postgres 18.1",
        "up since 2026-11-22 12:00:00 UTC (3 h ago)",
        "env=prod",
        "Databases: shop, billing",
        "denied role monitor may not read auth.users",
        "5 s ago",
        "At most 2 sessions",
        "12.5 s",
        "2 rules have no subject in shop.",
    ):
        assert part in page, part


def test_a_long_list_is_cut_and_the_rest_has_its_own_page() -> None:
    """A thousand findings do not make a page of a thousand articles."""
    pile = Pile(targets_=[server()], alerts_=[alert(finding(f"public.t{each}")) for each in range(FIRST + 5)])
    page = drawn(pile)
    assert page.count('<article class="finding') == FIRST
    assert "5 more findings" in page
    second = Drawer(RULES).findings(pile, NOW, 2).decode()
    assert second.count("<li>") == 5
    assert "Page 2 of 2" in second
    assert "There is no such page." in Drawer(RULES).findings(pile, NOW, 3).decode()


def test_the_page_asks_for_itself_again_unless_held_still() -> None:
    """Without a script."""
    assert '<meta http-equiv="refresh" content="15">' in drawn(Pile())
    assert "http-equiv" not in drawn(Pile(), refresh=False)


def test_a_rules_page_is_its_docstring_with_its_thresholds() -> None:
    """So no manual drifts from the code."""
    page = words(Drawer(RULES).rule("statements.temp_spill", NOW).decode())
    for part in ("A statement spills its sort to disk.", "Why disk is slower", "When it is wrong nightly", "1,024"):
        assert part in page
    assert "statements.temp_spill" in Drawer(RULES).rules(NOW).decode()


def test_nothing_is_loaded_from_elsewhere() -> None:
    """Every address on the page is our own."""
    page = drawn(Pile(targets_=[server()], alerts_=[alert()]))
    assert set(re.findall(r'(?:href|src)="([^"]{1,3})', page)) <= {"/", "/fi", "/ta", "/ru", "/st", "/?r"}
    assert b"url(" not in static()["style.css"]
    assert b"@import" not in static()["style.css"]


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        ({"size_bytes": 2048}, ("size", "2.0 KiB")),
        ({"after_seconds": 300}, ("after", "5 min")),
        ({"mean_ms": 1234.5}, ("mean", "1,234 ms")),
        ({"size_bytes": None}, ("size bytes", "unknown")),
        ({"ratio": 0.98765}, ("ratio", "0.9877")),
        ({"rows": 1234567}, ("rows", "1,234,567")),
        ({"new": True}, ("new", "yes")),
        ({"names": ("a", "b")}, ("names", "a, b")),
        ({"names": ()}, ("names", "none")),
    ],
)
def test_figures_are_written_for_people(figures: Evidence, shown: tuple[str, str]) -> None:
    """A unit in the name moves to the value; not known is said."""
    assert list(evidence(figures)) == [shown]


def test_times_are_utc_and_ages_are_short() -> None:
    """Never is said as never."""
    assert (when(None), when(NOW)) == ("never", "2026-11-22 15:00:00 UTC")
    assert [ago(moment, NOW) for moment in (None, NOW, NOW - timedelta(minutes=3))] == [
        "never",
        "just now",
        "3 min ago",
    ]
    assert figure(12345.6) == "12,346"


def test_what_is_hidden_is_written_out() -> None:
    """A mark that turns the writing's direction could show other SQL than is there."""
    assert visible("a\u202eb\r") == r"a\u202eb\u000d"
    assert visible("plain\n\tü") == "plain\n\tü"
    assert visible(SERVER) is SERVER
