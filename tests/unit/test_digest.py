"""Digests: what is new, still open and over in a time, the worst five first, and how each receiver is told."""

import io
import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from rich.console import Console as Terminal

from monitor.findings.digest import LISTED, Periodical, digest, unless
from monitor.findings.matchers import parse_matcher
from monitor.model import Alert, Secret, Severity, State
from monitor.notice import Notice
from monitor.notify.apprise import Apprise
from monitor.notify.chat import HTML, MARKDOWN, PLAIN, Room
from monitor.notify.chat_letter import body, heading
from monitor.notify.console import Console
from monitor.notify.places import Remembered
from monitor.notify.slack import Slack
from monitor.notify.slack_bot import SlackBot
from monitor.notify.slack_letter import letter
from monitor.notify.template import Template
from monitor.notify.webhook import Webhook, bounded, schema
from tests.alerts import at, firing, resolved
from tests.unit.test_report_json import breaches

HOUR = 3600
URL = "https://watch.example"
WEEKLY = Periodical(name="weekly", receiver="ops", cron="0 8 * * 1")


def began(subject: str, seconds: float, severity: Severity = Severity.WARNING) -> Alert:
    return replace(firing(subject, severity), starts_at=at(seconds), fired_at=at(seconds))


def over(subject: str, seconds: float) -> Alert:
    return replace(resolved(subject), ends_at=at(seconds), ended_by="the index was built")


def made(*alerts: Alert, periodical: Periodical = WEEKLY, moment: datetime | None = None) -> Notice:
    """The digest of the hour before one o'clock."""
    return digest(periodical, alerts, at(0), at(HOUR), moment=moment or at(HOUR))


def subjects(notice: Notice) -> str:
    return " ".join(alert.finding.subject for alert in notice.alerts)


LEDGER = (
    began("old", -60),
    began("new", 60),
    began("bad", 70, Severity.CRITICAL),
    over("mended", 120),
    over("forgotten", -1),
    replace(firing("suspect"), state=State.PENDING, fired_at=None),
)


# -- what it sums up ----------------------------------------------------------------------------------------------


def test_what_fires_is_new_or_still_open_and_what_ended_is_over() -> None:
    """Suspicions and what ended before are not in it."""
    told = made(*LEDGER)
    assert told.digest is not None
    assert (told.digest.new, told.digest.still, told.digest.over, told.digest.count) == (2, 1, 1, 4)
    assert subjects(told) == "bad old new mended"
    assert told.news == {firing(name).finding.fingerprint for name in ("bad", "new")}
    assert (told.digest.since, told.created_at, told.receiver) == (at(0), at(HOUR), "ops")


def test_what_was_over_and_is_suspected_again_is_still_over() -> None:
    again = replace(over("mended", 120), state=State.PENDING, starts_at=at(200), occurrences=2)
    told = made(again)
    assert told.digest is not None
    assert (told.digest.over, told.alerts[0].state) == (1, State.RESOLVED)


def test_a_moment_belongs_to_one_digest_only() -> None:
    """Two digests that follow each other tell of each end and each beginning once."""
    alerts = (over("a", HOUR), began("b", HOUR))
    first = digest(WEEKLY, alerts, at(0), at(HOUR), moment=at(HOUR))
    second = digest(WEEKLY, alerts, at(HOUR), at(2 * HOUR), moment=at(2 * HOUR))
    assert first.digest is not None
    assert second.digest is not None
    assert (first.digest.new, first.digest.over) == (1, 1)
    assert (second.digest.new, second.digest.still, second.digest.over) == (0, 1, 0)


def test_matchers_choose() -> None:
    only = replace(WEEKLY, matchers=(parse_matcher('severity="critical"'),))
    assert subjects(made(*LEDGER, periodical=only)) == "bad"


