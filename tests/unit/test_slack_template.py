"""Slack in a user's own words: within one section, with names made harmless, and with the built-in words behind."""

import json
from dataclasses import replace
from typing import Any

from pytest_httpserver import HTTPServer

from monitor.model import Secret
from monitor.notice import Notice
from monitor.notify.slack import Slack
from monitor.notify.slack_blocks import width
from monitor.notify.template import Template
from tests.alerts import firing
from tests.notices import notice

NASTY = "<!channel> & <https://evil.example|log in>"


async def posted(server: HTTPServer, source: str, told: Notice) -> Any:
    server.expect_request("/hook", method="POST").respond_with_data("ok")
    template = Template.of(source, "ops.j2")
    await Slack(name="ops", webhook=Secret(server.url_for("/hook")), template=template).send(told)
    return json.loads(server.log[-1][0].data)


async def test_the_template_is_the_message(httpserver: HTTPServer) -> None:
    """And notifications show the built-in headline."""
    source = "*{{ tally }}* <https://wiki.example|see the wiki>"
    payload = await posted(httpserver, source, notice(firing(), firing("b")))
    (block,) = payload["blocks"]
    assert block["type"] == "section"
    assert block["text"] == {
        "type": "mrkdwn",
        "text": "*2 firing* <https://wiki.example|see the wiki>",
        "verbatim": True,
    }
    assert "Connection slots nearly full" in payload["text"]


async def test_only_the_template_itself_mentions_and_links(httpserver: HTTPServer) -> None:
    """Names come from strangers' databases."""
    told = notice(replace(firing(), finding=replace(firing().finding, subject=NASTY)))
    (block,) = (await posted(httpserver, "<!here> {{ alerts[0].subject }}", told))["blocks"]
    assert block["text"]["text"] == "<!here> &lt;!channel&gt; &amp; &lt;https://evil.example|log in&gt;"


async def test_a_long_one_is_cut_at_slacks_limit_and_nothing_in_two(httpserver: HTTPServer) -> None:
    told = notice(*(firing(f"<{number}>") for number in range(400)))
    source = "{% for alert in alerts %}{{ alert.subject }} <https://h/{{ loop.index }}|x>\n{% endfor %}"
    (block,) = (await posted(httpserver, source, told))["blocks"]
    text = block["text"]["text"]
    assert 2900 < width(text) <= 3000
    assert text.endswith(" more characters")
    assert text.count("<") == text.count(">")
    assert text.count("&lt;") - text.count("&gt;") in {0, 1}


async def test_a_template_that_fails_gives_way_to_the_built_in_words_and_says_so(httpserver: HTTPServer) -> None:
    payload = await posted(httpserver, "a\n{{ 1 / (count - 1) }}", notice(firing()))
    first, *others = payload["blocks"]
    assert first["text"]["text"].startswith("[the template failed, so these are the built-in words: ops.j2:2")
    assert "Connection slots nearly full" in json.dumps(others)
