"""Answers as HTML and as JSON."""

from aiohttp import web


def html(page: bytes, status: int = 200) -> web.Response:
    """Answer with a page."""
    return web.Response(body=page, status=status, headers={"Content-Type": "text/html; charset=utf-8"})


def document(written: bytes, status: int = 200) -> web.Response:
    """Answer with a JSON document."""
    return web.Response(body=written, status=status, headers={"Content-Type": "application/json"})
