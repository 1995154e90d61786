"""`monitor notify-test` as a user types it: a webhook gets its sample, Alertmanagers too, and mistakes are one line."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from monitor.embedded import free_port
from tests.end_to_end.alertmanagers import alertmanager
from tests.end_to_end.command import Outcome, monitor

pytestmark = pytest.mark.soak


async def outcome(folder: Path, receiver: Mapping[str, object], name: str = "ops") -> Outcome:
    """Run it on a configuration with one receiver."""
    file = folder / "monitor.yaml"
    config = {
        "targets": [{"name": "shop", "dsn": "postgresql://monitor@127.0.0.1:1/shop"}],
        "receivers": {"ops": receiver},
        "route": {"receiver": "ops"},
    }
    file.write_text(json.dumps(config), encoding="utf-8")
    return await monitor("notify-test", name, "--config", str(file))


async def test_a_webhook_gets_a_sample(httpserver: HTTPServer, tmp_path: Path) -> None:
    """One that fires and one that is over, marked as a test; how long it took is said."""
    httpserver.expect_request("/hook", method="POST").respond_with_data("ok")
    said = await outcome(tmp_path, {"webhook": {"url": httpserver.url_for("/hook"), "secret": "c4n4ry"}})
    assert (said.status, said.err) == (0, "")
    assert re.fullmatch(r"ops: delivered in \d+ ms\n", said.out)
    ((request, _answer),) = httpserver.log
    alerts: list[dict[str, Any]] = request.get_json()["alerts"]
    assert [each["status"] for each in alerts] == ["firing", "resolved"]
    assert all(each["title"].startswith("TEST: ") for each in alerts)


async def test_a_webhook_that_refuses_is_told_with_its_answer(httpserver: HTTPServer, tmp_path: Path) -> None:
    """Status 2, and neither its address nor the secret."""
    httpserver.expect_request("/hook").respond_with_data("c4n4ry", status=403)
    said = await outcome(tmp_path, {"webhook": {"url": httpserver.url_for("/hook"), "secret": "c4n4ry"}})
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("monitor: notify-test ops: HTTP 403")
    assert "c4n4ry" not in said.err
    assert "/hook" not in said.err


async def test_an_unknown_receiver_is_one_clear_line(tmp_path: Path) -> None:
    """With what is meant, perhaps."""
    said = await outcome(tmp_path, {"console": {}}, "opps")
    assert (said.status, said.out) == (2, "")
    assert said.err == "monitor: notify-test opps: no such receiver; did you mean ops? (there are: ops)\n"


async def test_alertmanagers_get_a_sample(httpserver: HTTPServer, tmp_path: Path) -> None:
    """One that takes it is enough, and the other is named with what was wrong; when none does, that is the reason."""
    httpserver.expect_request("/api/v2/alerts", method="POST").respond_with_data("{}", content_type="application/json")
    there, gone = httpserver.url_for(""), f"http://127.0.0.1:{free_port()}"
    well = await outcome(tmp_path, {"alertmanager": {"urls": [there]}})
    half = await outcome(tmp_path, {"alertmanager": {"urls": [there, gone]}})
    none = await outcome(tmp_path, {"alertmanager": {"urls": [gone]}})
    assert re.fullmatch(r"ops: delivered in \d+ ms\n", well.out), well.err
    host = gone.removeprefix("http://")
    assert re.fullmatch(rf"ops: delivered in \d+ ms; but {host} did not take it: no answer \(.*\)\n", half.out)
    assert (none.status, none.out) == (2, "")
    assert none.err.startswith("monitor: notify-test ops: no Alertmanager took it: no answer")
    assert len(httpserver.log) == 2
    posted = httpserver.log[0][0].get_json()
    assert [each["labels"]["subject"] for each in posted] == ["a warning", "one that is over"]
    assert posted[0]["endsAt"] > posted[1]["endsAt"]


async def test_a_real_alertmanager_shows_the_sample(httpserver: HTTPServer, tmp_path: Path) -> None:
    """The one that fires; what is over it does not show."""
    httpserver.expect_request("/").respond_with_data("ok")
    async with alertmanager(tmp_path / "am", httpserver.url_for("/")) as peer:
        said = await outcome(tmp_path, {"alertmanager": {"urls": [peer.url]}})
        assert (said.status, said.err) == (0, "")
        assert await peer.shown() == {("a warning", "warning"): "active"}