def test_the_worst_come_first_and_many_are_counted() -> None:
    many = [began(f"t{number:03}", number) for number in range(1, 301)]
    told = made(*many, began("bad", 3000, Severity.CRITICAL))
    assert subjects(told).split()[:3] == ["bad", "t001", "t002"]
    assert len(told.alerts) == 5 + LISTED
    assert told.digest is not None
    assert told.digest.new == 301


def test_its_key_is_that_of_its_moment() -> None:
    """Made again after a crash, later and with other alerts, it is the same message."""
    first = made(*LEDGER)
    again = digest(WEEKLY, (), at(0), at(HOUR + 9), moment=at(HOUR))
    other = made(*LEDGER, moment=at(2 * HOUR))
    assert (first.key == again.key, first.key == other.key, first.group == other.group) == (True, False, False)


def test_silenced_alerts_are_left_out_but_not_their_ends() -> None:
    assert [alert.finding.subject for alert in unless(lambda _: True, LEDGER)] == ["mended", "forgotten", "suspect"]


@pytest.mark.parametrize(
    ("name", "title"),
    [("weekly", "Weekly digest"), ("team_morning", "Team morning digest"), ("digest-of-shop", "Digest of shop")],
)
def test_it_is_called_by_its_name(name: str, title: str) -> None:
    assert replace(WEEKLY, name=name).title == title


# -- how it is said -----------------------------------------------------------------------------------------------

HEADING = "Weekly digest: 2 new, 1 still open, 1 over"
PERIOD = "Between 2026-03-01 12:00 and 2026-03-01 13:00 UTC"
FEW = made(*LEDGER)
MANY = made(*(began(f"t{number:03}", number) for number in range(-150, 150)), *LEDGER)
NONE = made()


def test_slack_gets_counts_the_worst_with_links_and_what_is_over() -> None:
    text, blocks = letter(FEW, URL)
    said = json.dumps([block.to_dict() for block in blocks], ensure_ascii=False)
    assert text == HEADING
    assert [said.index(each) for each in (HEADING, PERIOD, "*Open*", "*Over*")] == sorted(
        said.index(each) for each in (HEADING, PERIOD, "*Open*", "*Over*")
    )
    assert said.count(f"{URL}/findings/") == 4
    assert "the index was built" in said


def test_slack_cuts_a_long_digest_within_its_limits() -> None:
    _, blocks = letter(MANY, URL)
    said = json.dumps([block.to_dict() for block in blocks], ensure_ascii=False)
    assert (len(blocks) <= 50, len(said) <= 13_200) == (True, True)
    assert "*The worst*" in said
    assert "… and " in said
    for block in blocks:
        block.validate_json()


@pytest.mark.parametrize("dialect", [PLAIN, MARKDOWN, HTML])
@pytest.mark.parametrize("characters", [160, 500, 2000, 20_000])
@pytest.mark.parametrize("told", [FEW, MANY, NONE])
def test_a_chat_gets_as_much_as_it_takes(dialect: Any, characters: int, told: Notice) -> None:
    room = Room(characters=characters, size=len)
    text = body(told, URL, dialect, room)
    assert room.holds(text)
    assert "igest: " in text
    more = re.search(r"… and (\d+) more", text)
    assert told.digest is not None
    assert text.count("shop/shop") + int(more[1] if more else 0) == told.digest.count


def test_a_chats_title_is_the_heading() -> None:
    assert heading(FEW) == HEADING
    assert heading(NONE) == "Weekly digest: nothing new, nothing open"


async def test_the_console_prints_it() -> None:
    paper = io.StringIO()
    await Console(terminal=Terminal(file=paper, width=200), external_url=URL).send(MANY)
    said = paper.getvalue()
    assert "Weekly digest: 151 new, 152 still open, 1 over" in said
    assert PERIOD in said
    assert said.count(f"{URL}/findings/") == 5
    assert [said.index(f"{each}:") for each in ("The worst", "New", "Still open", "Over")] == sorted(
        said.index(f"{each}:") for each in ("The worst", "New", "Still open", "Over")
    )
    assert "… and 168 more" in said


