"""The real demo, scraped by a real Prometheus: no panel of any board is empty, and every rule can be judged there."""

import asyncio
import os
import re
import shutil
import signal
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from dashboards.build import BOARDS, FOLDER
from tests.boards import Query, annotations, panels, queries, variables
from tests.contract.test_dashboards import named
from tests.contract.test_prometheus_rules import RULES
from tests.end_to_end.test_demo import CHECKOUT, DEMO
from tests.end_to_end.test_prometheus import Prometheus, scraping
from tests.patience import PATIENCE

pytestmark = pytest.mark.soak  # the rarest figures of the demo come after two minutes

START_SECONDS, FILLED_SECONDS, END_SECONDS = 60.0, 240.0, 20.0
LABEL = re.compile(r"\$\{__(?:field\.labels|data\.fields)\.(\w+):percentencode\}")
"""What a link names of the row or line that was clicked."""
WINDOWS = {"__rate_interval": "15s", "__range": "2m"}


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """Run the demo; gives where it listens."""
    folder = Path(tempfile.mkdtemp(prefix="boards-test-"))
    folder.chmod(0o755)
    environ = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    talk = folder.with_suffix(".err")
    with talk.open("w") as err:
        process = await asyncio.create_subprocess_exec(*DEMO, "--port", "0", stderr=err, env=environ)
    try:
        yield await _address(process, talk)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), END_SECONDS * PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)
        talk.unlink()


async def _address(process: Process, talk: Path) -> str:
    async with asyncio.timeout(START_SECONDS * PATIENCE):
        while process.returncode is None:
            if found := re.search(r"http://(127\.0\.0\.1:\d+)/metrics", talk.read_text()):
                return found[1]
            await asyncio.sleep(0.1)
    pytest.fail(f"the demo ended:\n{talk.read_text()}")


async def answered(prometheus: Prometheus, query: Query, since: float) -> bool:
    """Tell whether a query has an answer with a number in it, now or at any time since."""
    if query.instant:
        found = await prometheus.ask("query", query=query.filled(**WINDOWS))
        return any(series["value"][1] != "NaN" for series in found["result"])
    found = await prometheus.ask(
        "query_range", query=query.filled(**WINDOWS), start=str(since), end=str(time.time()), step="2"
    )
    return any(value != "NaN" for series in found["result"] for _, value in series["values"])


async def empty(prometheus: Prometheus, asked: Sequence[Query], since: float, known: Collection[str]) -> list[str]:
    """Name what has no answer.

    One query of a panel may be without, if another is not, and if none of its metrics exists in the demo: it is of
    a pooler or a standby.
    """
    unanswered = [query for query in asked if not await answered(prometheus, query, since)]
    if len(unanswered) == len(asked):
        return [f"{query.place}: {query.expr}" for query in unanswered]
    return [f"{query.place}: {query.expr}" for query in unanswered if not named(query.expr).isdisjoint(known)]


async def gaps(prometheus: Prometheus, since: float) -> list[str]:
    """Name everything of all boards that shows nothing."""
    known = set(await prometheus.ask("label/__name__/values"))
    found = []
    for name in BOARDS:
        for panel in panels(name):
            found += [f"{name}: {each}" for each in await empty(prometheus, queries(panel), since, known)]
        for mark in annotations(name):
            found += [f"{name}: {each}" for each in await empty(prometheus, [mark], since, known)]
        for label, query in variables(name):
            values = await prometheus.ask(f"label/{label}/values", **{"match[]": query.filled()})
            found += [] if values else [f"{name}: {query.place}"]
    return found


async def filled(prometheus: Prometheus, since: float) -> None:
    """Wait until nothing is empty any more; what still is when the time is over is named."""
    until = time.monotonic() + FILLED_SECONDS * PATIENCE
    while True:
        missing = await gaps(prometheus, since)
        if not missing or time.monotonic() > until:
            break
        await asyncio.sleep(5)
    assert missing == []


async def followed(prometheus: Prometheus, address: str) -> dict[str, int]:
    """Follow every link to our page as a click on a finding would; gives the status of each address."""
    (clicked, *_) = (await prometheus.ask("query", query='pgarchitect_findings{database!=""}'))["result"]
    texts = [(FOLDER / name).read_text(encoding="utf-8") for name in BOARDS]
    found = {}
    for link in {link for text in texts for link in re.findall(r'"(\$\{page\}[^"]*)"', text)}:
        url = LABEL.sub(lambda each: quote(clicked["metric"][each[1]]), link.replace("${page}", f"http://{address}"))
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            found[url] = answer.status
    return found


async def judged(prometheus: Prometheus) -> list[dict[str, Any]]:
    """Give all rules, once each of them was evaluated."""
    async with asyncio.timeout(START_SECONDS * PATIENCE):
        while True:
            groups = (await prometheus.ask("rules"))["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            if all(rule["health"] != "unknown" for rule in rules):
                return rules
            await asyncio.sleep(1)


async def test_nothing_is_empty_on_the_demo(tmp_path: Path) -> None:
    """Every query is answered, links lead to pages, every rule is judged, and no rule cries wolf."""
    since = time.time()
    async with demo() as address, scraping(address, tmp_path, rules=RULES, every="2s") as prometheus:
        await filled(prometheus, since)
        assert set((await followed(prometheus, address)).values()) == {200}
        rules = await judged(prometheus)
        assert [rule for rule in rules if rule["health"] != "ok" or rule.get("lastError")] == []
        known = set(await prometheus.ask("label/__name__/values"))
        recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
        without_people = {each for each in recorded if "notifications" in each}  # the demo tells nobody
        assert recorded - without_people <= known
        assert [rule["name"] for rule in rules if rule.get("state") == "firing"] == []
    assert prometheus.complaints() == []
