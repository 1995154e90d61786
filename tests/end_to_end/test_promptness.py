"""From the moment a query sees a breach to the request on the wire: at most a second, whoever is told."""

import asyncio
import random
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.database import Database
from tests.end_to_end.hooks import settings, until
from tests.faults.harness import daemon

ROUND = 1000.0
PROBE = f"""
name: clock
help: When the server was asked, in seconds of a round of {ROUND:g}.
scope: database
sql: >
  select item, (extract(epoch from pg_catalog.clock_timestamp()) % {ROUND:g})::float8 as moment
  from public.breach order by item
key: [item]
thresholds:
  - {{id: clock.breach, column: moment, warning: -1, summary: "{{item}} was seen at {{value}} s", impact: none}}
ttl: 1s
"""
SEEN = re.compile(r"(breach \d+) was seen at ([\d.]+) s")
BREACHES = 5


@dataclass
class Ear:
    """One receiver, of any kind: how long after the query it heard of each breach first."""

    url: str
    late: dict[str, float] = field(default_factory=dict)

    def take(self, request: Request) -> Response:
        now = datetime.now(UTC).timestamp()
        for item, moment in SEEN.findall(request.get_data(as_text=True)):
            self.late.setdefault(item, (now - float(moment)) % ROUND)
        return Response("ok")


@contextmanager
def ear() -> Iterator[Ear]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        made = Ear(server.url_for(""))
        server.expect_request(re.compile("/.*"), method="POST").respond_with_handler(made.take)
        yield made


@pytest.fixture
def ears() -> Iterator[dict[str, Ear]]:
    with ExitStack() as stack:
        yield {kind: stack.enter_context(ear()) for kind in ("webhook", "slack", "alertmanager")}


async def test_a_breach_is_on_the_wire_within_a_second_of_its_query(
    database: Database, ears: dict[str, Ear], tmp_path: Path
) -> None:
    """Counted by the server's own clock from the query that saw it; for webhook, Slack and Alertmanager."""
    await database.execute("create table public.breach (item text primary key)")
    told = {
        "webhook": {"webhook": {"url": ears["webhook"].url}},
        "slack": {"slack": {"webhook": ears["slack"].url}},
        "alertmanager": {"alertmanager": {"urls": [ears["alertmanager"].url]}},
    }
    routes = [{"receiver": kind, "continue": True} for kind in told]
    config = settings(
        tmp_path,
        database,
        receivers=told,
        route={"receiver": "webhook", "group_by": ["subject"], "group_wait": 0, "routes": routes},
    )
    (tmp_path / "clock.yaml").write_text(PROBE)
    config["probes"]["files"] = ["clock.yaml"]
    async with daemon(tmp_path, {"shop": database.dsn}, config) as running:
        await running.up()
        for number in range(BREACHES):
            await asyncio.sleep(random.uniform(0, 1))
            item = f"breach {number}"
            await database.execute("insert into public.breach values ($1)", item)
            await until(lambda item=item: all(item in each.late for each in ears.values()), running)  # type: ignore[misc]
    late = {kind: sorted(each.late.values()) for kind, each in ears.items()}
    assert max(seconds for each in late.values() for seconds in each) <= 1.0, late
