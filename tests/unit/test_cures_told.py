"""How people are told what a remedy did: Slack, webhook, Alertmanager, console, chats, digest, API, commands."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console as Terminal

from monitor.cli.shown import Sheet, one_finding, state
from monitor.findings.digest import Periodical, digest
from monitor.model import Alert
from monitor.notice import Notice
from monitor.notify.alertmanager import annotations
from monitor.notify.chat import PLAIN, Room
from monitor.notify.chat_letter import body, heading
from monitor.notify.console import Console
from monitor.notify.slack_bot import SlackBot
from monitor.notify.summary import counts
from monitor.notify.webhook import bounded, schema
from monitor.notify.wording import SIGNS
from monitor.proof import Outcome
from monitor.store.documents import alert_document, alert_from_document, finding_from_text, finding_text
from tests.alerts import at, firing, mended, resolved
from tests.notices import notice
from tests.unit.shelf import Pile, server
from tests.unit.slack_workspace import Workspace
from tests.unit.test_http import ask, listed, serving
from tests.unit.test_report_json import breaches

OUTCOMES = pytest.mark.parametrize("outcome", Outcome)


@OUTCOMES
async def test_the_thread_says_what_the_remedy_did_and_the_message_too(
    workspace: Workspace, bot: SlackBot, outcome: Outcome
) -> None:
    """One line in the thread with what ended it; the edited message's headline has the same word and its own colour."""
    await bot.send(notice(firing()))
    await bot.send(notice(mended(outcome=outcome)))
    (message,), (reply,) = workspace.top, workspace.replies
    assert reply["text"].startswith(f"{SIGNS[outcome]} {outcome.capitalize()}: Connection slots nearly full")
    assert f"({outcome}: index public.orders_idx exists since 12:01)" in reply["text"]
    assert message["text"].startswith(f"{SIGNS[outcome]} {outcome.upper()}: ")


@OUTCOMES
def test_webhook_and_alertmanager_have_the_outcome(outcome: Outcome) -> None:
    """By the schema; an Alertmanager shows the sentence. Without an outcome there is a null, and no annotation."""
    told = notice(mended("a", outcome), mended("b", None), resolved("c"), replace(firing("d"), cure=mended().cure))
    document: Any = json.loads(bounded(told, None, at(90)))
    assert list(breaches(document, json.loads(schema()))) == []
    assert {each["subject"]: each["outcome"] for each in document["alerts"]} == {
        "a": outcome.value, "b": None, "c": None, "d": None,
    }  # fmt: skip
    assert annotations(mended("a", outcome), "")["outcome"] == mended("a", outcome).ended_by
    assert not any("outcome" in annotations(alert, "") for alert in told.alerts[1:])


@OUTCOMES
async def test_console_and_chats_use_the_word(outcome: Outcome) -> None:
    paper = io.StringIO()
    await Console(terminal=Terminal(file=paper, width=200)).send(notice(mended(outcome=outcome)))
    assert f" {outcome.upper()} " in paper.getvalue()
    assert mended(outcome=outcome).ended_by in paper.getvalue()
    said = heading(notice(mended(outcome=outcome))) + body(
        notice(mended(outcome=outcome)), None, PLAIN, Room(characters=4000, size=len)
    )
    assert f"{outcome.upper()}: " in said


def summed(*alerts: Alert) -> Notice:
    daily = Periodical(name="daily", receiver="ops", cron="0 8 * * *")
    return digest(daily, alerts, at(0), at(3600), moment=at(3600))


def test_a_digest_counts_what_was_fixed() -> None:
    """Beside what is over; none: it says nothing of it."""
    told = summed(mended("a"), mended("b", Outcome.NO_EFFECT), resolved("c"), firing("d"))
    assert told.digest is not None
    assert counts(told.digest) == "0 new, 1 still open, 3 over (1 fixed)"
    document: Any = json.loads(bounded(told, None, at(3600)))
    assert (document["digest"]["over"], document["digest"]["fixed"]) == (3, 1)
    plain = summed(resolved("c")).digest
    assert plain is not None
    assert counts(plain) == "0 new, 0 still open, 1 over"


async def test_api_and_command_line_show_it() -> None:
    """The outcome and since when the remedy is there; the list's one word is the outcome."""
    desk = Pile(targets_=[server()], alerts_=[mended("a"), replace(firing("b"), cure=mended("b", None).cure)])
    async with serving(desk) as web:
        documents = {each["subject"]: each for each in listed((await ask(web, "/api/v1/findings")).document)}
    over, measured = documents["a"], documents["b"]
    assert (over["outcome"], over["remedied_at"]) == ("fixed", "2026-03-01T12:00:30+00:00")
    assert (measured["outcome"], measured["remedied_at"]) == (None, "2026-03-01T12:00:30+00:00")
    assert (state(over), state(measured)) == ("fixed", "firing")
    sheet = Sheet(width=300, colour=False, now=datetime(2026, 3, 1, 13, tzinfo=UTC))
    assert "fixed: index public.orders_idx exists" in one_finding(over, sheet)
    assert "its effect is being measured" in one_finding(measured, sheet)


def test_what_was_written_before_there_were_outcomes_can_still_be_read() -> None:
    """Findings without proof and sign, alerts without a cure."""
    old = alert_document(firing())
    old.pop("cure")
    assert alert_from_document(old) == firing()
    assert not {"proof", "sign"} & json.loads(finding_text(firing().finding)).keys()
    assert finding_from_text(finding_text(firing().finding)) == firing().finding
