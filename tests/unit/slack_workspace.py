"""A Slack workspace on loopback, and a bot in it."""

import json
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.models.blocks import Block
from werkzeug import Request, Response

from monitor.model import Secret
from monitor.notify.places import Remembered
from monitor.notify.slack_bot import SlackBot

TOKEN = "xoxb-0-canary_hush"
CHANNEL = "C0OPS"


@dataclass
class Workspace:
    """A Slack with one channel: keeps its messages, refuses what Slack would refuse, and what a test wants refused."""

    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    """Codes that the next calls are answered with; "" lets one through."""
    calls: list[str] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        method, body = request.path.rpartition("/")[2], json.loads(request.data)
        self.calls.append(method)
        code = self.refusals.pop(0) if self.refusals else ""
        answer = {"ok": False, "error": code} if code else self._answered(method, body)
        return Response(json.dumps(answer), mimetype="application/json")

    def _answered(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        if not 1 <= len(body["text"]) <= 4000 or not 1 <= len(body["blocks"]) <= 50:
            return {"ok": False, "error": "invalid_blocks"}
        if [block.to_dict() for block in Block.parse_all(body["blocks"])] != body["blocks"]:
            return {"ok": False, "error": "invalid_blocks"}
        if method == "chat.update":
            if body["channel"] != CHANNEL or body["ts"] not in self.messages:
                return {"ok": False, "error": "message_not_found"}
            self.messages[body["ts"]] |= body
            return {"ok": True, "channel": CHANNEL, "ts": body["ts"]}
        ts = f"1700000000.{len(self.calls):06}"
        self.messages[ts] = body
        return {"ok": True, "channel": CHANNEL, "ts": ts}

    @property
    def top(self) -> list[dict[str, Any]]:
        return [message for message in self.messages.values() if "thread_ts" not in message]

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [message for message in self.messages.values() if "thread_ts" in message]


def a_bot(base_url: str) -> SlackBot:
    return SlackBot(
        name="ops",
        token=Secret(TOKEN),
        channel="#ops",
        external_url="https://watch.example/",
        places=Remembered(),
        base_url=base_url,
    )