def test_the_webhook_gets_a_document_that_keeps_to_the_schema() -> None:
    for told in (FEW, MANY, NONE):
        document = json.loads(bounded(told, URL, at(HOUR)))
        assert breaches(document, json.loads(schema())) == []
        assert document["digest"]["title"] == "Weekly digest"
        assert document["left_out"] + len(document["alerts"]) == sum(
            document["digest"][each] for each in ("new", "still", "over")
        )
    document = json.loads(bounded(FEW, URL, at(HOUR)))
    assert document["digest"]["worst"] == [alert["fingerprint"] for alert in document["alerts"][:3]]


async def test_every_receiver_also_says_that_there_was_nothing(httpserver: HTTPServer) -> None:
    """Who waits for a digest and hears nothing does not know whether we live."""
    httpserver.expect_request("/hook").respond_with_data("ok")
    httpserver.expect_request("/api/chat.postMessage").respond_with_json({"ok": True, "channel": "C1", "ts": "1.1"})
    url, paper = httpserver.url_for("/hook"), io.StringIO()
    bot = SlackBot(
        name="bot",
        token=Secret("xoxb-1"),
        channel="C1",
        external_url=None,
        places=Remembered(),
        base_url=httpserver.url_for("/api/"),
    )
    for receiver in (
        Slack(name="ops", webhook=Secret(url), template=Template.of("never")),
        Webhook(name="ops", url=Secret(url)),
        Apprise(name="ops", urls=(Secret(url.replace("http", "json")),), template=Template.of("never")),
        Console(terminal=Terminal(file=paper, width=200)),
        bot,
    ):
        await receiver.send(NONE)
    said = [request.get_data(as_text=True).replace("+", " ") for request, _ in httpserver.log]
    assert ["igest" in each and "never" not in each for each in [*said, paper.getvalue()]] == [True] * 5


OWN = """{% if digest %}
{{- digest.title }} {{ digest.new }}/{{ digest.still }}/{{ digest.over }} since {{ digest.since }}
{%- for list in digest.lists %} {{ list.title }}:{% for alert in list.alerts %} {{ alert.subject }}{% endfor %}
{%- endfor %} +{{ digest.left_out }}{% else %}{{ tally }}{% endif %}"""


async def test_a_template_that_knows_of_digests_writes_them_and_one_that_fails_gives_way(
    httpserver: HTTPServer,
) -> None:
    """To Slack and by Apprise; what it says of names is escaped as ever."""
    httpserver.expect_request("/hook", method="POST").respond_with_data("ok")
    url = httpserver.url_for("/hook")
    notice = made(*LEDGER, began("<!here>", 80))
    for source in (OWN, "{{ digest.hush }}"):
        template = Template.of(source, "own.j2")
        for receiver in (
            Slack(name="ops", webhook=Secret(url), template=template),
            Apprise(name="ops", urls=(Secret(url.replace("http", "json")),), template=template),
        ):
            await receiver.send(notice)
    slack, apprise, slack_failed, apprise_failed = (request.get_data(as_text=True) for request, _ in httpserver.log)
    words = "Weekly digest 3/1/1 since 2026-03-01T12:00:00+00:00 Open: bad old new"
    assert all(words in told and "Over: mended +0" in told for told in (slack, apprise))
    assert "&lt;!here&gt;" in slack
    for told in (slack_failed, apprise_failed):
        assert "the template failed, so these are the built-in words: own.j2:1" in told
        assert "3 new, 1 still open, 1 over" in told


def test_a_template_that_knows_nothing_of_digests_leaves_them_to_the_built_in_words() -> None:
    notice = made(*LEDGER)
    assert letter(notice, URL, Template.of("{{ tally }}")) == letter(notice, URL)
    assert Template.of("{{ tally }}").serves(replace(notice, digest=None))


def test_a_digest_with_nothing_to_say_is_written_by_the_template_too() -> None:
    assert Template.of(OWN).write(made(), URL) == "Weekly digest 0/0/0 since 2026-03-01T12:00:00+00:00 +0"
