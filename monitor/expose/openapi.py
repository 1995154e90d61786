"""The API's own description (OpenAPI 3.1): a file, kept by hand, which the tests hold against the handlers."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web

from monitor.expose.answers import document

ADDRESS = "/api/v1/openapi.json"


def described() -> bytes:
    """Give the document."""
    return files("monitor.expose").joinpath("openapi.json").read_bytes()


def routes() -> list[web.RouteDef]:
    """Give the address under which it is served."""
    return [web.get(ADDRESS, _answer)]


async def _answer(_request: web.Request) -> web.Response:
    return document(described())
