"""`monitor notify-test`: a sample reaches the receiver the configuration names, and what goes wrong is said."""

import json
import re
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from monitor.cli.notify_test import notify_test, sample
from monitor.errors import ConfigErrors, UsageError
from monitor.model import State
from tests.alerts import NOON

PATH = "/services/T0/B0/hush"


@pytest.fixture
def config(tmp_path: Path, httpserver: HTTPServer) -> Path:
    file = tmp_path / "monitor.yaml"
    file.write_text(
        f"""
targets: [{{name: shop, dsn: "postgresql://monitor@127.0.0.1:1/shop"}}]
receivers:
  ops: {{slack: {{webhook: "{httpserver.url_for(PATH)}"}}}}
  screen: {{console: {{}}}}
route: {{receiver: ops}}
web: {{external_url: "https://watch.example"}}
""",
        encoding="utf-8",
    )
    return file


async def test_a_sample_is_delivered_and_the_time_it_took_is_said(config: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH, method="POST").respond_with_data("ok")
    assert re.fullmatch(r"ops: delivered in [0-9]+ ms", await notify_test(config, "ops"))
    (request, _answer), *others = httpserver.log
    assert others == []
    said = json.dumps(json.loads(request.data)["blocks"], ensure_ascii=False)
    for words in ("WARNING: TEST: ", "RESOLVED: TEST: ", "nothing is wrong", "It lasted 12 min (the test is over)."):
        assert words in said
    assert "https://watch.example/findings/" in said


async def test_a_sample_reaches_the_terminal(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (await notify_test(config, "screen")).startswith("screen: delivered in ")
    assert capsys.readouterr().out.count("TEST: ") == 2


async def test_what_the_receiver_answers_is_the_reason(config: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_data("no_service", status=404)
    with pytest.raises(UsageError) as caught:
        await notify_test(config, "ops")
    assert str(caught.value) == "notify-test ops: HTTP 404 no_service: there is no such webhook; make a new one"
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_a_receiver_that_was_misspelt_is_suggested(config: Path) -> None:
    with pytest.raises(UsageError, match=r"^notify-test opps: no such receiver; did you mean ops\? \(.*ops, screen\)$"):
        await notify_test(config, "opps")


async def test_a_configuration_without_receivers_says_so(tmp_path: Path) -> None:
    file = tmp_path / "monitor.yaml"
    file.write_text('targets: [{name: shop, dsn: "postgresql://monitor@127.0.0.1:1/shop"}]\n', encoding="utf-8")
    with pytest.raises(UsageError, match="no such receiver; the configuration has none"):
        await notify_test(file, "ops")


async def test_a_configuration_with_mistakes_names_them(tmp_path: Path) -> None:
    file = tmp_path / "monitor.yaml"
    file.write_text("targts: []\n", encoding="utf-8")
    with pytest.raises(ConfigErrors, match="targts"):
        await notify_test(file, "ops")


def test_the_sample_is_one_that_fires_and_one_that_is_over_and_both_are_news() -> None:
    notice = sample("ops", NOON)
    assert [alert.state for alert in notice.alerts] == [State.FIRING, State.RESOLVED]
    assert notice.news == {alert.finding.fingerprint for alert in notice.alerts}
    assert all(alert.finding.title.startswith("TEST: ") for alert in notice.alerts)
