"""The API's description names the addresses that are answered, all and no other, and is a document of OpenAPI 3.1."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from monitor.expose.changes import Changes
from monitor.expose.credentials import Credentials
from monitor.expose.metrics import Exposition
from monitor.expose.openapi import described
from monitor.expose.origin import Origin
from monitor.expose.own import Own
from monitor.expose.server import Pages, Site
from tests.unit.controls import Ledger
from tests.unit.shelf import Pile, Told

DOCUMENT = json.loads(described())
SNAPSHOT = Path(__file__).parents[2] / "monitor" / "report" / "snapshot.schema.json"
OF_PROGRAMS = ("/api/", "/-/")
"""How the addresses begin that answer in JSON."""


def routes() -> Iterator[web.RouteDef]:
    """Give every address of the daemon's door."""
    pile, exposition, origin, credentials = Pile(), Exposition(), Origin(), Credentials()
    own = Own(pile, exposition.left_away)
    site = Site(shelf=pile, handling=Told(), exposition=exposition, own=own, rules={})
    yield from Pages(site, origin, credentials).routes()
    yield from Changes(Ledger(), origin, credentials, lambda: datetime.now(UTC)).routes()


def test_the_document_names_each_address_and_no_other() -> None:
    """A handler that is added, renamed or taken away is so in the document."""
    answered = {(each.method.lower(), each.path) for each in routes() if each.path.startswith(OF_PROGRAMS)}
    assert answered == {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}


def test_every_reference_leads_somewhere_and_everything_is_referred_to() -> None:
    """No part is left over."""
    referred = set(re.findall(r'"#/components/(\w+/\w+)"', json.dumps(DOCUMENT)))
    there = {f"{kind}/{name}" for kind, parts in DOCUMENT["components"].items() for name in parts}
    assert referred == {each for each in there if not each.startswith("securitySchemes/")}


def test_a_finding_is_the_snapshots() -> None:
    """Both documents say the same of it; what only a snapshot of the store adds is left out."""
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))["properties"]["findings"]["items"]
    ours = DOCUMENT["components"]["schemas"]["Finding"]
    assert set(ours["required"]) == set(snapshot["required"])
    for name, schema in ours["properties"].items():
        assert schema == snapshot["properties"][name], name
