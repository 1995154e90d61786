"""Receivers on the loopback that keep what is posted, refuse or hang; and a probe over a table that tests fill."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.database import Database
from tests.faults.harness import Daemon
from tests.patience import PATIENCE

RULE = "sick.item"
TABLE = "create table public.sick (item text primary key, level int not null)"
IDLE = ("activity", "auth_links", "indexes", "plans", "pool", "statement_secrets", "statements")
"""Probes that nobody asks here."""
PROBE = """
name: sick
help: A table that says what is sick.
scope: database
sql: select item, level from public.sick where level > 0 order by item
key: [item]
thresholds:
  - {id: sick.item, column: level, warning: 0, critical: 1, summary: "{item} is at {value}", impact: none}
"""


@dataclass
class Hook:
    """One receiver of our webhook document."""

    url: str
    mood: Literal["well", "busy", "deaf"] = "well"
    messages: list[Any] = field(default_factory=list)
    """What was taken, in order."""
    arrived: list[datetime] = field(default_factory=list)
    refused: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    """Set: who hangs is let go."""

    def take(self, request: Request) -> Response:
        now = datetime.now(UTC)
        if self.mood == "busy":
            self.refused += 1
            return Response("busy", status=503)
        if self.mood == "deaf":
            self.refused += 1
            self.released.wait(60)
            return Response("too late", status=503)
        self.messages.append(request.get_json())
        self.arrived.append(now)
        return Response("ok")

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Every alert of every message."""
        return [alert for message in self.messages for alert in message["alerts"]]

    def said(self, item: str, *, news: bool = True) -> list[str]:
        """What was said of an item: `firing warning` and so on; with `news`, without repetitions."""
        own = [alert for alert in self.alerts if alert["subject"] == item and (alert["news"] or not news)]
        return [f"{alert['status']} {alert['severity']}" for alert in own]


@contextmanager
def hook() -> Iterator[Hook]:
    """Serve one receiver; what hangs in it holds up no other."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        made = Hook(server.url_for("/hook"))
        server.expect_request("/hook", method="POST").respond_with_handler(made.take)
        try:
            yield made
        finally:
            made.released.set()


def settings(folder: Path, database: Database, *, ttl: str = "1s", **changed: object) -> dict[str, Any]:
    """The configuration of a daemon that asks the table every `ttl`, and does little else."""
    (folder / "sick.yaml").write_text(PROBE + f"ttl: {ttl}\n")
    idle = {name: {"enabled": False} for name in IDLE}
    only = {"include": [database.name]}
    return {
        "targets": [{"name": "shop", "dsn": database.dsn, "databases": only}],
        "probes": {"files": ["sick.yaml"], **idle},
        "defaults": {"interval": "5s"},
        **changed,
    }


async def until(holds: Callable[[], object], running: Daemon, seconds: float = 15.0) -> None:
    """Wait until something holds."""
    try:
        async with asyncio.timeout(seconds * PATIENCE):
            while not holds():  # noqa: ASYNC110 - others change what is looked at
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {seconds * PATIENCE} s\n{running.tail()}") from None


def shown(document: object) -> str:
    """Give a document as text, to look for words in."""
    return json.dumps(document)
