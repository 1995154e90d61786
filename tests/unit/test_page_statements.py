"""The page of statements: what each costs and did, whom it leads to, and in words what is not known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.draw.about import REASONS
from monitor.draw.listing import SHOWN, SORTS, Wanted, listing, row_of
from monitor.draw.page import Drawer
from monitor.draw.statements import LEADING, LINKED
from monitor.errors import Needs
from monitor.model import Finding, Object, Result, State, Target
from monitor.status import Bucket, Hours, ProbeStatus
from tests.unit.shelf import NOW, RULES, Pile, Told, alert, finding, glance, run, server, silence, unknown
from tests.unit.test_page import HOSTILE, words

EVERYTHING = Wanted()
FIGURES: Mapping[str, object] = {
    "target": "shop",
    "database": "videochat",
    "statement": "3fa74c2769b8249d",
    "roles": "reporting, web_api",
    "kind": "simple",
    "calls": 1700,
    "mean_ms": 278.4,
    "total_seconds": 473.2,
    "share": 0.226,
    "rows": 34000,
    "tables": "public.question_history",
    "tags": "route=/history, controller=questions",
    "text": "select question from public.question_history where user_id = $1",
}


STRANGE = r"<script(?! src=./static/page)|<img|<[^>]*\son\w+=|<h1>owned|href=.javascript| style="


def statement(name: str = "3fa74c2769b8249d", **figures: object) -> Mapping[str, object]:
    return {**FIGURES, "statement": name, **figures}


def answered(name: str = "shop") -> Pile:
    return Pile(targets_=[server(name, probes=[run(Target(name), "statements")])])


def drawn(
    rows: Sequence[Mapping[str, object]],
    pile: Pile | None = None,
    wanted: Wanted = EVERYTHING,
    hours: Hours | None = None,
    told: Told | None = None,
) -> str:
    listed = listing(rows, wanted)
    known = hours or Hours(buckets=[[bucket(0)] for _ in listed.rows])
    seen = glance(pile or answered(), told)
    return Drawer(RULES).statements(seen, listed, known, 600.0).decode()


def bucket(ago: int) -> Bucket:
    return Bucket(begins=NOW - timedelta(hours=ago), figures={"calls": 2.0, "exec_seconds": 0.5})


def slow(name: str = "3fa74c2769b8249d", target: Target | None = None, rule: str = "statements.slow") -> Finding:
    at = target or Target("shop", "videochat")
    found = finding(name, rule=rule, title=f"{rule} has found it", target=at)
    return replace(found, object=Object("statement", name=name))


def order(page: str) -> list[str]:
    return re.findall(r'<tr id="(\w+)"', page)


def test_a_statement_shows_what_it_costs_and_what_it_is() -> None:
    """Part of the load, mean, calls, rows, kind, roles, tables, tags, text, and its hours in words."""
    page = drawn([statement()])
    for part in (
        "22.6 % 7.89 min",
        "278 ms",
        "1,700",
        "34,000",
        "select question from public.question_history where user_id = $1",
        "simple on shop / videochat · roles reporting, web_api · tables public.question_history",
        "tags route=/history, controller=questions · 3fa74c2769b8249d",
        "up to 250 ms",
        "over the last 10 min",
    ):
        assert part in words(page), part
    assert '<rect width="22.6" height="6"/>' in page
    assert 'aria-label="Mean of a call, hour by hour over 24 hours: longest 250 ms from 15:00 UTC' in page


def test_a_long_text_is_cut_and_opens_as_a_whole() -> None:
    """A short one stands as it is."""
    long = "select " + ", ".join(f"column_{each}" for each in range(100)) + " from wide"
    page = drawn([statement(text=long)])
    assert f"<code>{long[: LEADING - 1]}…</code>" in page
    assert f'<pre tabindex="0">{long}</pre></details>' in page
    assert "<details>" not in drawn([statement()])


def test_the_first_and_the_last_of_each_order() -> None:
    rows = [
        statement("aa", total_seconds=3, mean_ms=1, calls=2, rows=4),
        statement("bb", total_seconds=2, mean_ms=3, calls=1, rows=5),
        statement("cc", total_seconds=1, mean_ms=2, calls=9, rows=6),
    ]
    found = {sort: order(drawn(rows, wanted=Wanted(sort=sort))) for sort in SORTS}
    assert found == {
        "time": ["aa", "bb", "cc"],
        "mean": ["bb", "cc", "aa"],
        "calls": ["cc", "aa", "bb"],
        "rows": ["cc", "bb", "aa"],
    }


def test_the_order_in_force_is_said_and_the_others_are_linked() -> None:
    """Links keep what else was asked for."""
    page = unescape(drawn([statement()], wanted=Wanted(target="shop", sort="calls")))
    assert "Sorted by time · mean · calls · rows" in words(page)
    assert 'href="/statements?target=shop&sort=mean"' in page
    assert 'href="/statements?target=shop"' in page
    assert '<th class="number" aria-sort="descending">Calls</th>' in page


def test_statements_of_one_target_or_database_can_be_had_alone() -> None:
    rows = [statement("aa"), statement("bb", database="billing"), statement("cc", target="reports")]
    assert order(drawn(rows, wanted=Wanted(target="shop"))) == ["aa", "bb"]
    assert order(drawn(rows, wanted=Wanted(target="shop", database="billing"))) == ["bb"]


def test_the_page_stays_short_however_many_there_are() -> None:
    """A hundred rows, twenty links to targets, ten reasons; the rest is counted, and has pages."""
    servers = [f"server{number}" for number in range(300)]
    rows = [statement(f"{name}s{number}", target=name) for name in servers for number in range(3)]
    down = Pile(targets_=[server(name, up=False, reason=f"{name}: nobody answers") for name in servers])
    page = unescape(drawn(rows, down, Wanted(page=2, sort="rows")))
    assert len(order(page)) == SHOWN
    assert page.count("nobody answers") == REASONS
    assert "there is nothing new of 290 more targets" in page
    assert f"and {300 - LINKED} more targets" in page
    assert 'rel="prev" href="/statements?sort=rows&page=1"' in page
    assert 'rel="next" href="/statements?sort=rows&page=3"' in page
    assert "There is no such page." in drawn(rows, wanted=Wanted(page=10))


def test_a_finding_leads_to_its_row_and_back() -> None:
    """Only firing ones about this very statement, with what keeps them quiet."""
    mine, other = slow(), slow(target=Target("shop", "billing"))
    pile = replace(
        answered(),
        alerts_=[
            alert(mine),
            alert(other),
            alert(slow(rule="statements.load"), State.PENDING),
            alert(slow(rule="statements.temp_spill"), State.RESOLVED),
        ],
    )
    page = drawn([statement()], pile, told=Told(silenced={mine.fingerprint: silence()}))
    assert re.findall(r'href="/findings/(\w+)"', page) == [mine.fingerprint]
    assert "warning silenced statements.slow has found it" in words(page)
    address = row_of(mine)
    assert address == "/statements?target=shop&database=videochat&statement=3fa74c2769b8249d#3fa74c2769b8249d"
    for there in (
        Drawer(RULES).overview(glance(pile), refresh=False),
        Drawer(RULES).finding(glance(pile), alert(mine), Told().past),
    ):
        assert f'href="{address}"' in unescape(there.decode())


def test_when_it_became_slower_and_what_its_plan_does_stand_beside_it() -> None:
    """The mark is in the chart and in words; the plan is the finding's."""
    regressed = slow(rule="statements.regressed")
    planned = replace(slow(), evidence={"plan": "reads <all> of public.rooms"})
    page = drawn([statement()], replace(answered(), alerts_=[alert(regressed), alert(planned)]))
    assert '<path class="slower"' in page
    assert f"Slower since {alert(regressed).starts_at:%H:%M} UTC." in page
    assert "plan: reads &lt;all&gt; of public.rooms" in page
    assert '<path class="slower"' not in drawn([statement()])


