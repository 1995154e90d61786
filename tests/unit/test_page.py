"""The page in words: worst first, with why and the SQL; nothing better than it is known; hostile names stay text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.draw import fleet
from monitor.draw.outlook import outlook
from monitor.draw.overview import FEW
from monitor.draw.page import Drawer
from monitor.draw.search import SHOWN, Search, found
from monitor.draw.sheets import static
from monitor.draw.words import ago, evidence, figure, visible, when
from monitor.model import Ack, Evidence, Remedy, Severity, State
from monitor.status import Part, Past, ReceiverStatus, Step
from tests.unit.shelf import (
    NOW,
    RULES,
    SERVER,
    Pile,
    Told,
    alert,
    finding,
    glance,
    run,
    server,
    silence,
    unknown,
)

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


STRANGE = r"<script(?! src=./static/page)|<img|<h1>owned|href=.javascript"


def listed(pile: Pile, told: Told | None = None, page: int = 1, **asked: str) -> str:
    """The page of findings."""
    return Drawer(RULES).findings(glance(pile, told), found(pile.alerts(), Search(**asked), page)).decode()


def drawn(pile: Pile, *, refresh: bool = True, told: Told | None = None) -> str:
    return Drawer(RULES).overview(glance(pile, told), refresh=refresh).decode()


def ack(author: str = "ann", comment: str = "mended on Monday") -> Ack:
    return Ack(author=author, comment=comment, at=NOW - timedelta(minutes=10), severity=Severity.WARNING)


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
    quiet = replace(silence(name, name), matchers=(name,))
    noted = replace(alert(evil), acked=ack(name, name), ended_by=name, ends_at=NOW)
    told = Told(
        silences_=[quiet],
        silenced={evil.fingerprint: quiet},
        inhibited={evil.fingerprint: alert(evil)},
        receivers_=[ReceiverStatus(name=name, waiting=1, oldest=NOW, dead=1, failing=name)],
    )
    seen = glance(pile, told)
    drawer = Drawer(RULES)
    about = {"fingerprint": evil.fingerprint, "matchers": [name], "comment": name}
    named = {"at": NOW.isoformat(), "who": name, "action": name, "document": about}
    hostile = {
        **dict.fromkeys(("rule", "target", "database", "subject", "title"), name),
        "fingerprint": evil.fingerprint,
        "severity": "warning",
    }
    pages = (
        drawer.overview(seen, refresh=True),
        drawer.findings(seen, found(pile.alerts(), Search(state="all", q=name), 1)),
        drawer.finding(seen, noted, Past(steps=[Step(at=NOW, state=name, severity=name, why=name)])),
        drawer.finding(seen, alert(evil, State.RESOLVED), Past(steps=None, reason=name)),
        drawer.targets(seen, fleet.Wanted(q=name)),
        drawer.target(seen, place),
        drawer.message(name, name, NOW),
        drawer.audit(seen, Part(entries=[named, {**named, "document": {}}], total=2), 1),
        drawer.dead_letters(seen, Part(entries=[letter(receiver=name, reason=name, findings=[hostile])], total=1), 1),
    )
    for page in (each.decode() for each in pages):
        assert not re.search(STRANGE, page)
        assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', "", page))
        assert not re.search("[\x00\x1b\u202e\u2066\ud800]", page)
        assert "49" not in re.sub(r"[0-9a-f]{8,}", "", page) or "{{" not in name


def test_findings_stand_as_the_shelf_has_them_with_all_a_person_needs() -> None:
    """Worst first, each with why it matters, evidence, remedy, how to undo it, the caution, how sure and since when."""
    critical = alert(finding("public.worst", severity=Severity.CRITICAL))
    page = words(drawn(Pile(targets_=[server()], alerts_=[critical, alert()])))
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


def test_what_keeps_a_finding_quiet_is_marked() -> None:
    """On the overview and in the list; the others bear no mark."""
    acked, silenced, muted, loud = (finding(f"public.{name}") for name in ("acked", "silenced", "muted", "loud"))
    told = Told(silenced={silenced.fingerprint: silence()}, inhibited={muted.fingerprint: alert(loud)})
    desk = Pile(
        targets_=[server()],
        alerts_=[replace(alert(acked), acked=ack()), alert(silenced), alert(muted), alert(loud)],
    )
    page = listed(desk, told)
    marked = re.findall(r'<span class="badge warning">warning</span>((?: <span[^>]*>\w+</span>)*)\s<a', page)
    assert [words(each).split() for each in marked] == [["acked"], ["silenced"], ["inhibited"], []]
    front = words(drawn(desk, told=told))
    assert front.index("The worst first") < front.index("public.loud") < front.index("public.acked")
    for mark in ("acked", "silenced", "inhibited"):
        assert re.search(rf"warning {mark} ", front), mark
    assert Drawer(RULES).overview(glance(desk), refresh=False).count(b">silenced<") == 0


def test_silences_of_now_are_listed_with_who_and_why_and_until_when() -> None:
    """A long list is cut; without any there is no chapter."""
    page = words(drawn(Pile(), told=Told(silences_=[silence()] * (FEW + 2))))
    assert "Silences Nobody is told" in page
    assert "target=&#34;shop&#34; until 2026-11-22 17:00:00 UTC (in 2 h) by ann: upgrade" in page
    assert page.count("upgrade") == FEW
    assert "and 2 more silences" in page
    assert "Silences" not in words(drawn(Pile()))


def test_a_finding_shows_who_took_note_who_silenced_it_and_its_past() -> None:
    """The newest step first, and of many only the newest."""
    down = finding("shop", rule="target.unreachable", title="The server does not answer")
    told = Told(silenced={finding().fingerprint: silence()}, inhibited={finding().fingerprint: alert(down)})
    steps = [
        Step(at=NOW - timedelta(minutes=60 - each), state="firing", severity="info", why=f"w{each}")
        for each in range(60)
    ]
    page = words(Drawer(RULES).finding(glance(told=told), replace(alert(), acked=ack()), Past(steps=steps)).decode())
    for part in (
        "state firing",
        "since 2026-11-22 14:00:00 UTC (60 min ago)",
        "seen 240 times",
        "acked 2026-11-22 14:50:00 UTC (10 min ago) by ann: mended on Monday",
        "silenced until 2026-11-22 17:00:00 UTC (in 2 h) by ann: upgrade",
        "inhibited nobody is told of it while this fires: The server does not answer",
        "2026-11-22 14:59:00 UTC (60 s ago) firing info w59 2026-11-22 14:58:00",
        "… and 10 earlier steps.",
    ):
        assert part in page, part


def test_what_ended_a_finding_is_said() -> None:
    """Beside when it was over; one without a past says so."""
    over = replace(alert(state=State.RESOLVED), ended_by="its table is gone")
    page = words(Drawer(RULES).finding(glance(), over, Past(steps=())).decode())
    assert "over 2026-11-22 15:00:00 UTC: its table is gone" in page
    assert "No step has been written yet." in page


def test_a_long_list_is_cut_and_the_rest_has_its_own_page() -> None:
    """A thousand findings do not make a page of a thousand articles: those of one rule are one line."""
    pile = Pile(targets_=[server()], alerts_=[alert(finding(f"public.t{each}")) for each in range(SHOWN + 5)])
    page = drawn(pile)
    assert page.count('<article class="finding') == 1
    assert f"<b>{SHOWN + 4} times</b>" in page
    assert 'href="/findings?severity=warning&amp;state=firing&amp;rule=index.missing_foreign_key"' in page
    second = listed(pile, page=2)
    assert second.count('<li class="warning">') == 5
    assert "Page 2 of 2" in second
    assert "There is no such page." in listed(pile, page=3)


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


def letter(**changed: object) -> dict[str, object]:
    """A message that was given up, as the controls give it."""
    named = {"rule": "a.rule", "severity": "warning", "target": "shop", "database": None, "title": "Spills"}
    return {
        "receiver": "ops", "reason": "ops: HTTP 404", "created_at": NOW.isoformat(), "tries": 3, "group": "{}",
        "key": "k", "digest": False, "findings": [{**named, "fingerprint": "0123456789abcdef", "subject": "public.a"}],
        "findings_count": 8, **changed,
    }  # fmt: skip


def line(action: str = "ack", **about: object) -> dict[str, object]:
    return {"at": NOW.isoformat(), "who": "ann", "action": action, "document": about}


def test_what_was_given_up_is_listed_with_why_and_which_findings() -> None:
    """The first few by name, the others counted; digests are called so."""
    told = [letter(), letter(digest=True, findings=[], findings_count=0, reason=""), letter(findings=[])]
    page = words(Drawer(RULES).dead_letters(glance(), Part(entries=told, total=30), 1).decode())
    for part in ("ops: HTTP 404", "3 tries", "Spills", "public.a", "… and 7 more findings", "a digest", "8 findings"):
        assert part in page, part
    assert "Page 1 of 2" in page


def test_who_changed_what_is_listed() -> None:
    """With what it was about; a reload is about nothing."""
    silenced = line("silence", matchers=['target="shop"'], ends_at=NOW.isoformat(), comment="upgrade")
    lines = [line("reload"), silenced, line(fingerprint="0123456789abcdef", comment="known")]
    page = Drawer(RULES).audit(glance(), Part(entries=lines, total=3), 1).decode()
    assert 'href="/findings/0123456789abcdef"' in page
    for part in ("ann reload", "target=&#34;shop&#34; until 2026-11-22 15:00:00 UTC upgrade", "ann ack"):
        assert part in words(page), part
    assert "Page" not in words(page)


def test_empty_lists_say_so() -> None:
    """And a page behind the last one that it is not there."""
    drawer, nothing = Drawer(RULES), Part(entries=(), total=0)
    assert "Nobody changed anything yet." in drawer.audit(glance(), nothing, 1).decode()
    assert "every message was taken" in drawer.dead_letters(glance(), nothing, 1).decode()
    beyond = Part(entries=(), total=3)
    assert "There is no such page." in drawer.audit(glance(), beyond, 9).decode()
    assert "There is no such page." in drawer.dead_letters(glance(), beyond, 9).decode()


def test_the_first_page_shows_how_receivers_fare() -> None:
    """What waits, what was given up, and why it fails."""
    told = Told(receivers_=[ReceiverStatus(name="ops", waiting=2, oldest=NOW, dead=3, failing="ops: HTTP 500")])
    page = drawn(Pile(targets_=[server()]), told=told)
    assert "2 messages, the oldest just now" in page
    assert '<a href="/dead-letters">3 messages</a>' in page
    assert "ops: HTTP 500" in page
    assert "<h2>Receivers</h2>" not in drawn(Pile(targets_=[server()]))


def test_nothing_is_loaded_from_elsewhere() -> None:
    """Every address on the page is our own."""
    page = drawn(Pile(targets_=[server()], alerts_=[alert()]))
    assert set(re.findall(r'(?:href|src)="([^"]{1,3})', page)) <= {
        "/",
        "/fi",
        "/ta",
        "/ru",
        "/st",
        "/au",
        "/?r",
        "/po",
        "/mi",
        "/ap",
        "#ma",
        "#no",
    }
    assert b"url(" not in static()["style.css"]
    assert b"@import" not in static()["style.css"]


def test_the_script_is_small_and_makes_no_code_of_text() -> None:
    """Four kilobytes at the most; the content policy would refuse the rest."""
    script = static()["page.js"]
    assert len(script) < 4000
    assert not re.search(rb"eval|innerHTML\s*=[^=]|new Function|document\.write|https?:", script)


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
