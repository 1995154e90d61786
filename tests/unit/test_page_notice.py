"""What stands on every page: a configuration that was refused; and the pages for who may not have the others."""

from __future__ import annotations

import pytest

from monitor.expose.credentials import Credentials
from monitor.model import Secret
from tests.unit.controls import Ledger, serving
from tests.unit.shelf import Pile, Told, server
from tests.unit.test_http import ask

REASON = "monitor.yaml:14: targets: no such setting; did you mean target?"
PAGES = ("", "findings", "targets", "targets/shop", "rules", "rules/statements.temp_spill", "migrations", "audit")
STYLE = "/static/style.css"


def pile() -> Pile:
    return Pile(targets_=[server()])


async def test_a_refused_configuration_is_told_on_every_page() -> None:
    """With the reason; the text is escaped; a good reload takes it away."""
    told = Told(refused=f"{REASON} <b>")
    async with serving(pile(), Ledger(), told=told) as web:
        refused = [(await ask(web, f"/{path}")).text for path in PAGES]
        told.refused = ""
        good = [(await ask(web, f"/{path}")).text for path in PAGES if path]
    assert [page.count(f"{REASON} &lt;b&gt;") for page in refused] == [1] * len(PAGES)
    assert not [page for page in good if "Not all of the configuration" in page]


async def test_who_has_not_signed_in_learns_nothing_of_it() -> None:
    """The page that asks who they are has the style, and neither reason nor script."""
    credentials = Credentials({"ann": Secret("word")})
    async with serving(pile(), Ledger(), told=Told(refused=REASON), credentials=credentials) as web:
        page, style = await ask(web, "/"), await ask(web, STYLE)
        others = [await ask(web, f"/static/{name}") for name in ("page.js", "nope.css")]
    assert (page.status, style.status, {each.status for each in others}) == (401, 200, {401})
    assert f'href="{STYLE}' in page.text
    assert "<script" not in page.text
    assert REASON not in page.text


@pytest.mark.parametrize("path", ["/", "/static/page.js"])
async def test_under_a_strange_name_there_is_the_style_only(path: str) -> None:
    """Whoever comes by DNS rebinding reads colours, and no page."""
    async with serving(pile(), Ledger()) as web:
        assert (await ask(web, path, Host="evil.example")).status == 403
        assert (await ask(web, STYLE, Host="evil.example")).status == 200
