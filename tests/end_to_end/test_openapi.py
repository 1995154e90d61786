"""The API keeps to its own description: by hand for each operation, and by schemathesis with what nobody thinks of."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema_rs
import pytest

from monitor.client import TOKEN
from monitor.expose.openapi import ADDRESS, described
from tests.database import Database
from tests.faults.harness import Daemon, daemon
from tests.patience import PATIENCE

DOCUMENT: Mapping[str, Any] = json.loads(described())
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)
TOO_LONG = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
"""
"""A body that is refused for its length is refused, whatever else is wrong with it."""
SIGNED_IN = "anything-that-is-long-enough"


@pytest.fixture
async def shop(database: Database, tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon with a finding that fires, and statements."""
    async with daemon(tmp_path, {"shop": (await database.as_monitor()).dsn}) as running:
        await running.fires("headcount.many", 20 * PATIENCE)
        yield running


async def test_every_operation_answers_as_described(shop: Daemon) -> None:
    """Reading and changing, with what is there and with what is not."""
    fingerprint = (await shop.firing("headcount.many"))[0]["fingerprint"]
    note, quiet = {"comment": "known"}, {"comment": "known", "duration": "1h", "matchers": ['target="shop"']}
    async with conversation(shop) as http:
        silence = await asked(http, "post /api/v1/silences", 201, body=quiet)
        for operation, status, body in (
            ("get /api/v1/findings", 200, None),
            ("get /api/v1/findings/{fingerprint}", 200, None),
            ("post /api/v1/findings/{fingerprint}/ack", 200, note),
            ("get /api/v1/findings/{fingerprint}", 200, None),
            ("delete /api/v1/findings/{fingerprint}/ack", 200, None),
            ("delete /api/v1/findings/{fingerprint}/ack", 404, None),
            ("get /api/v1/silences", 200, None),
            ("delete /api/v1/silences/{id}", 200, None),
            ("delete /api/v1/silences/{id}", 404, None),
            ("get /api/v1/targets", 200, None),
            ("get /api/v1/status", 200, None),
            ("get /api/v1/statements", 200, None),
            ("get /api/v1/statements?hours=2", 200, None),
            ("get /api/v1/statements?hours=two", 400, None),
            ("get /api/v1/audit", 200, None),
            ("get /api/v1/dead-letters", 200, None),
            ("post /-/reload", 200, None),
            ("get /api/v1/openapi.json", 200, None),
        ):
            operation_there = operation.replace("{fingerprint}", fingerprint).replace("{id}", silence["id"])
            await asked(http, operation, status, there=operation_there, body=body)


async def asked(
    http: aiohttp.ClientSession, operation: str, status: int, *, there: str = "", body: object = None
) -> Any:
    """Ask, and hold the answer against its description; `there` is the operation with its place filled in."""
    method, path = operation.partition("?")[0].split()
    async with http.request(method, (there or operation).split()[1], json=body) as answer:
        document = await answer.json()
        assert answer.status == status, document
    response = DOCUMENT["paths"][path][method]["responses"][str(status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][str(status)]
    schema = response["content"]["application/json"]["schema"]
    jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]}).validate(document)
    return document


@asynccontextmanager
async def conversation(running: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    """Begin one that may change things."""
    async with aiohttp.ClientSession(running.url) as http:
        async with http.get("/api/v1/status") as answer:
            http.headers[TOKEN] = answer.headers[TOKEN]
        yield http


async def test_no_request_breaks_it(shop: Daemon) -> None:
    """What schemathesis makes up in some seconds is answered as described, and never by a 5xx."""
    async with conversation(shop) as http:
        await fuzzed(shop, f"{TOKEN}: {http.headers[TOKEN]}", 10)


@pytest.mark.soak
async def test_no_request_of_a_minute_breaks_it(shop: Daemon) -> None:
    """Longer, with changes, and by one who may not change anything."""
    async with conversation(shop) as http:
        await fuzzed(shop, f"{TOKEN}: {http.headers[TOKEN]}", 60)
    await fuzzed(shop, "X-Nothing: at all", 30)


@pytest.mark.soak
async def test_with_credentials_too(database: Database, tmp_path: Path) -> None:
    """Who has signed in, and who has not."""
    config = {"web": {"tokens": [SIGNED_IN]}}
    async with daemon(tmp_path, {"shop": (await database.as_monitor()).dsn}, config) as running:
        await running.watching()
        await fuzzed(running, f"Authorization: Bearer {SIGNED_IN}", 30)
        await fuzzed(running, "Authorization: Bearer wrong", 20)


async def fuzzed(running: Daemon, header: str, seconds: int) -> None:
    """Let schemathesis at it."""
    file = running.folder / "openapi.json"
    file.write_bytes(described())
    (running.folder / "schemathesis.toml").write_text(TOO_LONG)  # read from where it is run
    arguments = ("run", str(file), "--url", running.url, "-H", header, "--checks", ",".join(CHECKS))
    limits = ("--max-time", str(seconds), "--continue-on-failure", "--no-color", "--warnings", "off")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *arguments, *limits),
        cwd=running.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), (seconds + 60) * PATIENCE)
    assert process.returncode == 0, output.decode()
    assert "Tested:" in output.decode()


async def test_the_document_is_served(shop: Daemon) -> None:
    """Under its address, as it is shipped."""
    assert json.loads(await shop.get(ADDRESS)) == DOCUMENT