@pytest.mark.parametrize(
    "found",
    [
        finding(),
        slow(rule="tables.sequential_scans"),
        replace(slow(), object=Object("statement")),
        replace(slow(), object=Object("setting", name="pg_stat_statements.max")),
    ],
)
def test_what_is_about_no_statement_leads_to_none(found: Finding) -> None:
    assert row_of(found) is None
    assert "among the statements" not in Drawer(RULES).finding(glance(), alert(found), Told().past).decode()


def test_a_statement_that_is_asked_for_is_marked_on_the_page_it_stands_on() -> None:
    rows = [statement(f"s{number}", total_seconds=1000 - number) for number in range(SHOWN + 5)]
    page = drawn(rows, wanted=Wanted(statement=f"s{SHOWN + 1}"))
    assert "Page 2 of 2" in page
    assert f'<tr id="s{SHOWN + 1}" class="wanted">' in page
    assert page.count('class="wanted"') == 1


def test_a_statement_that_is_not_busy_any_more_is_said_to_be_missing() -> None:
    page = words(drawn([statement()], wanted=Wanted(target="shop", statement="gone")))
    assert "gone is not among the busiest statements at present." in page


def test_a_name_stands_once_on_a_page() -> None:
    """The same text may run on many servers."""
    assert order(drawn([statement(), statement(target="reports")])) == ["3fa74c2769b8249d"]


def skipped(server_name: str, reason: str, result: Result = Result.SKIPPED) -> ProbeStatus:
    return replace(run(Target(server_name), "statements"), result=result, reason=reason, needs=Needs.EXTENSION)


MISSING = "pg_stat_statements is not installed; run: create extension pg_stat_statements"


@pytest.mark.parametrize(
    ("pile", "said"),
    [
        (Pile(), "No target is configured: monitor init writes a configuration to begin with."),
        (answered(), "None is listed. A statement is listed once it was seen to run between two readings"),
        (Pile(targets_=[replace(server(), since=None, up=False)]), "shop: not asked yet."),
        (Pile(targets_=[server(up=False, reason="shop: nobody answers")]), "shop: nobody answers"),
        (Pile(targets_=[server(probes=[skipped("shop", MISSING)])]), f"could not be read: {MISSING}"),
        (Pile(targets_=[server(probes=[skipped("shop", "", Result.TIMEOUT)])]), "could not be read: timeout"),
        (Pile(targets_=[server(probes=[run()])]), "the probe statements has not run, or is turned off"),
    ],
)
def test_an_empty_page_says_why(pile: Pile, said: str) -> None:
    """No target, none asked yet, none reachable, no extension, not in time, turned off, or nothing ran."""
    assert said in words(drawn([], pile)).replace(" </code>", "")


def test_one_reason_of_many_servers_stands_once() -> None:
    names = [f"s{number}" for number in range(8)]
    page = words(drawn([], Pile(targets_=[server(name, probes=[skipped(name, MISSING)]) for name in names])))
    assert f"s0, s1, s2, s3, s4 and 3 more: its statements could not be read: {MISSING}" in page
    assert page.count("could not be read") == 1
    assert "was seen to run" not in page


def test_a_pooler_is_not_missed() -> None:
    """It has no statements, so none is wanting."""
    pooler = replace(server("pool", probes=[]), kind="pgbouncer")
    page = words(drawn([statement()], Pile(targets_=[*answered().targets_, pooler])))
    assert "pool" not in page.replace("pgarchitect", "")


def test_what_rules_on_statements_could_not_say_stands_below() -> None:
    """Of what is asked for, and of no other family."""
    pile = replace(
        answered(),
        not_evaluated_=[
            unknown("statements.regressed", Target("shop"), "a day of history is needed"),
            unknown("statements.load", Target("reports"), "track is none"),
            unknown("pool.saturation", Target("shop"), "no right"),
        ],
    )
    page = words(drawn([statement()], pile, Wanted(target="shop", database="videochat")))
    assert "Not evaluated" in page
    assert "statements.regressed a day of history is needed" in page
    assert not {"track is none", "no right"} & set(re.findall("track is none|no right", page))


def test_a_text_that_is_not_shown_has_a_reason() -> None:
    """Turned off, or it could not be read."""
    assert "Its text is not shown: statements: {text: off} , or" in words(drawn([statement(text="")]))
    assert "Its text could not be read." in words(drawn([statement(text="", kind="unknown")]))


def test_hours_that_cannot_be_read_are_not_taken_for_empty_ones() -> None:
    """The reason stands once, the rest of the page is there."""
    page = words(drawn([statement(), statement("bb")], hours=Hours(buckets=None, reason="state.db: it is locked")))
    assert page.count("What they did in earlier hours cannot be read: state.db: it is locked") == 1
    assert page.count("not known") == 2
    assert "no hour kept yet" not in page
    assert "no hour kept yet" in words(drawn([statement()], hours=Hours(buckets=[[]])))


def test_what_a_row_lacks_breaks_nothing() -> None:
    """A probe of somebody's own may list rows there, too."""
    page = drawn([{"target": "shop", "database": None, "statement": "aa", "calls": float("nan"), "share": "x"}])
    assert order(page) == ["aa"]
    assert "0 %" in page


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text_and_leads_where_it_says(name: str) -> None:
    """In every place of a row, in addresses, remarks and reasons."""
    evil = slow(name, Target(name, name))
    row = {key: name if isinstance(value, str) else value for key, value in FIGURES.items()}
    pile = Pile(
        targets_=[server(name, up=False, reason=name), server("shop")],
        alerts_=[alert(replace(evil, title=name))],
        not_evaluated_=[unknown("statements.load", Target(name), name)],
    )
    wanted = Wanted(target=name, database=name, statement=name)
    pages = (
        drawn([row], pile, wanted, Hours(buckets=None, reason=name)),
        Drawer(RULES).overview(glance(pile), refresh=False).decode(),
    )
    for page in pages:
        assert not re.search(
            r"<script(?! src=./static/page)|<img|<[^>]*\son\w+=|<h1>owned|href=.javascript| style=", page
        )
        assert not re.search("[\x00\x1b\u202e\u2066\ud800]", page)
    links = [urlsplit(unescape(link)) for link in re.findall(r'href="(/statements\?[^"]+)"', pages[0])]
    assert {parse_qs(link.query)["target"][0] for link in links} == {name.replace("\ud800", "?"), "shop"}
